#include "base64url.h"

#include <stdint.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_append(struct strbuf *out, struct slice bytes)
{
    uint32_t bits = 0;
    unsigned held = 0; /* how many of them are not written yet */
    for (size_t i = 0; i < bytes.len; i++) {
        bits = bits << 8 | (unsigned char)bytes.ptr[i];
        for (held += 8; held >= 6; held -= 6)
            strbuf_append_char(out, digits[bits >> (held - 6) & 63]);
    }
    if (held > 0)
        strbuf_append_char(out, digits[bits << (6 - held) & 63]);
}

bool base64url_decode(struct slice text, unsigned char *out, size_t *len)
{
    uint32_t bits = 0;
    unsigned held = 0;
    *len = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *digit = text.ptr[i] ? strchr(digits, text.ptr[i]) : NULL;
        if (!digit)
            return false;
        bits = bits << 6 | (uint32_t)(digit - digits);
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[(*len)++] = (unsigned char)(bits >> held);
        }
    }
    return held < 6 && (bits & ((1U << held) - 1)) == 0;
}
