/* metric_store against a real server, a plain array beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "iso8601.h"
#include "span.h"
#include "test_store.h"

enum { TYPES = 4 };

static const char *const types[TYPES] = {"cpu", "cp{u}%", "cpu_usage", "t\xc3\xa9mp\xc3\xa9rature"};

/* Any age, many ties, both ends of time. */
static int64_t random_instant(int64_t now_us)
{
    switch (test_store_below(10)) {
    case 0:
        return ISO8601_MIN_US + (int64_t)test_store_below(3);
    case 1:
        return ISO8601_MAX_US - (int64_t)test_store_below(3);
    case 2:
        return now_us + (int64_t)test_store_below(5) * HOUR_US;
    case 3:
        return -(int64_t)test_store_below(3);
    case 4:
        return now_us - (int64_t)test_store_below(100) * 3600 * 1000000;
    case 5:
    case 6:
        return now_us - (int64_t)test_store_below(3);
    default:
        return now_us - (int64_t)test_store_below(30 * 3600) * 1000000;
    }
}

static double random_value(void)
{
    double unit = (double)(test_random_u64(&test_store.chance) >> 11) * 0x1p-53;
    return test_store_below(3) == 0 ? 1e9 + unit : (unit - 0.3) * 100.0;
}

/* Steps around an instant, of each size that rollups fit into or not. */
static void check_series(const char *type, int64_t at_us)
{
    static const int64_t steps_us[] = {1000000, 420 * INT64_C(1000000), HOUR_US, 24 * HOUR_US,
                                       24 * 32 * HOUR_US};
    for (size_t i = 0; i < sizeof steps_us / sizeof *steps_us; i++) {
        int64_t before = (int64_t)test_store_below(40);
        int64_t from_us = (floor_divide(at_us, steps_us[i]) - before) * steps_us[i];
        sample_model_check_series(&test_store.model, test_store.store, type,
                                  (struct wall_time){from_us}, steps_us[i],
                                  1 + test_store_below(60));
    }
}

static void check_everything(int64_t now_us)
{
    for (size_t t = 0; t < TYPES; t++) {
        test_store_check_since(types[t], WALL_TIME_MIN);
        test_store_check_since(types[t], (struct wall_time){now_us - 86400000000});
        test_store_check_since(types[t], (struct wall_time){now_us - HOUR_US});
        int64_t edge =
            test_store.model.samples[test_store_below(test_store.model.count)].record.at.us;
        for (int64_t off = -1; off <= 1; off++)
            test_store_check_since(types[t], (struct wall_time){edge + off});
        check_series(types[t], edge);
        test_store_check_list(types[t], 1 + test_store_below(40));
    }
    test_store_check_since("never posted", WALL_TIME_MIN);
    check_series("never posted", now_us);
    test_store_check_list("never posted", 10);
    test_store_check_list(NULL, 1);
    test_store_check_list(NULL, 1 + test_store_below(60));
    test_store_check_list(NULL, 1000);
}

static void answers_like_a_plain_array(void **state)
{
    (void)state;
    int64_t now_us = clock_wall_now().us;
    for (int i = 1; i <= 800; i++) {
        test_store.posts_series = test_store_below(4) > 0;
        test_store_post(types[test_store_below(TYPES)], random_instant(now_us), random_value());
        if (i % 40 == 0)
            check_everything(now_us);
    }
}

static void spreads_over_many_hours(void **state)
{
    (void)state;
    int64_t start = test_store_hour_start();
    for (int i = 0; i < 200; i++)
        test_store_post(
            "cpu", start - (int64_t)test_store_below(150) * HOUR_US + (int64_t)test_store_below(2),
            random_value());
    check_everything(start);
    test_store_check_list("cpu", 190);
    test_store_check_list("cpu", 1000);
}

/* At the edges of the pages in which the names of types are read. */
static void lists_more_types_than_a_page(void **state)
{
    (void)state;
    static char names[257][8];
    int64_t start = test_store_hour_start();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(names[i], sizeof names[i], "t%zu", i * 7919 % 1000);
        test_store_post(names[i], start + (int64_t)test_store_below(50), random_value());
        if (i % 128 == 126 || i % 128 == 127 || i % 128 == 0) {
            test_store_check_list(NULL, 1000);
            test_store_check_list(NULL, 5);
        }
    }
}

static void chunks_close_and_everything_stays_exact(void **state)
{
    (void)state;
    int64_t start = test_store_hour_start();
    const size_t spreads[] = {1, 100000, 21000000};
    size_t instants = spreads[test_store_below(3)];
    for (int i = 1; i <= 21000; i++) {
        test_store.posts_series = i / 700 % 2;
        int64_t at = test_store_below(8) == 0 ? start + (int64_t)test_store_below(instants)
                                              : start + i * 1000;
        test_store_post("cpu", at, random_value());
        int rest = i % CHUNK_RECORDS;
        if (i % 3001 != 0 && rest != 0 && rest != 1)
            continue;
        test_store_check_since("cpu", WALL_TIME_MIN);
        test_store_check_since("cpu",
                               (struct wall_time){start + (int64_t)test_store_below(21000) * 1000});
        test_store_check_since("cpu",
                               (struct wall_time){start + (int64_t)test_store_below(instants)});
        check_series("cpu", start + (int64_t)test_store_below(21000) * 1000);
        test_store_check_list("cpu", 1 + test_store_below(1000));
        test_store_check_list(NULL, 1000);
    }
}

/* All in one instant, over several chunks: only arrival tells them apart. */
static void ranks_count_ties_across_chunks(void **state)
{
    (void)state;
    int64_t start = test_store_hour_start();
    for (int i = 0; i < 2 * CHUNK_RECORDS + 100; i++) {
        test_store.posts_series = i / 500 % 2;
        test_store_post("cpu", start + (i == 5000), i);
    }
    test_store_check_list("cpu", 10);
    test_store_check_list("cpu", 1000);
    test_store_check_since("cpu", (struct wall_time){start + 1});
}

/* What arrived first is newest: the spans of chunks alone tell where to look. */
static void an_old_chunk_may_hold_the_newest_samples(void **state)
{
    (void)state;
    int64_t start = test_store_hour_start();
    char text[128];
    test_store_post("cpu", start + 3500000000, 1.0);
    for (int i = 1; i < 2 * CHUNK_RECORDS + 20; i++)
        test_store_post("cpu", start + i, i);
    (void)snprintf(text, sizeof text, "EXISTS ra:m:{cpu}:blk:%lld:0 ra:m:{cpu}:blk:%lld:1",
                   (long long)hour_of((struct wall_time){start}),
                   (long long)hour_of((struct wall_time){start}));
    test_store_await(text, "2");
    test_store_check_list("cpu", 10);
    test_store_check_list(NULL, 100);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, test_store_open, test_store_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(answers_like_a_plain_array),
        STORE_TEST(spreads_over_many_hours),
        STORE_TEST(lists_more_types_than_a_page),
        STORE_TEST(chunks_close_and_everything_stays_exact),
        STORE_TEST(ranks_count_ties_across_chunks),
        STORE_TEST(an_old_chunk_may_hold_the_newest_samples),
    };
    return cmocka_run_group_tests(tests, test_store_start_server, test_store_stop_server);
}
