/* Gathering step by step, as a tender that others come between: scripts/gather.lua by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "chunk.h"
#include "life_model.h"
#include "metric_delete.h"
#include "test_life.h"

enum { DAY_HOURS = 24, INTEGER_TEXT = 24, ARGS_MAX = 64 };

static void gather(const char *type)
{
    test_life_tend(type, &test_life_for_ever);
}

/* Arguments of scripts/gather.lua: ten samples of an hour's open chunk go into the hour; a day
 * is emptied. */
struct gathering {
    char layout[INTEGER_TEXT];
    int64_t hour, had, keep, closed, bytes, emptied, day, day_count;
    unsigned char sealed[CHUNK_SEALED_BYTES_MAX];
    size_t len;
};

static void read_layout(struct gathering *g)
{
    const char *const words[] = {"HGET", "chunks", "layout", NULL};
    (void)snprintf(g->layout, sizeof g->layout, "%" PRId64, test_life_number("cpu", words));
}

/* As the tender sees it. */
static void look(struct gathering *g)
{
    struct record records[10];
    int64_t hour = test_life_past_hour();
    life_model_post_hour("cpu", hour, 10);
    for (int i = 0; i < 10; i++)
        records[i] = test_store.model.samples[i].record;
    *g = (struct gathering){.hour = hour, .bytes = 160, .day = hour / DAY_HOURS, .day_count = 1};
    read_layout(g);
    g->len = chunk_seal(NULL, records, 10, g->sealed);
    assert_true(g->len > 0);
}

static int64_t put(const struct gathering *g)
{
    const int64_t numbers[] = {SPAN_HOUR, g->hour,  g->had,     g->keep,  1,      g->hour,
                               g->closed, g->bytes, g->emptied, SPAN_DAY, g->day, g->day_count};
    size_t number_count = sizeof numbers / sizeof *numbers - (g->emptied ? 0 : 3);
    char texts[sizeof numbers / sizeof *numbers][INTEGER_TEXT];
    struct slice args[ARGS_MAX] = {slice_from_string(g->layout), SLICE("")};
    for (size_t i = 0; i < number_count; i++) {
        (void)snprintf(texts[i], INTEGER_TEXT, "%" PRId64, numbers[i]);
        args[2 + i] = slice_from_string(texts[i]);
    }
    args[2 + number_count] = slice_of((const char *)g->sealed, g->len);
    struct redisReply *reply = test_life_eval(REDIS_SCRIPT_GATHER, "cpu", args, 3 + number_count);
    int64_t result = -1;
    assert_true(redis_reply_integer(reply, &result));
    redis_reply_free(reply);
    return result;
}

static void gathering_changes_nothing_if_anything_is_other_than_seen(void **state)
{
    (void)state;
    static char before[TEST_LIFE_DIGEST_BYTES], after[TEST_LIFE_DIGEST_BYTES];
    struct gathering seen, other[8];
    life_model_post_hour("cpu", test_life_past_hour(), 10);
    gather("cpu");
    life_model_forget("cpu"); /* the day that will be emptied */
    look(&seen);
    seen.emptied = 1;
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        other[i] = seen;
    other[0].layout[15] ^= 1;
    other[1].layout[0] = '\0';
    (void)snprintf(other[2].layout, INTEGER_TEXT, "0");
    other[3].had = 1;
    other[4].closed = 1;
    other[5].bytes += RECORD_BYTES;
    other[6].day_count = 2;
    other[7].day++;
    test_life_digest("cpu", before);
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        assert_int_equal(put(&other[i]), 0);
        test_life_digest("cpu", after);
        assert_string_equal(before, after);
    }
    assert_int_equal(put(&seen), 1);
    test_life_digest("cpu", before);
    assert_int_equal(put(&seen), 0); /* twice */
    test_life_digest("cpu", after);
    assert_string_equal(before, after);
    life_model_check("cpu");
}

/* Readers and other tenders go by it. */
static void the_layout_is_another_one_after_each_move(void **state)
{
    (void)state;
    const struct metric_retention no_samples = {1, 0};
    struct gathering before, after;
    look(&before);
    assert_int_equal(put(&before), 1);
    read_layout(&after);
    assert_string_not_equal(before.layout, after.layout);
    test_life_tend("cpu", &no_samples);
    read_layout(&before);
    assert_string_not_equal(before.layout, after.layout);
    test_life_tend("cpu", &no_samples);
    read_layout(&after);
    assert_string_equal(before.layout, after.layout); /* nothing was moved */
}

static void what_arrives_while_a_chunk_is_gathered_stays_open(void **state)
{
    (void)state;
    struct gathering g;
    look(&g);
    life_model_post("cpu", hour_start(g.hour).us, 4711.0);
    life_model_post("cpu", hour_start(g.hour).us + 1, 4712.0);
    assert_int_equal(put(&g), 1);
    assert_int_equal(test_life_open_bytes("cpu", g.hour), 2 * RECORD_BYTES);
    assert_int_equal(test_life_closed("cpu", SPAN_HOUR, g.hour), 1);
    life_model_check("cpu");
    gather("cpu");
    assert_int_equal(test_life_open_bytes("cpu", g.hour), 0);
    life_model_check("cpu");
}

static void a_chunk_that_is_closed_while_it_is_gathered_stays_whole(void **state)
{
    (void)state;
    struct gathering g;
    look(&g);
    life_model_post_hour("cpu", g.hour, CHUNK_RECORDS);
    assert_int_equal(put(&g), 0);
    test_life_await_sealed("cpu");
    life_model_check("cpu");
}

/* An old tender must not bring back what was deleted, nor touch what came after it. */
static void nothing_is_gathered_of_a_type_that_is_deleted(void **state)
{
    (void)state;
    static char before[TEST_LIFE_DIGEST_BYTES], after[TEST_LIFE_DIGEST_BYTES];
    struct gathering g;
    look(&g);
    bool is_known, is_done;
    test_store_run("SET ra:tender test"); /* none but by hand */
    assert_int_equal(metric_delete(test_store.client, SLICE("cpu"), (struct mono_time){0},
                                   &is_known, &is_done, NULL),
                     ERR_OK);
    for (int i = 0; i < 2; i++) {
        test_life_digest("cpu", before);
        assert_int_equal(put(&g), 0);
        (void)snprintf(g.layout, sizeof g.layout, "0"); /* what one sees meanwhile */
        assert_int_equal(put(&g), 0);
        test_life_digest("cpu", after);
        assert_string_equal(before, after);
        gather("cpu");
    }
    test_life_digest("cpu", after);
    assert_string_equal(after, "");
    life_model_forget("cpu");
    life_model_post_hour("cpu", g.hour, 10);
    assert_int_equal(put(&g), 0);
    life_model_check("cpu");
}

static void a_layout_is_never_seen_again_after_a_deletion(void **state)
{
    (void)state;
    struct gathering before, after;
    look(&before);
    gather("cpu");
    read_layout(&before);
    bool is_known, is_done;
    assert_int_equal(metric_delete(test_store.client, SLICE("cpu"),
                                   mono_after_ms(clock_mono_now(), 10000), &is_known, &is_done,
                                   NULL),
                     ERR_OK);
    assert_true(is_done);
    life_model_forget("cpu");
    life_model_post_hour("cpu", test_life_past_hour(), 10);
    read_layout(&after);
    assert_true(strtoll(after.layout, NULL, 10) > strtoll(before.layout, NULL, 10));
}

static void a_second_tending_changes_nothing(void **state)
{
    (void)state;
    static char before[TEST_LIFE_DIGEST_BYTES], after[TEST_LIFE_DIGEST_BYTES];
    int64_t hour = test_life_past_hour();
    for (int64_t i = 0; i < 10; i++)
        life_model_post_hour("cpu", hour - i * 100, i == 4 ? 2000 : 30);
    gather("cpu");
    gather("cpu");
    test_life_digest("cpu", before);
    gather("cpu");
    test_life_digest("cpu", after);
    assert_string_equal(before, after);
    life_model_check("cpu");
}

#define LIFE_TEST(name) cmocka_unit_test_setup_teardown(name, test_life_open, test_life_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE_TEST(gathering_changes_nothing_if_anything_is_other_than_seen),
        LIFE_TEST(the_layout_is_another_one_after_each_move),
        LIFE_TEST(what_arrives_while_a_chunk_is_gathered_stays_open),
        LIFE_TEST(a_chunk_that_is_closed_while_it_is_gathered_stays_whole),
        LIFE_TEST(nothing_is_gathered_of_a_type_that_is_deleted),
        LIFE_TEST(a_layout_is_never_seen_again_after_a_deletion),
        LIFE_TEST(a_second_tending_changes_nothing),
    };
    return cmocka_run_group_tests(tests, test_store_start_server, test_store_stop_server);
}
