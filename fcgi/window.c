#include "window.h"

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

bool window_parse_span(struct slice text, int64_t *us)
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
    if (!is_sign(*offset.ptr) ||
        !window_parse_span(slice_of(offset.ptr + 1, offset.len - 1), &span))
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
