#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate.h"
#include "heap_slice.h"
#include "test_random.h"

enum { RECORDS_MAX = 3000 };

static struct test_random chance;
static struct record records[RECORDS_MAX];
static unsigned char packed[AGGREGATE_PACKED_BYTES_MAX];

static size_t random_below(size_t n)
{
    return test_random_below(&chance, n);
}

/* In order of time. */
static void make_records(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double unit = (double)(test_random_u64(&chance) >> 11) * 0x1p-53;
        double value = random_below(20) == 0 ? 0.0 : ldexp(unit - 0.4, (int)random_below(40) - 20);
        records[i] = (struct record){{(int64_t)(i / 2) - 100}, value};
    }
}

static void assert_same_moments(const struct moments *a, const struct moments *b)
{
    unsigned char of_a[MOMENTS_PACKED_BYTES], of_b[MOMENTS_PACKED_BYTES];
    moments_pack(a, 0, of_a);
    moments_pack(b, 0, of_b);
    assert_memory_equal(of_a, of_b, sizeof of_a);
}

static void assert_same_histogram(const struct histogram *a, const struct histogram *b)
{
    static unsigned char of_a[HISTOGRAM_PACKED_BYTES_MAX], of_b[HISTOGRAM_PACKED_BYTES_MAX];
    size_t len = histogram_pack(a, of_a);
    assert_int_equal(histogram_pack(b, of_b), len);
    assert_memory_equal(of_a, of_b, len);
}

static bool unpack_exactly(const void *bytes, size_t len, struct aggregate *a)
{
    struct slice exact = heap_slice_new(bytes, len);
    bool is_good = aggregate_unpack(exact, a);
    heap_slice_free(exact);
    return is_good;
}

static bool is_empty(const struct aggregate *a)
{
    return a->moments.count == 0 && histogram_count(&a->histogram) == 0;
}

static void is_its_moments_and_its_histogram(void **state)
{
    (void)state;
    static double values[RECORDS_MAX];
    struct aggregate a;
    struct moments moments;
    struct histogram histogram;
    aggregate_init(&a, true);
    moments_init(&moments);
    histogram_init(&histogram);
    assert_true(is_empty(&a));
    for (size_t count = 1; count <= RECORDS_MAX; count += 1 + random_below(600)) {
        make_records(count);
        for (size_t i = 0; i < count; i++)
            values[i] = records[i].value;
        aggregate_add_run(&a, records, count);
        moments_add_run(&moments, records, count);
        histogram_add(&histogram, values, count);
        assert_same_moments(&a.moments, &moments);
        assert_same_histogram(&a.histogram, &histogram);
    }
    assert_false(aggregate_failed(&a));
    histogram_release(&histogram);
    aggregate_release(&a);
}

static void without_a_histogram_it_stays_empty(void **state)
{
    (void)state;
    struct aggregate plain, other;
    aggregate_init(&plain, false);
    aggregate_init(&other, true);
    make_records(50);
    aggregate_add_run(&plain, records, 50);
    aggregate_add_run(&other, records, 50);
    aggregate_merge(&plain, &other);
    assert_int_equal(plain.moments.count, 100);
    assert_int_equal(histogram_count(&plain.histogram), 0);
    assert_false(plain.has_histogram);
    aggregate_release(&other);
    aggregate_release(&plain);
}

static void merging_is_adding(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        struct aggregate whole, first, rest;
        size_t count = 2 + random_below(500), cut = random_below(count + 1);
        aggregate_init(&whole, true);
        aggregate_init(&first, true);
        aggregate_init(&rest, true);
        make_records(count);
        aggregate_add_run(&whole, records, count);
        aggregate_add_run(&first, records, cut);
        aggregate_add_run(&rest, records + cut, count - cut);
        aggregate_merge(&first, &rest);
        assert_int_equal(first.moments.count, count);
        assert_same_histogram(&first.histogram, &whole.histogram);
        assert_int_equal(first.moments.first.at.us, whole.moments.first.at.us);
        assert_memory_equal(&first.moments.last, &whole.moments.last, sizeof(struct record));
        aggregate_release(&rest);
        aggregate_release(&first);
        aggregate_release(&whole);
    }
}

static void reset_leaves_nothing_but_what_it_is(void **state)
{
    (void)state;
    for (int has_histogram = 0; has_histogram < 2; has_histogram++) {
        struct aggregate a;
        aggregate_init(&a, has_histogram);
        make_records(10);
        aggregate_add_run(&a, records, 10);
        assert_false(is_empty(&a));
        aggregate_reset(&a);
        assert_true(is_empty(&a));
        assert_int_equal(a.has_histogram, has_histogram);
        aggregate_release(&a);
    }
}

static void packs_and_unpacks_bit_by_bit(void **state)
{
    (void)state;
    static unsigned char again[AGGREGATE_PACKED_BYTES_MAX];
    for (int round = 0; round < 100; round++) {
        struct aggregate a, read;
        size_t count = 1 + random_below(RECORDS_MAX);
        aggregate_init(&a, true);
        aggregate_init(&read, true);
        make_records(count);
        aggregate_add_run(&a, records, count);
        size_t len = aggregate_pack(&a, packed);
        assert_true(len > MOMENTS_PACKED_BYTES);
        assert_true(unpack_exactly(packed, len, &read));
        assert_true(read.has_histogram);
        assert_int_equal(aggregate_pack(&read, again), len);
        assert_memory_equal(packed, again, len);
        aggregate_release(&read);
        aggregate_release(&a);
    }
}

/* Of what lies in Redis often only the beginning is read, and of a chunk more follows. */
static void moments_alone_suffice_who_wants_no_more(void **state)
{
    (void)state;
    struct aggregate a, plain, whole;
    aggregate_init(&a, true);
    aggregate_init(&plain, false);
    aggregate_init(&whole, true);
    make_records(100);
    aggregate_add_run(&a, records, 100);
    size_t len = aggregate_pack(&a, packed);
    assert_true(unpack_exactly(packed, MOMENTS_PACKED_BYTES, &plain));
    assert_false(plain.has_histogram);
    assert_int_equal(histogram_count(&plain.histogram), 0);
    assert_same_moments(&plain.moments, &a.moments);
    assert_true(unpack_exactly(packed, len, &plain));
    assert_int_equal(histogram_count(&plain.histogram), 0);
    packed[len] = 'x';
    assert_true(unpack_exactly(packed, len + 1, &whole));
    assert_same_histogram(&whole.histogram, &a.histogram);
    aggregate_release(&whole);
    aggregate_release(&plain);
    aggregate_release(&a);
}

static size_t pack_some(struct aggregate *a)
{
    make_records(60);
    aggregate_add_run(a, records, 60);
    return aggregate_pack(a, packed);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    struct aggregate a, whole, plain;
    aggregate_init(&a, true);
    aggregate_init(&whole, true);
    aggregate_init(&plain, false);
    size_t len = pack_some(&a);
    for (size_t cut = 0; cut < len; cut++) {
        assert_false(unpack_exactly(packed, cut, &whole));
        assert_true(is_empty(&whole) && whole.has_histogram);
        assert_int_equal(unpack_exactly(packed, cut, &plain), cut >= MOMENTS_PACKED_BYTES);
    }
    assert_true(unpack_exactly(packed, len, &whole));
    aggregate_release(&plain);
    aggregate_release(&whole);
    aggregate_release(&a);
}

static void every_change_of_a_byte_is_refused(void **state)
{
    (void)state;
    struct aggregate a, whole, plain;
    aggregate_init(&a, true);
    aggregate_init(&whole, true);
    aggregate_init(&plain, false);
    size_t len = pack_some(&a);
    for (size_t at = 0; at < len; at++) {
        for (unsigned change = 1; change < 256; change++) {
            packed[at] ^= (unsigned char)change;
            assert_false(unpack_exactly(packed, len, &whole));
            assert_true(is_empty(&whole));
            bool is_plain_good = aggregate_unpack(slice_of((char *)packed, len), &plain);
            assert_int_equal(is_plain_good, at >= MOMENTS_PACKED_BYTES);
            packed[at] ^= (unsigned char)change;
        }
    }
    assert_true(unpack_exactly(packed, len, &whole));
    aggregate_release(&plain);
    aggregate_release(&whole);
    aggregate_release(&a);
}

/* Both halves are sealed well, but not of the same samples. */
static void halves_that_count_differently_are_refused(void **state)
{
    (void)state;
    struct aggregate a, read;
    aggregate_init(&a, true);
    aggregate_init(&read, true);
    make_records(60);
    aggregate_add_run(&a, records, 60);
    for (int64_t off = -1; off <= 1; off++) {
        a.moments.count = (uint64_t)(60 + off);
        size_t len = aggregate_pack(&a, packed);
        assert_int_equal(unpack_exactly(packed, len, &read), off == 0);
        assert_int_equal(is_empty(&read), off != 0);
    }
    aggregate_release(&read);
    aggregate_release(&a);
}

static void nothing_is_not_unpacked(void **state)
{
    (void)state;
    struct aggregate a, read;
    aggregate_init(&a, true);
    aggregate_init(&read, true);
    size_t len = aggregate_pack(&a, packed);
    assert_false(unpack_exactly(packed, len, &read));
    aggregate_release(&read);
    aggregate_release(&a);
}

/* Two that add each other up soon count 2^63 samples, more than a histogram does. */
static void a_histogram_that_fails_spoils_nothing_else(void **state)
{
    (void)state;
    struct aggregate a, b, read;
    aggregate_init(&a, true);
    aggregate_init(&b, true);
    aggregate_init(&read, true);
    make_records(1);
    aggregate_add_run(&a, records, 1);
    aggregate_add_run(&b, records, 1);
    while (a.moments.count < UINT64_C(1) << 63) {
        assert_false(aggregate_failed(&a));
        aggregate_merge(&a, &b);
        if (a.moments.count < UINT64_C(1) << 63)
            aggregate_merge(&b, &a);
    }
    assert_true(aggregate_failed(&a));
    assert_true(moments_average(&a.moments) == records[0].value);
    size_t len = aggregate_pack(&a, packed);
    assert_false(unpack_exactly(packed, len, &read));
    aggregate_reset(&a);
    assert_false(aggregate_failed(&a));
    aggregate_release(&read);
    aggregate_release(&b);
    aggregate_release(&a);
}

int main(void)
{
    chance = test_random_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_its_moments_and_its_histogram),
        cmocka_unit_test(without_a_histogram_it_stays_empty),
        cmocka_unit_test(merging_is_adding),
        cmocka_unit_test(reset_leaves_nothing_but_what_it_is),
        cmocka_unit_test(packs_and_unpacks_bit_by_bit),
        cmocka_unit_test(moments_alone_suffice_who_wants_no_more),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_change_of_a_byte_is_refused),
        cmocka_unit_test(halves_that_count_differently_are_refused),
        cmocka_unit_test(nothing_is_not_unpacked),
        cmocka_unit_test(a_histogram_that_fails_spoils_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
