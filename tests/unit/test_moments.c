#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "heap_slice.h"
#include "meta.h"
#include "moments.h"
#include "packed.h"
#include "span.h"
#include "test_random.h"

static struct test_random chance;

static size_t random_below(size_t n)
{
    return test_random_below(&chance, n);
}

static struct record record_at(int64_t us, double value)
{
    return (struct record){{us}, value};
}

/* Long double, compensated: at least eleven more bits than what it judges. */
struct reference {
    size_t count;
    long double sum, m2;
    double min, max;
    struct record first, last;
};

static long double compensated_sum(const struct record *records, size_t count, long double mean,
                                   int power)
{
    long double sum = 0, lost = 0;
    for (size_t i = 0; i < count; i++) {
        long double x = (long double)records[i].value - mean;
        if (power == 2)
            x *= x;
        long double next = sum + x, part = next - sum;
        lost += (sum - (next - part)) + (x - part);
        sum = next;
    }
    return sum + lost;
}

static bool is_less(double a, double b)
{
    return a < b || (a == b && signbit(a) && !signbit(b));
}

static struct reference recompute(const struct record *records, size_t count)
{
    struct reference ref = {.count = count,
                            .min = records[0].value,
                            .max = records[0].value,
                            .first = records[0],
                            .last = records[0]};
    for (size_t i = 1; i < count; i++) {
        struct record r = records[i];
        ref.min = is_less(r.value, ref.min) ? r.value : ref.min;
        ref.max = is_less(ref.max, r.value) ? r.value : ref.max;
        ref.first = r.at.us < ref.first.at.us ? r : ref.first;
        ref.last = r.at.us >= ref.last.at.us ? r : ref.last;
    }
    ref.sum = compensated_sum(records, count, 0, 1);
    ref.m2 = compensated_sum(records, count, ref.sum / (long double)count, 2);
    return ref;
}

static void assert_close(double actual, long double expected)
{
    long double tolerance = 1e-12L * fabsl(expected);
    if (fabsl((long double)actual - expected) > tolerance)
        fail_msg("%.17g instead of %.20Lg", actual, expected);
}

static void assert_record_is(struct record actual, struct record expected)
{
    assert_int_equal(actual.at.us, expected.at.us);
    assert_memory_equal(&actual.value, &expected.value, sizeof actual.value);
}

static void assert_moments_are(const struct moments *m, const struct reference *ref)
{
    assert_int_equal(m->count, ref->count);
    assert_memory_equal(&m->min, &ref->min, sizeof m->min);
    assert_memory_equal(&m->max, &ref->max, sizeof m->max);
    assert_record_is(m->first, ref->first);
    assert_record_is(m->last, ref->last);
    assert_close(moments_sum(m), ref->sum);
    assert_close(m->m2, ref->m2);
    assert_true(moments_average(m) >= m->min && moments_average(m) <= m->max);
    assert_close(moments_deviation(m), sqrtl(ref->m2 / (long double)ref->count));
}

/* By insertion, which is stable. */
static struct record *sorted_copy(const struct record *records, size_t count)
{
    struct record *sorted = malloc(count * sizeof *sorted);
    assert_non_null(sorted);
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        for (; at > 0 && sorted[at - 1].at.us > records[i].at.us; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = records[i];
    }
    return sorted;
}

/* Add [records, +count) in random parts, each in one of the three ways to add. */
static void add_in_random_parts(struct moments *m, const struct record *records, size_t count)
{
    while (count > 0) {
        size_t most = count < CHUNK_RECORDS ? count : CHUNK_RECORDS;
        size_t n = 1 + random_below(random_below(4) == 0 ? most : most / 8 + 1);
        unsigned way = (unsigned)random_below(3);
        n = n > most ? most : n;
        if (way == 0) {
            n = n > 50 ? 50 : n;
            for (size_t i = 0; i < n; i++)
                moments_add(m, records[i]);
        } else {
            struct record *run = sorted_copy(records, n);
            struct moments part;
            moments_init(&part);
            moments_add_run(way == 1 ? m : &part, run, n);
            moments_merge(m, &part);
            free(run);
        }
        records += n;
        count -= n;
    }
}

static double random_value(unsigned kind)
{
    double unit = (double)(test_random_u64(&chance) >> 11) * 0x1p-53;
    switch (kind) {
    case 0:
        return unit * 100.0;
    case 1:
        return 1e9 + (random_below(2) ? 1.0 : -1.0);
    case 2:
        return ldexp(unit - 0.5, (int)random_below(600) - 300);
    case 3:
        return random_below(2) ? 0.0 : -0.0;
    case 4:
        return 1e9 + (double)random_below(3) * 0x1p-10; /* its mean is no double */
    default:
        return (unit - 0.25) * 1e6;
    }
}

static void equals_recomputation_however_it_was_split(void **state)
{
    (void)state;
    enum { RECORDS_MAX = 20000, ROUNDS = 120 };
    struct record *records = malloc(RECORDS_MAX * sizeof *records);
    assert_non_null(records);
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t count = 1 + random_below(round % 8 == 0 ? RECORDS_MAX : 200);
        /* Few instants: plenty of ties. */
        size_t instants = 1 + random_below(round % 2 == 0 ? 5 : 1000000);
        for (size_t i = 0; i < count; i++)
            records[i] =
                record_at((int64_t)random_below(instants) - 500000, random_value(round % 6));
        struct reference ref = recompute(records, count);
        struct moments m;
        moments_init(&m);
        add_in_random_parts(&m, records, count);
        assert_moments_are(&m, &ref);
    }
    free(records);
}

static void a_run_may_be_longer_than_a_chunk(void **state)
{
    (void)state;
    enum { RECORDS = 3 * CHUNK_RECORDS + 1 };
    struct record *records = malloc(RECORDS * sizeof *records);
    assert_non_null(records);
    for (size_t i = 0; i < RECORDS; i++)
        records[i] = record_at((int64_t)i / 2, random_value(4));
    struct reference ref = recompute(records, RECORDS);
    struct moments m;
    moments_init(&m);
    moments_add_run(&m, records, RECORDS);
    assert_moments_are(&m, &ref);
    free(records);
}

static void variance_survives_a_large_mean(void **state)
{
    (void)state;
    struct moments m;
    moments_init(&m);
    for (int i = 0; i < 100000; i++)
        moments_add(&m, record_at(i, i % 2 ? 1e9 + 1 : 1e9 - 1));
    assert_true(moments_sum(&m) == 1e14);
    assert_close(m.m2, 100000.0L);
    assert_close(moments_deviation(&m), 1.0L);
}

static void sums_survive_cancellation(void **state)
{
    (void)state;
    struct moments large, opposite;
    moments_init(&large);
    moments_init(&opposite);
    moments_add(&large, record_at(1, 1e16));
    moments_add(&large, record_at(2, 1.0));
    moments_add(&opposite, record_at(3, -1e16));
    struct moments a = large, b = opposite;
    moments_merge(&a, &opposite);
    moments_merge(&b, &large);
    assert_true(moments_sum(&a) == 1.0);
    assert_true(moments_sum(&b) == 1.0);
}

static void assert_overflowed(const struct moments *m)
{
    assert_true(isinf(moments_sum(m)) && moments_sum(m) > 0);
    assert_true(isinf(m->m2) && m->m2 > 0);
    assert_true(isinf(moments_deviation(m)));
    assert_int_equal(m->count, 12);
    assert_true(m->min == -1.7e308 && m->max == 1.7e308);
    assert_true(isinf(moments_average(m)) && moments_average(m) > 0);
    assert_record_is(m->first, record_at(0, 1.7e308));
    assert_record_is(m->last, record_at(15, -1.7e308));
}

static void overflow_spoils_the_sum_and_the_deviation_alone(void **state)
{
    (void)state;
    const double values[] = {1.7e308, 1.7e308, -1.7e308, -1.7e308, -1.7e308, 5.0};
    struct moments m, run, negative;
    struct record records[6];
    moments_init(&m);
    moments_init(&run);
    moments_init(&negative);
    for (int i = 0; i < 6; i++) {
        records[i] = record_at(i, values[i]);
        moments_add(&m, records[i]);
        moments_add(&negative, record_at(i + 10, -1.7e308));
    }
    moments_add_run(&run, records, 6);
    assert_true(isinf(run.m2));
    moments_merge(&m, &negative);
    moments_merge(&run, &negative);
    assert_overflowed(&m);
    assert_overflowed(&run);
}

/* Where no mean is known, no deviation is either: 0 would be a claim. */
static void an_unknown_mean_is_no_deviation_of_zero(void **state)
{
    (void)state;
    const struct record records[] = {record_at(0, 1.7e308), record_at(1, 1.7e308),
                                     record_at(2, 5.0)};
    struct moments run;
    moments_init(&run);
    moments_add_run(&run, records, 3);
    assert_true(isinf(run.m2) && isinf(moments_deviation(&run)));
    moments_init(&run);
    moments_add_run(&run, records, 2); /* but these two are equal */
    assert_true(moments_average(&run) == 1.7e308);
    assert_true(moments_deviation(&run) == 0.0);
}

static void ties_go_by_arrival(void **state)
{
    (void)state;
    const struct record both[] = {record_at(7, 2), record_at(7, 3)};
    struct moments m, later, run;
    moments_init(&m);
    moments_init(&later);
    moments_init(&run);
    moments_add(&m, record_at(7, 1));
    moments_add(&later, both[0]);
    moments_add(&later, both[1]);
    run = m;
    moments_merge(&m, &later);
    moments_add_run(&run, both, 2);
    assert_record_is(m.first, record_at(7, 1));
    assert_record_is(m.last, record_at(7, 3));
    assert_record_is(run.first, record_at(7, 1));
    assert_record_is(run.last, record_at(7, 3));
}

/* The same extremes in whatever order they come. */
static void negative_zero_is_less_than_zero(void **state)
{
    (void)state;
    const struct record zeros[2][2] = {{record_at(1, 0.0), record_at(2, -0.0)},
                                       {record_at(1, -0.0), record_at(2, 0.0)}};
    for (int i = 0; i < 2; i++) {
        struct moments one_by_one, run;
        moments_init(&one_by_one);
        moments_init(&run);
        moments_add(&one_by_one, zeros[i][0]);
        moments_add(&one_by_one, zeros[i][1]);
        moments_add_run(&run, zeros[i], 2);
        assert_true(signbit(one_by_one.min) && !signbit(one_by_one.max));
        assert_true(signbit(run.min) && !signbit(run.max));
    }
}

static void nothing_has_an_average_of_zero(void **state)
{
    (void)state;
    struct moments m;
    moments_init(&m);
    moments_merge(&m, &m);
    moments_add_run(&m, NULL, 0);
    assert_true(moments_average(&m) == 0.0);
    assert_true(moments_deviation(&m) == 0.0);
    assert_true(moments_sum(&m) == 0.0);
}

/* Three times 0.1 make more than 0.3, and the largest double more than there is. */
static void an_average_lies_within_the_extremes(void **state)
{
    (void)state;
    static const double values[] = {0.1, -0.1, 1.7e308, -1.7e308};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct moments m;
        moments_init(&m);
        for (int n = 0; n < 3; n++)
            moments_add(&m, record_at(n, values[i]));
        assert_true(moments_average(&m) == values[i]);
    }
}

static void deviation_is_that_of_the_population(void **state)
{
    (void)state;
    static const double values[] = {2, 4, 4, 4, 5, 5, 7, 9};
    struct moments m;
    moments_init(&m);
    moments_add(&m, record_at(0, 2));
    assert_true(moments_deviation(&m) == 0.0);
    for (int i = 1; i < 8; i++)
        moments_add(&m, record_at(i, values[i]));
    assert_close(moments_deviation(&m), 2.0L);
}

static const int64_t first_us = HOUR_MIN * HOUR_US, last_us = (HOUR_MAX + 1) * HOUR_US - 1;

static int64_t random_instant(void)
{
    switch (random_below(8)) {
    case 0:
        return first_us;
    case 1:
        return last_us;
    default:
        return first_us + (int64_t)random_below((size_t)(last_us - first_us));
    }
}

static void packs_and_unpacks_bit_by_bit(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct moments m, read;
        uint16_t follow = 0, wanted = (uint16_t)test_random_u64(&chance);
        unsigned char packed[MOMENTS_PACKED_BYTES], again[MOMENTS_PACKED_BYTES];
        moments_init(&m);
        size_t count = 1 + random_below(50);
        for (size_t i = 0; i < count; i++)
            moments_add(&m, record_at(random_instant(), random_value(2)));
        moments_pack(&m, wanted, packed);
        struct slice exact = heap_slice_new(packed, sizeof packed);
        assert_true(moments_unpack(exact, &read, &follow));
        heap_slice_free(exact);
        assert_int_equal(follow, wanted);
        moments_pack(&read, follow, again);
        assert_memory_equal(packed, again, sizeof packed);
    }
}

static struct moments two_samples(void)
{
    struct moments m;
    moments_init(&m);
    moments_add(&m, record_at(1, 1.5));
    moments_add(&m, record_at(2, 2.5));
    return m;
}

static void any_damage_is_refused(void **state)
{
    (void)state;
    struct moments m = two_samples(), out;
    uint16_t follow;
    unsigned char packed[MOMENTS_PACKED_BYTES];
    moments_pack(&m, 32, packed);
    for (size_t at = 0; at < sizeof packed; at++) {
        for (unsigned change = 1; change < 256; change++) {
            packed[at] ^= (unsigned char)change;
            assert_false(moments_unpack(slice_of((char *)packed, sizeof packed), &out, &follow));
            packed[at] ^= (unsigned char)change;
        }
    }
    for (size_t len = 0; len < sizeof packed; len++) {
        struct slice exact = heap_slice_new(packed, len);
        assert_false(moments_unpack(exact, &out, &follow));
        heap_slice_free(exact);
    }
    assert_true(moments_unpack(slice_of((char *)packed, sizeof packed), &out, &follow));
}

/* What a stranger could have sealed correctly. */
static void nonsense_under_a_good_seal_is_refused(void **state)
{
    (void)state;
    enum { BAD = 15 };
    struct moments out, bad[BAD];
    uint16_t follow;
    for (size_t i = 0; i < BAD; i++)
        bad[i] = two_samples();
    bad[0].count = 0;
    bad[1].sum_low = INFINITY;
    bad[2].min = NAN;
    bad[3].max = INFINITY;
    bad[4].sum_high = NAN;
    bad[5].m2 = -1;
    bad[6].first.at.us = 3;
    bad[7].min = 3.0;
    bad[8].m2 = NAN;
    bad[9].first.value = NAN;
    bad[10].last.value = 2.6;
    bad[11].first.at.us = first_us - 1;
    bad[12].first.at.us = INT64_MIN;
    bad[13].last.at.us = last_us + 1;
    bad[14].last.at.us = INT64_MAX;
    for (size_t i = 0; i < BAD; i++) {
        unsigned char packed[MOMENTS_PACKED_BYTES];
        moments_pack(&bad[i], 32, packed);
        assert_false(moments_unpack(slice_of((char *)packed, sizeof packed), &out, &follow));
    }
}

static void meta_is_read_only_where_it_is_whole(void **state)
{
    (void)state;
    unsigned char packed[META_PACKED_BYTES] = {META_VERSION, META_KIND};
    packed_put_u64(packed + 8, UINT64_C(1) << 60);
    packed_put_u64(packed + 16, 3);
    record_pack(record_at(-5, 2.5), packed + 24);
    packed_put_u64(packed + 40, (uint64_t)-7);
    struct meta meta;
    assert_true(meta_unpack(slice_of((char *)packed, sizeof packed), &meta));
    assert_int_equal(meta.version, UINT64_C(1) << 60);
    assert_int_equal(meta.count, 3);
    assert_record_is(meta.newest, record_at(-5, 2.5));
    assert_int_equal(meta.first_at.us, -7);
    assert_false(meta_unpack(slice_of((char *)packed, sizeof packed - 1), &meta));
    assert_false(meta_unpack(slice_of("", 0), &meta));
    record_pack(record_at(-5, NAN), packed + 24);
    assert_false(meta_unpack(slice_of((char *)packed, sizeof packed), &meta));
    record_pack(record_at(-8, 2.5), packed + 24); /* newest before first */
    assert_false(meta_unpack(slice_of((char *)packed, sizeof packed), &meta));
    record_pack(record_at(last_us, 2.5), packed + 24);
    assert_true(meta_unpack(slice_of((char *)packed, sizeof packed), &meta));
    record_pack(record_at(last_us + 1, 2.5), packed + 24);
    assert_false(meta_unpack(slice_of((char *)packed, sizeof packed), &meta));
    record_pack(record_at(-5, 2.5), packed + 24);
    packed_put_u64(packed + 40, (uint64_t)first_us);
    assert_true(meta_unpack(slice_of((char *)packed, sizeof packed), &meta));
    packed_put_u64(packed + 40, (uint64_t)first_us - 1);
    assert_false(meta_unpack(slice_of((char *)packed, sizeof packed), &meta));
    packed_put_u64(packed + 40, (uint64_t)-7);
    packed[0]++;
    assert_false(meta_unpack(slice_of((char *)packed, sizeof packed), &meta));
}

static void a_type_that_is_being_deleted_has_no_meta(void **state)
{
    (void)state;
    struct meta meta;
    assert_true(meta_is_deleting(SLICE("deleting")));
    assert_false(meta_is_deleting(SLICE("deletin")));
    assert_false(meta_is_deleting(SLICE("")));
    assert_false(meta_unpack(SLICE("deleting"), &meta));
}

int main(void)
{
    chance = test_random_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_recomputation_however_it_was_split),
        cmocka_unit_test(a_run_may_be_longer_than_a_chunk),
        cmocka_unit_test(variance_survives_a_large_mean),
        cmocka_unit_test(sums_survive_cancellation),
        cmocka_unit_test(overflow_spoils_the_sum_and_the_deviation_alone),
        cmocka_unit_test(an_unknown_mean_is_no_deviation_of_zero),
        cmocka_unit_test(ties_go_by_arrival),
        cmocka_unit_test(negative_zero_is_less_than_zero),
        cmocka_unit_test(nothing_has_an_average_of_zero),
        cmocka_unit_test(an_average_lies_within_the_extremes),
        cmocka_unit_test(deviation_is_that_of_the_population),
        cmocka_unit_test(packs_and_unpacks_bit_by_bit),
        cmocka_unit_test(any_damage_is_refused),
        cmocka_unit_test(nonsense_under_a_good_seal_is_refused),
        cmocka_unit_test(meta_is_read_only_where_it_is_whole),
        cmocka_unit_test(a_type_that_is_being_deleted_has_no_meta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
