/*
 * Walks over more than a page, beside a plain array: what a page cuts must not be lost, nor
 * told twice. Closed chunks are put where they belong past the store, for time's sake.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chunk_sealer.h"
#include "metric_scan.h"
#include "test_store.h"

enum {
    PAGE_PIECES = 512,         /* metric_scan.c */
    PAGE_OPEN_BYTES = 1 << 20, /* the same */
    DAY_HOURS = 24,
    MONTH_HOURS = 24 * 32,
    INSTANTS = 7 /* of a span, so that many samples share one */
};

/* The first hour of a month. */
static const int64_t first_hour = (int64_t)600 * MONTH_HOURS;

static double random_value(void)
{
    double unit = (double)(test_random_u64(&test_store.chance) >> 11) * 0x1p-53;
    return test_store_below(4) == 0 ? 0.0 : (unit - 0.3) * 100.0;
}

static struct record random_record(struct span span)
{
    int64_t start_us = span_start(span).us, length_us = span_end(span).us - start_us;
    int64_t at_us = start_us + (int64_t)test_store_below(INSTANTS) * (length_us / INSTANTS);
    return (struct record){{test_store_below(9) == 0 ? span_end(span).us - 1 : at_us},
                           random_value()};
}

static void put_chunks(enum span_level level, int64_t hour, size_t chunks, size_t each)
{
    struct span span = span_of_hour(level, hour);
    struct record *records = malloc(chunks * each * sizeof *records);
    struct record *spare = malloc(each * sizeof *spare);
    assert_true(records && spare);
    for (size_t i = 0; i < chunks * each; i++)
        records[i] = random_record(span);
    for (size_t i = 0; i < chunks; i++)
        records_sort(records + i * each, each, spare);
    test_store_put_chunks("cpu", span, records, chunks, each);
    free(spare);
    free(records);
}

static void put_open(int64_t hour, size_t count)
{
    struct record *records = malloc(count * sizeof *records);
    assert_non_null(records);
    for (size_t i = 0; i < count; i++)
        records[i] = random_record((struct span){SPAN_HOUR, hour});
    test_store_put_open("cpu", hour, records, count);
    free(records);
}

static struct wall_time random_edge(void)
{
    struct wall_time at =
        test_store.model.samples[test_store_below(test_store.model.count)].record.at;
    switch (test_store_below(4)) {
    case 0:
        return hour_start(hour_of(at));
    case 1:
        return span_start(span_of_hour(SPAN_DAY, hour_of(at)));
    default:
        return (struct wall_time){at.us - 1 + (int64_t)test_store_below(3)};
    }
}

static void check_window(void)
{
    struct wall_time a = random_edge(), b = random_edge();
    struct wall_time from = a.us < b.us ? a : b, to = {(a.us < b.us ? b : a).us + 1};
    sample_model_check_window(&test_store.model, test_store.store, "cpu", from, to);
}

/* 40 steps from a sample on. */
static void check_series(int64_t step_us)
{
    int64_t from_us = floor_divide(random_edge().us, step_us) * step_us;
    sample_model_check_series(&test_store.model, test_store.store, "cpu",
                              (struct wall_time){from_us}, step_us, 40);
}

/* All of it, page by page, which are ever again beginnings of walks. */
static void check_walks(void)
{
    for (int is_backward = 0; is_backward < 2; is_backward++) {
        struct sample_walk walk = {
            .type = "cpu", .from = WALL_TIME_MIN, .to = WALL_TIME_MAX, .is_backward = is_backward};
        sample_walk_run(&walk, test_store.store, 1000, &test_store.chance, NULL);
        sample_model_check_walk(&test_store.model, &walk, test_store.model.count);
        sample_walk_release(&walk);
    }
}

/* Without rollups first, then with those that were made. */
static void check_everything(void)
{
    test_store_forget_rollups("cpu");
    for (int round = 0; round < 2; round++) {
        test_store_check_since("cpu", WALL_TIME_MIN);
        check_window();
        check_window();
        check_series(HOUR_US);
        check_series(DAY_HOURS * HOUR_US);
        check_series(MONTH_HOURS * HOUR_US);
        test_store_settle();
    }
    test_store_check_list("cpu", 1 + test_store_below(20));
    test_store_check_list("cpu", 1000);
    if (test_store.model.count < 10000)
        check_walks();
}

static void an_hour_of_many_chunks_is_cut(void **state)
{
    (void)state;
    put_chunks(SPAN_HOUR, first_hour + 100, 600, 3);
    check_everything();
    put_chunks(SPAN_HOUR, first_hour + 100, 700, 1);
    check_everything();
    put_open(first_hour + 100, 50);
    put_chunks(SPAN_HOUR, first_hour + 101, 3, 5);
    check_everything();
}

/* Then a page begins where the day and the month do, and both have chunks of their own. */
static void the_first_hour_of_a_month_is_cut(void **state)
{
    (void)state;
    put_chunks(SPAN_MONTH, first_hour, 2, 20);
    put_chunks(SPAN_DAY, first_hour, 2, 20);
    put_chunks(SPAN_HOUR, first_hour, 600, 3);
    put_chunks(SPAN_HOUR, first_hour + 1, 2, 2);
    put_open(first_hour, 10);
    check_everything();
}

static void the_last_hour_of_a_month_is_cut(void **state)
{
    (void)state;
    put_chunks(SPAN_MONTH, first_hour, 2, 20);
    put_chunks(SPAN_DAY, first_hour + MONTH_HOURS - 1, 2, 20);
    put_chunks(SPAN_HOUR, first_hour + MONTH_HOURS - 2, 2, 2);
    put_chunks(SPAN_HOUR, first_hour + MONTH_HOURS - 1, 600, 3);
    put_open(first_hour + MONTH_HOURS - 1, 10);
    check_everything();
}

static void a_day_and_a_month_may_have_many_chunks_of_their_own(void **state)
{
    (void)state;
    put_chunks(SPAN_MONTH, first_hour, 600, 2);
    put_chunks(SPAN_DAY, first_hour, 600, 2);
    put_chunks(SPAN_DAY, first_hour + DAY_HOURS, 600, 2);
    put_chunks(SPAN_HOUR, first_hour, 2, 2);
    put_chunks(SPAN_HOUR, first_hour + DAY_HOURS, 2, 2);
    check_everything();
    check_everything();
}

static void spans_may_be_more_than_a_page(void **state)
{
    (void)state;
    for (int64_t hour = 0; hour < 1300; hour++)
        put_chunks(SPAN_HOUR, first_hour - 300 + hour, 1 + (size_t)(hour % 5 == 0), 2);
    check_everything();
    put_open(first_hour - 1, 3);
    put_open(first_hour, 3);
    put_open(first_hour + 700, 3);
    check_everything();
}

static void open_hours_may_be_more_than_a_page(void **state)
{
    (void)state;
    put_chunks(SPAN_MONTH, first_hour, 2, 20);
    put_chunks(SPAN_DAY, first_hour + DAY_HOURS, 2, 20);
    for (int64_t hour = 0; hour < 2 * PAGE_PIECES + 1; hour++)
        put_open(first_hour - 5 + hour, 2);
    check_everything();
}

static void open_chunks_may_be_more_than_a_megabyte(void **state)
{
    (void)state;
    enum { HOURS = 40, EACH = CHUNK_RECORDS - 1 };
    assert_true((size_t)HOURS * EACH * RECORD_BYTES > 2 * (size_t)PAGE_OPEN_BYTES);
    put_chunks(SPAN_MONTH, first_hour, 2, 20);
    put_chunks(SPAN_DAY, first_hour, 2, 20);
    put_chunks(SPAN_DAY, first_hour + DAY_HOURS, 2, 20);
    for (int64_t hour = first_hour - 3; hour < first_hour + HOURS - 3; hour++)
        put_chunks(SPAN_HOUR, hour, 2, 5);
    for (int64_t hour = first_hour - 3; hour < first_hour + HOURS - 3; hour++)
        put_open(hour, EACH);
    check_everything();
}

/* A page after another ends one piece further, across the beginnings of a month and its days. */
static void a_page_may_end_anywhere(void **state)
{
    (void)state;
    enum { BEFORE = PAGE_PIECES - 110, STEPS = 112 };
    for (int month = 0; month < 2; month++) {
        put_chunks(SPAN_MONTH, first_hour + (int64_t)month * MONTH_HOURS, 2, 4);
        for (int64_t day = 0; day < 2; day++) {
            int64_t hour = first_hour + (int64_t)month * MONTH_HOURS + day * DAY_HOURS;
            if (day == 0)
                put_chunks(SPAN_DAY, hour, 2, 4);
            for (int i = 0; i < 3; i++)
                put_chunks(SPAN_HOUR, hour + i * (1 + (int64_t)day), 1 + (size_t)i, 2);
        }
    }
    put_chunks(SPAN_HOUR, first_hour - 1, BEFORE, 1);
    for (int step = 0; step < STEPS; step++) {
        put_chunks(SPAN_HOUR, first_hour - 1, 1, 1);
        test_store_forget_rollups("cpu");
        test_store_check_since("cpu", WALL_TIME_MIN);
        check_window();
        check_series(DAY_HOURS * HOUR_US);
        test_store_check_list("cpu", 1000);
    }
}

/* Chunks of larger spans first: they arrived before. */
static void any_mixture_is_exact(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        put_chunks(SPAN_MONTH, first_hour + (int64_t)test_store_below(3) * MONTH_HOURS,
                   1 + test_store_below(5), 1 + test_store_below(30));
    for (int i = 0; i < 30; i++)
        put_chunks(SPAN_DAY, first_hour + (int64_t)test_store_below(60) * DAY_HOURS,
                   1 + test_store_below(3), 1 + test_store_below(30));
    for (int i = 0; i < 400; i++)
        put_chunks(SPAN_HOUR, first_hour + (int64_t)test_store_below(1600),
                   1 + test_store_below(i % 50 == 0 ? 300 : 3), 1 + test_store_below(5));
    for (int64_t hour = first_hour; hour < first_hour + 1600; hour++) {
        if (test_store_below(5) == 0)
            put_open(hour, 1 + test_store_below(hour % 9 == 0 ? 4000 : 20));
    }
    check_everything();
    check_everything();
}

/* --- Months without anything --------------------------------------------------------- */

/* As somebody else might leave them. */
static void put_empty_months(int64_t first, int64_t count)
{
    char text[256], out[64];
    for (int64_t month = first; month < first + count; month++) {
        (void)snprintf(text, sizeof text, "ZADD ra:m:{cpu}:spans %lld m%lld",
                       (long long)(((int64_t)SPAN_MONTH << 32) + month), (long long)month);
        assert_true(test_store_command(out, sizeof out, text));
    }
}

static void months_without_anything_are_passed(void **state)
{
    (void)state;
    enum { EMPTY = PAGE_PIECES + 100 };
    int64_t month = first_hour / MONTH_HOURS;
    for (int64_t i = -3; i <= 3; i++) {
        put_empty_months(month + i * EMPTY, EMPTY);
        put_chunks(SPAN_MONTH, first_hour + i * EMPTY * MONTH_HOURS, 1, 3);
        put_chunks(SPAN_HOUR, first_hour + i * EMPTY * MONTH_HOURS + 99, 1, 3);
        put_open(first_hour + (i * EMPTY + EMPTY / 2) * MONTH_HOURS, 3);
        put_open(first_hour + (i * EMPTY + PAGE_PIECES + 1) * MONTH_HOURS - 1, 3);
        put_open(first_hour + (i * EMPTY + PAGE_PIECES + 1) * MONTH_HOURS, 3);
    }
    check_everything();
}

/* Two thousand, of which it has seen no more than a few for each piece that it has room for. */
static void a_page_ends_behind_so_many_months(void **state)
{
    (void)state;
    enum { PIECES = 10, SPANS = 4 * PIECES };
    int64_t month = first_hour / MONTH_HOURS;
    put_chunks(SPAN_MONTH, first_hour, 1, 3);
    put_empty_months(month - 1000, 2000);
    for (int is_backward = 0; is_backward < 2; is_backward++) {
        const struct scan_options options = {.type = SLICE("cpu"),
                                             .from = WALL_TIME_MIN,
                                             .to = WALL_TIME_MAX,
                                             .is_backward = is_backward,
                                             .fetch_max = 1,
                                             .pieces_max = PIECES};
        struct scan_reader reader;
        struct error err;
        error_init(&err);
        scan_reader_init(&reader, test_store.client, &options,
                         mono_after_ms(clock_mono_now(), 20000));
        assert_int_equal(scan_reader_turn_page(&reader, &err), ERR_OK);
        assert_int_equal(reader.piece_count, 0);
        if (is_backward)
            assert_true(reader.last_hour + 1 == (month + 1000 - SPANS) * MONTH_HOURS);
        else
            assert_true(reader.first_hour == (month - 1000 + SPANS) * MONTH_HOURS);
        scan_reader_release(&reader);
    }
}

/* --- While chunks close ------------------------------------------------------------- */

/* A walk that counts how often it meets each sample, whose value is its place in the model. */
struct count_of_meetings {
    int64_t hour; /* where some close from page to page */
    size_t capacity;
    unsigned char *met;
};

static double next_value(void)
{
    return (double)test_store.model.count;
}

static enum scan_want want_records(void *context, const struct moments *m)
{
    (void)context, (void)m;
    return SCAN_RECORDS;
}

static void meet(void *context, const struct record *records, size_t count, uint64_t arrival)
{
    (void)arrival;
    const struct count_of_meetings *c = context;
    for (size_t i = 0; i < count; i++) {
        assert_in_range(records[i].value, 0, c->capacity - 1);
        c->met[(size_t)records[i].value]++;
    }
}

static void expect_no_damage(void *context, struct wall_time from, struct wall_time to)
{
    (void)context, (void)from, (void)to;
    fail_msg("something was told as damaged");
}

static bool meet_none(void *context)
{
    const struct count_of_meetings *c = context;
    memset(c->met, 0, c->capacity);
    return true;
}

enum { CLOSING_HOURS = 4, CLOSING_POSTS = 3 };

static bool post_between_pages(void *context, struct wall_time bound)
{
    (void)bound;
    const struct count_of_meetings *c = context;
    for (int i = 0; i < CLOSING_POSTS; i++) {
        int64_t hour = c->hour + (int64_t)test_store_below(CLOSING_HOURS);
        test_store_post("cpu", hour_start(hour).us + (int64_t)test_store_below(HOUR_US),
                        next_value());
    }
    return false;
}

static void walk_while_chunks_close(const struct scan_options *options, int64_t hour)
{
    enum { POSTS_MAX = 1000 };
    size_t first = test_store.model.count - 1, known = test_store.model.count;
    while (first > 0 && test_store.model.samples[first - 1].record.at.us >= hour_start(hour).us)
        first--;
    struct count_of_meetings c = {.hour = hour, .capacity = known + POSTS_MAX};
    c.met = calloc(c.capacity, 1);
    struct chunk_sealer *sealer = chunk_sealer_new(test_store.client);
    assert_true(c.met && sealer);
    const struct scan_visitor visitor = {.context = &c,
                                         .judge = want_records,
                                         .take_records = meet,
                                         .note_damage = expect_no_damage,
                                         .restart = meet_none,
                                         .is_enough = post_between_pages};
    struct error err;
    error_init(&err);
    assert_int_equal(metric_scan_run(test_store.client, sealer, options, &visitor,
                                     mono_after_ms(clock_mono_now(), 20000), &err),
                     ERR_OK);
    for (size_t i = first; i < c.capacity; i++) {
        if ((i < known || c.met[i] != 0) && c.met[i] != 1)
            fail_msg("%s, sample %zu of %zu was met %d times",
                     options->is_backward ? "backward" : "forward", i - first, known - first,
                     c.met[i]);
    }
    chunk_sealer_free(sealer);
    free(c.met);
}

/* All but full, so that they close soon; behind some closed ones, so that pages cut them. */
static void put_closing_hour(int64_t hour)
{
    enum { CHUNKS = 8 };
    static struct record records[CHUNK_RECORDS];
    size_t chunks = 1 + test_store_below(CHUNKS), count = CHUNK_RECORDS - 1 - test_store_below(3);
    for (size_t i = 0; i < chunks; i++)
        records[i] = (struct record){hour_start(hour), next_value() + (double)i};
    test_store_put_chunks("cpu", (struct span){SPAN_HOUR, hour}, records, chunks, 1);
    for (size_t i = 0; i < count; i++)
        records[i] = (struct record){hour_start(hour), next_value() + (double)i};
    test_store_put_open("cpu", hour, records, count);
}

static void a_chunk_that_closes_between_two_pages_is_told_once(void **state)
{
    (void)state;
    enum { ROUNDS = 20, PIECES_SPREAD = 6 };
    test_store_post("cpu", hour_start(first_hour - 1).us, next_value());
    for (int64_t round = 0; round < ROUNDS; round++) {
        int64_t hour = first_hour + round * CLOSING_HOURS;
        for (int64_t i = 0; i < CLOSING_HOURS; i++)
            put_closing_hour(hour + i);
        const struct scan_options options = {.type = SLICE("cpu"),
                                             .from = hour_start(hour),
                                             .to = hour_start(hour + CLOSING_HOURS),
                                             .is_backward = round % 2,
                                             .reads_ahead = round % 4 < 2,
                                             .fetch_max = SCAN_FETCH_MAX,
                                             .pieces_max = 1 + test_store_below(PIECES_SPREAD)};
        walk_while_chunks_close(&options, hour);
    }
}

static void a_page_of_one_piece_goes_on(void **state)
{
    (void)state;
    test_store_post("cpu", hour_start(first_hour - 1).us, next_value());
    for (int64_t i = 0; i < CLOSING_HOURS; i++)
        put_closing_hour(first_hour + i);
    for (int is_backward = 0; is_backward < 2; is_backward++) {
        const struct scan_options options = {.type = SLICE("cpu"),
                                             .from = hour_start(first_hour),
                                             .to = hour_start(first_hour + CLOSING_HOURS),
                                             .is_backward = is_backward,
                                             .fetch_max = 1,
                                             .pieces_max = 1};
        walk_while_chunks_close(&options, first_hour);
    }
}

/* --- While chunks are moved --------------------------------------------------------- */

struct count_of_records {
    size_t count;
    int restarts;
};

static void announce_a_move(void)
{
    char answer[64];
    assert_true(test_redis_command(&test_store.server, answer, sizeof answer,
                                   "HINCRBY ra:m:{cpu}:chunks layout 1"));
}

/* The first time something is told, what follows it has been asked for. */
static void count_and_move(void *context, const struct record *records, size_t count,
                           uint64_t arrival)
{
    (void)records, (void)arrival;
    struct count_of_records *c = context;
    if (c->count == 0 && c->restarts == 0)
        announce_a_move();
    c->count += count;
}

static bool count_anew(void *context)
{
    struct count_of_records *c = context;
    c->count = 0;
    c->restarts++;
    return true;
}

static void what_was_read_before_a_move_is_forgotten(void **state)
{
    (void)state;
    enum { CHUNKS = 8, LOT = 2 };
    put_chunks(SPAN_HOUR, first_hour, CHUNKS, 3);
    for (int reads_ahead = 0; reads_ahead < 2; reads_ahead++) {
        struct count_of_records c = {0};
        struct chunk_sealer *sealer = chunk_sealer_new(test_store.client);
        const struct scan_options options = {.type = SLICE("cpu"),
                                             .from = WALL_TIME_MIN,
                                             .to = WALL_TIME_MAX,
                                             .reads_ahead = reads_ahead,
                                             .fetch_max = LOT};
        const struct scan_visitor visitor = {.context = &c,
                                             .judge = want_records,
                                             .take_records = count_and_move,
                                             .note_damage = expect_no_damage,
                                             .restart = count_anew};
        struct error err;
        error_init(&err);
        assert_non_null(sealer);
        assert_int_equal(metric_scan_run(test_store.client, sealer, &options, &visitor,
                                         mono_after_ms(clock_mono_now(), 20000), &err),
                         ERR_OK);
        assert_int_equal(c.restarts, 1);
        assert_int_equal(c.count, test_store.model.count);
        chunk_sealer_free(sealer);
    }
}

#define PAGE_TEST(name) cmocka_unit_test_setup_teardown(name, test_store_open, test_store_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAGE_TEST(an_hour_of_many_chunks_is_cut),
        PAGE_TEST(the_first_hour_of_a_month_is_cut),
        PAGE_TEST(the_last_hour_of_a_month_is_cut),
        PAGE_TEST(a_day_and_a_month_may_have_many_chunks_of_their_own),
        PAGE_TEST(spans_may_be_more_than_a_page),
        PAGE_TEST(open_hours_may_be_more_than_a_page),
        PAGE_TEST(open_chunks_may_be_more_than_a_megabyte),
        PAGE_TEST(a_page_may_end_anywhere),
        PAGE_TEST(any_mixture_is_exact),
        PAGE_TEST(months_without_anything_are_passed),
        PAGE_TEST(a_page_ends_behind_so_many_months),
        PAGE_TEST(a_chunk_that_closes_between_two_pages_is_told_once),
        PAGE_TEST(a_page_of_one_piece_goes_on),
        PAGE_TEST(what_was_read_before_a_move_is_forgotten),
    };
    return cmocka_run_group_tests(tests, test_store_start_server, test_store_stop_server);
}
