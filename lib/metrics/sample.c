#include "sample.h"

#include "utf8.h"

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f);
}

const char *sample_check_type(struct slice type)
{
    size_t count = 0;
    while (type.len > 0) {
        uint32_t c;
        size_t len = utf8_decode(type, &c);
        if (len == 0)
            return "must be valid UTF-8";
        if (is_control(c))
            return "must not contain control characters";
        if (++count > TYPE_CODE_POINTS_MAX)
            return "must have at most 100 characters";
        type = slice_of(type.ptr + len, type.len - len);
    }
    return count == 0 ? "must have 1 to 100 characters" : NULL;
}
