#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "newest_samples.h"
#include "test_random.h"

enum { SAMPLES_MAX = 120, ROUNDS = 3000 };

static struct test_random chance;

static int compare(const void *left, const void *right)
{
    const struct newest_sample *a = left, *b = right;
    if (a->record.at.us != b->record.at.us)
        return a->record.at.us < b->record.at.us ? -1 : 1;
    if (!slice_equals(a->type, b->type))
        return strcmp(a->type.ptr, b->type.ptr);
    return (a->arrival > b->arrival) - (a->arrival < b->arrival);
}

static void shuffle(struct newest_sample *samples, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = test_random_below(&chance, i);
        struct newest_sample kept = samples[i - 1];
        samples[i - 1] = samples[j];
        samples[j] = kept;
    }
}

static size_t make_samples(struct newest_sample *samples)
{
    static const char *const types[] = {"a", "ab", "b"};
    size_t count = 1 + test_random_below(&chance, SAMPLES_MAX);
    size_t instants = 1 + test_random_below(&chance, 20);
    for (size_t i = 0; i < count; i++) {
        struct record r = {{(int64_t)test_random_below(&chance, instants) - 5}, (double)i};
        samples[i] =
            (struct newest_sample){r, slice_from_string(types[test_random_below(&chance, 3)]), i};
    }
    return count;
}

static uint64_t ties_before(const struct newest_sample *sorted, size_t at)
{
    uint64_t ties = 0;
    for (size_t i = 0; i < at; i++)
        ties += sorted[i].record.at.us == sorted[at].record.at.us &&
                slice_equals(sorted[i].type, sorted[at].type);
    return ties;
}

static void holds_what_sorting_would(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct newest_sample samples[SAMPLES_MAX], room[SAMPLES_MAX];
        size_t count = make_samples(samples);
        size_t limit = 1 + test_random_below(&chance, SAMPLES_MAX);
        struct newest_samples newest;
        newest_samples_init(&newest, room, limit);
        shuffle(samples, count);
        for (size_t i = 0; i < count; i++) {
            if (!newest_samples_excludes(&newest, samples[i].record.at))
                newest_samples_show(&newest, &samples[i]);
        }
        newest_samples_sort(&newest);
        qsort(samples, count, sizeof *samples, compare);
        size_t wanted = count < limit ? count : limit, skipped = count - wanted;
        assert_int_equal(newest.count, wanted);
        for (size_t i = 0; i < wanted; i++)
            assert_true(newest.heap[i].arrival == samples[skipped + i].arrival);
        assert_int_equal(newest.dropped_of_least, ties_before(samples, skipped));
    }
}

static void excludes_nothing_while_there_is_room(void **state)
{
    (void)state;
    struct newest_sample room[2];
    struct newest_samples newest;
    const struct newest_sample sample = {{{10}, 1.0}, SLICE("a"), 0};
    newest_samples_init(&newest, room, 2);
    newest_samples_show(&newest, &sample);
    assert_false(newest_samples_excludes(&newest, WALL_TIME_MIN));
    newest_samples_show(&newest, &sample);
    assert_true(newest_samples_excludes(&newest, (struct wall_time){9}));
    assert_false(newest_samples_excludes(&newest, (struct wall_time){10}));
}

int main(void)
{
    chance = test_random_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_sorting_would),
        cmocka_unit_test(excludes_nothing_while_there_is_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
