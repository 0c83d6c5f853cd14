/* Against values themselves: each must be counted in the one bucket whose bounds hold it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bucket_range.h"
#include "test_random.h"

enum { PARTS = 6, VALUES_MAX = 400, WIDTH_MAX = 200 };

static struct test_random chance;

static struct part {
    double values[VALUES_MAX];
    size_t count, left; /* of them, that no bucket was seen to hold */
    struct histogram histogram;
} parts[PARTS];
static size_t part_count;

static int start(void **state)
{
    (void)state;
    chance = test_random_start();
    for (size_t i = 0; i < PARTS; i++)
        histogram_init(&parts[i].histogram);
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (size_t i = 0; i < PARTS; i++)
        histogram_release(&parts[i].histogram);
    return 0;
}

static void fill(struct part *part, const double *values, size_t count)
{
    if (count > 0 && values != part->values)
        memcpy(part->values, values, count * sizeof *values);
    part->count = part->left = count;
    histogram_reset(&part->histogram);
    histogram_add(&part->histogram, values, count);
    assert_false(histogram_failed(&part->histogram));
}

/* 2^low to 2^high. */
static double random_magnitude(double low, double high)
{
    double unit = (double)(test_random_u64(&chance) >> 11) * 0x1p-53;
    return fmin(exp2(low + unit * (high - low)), DBL_MAX);
}

/* Of one sign or both, with zeros or without, near each other or far apart. */
static void fill_all(void)
{
    size_t signs = test_random_below(&chance, 3), zeros = test_random_below(&chance, 2);
    double middle = (double)test_random_below(&chance, 2000) - 1050.0;
    double reach = exp2((double)test_random_below(&chance, 12)) / 64;
    part_count = 1 + test_random_below(&chance, PARTS);
    for (size_t i = 0; i < part_count; i++) {
        double values[VALUES_MAX];
        size_t count = 1 + test_random_below(&chance, VALUES_MAX);
        for (size_t n = 0; n < count; n++) {
            double magnitude = random_magnitude(fmax(middle - reach, -1074), middle + reach);
            bool is_negative = signs == 1 || (signs == 2 && test_random_below(&chance, 2));
            values[n] = is_negative ? -magnitude : magnitude;
            if (zeros && test_random_below(&chance, 10) == 0)
                values[n] = is_negative ? -0.0 : 0.0;
        }
        fill(&parts[i], values, count);
    }
}

static int coarsest_scale(void)
{
    int scale = HISTOGRAM_SCALE;
    for (size_t i = 0; i < part_count; i++)
        scale = parts[i].histogram.scale < scale ? parts[i].histogram.scale : scale;
    return scale;
}

/* By the values alone. */
static size_t width_at(int scale)
{
    int64_t least[2] = {INT32_MAX, INT32_MAX}, greatest[2] = {INT32_MIN, INT32_MIN};
    bool has_zero = false;
    for (size_t i = 0; i < part_count; i++) {
        for (size_t n = 0; n < parts[i].count; n++) {
            double v = parts[i].values[n];
            int64_t index = v != 0.0 ? log2_bucket_index(fabs(v), scale) : 0;
            size_t side = v > 0.0;
            has_zero = has_zero || v == 0.0;
            least[side] = v != 0.0 && index < least[side] ? index : least[side];
            greatest[side] = v != 0.0 && index > greatest[side] ? index : greatest[side];
        }
    }
    bool has[2] = {greatest[0] >= least[0], greatest[1] >= least[1]};
    return (has[0] ? (size_t)(greatest[0] - least[0] + 1) : 0) +
           (has[1] ? (size_t)(greatest[1] - least[1] + 1) : 0) + (has_zero || (has[0] && has[1]));
}

static size_t negative_width(const struct bucket_range *range)
{
    const struct bucket_side *side = &range->negative;
    return side->is_occupied ? (size_t)(side->greatest - side->least) + 1 : 0;
}

/* Its magnitudes are above the bound next to zero; what lies between the signs includes both. */
static bool holds(const struct bucket_range *range, size_t i, double v)
{
    double lower, upper;
    bool has_middle =
        range->has_zero || (range->negative.is_occupied && range->positive.is_occupied);
    bucket_range_bounds(range, i, &lower, &upper);
    if (i < negative_width(range))
        return v >= lower && v < upper;
    if (has_middle && i == negative_width(range))
        return v >= lower && v <= upper;
    return v > lower && v <= upper;
}

static void check_bounds(const struct bucket_range *range)
{
    double end = -INFINITY;
    for (size_t i = 0; i < bucket_range_width(range); i++) {
        double lower, upper;
        bucket_range_bounds(range, i, &lower, &upper);
        assert_true(isfinite(lower) && isfinite(upper) && lower <= upper);
        assert_false((lower == 0.0 && signbit(lower)) || (upper == 0.0 && signbit(upper)));
        assert_true(i == 0 || lower == end);
        end = upper;
    }
}

static void check_counts(const struct bucket_range *range, struct part *part)
{
    uint64_t counts[WIDTH_MAX];
    histogram_coarsen(&part->histogram, range->scale);
    bucket_range_count(range, &part->histogram, counts);
    for (size_t i = 0; i < bucket_range_width(range); i++) {
        uint64_t expected = 0;
        for (size_t n = 0; n < part->count; n++)
            expected += holds(range, i, part->values[n]);
        if (counts[i] != expected)
            fail_msg("bucket %zu at scale %d: %llu, not %llu", i, range->scale,
                     (unsigned long long)counts[i], (unsigned long long)expected);
        part->left -= (size_t)expected;
    }
    assert_int_equal(part->left, 0);
}

static void include_all(struct bucket_range *range, size_t width_max)
{
    bucket_range_init(range);
    for (size_t i = 0; i < part_count; i++)
        bucket_range_include(range, &parts[i].histogram, width_max);
}

static void every_value_is_counted_in_the_bucket_that_holds_it(void **state)
{
    (void)state;
    for (int round = 0; round < 1000; round++) {
        struct bucket_range range;
        size_t width_max = BUCKET_RANGE_WIDTH_MIN +
                           test_random_below(&chance, WIDTH_MAX + 1 - BUCKET_RANGE_WIDTH_MIN);
        fill_all();
        include_all(&range, width_max);
        assert_true(bucket_range_width(&range) <= width_max);
        check_bounds(&range);
        for (size_t i = 0; i < part_count; i++)
            check_counts(&range, &parts[i]);
    }
}

static void buckets_are_as_fine_as_their_number_allows(void **state)
{
    (void)state;
    for (int round = 0; round < 1000; round++) {
        struct bucket_range range;
        size_t width_max = BUCKET_RANGE_WIDTH_MIN + test_random_below(&chance, 60);
        fill_all();
        int scale = coarsest_scale();
        include_all(&range, width_max);
        assert_int_equal(bucket_range_width(&range), width_at(range.scale));
        assert_true(range.scale <= scale);
        assert_true(range.scale == scale || width_at(range.scale + 1) > width_max);
    }
}

static void the_order_does_not_matter(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        struct bucket_range forward, backward;
        size_t width_max = BUCKET_RANGE_WIDTH_MIN + test_random_below(&chance, 60);
        fill_all();
        include_all(&forward, width_max);
        for (size_t i = 0; i < part_count; i++)
            fill(&parts[i], parts[i].values, parts[i].count);
        bucket_range_init(&backward);
        for (size_t i = part_count; i > 0; i--)
            bucket_range_include(&backward, &parts[i - 1].histogram, width_max);
        assert_int_equal(forward.scale, backward.scale);
        assert_int_equal(bucket_range_width(&forward), bucket_range_width(&backward));
        for (size_t i = 0; i < bucket_range_width(&forward); i++) {
            double a[2], b[2];
            bucket_range_bounds(&forward, i, &a[0], &a[1]);
            bucket_range_bounds(&backward, i, &b[0], &b[1]);
            assert_memory_equal(a, b, sizeof a);
        }
    }
}

static void seven_hold_all_doubles(void **state)
{
    (void)state;
    static const double all[] = {-DBL_MAX, -1.0, -0x1p-1074, 0.0, 0x1p-1074, 1.0, DBL_MAX};
    struct bucket_range range;
    part_count = 1;
    fill(&parts[0], all, 7);
    include_all(&range, BUCKET_RANGE_WIDTH_MIN);
    assert_true(bucket_range_width(&range) <= BUCKET_RANGE_WIDTH_MIN);
    check_bounds(&range);
    check_counts(&range, &parts[0]);
    double lower, upper;
    bucket_range_bounds(&range, 0, &lower, &upper);
    assert_true(lower == -DBL_MAX);
    bucket_range_bounds(&range, bucket_range_width(&range) - 1, &lower, &upper);
    assert_true(upper == DBL_MAX);
}

static void what_holds_nothing_has_no_buckets(void **state)
{
    (void)state;
    struct bucket_range range;
    bucket_range_init(&range);
    assert_int_equal(bucket_range_width(&range), 0);
    assert_int_equal(range.scale, HISTOGRAM_SCALE);
    fill(&parts[0], NULL, 0);
    bucket_range_include(&range, &parts[0].histogram, BUCKET_RANGE_WIDTH_MIN);
    assert_int_equal(bucket_range_width(&range), 0);
}

static void between_the_signs_lies_one_bucket(void **state)
{
    (void)state;
    static const struct {
        double values[2];
        size_t width;
    } rows[] = {{{0.0, -0.0}, 1}, {{-1.0, -1.0}, 1}, {{1.0, 1.0}, 1},
                {{-1.0, 1.0}, 3}, {{0.0, 1.0}, 2},   {{-1.0, 0.0}, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bucket_range range;
        part_count = 1;
        fill(&parts[0], rows[i].values, 2);
        include_all(&range, WIDTH_MAX);
        assert_int_equal(bucket_range_width(&range), rows[i].width);
        check_bounds(&range);
        check_counts(&range, &parts[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_is_counted_in_the_bucket_that_holds_it),
        cmocka_unit_test(buckets_are_as_fine_as_their_number_allows),
        cmocka_unit_test(the_order_does_not_matter),
        cmocka_unit_test(seven_hold_all_doubles),
        cmocka_unit_test(what_holds_nothing_has_no_buckets),
        cmocka_unit_test(between_the_signs_lies_one_bucket),
    };
    return cmocka_run_group_tests_name("bucket_range", tests, start, end);
}
