#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "column.h"
#include "heap_slice.h"
#include "test_random.h"

static struct test_random chance;
static struct column_encoder *encoder;
static struct column_decoder *decoder;
static uint64_t *column, *decoded; /* CHUNK_RECORDS each */

static size_t random_below(size_t n)
{
    return test_random_below(&chance, n);
}

/* Returns the length. */
static size_t assert_comes_back(size_t count)
{
    unsigned char *out = malloc(COLUMN_BYTES_MAX(count));
    if (!out)
        abort();
    size_t len = column_encode(encoder, column, count, out);
    assert_true(len <= COLUMN_BYTES_MAX(count));
    struct slice bytes = heap_slice_new(out, len), in = bytes;
    assert_true(column_decode(decoder, &in, decoded, count));
    assert_int_equal(in.len, 0);
    assert_memory_equal(decoded, column, count * sizeof *column);
    heap_slice_free(bytes);
    free(out);
    return len;
}

static uint64_t random_of_width(unsigned bits)
{
    uint64_t x = test_random_u64(&chance);
    return bits == 0 ? 0 : x >> (64 - bits);
}

static void noise_of_every_width_comes_back_and_takes_no_more(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    for (unsigned bits = 0; bits <= 64; bits++) {
        uint64_t base = test_random_u64(&chance);
        for (size_t i = 0; i < COUNT; i++)
            column[i] = base + random_of_width(bits);
        assert_true(assert_comes_back(COUNT) <= COUNT * (bits + (bits != 64)) / 8 + 80);
        for (size_t i = 1; i < COUNT; i++) /* a walk */
            column[i] = column[i - 1] + random_of_width(bits);
        assert_true(assert_comes_back(COUNT) <= COUNT * (bits + (bits != 64)) / 8 + 80);
    }
}

static void what_has_a_unit_is_divided_by_it(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    for (unsigned shift = 0; shift <= 56; shift += 7) {
        uint64_t unit = (UINT64_C(1) << shift) + random_below(100), base = test_random_u64(&chance);
        for (size_t i = 0; i < COUNT; i++)
            column[i] = base + unit * random_of_width(6);
        assert_true(assert_comes_back(COUNT) < COUNT);
    }
    for (size_t i = 0; i < COUNT; i++)
        column[i] = random_below(2) << 63; /* a unit that is no int64 */
    assert_true(assert_comes_back(COUNT) < COUNT / 4);
}

static void even_steps_take_nothing(void **state)
{
    (void)state;
    const uint64_t steps[] = {0, 1, 1000000, UINT64_MAX, INT64_MAX};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        column[0] = test_random_u64(&chance);
        for (size_t j = 1; j < CHUNK_RECORDS; j++)
            column[j] = column[j - 1] + steps[i];
        assert_true(assert_comes_back(CHUNK_RECORDS) < 40);
    }
}

static void extremes_come_back(void **state)
{
    (void)state;
    const uint64_t extremes[] = {0, 1, UINT64_MAX, INT64_MAX, (uint64_t)INT64_MAX + 1, 1000};
    for (size_t count = 1; count <= CHUNK_RECORDS; count = count * 2 + random_below(2)) {
        for (size_t i = 0; i < count; i++)
            column[i] = extremes[random_below(6)];
        (void)assert_comes_back(count);
    }
}

static void a_column_that_rests_on_its_mean_takes_less(void **state)
{
    (void)state;
    enum { COUNT = 4000 };
    uint64_t level = 100000;
    for (size_t i = 0; i < COUNT; i++) {
        level += random_below(5) - 2;
        column[i] = level + random_of_width(6);
    }
    /* Differences of six bits of noise have about half a bit more. */
    assert_true(assert_comes_back(COUNT) < COUNT * 64 / 80);
}

/* Four integers, the first 10, unit 5, but for the last two. */
static const struct {
    const char *bytes;
    size_t len;
    uint64_t integers[4];
} layouts[] = {
    {"\0\0\x14\5\0\3\x20\0\2", 9, {10, 90, 10, 15}},
    {"\1\0\x14\5\0\3\x20\0\2", 9, {10, 90, 90, 95}},
    {"\2\0\x14\5\0\3\x20\0\2", 9, {10, 90, 170, 255}},
    {"\3\0\x14\5\0\3\x20\0\2", 9, {10, 90, 20, 25}},
    {"\1\0\x14\5\2\0", 6, {10, 15, 20, 25}},                         /* centre */
    {"\5\0\x14\5\0\10\1\3\0\xfc\xff\x20\0\2", 14, {10, 90, 90, 95}}, /* deflate: stored */
    {"\0\3\0\1\2\3\1\0\2\xbd\0", 11, {0, (uint64_t)-2, 8, 11}},      /* three low bits */
    {"\0\0\0\1\0\4\0\0\x80\1", 10, {0, 0, 0, 64}},                   /* two bytes */
};
enum { LAYOUT_COUNT = sizeof layouts / sizeof *layouts };

static bool decodes(const void *bytes, size_t len, size_t *left)
{
    struct slice all = heap_slice_new(bytes, len), in = all;
    bool is_column = column_decode(decoder, &in, decoded, 4);
    *left = in.len;
    heap_slice_free(all);
    return is_column;
}

static void a_column_lies_as_its_header_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < LAYOUT_COUNT; i++) {
        char bytes[32];
        size_t left;
        memset(bytes, 0, sizeof bytes);
        memcpy(bytes, layouts[i].bytes, layouts[i].len);
        assert_true(decodes(bytes, layouts[i].len, &left));
        assert_int_equal(left, 0);
        assert_memory_equal(decoded, layouts[i].integers, sizeof layouts[i].integers);
        assert_true(decodes(bytes, layouts[i].len + 5, &left)); /* what follows is not its own */
        assert_int_equal(left, 5);
        for (size_t len = 0; len < layouts[i].len; len++)
            assert_false(decodes(bytes, len, &left));
    }
}

static void what_is_no_column_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
        {"\10\0\x14\5\0\0", 6},                          /* no such form */
        {"\0\72\x14\5\0\0aaaabbbbccccddddeeeeffff", 30}, /* 58 low bits */
        {"\0\77\x14\5\0\0aaaabbbbccccddddeeeeffff", 30}, /* 63 */
        {"\0\101\x14\5\0\0aaaabbbbccccddddeeeefffff", 31},
        {"\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\2\5\0\0", 15},     /* a varint of 65 bits */
        {"\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\0\5\0\0", 16}, /* of 11 bytes */
        {"\0\0\x14\5\0\2\x20\0", 8},                                  /* high parts of two */
        {"\0\0\x14\5\0\4\x20\0\2\0", 10},                             /* of four */
        {"\0\0\x14\5\0\3\x20\0\x82\0", 10},                           /* the last is cut off */
        {"\4\0\x14\5\0\10\0\3\0\xfc\xff\x20\0\2", 14},                /* deflate goes on */
        {"\4\0\x14\5\0\11\1\3\0\xfc\xff\x20\0\2\0", 15},              /* more behind deflate */
        {"\4\0\x14\5\0\10\1\3\0\xfd\xff\x20\0\2", 14},                /* no deflate */
        {"\4\0\x14\5\0\7\1\2\0\xfd\xff\x20\0", 13},                   /* deflates two */
        {"\0\0\x14\5\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\x20\0\2", 18},
    };
    size_t left;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (decodes(rows[i].bytes, rows[i].len, &left))
            fail_msg("row %zu is taken", i);
    }
}

static int allocate(void **state)
{
    (void)state;
    encoder = column_encoder_new();
    decoder = column_decoder_new();
    column = malloc(CHUNK_RECORDS * sizeof *column);
    decoded = malloc(CHUNK_RECORDS * sizeof *decoded);
    return encoder && decoder && column && decoded ? 0 : -1;
}

static int release(void **state)
{
    (void)state;
    column_encoder_free(encoder);
    column_encoder_free(NULL);
    column_decoder_free(decoder);
    column_decoder_free(NULL);
    free(column);
    free(decoded);
    return 0;
}

int main(void)
{
    chance = test_random_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_of_every_width_comes_back_and_takes_no_more),
        cmocka_unit_test(what_has_a_unit_is_divided_by_it),
        cmocka_unit_test(even_steps_take_nothing),
        cmocka_unit_test(extremes_come_back),
        cmocka_unit_test(a_column_that_rests_on_its_mean_takes_less),
        cmocka_unit_test(a_column_lies_as_its_header_says),
        cmocka_unit_test(what_is_no_column_is_refused),
    };
    return cmocka_run_group_tests(tests, allocate, release);
}
