#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap_slice.h"
#include "number.h"
#include "test_random.h"
#include "window.h"

#define SECOND_US INT64_C(1000000)
#define DAY_US    (86400 * SECOND_US)

static const char now_text[] = "2026-02-21T12:34:56.789012Z"; /* a Saturday */

static struct arena arena;
static struct error err;

static int fresh(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    error_init(&err);
    return 0;
}

static int done(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static struct wall_time instant(const char *text)
{
    struct wall_time at = {0};
    assert_null(iso8601_parse(slice_from_string(text), &at));
    return at;
}

static const char *parse(const char *text, struct wall_time now, struct wall_time *at,
                         bool *is_relative)
{
    struct slice exact = heap_slice_new(text, strlen(text));
    const char *wrong = window_parse_instant(exact, now, at, is_relative);
    heap_slice_free(exact);
    return wrong;
}

/* --- Instants ----------------------------------------------------------------- */

static const struct instant_row {
    const char *text;
    const char *means; /* RFC 3339 */
    bool is_relative;
} instant_rows[] = {
    {"2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", false},
    {"2026-01-01", "2026-01-01T00:00:00Z", false},
    {"2026-01-01 00:00:00", "2026-01-01T00:00:00Z", false},
    {"2026-01-01T00:00:00.123456Z", "2026-01-01T00:00:00.123456Z", false},
    {"2026-01-01T00:00:00.000001z", "2026-01-01T00:00:00.000001Z", false},
    {"2026-01-01T00:00:00+02:00", "2025-12-31T22:00:00Z", false},
    {"2026-01-01T00:00:00 02:00", "2025-12-31T22:00:00Z", false},
    {"2026-01-01 00:00:00 0200", "2025-12-31T22:00:00Z", false},
    {"2026-01-01T00:00:00.123456789 02:00", "2025-12-31T22:00:00.123456Z", false},
    {"2026-01-01T00:00:00-02:00", "2026-01-01T02:00:00Z", false},
    {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", false},
    {"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z", false},
    {"1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z", false},
    {"0", "1970-01-01T00:00:00Z", false},
    {"1771675200", "2026-02-21T12:00:00Z", false},
    {"+1771675200", "2026-02-21T12:00:00Z", false},
    {" 1771675200", "2026-02-21T12:00:00Z", false},
    {"1771675200.5", "2026-02-21T12:00:00.5Z", false},
    {"1771675200.123457", "2026-02-21T12:00:00.123457Z", false},
    {"1771675200.", "2026-02-21T12:00:00Z", false},
    {"1771675200123", "2026-02-21T12:00:00.123Z", false},
    {"20000000000", "2603-10-11T11:33:20Z", false},
    {"20000000001", "1970-08-20T11:33:20.001Z", false},
    {"-1", "1969-12-31T23:59:59Z", false},
    {"-0.000001", "1969-12-31T23:59:59.999999Z", false},
    {"-86400", "1969-12-31T00:00:00Z", false},
    {"-20000000001", "1969-05-14T12:26:39.999Z", false},
    {"now", "2026-02-21T12:34:56.789012Z", true},
    {"now-6h", "2026-02-21T06:34:56.789012Z", true},
    {"now+1h", "2026-02-21T13:34:56.789012Z", true},
    {"now 1h", "2026-02-21T13:34:56.789012Z", true},
    {"now-0s", "2026-02-21T12:34:56.789012Z", true},
    {"-7d", "2026-02-14T12:34:56.789012Z", true},
    {"+30min", "2026-02-21T13:04:56.789012Z", true},
    {" 30min", "2026-02-21T13:04:56.789012Z", true},
    {"-1ms", "2026-02-21T12:34:56.788012Z", true},
    {"-1s", "2026-02-21T12:34:55.789012Z", true},
    {"-1second", "2026-02-21T12:34:55.789012Z", true},
    {"-2seconds", "2026-02-21T12:34:54.789012Z", true},
    {"-1m", "2026-02-21T12:33:56.789012Z", true},
    {"-1min", "2026-02-21T12:33:56.789012Z", true},
    {"-1minute", "2026-02-21T12:33:56.789012Z", true},
    {"-90minutes", "2026-02-21T11:04:56.789012Z", true},
    {"-1hour", "2026-02-21T11:34:56.789012Z", true},
    {"-24hours", "2026-02-20T12:34:56.789012Z", true},
    {"-1day", "2026-02-20T12:34:56.789012Z", true},
    {"-2days", "2026-02-19T12:34:56.789012Z", true},
    {"-1w", "2026-02-14T12:34:56.789012Z", true},
    {"-1week", "2026-02-14T12:34:56.789012Z", true},
    {"-2weeks", "2026-02-07T12:34:56.789012Z", true},
    {"-1mon", "2026-01-22T12:34:56.789012Z", true},
    {"-1month", "2026-01-22T12:34:56.789012Z", true},
    {"-2months", "2025-12-23T12:34:56.789012Z", true},
    {"-1y", "2025-02-21T12:34:56.789012Z", true},
    {"-1year", "2025-02-21T12:34:56.789012Z", true},
    {"-60years", "1966-03-08T12:34:56.789012Z", true},
    {"now/s", "2026-02-21T12:34:56Z", true},
    {"now/m", "2026-02-21T12:34:00Z", true},
    {"now/h", "2026-02-21T12:00:00Z", true},
    {"now/d", "2026-02-21T00:00:00Z", true},
    {"now/w", "2026-02-16T00:00:00Z", true},
    {"now-1d/d", "2026-02-20T00:00:00Z", true},
    {"now 2d/w", "2026-02-23T00:00:00Z", true},
    {"-5d/w", "2026-02-16T00:00:00Z", true},
    {"-6d/w", "2026-02-09T00:00:00Z", true},
    {"-60y/s", "1966-03-08T12:34:56Z", true},
    {"-60y/d", "1966-03-08T00:00:00Z", true},
    {"-60y/w", "1966-03-07T00:00:00Z", true},
};

static void means_what_its_row_says(void **state)
{
    const struct instant_row *row = *state;
    struct wall_time at = {0};
    bool is_relative = !row->is_relative;
    const char *wrong = parse(row->text, instant(now_text), &at, &is_relative);
    if (wrong)
        fail_msg("%s", wrong);
    assert_true(at.us == instant(row->means).us);
    assert_int_equal(is_relative, row->is_relative);
}

/* The last millisecond and second that lie behind and before `now`, and one beyond. */
static void instants_reach_from_the_year_1_to_9999(void **state)
{
    (void)state;
    static const struct {
        const char *now, *text;
        bool is_within;
    } rows[] = {
        {"0001-01-01T00:00:01Z", "-1s", true},
        {"0001-01-01T00:00:01Z", "-1001ms", false},
        {"9999-12-31T23:59:58.999999Z", "+1s", true},
        {"9999-12-31T23:59:58.999999Z", "+1001ms", false},
        {"0001-01-03T00:00:00Z", "now/w", true}, /* a Monday began that year */
        {"0001-01-01T00:00:00Z", "now/w", true},
        {"0001-01-01T00:00:00Z", "now-1d/w", false},
        {now_text, "-2000y", true},
        {now_text, "-2100y", false},
        {now_text, "+7978y", true},
        {now_text, "+7985y", false},
        {now_text, "+8000y/d", false},
        {now_text, "now-9223372036854775807s", false},
        {now_text, "now+9223372036854775807ms", false},
        {now_text, "now+9223372036854775808ms", false},
        {now_text, "now-99999999999999999999999y", false},
        {"1960-01-01", "now-9223372036854775807ms", false},
        {now_text, "now+292471y", false}, /* just within 64 bits, and not */
        {now_text, "now+292472y", false},
        {now_text, "-62135596800", true},
        {now_text, "-62135596800001", false},
        {now_text, "253402300799999", true},
        {now_text, "253402300800000", false},
        {now_text, "99999999999999999999", false},
        {now_text, "0001-01-01T00:00:00+00:01", false},
        {now_text, "9999-12-31T23:59:59-00:01", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct wall_time at;
        bool is_relative;
        const char *wrong = parse(rows[i].text, instant(rows[i].now), &at, &is_relative);
        if (rows[i].is_within && wrong)
            fail_msg("%s: %s", rows[i].text, wrong);
        if (!rows[i].is_within && (!wrong || !strstr(wrong, "years 1 to 9999")))
            fail_msg("%s: %s", rows[i].text, wrong ? wrong : "taken");
    }
}

static void what_is_no_instant_is_told_what_would_be_right(void **state)
{
    (void)state;
    static const struct {
        const char *text, *told;
    } rows[] = {
        {"", "now-6h"},
        {"yesterday", "now-6h"},
        {"7d", "now-6h"},
        {"5m", "now-6h"},
        {"NOW", "now-6h"},
        {"no", "now-6h"},
        {"/d", "now-6h"},
        {"+", "offset"},
        {"-", "offset"},
        {"--1d", "offset"},
        {"-d", "offset"},
        {"-1.5h", "offset"},
        {"-1x", "offset"},
        {"-1H", "offset"},
        {"-1M", "offset"},
        {"-1mins", "offset"},
        {"-1s ", "offset"},
        {"now-", "offset"},
        {"now-5", "offset"},
        {"now6h", "offset"},
        {"nowx", "offset"},
        {"now-1d-1h", "offset"},
        {"now-1d 1h", "offset"},
        {"now-1dd", "offset"},
        {"now  1d", "offset"},
        {"now/", "behind the /"},
        {"now/M", "behind the /"},
        {"now/y", "behind the /"},
        {"now/mon", "behind the /"},
        {"now/min", "behind the /"},
        {"now/day", "behind the /"},
        {"now/ms", "behind the /"},
        {"now/d-1d", "behind the /"},
        {"now/d/d", "behind the /"},
        {"now-1d/", "behind the /"},
        {"now-1x/d", "offset"},
        {"1e3", "Unix seconds"},
        {"-1e3", "Unix seconds"},
        {"1.2.3", "Unix seconds"},
        {"0x10", "Unix seconds"},
        {"2026-13-01T00:00:00Z", "month"},
        {"2026-01-01T24:00:00Z", "hour"},
        {"2026-01-01T00:00:00  02:00", "offset"},
        {"0000-01-01", "year"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct wall_time at;
        bool is_relative;
        const char *wrong = parse(rows[i].text, instant(now_text), &at, &is_relative);
        if (!wrong || !strstr(wrong, rows[i].told))
            fail_msg("\"%s\": %s", rows[i].text, wrong ? wrong : "taken");
        if (wrong && strlen(wrong) >= sizeof err.fields[0].message)
            fail_msg("too long: %s", wrong);
    }
}

static void a_text_of_64_bytes_is_read_and_no_longer_one(void **state)
{
    (void)state;
    char text[66];
    struct wall_time at;
    bool is_relative;
    memset(text, '0', sizeof text);
    text[63] = '7';
    text[64] = '\0';
    assert_null(parse(text, instant(now_text), &at, &is_relative));
    assert_true(at.us == 7 * SECOND_US);
    text[63] = '0';
    text[64] = '7';
    text[65] = '\0';
    assert_non_null(parse(text, instant(now_text), &at, &is_relative));
}

static int64_t random_instant_us(struct test_random *random)
{
    uint64_t span = (uint64_t)(ISO8601_MAX_US - ISO8601_MIN_US) + 1;
    return ISO8601_MIN_US + (int64_t)(test_random_u64(random) % span);
}

/* Long double holds 64 bits exactly, and more than that well enough to be out of range. */
static void random_offsets_are_added(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        long double us;
    } units[] = {{"ms", 1e3L},    {"s", 1e6L},      {"m", 6e7L},         {"h", 3.6e9L},
                 {"d", 86400e6L}, {"w", 604800e6L}, {"mon", 2592000e6L}, {"y", 31536000e6L}};
    struct test_random random = test_random_start();
    int taken = 0;
    for (int i = 0; i < 100000; i++) {
        size_t unit = test_random_below(&random, sizeof units / sizeof *units);
        uint64_t amount = test_random_u64(&random) >> test_random_below(&random, 64);
        bool is_negative = test_random_below(&random, 2);
        struct wall_time now = {random_instant_us(&random)}, at = {0};
        char text[64];
        (void)snprintf(text, sizeof text, "now%c%llu%s", is_negative ? '-' : '+',
                       (unsigned long long)amount, units[unit].name);
        long double expected =
            (long double)now.us + (is_negative ? -1 : 1) * (long double)amount * units[unit].us;
        bool is_within = expected >= ISO8601_MIN_US && expected <= ISO8601_MAX_US;
        bool is_relative;
        const char *wrong = parse(text, now, &at, &is_relative);
        if ((wrong == NULL) != is_within || (is_within && at.us != (int64_t)expected))
            fail_msg("%lld %s", (long long)now.us, text);
        taken += is_within;
    }
    assert_true(taken > 10000);
}

/* Sakamoto's; 0 is Sunday. */
static int weekday(int y, int m, int d)
{
    static const int shift[] = {0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4};
    y -= m < 3;
    return (y + y / 4 - y / 100 + y / 400 + shift[m - 1] + d) % 7;
}

/* Rounding cuts the text of an instant short; a week goes on to cut days. */
static void random_instants_are_rounded_down(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t kept;
        const char *rest;
    } rows[] = {
        {"now/s", 19, "Z"}, {"now/m", 16, ":00Z"}, {"now/h", 13, ":00Z"}, {"now/d", 10, ""}};
    struct test_random random = test_random_start();
    for (int i = 0; i < 20000; i++) {
        struct wall_time now = {random_instant_us(&random)}, at, day = {0};
        char buffer[ISO8601_BYTES], text[ISO8601_BYTES + 8];
        (void)iso8601_format(now, buffer);
        bool is_relative;
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
            (void)snprintf(text, sizeof text, "%.*s%s", (int)rows[r].kept, buffer, rows[r].rest);
            assert_null(parse(rows[r].text, now, &at, &is_relative));
            day = instant(text);
            assert_true(at.us == day.us);
        }
        int y = (int)strtol(buffer, NULL, 10), m = (int)strtol(buffer + 5, NULL, 10),
            d = (int)strtol(buffer + 8, NULL, 10);
        assert_null(parse("now/w", now, &at, &is_relative));
        assert_true(at.us == day.us - (weekday(y, m, d) + 6) % 7 * DAY_US);
    }
}

static void random_texts_are_refused_or_lie_in_range(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "now", "-", "+",   " ", "/",   "1", "0", "9999", "d",  "s",   "w",    "y",    ".",   "2026",
        "-01", "T", ":00", "Z", "min", "h", "e", "m",    "ms", "mon", "\x01", "\xff", "days"};
    struct test_random random = test_random_start();
    int taken = 0;
    for (int i = 0; i < 200000; i++) {
        char text[64] = "";
        for (size_t n = test_random_below(&random, 8); n > 0; n--)
            (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s",
                           pieces[test_random_below(&random, sizeof pieces / sizeof *pieces)]);
        struct wall_time at = {INT64_MIN};
        bool is_relative;
        if (parse(text, instant(now_text), &at, &is_relative))
            continue;
        assert_true(at.us >= ISO8601_MIN_US && at.us <= ISO8601_MAX_US);
        taken++;
    }
    assert_true(taken > 100);
}

/* --- Windows ------------------------------------------------------------------- */

static struct slice borrowed_query;

static struct request ask(const char *query)
{
    arena_reset(&arena);
    error_init(&err);
    borrowed_query = heap_slice_new(query, strlen(query));
    return (struct request){.query = borrowed_query, .arena = &arena};
}

/* Until the next call. */
static const char *query_of(const char *name, const char *value)
{
    static char query[128];
    (void)snprintf(query, sizeof query, "%s=%s", name, value);
    return query;
}

static enum err_code read_window(const char *query, struct window *window)
{
    struct request req = ask(query);
    enum err_code code = window_read(&req, instant(now_text), window, &err);
    heap_slice_free(borrowed_query);
    assert_int_equal(code, err.code);
    return code;
}

static void assert_told(size_t i, const char *name, const char *message)
{
    assert_int_equal(err.code, ERR_VALIDATION);
    assert_true(i < err.field_count);
    assert_string_equal(err.fields[i].location, "query");
    assert_string_equal(err.fields[i].name, name);
    assert_true(strlen(err.fields[i].message) < sizeof err.fields[i].message - 1); /* whole */
    if (!strstr(err.fields[i].message, message))
        fail_msg("%s", err.fields[i].message);
}

static void without_bounds_all_time_is_meant(void **state)
{
    (void)state;
    struct window window;
    assert_int_equal(read_window("type=a", &window), ERR_OK);
    assert_true(window.from.us == INT64_MIN && window.to.us == INT64_MAX);
    assert_false(window.is_given || window.is_relative);
    assert_int_equal(read_window("from=2026-01-01", &window), ERR_OK);
    assert_true(window.from.us == instant("2026-01-01").us && window.to.us == INT64_MAX);
    assert_true(window.is_given && !window.is_relative);
    assert_int_equal(read_window("to=now", &window), ERR_OK);
    assert_true(window.from.us == INT64_MIN && window.to.us == instant(now_text).us);
    assert_true(window.is_given && window.is_relative);
}

static void windows_are_read_as_they_are_sent(void **state)
{
    (void)state;
    static const struct {
        const char *query, *from, *to;
        bool is_relative;
    } rows[] = {
        {"from=-7d&to=now", "2026-02-14T12:34:56.789012Z", now_text, true},
        {"from=-5d&to=1771675200", "2026-02-16T12:34:56.789012Z", "2026-02-21T12:00:00Z", true},
        {"from=0&to=-5d", "1970-01-01", "2026-02-16T12:34:56.789012Z", true},
        {"from=now-1d/d&to=now/d", "2026-02-20", "2026-02-21", true},
        {"from=2026-01-01T00:00:00+02:00&to=2026-01-01T00:00:00%2B01:00", "2025-12-31T22:00:00Z",
         "2025-12-31T23:00:00Z", false},
        {"from=now&to=+30min", now_text, "2026-02-21T13:04:56.789012Z", true},
        {"from=now&to=now+1h", now_text, "2026-02-21T13:34:56.789012Z", true},
        {"from=1&from=2&to=3", "1970-01-01T00:00:02Z", "1970-01-01T00:00:03Z", false},
        {"from=-2&to=-1", "1969-12-31T23:59:58Z", "1969-12-31T23:59:59Z", false},
        {"from=2026-01-01T00:00:00.000001Z&to=2026-01-01T00:00:00.000002Z",
         "2026-01-01T00:00:00.000001Z", "2026-01-01T00:00:00.000002Z", false},
        {"from=1000-06-01&to=2000-06-01", "1000-06-01", "2000-06-01", false},
        {"from=0001-01-01&to=9999-12-31T23:59:59.999999Z", "0001-01-01",
         "9999-12-31T23:59:59.999999Z", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct window window;
        assert_int_equal(read_window(rows[i].query, &window), ERR_OK);
        assert_true(window.from.us == instant(rows[i].from).us);
        assert_true(window.to.us == instant(rows[i].to).us);
        assert_true(window.is_given);
        assert_int_equal(window.is_relative, rows[i].is_relative);
    }
}

static void empty_and_reversed_windows_are_refused(void **state)
{
    (void)state;
    static const char *const queries[] = {
        "from=5&to=5",
        "from=6&to=5",
        "from=now&to=now",
        "from=now/d&to=now/d",
        "from=2026-01-01T00:00:00.000002Z&to=2026-01-01T00:00:00.000001Z",
        "from=now&to=-1ms",
        "from=9999-12-31T23:59:59.999999Z&to=0001-01-01"};
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        struct window window;
        assert_int_equal(read_window(queries[i], &window), ERR_VALIDATION);
        assert_int_equal(err.field_count, 1);
        assert_told(0, "to", "must be after from");
    }
}

static void all_mistakes_of_a_window_are_told_at_once(void **state)
{
    (void)state;
    struct window window;
    assert_int_equal(read_window("from=now-&to=%zz", &window), ERR_VALIDATION);
    assert_int_equal(err.field_count, 2);
    assert_told(0, "from", "offset");
    assert_told(1, "to", "percent-encoding");
    assert_int_equal(read_window("from=&to=+9000y", &window), ERR_VALIDATION);
    assert_told(0, "from", "now-6h");
    assert_told(1, "to", "years 1 to 9999");
    assert_int_equal(read_window("from=now/%00&to=now%00", &window), ERR_VALIDATION);
    assert_told(0, "from", "behind the /");
    assert_told(1, "to", "offset");
    assert_int_equal(read_window("from=5&to=x", &window), ERR_VALIDATION);
    assert_int_equal(err.field_count, 1);
    assert_told(0, "to", "now-6h");
}

static void earlier_mistakes_are_kept(void **state)
{
    (void)state;
    struct request req = ask("from=6&to=5");
    struct window window;
    (void)error_add_field(&err, "query", "type", "Field required");
    assert_int_equal(window_read(&req, instant(now_text), &window, &err), ERR_VALIDATION);
    heap_slice_free(borrowed_query);
    assert_told(0, "type", "Field required");
    assert_told(1, "to", "must be after from");
}

/* --- Steps ------------------------------------------------------------------------ */

static const int64_t usual_seconds[] = {1,     2,     5,     10,    15,     30,     60,    120,
                                        300,   600,   900,   1800,  3600,   7200,   10800, 14400,
                                        21600, 28800, 43200, 86400, 172800, 345600, 691200};

static int64_t usual_step_seconds(size_t i)
{
    size_t count = sizeof usual_seconds / sizeof *usual_seconds;
    return i < count ? usual_seconds[i] : usual_seconds[count - 1] << (i - count + 1);
}

static struct window window_of(int64_t from_us, int64_t to_us)
{
    return (struct window){.from = {from_us}, .to = {to_us}, .is_given = true};
}

static struct step_limits limits = {SERIES_POINTS_MAX, SERIES_POINTS_DEFAULT};

static enum err_code read_steps(const char *query, struct window window, struct steps *steps)
{
    struct request req = ask(query);
    enum err_code code = steps_read(&req, &window, &limits, steps, &err);
    heap_slice_free(borrowed_query);
    assert_int_equal(code, err.code);
    return code;
}

/* Aligned, the first holds the window's first microsecond, the last its last one. */
static void assert_covers(struct window window, const struct steps *steps)
{
    int64_t last = steps->first.us + (steps->count - 1) * steps->step_us;
    assert_true(steps->count >= 1 && steps->count <= limits.points_max);
    assert_true(steps->step_us > 0 && steps->step_us % SECOND_US == 0);
    assert_true(steps->first.us % steps->step_us == 0);
    assert_true(steps->first.us <= window.from.us);
    assert_true(window.from.us - steps->first.us < steps->step_us);
    assert_true(last < window.to.us);
    assert_true(window.to.us - last <= steps->step_us);
}

static bool covers_within(struct window window, int64_t seconds, int64_t points)
{
    int64_t step_us = seconds * SECOND_US;
    int64_t first = window.from.us / step_us * step_us;
    if (first > window.from.us)
        first -= step_us;
    return (window.to.us - first + step_us - 1) / step_us <= points;
}

static void steps_are_aligned_to_1970(void **state)
{
    (void)state;
    static const struct {
        const char *step;
        int64_t from_us, to_us, first_us, count;
    } rows[] = {
        {"step=1", 0, 1, 0, 1},
        {"step=1", 0, SECOND_US, 0, 1},
        {"step=1", 0, SECOND_US + 1, 0, 2},
        {"step=1", SECOND_US - 1, SECOND_US, 0, 1},
        {"step=1", SECOND_US - 1, SECOND_US + 1, 0, 2},
        {"step=1", -1, 0, -SECOND_US, 1},
        {"step=1", -1, 1, -SECOND_US, 2},
        {"step=1", -SECOND_US, 0, -SECOND_US, 1},
        {"step=1", -SECOND_US - 1, 0, -2 * SECOND_US, 2},
        {"step=10", 14 * SECOND_US, 26 * SECOND_US, 10 * SECOND_US, 2},
        {"step=10s", -14 * SECOND_US, -6 * SECOND_US, -20 * SECOND_US, 2},
        {"step=10s", -14 * SECOND_US, 6 * SECOND_US, -20 * SECOND_US, 3},
        {"step=2000ms", 0, 10 * SECOND_US, 0, 5},
        {"step=5m", 0, 3600 * SECOND_US, 0, 12},
        {"step=5minutes", 0, 3600 * SECOND_US, 0, 12},
        {"step=1h", -1, DAY_US, -3600 * SECOND_US, 25},
        {"step=1d", 0, 10 * DAY_US, 0, 10},
        {"step=1w", 6 * DAY_US, 8 * DAY_US, 0, 2},
        {"step=1w", -1 * DAY_US, 8 * DAY_US, -7 * DAY_US, 3},
        {"step=1mon", 0, 31 * DAY_US, 0, 2},
        {"step=1y", 0, 365 * DAY_US, 0, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct steps steps;
        struct window window = window_of(rows[i].from_us, rows[i].to_us);
        assert_int_equal(read_steps(rows[i].step, window, &steps), ERR_OK);
        assert_covers(window, &steps);
        assert_true(steps.first.us == rows[i].first_us);
        assert_int_equal(steps.count, rows[i].count);
    }
}

static void a_step_is_a_whole_number_of_seconds(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",    "0",   "0s",    "0d",     "-1",  "-1m",  "1.5",
                                        "1.0", ".5h", "999ms", "1500ms", "1e3", "+5",   "%2b5",
                                        "5+m", "m",   "AUTO",  "1M",     "5x",  "1%00", "5 m"};
    static const char *const too_long[] = {"12001y",
                                           "292472y",
                                           "378432000001",
                                           "9223372036854775807",
                                           "9223372036854775808",
                                           "99999999999999999999y"};
    struct window window = window_of(0, 1000 * SECOND_US);
    struct steps steps;
    enum { WRONG = sizeof wrong / sizeof *wrong, TOO_LONG = sizeof too_long / sizeof *too_long };
    for (size_t i = 0; i < WRONG + TOO_LONG; i++) {
        const char *step = i < WRONG ? wrong[i] : too_long[i - WRONG];
        if (read_steps(query_of("step", step), window, &steps) == ERR_OK)
            fail_msg("%s", step);
        assert_int_equal(err.field_count, 1);
        assert_told(0, "step", "from 1 second to 12000y");
    }
    static const char *const longest[] = {"12000y", "378432000000"};
    for (size_t i = 0; i < sizeof longest / sizeof *longest; i++) {
        assert_int_equal(read_steps(query_of("step", longest[i]), window, &steps), ERR_OK);
        assert_covers(window, &steps);
        assert_int_equal(steps.count, 1);
    }
}

static void points_are_1_to_11000(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "0", "11001", "-1", "1.5", "", "all", "99999999999999999999"};
    struct window window = window_of(0, 11000 * SECOND_US);
    struct steps steps;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(read_steps(query_of("points", wrong[i]), window, &steps), ERR_VALIDATION);
        assert_int_equal(err.field_count, 1);
        assert_told(0, "points", "must be an integer from 1 to 11000");
    }
    assert_int_equal(read_steps("points=11000", window, &steps), ERR_OK);
    assert_int_equal(steps.count, 11000);
    assert_int_equal(read_steps("points=1", window, &steps), ERR_OK);
    assert_int_equal(steps.count, 1);
    assert_int_equal(read_steps("points=0&step=0", window, &steps), ERR_VALIDATION);
    assert_told(0, "points", "11000");
    assert_told(1, "step", "1 second");
}

/* The step that a refusal proposes. */
static int64_t proposed_seconds(void)
{
    assert_told(0, "step", "the smallest that does is ");
    const char *is = strstr(err.fields[0].message, "does is ");
    char *end;
    int64_t seconds = strtoll(is + 8, &end, 10);
    assert_string_equal(end, "s");
    return seconds;
}

static void assert_proposal_is_the_smallest(struct window window)
{
    struct steps steps;
    int64_t seconds = proposed_seconds();
    char query[64];
    (void)snprintf(query, sizeof query, "step=%llds", (long long)seconds);
    assert_int_equal(read_steps(query, window, &steps), ERR_OK);
    assert_covers(window, &steps);
    assert_true(seconds > 1);
    for (int64_t less = seconds - 1; less >= 1 && less > seconds - 100; less--) {
        (void)snprintf(query, sizeof query, "step=%lld", (long long)less);
        assert_int_equal(read_steps(query, window, &steps), ERR_VALIDATION);
    }
}

static void eleven_thousand_steps_and_no_more_are_taken(void **state)
{
    (void)state;
    struct steps steps;
    struct window window = window_of(0, 11000 * SECOND_US);
    assert_int_equal(read_steps("step=1", window, &steps), ERR_OK);
    assert_int_equal(steps.count, 11000);
    window.to.us++;
    assert_int_equal(read_steps("step=1", window, &steps), ERR_VALIDATION);
    assert_told(0, "step", "makes 11001 steps where there may be 11000");
    assert_int_equal(proposed_seconds(), 2);
    assert_proposal_is_the_smallest(window);

    window = window_of(0, 22000 * SECOND_US);
    assert_int_equal(read_steps("step=1", window, &steps), ERR_VALIDATION);
    assert_int_equal(proposed_seconds(), 2);

    window = window_of(-1, 11000 * SECOND_US); /* as wide, and one more by alignment */
    assert_int_equal(read_steps("step=1", window, &steps), ERR_VALIDATION);
    assert_proposal_is_the_smallest(window);

    window = window_of(ISO8601_MIN_US, ISO8601_MAX_US);
    assert_int_equal(read_steps("step=1", window, &steps), ERR_VALIDATION);
    assert_told(0, "step", "makes 315537897600 steps");
    assert_proposal_is_the_smallest(window);
}

/* As where several series share what there may be. */
static void fewer_steps_are_taken_where_there_may_be_fewer(void **state)
{
    (void)state;
    struct steps steps;
    limits = (struct step_limits){550, 120};
    struct window window = window_of(0, 550 * SECOND_US);
    assert_int_equal(read_steps("step=1", window, &steps), ERR_OK);
    assert_int_equal(steps.count, 550);
    assert_int_equal(read_steps("points=550", window, &steps), ERR_OK);
    assert_int_equal(steps.count, 550);
    assert_int_equal(read_steps("points=551", window, &steps), ERR_VALIDATION);
    assert_told(0, "points", "must be an integer from 1 to 550");
    assert_int_equal(read_steps("", window, &steps), ERR_OK);
    assert_int_equal(steps.count, 110);
    window.to.us++;
    assert_int_equal(read_steps("step=1", window, &steps), ERR_VALIDATION);
    assert_told(0, "step", "makes 551 steps where there may be 550");
    assert_proposal_is_the_smallest(window);
    limits = (struct step_limits){SERIES_POINTS_MAX, SERIES_POINTS_DEFAULT};
}

static void a_window_without_bounds_has_no_steps_yet(void **state)
{
    (void)state;
    const struct window windows[] = {
        {.from = WALL_TIME_MIN, .to = WALL_TIME_MAX},
        {.from = {0}, .to = WALL_TIME_MAX},
        {.from = WALL_TIME_MIN, .to = {0}},
        {.from = {0}, .to = {0}},
        {.from = {1}, .to = {0}},
    };
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        struct steps steps = {.count = 7};
        assert_int_equal(read_steps("step=1&points=11000", windows[i], &steps), ERR_OK);
        assert_int_equal(steps.count, 0);
        assert_int_equal(read_steps("step=0&points=11001", windows[i], &steps), ERR_VALIDATION);
        assert_told(0, "points", "11000");
        assert_told(1, "step", "1 second");
    }
}

static struct window random_window(struct test_random *random)
{
    while (true) {
        int64_t from = random_instant_us(random) >> test_random_below(random, 40);
        int64_t width = (int64_t)(test_random_u64(random) >> (6 + test_random_below(random, 58)));
        if (width > 0 && from <= ISO8601_MAX_US - width)
            return window_of(from, from + width);
    }
}

static void a_refused_step_comes_with_the_smallest_that_does(void **state)
{
    (void)state;
    struct test_random random = test_random_start();
    int refused = 0;
    for (int i = 0; i < 3000; i++) {
        struct steps steps;
        struct window window = random_window(&random);
        if (read_steps("step=1", window, &steps) == ERR_OK) {
            assert_covers(window, &steps);
            continue;
        }
        assert_proposal_is_the_smallest(window);
        refused++;
    }
    assert_true(refused > 300);
}

static void assert_auto_is_the_smallest_usual(struct window window, int64_t points)
{
    char query[64];
    struct steps steps;
    (void)snprintf(query, sizeof query, "step=auto&points=%lld", (long long)points);
    if (read_steps(query, window, &steps) != ERR_OK) {
        assert_true(points == 1 && window.from.us < 0 && window.to.us > 0);
        assert_told(0, "points", "must be at least 2");
        return;
    }
    assert_covers(window, &steps);
    assert_true(steps.count <= points);
    size_t i = 0;
    for (; usual_step_seconds(i) * SECOND_US < steps.step_us; i++)
        assert_false(covers_within(window, usual_step_seconds(i), points));
    assert_true(usual_step_seconds(i) * SECOND_US == steps.step_us);
}

static void auto_is_the_smallest_usual_step(void **state)
{
    (void)state;
    struct test_random random = test_random_start();
    for (int i = 0; i < 20000; i++) {
        int64_t points = 1 + (int64_t)(test_random_below(&random, SERIES_POINTS_MAX) >>
                                       test_random_below(&random, 14));
        assert_auto_is_the_smallest_usual(random_window(&random), points);
    }
    for (int64_t seconds = 1; seconds < 20000; seconds += 7) {
        for (int64_t points = 1; points <= 301; points += 100)
            assert_auto_is_the_smallest_usual(window_of(DAY_US, DAY_US + seconds * SECOND_US),
                                              points);
    }
}

static void auto_steps_are_what_people_use(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        int64_t width_seconds, step_seconds;
    } rows[] = {
        {"", 1, 1},
        {"", 300, 1},
        {"", 301, 2},
        {"step=auto", 3600, 15},
        {"step=auto", 6 * 3600, 120},
        {"step=auto", 86400, 300},
        {"", 7 * 86400, 3600},
        {"", 30 * 86400, 3 * 3600},
        {"points=1000", 30 * 86400, 3600},
        {"", 365 * 86400, 2 * 86400},
        {"", 300 * 86400, 86400},
        {"", 301 * 86400, 2 * 86400},
        {"", 1000LL * 365 * 86400, 2048LL * 86400},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct steps steps;
        struct window window = window_of(0, rows[i].width_seconds * SECOND_US);
        assert_int_equal(read_steps(rows[i].query, window, &steps), ERR_OK);
        assert_int_equal(steps.step_us / SECOND_US, rows[i].step_seconds);
    }
}

/* Every step begins anew at 1970. */
static void one_point_cannot_reach_across_1970(void **state)
{
    (void)state;
    struct steps steps;
    assert_int_equal(read_steps("points=1", window_of(-1, 1), &steps), ERR_VALIDATION);
    assert_told(0, "points", "must be at least 2");
    assert_int_equal(read_steps("points=2", window_of(-1, 1), &steps), ERR_OK);
    assert_int_equal(steps.step_us, SECOND_US);
    assert_int_equal(read_steps("points=1", window_of(-1, 0), &steps), ERR_OK);
    assert_int_equal(read_steps("points=1", window_of(0, ISO8601_MAX_US), &steps), ERR_OK);
    assert_int_equal(read_steps("points=1", window_of(ISO8601_MIN_US, 0), &steps), ERR_OK);
    assert_int_equal(read_steps("points=1&step=1", window_of(-1, 1), &steps), ERR_OK);
    assert_int_equal(read_steps("points=2", window_of(ISO8601_MIN_US, ISO8601_MAX_US + 1), &steps),
                     ERR_OK);
    assert_int_equal(steps.count, 2);
}

static void a_step_that_begins_before_the_year_1_is_shown_as_that(void **state)
{
    (void)state;
    struct steps steps;
    struct window window = window_of(ISO8601_MIN_US, instant("2026-01-01").us);
    assert_int_equal(read_steps("", window, &steps), ERR_OK);
    assert_covers(window, &steps);
    assert_true(steps.first.us < ISO8601_MIN_US);
    assert_true(steps_start(&steps, 0).us == ISO8601_MIN_US);
    assert_true(steps_start(&steps, 1).us == steps.first.us + steps.step_us);
    char buffer[ISO8601_BYTES];
    for (int64_t i = 0; i < steps.count; i++)
        (void)iso8601_format(steps_start(&steps, i), buffer);
}

/* --- Percentiles --------------------------------------------------------------------- */

static enum err_code read_percentiles(const char *query, const char *fallback,
                                      struct percentiles *percentiles)
{
    struct request req = ask(query);
    enum err_code code = percentiles_read(&req, fallback, percentiles, &err);
    heap_slice_free(borrowed_query);
    assert_int_equal(code, err.code);
    return code;
}

static void percentiles_have_their_names(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name;
        uint32_t q;
    } rows[] = {
        {"50", "p50", 50000000},
        {"0", "p0", 0},
        {"-0", "p0", 0},
        {"100", "p100", 100000000},
        {"100.000000", "p100", 100000000},
        {"99", "p99", 99000000},
        {"99.0", "p99", 99000000},
        {"99.5", "p995", 99500000},
        {"99.9", "p999", 99900000},
        {"99.90", "p999", 99900000},
        {"99.99", "p9999", 99990000},
        {"99.05", "p9905", 99050000},
        {"99.999999", "p99999999", 99999999},
        {"9.9", "p9.9", 9900000},
        {"98.9", "p98.9", 98900000},
        {"0.5", "p0.5", 500000},
        {".5", "p0.5", 500000},
        {"0.000001", "p0.000001", 1},
        {"12.05", "p12.05", 12050000},
        {"+50", "p50", 50000000},
        {"%2050+", "p50", 50000000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct percentiles percentiles;
        const char *query = query_of("percentiles", rows[i].text);
        assert_int_equal(read_percentiles(query, "1,2,3", &percentiles), ERR_OK);
        assert_int_equal(percentiles.count, 1);
        assert_string_equal(percentiles.entries[0].name, rows[i].name);
        assert_int_equal(percentiles.entries[0].q, rows[i].q);
    }
}

static void percentiles_keep_their_order(void **state)
{
    (void)state;
    struct percentiles percentiles;
    assert_int_equal(read_percentiles("percentiles=99,50,99.9,0", "", &percentiles), ERR_OK);
    assert_int_equal(percentiles.count, 4);
    static const char *const names[] = {"p99", "p50", "p999", "p0"};
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(percentiles.entries[i].name, names[i]);
}

static void absent_percentiles_are_the_fallback(void **state)
{
    (void)state;
    struct percentiles percentiles;
    assert_int_equal(read_percentiles("", "50,90", &percentiles), ERR_OK);
    assert_int_equal(percentiles.count, 2);
    assert_string_equal(percentiles.entries[1].name, "p90");
    assert_int_equal(read_percentiles("", "", &percentiles), ERR_OK);
    assert_int_equal(percentiles.count, 0);
    assert_int_equal(read_percentiles("percentiles=", "50", &percentiles), ERR_OK);
    assert_int_equal(percentiles.count, 0);
}

static void what_is_no_percentile_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "100.1", "100.000001", "-1",   "-0.000001", "nan",  "inf",    "50,,90",     "50,",
        ",50",   ",",          "p50",  "50;90",     "0x10", "1e999",  "50.0000001", "1e-7",
        "101",   "5%000",      "50 9", "50%",       "%zz",  "50,90,", "99.9999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct percentiles percentiles;
        if (read_percentiles(query_of("percentiles", wrong[i]), "", &percentiles) == ERR_OK)
            fail_msg("%s", wrong[i]);
        assert_int_equal(err.field_count, 1);
        assert_told(0, "percentiles", strchr(wrong[i], '%') ? "" : "must be numbers from 0 to 100");
    }
}

static void a_percentile_is_named_once(void **state)
{
    (void)state;
    static const char *const wrong[] = {"50,50", "50,90,50.0", "0,-0", "99.9,1,99.90"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct percentiles percentiles;
        assert_int_equal(read_percentiles(query_of("percentiles", wrong[i]), "", &percentiles),
                         ERR_VALIDATION);
        assert_told(0, "percentiles", " once");
    }
}

static void twenty_percentiles_and_no_more_are_taken(void **state)
{
    (void)state;
    char query[128] = "percentiles=1";
    for (int i = 2; i <= 20; i++)
        (void)snprintf(query + strlen(query), sizeof query - strlen(query), ",%d", i);
    struct percentiles percentiles;
    assert_int_equal(read_percentiles(query, "", &percentiles), ERR_OK);
    assert_int_equal(percentiles.count, 20);
    assert_string_equal(percentiles.entries[19].name, "p20");
    (void)snprintf(query + strlen(query), sizeof query - strlen(query), ",21");
    assert_int_equal(read_percentiles(query, "", &percentiles), ERR_VALIDATION);
    assert_told(0, "percentiles", "must be 20 numbers at most");
}

/* Two percentiles never share a name, and a name tells which it is. */
static void random_percentiles_are_told_apart_by_name(void **state)
{
    (void)state;
    struct test_random random = test_random_start();
    for (int i = 0; i < 20000; i++) {
        static const int scales[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
        int scale = scales[test_random_below(&random, 7)];
        int scaled = (int)test_random_below(&random, (size_t)scale * 100 + 1);
        char query[64];
        struct percentiles percentiles;
        (void)snprintf(query, sizeof query, "percentiles=%d.%06d", scaled / scale,
                       scaled % scale * (1000000 / scale));
        assert_int_equal(read_percentiles(query, "", &percentiles), ERR_OK);
        const char *name = percentiles.entries[0].name;
        char text[PERCENTILE_NAME_BYTES + 1];
        bool is_dropped = strlen(name) > 3 && strcmp(name, "p100") != 0 && !strchr(name, '.');
        (void)snprintf(text, sizeof text, is_dropped ? "%.2s.%.20s" : "%.2s%.20s", name + 1,
                       strlen(name) > 3 ? name + 3 : "");
        double percent;
        assert_true(number_parse_double(slice_from_string(text), &percent));
        assert_true(percent == (double)scaled / scale);
    }
}

/* --- Memory ---------------------------------------------------------------------------- */

static void running_out_of_memory_is_told(void **state)
{
    (void)state;
    struct window window = window_of(0, 1);
    struct steps steps;
    struct percentiles percentiles;
    arena_release(&arena);
    arena_init(&arena, 1);
    assert_int_equal(read_window("from=now-1h", &window), ERR_NO_MEMORY);
    assert_int_equal(read_steps("step=1", window_of(0, 1), &steps), ERR_NO_MEMORY);
    assert_int_equal(read_steps("points=1", window_of(0, 1), &steps), ERR_NO_MEMORY);
    assert_int_equal(read_percentiles("percentiles=50", "", &percentiles), ERR_NO_MEMORY);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    const struct CMUnitTest plain[] = {
        TEST(instants_reach_from_the_year_1_to_9999),
        TEST(what_is_no_instant_is_told_what_would_be_right),
        TEST(a_text_of_64_bytes_is_read_and_no_longer_one),
        TEST(random_offsets_are_added),
        TEST(random_instants_are_rounded_down),
        TEST(random_texts_are_refused_or_lie_in_range),
        TEST(without_bounds_all_time_is_meant),
        TEST(windows_are_read_as_they_are_sent),
        TEST(empty_and_reversed_windows_are_refused),
        TEST(all_mistakes_of_a_window_are_told_at_once),
        TEST(earlier_mistakes_are_kept),
        TEST(steps_are_aligned_to_1970),
        TEST(a_step_is_a_whole_number_of_seconds),
        TEST(points_are_1_to_11000),
        TEST(eleven_thousand_steps_and_no_more_are_taken),
        TEST(fewer_steps_are_taken_where_there_may_be_fewer),
        TEST(a_window_without_bounds_has_no_steps_yet),
        TEST(a_refused_step_comes_with_the_smallest_that_does),
        TEST(auto_is_the_smallest_usual_step),
        TEST(auto_steps_are_what_people_use),
        TEST(one_point_cannot_reach_across_1970),
        TEST(a_step_that_begins_before_the_year_1_is_shown_as_that),
        TEST(percentiles_have_their_names),
        TEST(percentiles_keep_their_order),
        TEST(absent_percentiles_are_the_fallback),
        TEST(what_is_no_percentile_is_refused),
        TEST(a_percentile_is_named_once),
        TEST(twenty_percentiles_and_no_more_are_taken),
        TEST(random_percentiles_are_told_apart_by_name),
        TEST(running_out_of_memory_is_told),
    };
    enum {
        PLAIN = sizeof plain / sizeof *plain,
        ROWS = sizeof instant_rows / sizeof *instant_rows
    };
    struct CMUnitTest tests[PLAIN + ROWS];
    memcpy(tests, plain, sizeof plain);
    for (size_t i = 0; i < ROWS; i++) {
        tests[PLAIN + i] =
            (struct CMUnitTest){.name = instant_rows[i].text,
                                .test_func = means_what_its_row_says,
                                .initial_state = (void *)(uintptr_t)&instant_rows[i]};
    }
    return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
