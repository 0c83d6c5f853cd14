/* The buckets of a base-2 exponential histogram. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "log2_bucket.h"
#include "test_random.h"

static struct test_random chance;

static double subnormal(void)
{
    size_t bits = 1 + test_random_below(&chance, 52);
    return 0x1p-1074 * (double)(1 + (test_random_u64(&chance) >> (64 - bits)));
}

/* Any finite magnitude but 0. */
static double any(void)
{
    for (;;) {
        double value = fabs(double_of_bits(test_random_u64(&chance)));
        if (isfinite(value) && value != 0.0)
            return value;
    }
}

static void a_power_of_two_ends_its_bucket(void **state)
{
    (void)state;
    assert_int_equal(log2_bucket_index(2.0, 5), 31);
    for (int scale = LOG2_BUCKET_SCALE; scale >= LOG2_BUCKET_SCALE_MIN; scale--) {
        assert_int_equal(log2_bucket_index(1.0, scale), -1);
        for (int exponent = -1074; exponent <= 1023; exponent++) {
            double value = ldexp(1.0, exponent);
            int32_t index = (int32_t)ceil(ldexp(exponent, scale)) - 1;
            assert_int_equal(log2_bucket_index(value, scale), index);
            if (ceil(ldexp(exponent, scale)) == ldexp(exponent, scale))
                assert_true(log2_bucket_bound(index + 1, scale) == value);
        }
    }
}

static void a_bound_is_a_power_of_the_base_rounded_down(void **state)
{
    (void)state;
    for (int32_t k = 0; k < 32; k++) {
        double expected = (double)ldexpl(floorl(ldexpl(exp2l((long double)k / 32), 52)), -52);
        assert_true(log2_bucket_bound(k, 5) == expected);
        assert_true(log2_bucket_bound(k + 1023 * 32, 5) == ldexp(expected, 1023));
        assert_true(log2_bucket_bound(k - 1022 * 32, 5) == ldexp(expected, -1022));
        double subnormal_bound = 0x1p-1074 * floor(ldexp(expected, 20));
        assert_true(log2_bucket_bound(k + (20 - 1074) * 32, 5) == subnormal_bound);
    }
    for (int scale = LOG2_BUCKET_SCALE; scale >= LOG2_BUCKET_SCALE_MIN; scale--) {
        assert_true(log2_bucket_bound(log2_bucket_index(DBL_MAX, scale) + 1, scale) == INFINITY);
        assert_true(log2_bucket_bound(log2_bucket_index(0x1p-1074, scale), scale) == 0.0);
        assert_true(log2_bucket_bound(INT32_MAX, scale) == INFINITY);
        assert_true(log2_bucket_bound(INT32_MIN, scale) == 0.0);
    }
}

static void the_index_is_that_of_the_logarithm(void **state)
{
    (void)state;
    for (int i = 0; i < 200000; i++) {
        double value = i % 4 ? any() : subnormal();
        for (int scale = LOG2_BUCKET_SCALE; scale >= LOG2_BUCKET_SCALE_MIN; scale--) {
            long double exact = ldexpl(log2l((long double)value), scale);
            if (fabsl(exact - roundl(exact)) > 1e-12L)
                assert_int_equal(log2_bucket_index(value, scale), (int32_t)ceill(exact) - 1);
        }
    }
}

static void assert_between_its_bounds(double value, int scale)
{
    if (!(value > 0.0) || !isfinite(value))
        return;
    int32_t index = log2_bucket_index(value, scale);
    if (!(log2_bucket_bound(index, scale) < value && value <= log2_bucket_bound(index + 1, scale)))
        fail_msg("%a is not in bucket %d of scale %d", value, index, scale);
}

static void bounds_and_index_agree_next_to_every_bound(void **state)
{
    (void)state;
    for (int scale = LOG2_BUCKET_SCALE; scale >= LOG2_BUCKET_SCALE_MIN; scale--) {
        int32_t last = log2_bucket_index(DBL_MAX, scale) + 1;
        for (int32_t i = log2_bucket_index(0x1p-1074, scale); i <= last; i++) {
            double bound = log2_bucket_bound(i, scale);
            assert_between_its_bounds(bound, scale);
            assert_between_its_bounds(nextafter(bound, 0.0), scale);
            assert_between_its_bounds(nextafter(bound, INFINITY), scale);
            if (bound >= DBL_MIN && isfinite(bound)) {
                assert_int_equal(log2_bucket_index(bound, scale), i - 1);
                if (bound < DBL_MAX)
                    assert_int_equal(log2_bucket_index(nextafter(bound, INFINITY), scale), i);
            }
        }
    }
}

int main(void)
{
    chance = test_random_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_power_of_two_ends_its_bucket),
        cmocka_unit_test(a_bound_is_a_power_of_the_base_rounded_down),
        cmocka_unit_test(the_index_is_that_of_the_logarithm),
        cmocka_unit_test(bounds_and_index_agree_next_to_every_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
