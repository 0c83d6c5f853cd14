#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "sample_batch.h"
#include "span.h"

static struct sample_batch *batch;

static int fresh(void **state)
{
    (void)state;
    batch = sample_batch_new();
    return batch ? 0 : -1;
}

static int done(void **state)
{
    (void)state;
    sample_batch_free(batch);
    sample_batch_free(NULL);
    return 0;
}

static enum batch_outcome add(const char *type, int64_t at_us, double value)
{
    const struct sample sample = {{at_us}, value, slice_from_string(type)};
    return sample_batch_add(batch, &sample, (uint32_t)sample_batch_count(batch) + 7);
}

static void assert_group(size_t index, const char *name, int64_t hour, const double *values,
                         size_t count)
{
    const unsigned char *records;
    assert_true(sample_batch_pack(batch, &records));
    const struct batch_group *group = sample_batch_group(batch, index);
    assert_true(slice_equals(group->name, slice_from_string(name)));
    assert_true(group->hour == hour);
    assert_int_equal(group->count, count);
    for (size_t i = 0; i < count; i++) {
        struct record r = record_unpack(records + (group->first + i) * RECORD_BYTES);
        assert_true(r.value == values[i]);
        assert_true(hour_of(r.at) == hour);
    }
}

static void samples_are_gathered_in_order_of_arrival(void **state)
{
    (void)state;
    assert_int_equal(add("b", 5, 1), BATCH_ADDED);
    assert_int_equal(add("a", -1, 2), BATCH_ADDED);
    assert_int_equal(add("b", HOUR_US, 3), BATCH_ADDED);
    assert_int_equal(add("b", 4, 4), BATCH_ADDED);
    assert_int_equal(add("a", -2, 5), BATCH_ADDED);
    assert_int_equal(sample_batch_count(batch), 5);
    assert_int_equal(sample_batch_type_count(batch), 2);
    assert_int_equal(sample_batch_group_count(batch), 3);
    assert_group(0, "b", 0, (const double[]){1, 4}, 2);
    assert_group(1, "a", -1, (const double[]){2, 5}, 2);
    assert_group(2, "b", 1, (const double[]){3}, 1);
    assert_int_equal(sample_batch_group(batch, 0)->type, 0);
    assert_int_equal(sample_batch_group(batch, 1)->type, 1);
    assert_int_equal(sample_batch_group(batch, 2)->type, 0);
    static const size_t groups[] = {0, 1, 2, 0, 1};
    for (size_t i = 0; i < 5; i++) {
        uint32_t number;
        assert_ptr_equal(sample_batch_group_of(batch, i, &number),
                         sample_batch_group(batch, groups[i]));
        assert_int_equal(number, i + 7);
    }
}

static void the_newest_is_the_last_to_arrive_among_equals(void **state)
{
    (void)state;
    (void)add("a", -7, 1);
    (void)add("a", -7, 2);
    (void)add("a", -9, 3);
    (void)add("a", -9, 4);
    const struct batch_group *a = sample_batch_group(batch, 0);
    assert_true(a->newest.at.us == -7 && a->newest.value == 2);
    assert_true(a->oldest.us == -9);
}

static void there_is_room_for_so_many_samples(void **state)
{
    (void)state;
    for (int i = 0; i < BATCH_SAMPLES_MAX; i++)
        assert_int_equal(add(i % 2 ? "a" : "b", i, i), BATCH_ADDED);
    assert_int_equal(add("a", 0, 0), BATCH_FULL);
    assert_int_equal(sample_batch_count(batch), BATCH_SAMPLES_MAX);
    const unsigned char *records;
    assert_true(sample_batch_pack(batch, &records));
    assert_true(record_unpack(records).value == 0.0);
}

static void a_name_is_copied(void **state)
{
    (void)state;
    char name[] = "abc";
    (void)add(name, 0, 1);
    name[0] = 'x';
    (void)add(name, 0, 2);
    assert_group(0, "abc", 0, (const double[]){1}, 1);
    assert_group(1, "xbc", 0, (const double[]){2}, 1);
}

/* Names that begin alike, so that a table of them meets itself, twice over. */
static void each_type_and_hour_is_a_group_however_many_there_are(void **state)
{
    (void)state;
    enum { TYPES = 300, HOURS = 50 };
    char name[16];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < TYPES * HOURS; i++) {
            (void)snprintf(name, sizeof name, "t%d", i % TYPES);
            assert_int_equal(add(name, (i / TYPES) * HOUR_US + round, i), BATCH_ADDED);
        }
    }
    assert_int_equal(sample_batch_type_count(batch), TYPES);
    assert_int_equal(sample_batch_group_count(batch), TYPES * HOURS);
    for (size_t i = 0; i < TYPES * HOURS; i += 97) {
        (void)snprintf(name, sizeof name, "t%zu", i % TYPES);
        assert_group(i, name, (int64_t)i / TYPES, (const double[]){(double)i, (double)i}, 2);
        assert_int_equal(sample_batch_group(batch, i)->type, i % TYPES);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(samples_are_gathered_in_order_of_arrival),
        TEST(the_newest_is_the_last_to_arrive_among_equals),
        TEST(there_is_room_for_so_many_samples),
        TEST(a_name_is_copied),
        TEST(each_type_and_hour_is_a_group_however_many_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
