#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "series_generator.h"

enum { SECOND_US = 1000000, SAMPLES = 20000 };

static const struct wall_time start = {INT64_C(1700000000123456)};

static struct series_generator new_series(enum series_kind kind, uint64_t seed)
{
    struct series_generator g;
    series_generator_init(&g, kind, SECOND_US, start, seed);
    return g;
}

static void kinds_are_known_by_name(void **state)
{
    (void)state;
    for (int i = 0; i < SERIES_KIND_COUNT; i++) {
        enum series_kind kind;
        assert_true(series_kind_parse(series_kind_name((enum series_kind)i), &kind));
        assert_int_equal(kind, i);
    }
    enum series_kind kind;
    assert_false(series_kind_parse("", &kind));
    assert_false(series_kind_parse("cpus", &kind));
}

static void a_seed_gives_the_same_series_again_and_another_gives_another(void **state)
{
    (void)state;
    for (int i = 0; i < SERIES_KIND_COUNT; i++) {
        struct series_generator a = new_series((enum series_kind)i, 1),
                                b = new_series((enum series_kind)i, 1),
                                other = new_series((enum series_kind)i, 2);
        int differ = 0;
        for (int j = 0; j < 100; j++) {
            struct record x, y, z;
            series_generator_next(&a, &x);
            series_generator_next(&b, &y);
            series_generator_next(&other, &z);
            assert_int_equal(x.at.us, y.at.us);
            assert_memory_equal(&x.value, &y.value, sizeof x.value);
            differ += x.value != z.value;
        }
        assert_true(differ > 0);
    }
}

static void timestamps_are_those_of_the_kind(void **state)
{
    (void)state;
    for (int i = 0; i < SERIES_KIND_COUNT; i++) {
        struct series_generator g = new_series((enum series_kind)i, 3);
        struct record r, before;
        series_generator_next(&g, &before);
        assert_in_range(start.us - before.at.us, 0, SECOND_US - 1);
        int64_t first_us = before.at.us;
        for (int j = 1; j < SAMPLES; j++, before = r) {
            series_generator_next(&g, &r);
            assert_true(r.at.us >= before.at.us);
            if (i == SERIES_LATENCY)
                assert_int_equal(r.at.us % 1000, 0);
            else
                assert_int_equal(r.at.us, first_us + j * INT64_C(1000000));
        }
        double mean_us = (double)(before.at.us - first_us) / SAMPLES;
        assert_true(fabs(mean_us / SECOND_US - 1.0) < 0.05);
    }
}

static double power_of(enum series_kind kind)
{
    switch (kind) {
    case SERIES_COUNTER:
        return 1;
    case SERIES_CPU:
        return 100;
    case SERIES_LATENCY:
        return 1000;
    default:
        return 10;
    }
}

static void values_are_those_of_the_kind(void **state)
{
    (void)state;
    for (int i = 0; i < SERIES_KIND_COUNT; i++) {
        struct series_generator g = new_series((enum series_kind)i, 4);
        struct record r, before = {{0}, 0.0};
        int resets = 0, small_steps = 0;
        double power = power_of((enum series_kind)i);
        for (int j = 0; j < SAMPLES; j++, before = r) {
            series_generator_next(&g, &r);
            assert_true(r.value >= 0.0 && isfinite(r.value));
            if (i != SERIES_RANDOM)
                assert_true(round(r.value * power) / power == r.value);
            if (i == SERIES_CPU || i == SERIES_RANDOM)
                assert_true(r.value <= 100.0);
            resets += r.value < before.value;
            double small = i == SERIES_COUNTER ? 20.5 : 0.15;
            small_steps += fabs(r.value - before.value) < small;
        }
        if (i == SERIES_COUNTER)
            assert_in_range(resets, 1, 20);
        if (i == SERIES_COUNTER || i == SERIES_TEMPERATURE)
            assert_true(small_steps > SAMPLES * 9 / 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_known_by_name),
        cmocka_unit_test(a_seed_gives_the_same_series_again_and_another_gives_another),
        cmocka_unit_test(timestamps_are_those_of_the_kind),
        cmocka_unit_test(values_are_those_of_the_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
