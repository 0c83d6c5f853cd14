#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "heap_slice.h"
#include "iso8601.h"
#include "test_random.h"

#define DAY   "2026-02-21"
#define YEARS "years 1 to 9999"

/* A text, and what it is read as (RFC 3339 begins with a digit), or words of the refusal. */
struct row {
    const char *text;
    const char *expected;
};

static const struct row rows[] = {
    {DAY "T12:00:00Z", DAY "T12:00:00Z"},
    {DAY "t12:00:00z", DAY "T12:00:00Z"},
    {DAY " 12:00:00", DAY "T12:00:00Z"},
    {DAY "_12:00", DAY "T12:00:00Z"},
    {DAY, DAY "T00:00:00Z"},
    {DAY "T12:00Z", DAY "T12:00:00Z"},
    {DAY "T12:00+01:00", DAY "T11:00:00Z"},
    {DAY "T12:00:00.5+01:00", DAY "T11:00:00.500Z"},
    {DAY "T12:00:00,5", DAY "T12:00:00.500Z"},
    {DAY "T12:00:00.000001Z", DAY "T12:00:00.000001Z"},
    {DAY "T12:00:00.123456789Z", DAY "T12:00:00.123456Z"},
    {DAY "T12:00:00.999999999Z", DAY "T12:00:00.999999Z"},
    {DAY "T12:00:00+0530", DAY "T06:30:00Z"},
    {DAY "T12:00:00\xe2\x88\x92"
         "05:30",
     DAY "T17:30:00Z"},
    {DAY "T12:00:00-00:00", DAY "T12:00:00Z"},
    {DAY "T12:00:00+23:59", "2026-02-20T12:01:00Z"},
    {DAY "T12:00:00-23:59", "2026-02-22T11:59:00Z"},
    {"2024-02-29", "2024-02-29T00:00:00Z"},
    {"2000-02-29", "2000-02-29T00:00:00Z"},
    {"0001-01-01", "0001-01-01T00:00:00Z"},
    {"0001-01-01T01:00:00+01:00", "0001-01-01T00:00:00Z"},
    {"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"},
    /* Numbers: seconds, above 2e10 milliseconds. */
    {"0", "1970-01-01T00:00:00Z"},
    {"-0", "1970-01-01T00:00:00Z"},
    {"1700000000", "2023-11-14T22:13:20Z"},
    {"+1700000000", "2023-11-14T22:13:20Z"},
    {"-1700000000", "1916-02-18T01:46:40Z"},
    {"1700000000.5", "2023-11-14T22:13:20.500Z"},
    {"1700000000.", "2023-11-14T22:13:20Z"},
    {"1700000000.1234567", "2023-11-14T22:13:20.123457Z"},
    {".5", "1970-01-01T00:00:00.500Z"},
    {"-.5", "1969-12-31T23:59:59.500Z"},
    {"20000000000", "2603-10-11T11:33:20Z"},
    {"20000000001", "1970-08-20T11:33:20.001Z"},
    {"-20000000000", "1336-03-23T12:26:40Z"},
    {"-20000000001", "1969-05-14T12:26:39.999Z"},
    {"20260221", "1970-08-23T11:50:21Z"},
    {"1700000000000", "2023-11-14T22:13:20Z"},
    {"253402300799999", "9999-12-31T23:59:59.999Z"},
    {"-62135596800000", "0001-01-01T00:00:00Z"},
    {"00000000000001700000000", "2023-11-14T22:13:20Z"},
    /* Refused, and the words that say why. */
    {"", "must begin with a date"},
    {"now", "must begin with a date"},
    {" " DAY, "must begin with a date"},
    {"10000-01-01", "must begin with a date"},
    {"2026-2-1", "must begin with a date"},
    {"2026/02/21", "must begin with a date"},
    {"20260221T120000", "must begin with a date"},
    {"1e9", "must begin with a date"},
    {"1_000", "must begin with a date"},
    {"1,5", "must begin with a date"},
    {"1700000000 ", "must begin with a date"},
    {"-", "must begin with a date"},
    {".", "must begin with a date"},
    {"nan", "must begin with a date"},
    {"0000-01-01", "the year"},
    {"2026-00-01", "the month"},
    {"2026-13-01", "the month"},
    {"2026-02-30", "no such day"},
    {"2026-02-29", "no such day"},
    {"1900-02-29", "no such day"},
    {"2026-04-31", "no such day"},
    {"2026-01-00", "no such day"},
    {DAY "T24:00", "the hour"},
    {DAY "T24:00:00Z", "the hour"},
    {DAY "T23:60", "the minute"},
    {DAY "T23:59:60Z", "leap second"},
    {DAY "T", "hh:mm"},
    {DAY "T12", "hh:mm"},
    {DAY "T1:00", "hh:mm"},
    {DAY "T1200", "hh:mm"},
    {DAY "  12:00", "hh:mm"},
    {DAY "T12:00:", "two digits"},
    {DAY "T12:00:0", "two digits"},
    {DAY "T12:00:00.", "to 9 digits"},
    {DAY "T12:00:00.Z", "to 9 digits"},
    {DAY "T12:00:00.1234567890", "to 9 digits"},
    {DAY "T12:00.5", "only Z or an offset"},
    {DAY "T12:00:00 Z", "only Z or an offset"},
    {DAY "T12:00:00\xe2\x88", "only Z or an offset"},
    {DAY "T12:00:00+05", "+hh:mm"},
    {DAY "T12:00:00+5:30", "+hh:mm"},
    {DAY "T12:00:00+24:00", "less than 24 hours"},
    {DAY "T12:00:00-24:00", "less than 24 hours"},
    {DAY "T12:00:00+23:60", "less than 24 hours"},
    {DAY "Z", "there must be a T"},
    {DAY " ", "hh:mm"},
    {DAY "T12:00:00Zx", "something follows"},
    {DAY "T12:00:00+01:00x", "something follows"},
    {DAY "T12:00:00+00:00:00", "something follows"},
    {"0001-01-01T00:00:00+00:01", YEARS},
    {"9999-12-31T23:59:59-00:01", YEARS},
    {"253402300800000", YEARS},
    {"-62135596800001", YEARS},
    {"99999999999999999999", YEARS},
    {"9223372036854775807", YEARS},
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static void is_read_as_its_row_says(void **state)
{
    const struct row *row = *state;
    struct slice text = heap_slice_new(row->text, strlen(row->text));
    struct wall_time at = {.us = 42};
    const char *wrong = iso8601_parse(text, &at);
    heap_slice_free(text);
    if (row->expected[0] >= '0' && row->expected[0] <= '9') {
        char buffer[ISO8601_BYTES];
        assert_null(wrong);
        struct slice back = iso8601_format(at, buffer);
        assert_int_equal(back.len, strlen(row->expected));
        assert_memory_equal(back.ptr, row->expected, back.len);
    } else {
        assert_non_null(wrong);
        assert_non_null(strstr(wrong, row->expected));
        assert_int_equal(at.us, 42);
    }
}

static void a_nul_in_the_text_is_refused(void **state)
{
    (void)state;
    struct wall_time at;
    assert_non_null(iso8601_parse(slice_of(DAY "\0"
                                               "12:00",
                                           16),
                                  &at));
    assert_non_null(iso8601_parse(slice_of(DAY "T12:00\0", 17), &at));
    assert_non_null(iso8601_parse(slice_of("17\0", 3), &at));
}

static void numbers_round_to_the_microsecond(void **state)
{
    (void)state;
    struct wall_time at;
    assert_null(iso8601_from_number(1.9999999, &at));
    assert_int_equal(at.us, 2000000);
    assert_null(iso8601_from_number(-1e-7, &at));
    assert_int_equal(at.us, 0);
    assert_null(iso8601_from_number(-1.5, &at));
    assert_int_equal(at.us, -1500000);
    assert_null(iso8601_from_number(20000000000.5, &at));
    assert_int_equal(at.us, 20000000000500 / 1000 * 1000 + 500);
    assert_null(iso8601_from_number(253402300799999.9, &at));
    assert_true(at.us <= ISO8601_MAX_US);
}

static void numbers_that_are_no_instant_are_refused(void **state)
{
    (void)state;
    struct wall_time at = {.us = 42};
    assert_non_null(iso8601_from_number((double)NAN, &at));
    assert_non_null(iso8601_from_number((double)INFINITY, &at));
    assert_non_null(iso8601_from_number(-(double)INFINITY, &at));
    assert_non_null(iso8601_from_number(1e300, &at));
    assert_non_null(iso8601_from_number(-1e300, &at));
    assert_non_null(iso8601_from_number(253402300800000, &at));
    assert_non_null(iso8601_from_number(-62135596800001, &at));
    assert_int_equal(at.us, 42);
}

/* The model: dates counted one by one from 0001-01-01. */
struct date {
    int year;
    int month;
    int day;
};

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static struct date day_after(struct date d)
{
    bool has_30 = d.month == 4 || d.month == 6 || d.month == 9 || d.month == 11;
    int last = d.month == 2 ? 28 + is_leap(d.year) : has_30 ? 30 : 31;
    if (++d.day <= last)
        return d;
    d.day = 1;
    if (++d.month <= 12)
        return d;
    d.month = 1;
    d.year++;
    return d;
}

static void every_day_of_ten_thousand_years_agrees_with_counting(void **state)
{
    (void)state;
    struct test_random random = test_random_start();
    const int64_t us_per_day = INT64_C(86400000000);
    struct date date = {1, 1, 1};
    int64_t midnight = ISO8601_MIN_US;
    for (; date.year < 10000; date = day_after(date), midnight += us_per_day) {
        int64_t us = (int64_t)(test_random_u64(&random) % (uint64_t)us_per_day);
        static const int units[3] = {1, 1000, 1000000};
        us -= us % units[test_random_below(&random, 3)];
        char expected[64];
        int second = (int)(us / 1000000);
        int len = snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d", date.year,
                           date.month, date.day, second / 3600, second / 60 % 60, second % 60);
        if (us % 1000000 != 0)
            len += us % 1000 ? snprintf(expected + len, 16, ".%06d", (int)(us % 1000000))
                             : snprintf(expected + len, 16, ".%03d", (int)(us / 1000 % 1000));
        expected[len++] = 'Z';
        char buffer[ISO8601_BYTES];
        struct slice text = iso8601_format((struct wall_time){midnight + us}, buffer);
        assert_int_equal(text.len, len);
        assert_memory_equal(text.ptr, expected, text.len);
        struct wall_time back;
        assert_null(iso8601_parse(text, &back));
        assert_int_equal(back.us, midnight + us);
    }
    assert_int_equal(midnight - 1, ISO8601_MAX_US);
}

static void offsets_shift_random_instants_exactly(void **state)
{
    (void)state;
    struct test_random random = test_random_start();
    const int64_t day = INT64_C(86400000000);
    uint64_t span = (uint64_t)(ISO8601_MAX_US - ISO8601_MIN_US - 2 * day);
    for (int i = 0; i < 100000; i++) {
        int64_t local = ISO8601_MIN_US + day + (int64_t)(test_random_u64(&random) % span);
        int minutes = (int)test_random_below(&random, 2879) - 1439;
        char text[64];
        struct slice plain = iso8601_format((struct wall_time){local}, text);
        int magnitude = minutes < 0 ? -minutes : minutes;
        int len = snprintf(text + plain.len - 1, 16, i % 2 ? "%c%02d:%02d" : "%c%02d%02d",
                           minutes < 0 ? '-' : '+', magnitude / 60, magnitude % 60);
        struct wall_time at;
        assert_null(iso8601_parse(slice_of(text, plain.len - 1 + (size_t)len), &at));
        assert_int_equal(at.us, local - minutes * INT64_C(60000000));
    }
}

int main(void)
{
    struct CMUnitTest tests[ROW_COUNT + 5] = {
        cmocka_unit_test(a_nul_in_the_text_is_refused),
        cmocka_unit_test(numbers_round_to_the_microsecond),
        cmocka_unit_test(numbers_that_are_no_instant_are_refused),
        cmocka_unit_test(every_day_of_ten_thousand_years_agrees_with_counting),
        cmocka_unit_test(offsets_shift_random_instants_exactly),
    };
    for (size_t i = 0; i < ROW_COUNT; i++) {
        tests[5 + i] = (struct CMUnitTest){.name = rows[i].text,
                                           .test_func = is_read_as_its_row_says,
                                           .initial_state = (void *)(uintptr_t)&rows[i]};
    }
    return _cmocka_run_group_tests("iso8601", tests, sizeof tests / sizeof tests[0], NULL, NULL);
}
