#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "column.h"
#include "heap_slice.h"
#include "packed.h"
#include "series_generator.h"
#include "test_random.h"

static struct test_random chance;
static struct column_decoder *decoder;
static struct record *records; /* CHUNK_RECORDS on the heap */

static const size_t lengths[] = {1, 2, 3, 63, 64, 65, 100, 1440, 3600, 4095, 4096};
enum { LENGTH_COUNT = sizeof lengths / sizeof *lengths };

static size_t random_below(size_t n)
{
    return test_random_below(&chance, n);
}

static double unit(void)
{
    return (double)(test_random_u64(&chance) >> 11) * 0x1p-53;
}

/* Any double but infinities and those that are none. */
static double random_finite(void)
{
    double value;
    do {
        uint64_t bits = test_random_u64(&chance);
        memcpy(&value, &bits, sizeof value);
    } while (!isfinite(value));
    return value;
}

/* On the heap, exactly as long as it is. */
static struct slice encode(size_t count)
{
    unsigned char *out = malloc(BLOCK_BYTES_MAX);
    assert_non_null(out);
    memset(out, (int)random_below(256), BLOCK_BYTES_MAX);
    size_t len = block_encode(NULL, records, count, out);
    if (len == 0)
        abort(); /* no memory */
    assert_true(len <= BLOCK_BYTES_MAX);
    struct slice block = heap_slice_new(out, len);
    free(out);
    return block;
}

static bool decode(struct slice block, struct record *out, size_t *count)
{
    return block_decode(decoder, block, out, count);
}

static void assert_record_is(struct record actual, struct record expected, size_t i)
{
    if (actual.at.us != expected.at.us ||
        memcmp(&actual.value, &expected.value, sizeof actual.value) != 0)
        fail_msg("record %zu is %lld %.17g instead of %lld %.17g", i, (long long)actual.at.us,
                 actual.value, (long long)expected.at.us, expected.value);
}

/* Returns the length of the block. */
static size_t assert_comes_back(size_t count)
{
    struct record *out = malloc(CHUNK_RECORDS * sizeof *out);
    assert_non_null(out);
    struct slice block = encode(count), again = encode(count);
    size_t decoded = 0, len = block.len;
    assert_true(slice_equals(block, again));
    assert_true(decode(block, out, &decoded));
    assert_int_equal(decoded, count);
    for (size_t i = 0; i < count; i++)
        assert_record_is(out[i], records[i], i);
    heap_slice_free(block);
    heap_slice_free(again);
    free(out);
    return len;
}

static void generate(enum series_kind kind, int64_t interval_us, size_t count)
{
    struct series_generator g;
    series_generator_init(&g, kind, interval_us, (struct wall_time){INT64_C(1700000000000000)},
                          test_random_u64(&chance));
    for (size_t i = 0; i < count; i++)
        series_generator_next(&g, &records[i]);
}

static void every_series_comes_back(void **state)
{
    (void)state;
    const int64_t intervals_us[] = {1, 1000, 1000000, 60000000, INT64_C(86400000000)};
    for (int kind = 0; kind < SERIES_KIND_COUNT; kind++) {
        for (size_t i = 0; i < sizeof intervals_us / sizeof *intervals_us; i++) {
            generate((enum series_kind)kind, intervals_us[i], CHUNK_RECORDS);
            for (size_t j = 0; j < LENGTH_COUNT; j++)
                (void)assert_comes_back(lengths[j]);
        }
    }
}

static void a_series_takes_as_few_bytes_as_it_ever_did(void **state)
{
    (void)state;
    static const struct {
        enum series_kind kind;
        int64_t interval_us;
        size_t count;
        double bytes;
    } rows[] = {
        {SERIES_CONSTANT, 1000000, 3600, 0.009},   {SERIES_CONSTANT, 60000000, 1440, 0.023},
        {SERIES_COUNTER, 1000000, 3600, 0.61},     {SERIES_COUNTER, 60000000, 1440, 1.15},
        {SERIES_TEMPERATURE, 1000000, 3600, 0.25}, {SERIES_TEMPERATURE, 60000000, 1440, 0.31},
        {SERIES_CPU, 1000000, 3600, 1.5},          {SERIES_CPU, 60000000, 1440, 1.57},
        {SERIES_LATENCY, 1000000, 3600, 3.46},     {SERIES_LATENCY, 60000000, 1440, 4.22},
        {SERIES_RANDOM, 1000000, 3600, 6.81},      {SERIES_RANDOM, 60000000, 1440, 6.84},
    };
    enum { SERIES = 20 }; /* one alone may be far from the mean of its kind */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double bytes = 0;
        for (int k = 0; k < SERIES; k++) {
            generate(rows[i].kind, rows[i].interval_us, rows[i].count);
            bytes += (double)assert_comes_back(rows[i].count);
        }
        bytes /= SERIES * (double)rows[i].count;
        if (bytes > rows[i].bytes)
            fail_msg("%s: %.3f bytes a sample", series_kind_name(rows[i].kind), bytes);
    }
}

/* Every second for a start; tests then change what they are about. */
static void lay_out_seconds(size_t count)
{
    for (size_t i = 0; i < count; i++)
        records[i] = (struct record){{(int64_t)i * 1000000}, 0.0};
}

static void any_bits_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_COUNT; i++) {
        lay_out_seconds(lengths[i]);
        for (size_t j = 0; j < lengths[i]; j++)
            records[j].value = random_finite();
        (void)assert_comes_back(lengths[i]);
    }
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = ((const struct record *)a)->at.us, y = ((const struct record *)b)->at.us;
    return (x > y) - (x < y);
}

static int64_t random_time(int kind)
{
    switch (kind) {
    case 0:
        return (int64_t)test_random_u64(&chance);
    case 1:
        return (int64_t)random_below(5); /* most of them equal */
    case 2:
        return random_below(2) ? INT64_MIN : INT64_MAX;
    case 3:
        return INT64_MAX - (int64_t)random_below(1000);
    case 4:
        return INT64_MIN + (int64_t)random_below(1000000) * 1000;
    default:
        return (int64_t)(test_random_u64(&chance) >> random_below(64));
    }
}

static void any_timestamps_come_back(void **state)
{
    (void)state;
    for (int kind = 0; kind < 6; kind++) {
        for (size_t i = 0; i < LENGTH_COUNT; i++) {
            for (size_t j = 0; j < lengths[i]; j++)
                records[j].at.us = random_time(kind);
            qsort(records, lengths[i], sizeof *records, compare_times);
            for (size_t j = 0; j < lengths[i]; j++)
                records[j].value = (double)j; /* equal timestamps keep their order */
            (void)assert_comes_back(lengths[i]);
        }
    }
}

static void nothing_takes_more_than_a_chunk_and_little(void **state)
{
    (void)state;
    for (size_t j = 0; j < CHUNK_RECORDS; j++)
        records[j] = (struct record){{random_time(0)}, 0.0};
    qsort(records, CHUNK_RECORDS, sizeof *records, compare_times);
    for (size_t j = 0; j < CHUNK_RECORDS; j++)
        records[j].value = random_finite();
    assert_true(assert_comes_back(CHUNK_RECORDS) <= BLOCK_BYTES_MAX);
    records[0].at.us = INT64_MIN;
    assert_true(assert_comes_back(1) <= 2 * RECORD_BYTES + 32);
}

static void peculiar_values_come_back(void **state)
{
    (void)state;
    static const double peculiar[] = {0.0,
                                      -0.0,
                                      5e-324,
                                      -5e-324,
                                      2.2250738585072009e-308,
                                      1e308,
                                      -1e308,
                                      1.7976931348623157e308,
                                      -1.7976931348623157e308,
                                      0.1 + 0.2,
                                      1.0 / 3,
                                      9007199254740991.0,
                                      9007199254740992.0,
                                      9007199254740994.0,
                                      -9007199254740992.0,
                                      9223372036854775808.0,
                                      -9223372036854775808.0,
                                      1e15,
                                      123456789012345.0,
                                      0.123456789012345,
                                      1e-15,
                                      4.35,
                                      -0.05,
                                      1e22,
                                      1e23};
    enum { PECULIAR_COUNT = sizeof peculiar / sizeof *peculiar };
    for (size_t i = 0; i < PECULIAR_COUNT; i++) {
        lay_out_seconds(100);
        for (size_t j = 0; j < 100; j++)
            records[j].value = peculiar[i]; /* alone */
        (void)assert_comes_back(100);
        for (size_t j = 0; j < 100; j++)
            records[j].value = j == 50 ? peculiar[i] : (double)(j % 7) / 10.0; /* among decimals */
        (void)assert_comes_back(100);
    }
    for (int round = 0; round < 20; round++) {
        lay_out_seconds(CHUNK_RECORDS);
        size_t count = 1 + random_below(CHUNK_RECORDS), choice = 1 + random_below(PECULIAR_COUNT);
        for (size_t j = 0; j < count; j++)
            records[j].value = peculiar[random_below(choice)];
        (void)assert_comes_back(count);
    }
}

static void decimals_of_up_to_fifteen_digits_come_back(void **state)
{
    (void)state;
    for (int decimals = 0; decimals <= 15; decimals++) {
        double power = round(pow(10.0, decimals));
        uint64_t digits = 1;
        for (int i = 1; i <= 15; i++) {
            digits *= 10;
            lay_out_seconds(500);
            for (size_t j = 0; j < 500; j++) {
                double scaled = (double)(1 + test_random_u64(&chance) % (digits - 1));
                records[j].value = (random_below(2) ? scaled : -scaled) / power;
            }
            size_t len = assert_comes_back(500);
            double bits = log2((double)digits) + 1;
            assert_true((double)len < 500 * bits / 8 * 1.1 + 150);
        }
    }
}

static void a_few_odd_ones_spoil_nothing(void **state)
{
    (void)state;
    static const double odd[] = {-0.0, 0.1 + 0.2, 1.0 / 3, 1e300, -1e-300, 123456.789012345};
    generate(SERIES_CPU, 1000000, CHUNK_RECORDS);
    size_t usual = assert_comes_back(CHUNK_RECORDS);
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        const size_t places[] = {0, CHUNK_RECORDS - 1, random_below(CHUNK_RECORDS)};
        size_t at = places[i % 3];
        double value = records[at].value;
        records[at].value = odd[i];
        assert_true(assert_comes_back(CHUNK_RECORDS) < usual + CHUNK_RECORDS / 16);
        records[at].value = value;
    }
    for (size_t i = 0; i < CHUNK_RECORDS; i += 1 + random_below(3))
        records[i].value = unit(); /* half of them */
    (void)assert_comes_back(CHUNK_RECORDS);
}

static void what_repeats_itself_is_found(void **state)
{
    (void)state;
    double few[5];
    for (size_t i = 0; i < 5; i++)
        few[i] = unit();
    lay_out_seconds(CHUNK_RECORDS);
    for (size_t i = 0; i < CHUNK_RECORDS; i++)
        records[i].value = few[i % 5]; /* full precision, a pattern */
    assert_true(assert_comes_back(CHUNK_RECORDS) < CHUNK_RECORDS / 10);
    for (size_t i = 0; i < CHUNK_RECORDS; i++)
        records[i].value = few[random_below(5)]; /* no pattern, but few */
    assert_true(assert_comes_back(CHUNK_RECORDS) < CHUNK_RECORDS);
    for (size_t i = 0; i < CHUNK_RECORDS; i++)
        records[i].value = (float)(20.0 + (double)random_below(10) / 10); /* of single precision */
    assert_true(assert_comes_back(CHUNK_RECORDS) < CHUNK_RECORDS * 3 / 4);
}

static void damage_is_refused(void **state)
{
    (void)state;
    struct record *out = malloc(CHUNK_RECORDS * sizeof *out);
    assert_non_null(out);
    size_t count;
    for (int kind = 0; kind < SERIES_KIND_COUNT; kind++) {
        generate((enum series_kind)kind, 1000000, 100);
        struct slice block = encode(100);
        for (size_t len = 0; len < block.len; len++) {
            struct slice cut = heap_slice_new(block.ptr, len);
            assert_false(decode(cut, out, &count));
            heap_slice_free(cut);
        }
        char *bytes = malloc(block.len + 1);
        assert_non_null(bytes);
        memcpy(bytes, block.ptr, block.len);
        for (unsigned more = 0; more < 256; more++) {
            bytes[block.len] = (char)more;
            assert_false(decode(slice_of(bytes, block.len + 1), out, &count));
        }
        for (size_t at = 0; at < block.len; at++) {
            for (unsigned change = 1; change < 256; change++) {
                bytes[at] = (char)((unsigned char)block.ptr[at] ^ change);
                assert_false(decode(slice_of(bytes, block.len), out, &count));
            }
            bytes[at] = block.ptr[at];
        }
        assert_true(decode(slice_of(bytes, block.len), out, &count));
        free(bytes);
        heap_slice_free(block);
    }
    free(out);
}

/* What decodes has an order and finite values, whoever wrote and sealed it. */
static bool decodes_to_something_sound(const unsigned char *bytes, size_t len)
{
    struct record *out = malloc(CHUNK_RECORDS * sizeof *out);
    assert_non_null(out);
    size_t count = 0;
    struct slice block = heap_slice_new(bytes, len);
    bool is_block = decode(block, out, &count);
    for (size_t i = 0; is_block && i < count; i++) {
        assert_true(isfinite(out[i].value));
        assert_true(i == 0 || out[i].at.us >= out[i - 1].at.us);
    }
    if (is_block)
        assert_in_range(count, 1, CHUNK_RECORDS);
    heap_slice_free(block);
    free(out);
    return is_block;
}

static void random_bytes_under_a_good_seal_do_no_harm(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        unsigned char bytes[300] = {BLOCK_VERSION, 0};
        size_t len = 8 + random_below(sizeof bytes - 7);
        packed_put_u16(bytes + 2, (uint16_t)random_below(random_below(8) ? 20 : 65536));
        for (size_t i = 8; i < len; i++)
            bytes[i] = (unsigned char)(random_below(3) ? random_below(8) : random_below(256));
        packed_seal(bytes, len);
        (void)decodes_to_something_sound(bytes, len);
    }
}

static void changed_blocks_under_a_good_seal_do_no_harm(void **state)
{
    (void)state;
    unsigned accepted = 0;
    for (int round = 0; round < 3000; round++) {
        generate((enum series_kind)(round % SERIES_KIND_COUNT), 1000000, 50);
        struct slice block = encode(1 + random_below(50));
        unsigned char bytes[BLOCK_BYTES_MAX];
        memcpy(bytes, block.ptr, block.len);
        for (size_t changes = 1 + random_below(3); changes > 0; changes--)
            bytes[random_below(block.len)] = (unsigned char)random_below(256);
        size_t len = random_below(4) ? block.len : 8 + random_below(block.len - 7);
        packed_seal(bytes, len);
        accepted += decodes_to_something_sound(bytes, len);
        heap_slice_free(block);
    }
    assert_true(accepted > 100); /* the checks behind the seal were reached */
}

/* A block of the given columns, under a good seal. */
struct forged {
    unsigned char bytes[1024];
    size_t len;
};

static struct forged forge(const uint64_t *times, unsigned scale, const uint64_t *values,
                           size_t count)
{
    struct forged f = {.bytes = {BLOCK_VERSION}, .len = 8};
    struct column_encoder *e = column_encoder_new();
    assert_non_null(e);
    packed_put_u16(f.bytes + 2, (uint16_t)count);
    f.len += column_encode(e, times, count, f.bytes + f.len);
    f.bytes[f.len++] = (unsigned char)scale;
    f.len += column_encode(e, values, count, f.bytes + f.len);
    packed_seal(f.bytes, f.len);
    column_encoder_free(e);
    return f;
}

static void nonsense_under_a_good_seal_is_refused(void **state)
{
    (void)state;
    enum { SCALE_OF_BITS = 16 };
    const uint64_t times[] = {7, 7, 9}, descending[] = {7, 9, 8}, around[] = {INT64_MAX, 0, 1};
    const uint64_t values[] = {1, 2, 4};
    const uint64_t infinite[] = {1, UINT64_C(0x7ff0000000000000), 2};
    const uint64_t not_a_number[] = {1, 2, UINT64_C(0x7ff8000000000000)};
    const uint64_t minus_infinite[] = {UINT64_C(0x800fffffffffffff), 1, 2};
    const struct forged good[] = {forge(times, 0, values, 3), forge(times, 15, infinite, 3),
                                  forge(times, SCALE_OF_BITS, values, 3)};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(decodes_to_something_sound(good[i].bytes, good[i].len));
    const struct forged bad[] = {
        forge(descending, 0, values, 3),
        forge(around, 0, values, 3),
        forge(times, SCALE_OF_BITS + 1, values, 3),
        forge(times, SCALE_OF_BITS, infinite, 3),
        forge(times, SCALE_OF_BITS, not_a_number, 3),
        forge(times, SCALE_OF_BITS, minus_infinite, 3),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(decodes_to_something_sound(bad[i].bytes, bad[i].len));
}

static void an_exception_stands_where_there_is_a_record(void **state)
{
    (void)state;
    static const struct {
        double value;
        uint16_t index;
        bool is_sound;
    } rows[] = {{0.5, 0, true},  {0.5, 2, true},        {0.5, 3, false},      {0.5, 65535, false},
                {NAN, 1, false}, {-INFINITY, 1, false}, {INFINITY, 1, false}, {-1e308, 1, true}};
    const uint64_t times[] = {1, 2, 3}, values[] = {10, 20, 30};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct forged f = forge(times, 0, values, 3);
        packed_put_u16(f.bytes + f.len, rows[i].index);
        packed_put_f64(f.bytes + f.len + 2, rows[i].value);
        for (size_t len = f.len + 1; len <= f.len + 10; len++) {
            packed_seal(f.bytes, len);
            assert_int_equal(decodes_to_something_sound(f.bytes, len),
                             len == f.len + 10 && rows[i].is_sound);
        }
    }
}

static void a_block_lies_as_its_header_says(void **state)
{
    (void)state;
    const unsigned char expected[] = {
        1,    0,    4,    0,    0,    0,    0,    0,    /* version, count; the seal is set below */
        1,    0,                                        /* each less the last; no low bits */
        0x80, 0x80, 0xf2, 0x81, 0x83, 0x89, 0x85, 0x06, /* first: 1700000000000000 */
        0xc0, 0x84, 0x3d,                               /* unit: 1000000 */
        2,    0,                                        /* centre: 1; no high parts */
        1,                                              /* one decimal */
        0,    0,                                        /* distances as they are; no low bits */
        0x9a, 0x03, 1,                                  /* first: 205; unit: 1 */
        1,    3,    0,    0,    2,                      /* centre: -1; 0, 0, 1 */
        2,    0,    0,    0,    0,    0,    0,    0,    0, 0x80 /* exception: the third is -0.0 */
    };
    const double values[] = {20.5, 20.4, -0.0, 20.5};
    unsigned char sealed[sizeof expected];
    memcpy(sealed, expected, sizeof sealed);
    packed_seal(sealed, sizeof sealed);
    for (size_t i = 0; i < 4; i++)
        records[i] = (struct record){{INT64_C(1700000000000000) + (int64_t)i * 1000000}, values[i]};
    struct slice block = encode(4);
    assert_true(slice_equals(block, slice_of((const char *)sealed, sizeof sealed)));
    heap_slice_free(block);
}

static int allocate(void **state)
{
    (void)state;
    decoder = column_decoder_new();
    records = malloc(CHUNK_RECORDS * sizeof *records);
    return decoder && records ? 0 : -1;
}

static int release(void **state)
{
    (void)state;
    free(records);
    column_decoder_free(decoder);
    return 0;
}

int main(void)
{
    chance = test_random_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_series_comes_back),
        cmocka_unit_test(a_series_takes_as_few_bytes_as_it_ever_did),
        cmocka_unit_test(any_bits_come_back),
        cmocka_unit_test(any_timestamps_come_back),
        cmocka_unit_test(nothing_takes_more_than_a_chunk_and_little),
        cmocka_unit_test(peculiar_values_come_back),
        cmocka_unit_test(decimals_of_up_to_fifteen_digits_come_back),
        cmocka_unit_test(a_few_odd_ones_spoil_nothing),
        cmocka_unit_test(what_repeats_itself_is_found),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(random_bytes_under_a_good_seal_do_no_harm),
        cmocka_unit_test(changed_blocks_under_a_good_seal_do_no_harm),
        cmocka_unit_test(nonsense_under_a_good_seal_is_refused),
        cmocka_unit_test(an_exception_stands_where_there_is_a_record),
        cmocka_unit_test(a_block_lies_as_its_header_says),
    };
    return cmocka_run_group_tests(tests, allocate, release);
}
