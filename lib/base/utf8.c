#include "utf8.h"

size_t utf8_decode(struct slice text, uint32_t *code_point)
{
    /* By length: the bits that the first byte adds, and the least that needs so many. */
    static const unsigned char masks[5] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (text.len == 0)
        return 0;
    unsigned char first = (unsigned char)text.ptr[0];
    size_t len = first < 0x80   ? 1
                 : first < 0xc0 ? 0
                 : first < 0xe0 ? 2
                 : first < 0xf0 ? 3
                 : first < 0xf8 ? 4
                                : 0;
    if (len == 0 || len > text.len)
        return 0;
    uint32_t c = first & masks[len];
    for (size_t i = 1; i < len; i++) {
        unsigned char next = (unsigned char)text.ptr[i];
        if ((next & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (next & 0x3f);
    }
    if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *code_point = c;
    return len;
}
