#include "sample.h"

#include "utf8.h"

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f);
}

/* The number of code points of a name that is well-formed, or what is wrong. */
static const char *count_code_points(struct slice type, size_t *count)
{
    *count = 0;
    while (type.len > 0) {
        uint32_t c;
        size_t len = utf8_decode(type, &c);
        if (len == 0)
            return "must be valid UTF-8";
        if (is_control(c))
            return "must not contain control characters";
        ++*count;
        type = slice_of(type.ptr + len, type.len - len);
    }
    return NULL;
}

const char *sample_check_type(struct slice type)
{
    size_t count;
    if (type.len == 0)
        return "must have 1 to 100 characters";
    if (type.len > TYPE_BYTES_MAX)
        return "must have at most 100 characters";
    const char *wrong = count_code_points(type, &count);
    if (!wrong && count > TYPE_CODE_POINTS_MAX && type.len > LONG_TYPE_BYTES_MAX)
        return "must have at most 100 characters, or 255 bytes";
    return wrong;
}

const char *sample_check_short_type(struct slice type)
{
    size_t count;
    const char *wrong = sample_check_type(type);
    if (!wrong && !count_code_points(type, &count) && count > TYPE_CODE_POINTS_MAX)
        return "must have at most 100 characters";
    return wrong;
}
