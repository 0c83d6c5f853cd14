/*
 * window: what part of time a request asks for. Pure: `now` is an argument.
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
#include "slice.h"

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

/* A span of time: an offset without its sign. What is too long for 64 bits is INT64_MAX. */
bool window_parse_span(struct slice text, int64_t *us);

/*
 * Read `from` and `to`; one that is absent leaves its side without a bound.
 *
 * ERR_VALIDATION names each that is no instant, or `to` when it is not after `from`.
 * ERR_NO_MEMORY. The mistakes join those that `err` holds already.
 */
enum err_code window_read(const struct request *req, struct wall_time now, struct window *window,
                          struct error *err) __attribute__((warn_unused_result));

#endif
