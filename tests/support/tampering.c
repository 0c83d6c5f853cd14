#include "tampering.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base64url.h"
#include "packed.h"

void tampering_check_characters(struct strbuf *text, bool (*accepts)(struct slice text))
{
    for (size_t i = 0; i < text->len; i++) {
        char kept = text->bytes[i];
        for (int c = 0; c < 256; c++) {
            text->bytes[i] = (char)c;
            if (text->bytes[i] != kept && accepts(strbuf_slice(text)))
                fail_msg("character %zu may be %d", i, c);
        }
        text->bytes[i] = kept;
    }
}

void tampering_check_lengths(struct strbuf *text, bool (*accepts)(struct slice text))
{
    size_t len = text->len;
    for (size_t i = 0; i < len; i++)
        assert_false(accepts(slice_of(text->bytes, i)));
    for (size_t i = 1; i < len; i++)
        assert_false(accepts(slice_of(text->bytes + i, len - i)));
    for (size_t i = 0; i < 8; i++) {
        strbuf_append_char(text, 'A');
        assert_false(strbuf_failed(text));
        assert_false(accepts(strbuf_slice(text)));
    }
}

static bool accepts_sealed(unsigned char *bytes, size_t len, bool (*accepts)(struct slice text))
{
    struct strbuf forged;
    packed_seal(bytes, len);
    strbuf_init(&forged, 2 * len + 4);
    base64url_append(&forged, slice_of((const char *)bytes, len));
    assert_false(strbuf_failed(&forged));
    bool is_good = accepts(strbuf_slice(&forged));
    strbuf_release(&forged);
    return is_good;
}

bool tampering_forge(const unsigned char *bytes, size_t len, bool (*accepts)(struct slice text))
{
    return tampering_forge_byte(bytes, len, 0, bytes[0], accepts);
}

bool tampering_forge_byte(const unsigned char *bytes, size_t len, size_t at, unsigned char byte,
                          bool (*accepts)(struct slice text))
{
    unsigned char *copy = malloc(len);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    copy[at] = byte;
    bool is_good = accepts_sealed(copy, len, accepts);
    free(copy);
    return is_good;
}
