/* What is known of a type, with and without records that it does not tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "heap_slice.h"
#include "meta.h"
#include "packed.h"

enum { RECORDS_MAX = 4, BYTES_MAX = META_HOT_BYTES + RECORDS_MAX * RECORD_BYTES };

static unsigned char bytes[BYTES_MAX];
static struct meta meta;

/* Seven samples from 100 to 200, and the records that follow. */
static void pack(const struct record *records, size_t count)
{
    memset(bytes, 0, sizeof bytes);
    bytes[0] = META_VERSION;
    bytes[1] = META_KIND;
    packed_put_u64(bytes + 8, 1000);
    packed_put_u64(bytes + 16, 7);
    record_pack((struct record){{200}, 2.0}, bytes + 24);
    packed_put_u64(bytes + 40, 100);
    for (size_t i = 0; i < count; i++)
        record_pack(records[i], bytes + META_HOT_BYTES + i * RECORD_BYTES);
}

static bool unpack(size_t len)
{
    struct slice exact = heap_slice_new(bytes, len);
    bool is_meta = meta_unpack(exact, &meta);
    heap_slice_free(exact);
    return is_meta;
}

static void assert_meta(uint64_t version, uint64_t count, struct record newest, int64_t first_us)
{
    assert_int_equal(meta.version, version);
    assert_int_equal(meta.count, count);
    assert_int_equal(meta.newest.at.us, newest.at.us);
    assert_true(meta.newest.value == newest.value);
    assert_int_equal(meta.first_at.us, first_us);
}

static void tells_what_is_known(void **state)
{
    (void)state;
    pack(NULL, 0);
    assert_true(unpack(META_PACKED_BYTES));
    assert_meta(1000, 7, (struct record){{200}, 2.0}, 100);
    assert_true(unpack(META_HOT_BYTES));
    assert_meta(1000, 7, (struct record){{200}, 2.0}, 100);
}

static void records_that_it_does_not_tell_count(void **state)
{
    (void)state;
    const struct record records[RECORDS_MAX] = {
        {{150}, 3.0}, {{200}, 4.0}, {{-50}, 5.0}, {{200}, 6.0}};
    pack(records, RECORDS_MAX);
    assert_true(unpack(META_HOT_BYTES + RECORD_BYTES));
    assert_meta(1001, 8, (struct record){{200}, 2.0}, 100);
    assert_true(unpack(META_HOT_BYTES + 2 * RECORD_BYTES));
    assert_meta(1002, 9, (struct record){{200}, 4.0}, 100);
    assert_true(unpack(BYTES_MAX));
    assert_meta(1004, 11, (struct record){{200}, 6.0}, -50);
}

/* It is noticed elsewhere what is wrong with them (record.h). */
static void records_that_cannot_be_ours_are_not_shown(void **state)
{
    (void)state;
    const struct record records[RECORDS_MAX] = {
        {{300}, (double)NAN}, {{INT64_MAX}, 1.0}, {{INT64_MIN}, 1.0}, {{250}, 7.0}};
    pack(records, RECORDS_MAX);
    assert_true(unpack(BYTES_MAX));
    assert_meta(1004, 11, (struct record){{250}, 7.0}, 100);
}

static void anything_else_is_none(void **state)
{
    (void)state;
    const struct record records[RECORDS_MAX] = {{{300}, 1.0}};
    pack(records, RECORDS_MAX);
    for (size_t len = 0; len <= BYTES_MAX; len++) {
        bool is_whole = len == META_PACKED_BYTES ||
                        (len >= META_HOT_BYTES && (len - META_HOT_BYTES) % RECORD_BYTES == 0);
        assert_int_equal(unpack(len), is_whole);
    }
    for (int at = 0; at < 2; at++) {
        pack(NULL, 0);
        bytes[at]++;
        assert_false(unpack(META_PACKED_BYTES));
    }
    pack(NULL, 0);
    packed_put_u64(bytes + 16, 0);
    assert_false(unpack(META_PACKED_BYTES));
    pack(NULL, 0);
    packed_put_u64(bytes + 40, 201);
    assert_false(unpack(META_PACKED_BYTES));
    assert_false(meta_is_deleting(SLICE("deletin")));
    assert_true(meta_is_deleting(SLICE("deleting")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_is_known),
        cmocka_unit_test(records_that_it_does_not_tell_count),
        cmocka_unit_test(records_that_cannot_be_ours_are_not_shown),
        cmocka_unit_test(anything_else_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
