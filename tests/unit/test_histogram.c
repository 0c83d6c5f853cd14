#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "heap_slice.h"
#include "histogram.h"
#include "packed.h"
#include "test_random.h"

enum { VALUES_MAX = 6000, HEADER_BYTES = 8 };

static struct test_random chance;

/* --- Memory that runs out. A sanitizer brings an allocator of its own ---------------- */

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define REALLOC_CAN_FAIL

static unsigned calls_left; /* 0: none will fail */

extern void *__libc_realloc(void *old, size_t bytes);

void *realloc(void *old, size_t bytes)
{
    return calls_left > 0 && --calls_left == 0 ? NULL : __libc_realloc(old, bytes);
}
#endif

/* --- Values -------------------------------------------------------------------------- */

/* Within (0, 1). */
static double random_unit(void)
{
    return ((double)(test_random_u64(&chance) >> 11) + 0.5) * 0x1p-53;
}

static double random_sign(void)
{
    return test_random_below(&chance, 2) ? 1.0 : -1.0;
}

static double uniform(void)
{
    return 1000.0 * random_unit();
}

static double normal(void)
{
    return sqrt(-2.0 * log(random_unit())) * cos(6.283185307179586 * random_unit());
}

static double normal_around_twenty(void)
{
    return 20.0 + normal();
}

static double lognormal(void)
{
    return exp(2.0 * normal());
}

static double pareto(void)
{
    return pow(random_unit(), -1.0 / 1.2);
}

static double exponential(void)
{
    return -0.25 * log(random_unit());
}

static double constant(void)
{
    return 21.7;
}

static double two_valued(void)
{
    return test_random_below(&chance, 10) ? -0.001 : 1e9;
}

static double integer(void)
{
    return (double)test_random_below(&chance, 100) - 30.0;
}

static double mostly_zero(void)
{
    size_t which = test_random_below(&chance, 5);
    return which == 0 ? normal() : which == 1 ? -0.0 : 0.0;
}

static double power_of_two(void)
{
    return random_sign() * ldexp(1.0, (int)test_random_below(&chance, 20) - 10);
}

static double subnormal(void)
{
    size_t bits = 1 + test_random_below(&chance, 52);
    return random_sign() * 0x1p-1074 * (double)(1 + (test_random_u64(&chance) >> (64 - bits)));
}

/* Any finite double but 0. */
static double any(void)
{
    for (;;) {
        uint64_t bits = test_random_u64(&chance);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value) && value != 0.0)
            return value;
    }
}

static double (*const distributions[])(void) = {
    uniform,    normal,  normal_around_twenty, lognormal,    pareto,    exponential, constant,
    two_valued, integer, mostly_zero,          power_of_two, subnormal, any,
};
enum { DISTRIBUTIONS = sizeof distributions / sizeof *distributions };

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Of one of the distributions, or of two of them. */
static size_t random_values(double *values, size_t max)
{
    double (*const one)(void) = distributions[test_random_below(&chance, DISTRIBUTIONS)];
    double (*const other)(void) = test_random_below(&chance, 3)
                                      ? one
                                      : distributions[test_random_below(&chance, DISTRIBUTIONS)];
    size_t count = 1 + test_random_below(&chance, test_random_below(&chance, 2) ? max : 30);
    for (size_t i = 0; i < count; i++)
        values[i] = test_random_below(&chance, 2) ? one() : other();
    return count;
}

static void shuffle(double *values, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = test_random_below(&chance, i);
        double kept = values[i - 1];
        values[i - 1] = values[j];
        values[j] = kept;
    }
}

static struct histogram histogram_of(const double *values, size_t count)
{
    struct histogram h;
    histogram_init(&h);
    histogram_add(&h, values, count);
    assert_false(histogram_failed(&h));
    return h;
}

static struct slice pack_to_heap(const struct histogram *h)
{
    static unsigned char out[HISTOGRAM_PACKED_BYTES_MAX];
    size_t len = histogram_pack(h, out);
    assert_in_range(len, HEADER_BYTES + 3, sizeof out);
    return heap_slice_new(out, len);
}

static void assert_same(const struct histogram *a, const struct histogram *b)
{
    assert_int_equal(a->scale, b->scale);
    struct slice packed_a = pack_to_heap(a), packed_b = pack_to_heap(b);
    assert_true(slice_equals(packed_a, packed_b));
    heap_slice_free(packed_a);
    heap_slice_free(packed_b);
}

/* --- Buckets ------------------------------------------------------------------------- */

static void buckets_count_their_values(void **state)
{
    (void)state;
    static double values[VALUES_MAX];
    for (int round = 0; round < 60; round++) {
        size_t count = random_values(values, VALUES_MAX);
        struct histogram h = histogram_of(values, count);
        qsort(values, count, sizeof *values, compare_doubles);
        size_t at = 0;
        for (size_t i = h.negative.count; i-- > 0;) {
            for (uint64_t n = 0; n < h.negative.buckets[i].count; n++, at++)
                assert_true(values[at] < 0 &&
                            log2_bucket_index(-values[at], h.scale) == h.negative.buckets[i].index);
        }
        for (uint64_t n = 0; n < h.zero_count; n++, at++)
            assert_true(values[at] == 0);
        for (size_t i = 0; i < h.positive.count; i++) {
            for (uint64_t n = 0; n < h.positive.buckets[i].count; n++, at++)
                assert_true(values[at] > 0 &&
                            log2_bucket_index(values[at], h.scale) == h.positive.buckets[i].index);
        }
        assert_int_equal(at, count);
        assert_int_equal(histogram_count(&h), count);
        histogram_release(&h);
    }
}

/* --- Answers ------------------------------------------------------------------------- */

static void assert_within_error(const struct histogram *h, double actual, double expected)
{
    long double off = fabsl((long double)actual - expected);
    if (off > fabsl(histogram_error(h) * (1.0L + 1e-12L) * expected) + 0x1p-1075L)
        fail_msg("%.17g instead of %.17g at scale %d", actual, expected, h->scale);
}

static void assert_quantiles_hold(const double *values, size_t count)
{
    static double sorted[VALUES_MAX];
    memcpy(sorted, values, count * sizeof *values);
    qsort(sorted, count, sizeof *sorted, compare_doubles);
    double min = sorted[0], max = sorted[count - 1];
    struct histogram h = histogram_of(values, count);
    for (int i = 0; i < 300; i++) {
        static const uint32_t usual[] = {0, 10, 50, 250, 290, 500, 900, 950, 990, 999, 1000};
        enum { USUAL = sizeof usual / sizeof *usual, PER_MILLE = QUANTILE_ONE / 1000 };
        uint32_t q = i < USUAL ? usual[i] * PER_MILLE
                               : (uint32_t)test_random_below(&chance, QUANTILE_ONE + 1);
        double actual = histogram_quantile(&h, q, min, max);
        assert_true(actual >= min && actual <= max);
        assert_within_error(&h, actual, sorted[q * (count - 1) / QUANTILE_ONE]);
    }
    assert_true(histogram_quantile(&h, 0, min, max) == min);
    assert_true(histogram_quantile(&h, QUANTILE_ONE, min, max) == max);
    histogram_release(&h);
}

static void a_quantile_is_within_the_error(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 10, 101, 2049, VALUES_MAX};
    static double values[VALUES_MAX];
    for (size_t d = 0; d < DISTRIBUTIONS; d++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            for (size_t i = 0; i < sizes[s]; i++)
                values[i] = distributions[d]();
            assert_quantiles_hold(values, sizes[s]);
        }
    }
    for (int round = 0; round < 60; round++)
        assert_quantiles_hold(values, random_values(values, VALUES_MAX));
}

static void the_error_is_known(void **state)
{
    (void)state;
    struct histogram h;
    histogram_init(&h);
    assert_true(fabs(histogram_error(&h) - 0.010830) < 1e-6);
    h.scale = 0;
    assert_true(fabs(histogram_error(&h) - 1.0 / 3.0) < 1e-15);
    h.scale = HISTOGRAM_SCALE_MIN;
    assert_true(histogram_error(&h) == 1.0);
}

static void the_outermost_buckets_are_estimated(void **state)
{
    (void)state;
    const double values[] = {-DBL_MAX, -DBL_MAX, -0x1p-1074, 0x1p-1074, DBL_MAX, DBL_MAX};
    struct histogram h = histogram_of(values, 6);
    for (; h.scale >= HISTOGRAM_SCALE_MIN; h.scale--) {
        for (size_t i = 1; i < 5; i++) {
            uint32_t q = (uint32_t)i * (QUANTILE_ONE / 5);
            assert_within_error(&h, histogram_quantile(&h, q, -DBL_MAX, DBL_MAX), values[i]);
        }
        h.positive.buckets[0].index >>= 1;
        h.positive.buckets[1].index >>= 1;
        h.negative.buckets[0].index >>= 1;
        h.negative.buckets[1].index >>= 1;
    }
    histogram_release(&h);
}

static void nothing_has_quantiles_of_zero(void **state)
{
    (void)state;
    struct histogram h = histogram_of(NULL, 0);
    assert_int_equal(histogram_count(&h), 0);
    assert_true(histogram_quantile(&h, QUANTILE_ONE / 2, 1.0, 2.0) == 0.0);
    uint64_t at_least = 1, at_most = 1;
    histogram_below(&h, 5.0, &at_least, &at_most);
    assert_int_equal(at_least, 0);
    assert_int_equal(at_most, 0);
    histogram_release(&h);
}

/* `values`, each 2^doublings times. */
static struct histogram doubled(const double *values, size_t count, int doublings)
{
    struct histogram h = histogram_of(values, count), copy;
    histogram_init(&copy);
    for (int i = 0; i < doublings; i++) {
        histogram_reset(&copy);
        histogram_merge(&copy, &h);
        histogram_merge(&h, &copy);
    }
    histogram_release(&copy);
    return h;
}

static void a_percentile_of_101_values_is_one_of_them(void **state)
{
    (void)state;
    double values[101];
    for (int i = 0; i <= 100; i++)
        values[i] = pow(1.1, i);
    struct histogram h = histogram_of(values, 101);
    for (uint32_t p = 0; p <= 100; p++) {
        uint32_t q = p * (QUANTILE_ONE / 100);
        assert_within_error(&h, histogram_quantile(&h, q, values[0], values[100]), values[p]);
    }
    histogram_release(&h);
}

/* Has the value at quantile `q` a rank below `split`? `h` has two buckets, 1 and 8. */
static bool is_below(struct histogram *h, uint32_t q, uint64_t count, uint64_t split)
{
    h->positive.buckets[0].count = split;
    h->positive.buckets[1].count = count - split;
    return histogram_quantile(h, q, 1.0, 8.0) < 4.0;
}

__extension__ typedef unsigned __int128 u128;

static void assert_rank(struct histogram *h, uint32_t q, uint64_t count)
{
    uint64_t rank = (uint64_t)((u128)q * (count - 1) / QUANTILE_ONE);
    if ((rank > 0 && is_below(h, q, count, rank)) ||
        (rank < count - 1 && !is_below(h, q, count, rank + 1)))
        fail_msg("quantile %u of %llu is not at rank %llu", q, (unsigned long long)count,
                 (unsigned long long)rank);
}

static void ranks_are_those_of_whole_numbers(void **state)
{
    (void)state;
    static const double values[] = {1.0, 8.0};
    struct histogram h = histogram_of(values, 2);
    for (uint64_t count = 1; count <= 3001; count++) {
        for (uint32_t tenths = 0; tenths <= 1000; tenths++)
            assert_rank(&h, tenths * (QUANTILE_ONE / 1000), count);
    }
    for (int bits = 0; bits < 63; bits++) {
        for (uint32_t tenths = 0; tenths <= 1000; tenths++) {
            assert_rank(&h, tenths * (QUANTILE_ONE / 1000), (UINT64_C(1) << bits) + 1);
            assert_rank(&h, tenths * (QUANTILE_ONE / 1000), (UINT64_C(2) << bits) - 1);
        }
    }
    for (int i = 0; i < 100000; i++) {
        uint64_t count = test_random_u64(&chance) >> (1 + test_random_below(&chance, 63));
        uint32_t q = (uint32_t)test_random_below(&chance, QUANTILE_ONE + 1);
        assert_rank(&h, q, count > 0 ? count : 1);
        assert_rank(&h, q, INT64_MAX);
    }
    histogram_release(&h);
}

static void ranks_hold_for_huge_counts(void **state)
{
    (void)state;
    const double values[] = {-1.0, 0.0, 1.0, 8.0};
    struct histogram h = doubled(values, 4, 60);
    assert_false(histogram_failed(&h));
    assert_int_equal(histogram_count(&h), UINT64_C(1) << 62);
    assert_within_error(&h, histogram_quantile(&h, QUANTILE_ONE / 4, -1.0, 8.0), -1.0);
    assert_true(histogram_quantile(&h, QUANTILE_ONE / 4 + 1, -1.0, 8.0) == 0.0);
    assert_true(histogram_quantile(&h, QUANTILE_ONE / 2, -1.0, 8.0) == 0.0);
    assert_within_error(&h, histogram_quantile(&h, QUANTILE_ONE / 2 + 1, -1.0, 8.0), 1.0);
    assert_within_error(&h, histogram_quantile(&h, QUANTILE_ONE - 1, -1.0, 8.0), 8.0);
    assert_true(histogram_quantile(&h, QUANTILE_ONE, -1.0, 8.0) == 8.0);
    histogram_release(&h);
}

/* The lowest and the highest double that share a bucket with `value`. */
static void doubles_around(double value, int scale, double *lowest, double *highest)
{
    *lowest = *highest = value;
    if (value == 0.0)
        return;
    int32_t index = log2_bucket_index(fabs(value), scale);
    double low = nextafter(log2_bucket_bound(index, scale), INFINITY);
    double high = log2_bucket_bound(index + 1, scale);
    *lowest = value > 0.0 ? low : -high;
    *highest = value > 0.0 ? high : -low;
}

static void assert_below_holds(const struct histogram *h, const double *values, size_t count,
                               double limit)
{
    uint64_t surely = 0, maybe = 0, truly = 0, at_least, at_most;
    for (size_t i = 0; i < count; i++) {
        double lowest, highest;
        doubles_around(values[i], h->scale, &lowest, &highest);
        surely += highest < limit;
        maybe += lowest < limit;
        truly += values[i] < limit;
    }
    histogram_below(h, limit, &at_least, &at_most);
    assert_int_equal(at_least, surely);
    assert_int_equal(at_most, maybe);
    assert_true(at_least <= truly && truly <= at_most);
}

static void what_is_below_is_bounded_from_both_sides(void **state)
{
    (void)state;
    static double values[500];
    for (int round = 0; round < 150; round++) {
        size_t count = random_values(values, 500);
        struct histogram h = histogram_of(values, count);
        const double limits[] = {
            0.0,   -0.0,      1.0,        -1.0,  nextafter(1.0, 2.0), nextafter(-1.0, 0.0),
            1e300, 0x1p-1074, -0x1p-1074, -2e300};
        for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
            assert_below_holds(&h, values, count, limits[i]);
        for (int i = 0; i < 30; i++) {
            double value = values[test_random_below(&chance, count)], lowest, highest;
            doubles_around(value, h.scale, &lowest, &highest);
            const double near[] = {value, lowest, highest, nextafter(lowest, -INFINITY),
                                   nextafter(highest, INFINITY)};
            double limit = near[test_random_below(&chance, 5)];
            if (isfinite(limit))
                assert_below_holds(&h, values, count, limit);
        }
        histogram_release(&h);
    }
}

/* --- Merging ------------------------------------------------------------------------- */

static void merging_parts_equals_adding_at_once(void **state)
{
    (void)state;
    enum { PARTS_MAX = 12 };
    static double values[VALUES_MAX];
    for (int round = 0; round < 200; round++) {
        size_t count = random_values(values, VALUES_MAX);
        struct histogram whole = histogram_of(values, count);
        struct histogram parts[PARTS_MAX];
        size_t part_count = 1 + test_random_below(&chance, PARTS_MAX);
        for (size_t i = 0; i < part_count; i++)
            histogram_init(&parts[i]);
        shuffle(values, count);
        for (size_t at = 0; at < count;) {
            size_t n = 1 + test_random_below(&chance, test_random_below(&chance, 3) ? 20 : count);
            n = n < count - at ? n : count - at;
            histogram_add(&parts[test_random_below(&chance, part_count)], values + at, n);
            at += n;
        }
        for (; part_count > 1; part_count--) {
            size_t into = test_random_below(&chance, part_count - 1);
            histogram_merge(&parts[into], &parts[part_count - 1]);
            histogram_release(&parts[part_count - 1]);
        }
        assert_same(&parts[0], &whole);
        histogram_release(&parts[0]);
        histogram_release(&whole);
    }
}

static void merging_takes_the_coarser_scale(void **state)
{
    (void)state;
    static double wide[4000];
    for (size_t i = 0; i < 4000; i++)
        wide[i] = any();
    struct histogram coarse = histogram_of(wide, 4000), fine = histogram_of(NULL, 0), copy = fine;
    static const double few[] = {1.0, 1.0001, 3.0, 3.02, 3.1, -7.0, 0.0};
    histogram_add(&fine, few, 7);
    histogram_merge(&copy, &coarse);
    assert_same(&copy, &coarse);
    assert_true(coarse.scale < HISTOGRAM_SCALE);
    histogram_merge(&copy, &fine);
    histogram_merge(&fine, &coarse);
    histogram_add(&coarse, few, 7);
    assert_same(&copy, &coarse);
    assert_same(&fine, &coarse);
    assert_int_equal(histogram_count(&fine), 4007);
    histogram_release(&coarse);
    histogram_release(&fine);
    histogram_release(&copy);
}

static size_t count_of_bucket(const double *values, size_t count, bool is_negative, int32_t index,
                              int scale)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += values[i] != 0.0 && (values[i] < 0.0) == is_negative &&
                 log2_bucket_index(fabs(values[i]), scale) == index;
    return found;
}

static void assert_side_is_of_scale(const struct histogram_side *side, bool is_negative, int scale,
                                    const double *values, size_t count)
{
    for (size_t i = 0; i < side->count; i++) {
        struct histogram_bucket b = side->buckets[i];
        assert_true(i == 0 || side->buckets[i - 1].index < b.index);
        assert_int_equal(b.count, count_of_bucket(values, count, is_negative, b.index, scale));
    }
}

static void coarsening_equals_building_at_that_scale(void **state)
{
    (void)state;
    static double values[600];
    for (int i = 0; i < 400; i++) {
        size_t count = random_values(values, 600);
        struct histogram h = histogram_of(values, count);
        int scale = HISTOGRAM_SCALE_MIN + (int)test_random_below(&chance, 16), before = h.scale;
        histogram_coarsen(&h, scale);
        assert_int_equal(h.scale, scale < before ? scale : before);
        assert_int_equal(histogram_count(&h), count);
        assert_side_is_of_scale(&h.positive, false, h.scale, values, count);
        assert_side_is_of_scale(&h.negative, true, h.scale, values, count);
        histogram_release(&h);
    }
}

/* As many values as there may be buckets, each in its own, and one more. */
static void make_neighbours(double *values, size_t negatives)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS_MAX + 1; i++) {
        bool is_negative = i < negatives;
        double bound = log2_bucket_bound((int32_t)(is_negative ? i : i - negatives) - 500, 5);
        values[i] = is_negative ? -bound : bound;
    }
}

static void one_bucket_too_many_costs_a_scale(void **state)
{
    (void)state;
    static double values[HISTOGRAM_BUCKETS_MAX + 1];
    for (size_t negatives = 0; negatives <= HISTOGRAM_BUCKETS_MAX; negatives += 512) {
        make_neighbours(values, negatives);
        struct histogram h = histogram_of(values, HISTOGRAM_BUCKETS_MAX);
        assert_int_equal(h.scale, HISTOGRAM_SCALE);
        assert_int_equal(h.positive.count + h.negative.count, HISTOGRAM_BUCKETS_MAX);
        histogram_add(&h, values, HISTOGRAM_BUCKETS_MAX);
        assert_int_equal(h.scale, HISTOGRAM_SCALE);
        histogram_add(&h, values + HISTOGRAM_BUCKETS_MAX, 1);
        assert_int_equal(h.scale, HISTOGRAM_SCALE - 1);
        assert_in_range(h.positive.count + h.negative.count, HISTOGRAM_BUCKETS_MAX / 2,
                        HISTOGRAM_BUCKETS_MAX / 2 + 2);
        assert_int_equal(histogram_count(&h), 2 * HISTOGRAM_BUCKETS_MAX + 1);
        double base = exp2(1.0 / 16.0);
        assert_true(fabs(histogram_error(&h) - (base - 1) / (base + 1)) < 1e-15);
        histogram_release(&h);
        assert_quantiles_hold(values, HISTOGRAM_BUCKETS_MAX + 1);
    }
}

static void counts_that_do_not_fit_are_a_failure(void **state)
{
    (void)state;
    const double values[] = {0.0, 1.0};
    struct histogram h = doubled(values, 2, 61), most = doubled(values, 1, 62);
    assert_int_equal(histogram_count(&h), UINT64_C(1) << 62);
    assert_int_equal(histogram_count(&most), UINT64_C(1) << 62);
    most.zero_count--;
    histogram_merge(&h, &most);
    assert_false(histogram_failed(&h));
    assert_int_equal(histogram_count(&h), INT64_MAX);
    histogram_add(&h, values, 1);
    assert_true(histogram_failed(&h));
    histogram_release(&h);
    histogram_release(&most);
}

/* --- Packed form --------------------------------------------------------------------- */

static void the_packed_form_is_as_described(void **state)
{
    (void)state;
    unsigned char expected[] = {
        1,    69,   25,   0, 0, 0, 0, 0, /* version, scale, length, seal */
        1,    3,                         /* zeros, positive buckets */
        1,    0x81, 0x01,                /* 1.0 is in -1, 129 times */
        64,   1,                         /* 2.0 is 32 on, in 31 */
        0x80, 0x08, 1,                   /* 2^17 is 512 on, in 543 */
        2,    0x81, 0x04, 1,             /* negative buckets; -2^-8 is in -257 */
        0x80, 0x04, 1,                   /* -1.0 is 256 on, in -1 */
    };
    packed_seal(expected, sizeof expected);
    static const double values[] = {2.0, 0x1p17, -1.0, -0x1p-8, 0.0}, one = 1.0;
    struct histogram h = histogram_of(values, 5);
    for (int i = 0; i < 129; i++)
        histogram_add(&h, &one, 1);
    struct slice packed = pack_to_heap(&h);
    assert_int_equal(packed.len, sizeof expected);
    assert_memory_equal(packed.ptr, expected, sizeof expected);
    heap_slice_free(packed);
    histogram_release(&h);
}

static bool is_empty(const struct histogram *h)
{
    return histogram_count(h) == 0 && h->positive.count == 0 && h->negative.count == 0;
}

static void packs_and_unpacks(void **state)
{
    (void)state;
    static double values[VALUES_MAX];
    struct histogram out;
    histogram_init(&out);
    for (int round = 0; round < 200; round++) {
        struct histogram h = histogram_of(values, round ? random_values(values, VALUES_MAX) : 0);
        struct slice packed = pack_to_heap(&h);
        assert_true(histogram_unpack(packed, &out));
        assert_int_equal(histogram_count(&out), histogram_count(&h));
        assert_same(&out, &h);
        heap_slice_free(packed);
        histogram_release(&h);
    }
    histogram_release(&out);
}

/* Every bucket far from the one before where it may, and with as high a count as all can have. */
static void the_worst_case_fits(void **state)
{
    (void)state;
    enum { DOUBLINGS = 51 };
    static double values[HISTOGRAM_BUCKETS_MAX];
    for (size_t i = 0; i < HISTOGRAM_BUCKETS_MAX; i++)
        values[i] = (i % 2 ? 1.0 : -1.0) * ldexp(1.0, (int)(i / 2) - 500);
    struct histogram h = doubled(values, HISTOGRAM_BUCKETS_MAX, DOUBLINGS), out;
    struct slice packed = pack_to_heap(&h);
    histogram_init(&out);
    assert_int_equal(h.scale, HISTOGRAM_SCALE);
    assert_true(packed.len > (size_t)HISTOGRAM_BUCKETS_MAX * 9);
    assert_true(histogram_unpack(packed, &out));
    assert_same(&out, &h);
    heap_slice_free(packed);
    histogram_release(&h);
    histogram_release(&out);
}

static void assert_refused(const void *bytes, size_t len)
{
    static const double value = 5.0;
    struct histogram h = histogram_of(&value, 1);
    struct slice packed = heap_slice_new(bytes, len);
    if (histogram_unpack(packed, &h))
        fail_msg("%zu bytes were taken", len);
    assert_true(is_empty(&h));
    assert_false(histogram_failed(&h));
    assert_true(h.positive.capacity <= 1 || h.positive.capacity <= len / 2);
    assert_true(h.negative.capacity <= len / 2);
    heap_slice_free(packed);
    histogram_release(&h);
}

static void any_damage_is_refused(void **state)
{
    (void)state;
    static double values[200];
    for (size_t i = 0; i < 200; i++)
        values[i] = mostly_zero();
    struct histogram h = histogram_of(values, 200);
    unsigned char bytes[HISTOGRAM_PACKED_BYTES_MAX + 1];
    size_t len = histogram_pack(&h, bytes);
    for (size_t i = 0; i < len; i++) {
        assert_refused(bytes, i);
        for (unsigned flip = 1; flip < 256; flip++) {
            bytes[i] ^= (unsigned char)flip;
            assert_refused(bytes, len);
            bytes[i] ^= (unsigned char)flip;
        }
    }
    bytes[len] = 0;
    assert_refused(bytes, len + 1);
    histogram_release(&h);
}

static void seal(unsigned char *bytes, size_t len)
{
    packed_put_u16(bytes + 2, (uint16_t)len);
    packed_seal(bytes, len);
}

/* The packed form of these numbers, properly sealed. */
static size_t pack_numbers(int scale, const uint64_t *numbers, size_t count, unsigned char *out)
{
    size_t len = HEADER_BYTES;
    for (size_t i = 0; i < count; i++) {
        uint64_t rest = numbers[i];
        for (; rest >= 0x80; rest >>= 7)
            out[len++] = (unsigned char)(rest | 0x80);
        out[len++] = (unsigned char)rest;
    }
    out[0] = HISTOGRAM_VERSION;
    out[1] = (unsigned char)(scale + 64);
    seal(out, len);
    return len;
}

static bool is_taken(int scale, const uint64_t *numbers, size_t count)
{
    static unsigned char bytes[HISTOGRAM_PACKED_BYTES_MAX * 2];
    size_t len = pack_numbers(scale, numbers, count, bytes);
    struct slice packed = heap_slice_new(bytes, len);
    struct histogram h;
    histogram_init(&h);
    bool taken = histogram_unpack(packed, &h);
    heap_slice_free(packed);
    histogram_release(&h);
    if (!taken)
        assert_refused(bytes, len);
    return taken;
}

#define IS_TAKEN(scale, ...)                                                                       \
    is_taken(scale, (const uint64_t[]){__VA_ARGS__},                                               \
             sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static void nonsense_under_a_good_seal_is_refused(void **state)
{
    (void)state;
    const uint64_t most = INT64_MAX;
    assert_true(IS_TAKEN(5, 0, 0, 0));
    assert_false(IS_TAKEN(6, 0, 0, 0));
    assert_true(IS_TAKEN(-10, 0, 0, 0));
    assert_false(IS_TAKEN(-11, 0, 0, 0));
    assert_false(IS_TAKEN(5, 0, 0));
    assert_false(IS_TAKEN(5, 0, 0, 0, 0));
    /* counts: of none, and in all */
    assert_false(IS_TAKEN(5, 0, 1, 0, 0, 0));
    assert_true(IS_TAKEN(5, most, 0, 0));
    assert_false(IS_TAKEN(5, most + 1, 0, 0));
    assert_true(IS_TAKEN(5, 1, 1, 0, most - 2, 1, 0, 1));
    assert_false(IS_TAKEN(5, 1, 1, 0, most - 2, 1, 0, 2));
    assert_false(IS_TAKEN(5, 1, 1, 0, UINT64_MAX, 0));
    /* order */
    assert_true(IS_TAKEN(5, 0, 2, 8, 1, 2, 1, 0));
    assert_false(IS_TAKEN(5, 0, 2, 8, 1, 0, 1, 0));
    assert_false(IS_TAKEN(5, 0, 2, 8, 1, 1, 1, 0));
    /* indices of doubles: -34369 to 32767, at scale 0 -1075 to 1023 */
    assert_true(IS_TAKEN(5, 0, 2, 68737, 1, 2 * 67136, 1, 0));
    assert_false(IS_TAKEN(5, 0, 2, 68737, 1, 2 * 67137, 1, 0));
    assert_false(IS_TAKEN(5, 0, 1, 68739, 1, 0));
    assert_true(IS_TAKEN(0, 0, 0, 2, 2149, 1, 2 * 2098, 1));
    assert_false(IS_TAKEN(0, 0, 0, 1, 2048, 1));
    assert_false(IS_TAKEN(0, 0, 0, 1, 2151, 1));
    assert_false(IS_TAKEN(5, 0, 1, UINT64_C(1) << 33, 1, 0));
    assert_false(IS_TAKEN(5, 0, 1, UINT64_MAX, 1, 0));
    assert_false(IS_TAKEN(5, 0, 2, 8, 1, UINT64_MAX - 1, 1, 0));
    /* more buckets than there are bytes for */
    assert_false(IS_TAKEN(5, 0, 3, 0, 1, 0));
    assert_false(IS_TAKEN(5, 0, 2048, 0, 1, 0));
    assert_false(IS_TAKEN(5, 0, UINT64_MAX, 0, 1, 0));
}

static void another_version_or_length_is_refused(void **state)
{
    (void)state;
    unsigned char bytes[HEADER_BYTES + 3];
    size_t len = pack_numbers(5, (const uint64_t[]){0, 0, 0}, 3, bytes);
    bytes[0]++;
    seal(bytes, len);
    assert_refused(bytes, len);
    bytes[0]--;
    bytes[2]++;
    packed_seal(bytes, len);
    assert_refused(bytes, len);
}

/* `positives` buckets and `negatives`, all next to each other. */
static bool takes_buckets(size_t positives, size_t negatives)
{
    static uint64_t numbers[3 + 2 * (HISTOGRAM_BUCKETS_MAX + 1)];
    size_t at = 0;
    numbers[at++] = 0;
    numbers[at++] = positives;
    for (size_t i = 0; i < positives; i++, at += 2) {
        numbers[at] = 2;
        numbers[at + 1] = 1;
    }
    numbers[at++] = negatives;
    for (size_t i = 0; i < negatives; i++, at += 2) {
        numbers[at] = 2;
        numbers[at + 1] = 1;
    }
    return is_taken(5, numbers, at);
}

static void more_buckets_than_there_may_be_are_refused(void **state)
{
    (void)state;
    assert_true(takes_buckets(HISTOGRAM_BUCKETS_MAX, 0));
    assert_true(takes_buckets(0, HISTOGRAM_BUCKETS_MAX));
    assert_true(takes_buckets(1000, HISTOGRAM_BUCKETS_MAX - 1000));
    assert_false(takes_buckets(HISTOGRAM_BUCKETS_MAX + 1, 0));
    assert_false(takes_buckets(0, HISTOGRAM_BUCKETS_MAX + 1));
    assert_false(takes_buckets(1001, HISTOGRAM_BUCKETS_MAX - 1000));
}

static void a_longer_form_of_a_number_is_refused(void **state)
{
    (void)state;
    unsigned char bytes[32] = {HISTOGRAM_VERSION, 69};
    static const unsigned char forms[][13] = {
        {0x80, 0, 0, 0}, {0x81, 0x80, 0, 0, 0}, {0, 0x80, 0, 0}, {0, 1, 2, 0x81, 0, 0}};
    static const size_t lens[] = {4, 5, 4, 6};
    for (size_t i = 0; i < 4; i++) {
        memcpy(bytes + HEADER_BYTES, forms[i], lens[i]);
        seal(bytes, HEADER_BYTES + lens[i]);
        assert_refused(bytes, HEADER_BYTES + lens[i]);
    }
    /* ten bytes that pass 2^64, and eleven */
    memset(bytes + HEADER_BYTES, 0x80, 11);
    bytes[HEADER_BYTES + 9] = 2;
    bytes[HEADER_BYTES + 10] = bytes[HEADER_BYTES + 11] = 0;
    seal(bytes, HEADER_BYTES + 12);
    assert_refused(bytes, HEADER_BYTES + 12);
    bytes[HEADER_BYTES + 9] = 0x81;
    bytes[HEADER_BYTES + 10] = 1;
    bytes[HEADER_BYTES + 12] = 0;
    seal(bytes, HEADER_BYTES + 13);
    assert_refused(bytes, HEADER_BYTES + 13);
}

/* What is taken has one form, and can be used like any other. */
static bool take_garbage(struct slice packed)
{
    struct histogram h;
    histogram_init(&h);
    bool taken = histogram_unpack(packed, &h);
    if (taken) {
        struct slice again = pack_to_heap(&h);
        assert_true(slice_equals(again, packed));
        heap_slice_free(again);
        uint64_t count = histogram_count(&h), at_least, at_most;
        assert_true(count <= INT64_MAX);
        for (uint32_t i = 0; i <= 10; i++) {
            double value = histogram_quantile(&h, i * (QUANTILE_ONE / 10), -DBL_MAX, DBL_MAX);
            assert_true(isfinite(value));
            histogram_below(&h, value, &at_least, &at_most);
            assert_true(at_least <= at_most && at_most <= count);
        }
        histogram_merge(&h, &h);
        assert_true(histogram_failed(&h) ? count > INT64_MAX / 2
                                         : histogram_count(&h) == 2 * count);
    } else {
        assert_true(is_empty(&h));
    }
    histogram_release(&h);
    return taken;
}

static void garbage_under_a_good_seal_is_harmless(void **state)
{
    (void)state;
    static double values[100];
    static unsigned char bytes[HISTOGRAM_PACKED_BYTES_MAX];
    unsigned taken = 0, refused = 0;
    for (int round = 0; round < 50000; round++) {
        struct histogram h = histogram_of(values, random_values(values, 20));
        size_t len = histogram_pack(&h, bytes);
        histogram_release(&h);
        if (round % 4 == 0)
            len = HEADER_BYTES + test_random_below(&chance, len - HEADER_BYTES + 1);
        for (size_t n = test_random_below(&chance, 5); n > 0 && len > HEADER_BYTES; n--) {
            size_t at = HEADER_BYTES + test_random_below(&chance, len - HEADER_BYTES);
            bytes[at] = (unsigned char)test_random_u64(&chance);
        }
        if (round % 16 == 0)
            bytes[1] = (unsigned char)test_random_u64(&chance);
        seal(bytes, len);
        struct slice packed = heap_slice_new(bytes, len);
        bool went_well = take_garbage(packed);
        taken += went_well;
        refused += !went_well;
        heap_slice_free(packed);
    }
    assert_true(taken > 1000);
    assert_true(refused > 1000);
}

/* --- Failure ------------------------------------------------------------------------- */

#ifdef REALLOC_CAN_FAIL
static void assert_failed_and_harmless(struct histogram *h)
{
    static const double values[] = {1.0, -2.0, 0.0};
    unsigned char out[HISTOGRAM_PACKED_BYTES_MAX];
    struct histogram good = histogram_of(values, 3);
    assert_true(histogram_failed(h));
    histogram_add(h, values, 3);
    histogram_merge(h, &good);
    assert_true(histogram_failed(h));
    assert_true(is_empty(h));
    assert_true(histogram_quantile(h, QUANTILE_ONE / 2, 1.0, 2.0) == 0.0);
    assert_int_equal(histogram_pack(h, out), 0);
    histogram_merge(&good, h);
    assert_true(histogram_failed(&good));
    histogram_release(&good);
    histogram_reset(h);
    histogram_add(h, values, 3);
    assert_false(histogram_failed(h));
    assert_int_equal(histogram_count(h), 3);
}

static void add_and_merge(struct histogram *h, const struct histogram *other)
{
    static const double values[] = {1.0, -2.0, 0.0};
    histogram_add(h, values, 1);
    histogram_add(h, values, 3);
    histogram_merge(h, other);
}

static void without_memory_it_fails_for_good(void **state)
{
    (void)state;
    static const double values[] = {1.0, 5.0, 6.0, 7.0, -8.0, -9.0};
    struct histogram other = histogram_of(values, 6);
    struct slice packed = pack_to_heap(&other);
    for (unsigned nth = 1; nth <= 4; nth++) {
        struct histogram h;
        histogram_init(&h);
        calls_left = nth;
        add_and_merge(&h, &other);
        assert_int_equal(calls_left, 0);
        assert_failed_and_harmless(&h);
        histogram_release(&h);
    }
    for (unsigned nth = 1; nth <= 2; nth++) {
        struct histogram h;
        histogram_init(&h);
        calls_left = nth;
        assert_false(histogram_unpack(packed, &h));
        assert_int_equal(calls_left, 0);
        assert_failed_and_harmless(&h);
        assert_true(histogram_unpack(packed, &h));
        assert_same(&h, &other);
        histogram_release(&h);
    }
    heap_slice_free(packed);
    histogram_release(&other);
}

#endif

int main(void)
{
    chance = test_random_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_count_their_values),
        cmocka_unit_test(a_quantile_is_within_the_error),
        cmocka_unit_test(the_error_is_known),
        cmocka_unit_test(the_outermost_buckets_are_estimated),
        cmocka_unit_test(nothing_has_quantiles_of_zero),
        cmocka_unit_test(a_percentile_of_101_values_is_one_of_them),
        cmocka_unit_test(ranks_are_those_of_whole_numbers),
        cmocka_unit_test(ranks_hold_for_huge_counts),
        cmocka_unit_test(what_is_below_is_bounded_from_both_sides),
        cmocka_unit_test(merging_parts_equals_adding_at_once),
        cmocka_unit_test(merging_takes_the_coarser_scale),
        cmocka_unit_test(coarsening_equals_building_at_that_scale),
        cmocka_unit_test(one_bucket_too_many_costs_a_scale),
        cmocka_unit_test(counts_that_do_not_fit_are_a_failure),
        cmocka_unit_test(the_packed_form_is_as_described),
        cmocka_unit_test(packs_and_unpacks),
        cmocka_unit_test(the_worst_case_fits),
        cmocka_unit_test(any_damage_is_refused),
        cmocka_unit_test(nonsense_under_a_good_seal_is_refused),
        cmocka_unit_test(another_version_or_length_is_refused),
        cmocka_unit_test(more_buckets_than_there_may_be_are_refused),
        cmocka_unit_test(a_longer_form_of_a_number_is_refused),
        cmocka_unit_test(garbage_under_a_good_seal_is_harmless),
#ifdef REALLOC_CAN_FAIL
        cmocka_unit_test(without_memory_it_fails_for_good),
#endif
    };
    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
