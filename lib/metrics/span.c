#include "span.h"

#include <inttypes.h>
#include <stdio.h>

#include "number.h"

static const char letters[] = {[SPAN_HOUR] = 0, [SPAN_DAY] = 'd', [SPAN_MONTH] = 'm'};

struct slice span_name(struct span span, char buffer[static SPAN_NAME_BYTES])
{
    size_t len = 0;
    if (letters[span.level])
        buffer[len++] = letters[span.level];
    int written = snprintf(buffer + len, SPAN_NAME_BYTES - len, "%" PRId64, span.number);
    return slice_of(buffer, len + (size_t)written);
}

bool span_parse(struct slice name, struct span *span)
{
    span->level = SPAN_HOUR;
    for (enum span_level level = SPAN_DAY; level <= SPAN_MONTH; level++) {
        if (name.len > 0 && name.ptr[0] == letters[level])
            span->level = level;
    }
    struct slice number = span->level == SPAN_HOUR ? name : slice_of(name.ptr + 1, name.len - 1);
    int64_t hours = span_hours(span->level);
    char buffer[SPAN_NAME_BYTES];
    return number_parse_int64(number, floor_divide(HOUR_MIN, hours), HOUR_MAX / hours,
                              &span->number) &&
           slice_equals(name, span_name(*span, buffer));
}
