#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate.h"
#include "meta.h"
#include "packed.h"
#include "test_random.h"

#define ALWAYS_FROM ((struct wall_time){INT64_MIN})
#define ALWAYS_TO   ((struct wall_time){INT64_MAX})

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

static struct reference recompute(const struct record *records, size_t count)
{
    struct reference ref = {.count = count,
                            .min = records[0].value,
                            .max = records[0].value,
                            .first = records[0],
                            .last = records[0]};
    for (size_t i = 1; i < count; i++) {
        struct record r = records[i];
        ref.min = r.value < ref.min ? r.value : ref.min;
        ref.max = r.value > ref.max ? r.value : ref.max;
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

static void assert_aggregate_is(const struct aggregate *a, const struct reference *ref)
{
    assert_int_equal(a->count, ref->count);
    assert_memory_equal(&a->min, &ref->min, sizeof a->min);
    assert_memory_equal(&a->max, &ref->max, sizeof a->max);
    assert_record_is(a->first, ref->first);
    assert_record_is(a->last, ref->last);
    assert_close(a->sum_high + a->sum_low, ref->sum);
    assert_close(a->m2, ref->m2);
}

static void pack_all(const struct record *records, size_t count, unsigned char *out)
{
    for (size_t i = 0; i < count; i++)
        record_pack(records[i], out + i * RECORD_BYTES);
}

/* Add [records, +count) in random parts, each in one of the three ways to add. */
static void add_in_random_parts(struct aggregate *a, const struct record *records, size_t count)
{
    while (count > 0) {
        size_t n = 1 + random_below(random_below(4) == 0 ? count : count / 8 + 1);
        unsigned way = (unsigned)random_below(3);
        if (way == 0) {
            n = n > 50 ? 50 : n;
            for (size_t i = 0; i < n; i++)
                aggregate_add(a, records[i]);
        } else {
            unsigned char *packed = malloc(n * RECORD_BYTES);
            assert_non_null(packed);
            pack_all(records, n, packed);
            struct aggregate part;
            aggregate_init(&part);
            aggregate_add_records(way == 1 ? a : &part, packed, n, ALWAYS_FROM, ALWAYS_TO);
            aggregate_merge(a, &part);
            free(packed);
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
        struct aggregate a;
        aggregate_init(&a);
        add_in_random_parts(&a, records, count);
        assert_aggregate_is(&a, &ref);
    }
    free(records);
}

static void window_takes_both_its_ends(void **state)
{
    (void)state;
    unsigned char packed[5 * RECORD_BYTES];
    const struct record records[5] = {record_at(9, 1), record_at(10, 2), record_at(15, 4),
                                      record_at(20, 8), record_at(21, 16)};
    pack_all(records, 5, packed);
    struct aggregate a;
    aggregate_init(&a);
    aggregate_add_records(&a, packed, 5, (struct wall_time){10}, (struct wall_time){20});
    const struct reference ref = recompute(records + 1, 3);
    assert_aggregate_is(&a, &ref);
}

static void variance_survives_a_large_mean(void **state)
{
    (void)state;
    struct aggregate a;
    aggregate_init(&a);
    for (int i = 0; i < 100000; i++)
        aggregate_add(&a, record_at(i, i % 2 ? 1e9 + 1 : 1e9 - 1));
    assert_true(a.sum_high + a.sum_low == 1e14);
    assert_close(a.m2, 100000.0L);
}

static void sums_survive_cancellation(void **state)
{
    (void)state;
    struct aggregate large, opposite;
    aggregate_init(&large);
    aggregate_init(&opposite);
    aggregate_add(&large, record_at(1, 1e16));
    aggregate_add(&large, record_at(2, 1.0));
    aggregate_add(&opposite, record_at(3, -1e16));
    struct aggregate a = large, b = opposite;
    aggregate_merge(&a, &opposite);
    aggregate_merge(&b, &large);
    assert_true(a.sum_high + a.sum_low == 1.0);
    assert_true(b.sum_high + b.sum_low == 1.0);
}

static void overflow_spoils_the_sum_alone(void **state)
{
    (void)state;
    const double values[] = {1.7e308, 1.7e308, -1.7e308, -1.7e308, -1.7e308, 5.0};
    struct aggregate a, negative;
    aggregate_init(&a);
    aggregate_init(&negative);
    for (int i = 0; i < 6; i++) {
        aggregate_add(&a, record_at(i, values[i]));
        aggregate_add(&negative, record_at(i + 10, -1.7e308));
    }
    aggregate_merge(&a, &negative);
    assert_true(isinf(aggregate_average(&a)) && aggregate_average(&a) > 0);
    assert_true(isinf(a.m2) && a.m2 > 0);
    assert_int_equal(a.count, 12);
    assert_true(a.min == -1.7e308 && a.max == 1.7e308);
    assert_record_is(a.first, record_at(0, 1.7e308));
    assert_record_is(a.last, record_at(15, -1.7e308));
}

static void ties_go_by_arrival(void **state)
{
    (void)state;
    struct aggregate a, later;
    aggregate_init(&a);
    aggregate_init(&later);
    aggregate_add(&a, record_at(7, 1));
    aggregate_add(&later, record_at(7, 2));
    aggregate_add(&later, record_at(7, 3));
    aggregate_merge(&a, &later);
    assert_record_is(a.first, record_at(7, 1));
    assert_record_is(a.last, record_at(7, 3));
}

static void nothing_has_an_average_of_zero(void **state)
{
    (void)state;
    struct aggregate a;
    aggregate_init(&a);
    aggregate_merge(&a, &a);
    aggregate_add_records(&a, NULL, 0, ALWAYS_FROM, ALWAYS_TO);
    assert_true(aggregate_average(&a) == 0.0);
}

static void packs_and_unpacks_bit_by_bit(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct aggregate a, b;
        uint64_t covered = 0;
        unsigned char packed[AGGREGATE_PACKED_BYTES], again[AGGREGATE_PACKED_BYTES];
        aggregate_init(&a);
        size_t count = 1 + random_below(50);
        for (size_t i = 0; i < count; i++)
            aggregate_add(&a, record_at((int64_t)test_random_u64(&chance), random_value(2)));
        aggregate_pack(&a, count * RECORD_BYTES, packed);
        assert_true(aggregate_unpack(slice_of((char *)packed, sizeof packed), &b, &covered));
        assert_int_equal(covered, count * RECORD_BYTES);
        aggregate_pack(&b, covered, again);
        assert_memory_equal(packed, again, sizeof packed);
    }
}

static void any_damage_is_refused(void **state)
{
    (void)state;
    struct aggregate a, out;
    uint64_t covered = 0;
    aggregate_init(&a);
    aggregate_add(&a, record_at(1, 1.5));
    aggregate_add(&a, record_at(2, 2.5));
    unsigned char packed[AGGREGATE_PACKED_BYTES];
    aggregate_pack(&a, 32, packed);
    for (size_t at = 0; at < sizeof packed; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            packed[at] ^= (unsigned char)(1U << bit);
            assert_false(aggregate_unpack(slice_of((char *)packed, sizeof packed), &out, &covered));
            packed[at] ^= (unsigned char)(1U << bit);
        }
    }
    for (size_t len = 0; len < sizeof packed; len++) {
        char *exact = malloc(len + 1);
        assert_non_null(exact);
        memcpy(exact + 1, packed, len);
        assert_false(aggregate_unpack(slice_of(exact + 1, len), &out, &covered));
        free(exact);
    }
    assert_true(aggregate_unpack(slice_of((char *)packed, sizeof packed), &out, &covered));
}

/* What a stranger could have sealed correctly. */
static void nonsense_under_a_good_seal_is_refused(void **state)
{
    (void)state;
    struct aggregate good, out;
    uint64_t covered = 0;
    aggregate_init(&good);
    aggregate_add(&good, record_at(1, 1.5));
    aggregate_add(&good, record_at(2, 2.5));
    struct aggregate bad[7];
    for (size_t i = 0; i < 7; i++)
        bad[i] = good;
    bad[0].count = 0;
    bad[1].count = 3;
    bad[2].min = NAN;
    bad[3].max = INFINITY;
    bad[4].sum_high = NAN;
    bad[5].m2 = -1;
    bad[6].first.at.us = 3;
    for (size_t i = 0; i < 7; i++) {
        unsigned char packed[AGGREGATE_PACKED_BYTES];
        aggregate_pack(&bad[i], 32, packed);
        assert_false(aggregate_unpack(slice_of((char *)packed, sizeof packed), &out, &covered));
    }
}

static void meta_is_read_only_where_it_is_whole(void **state)
{
    (void)state;
    unsigned char packed[META_PACKED_BYTES] = {META_VERSION, META_KIND};
    packed_put_u64(packed + 8, UINT64_C(1) << 60);
    packed_put_u64(packed + 16, 3);
    record_pack(record_at(-5, 2.5), packed + 24);
    packed_put_f64(packed + 40, 6.0);
    packed_put_f64(packed + 48, 1e-20);
    packed_put_f64(packed + 56, 1.0);
    packed_put_f64(packed + 64, 2.5);
    struct meta meta;
    assert_true(meta_unpack(slice_of((char *)packed, sizeof packed), &meta));
    assert_int_equal(meta.version, UINT64_C(1) << 60);
    assert_int_equal(meta.count, 3);
    assert_record_is(meta.newest, record_at(-5, 2.5));
    assert_true(meta.sum_high == 6.0 && meta.sum_low == 1e-20);
    assert_true(meta.min == 1.0 && meta.max == 2.5);
    assert_false(meta_unpack(slice_of((char *)packed, sizeof packed - 1), &meta));
    assert_false(meta_unpack(slice_of("", 0), &meta));
    packed_put_f64(packed + 56, NAN);
    assert_false(meta_unpack(slice_of((char *)packed, sizeof packed), &meta));
    packed_put_f64(packed + 56, 1.0);
    packed[0]++;
    assert_false(meta_unpack(slice_of((char *)packed, sizeof packed), &meta));
}

static void buckets_are_hours_before_1970_too(void **state)
{
    (void)state;
    assert_int_equal(bucket_of((struct wall_time){0}), 0);
    assert_int_equal(bucket_of((struct wall_time){BUCKET_US - 1}), 0);
    assert_int_equal(bucket_of((struct wall_time){-1}), -1);
    assert_int_equal(bucket_of((struct wall_time){-BUCKET_US}), -1);
    assert_int_equal(bucket_of((struct wall_time){-BUCKET_US - 1}), -2);
}

int main(void)
{
    chance = test_random_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_recomputation_however_it_was_split),
        cmocka_unit_test(window_takes_both_its_ends),
        cmocka_unit_test(variance_survives_a_large_mean),
        cmocka_unit_test(sums_survive_cancellation),
        cmocka_unit_test(overflow_spoils_the_sum_alone),
        cmocka_unit_test(ties_go_by_arrival),
        cmocka_unit_test(nothing_has_an_average_of_zero),
        cmocka_unit_test(packs_and_unpacks_bit_by_bit),
        cmocka_unit_test(any_damage_is_refused),
        cmocka_unit_test(nonsense_under_a_good_seal_is_refused),
        cmocka_unit_test(meta_is_read_only_where_it_is_whole),
        cmocka_unit_test(buckets_are_hours_before_1970_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
