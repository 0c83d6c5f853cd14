#include "sample.h"

#include "utf8.h"

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f);
}

/* The number of code points of a name that is well-formed, or what is wrong. Most are ASCII. */
static const char *count_code_points(struct slice type, size_t *count)
{
    const char *at = type.ptr, *end = at + type.len;
    for (*count = 0; at < end; ++*count) {
        uint32_t c = (unsigned char)*at;
        size_t len = c < 0x80 ? 1 : utf8_decode(slice_of(at, (size_t)(end - at)), &c);
        if (len == 0)
            return "must be valid UTF-8";
        if (is_control(c))
            return "must not contain control characters";
        at += len;
    }
    return NULL;
}

static const char *check_type(struct slice type, size_t *count)
{
    if (type.len == 0)
        return "must have 1 to 100 characters";
    if (type.len > TYPE_BYTES_MAX)
        return "must have at most 100 characters";
    const char *wrong = count_code_points(type, count);
    if (!wrong && *count > TYPE_CODE_POINTS_MAX && type.len > LONG_TYPE_BYTES_MAX)
        return "must have at most 100 characters, or 255 bytes";
    return wrong;
}

const char *sample_check_type(struct slice type)
{
    size_t count;
    return check_type(type, &count);
}

const char *sample_check_short_type(struct slice type)
{
    size_t count = 0;
    const char *wrong = check_type(type, &count);
    if (!wrong && count > TYPE_CODE_POINTS_MAX)
        return "must have at most 100 characters";
    return wrong;
}
