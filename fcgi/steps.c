#include "steps.h"

#include <assert.h>

#include "integer.h"
#include "number.h"
#include "query.h"

enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

static const int64_t SECOND_US = 1000000;
static const int64_t STEP_SECONDS_MAX = INT64_C(12000) * 365 * DAY;

/* How many steps of `step_us`, aligned to 1970, cover a window. */
static int64_t count_steps(const struct window *window, int64_t step_us)
{
    return floor_divide(window->to.us - 1, step_us) - floor_divide(window->from.us, step_us) + 1;
}

/* The first step above `step`, both in seconds, of which `second` lies in another multiple. */
static int64_t next_step(int64_t second, int64_t step)
{
    int64_t distance = second < 0 ? -1 - second : second; /* -1 is to 1970 as 0 is */
    int64_t number = distance / step;
    return number > 0 ? distance / number + 1 : INT64_MAX;
}

/*
 * The smallest step of whole seconds of which `points` (2 or more) cover a window. It is at
 * least the window's share, and at most that of one point less; in between a longer step may
 * need more of them, as steps are aligned. So it is looked for, but only where the first or the
 * last second comes to lie in another step. For s seconds up to t away from 1970 those are some
 * min(s / points^2, 2 t / s) turns, so sqrt(2 t) / points at most: 1,300 for 550 points in the
 * year 9999.
 */
static int64_t smallest_step_us(const struct window *window, int64_t points)
{
    int64_t first = floor_divide(window->from.us, SECOND_US);
    int64_t last = floor_divide(window->to.us - 1, SECOND_US);
    int64_t step = (window->to.us - window->from.us - 1) / points / SECOND_US + 1;
    while (count_steps(window, step * SECOND_US) > points)
        step = lesser(next_step(first, step), next_step(last, step));
    return step * SECOND_US;
}

/* 0: none, as 1970 lies within and one point is all that there may be. */
static int64_t usual_step_us(const struct window *window, int64_t points)
{
    static const int32_t usual[] = {
        1,          2,          5,           10,          15,          30,       1 * MINUTE,
        2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, 1 * HOUR, 2 * HOUR,
        3 * HOUR,   4 * HOUR,   6 * HOUR,    8 * HOUR,    12 * HOUR,
    };
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        if (count_steps(window, usual[i] * SECOND_US) <= points)
            return usual[i] * SECOND_US;
    }
    for (int64_t days = 1; days * DAY <= STEP_SECONDS_MAX; days *= 2) {
        if (count_steps(window, days * DAY * SECOND_US) <= points)
            return days * DAY * SECOND_US;
    }
    return 0;
}

static enum err_code read_points(const struct request *req, const struct step_limits *limits,
                                 int64_t *points, struct error *err)
{
    struct slice text;
    *points = limits->points_default;
    enum err_code code = query_get(req->query, "points", req->arena, &text, err);
    if (code == ERR_OK && text.ptr && !number_parse_int64(text, 1, limits->points_max, points))
        return error_add_field(err, "query", "points", "must be an integer from 1 to %lld%s",
                               (long long)limits->points_max, limits->note);
    return code;
}

static bool parse_step(struct slice text, int64_t *us)
{
    int64_t seconds;
    if (number_parse_int64(text, 1, STEP_SECONDS_MAX, &seconds))
        *us = seconds * SECOND_US;
    else if (!window_parse_span(text, us))
        return false;
    return *us > 0 && *us % SECOND_US == 0 && *us / SECOND_US <= STEP_SECONDS_MAX;
}

/* `*us` is 0 for the usual step that fits. */
static enum err_code read_step(const struct request *req, int64_t *us, struct error *err)
{
    struct slice text;
    *us = 0;
    enum err_code code = query_get(req->query, "step", req->arena, &text, err);
    if (code == ERR_OK && text.ptr && !slice_equals(text, SLICE("auto")) && !parse_step(text, us))
        return error_add_field(err, "query", "step",
                               "must be auto, or a whole number of seconds (30, 500s; not 1500ms) "
                               "or of a longer unit (5m, 1h, 1d, 1w), from 1 second to 12000y");
    return code;
}

/* Of `step_us`, or of the usual step that fits where that is 0. */
static enum err_code fit_steps(const struct window *window, int64_t step_us, int64_t points,
                               const struct step_limits *limits, struct steps *steps,
                               struct error *err)
{
    assert(window->from.us >= ISO8601_MIN_US && window->to.us - 1 <= ISO8601_MAX_US);
    if (step_us == 0)
        step_us = usual_step_us(window, points);
    if (step_us == 0)
        return error_add_field(err, "query", "points",
                               "must be at least 2 for a window that reaches across 1970, where "
                               "every step begins anew");
    int64_t count = count_steps(window, step_us);
    if (count > limits->points_max)
        return error_add_field(
            err, "query", "step",
            "makes %lld steps where there may be %lld%s: the smallest that "
            "does is %llds",
            (long long)count, (long long)limits->points_max, limits->note,
            (long long)(smallest_step_us(window, limits->points_max) / SECOND_US));
    *steps = (struct steps){.first = {floor_divide(window->from.us, step_us) * step_us},
                            .step_us = step_us,
                            .count = count};
    return err->code;
}

enum err_code steps_read(const struct request *req, const struct window *window,
                         const struct step_limits *limits, struct steps *steps, struct error *err)
{
    int64_t points, step_us;
    *steps = (struct steps){0};
    enum err_code points_code = read_points(req, limits, &points, err);
    enum err_code step_code = read_step(req, &step_us, err);
    if (points_code != ERR_OK || step_code != ERR_OK || !window_is_bounded(window))
        return err->code;
    return fit_steps(window, step_us, points, limits, steps, err);
}
