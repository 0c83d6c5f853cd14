#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "heap_slice.h"
#include "record.h"
#include "test_random.h"

static struct test_random chance;

static size_t random_below(size_t n)
{
    return test_random_below(&chance, n);
}

static struct record *new_records(size_t count)
{
    struct record *records = malloc((count + !count) * sizeof *records);
    assert_non_null(records);
    return records;
}

static void assert_same_record(struct record a, struct record b)
{
    assert_int_equal(a.at.us, b.at.us);
    assert_memory_equal(&a.value, &b.value, sizeof a.value);
}

static void packs_little_endian(void **state)
{
    (void)state;
    static const unsigned char expected[RECORD_BYTES] = {
        0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0xf8, 0xbf};
    unsigned char packed[RECORD_BYTES];
    const struct record r = {{-2}, -1.5};
    record_pack(r, packed);
    assert_memory_equal(packed, expected, sizeof packed);
    assert_same_record(record_unpack(packed), r);
}

static void unpacks_what_was_packed_bit_by_bit(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 77, CHUNK_RECORDS};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        size_t count = counts[c];
        struct record *records = new_records(count), *read = new_records(count);
        unsigned char *packed = malloc(count * RECORD_BYTES + 1);
        assert_non_null(packed);
        for (size_t i = 0; i < count; i++) {
            uint64_t bits = test_random_u64(&chance); /* any double, NaN and -0.0 too */
            records[i].at.us = (int64_t)test_random_u64(&chance);
            memcpy(&records[i].value, &bits, sizeof bits);
            record_pack(records[i], packed + i * RECORD_BYTES);
        }
        struct slice exact = heap_slice_new(packed, count * RECORD_BYTES);
        records_unpack((const unsigned char *)exact.ptr, count, read);
        for (size_t i = 0; i < count; i++)
            assert_same_record(read[i], records[i]);
        heap_slice_free(exact);
        free(packed);
        free(read);
        free(records);
    }
}

/* By insertion: slow and obvious. */
static void sort_slowly(struct record *records, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct record r = records[i];
        size_t at = i;
        for (; at > 0 && records[at - 1].at.us > r.at.us; at--)
            records[at] = records[at - 1];
        records[at] = r;
    }
}

/* Values number the records, so that a change of order among equals shows. */
static void check_sort(size_t count, size_t instants, int64_t origin)
{
    struct record *records = new_records(count), *expected = new_records(count),
                  *spare = new_records(count);
    for (size_t i = 0; i < count; i++) {
        records[i] = (struct record){{origin + (int64_t)random_below(instants)}, (double)i};
        expected[i] = records[i];
    }
    sort_slowly(expected, count);
    records_sort(records, count, spare);
    for (size_t i = 0; i < count; i++)
        assert_same_record(records[i], expected[i]);
    free(spare);
    free(expected);
    free(records);
}

static void sorts_like_a_model_of_any_size(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 1023, 1025, 4095, 4096};
    static const size_t instants[] = {1, 2, 10, 1000000};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        for (size_t i = 0; i < sizeof instants / sizeof *instants; i++)
            check_sort(counts[c], instants[i], -5);
    }
    for (int round = 0; round < 500; round++)
        check_sort(random_below(100), 1 + random_below(60), -30);
}

static void sorts_from_end_to_end_of_time(void **state)
{
    (void)state;
    struct record spare[4],
        records[4] = {{{INT64_MAX}, 0}, {{0}, 1}, {{INT64_MIN}, 2}, {{INT64_MAX}, 3}};
    static const double order[4] = {2, 1, 0, 3};
    records_sort(records, 4, spare);
    for (size_t i = 0; i < 4; i++)
        assert_true(records[i].value == order[i]);
}

static void leaves_what_is_in_order(void **state)
{
    (void)state;
    struct record records[3] = {{{1}, 9}, {{1}, 8}, {{2}, 7}};
    records_sort(records, 3, NULL); /* one pass: nothing to spare is needed */
    assert_true(records[0].value == 9 && records[1].value == 8 && records[2].value == 7);
}

static void what_may_be_posted_into_a_span_is_sound(void **state)
{
    (void)state;
    const struct wall_time from = {-10}, to = {10};
    static const struct record good[] = {
        {{-10}, 0.0}, {{9}, DBL_MAX}, {{0}, -DBL_MAX}, {{0}, -0.0}, {{0}, DBL_TRUE_MIN}};
    const struct record bad[] = {{{-11}, 0.0},       {{10}, 0.0}, {{INT64_MIN}, 0.0},
                                 {{INT64_MAX}, 0.0}, {{0}, NAN},  {{0}, INFINITY},
                                 {{0}, -INFINITY}};
    enum { COUNT = sizeof good / sizeof *good };
    assert_true(records_are_sound(good, COUNT, from, to));
    assert_true(records_are_sound(NULL, 0, from, to));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (size_t at = 0; at < COUNT; at++) {
            struct record records[COUNT];
            memcpy(records, good, sizeof records);
            records[at] = bad[i];
            assert_false(records_are_sound(records, COUNT, from, to));
        }
    }
}

int main(void)
{
    chance = test_random_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packs_little_endian),
        cmocka_unit_test(unpacks_what_was_packed_bit_by_bit),
        cmocka_unit_test(sorts_like_a_model_of_any_size),
        cmocka_unit_test(sorts_from_end_to_end_of_time),
        cmocka_unit_test(leaves_what_is_in_order),
        cmocka_unit_test(what_may_be_posted_into_a_span_is_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
