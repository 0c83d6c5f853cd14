/* Lists against a real server, page by page, a plain array beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chunk_sealer.h"
#include "metric_tender.h"
#include "test_store.h"

enum { TYPES = 4, TIES = 10000 };

static const char *const types[TYPES] = {"cpu", "cp{u}%", "cpu_usage", "t\xc3\xa9mp"};

static int64_t start_us;

static int open_list(void **state)
{
    start_us = test_store_hour_start();
    return test_store_open(state);
}

static const char *random_type(void)
{
    return types[test_store_below(TYPES)];
}

/* Few instants, so that types and arrivals share them; some hours and a month away. */
static int64_t random_instant(void)
{
    int64_t at = start_us + (int64_t)test_store_below(6) * 1000000;
    switch (test_store_below(4)) {
    case 0:
        return at - (int64_t)test_store_below(40) * HOUR_US;
    case 1:
        return at - (int64_t)test_store_below(3) * 31 * 24 * HOUR_US;
    default:
        return at;
    }
}

static void post_random(void)
{
    test_store_post(random_type(), random_instant(), (double)test_store.model.count);
}

static void post_some(void)
{
    for (size_t n = test_store_below(4); n > 0; n--)
        post_random();
}

static struct wall_time random_bound(struct wall_time unbounded)
{
    if (test_store_below(3) == 0)
        return unbounded;
    return (struct wall_time){random_instant() + (int64_t)test_store_below(3) - 1};
}

/* Any place, also such as no sample has. */
static struct list_place random_place(const char *type)
{
    const struct modelled_sample *near =
        &test_store.model.samples[test_store_below(test_store.model.count)];
    return (struct list_place){{near->record.at.us + (int64_t)test_store_below(3) - 1},
                               slice_from_string(type ? type : random_type()),
                               test_store_below(5)};
}

static void check_random_page(void)
{
    const char *type = test_store_below(2) ? random_type() : NULL;
    struct list_place place = random_place(type);
    const struct list_question question = {.type = slice_from_string(type ? type : ""),
                                           .from = random_bound(WALL_TIME_MIN),
                                           .to = random_bound(WALL_TIME_MAX),
                                           .is_backward = test_store_below(2),
                                           .place = test_store_below(4) ? &place : NULL,
                                           .limit = 1 + test_store_below(60)};
    sample_model_check_page(&test_store.model, test_store.store, &question);
}

static void check_walk(const char *type, bool is_backward, size_t limit_max,
                       void (*meanwhile)(void))
{
    size_t known = test_store.model.count;
    struct sample_walk walk = {
        .type = type, .from = WALL_TIME_MIN, .to = WALL_TIME_MAX, .is_backward = is_backward};
    sample_walk_run(&walk, test_store.store, limit_max, &test_store.chance, meanwhile);
    sample_model_check_walk(&test_store.model, &walk, known);
    sample_walk_release(&walk);
}

static void tend_all(void)
{
    static const struct metric_retention for_ever = {0, 0};
    struct chunk_sealer *sealer = chunk_sealer_new(test_store.client);
    assert_non_null(sealer);
    for (size_t i = 0; i < TYPES; i++) {
        struct error err;
        error_init(&err);
        assert_int_equal(metric_tender_tend(test_store.client, sealer, &for_ever,
                                            slice_from_string(types[i]), &err),
                         ERR_OK);
    }
    chunk_sealer_free(sealer);
}

static void any_page_is_what_a_plain_array_gives(void **state)
{
    (void)state;
    for (int i = 1; i <= 600; i++) {
        post_random();
        if (i % 200 == 0)
            tend_all();
        if (i % 2 == 0)
            check_random_page();
    }
}

static void paging_meets_every_sample_once_while_others_come(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++)
        post_random();
    for (int is_backward = 0; is_backward < 2; is_backward++) {
        check_walk(NULL, is_backward, 40, NULL);
        check_walk(NULL, is_backward, 40, post_some);
        check_walk(types[0], is_backward, 20, post_some);
        tend_all();
        check_walk(NULL, is_backward, 300, post_some);
    }
}

static void post_tie(void)
{
    test_store_post(types[test_store_below(2)], start_us, (double)test_store.model.count);
}

/* More than two chunks of one instant, in an open and in sealed ones. */
static void ties_are_paged_across_chunks(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * TIES; i++)
        test_store_post(types[i % 2], start_us + (i % 5000 == 4999), i);
    for (int is_backward = 0; is_backward < 2; is_backward++) {
        check_walk(types[0], is_backward, 2000, post_tie);
        check_walk(NULL, is_backward, 6000, post_tie);
    }
    for (int i = 0; i < 40; i++) {
        const struct list_place place = {
            {start_us}, slice_from_string(types[0]), test_store_below(TIES)};
        const struct list_question question = {.type = slice_from_string(types[0]),
                                               .from = WALL_TIME_MIN,
                                               .to = WALL_TIME_MAX,
                                               .is_backward = i % 2,
                                               .place = &place,
                                               .limit = 1 + test_store_below(1000)};
        sample_model_check_page(&test_store.model, test_store.store, &question);
    }
}

/* More than a page of the directory, all of them at the same few instants. */
static void types_by_the_hundred_are_paged(void **state)
{
    (void)state;
    static char names[257][8];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(names[i], sizeof names[i], "t%zu", i * 7919 % 1000);
        test_store_post(names[i], start_us + (int64_t)(i % 3), (double)i);
        test_store_post(names[i], start_us + 2, (double)i);
    }
    for (int is_backward = 0; is_backward < 2; is_backward++)
        check_walk(NULL, is_backward, 200, post_some);
}

static _Atomic bool is_other_to_end;

/* Closes chunks, before, at and after wherever the walks are. */
static void *post_until_told(void *argument)
{
    (void)argument;
    struct test_random chance = test_random_start();
    while (!atomic_load(&is_other_to_end)) {
        int64_t at = start_us + (int64_t)test_random_below(&chance, 3);
        test_store_post(types[test_random_below(&chance, 2)], at, 1.0);
    }
    return NULL;
}

/* Opens chunks in the past, which are then gathered into wider ones. */
static void *tend_until_told(void *argument)
{
    (void)argument;
    struct test_random chance = test_random_start();
    while (!atomic_load(&is_other_to_end)) {
        for (int i = 0; i < 4; i++)
            test_store_post(types[test_random_below(&chance, TYPES)],
                            start_us - (int64_t)test_random_below(&chance, 2000) * HOUR_US, 1.0);
        tend_all();
    }
    return NULL;
}

static void check_walks_beside(void *(*other)(void *))
{
    enum { WALKS = 12 };
    struct sample_walk walks[WALKS];
    pthread_t thread;
    size_t known = test_store.model.count;
    atomic_store(&is_other_to_end, false);
    assert_int_equal(pthread_create(&thread, NULL, other, NULL), 0);
    for (int i = 0; i < WALKS; i++) {
        /* Forward, a walk could run after the posts for ever. */
        walks[i] = (struct sample_walk){.type = i % 3 ? types[0] : NULL,
                                        .from = WALL_TIME_MIN,
                                        .to = {start_us + 2 + i % 2},
                                        .is_backward = i % 2};
        sample_walk_run(&walks[i], test_store.store, 1 + known / 3, &test_store.chance, NULL);
    }
    atomic_store(&is_other_to_end, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (int i = 0; i < WALKS; i++) {
        sample_model_check_walk(&test_store.model, &walks[i], known);
        sample_walk_release(&walks[i]);
    }
}

static void paging_is_stable_while_another_thread_posts(void **state)
{
    (void)state;
    for (int i = 0; i < 6000; i++)
        test_store_post(types[test_store_below(2)], start_us + (int64_t)test_store_below(3), i);
    check_walks_beside(post_until_told);
}

static void paging_is_stable_while_chunks_are_moved(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++)
        test_store_post(random_type(), start_us - (int64_t)test_store_below(2000) * HOUR_US, i);
    check_walks_beside(tend_until_told);
}

/* What upkeep does to a reader, without a rest. */
static void *move_until_told(void *argument)
{
    (void)argument;
    const struct slice argv[] = {SLICE("HINCRBY"), SLICE("ra:m:{cpu}:chunks"), SLICE("layout"),
                                 SLICE("1")};
    while (!atomic_load(&is_other_to_end)) {
        struct redisReply *reply;
        assert_int_equal(
            redis_client_call(test_store.client, REDIS_LANE_WRITE, argv, 4, &reply, NULL), ERR_OK);
        redis_reply_free(reply);
    }
    return NULL;
}

static long long scripts_run(void)
{
    char stats[16384];
    assert_true(test_store_command(stats, sizeof stats, "INFO commandstats"));
    const char *calls = strstr(stats, "cmdstat_evalsha:calls=");
    return calls ? strtoll(strchr(calls, '=') + 1, NULL, 10) : 0;
}

/* Each try is a page of the walk, fifty at most; the tender runs a script now and then. */
static void a_list_waits_for_chunks_to_rest(void **state)
{
    (void)state;
    enum { LISTS = 5, DEADLINE_MS = 400, TRIES_MAX = 60 };
    const struct record records[] = {{{start_us}, 1.0}, {{start_us + 1}, 2.0}};
    pthread_t thread;
    test_store_put_chunks("cpu", (struct span){SPAN_HOUR, hour_of((struct wall_time){start_us})},
                          records, 1, 2);
    atomic_store(&is_other_to_end, false);
    assert_int_equal(pthread_create(&thread, NULL, move_until_told, NULL), 0);
    for (int i = 0; i < LISTS; i++) {
        const struct list_question question = {.type = SLICE("cpu"),
                                               .from = WALL_TIME_MIN,
                                               .to = WALL_TIME_MAX,
                                               .is_backward = i % 2,
                                               .limit = 2};
        struct listed_sample samples[2];
        struct arena arena;
        struct metric_report report;
        struct error err;
        size_t count;
        error_init(&err);
        arena_init(&arena, 100000);
        long long before = scripts_run();
        enum err_code code = metric_store_list(test_store.store, &question,
                                               mono_after_ms(clock_mono_now(), DEADLINE_MS), &arena,
                                               samples, &count, &report, &err);
        assert_true(code == ERR_OK ? count == 2 : code == ERR_STORE_UNAVAILABLE);
        assert_in_range(scripts_run() - before, 1, TRIES_MAX);
        arena_release(&arena);
    }
    atomic_store(&is_other_to_end, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static size_t list_of(const char *type, struct wall_time from, struct wall_time to, size_t limit,
                      struct metric_report *report)
{
    struct listed_sample samples[20];
    struct arena arena;
    struct error err;
    size_t count;
    const struct list_question question = {.type = slice_from_string(type),
                                           .from = from,
                                           .to = to,
                                           .is_backward = true,
                                           .limit = limit};
    error_init(&err);
    arena_init(&arena, 100000);
    assert_int_equal(metric_store_list(test_store.store, &question,
                                       mono_after_ms(clock_mono_now(), 5000), &arena, samples,
                                       &count, report, &err),
                     ERR_OK);
    arena_release(&arena);
    return count;
}

/* Three hours of one chunk each, all sealed; `damage` is done to that of the middle one. */
static void make_three_hours(const char *damage)
{
    char text[256], out[64];
    for (int i = 0; i < 3 * CHUNK_RECORDS; i++)
        test_store_post("cpu", start_us + (int64_t)(i / CHUNK_RECORDS) * HOUR_US + i % 7, i);
    long long hour = (long long)hour_of((struct wall_time){start_us});
    for (int i = 0; i < 3; i++) {
        (void)snprintf(text, sizeof text, "EXISTS ra:m:{cpu}:blk:%lld:0", hour + i);
        test_store_await(text, "1");
    }
    (void)snprintf(text, sizeof text, "SETRANGE ra:m:{cpu}:blk:%lld:0 %s", hour + 1, damage);
    assert_true(test_store_command(out, sizeof out, text));
}

static void check_damage(void)
{
    struct metric_report report;
    struct wall_time from = {start_us + HOUR_US}, to = {start_us + 2 * HOUR_US};
    assert_int_equal(list_of("cpu", WALL_TIME_MIN, WALL_TIME_MAX, 10, &report), 10);
    assert_int_equal(report.damage_count, 0);
    assert_int_equal(list_of("cpu", from, to, 10, &report), 0);
    assert_int_equal(report.damage_count, 1);
    assert_in_range(report.damages[0].from.us, start_us + HOUR_US, start_us + HOUR_US + 7);
    assert_int_equal(list_of("cpu", WALL_TIME_MIN, to, 10, &report), 10);
    assert_int_equal(report.damage_count, 1);
    assert_int_equal(list_of("", WALL_TIME_MIN, from, 10, &report), 10);
    assert_int_equal(report.damage_count, 0);
}

static void a_damaged_block_is_passed_and_told_to_whom_it_concerns(void **state)
{
    (void)state;
    make_three_hours("400 x");
    check_damage();
}

/* Where its samples lie is then known to the hour. */
static void so_is_a_chunk_that_is_damaged_altogether(void **state)
{
    (void)state;
    char zeros[512];
    (void)snprintf(zeros, sizeof zeros, "0 %0500d", 0);
    make_three_hours(zeros);
    check_damage();
}

#define LIST_TEST(name) cmocka_unit_test_setup_teardown(name, open_list, test_store_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIST_TEST(any_page_is_what_a_plain_array_gives),
        LIST_TEST(paging_meets_every_sample_once_while_others_come),
        LIST_TEST(ties_are_paged_across_chunks),
        LIST_TEST(types_by_the_hundred_are_paged),
        LIST_TEST(paging_is_stable_while_another_thread_posts),
        LIST_TEST(paging_is_stable_while_chunks_are_moved),
        LIST_TEST(a_list_waits_for_chunks_to_rest),
        LIST_TEST(a_damaged_block_is_passed_and_told_to_whom_it_concerns),
        LIST_TEST(so_is_a_chunk_that_is_damaged_altogether),
    };
    return cmocka_run_group_tests(tests, test_store_start_server, test_store_stop_server);
}
