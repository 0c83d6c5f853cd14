#include "glob.h"

#include <stddef.h>
#include <stdint.h>

#include "utf8.h"

static size_t code_point_bytes(struct slice text, size_t at)
{
    uint32_t ignored;
    size_t len = utf8_decode(slice_of(text.ptr + at, text.len - at), &ignored);
    return len > 0 ? len : 1;
}

bool glob_matches(struct slice pattern, struct slice text)
{
    size_t p = 0, t = 0;
    size_t after_star = SIZE_MAX, tried = 0; /* what follows the last '*' was tried from there */
    while (t < text.len) {
        char c = p < pattern.len ? pattern.ptr[p] : '\0';
        if (c == '*') {
            after_star = ++p;
            tried = t;
        } else if (c == '?') {
            p++;
            t += code_point_bytes(text, t);
        } else if (p < pattern.len && c == text.ptr[t]) {
            p++;
            t++;
        } else if (after_star != SIZE_MAX) {
            tried += code_point_bytes(text, tried);
            p = after_star;
            t = tried;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

struct slice glob_prefix(struct slice pattern)
{
    size_t len = 0;
    while (len < pattern.len && pattern.ptr[len] != '*' && pattern.ptr[len] != '?')
        len++;
    return slice_of(pattern.ptr, len);
}
