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
    return sample_batch_add(batch, &sample);
}

static void assert_group(const struct batch_group *group, int64_t hour, const double *values,
                         size_t count)
{
    const unsigned char *records;
    assert_true(sample_batch_pack(batch, &records));
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
    const struct batch_type *b = sample_batch_type(batch, 0), *a = sample_batch_type(batch, 1);
    assert_true(slice_equals(b->name, SLICE("b")) && slice_equals(a->name, SLICE("a")));
    assert_int_equal(b->group_count, 2);
    assert_int_equal(a->group_count, 1);
    const struct batch_group *first = sample_batch_group(batch, b->first_group);
    assert_group(first, 0, (const double[]){1, 4}, 2);
    assert_group(sample_batch_group(batch, first->next), 1, (const double[]){3}, 1);
    assert_true(sample_batch_group(batch, first->next)->next == BATCH_NONE);
    assert_group(sample_batch_group(batch, a->first_group), -1, (const double[]){2, 5}, 2);
}

static void the_newest_is_the_last_to_arrive_among_equals(void **state)
{
    (void)state;
    (void)add("a", 7, 1);
    (void)add("a", 7, 2);
    (void)add("a", 3, 3);
    (void)add("a", 3, 4);
    const struct batch_type *a = sample_batch_type(batch, 0);
    assert_true(a->newest.at.us == 7 && a->newest.value == 2);
    assert_true(a->oldest.us == 3);
}

static void there_is_room_for_so_many_samples(void **state)
{
    (void)state;
    for (int i = 0; i < BATCH_SAMPLES_MAX; i++)
        assert_int_equal(add(i % 2 ? "a" : "b", i, i), BATCH_ADDED);
    assert_int_equal(add("a", 0, 0), BATCH_SAMPLES_FULL);
    assert_int_equal(sample_batch_count(batch), BATCH_SAMPLES_MAX);
    const unsigned char *records;
    assert_true(sample_batch_pack(batch, &records));
    assert_true(record_unpack(records).value == 0.0);
}

/* Names that begin alike, so that a table of them meets itself. */
static void there_is_room_for_so_many_types_and_hours(void **state)
{
    (void)state;
    static char names[BATCH_GROUPS_MAX][16];
    for (int i = 0; i < BATCH_GROUPS_MAX - 1; i++) {
        (void)snprintf(names[i], sizeof names[i], "t%d", i);
        assert_int_equal(add(names[i], 0, i), BATCH_ADDED);
    }
    assert_int_equal(add(names[3], HOUR_US, 1), BATCH_ADDED);
    assert_int_equal(add("another", 0, 1), BATCH_GROUPS_FULL);
    assert_int_equal(add(names[3], 2 * HOUR_US, 1), BATCH_GROUPS_FULL);
    for (int i = 0; i < BATCH_GROUPS_MAX - 1; i++)
        assert_int_equal(add(names[i], 1, 2), BATCH_ADDED);
    assert_int_equal(sample_batch_count(batch), 2 * BATCH_GROUPS_MAX - 1);
    for (size_t i = 0; i < BATCH_GROUPS_MAX - 1; i++) {
        const struct batch_type *type = sample_batch_type(batch, i);
        assert_true(slice_equals(type->name, slice_from_string(names[i])));
        assert_group(sample_batch_group(batch, type->first_group), 0,
                     (const double[]){(double)i, 2}, 2);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(samples_are_gathered_in_order_of_arrival),
        TEST(the_newest_is_the_last_to_arrive_among_equals),
        TEST(there_is_room_for_so_many_samples),
        TEST(there_is_room_for_so_many_types_and_hours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
