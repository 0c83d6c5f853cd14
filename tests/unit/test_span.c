#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heap_slice.h"
#include "iso8601.h"
#include "span.h"
#include "test_random.h"

static struct test_random chance;

static int64_t random_hour(void)
{
    return HOUR_MIN + (int64_t)test_random_below(&chance, (size_t)(HOUR_MAX - HOUR_MIN + 1));
}

static void hours_begin_before_1970_too(void **state)
{
    (void)state;
    static const struct {
        int64_t at_us, hour;
    } rows[] = {{0, 0},         {HOUR_US - 1, 0},   {HOUR_US, 1},       {-1, -1},
                {-HOUR_US, -1}, {-HOUR_US - 1, -2}, {24 * HOUR_US, 24}, {-24 * HOUR_US, -24}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(hour_of((struct wall_time){rows[i].at_us}), rows[i].hour);
        int64_t start_us = hour_start(rows[i].hour).us;
        assert_true(start_us <= rows[i].at_us && rows[i].at_us < start_us + HOUR_US);
    }
}

static void an_hour_is_of_a_day_and_of_a_month_of_32(void **state)
{
    (void)state;
    static const struct {
        int64_t hour, day, month;
    } rows[] = {{0, 0, 0},     {23, 0, 0},    {24, 1, 0},       {767, 31, 0},    {768, 32, 1},
                {-1, -1, -1},  {-24, -1, -1}, {-25, -2, -1},    {-768, -32, -1}, {-769, -33, -2},
                {1535, 63, 1}, {1536, 64, 2}, {-1536, -64, -2}, {-1537, -65, -3}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(span_of_hour(SPAN_HOUR, rows[i].hour).number, rows[i].hour);
        assert_int_equal(span_of_hour(SPAN_DAY, rows[i].hour).number, rows[i].day);
        assert_int_equal(span_of_hour(SPAN_MONTH, rows[i].hour).number, rows[i].month);
    }
}

/* Each divides the next, none leaves a gap. */
static void spans_tile_all_time(void **state)
{
    (void)state;
    for (int round = 0; round < 2000; round++) {
        int64_t hour = random_hour();
        struct span inner = span_of_hour(SPAN_HOUR, hour);
        for (enum span_level level = SPAN_HOUR; level <= SPAN_MONTH; level++) {
            struct span span = span_of_hour(level, hour);
            const struct span next = {level, span.number + 1};
            assert_int_equal(span.level, level);
            assert_int_equal(span_end(span).us, span_start(next).us);
            assert_int_equal(span_end(span).us - span_start(span).us, span_hours(level) * HOUR_US);
            assert_int_equal(span_start(span).us, hour_start(span_first_hour(span)).us);
            assert_true(span_start(span).us <= span_start(inner).us &&
                        span_end(inner).us <= span_end(span).us);
            inner = span;
        }
    }
}

static void hours_hold_all_that_can_be_posted(void **state)
{
    (void)state;
    struct span first = span_of_hour(SPAN_MONTH, hour_of((struct wall_time){ISO8601_MIN_US})),
                last = span_of_hour(SPAN_MONTH, hour_of((struct wall_time){ISO8601_MAX_US}));
    assert_true(span_first_hour(first) >= HOUR_MIN);
    assert_true(span_first_hour(last) + span_hours(SPAN_MONTH) - 1 <= HOUR_MAX);
    assert_true(span_start(first).us < 0 && span_end(last).us > 0); /* no overflow */
}

static bool parse_exactly(const char *text, size_t len, struct span *span)
{
    struct slice exact = heap_slice_new(text, len);
    bool is_good = span_parse(exact, span);
    heap_slice_free(exact);
    return is_good;
}

static void assert_name_is(enum span_level level, int64_t number, const char *expected)
{
    char buffer[SPAN_NAME_BYTES];
    struct span span = {level, number}, read;
    struct slice name = span_name(span, buffer);
    assert_true(slice_equals(name, slice_from_string(expected)));
    assert_true(parse_exactly(name.ptr, name.len, &read));
    assert_int_equal(read.level, level);
    assert_int_equal(read.number, number);
}

static void names_come_back(void **state)
{
    (void)state;
    assert_name_is(SPAN_HOUR, 0, "0");
    assert_name_is(SPAN_HOUR, -1, "-1");
    assert_name_is(SPAN_HOUR, 490000, "490000");
    assert_name_is(SPAN_DAY, 20000, "d20000");
    assert_name_is(SPAN_DAY, -20000, "d-20000");
    assert_name_is(SPAN_MONTH, 640, "m640");
    assert_name_is(SPAN_MONTH, -1, "m-1");
    for (int round = 0; round < 2000; round++) {
        for (enum span_level level = SPAN_HOUR; level <= SPAN_MONTH; level++) {
            char buffer[SPAN_NAME_BYTES];
            struct span span = span_of_hour(level, random_hour()), read;
            assert_true(span_parse(span_name(span, buffer), &read));
            assert_int_equal(read.level, level);
            assert_int_equal(read.number, span.number);
        }
    }
}

static void names_have_limits(void **state)
{
    (void)state;
    assert_name_is(SPAN_HOUR, HOUR_MIN, "-17500000");
    assert_name_is(SPAN_HOUR, HOUR_MAX, "70500000");
    struct span span;
    static const char *const beyond[] = {
        "-17500001",           "70500001", "d-729168", "d2937501", "m-22788", "m91797",
        "99999999999999999999"};
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++)
        assert_false(parse_exactly(beyond[i], strlen(beyond[i]), &span));
    for (enum span_level level = SPAN_HOUR; level <= SPAN_MONTH; level++) {
        char buffer[SPAN_NAME_BYTES];
        assert_true(span_parse(span_name(span_of_hour(level, HOUR_MIN), buffer), &span));
        assert_true(span_parse(span_name(span_of_hour(level, HOUR_MAX), buffer), &span));
    }
}

static void nonsense_is_no_name(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",    "d",  "m",   "-",    "d-",  "x1",  "D1",  "1d",     "dd1",   "md1",
        " 1",  "1 ", "d 1", "0x10", "1.0", "1e3", "h1",  "layout", "bytes", "1:2",
        "--1", "00", "007", "-0",   "-07", "d00", "d-0", "m0640",  "+1"};
    struct span span;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (parse_exactly(names[i], strlen(names[i]), &span))
            fail_msg("\"%s\" is taken for a span", names[i]);
    }
    assert_false(parse_exactly("1\0", 2, &span));
    assert_false(parse_exactly("\0", 1, &span));
}

int main(void)
{
    chance = test_random_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hours_begin_before_1970_too),
        cmocka_unit_test(an_hour_is_of_a_day_and_of_a_month_of_32),
        cmocka_unit_test(spans_tile_all_time),
        cmocka_unit_test(hours_hold_all_that_can_be_posted),
        cmocka_unit_test(names_come_back),
        cmocka_unit_test(names_have_limits),
        cmocka_unit_test(nonsense_is_no_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
