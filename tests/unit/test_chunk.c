#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "chunk.h"
#include "heap_slice.h"
#include "test_random.h"

static struct column_decoder *decoder;
static struct test_random chance;
static struct record records[CHUNK_RECORDS];

/* As it lies in Redis: the script that stores a chunk puts a stamp before it. */
static unsigned char chunk[CHUNK_STAMP_BYTES + CHUNK_SEALED_BYTES_MAX];

static size_t random_below(size_t n)
{
    return test_random_below(&chance, n);
}

/* 0: alike, 1: of all bit patterns that are finite, else: a gauge. */
static double random_value(unsigned kind)
{
    uint64_t bits = test_random_u64(&chance) & ~(UINT64_C(1) << 62);
    double value;
    memcpy(&value, &bits, sizeof value);
    return kind == 0 ? 20.5 : kind == 1 ? value : (double)random_below(10000) / 100.0 - 20.0;
}

static size_t seal_some(size_t count, unsigned kind)
{
    int64_t at_us = -1000000;
    for (size_t i = 0; i < count; i++) {
        at_us += (int64_t)random_below(3) * 500000;
        records[i] = (struct record){{at_us}, random_value(kind)};
    }
    memset(chunk, 0x5a, CHUNK_STAMP_BYTES);
    size_t len = chunk_seal(NULL, records, count, chunk + CHUNK_STAMP_BYTES);
    assert_in_range(len, MOMENTS_PACKED_BYTES + 1, CHUNK_SEALED_BYTES_MAX);
    return CHUNK_STAMP_BYTES + len;
}

static void assert_holds_records(struct slice whole, size_t count)
{
    static struct record read[CHUNK_RECORDS];
    size_t read_count = 0;
    assert_true(block_decode(decoder, chunk_block(whole), read, &read_count));
    assert_int_equal(read_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(read[i].at.us, records[i].at.us);
        assert_memory_equal(&read[i].value, &records[i].value, sizeof read[i].value);
    }
}

static void assert_holds_aggregate(struct slice whole, size_t count)
{
    struct aggregate expected, read;
    aggregate_init(&expected, true);
    aggregate_init(&read, true);
    aggregate_add_run(&expected, records, count);
    assert_true(aggregate_unpack(chunk_aggregate(whole), &read));
    unsigned char *one = malloc(AGGREGATE_PACKED_BYTES_MAX),
                  *other = malloc(AGGREGATE_PACKED_BYTES_MAX);
    assert_non_null(one);
    assert_non_null(other);
    size_t len = aggregate_pack(&expected, one);
    assert_int_equal(aggregate_pack(&read, other), len);
    assert_memory_equal(one, other, len);
    free(other);
    free(one);
    aggregate_release(&read);
    aggregate_release(&expected);
}

static void what_is_sealed_comes_back(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 2, 77, CHUNK_RECORDS - 1, CHUNK_RECORDS};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        for (unsigned kind = 0; kind < 3; kind++) {
            size_t len = seal_some(counts[c], kind);
            struct slice whole = heap_slice_new(chunk, len);
            assert_holds_records(whole, counts[c]);
            assert_holds_aggregate(whole, counts[c]);
            heap_slice_free(whole);
        }
    }
}

static bool lies_within(struct slice part, struct slice whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void every_truncation_is_harmless(void **state)
{
    (void)state;
    static struct record read[CHUNK_RECORDS];
    struct aggregate a;
    size_t len = seal_some(100, 2), count;
    size_t head = len - chunk_block(slice_of((char *)chunk, len)).len;
    aggregate_init(&a, true);
    for (size_t cut = 0; cut < len; cut++) {
        struct slice part = heap_slice_new(chunk, cut);
        struct slice aggregate = chunk_aggregate(part), block = chunk_block(part);
        assert_true(lies_within(aggregate, part) && lies_within(block, part));
        assert_int_equal(aggregate.len, cut < CHUNK_STAMP_BYTES ? 0 : cut - CHUNK_STAMP_BYTES);
        assert_int_equal(block.len, cut < head ? 0 : cut - head);
        assert_int_equal(aggregate_unpack(aggregate, &a), cut >= head);
        assert_false(block_decode(decoder, block, read, &count));
        heap_slice_free(part);
    }
    aggregate_release(&a);
}

/* Whatever the length field says. */
static void a_damaged_length_leads_nowhere_else(void **state)
{
    (void)state;
    size_t len = seal_some(100, 2);
    struct slice whole = heap_slice_new(chunk, len);
    unsigned char *field = (unsigned char *)(uintptr_t)whole.ptr + CHUNK_STAMP_BYTES + 2;
    for (unsigned claim = 0; claim < 65536; claim++) {
        field[0] = (unsigned char)claim;
        field[1] = (unsigned char)(claim >> 8);
        assert_true(lies_within(chunk_block(whole), whole));
    }
    heap_slice_free(whole);
}

/* Samples expire, their aggregate stays; and a rollup never had any. */
static void without_samples_there_is_no_block(void **state)
{
    (void)state;
    size_t len = seal_some(10, 2);
    size_t head = len - chunk_block(slice_of((char *)chunk, len)).len;
    struct slice whole = heap_slice_new(chunk, head);
    assert_int_equal(chunk_block(whole).len, 0);
    assert_holds_aggregate(whole, 10);
    heap_slice_free(whole);
}

int main(void)
{
    chance = test_random_start();
    decoder = column_decoder_new();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_comes_back),
        cmocka_unit_test(every_truncation_is_harmless),
        cmocka_unit_test(a_damaged_length_leads_nowhere_else),
        cmocka_unit_test(without_samples_there_is_no_block),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    column_decoder_free(decoder);
    return failed;
}
