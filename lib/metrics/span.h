/*
 * span: the stretches of event time in which chunks lie. Pure.
 *
 * An hour of UTC, a day of 24, a month of 32 days: each divides the next, all are
 * numbered from 1970, negative before. A sample is written into its hour; what is
 * sparse is later gathered into the day or the month. In names of keys an hour is its
 * number, a day has a "d" before it, a month an "m" (scripts/lib/spans.lua).
 */
#ifndef LIB_METRICS_SPAN_H
#define LIB_METRICS_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "integer.h"
#include "slice.h"

enum span_level { SPAN_NONE, SPAN_HOUR, SPAN_DAY, SPAN_MONTH };

#define HOUR_US INT64_C(3600000000)

/* Hours that hold years 1 to 9999, and more. */
#define HOUR_MIN INT64_C(-17500000)
#define HOUR_MAX INT64_C(70500000)

struct span {
    enum span_level level;
    int64_t number;
};

static inline int64_t span_hours(enum span_level level)
{
    static const int64_t hours[] = {0, 1, 24, 24 * 32};
    return hours[level];
}

static inline int64_t hour_of(struct wall_time at)
{
    return floor_divide(at.us, HOUR_US);
}

static inline struct wall_time hour_start(int64_t hour)
{
    return (struct wall_time){hour * HOUR_US};
}

/* Other instants were stored by somebody else: with these nothing overflows. */
static inline bool has_hour(struct wall_time at)
{
    return at.us >= hour_start(HOUR_MIN).us && at.us < hour_start(HOUR_MAX + 1).us;
}

static inline int64_t span_first_hour(struct span span)
{
    return span.number * span_hours(span.level);
}

static inline struct span span_of_hour(enum span_level level, int64_t hour)
{
    return (struct span){level, floor_divide(hour, span_hours(level))};
}

static inline struct wall_time span_start(struct span span)
{
    return hour_start(span_first_hour(span));
}

/* Excluded. */
static inline struct wall_time span_end(struct span span)
{
    return hour_start(span_first_hour(span) + span_hours(span.level));
}

enum { SPAN_NAME_BYTES = 16 };

/* The span's part of a key's name, into `buffer`. */
struct slice span_name(struct span span, char buffer[static SPAN_NAME_BYTES]);

/* False for whatever is not the name of a span, "007" and "-0" too: no two names are of one. */
bool span_parse(struct slice name, struct span *span);

#endif
