#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "sample_page.h"
#include "test_random.h"

enum { SAMPLES_MAX = 120, ROUNDS = 3000 };

static struct test_random chance;

static int compare(const void *left, const void *right)
{
    const struct listed_sample *a = left, *b = right;
    if (a->record.at.us != b->record.at.us)
        return a->record.at.us < b->record.at.us ? -1 : 1;
    if (!slice_equals(a->type, b->type))
        return strcmp(a->type.ptr, b->type.ptr);
    return (a->rank > b->rank) - (a->rank < b->rank);
}

static void shuffle(struct listed_sample *samples, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = test_random_below(&chance, i);
        struct listed_sample kept = samples[i - 1];
        samples[i - 1] = samples[j];
        samples[j] = kept;
    }
}

/* The value is the number of arrival. */
static size_t make_samples(struct listed_sample *samples)
{
    static const char *const types[] = {"a", "ab", "b"};
    size_t count = 1 + test_random_below(&chance, SAMPLES_MAX);
    size_t instants = 1 + test_random_below(&chance, 20);
    for (size_t i = 0; i < count; i++) {
        struct record r = {{(int64_t)test_random_below(&chance, instants) - 5}, (double)i};
        samples[i] =
            (struct listed_sample){r, slice_from_string(types[test_random_below(&chance, 3)]), i};
    }
    return count;
}

static uint64_t ties_before(const struct listed_sample *sorted, size_t at)
{
    uint64_t ties = 0;
    for (size_t i = 0; i < at; i++)
        ties += sorted[i].record.at.us == sorted[at].record.at.us &&
                slice_equals(sorted[i].type, sorted[at].type);
    return ties;
}

static void check_round(bool is_of_newest)
{
    struct listed_sample samples[SAMPLES_MAX], room[SAMPLES_MAX];
    size_t count = make_samples(samples);
    size_t limit = 1 + test_random_below(&chance, SAMPLES_MAX);
    struct sample_page page;
    sample_page_init(&page, room, limit, is_of_newest);
    shuffle(samples, count);
    for (size_t i = 0; i < count; i++) {
        if (!sample_page_excludes(&page, samples[i].record.at))
            sample_page_show(&page, &samples[i]);
    }
    sample_page_finish(&page);
    qsort(samples, count, sizeof *samples, compare);
    size_t wanted = count < limit ? count : limit, before = is_of_newest ? count - wanted : 0;
    assert_int_equal(page.count, wanted);
    for (size_t i = 0; i < wanted; i++) {
        assert_true(page.samples[i].record.value == samples[before + i].record.value);
        assert_int_equal(page.samples[i].rank, ties_before(samples, before + i));
    }
}

static void holds_what_sorting_would(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++)
        check_round(round % 2);
}

static void excludes_nothing_while_there_is_room(void **state)
{
    (void)state;
    struct listed_sample room[2];
    const struct listed_sample sample = {{{10}, 1.0}, SLICE("a"), 0};
    for (int is_of_newest = 0; is_of_newest < 2; is_of_newest++) {
        struct sample_page page;
        struct wall_time nearer = {is_of_newest ? 11 : 9}, farther = {is_of_newest ? 9 : 11};
        sample_page_init(&page, room, 2, is_of_newest);
        sample_page_show(&page, &sample);
        assert_false(sample_page_excludes(&page, WALL_TIME_MIN));
        assert_false(sample_page_excludes(&page, WALL_TIME_MAX));
        sample_page_show(&page, &sample);
        assert_int_equal(sample_page_edge(&page).us, 10);
        assert_true(sample_page_excludes(&page, farther));
        assert_false(sample_page_excludes(&page, nearer));
        assert_false(sample_page_excludes(&page, (struct wall_time){10}));
    }
}

static void an_empty_page_is_one(void **state)
{
    (void)state;
    struct listed_sample room[1];
    struct sample_page page;
    sample_page_init(&page, room, 1, true);
    sample_page_finish(&page);
    assert_int_equal(page.count, 0);
}

int main(void)
{
    chance = test_random_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_sorting_would),
        cmocka_unit_test(excludes_nothing_while_there_is_room),
        cmocka_unit_test(an_empty_page_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
