#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "number.h"
#include "percentiles.h"
#include "test_random.h"
#include "test_request.h"

static enum err_code read_percentiles(const char *query, const char *fallback,
                                      struct percentiles *percentiles)
{
    const struct request *req = test_request_ask(query);
    return test_request_check(percentiles_read(req, fallback, percentiles, &test_request.err));
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
        const char *query = test_request_query("percentiles", rows[i].text);
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
        if (read_percentiles(test_request_query("percentiles", wrong[i]), "", &percentiles) ==
            ERR_OK)
            fail_msg("%s", wrong[i]);
        assert_int_equal(test_request.err.field_count, 1);
        test_request_assert_told(0, "percentiles",
                                 strchr(wrong[i], '%') ? "" : "must be numbers from 0 to 100");
    }
}

static void a_percentile_is_named_once(void **state)
{
    (void)state;
    static const char *const wrong[] = {"50,50", "50,90,50.0", "0,-0", "99.9,1,99.90"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct percentiles percentiles;
        assert_int_equal(
            read_percentiles(test_request_query("percentiles", wrong[i]), "", &percentiles),
            ERR_VALIDATION);
        test_request_assert_told(0, "percentiles", " once");
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
    test_request_assert_told(0, "percentiles", "must be 20 numbers at most");
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

static void percentiles_without_memory_are_told(void **state)
{
    (void)state;
    struct percentiles percentiles;
    arena_release(&test_request.arena);
    arena_init(&test_request.arena, 1);
    assert_int_equal(read_percentiles("percentiles=50", "", &percentiles), ERR_NO_MEMORY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_request_begin, test_request_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(percentiles_have_their_names),
        TEST(percentiles_keep_their_order),
        TEST(absent_percentiles_are_the_fallback),
        TEST(what_is_no_percentile_is_refused),
        TEST(a_percentile_is_named_once),
        TEST(twenty_percentiles_and_no_more_are_taken),
        TEST(random_percentiles_are_told_apart_by_name),
        TEST(percentiles_without_memory_are_told),
    };
    return cmocka_run_group_tests_name("percentiles", tests, NULL, NULL);
}
