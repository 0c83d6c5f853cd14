#include "window.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "integer.h"
#include "number.h"
#include "query.h"

enum {
    INSTANT_BYTES_MAX = 64,
    DATE_BYTES = 10, /* 2026-02-21 */
    MINUTE = 60,
    HOUR = 60 * MINUTE,
    DAY = 24 * HOUR,
    WEEK = 7 * DAY,
};

static const int64_t SECOND_US = 1000000;
static const int64_t STEP_SECONDS_MAX = INT64_C(12000) * 365 * DAY;

static const char INSTANT[] = "must be a date and time such as 2026-02-21T12:00:00Z, Unix seconds, "
                              "or relative to now: now-6h, -7d, now/d";
static const char OUT_OF_RANGE[] = "must lie within the years 1 to 9999 (UTC)";
static const char OFFSET[] = "must have + or -, a whole number and a unit (ms, s, m, min, h, d, w, "
                             "mon, y) as its offset from now, as in now-6h";
static const char ROUNDING[] = "must have one of s, m, h, d, w and nothing else behind the /, as "
                               "in now-1d/d";

static const struct {
    int64_t us;
    const char *names[4];
} units[] = {
    {INT64_C(1000), {"ms"}},
    {INT64_C(1000000), {"s", "second", "seconds"}},
    {INT64_C(1000000) * MINUTE, {"m", "min", "minute", "minutes"}},
    {INT64_C(1000000) * HOUR, {"h", "hour", "hours"}},
    {INT64_C(1000000) * DAY, {"d", "day", "days"}},
    {INT64_C(1000000) * WEEK, {"w", "week", "weeks"}},
    {INT64_C(1000000) * 30 * DAY, {"mon", "month", "months"}},
    {INT64_C(1000000) * 365 * DAY, {"y", "year", "years"}},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_sign(char c)
{
    return c == '+' || c == '-';
}

/* 0: there is no such unit. */
static int64_t unit_us(struct slice name)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        for (size_t j = 0; j < 4 && units[i].names[j]; j++) {
            if (slice_equals(name, slice_from_string(units[i].names[j])))
                return units[i].us;
        }
    }
    return 0;
}

/* Digits and a unit. What is too long for 64 bits is INT64_MAX: beyond all limits. */
static bool parse_span(struct slice text, int64_t *us)
{
    size_t digits = 0;
    while (digits < text.len && is_digit(text.ptr[digits]))
        digits++;
    int64_t unit = unit_us(slice_of(text.ptr + digits, text.len - digits));
    if (digits == 0 || unit == 0)
        return false;
    int64_t amount;
    if (!number_parse_int64(slice_of(text.ptr, digits), 0, INT64_MAX, &amount) ||
        __builtin_mul_overflow(amount, unit, us))
        *us = INT64_MAX;
    return true;
}

static const char *apply_offset(struct slice offset, int64_t *us)
{
    int64_t span;
    if (!is_sign(*offset.ptr) || !parse_span(slice_of(offset.ptr + 1, offset.len - 1), &span))
        return OFFSET;
    if (__builtin_add_overflow(*us, *offset.ptr == '-' ? -span : span, us))
        return OUT_OF_RANGE;
    return NULL;
}

static const char *round_down(struct slice unit, int64_t *us)
{
    const int64_t week_us = WEEK * SECOND_US;
    int64_t length = unit.len == 1 ? unit_us(unit) : 0;
    if (length == 0 || length > week_us)
        return ROUNDING;
    /* 1970 began on a Thursday. */
    int64_t origin = length == week_us ? -3 * DAY * SECOND_US : 0;
    *us = floor_divide(*us - origin, length) * length + origin;
    return NULL;
}

/* [now] [offset] [/unit] */
static const char *parse_relative(struct slice text, struct wall_time now, struct wall_time *at)
{
    if (slice_starts_with(text, SLICE("now")))
        text = slice_of(text.ptr + 3, text.len - 3);
    const char *slash = memchr(text.ptr, '/', text.len);
    struct slice offset = slice_of(text.ptr, slash ? (size_t)(slash - text.ptr) : text.len);
    struct wall_time then = now;
    const char *wrong = offset.len > 0 ? apply_offset(offset, &then.us) : NULL;
    if (!wrong && !iso8601_has_text(then))
        wrong = OUT_OF_RANGE;
    if (!wrong && slash)
        wrong = round_down(slice_of(slash + 1, text.len - offset.len - 1), &then.us);
    if (!wrong)
        *at = then;
    return wrong;
}

const char *window_parse_instant(struct slice text, struct wall_time now, struct wall_time *at,
                                 bool *is_relative)
{
    char copy[INSTANT_BYTES_MAX];
    if (text.len == 0 || text.len > sizeof copy)
        return INSTANT;
    for (size_t i = 0; i < text.len; i++)
        copy[i] = text.ptr[i] == ' ' && i != DATE_BYTES ? '+' : text.ptr[i];
    text.ptr = copy;

    char last = text.ptr[text.len - 1];
    bool ends_like_absolute = is_digit(last) || last == '.' || last == 'Z' || last == 'z';
    *is_relative =
        slice_starts_with(text, SLICE("now")) || (is_sign(*text.ptr) && !ends_like_absolute);
    if (*is_relative)
        return parse_relative(text, now, at);
    return ends_like_absolute ? iso8601_parse(text, at) : INSTANT;
}

static enum err_code read_instant(const struct request *req, const char *name, struct wall_time now,
                                  struct wall_time *at, struct window *window, struct error *err)
{
    struct slice text;
    enum err_code code = query_get(req->query, name, req->arena, &text, err);
    if (code != ERR_OK || !text.ptr)
        return code;
    bool is_relative;
    const char *wrong = window_parse_instant(text, now, at, &is_relative);
    if (wrong)
        return error_add_field(err, "query", name, "%s", wrong);
    window->is_given = true;
    window->is_relative = window->is_relative || is_relative;
    return ERR_OK;
}

enum err_code window_read(const struct request *req, struct wall_time now, struct window *window,
                          struct error *err)
{
    *window = (struct window){.from = WALL_TIME_MIN, .to = WALL_TIME_MAX};
    enum err_code from_code = read_instant(req, "from", now, &window->from, window, err);
    enum err_code to_code = read_instant(req, "to", now, &window->to, window, err);
    if (from_code == ERR_OK && to_code == ERR_OK && window->from.us >= window->to.us)
        return error_add_field(err, "query", "to", "must be after from");
    return err->code;
}

/* How many steps of `step_us`, aligned to 1970, cover a window. */
static int64_t count_steps(const struct window *window, int64_t step_us)
{
    return floor_divide(window->to.us - 1, step_us) - floor_divide(window->from.us, step_us) + 1;
}

/*
 * The smallest step of whole seconds of which `points` cover a window. It is not much
 * longer than the window's share: alignment costs one step at most.
 */
static int64_t smallest_step_us(const struct window *window, int64_t points)
{
    int64_t share_us = (window->to.us - window->from.us - 1) / points;
    int64_t step_us = (share_us / SECOND_US + 1) * SECOND_US;
    while (count_steps(window, step_us) > points)
        step_us += SECOND_US;
    return step_us;
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
        return error_add_field(err, "query", "points", "must be an integer from 1 to %lld",
                               (long long)limits->points_max);
    return code;
}

static bool parse_step(struct slice text, int64_t *us)
{
    int64_t seconds;
    if (number_parse_int64(text, 1, STEP_SECONDS_MAX, &seconds))
        *us = seconds * SECOND_US;
    else if (!parse_span(text, us))
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
                               "must be auto, or a whole number of seconds or of a unit (30, "
                               "500s, 5m, 1h, 1d, 1w), from 1 second to 12000y");
    return code;
}

/* Of `step_us`, or of the usual step that fits where that is 0. */
static enum err_code fit_steps(const struct window *window, int64_t step_us, int64_t points,
                               int64_t points_max, struct steps *steps, struct error *err)
{
    assert(window->from.us >= ISO8601_MIN_US && window->to.us - 1 <= ISO8601_MAX_US);
    if (step_us == 0)
        step_us = usual_step_us(window, points);
    if (step_us == 0)
        return error_add_field(err, "query", "points",
                               "must be at least 2 for a window that reaches across 1970, where "
                               "every step begins anew");
    int64_t count = count_steps(window, step_us);
    if (count > points_max)
        return error_add_field(err, "query", "step",
                               "makes %lld steps where there may be %lld: the smallest that does "
                               "is %llds",
                               (long long)count, (long long)points_max,
                               (long long)(smallest_step_us(window, points_max) / SECOND_US));
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
    return fit_steps(window, step_us, points, limits->points_max, steps, err);
}

/* In millionths of a percent, so that equal ones are equal. */
static bool parse_percentile(struct slice text, uint32_t *millionths)
{
    double value;
    if (!number_parse_double(text, &value) || !(value >= 0 && value <= 100))
        return false;
    *millionths = (uint32_t)llround(value * 1e6);
    /* The double nearest to a decimal is this quotient, for six decimals and no more. */
    return (double)*millionths / 1e6 == value;
}

static void name_percentile(uint32_t millionths, char name[static PERCENTILE_NAME_BYTES])
{
    unsigned whole = millionths / 1000000;
    unsigned fraction = millionths % 1000000;
    if (fraction == 0) {
        (void)snprintf(name, PERCENTILE_NAME_BYTES, "p%u", whole);
        return;
    }
    const char *point = whole < 99 ? "." : "";
    int len = snprintf(name, PERCENTILE_NAME_BYTES, "p%u%s%06u", whole, point, fraction);
    while (name[len - 1] == '0')
        name[--len] = '\0';
}

static enum err_code add_percentile(struct slice text, struct percentiles *percentiles,
                                    struct error *err)
{
    uint32_t millionths;
    if (!parse_percentile(text, &millionths))
        return error_add_field(err, "query", "percentiles",
                               "must be numbers from 0 to 100 with at most six decimals and a "
                               "comma between them, as 50,99.9");
    if (percentiles->count == PERCENTILES_MAX)
        return error_add_field(err, "query", "percentiles", "must be %d numbers at most",
                               PERCENTILES_MAX);
    size_t count = percentiles->count++;
    percentiles->entries[count].q = millionths;
    name_percentile(millionths, percentiles->entries[count].name);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(percentiles->entries[i].name, percentiles->entries[count].name) == 0)
            return error_add_field(err, "query", "percentiles", "must have %s once",
                                   percentiles->entries[i].name);
    }
    return ERR_OK;
}

enum err_code percentiles_read(const struct request *req, const char *fallback,
                               struct percentiles *percentiles, struct error *err)
{
    struct slice list;
    percentiles->count = 0;
    enum err_code code = query_get(req->query, "percentiles", req->arena, &list, err);
    if (!list.ptr)
        list = slice_from_string(fallback);
    bool is_more = list.len > 0;
    while (code == ERR_OK && is_more) {
        const char *comma = memchr(list.ptr, ',', list.len);
        size_t len = comma ? (size_t)(comma - list.ptr) : list.len;
        code = add_percentile(slice_of(list.ptr, len), percentiles, err);
        is_more = comma != NULL;
        if (is_more)
            list = slice_of(comma + 1, list.len - len - 1);
    }
    return err->code;
}
