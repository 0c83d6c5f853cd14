#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap_slice.h"
#include "test_random.h"
#include "test_request.h"
#include "window.h"

#define SECOND_US INT64_C(1000000)
#define DAY_US    (86400 * SECOND_US)

static const char now_text[] = "2026-02-21T12:34:56.789012Z"; /* a Saturday */

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
        if (wrong && strlen(wrong) >= sizeof test_request.err.fields[0].message)
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

static enum err_code read_window(const char *query, struct window *window)
{
    const struct request *req = test_request_ask(query);
    return test_request_check(window_read(req, instant(now_text), window, &test_request.err));
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
        assert_int_equal(test_request.err.field_count, 1);
        test_request_assert_told(0, "to", "must be after from");
    }
}

static void all_mistakes_of_a_window_are_told_at_once(void **state)
{
    (void)state;
    struct window window;
    assert_int_equal(read_window("from=now-&to=%zz", &window), ERR_VALIDATION);
    assert_int_equal(test_request.err.field_count, 2);
    test_request_assert_told(0, "from", "offset");
    test_request_assert_told(1, "to", "percent-encoding");
    assert_int_equal(read_window("from=&to=+9000y", &window), ERR_VALIDATION);
    test_request_assert_told(0, "from", "now-6h");
    test_request_assert_told(1, "to", "years 1 to 9999");
    assert_int_equal(read_window("from=now/%00&to=now%00", &window), ERR_VALIDATION);
    test_request_assert_told(0, "from", "behind the /");
    test_request_assert_told(1, "to", "offset");
    assert_int_equal(read_window("from=5&to=x", &window), ERR_VALIDATION);
    assert_int_equal(test_request.err.field_count, 1);
    test_request_assert_told(0, "to", "now-6h");
}

static void earlier_mistakes_are_kept(void **state)
{
    (void)state;
    struct window window;
    const struct request *req = test_request_ask("from=6&to=5");
    (void)error_add_field(&test_request.err, "query", "type", "Field required");
    (void)test_request_check(window_read(req, instant(now_text), &window, &test_request.err));
    test_request_assert_told(0, "type", "Field required");
    test_request_assert_told(1, "to", "must be after from");
}

static void a_window_without_memory_is_told(void **state)
{
    (void)state;
    struct window window;
    arena_release(&test_request.arena);
    arena_init(&test_request.arena, 1);
    assert_int_equal(read_window("from=now-1h", &window), ERR_NO_MEMORY);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, test_request_begin, test_request_end)
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
        TEST(a_window_without_memory_is_told),
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
