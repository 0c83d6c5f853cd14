/*
 * window: what part of time a request asks for, in which steps, and which percentiles
 * of it. Pure: `now` is an argument.
 *
 * An instant is absolute: RFC 3339 and all else that iso8601_parse takes; a number, with
 * or without a sign, is Unix seconds, or milliseconds where its magnitude is above 2e10.
 * Or it is relative: `now`, then optionally an offset, then optionally a rounding:
 *
 *   now   now-6h   now+1h   now/d   now-1d/d
 *
 * In front of an offset `now` may be left out (-7d, +30min). An offset is a whole number
 * of ms, s, m or min, h, d, w, mon (30 days) or y (365 days), which may be written out
 * (second, seconds, minute, ...). `/` and one of s, m, h, d, w goes back to where that unit
 * began, in UTC, weeks on Monday; for `to` as for `from`. A blank, which is what '+' is in a
 * query string, counts as '+', unless it stands between date and time.
 *
 * A window is [from, to), exact to the microsecond. All instants lie within the years 1
 * to 9999.
 */
#ifndef FCGI_WINDOW_H
#define FCGI_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "error.h"
#include "http.h"
#include "iso8601.h"
#include "record.h"

struct window {
    struct wall_time from; /* WALL_TIME_MIN: no lower bound */
    struct wall_time to;   /* excluded; WALL_TIME_MAX: no upper bound */
    bool is_given;         /* the request has a from or a to */
    bool is_relative;      /* one of them moves with now */
};

/* On both sides, and not empty. */
static inline bool window_is_bounded(const struct window *window)
{
    return window->from.us != WALL_TIME_MIN.us && window->to.us != WALL_TIME_MAX.us &&
           window->from.us < window->to.us;
}

/*
 * Returns NULL and sets `*at` and `*is_relative`, or a static text that says what would
 * be right, which reads well after "from: ".
 */
const char *window_parse_instant(struct slice text, struct wall_time now, struct wall_time *at,
                                 bool *is_relative);

/*
 * Read `from` and `to`; one that is absent leaves its side without a bound.
 *
 * ERR_VALIDATION names each that is no instant, or `to` when it is not after `from`.
 * ERR_NO_MEMORY. The mistakes join those that `err` holds already, here and below.
 */
enum err_code window_read(const struct request *req, struct wall_time now, struct window *window,
                          struct error *err) __attribute__((warn_unused_result));

enum { SERIES_POINTS_MAX = 11000, SERIES_POINTS_DEFAULT = 300 };

/* Steps of `step_us`, aligned to 1970, that cover a window. */
struct steps {
    struct wall_time first; /* where the first one begins, a multiple of the step: perhaps
                             * before the year 1, so tell people steps_start() */
    int64_t step_us;        /* whole seconds */
    int64_t count;          /* up to SERIES_POINTS_MAX */
};

/* Where step `i` begins, from 0 on; not before the first instant that has a text. */
static inline struct wall_time steps_start(const struct steps *steps, int64_t i)
{
    int64_t us = steps->first.us + i * steps->step_us;
    return (struct wall_time){us < ISO8601_MIN_US ? ISO8601_MIN_US : us};
}

/* How many steps a request may have. */
struct step_limits {
    int64_t points_max;     /* 2 to SERIES_POINTS_MAX */
    int64_t points_default; /* 1 to points_max */
};

/*
 * Read `step` and `points` for a window.
 *
 * `step` is a whole number of seconds, or of a unit as in an offset above (30s, 5m, 1w),
 * from 1 second to 12000y. `auto`, or absent: the smallest of the usual steps of which no
 * more than `points` (within the limits) cover the window. Usual are 1, 2, 5, 10, 15, 30
 * seconds and minutes, 1, 2, 3, 4, 6, 8, 12 hours, 1, 2, 4, 8 days and so on by doubling.
 *
 * A window that is open on a side, or empty, has no steps: `steps->count` is 0, and only the
 * form of the two is checked. (The caller then puts the extent of the data where the request
 * left a side open, and calls again.)
 *
 * ERR_VALIDATION: not such a step or number; more than `points_max` of that step (the
 * message has the smallest whole step that does); or one point for a window that reaches
 * across 1970, where every step begins anew. ERR_NO_MEMORY.
 */
enum err_code steps_read(const struct request *req, const struct window *window,
                         const struct step_limits *limits, struct steps *steps, struct error *err)
    __attribute__((warn_unused_result));

enum { PERCENTILES_MAX = 20, PERCENTILE_NAME_BYTES = 24 };

/* In the order of the request, each once. */
struct percentiles {
    size_t count;
    struct {
        uint32_t q; /* millionths of a percent, which is a quantile of histogram.h */
        /* "p50", "p9.9", "p0.5", "p100"; from 99 on without the point: "p999" is 99.9 */
        char name[PERCENTILE_NAME_BYTES];
    } entries[PERCENTILES_MAX];
};

/*
 * Read `percentiles`, numbers from 0 to 100 with at most six decimals and commas between
 * them ("50,99.9"); empty: none. Absent: `fallback`, a list of the same form.
 *
 * ERR_VALIDATION: no such number, one given twice, more than PERCENTILES_MAX.
 * ERR_NO_MEMORY.
 */
enum err_code percentiles_read(const struct request *req, const char *fallback,
                               struct percentiles *percentiles, struct error *err)
    __attribute__((warn_unused_result));

#endif
