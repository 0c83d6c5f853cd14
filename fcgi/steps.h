/*
 * steps: the steps that a request asks for. Pure.
 */
#ifndef FCGI_STEPS_H
#define FCGI_STEPS_H

#include <stdint.h>

#include "error.h"
#include "http.h"
#include "metric_steps.h"
#include "window.h"

enum { SERIES_POINTS_MAX = 11000, SERIES_POINTS_DEFAULT = 300 };

/* How many steps a request may have. */
struct step_limits {
    int64_t points_max;     /* 2 to SERIES_POINTS_MAX */
    int64_t points_default; /* 1 to points_max */
    const char *note;       /* goes behind points_max in messages: why, or "" */
};

/*
 * Read `step` and `points` for a window.
 *
 * `step` is a whole number of seconds, or of a unit as offsets have (window.h: 30s, 5m, 1w)
 * where that makes whole seconds, from 1 second to 12000y. `auto`, or absent: the smallest of the
 * usual steps of which no more than `points` (within the limits) cover the window. Usual are 1, 2,
 * 5, 10, 15, 30 seconds and minutes, 1, 2, 3, 4, 6, 8, 12 hours, 1, 2, 4, 8 days and so on by
 * doubling.
 *
 * A window that is open on a side, or empty, has no steps: `steps->count` is 0, and only the
 * form of the two is checked. (The caller then puts the extent of the data where the request
 * left a side open, and calls again.) Else `steps->count` is up to `points_max`, and the step
 * whole seconds.
 *
 * ERR_VALIDATION: not such a step or number; more than `points_max` of that step (the
 * message has the smallest whole step that does); or one point for a window that reaches
 * across 1970, where every step begins anew. ERR_NO_MEMORY.
 */
enum err_code steps_read(const struct request *req, const struct window *window,
                         const struct step_limits *limits, struct steps *steps, struct error *err)
    __attribute__((warn_unused_result));

#endif
