#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "heap_slice.h"
#include "number.h"
#include "test_random.h"

struct printed {
    double value;
    const char *text;
};

/* As Python's repr prints them. */
static const struct printed printed[] = {
    {0.0, "0.0"},
    {-0.0, "-0.0"},
    {1, "1.0"},
    {85, "85.0"},
    {-85, "-85.0"},
    {75.3, "75.3"},
    {0.1, "0.1"},
    {0.1 + 0.2, "0.30000000000000004"},
    {1.0 / 3, "0.3333333333333333"},
    {1e-4, "0.0001"},
    {0.00012345, "0.00012345"},
    {9.9e-5, "9.9e-05"},
    {1e-7, "1e-07"},
    {123456789.123456, "123456789.123456"},
    {999999999999999, "999999999999999.0"},
    {1e15, "1000000000000000.0"},
    {9007199254740993.0, "9007199254740992.0"},
    {9999999999999998.0, "9999999999999998.0"},
    {1e16, "1e+16"},
    {123456789012345680.0, "1.2345678901234568e+17"},
    {1e22, "1e+22"},
    {1e23, "1e+23"},
    {9.5e-3, "0.0095"},
    {1e100, "1e+100"},
    {5e-324, "5e-324"},
    {1.5e-323, "1.5e-323"},
    {2.2250738585072014e-308, "2.2250738585072014e-308"},
    {2.225073858507201e-308, "2.225073858507201e-308"},
    {1.7976931348623157e308, "1.7976931348623157e+308"},
    {0x1p-44, "5.684341886080802e-14"}, /* the nearest of 16 digits is another double */
    {0x1p-1022, "2.2250738585072014e-308"},
    {2251799813685249.5, "2251799813685249.5"},
};

enum { PRINTED_COUNT = sizeof printed / sizeof printed[0] };

static void is_printed_as_its_row_says(void **state)
{
    const struct printed *row = *state;
    char buffer[NUMBER_BYTES];
    struct slice text = number_format_double(row->value, buffer);
    assert_int_equal(text.len, strlen(row->text));
    assert_memory_equal(text.ptr, row->text, text.len);
}

static bool parse(const char *text, double *out)
{
    struct slice exact = heap_slice_new(text, strlen(text));
    bool is_number = number_parse_double(exact, out);
    heap_slice_free(exact);
    return is_number;
}

static void decimals_are_read_from_text(void **state)
{
    (void)state;
    static const struct printed good[] = {
        {1, "1"},
        {1, " 1 "},
        {1, "\t1\r\n"},
        {1, "+1"},
        {-1, "-1"},
        {0.5, ".5"},
        {5, "5."},
        {1e5, "1e5"},
        {1e5, "1E+5"},
        {0.0005, "+.5e-3"},
        {7, "0007"},
        {0, "1e-400"},
        {0, "0e999"},
        {75.3, "75.3"},
        {5e-324, "5e-324"},
        {1e22, "1e+22"},
        {0.1, "0.1000000000000000055511151231257827"},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        double value = (double)NAN;
        assert_true(parse(good[i].text, &value));
        assert_true(value == good[i].value);
    }
}

static void what_is_no_finite_decimal_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",       " ",     "-",    "+",   ".",        "e5",    "1e",  "1e+",      "0x10",
        "inf",    "nan",   "-inf", "NaN", "Infinity", "1 2",   "++1", "1_0",      "1e999",
        "-1e999", "1.2.3", "1,5",  "1f",  "0b1",      "1e5.0", "--1", "\xd9\xa1",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double value = 42;
        assert_false(parse(bad[i], &value));
        assert_true(value == 42);
    }
    double value;
    assert_false(number_parse_double(slice_of("1\0", 2), &value));
}

static void a_text_beyond_the_maximum_is_refused(void **state)
{
    (void)state;
    char text[NUMBER_TEXT_MAX + 1];
    double value;
    memset(text, '0', sizeof text);
    text[NUMBER_TEXT_MAX - 1] = '7';
    assert_true(number_parse_double(slice_of(text, NUMBER_TEXT_MAX), &value));
    assert_true(value == 7);
    assert_false(number_parse_double(slice_of(text, NUMBER_TEXT_MAX + 1), &value));
}

static void integers_keep_to_their_range(void **state)
{
    (void)state;
    int64_t v = 0;
    assert_true(number_parse_int64(SLICE("9223372036854775807"), INT64_MIN, INT64_MAX, &v));
    assert_true(v == INT64_MAX);
    assert_true(number_parse_int64(SLICE("-9223372036854775808"), INT64_MIN, INT64_MAX, &v));
    assert_true(v == INT64_MIN);
    assert_true(number_parse_int64(SLICE("0007"), 1, 10, &v));
    assert_int_equal(v, 7);
    static const char *const bad[] = {"",    "-",
                                      "+1",  " 1",
                                      "1 ",  "1.0",
                                      "0x1", "9223372036854775808",
                                      "0",   "101",
                                      "1a",  "-1",
                                      "--1", "-9223372036854775809"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct slice text = heap_slice_new(bad[i], strlen(bad[i]));
        assert_false(number_parse_int64(text, 1, 100, &v));
        heap_slice_free(text);
    }
    assert_false(number_parse_int64(SLICE("9223372036854775808"), INT64_MIN, INT64_MAX, &v));
    assert_false(number_parse_int64(SLICE("-9223372036854775809"), INT64_MIN, INT64_MAX, &v));
    assert_int_equal(v, 7);
}

static int digits_of(struct slice text)
{
    int digits = 0;
    int zeros_at_end = 0;
    for (size_t i = 0; i < text.len && text.ptr[i] != 'e'; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || (digits == 0 && text.ptr[i] == '0'))
            continue;
        digits++;
        zeros_at_end = text.ptr[i] == '0' ? zeros_at_end + 1 : 0;
    }
    return digits - zeros_at_end;
}

/* Fewest digits of the nearest decimals: a bound that the shortest text keeps. */
static int fewest_digits_by_printf(double value)
{
    for (int digits = 1; digits < 17; digits++) {
        char text[64];
        (void)snprintf(text, sizeof text, "%.*e", digits - 1, value);
        if (strtod(text, NULL) == value)
            return digits;
    }
    return 17;
}

static void check_round_trip(double value)
{
    char buffer[NUMBER_BYTES];
    struct slice text = number_format_double(value, buffer);
    struct slice exact = heap_slice_new(text.ptr, text.len);
    double back = 0;
    assert_true(number_parse_double(exact, &back));
    heap_slice_free(exact);
    assert_memory_equal(&back, &value, sizeof value);
    assert_true(memchr(text.ptr, '.', text.len) || memchr(text.ptr, 'e', text.len));
    if (value != 0)
        assert_true(digits_of(text) <= fewest_digits_by_printf(value));
}

static void random_doubles_read_back_as_themselves(void **state)
{
    (void)state;
    struct test_random random = test_random_start();
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = test_random_u64(&random);
        double any;
        memcpy(&any, &bits, sizeof any);
        if (isfinite(any))
            check_round_trip(any);
        double scale = pow(10, (double)test_random_below(&random, 10));
        check_round_trip((double)(int64_t)test_random_below(&random, 1000000000) / scale);
        check_round_trip((double)(bits >> 11) * 0x1p-53 * 100);
    }
    for (int exponent = -1074; exponent < 1024; exponent++)
        check_round_trip(ldexp(1, exponent));
}

/* Digits, perhaps with zeros in front and behind, a point and an exponent: often few digits. */
static size_t random_decimal(struct test_random *random, char *text, size_t room)
{
    uint64_t mantissa = test_random_u64(random) >> test_random_below(random, 64);
    int places = (int)test_random_below(random, 25);
    int exponent = (int)test_random_below(random, 80) - 40;
    int len;
    switch (test_random_below(random, 4)) {
    case 0:
        len =
            snprintf(text, room, "%s%" PRIu64, test_random_below(random, 2) ? "-" : "+", mantissa);
        break;
    case 1:
        len = snprintf(text, room, "0%" PRIu64 ".%0*" PRIu64, mantissa % 1000, places, mantissa);
        break;
    case 2:
        len = snprintf(text, room, "%" PRIu64 "e%+d", mantissa, exponent);
        break;
    default:
        len = snprintf(text, room, ".%" PRIu64 "E%d", mantissa, exponent);
        break;
    }
    return (size_t)len;
}

static void a_number_at_the_beginning_of_a_text_is_the_one_that_strtod_finds(void **state)
{
    (void)state;
    static const char *const behind[] = {"", " ", "e", "e+", ",1", "x"};
    struct test_random random = test_random_start();
    for (int i = 0; i < 200000; i++) {
        char text[128];
        double value, expected;
        size_t len = random_decimal(&random, text, sizeof text);
        const char *tail = behind[test_random_below(&random, sizeof behind / sizeof *behind)];
        memcpy(text + len, tail, strlen(tail) + 1);
        expected = strtod(text, NULL);
        struct slice exact = heap_slice_new(text, strlen(text));
        size_t scanned = number_scan_double(exact, &value);
        heap_slice_free(exact);
        if (scanned != len || memcmp(&value, &expected, sizeof value) != 0)
            fail_msg("%s: %zu bytes, %.17g; strtod has %.17g", text, scanned, value, expected);
    }
}

static void what_overflows_is_infinite_and_what_is_none_has_no_length(void **state)
{
    (void)state;
    double value;
    assert_int_equal(number_scan_double(SLICE("1e400,"), &value), 5);
    assert_true(isinf(value));
    assert_int_equal(number_scan_double(SLICE("-1e999999999999999999999"), &value), 24);
    assert_true(isinf(value) && value < 0);
    assert_int_equal(number_scan_double(SLICE("1e-999999999999999999999"), &value), 24);
    assert_true(value == 0);
    static const char *const none[] = {"",    "-",  "+",  ".",   "-.", "e5",
                                       ".e5", "x1", " 1", "inf", "nan"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(number_scan_double(slice_from_string(none[i]), &value), 0);
    assert_int_equal(number_scan_double(SLICE("0x10"), &value), 1);
    assert_int_equal(number_scan_double(SLICE("1_000"), &value), 1);
}

static void unsigned_integers_are_digits_of_64_bits(void **state)
{
    (void)state;
    uint64_t value = 7;
    assert_true(number_parse_uint64(SLICE("18446744073709551615"), &value) && value == UINT64_MAX);
    assert_true(number_parse_uint64(SLICE("000"), &value) && value == 0);
    static const char *const none[] = {"", "-1", "+1", "1 ", "18446744073709551616", "1.0"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(number_parse_uint64(slice_from_string(none[i]), &value));
}

int main(void)
{
    struct CMUnitTest tests[PRINTED_COUNT + 8] = {
        cmocka_unit_test(decimals_are_read_from_text),
        cmocka_unit_test(what_is_no_finite_decimal_is_refused),
        cmocka_unit_test(a_text_beyond_the_maximum_is_refused),
        cmocka_unit_test(integers_keep_to_their_range),
        cmocka_unit_test(random_doubles_read_back_as_themselves),
        cmocka_unit_test(a_number_at_the_beginning_of_a_text_is_the_one_that_strtod_finds),
        cmocka_unit_test(what_overflows_is_infinite_and_what_is_none_has_no_length),
        cmocka_unit_test(unsigned_integers_are_digits_of_64_bits),
    };
    for (size_t i = 0; i < PRINTED_COUNT; i++) {
        tests[8 + i] = (struct CMUnitTest){.name = printed[i].text,
                                           .test_func = is_printed_as_its_row_says,
                                           .initial_state = (void *)(uintptr_t)&printed[i]};
    }
    return _cmocka_run_group_tests("number", tests, sizeof tests / sizeof tests[0], NULL, NULL);
}
