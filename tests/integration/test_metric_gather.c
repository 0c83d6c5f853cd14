/* What is over is closed and sealed, what is sparse gathered: each rule of it. */
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
#include "redis_keys.h"
#include "store_content.h"
#include "test_life.h"

enum { DAY_HOURS = 24, MONTH_DAYS = 32, INTEGER_TEXT = 24, ARGS_MAX = 64 };

static void post_hour(const char *type, int64_t hour, int count)
{
    for (int i = 0; i < count; i++)
        life_model_post(type, hour_start(hour).us + (int64_t)i * 100000, i % 17 - 4.25);
}

static void gather(const char *type)
{
    test_life_tend(type, &test_life_for_ever);
}

/* Nothing is lost, and all is found. */
static void check(const char *type)
{
    life_model_learn(type, &test_life_for_ever);
    life_model_check_all(type);
    life_model_check_list(type, 1000);
}

static int64_t closed_of_hour(int64_t hour)
{
    return test_life_closed("cpu", SPAN_HOUR, hour);
}

static int64_t closed_of_day(int64_t day)
{
    return test_life_closed("cpu", SPAN_DAY, day);
}

static int64_t closed_of_month(int64_t month)
{
    return test_life_closed("cpu", SPAN_MONTH, month);
}

/* The first hour of a day that is over. */
static int64_t some_hour(void)
{
    return (test_life_hour() / DAY_HOURS - 2) * DAY_HOURS;
}

/* A day in a month that is over. */
static int64_t some_day(void)
{
    return test_life_hour() / DAY_HOURS / MONTH_DAYS * MONTH_DAYS - 5;
}

/* --- Hours ------------------------------------------------------------------------- */

static void an_hour_of_1024_samples_stays_in_its_hour(void **state)
{
    (void)state;
    int64_t hour = some_hour();
    post_hour("cpu", hour, TENDER_KEEP_RECORDS);
    gather("cpu");
    assert_int_equal(closed_of_hour(hour), 1);
    assert_int_equal(closed_of_day(hour / DAY_HOURS), 0);
    assert_int_equal(test_life_open_bytes("cpu", hour), 0);
    check("cpu");
}

static void an_hour_of_1023_samples_goes_into_its_day(void **state)
{
    (void)state;
    int64_t hour = some_hour();
    post_hour("cpu", hour + 5, TENDER_KEEP_RECORDS - 1);
    post_hour("cpu", hour + 23, 3);
    gather("cpu");
    assert_int_equal(closed_of_hour(hour + 5), 0);
    assert_int_equal(closed_of_day(hour / DAY_HOURS), 1);
    assert_int_equal(test_life_open_bytes("cpu", hour + 5), 0);
    check("cpu");
}

static void an_hour_of_1023_samples_waits_for_the_end_of_its_day(void **state)
{
    (void)state;
    int64_t day = test_life_hour() / DAY_HOURS, hour = day * DAY_HOURS + 11;
    test_life_pretend(hour + 1);
    post_hour("cpu", hour, TENDER_KEEP_RECORDS - 1);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 0);
    assert_int_equal(test_life_open_bytes("cpu", hour), (TENDER_KEEP_RECORDS - 1) * RECORD_BYTES);
    life_model_post("cpu", hour_start(hour).us, 1.0);
    gather("cpu");
    assert_int_equal(closed_of_hour(hour), 1);
    check("cpu");
}

static void an_hour_that_is_not_over_stays_open(void **state)
{
    (void)state;
    int64_t hour = test_life_hour() + 1;
    post_hour("cpu", hour, TENDER_KEEP_RECORDS);
    gather("cpu");
    assert_int_equal(test_life_open_bytes("cpu", hour), TENDER_KEEP_RECORDS * RECORD_BYTES);
    check("cpu");
}

static void an_hour_with_closed_chunks_keeps_its_late_samples(void **state)
{
    (void)state;
    int64_t hour = some_hour();
    post_hour("cpu", hour, TENDER_KEEP_RECORDS);
    gather("cpu");
    post_hour("cpu", hour, 5);
    post_hour("cpu", hour + 1, 5);
    gather("cpu");
    assert_int_equal(closed_of_hour(hour), 2);
    assert_int_equal(closed_of_day(hour / DAY_HOURS), 1);
    post_hour("cpu", hour, 5);
    gather("cpu");
    assert_int_equal(closed_of_hour(hour), 2); /* the small one took them in */
    check("cpu");
}

static void a_chunk_that_was_filled_keeps_its_hours_late_samples_too(void **state)
{
    (void)state;
    int64_t hour = some_hour();
    post_hour("cpu", hour, CHUNK_RECORDS + 7);
    gather("cpu");
    assert_int_equal(closed_of_hour(hour), 2);
    assert_int_equal(closed_of_day(hour / DAY_HOURS), 0);
    test_life_await_sealed("cpu");
    check("cpu");
}

/* --- Days -------------------------------------------------------------------------- */

static void a_small_last_chunk_takes_late_samples_in_and_a_larger_one_does_not(void **state)
{
    (void)state;
    int64_t hour = some_hour(), day = hour / DAY_HOURS;
    post_hour("cpu", hour, 600);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 1);
    post_hour("cpu", hour + 1, 423);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 1); /* of 1,023 */
    post_hour("cpu", hour, 1);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 1); /* of 1,024 */
    post_hour("cpu", hour, 10);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 2);
    post_hour("cpu", hour + 2, 10);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 2);
    check("cpu");
}

static void a_day_of_many_small_hours_lies_in_several_chunks(void **state)
{
    (void)state;
    int64_t hour = some_hour();
    for (int64_t h = hour; h < hour + DAY_HOURS; h++)
        post_hour("cpu", h, 1000);
    gather("cpu");
    assert_int_equal(closed_of_day(hour / DAY_HOURS), 6);
    check("cpu");
}

/* --- Months ------------------------------------------------------------------------ */

static void a_day_of_1023_samples_goes_into_its_month(void **state)
{
    (void)state;
    int64_t day = some_day();
    post_hour("cpu", day * DAY_HOURS, 1000);
    post_hour("cpu", day * DAY_HOURS + 7, 23);
    post_hour("cpu", (day + 1) * DAY_HOURS + 7, 500);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 0);
    assert_int_equal(closed_of_day(day + 1), 0);
    assert_int_equal(closed_of_month(day / MONTH_DAYS), 1);
    check("cpu");
}

static void a_day_of_1024_samples_stays_a_day(void **state)
{
    (void)state;
    int64_t day = some_day();
    post_hour("cpu", day * DAY_HOURS, 1000);
    post_hour("cpu", day * DAY_HOURS + 7, 24);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 1);
    assert_int_equal(closed_of_month(day / MONTH_DAYS), 0);
    check("cpu");
}

static void a_day_waits_for_the_end_of_its_month(void **state)
{
    (void)state;
    int64_t day = test_life_hour() / DAY_HOURS / MONTH_DAYS * MONTH_DAYS + 7;
    test_life_pretend((day + 1) * DAY_HOURS);
    post_hour("cpu", day * DAY_HOURS, 10);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 1);
    assert_int_equal(closed_of_month(day / MONTH_DAYS), 0);
    test_life_pretend((day / MONTH_DAYS + 1) * MONTH_DAYS * DAY_HOURS);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 0);
    assert_int_equal(closed_of_month(day / MONTH_DAYS), 1);
    check("cpu");
}

static void where_samples_expire_days_stay_days(void **state)
{
    (void)state;
    const struct metric_retention a_year = {INT64_C(31536000000000), 0};
    int64_t day = some_day();
    post_hour("cpu", day * DAY_HOURS, 10);
    test_life_tend("cpu", &a_year);
    assert_int_equal(closed_of_day(day), 1);
    assert_int_equal(closed_of_month(day / MONTH_DAYS), 0);
    check("cpu");
}

/* Months that were looked through are looked at again when something is gathered there. */
static void late_samples_reach_months_that_were_gathered_long_ago(void **state)
{
    (void)state;
    int64_t day = some_day(), month = day / MONTH_DAYS;
    post_hour("cpu", day * DAY_HOURS, 10);
    gather("cpu");
    gather("cpu");
    const char *const words[] = {"HGET", "chunks", "months", NULL};
    assert_true(test_life_number("cpu", words) > month);
    for (int64_t back = 0; back < 3; back++) {
        post_hour("cpu", (day - back * MONTH_DAYS) * DAY_HOURS + 3, 10);
        gather("cpu");
        assert_int_equal(closed_of_day(day - back * MONTH_DAYS), 0);
        assert_int_equal(closed_of_month(month - back), 1);
    }
    check("cpu");
}

static size_t count_small(int64_t months_over)
{
    char month[INTEGER_TEXT];
    (void)snprintf(month, sizeof month, "%" PRId64, months_over);
    const struct slice args[] = {slice_from_string(month), SLICE("1024"), SLICE(""), SLICE("64")};
    struct redisReply *reply = test_life_eval(REDIS_SCRIPT_TEND_SMALL, "cpu", args, 4);
    size_t count = redis_reply_count(reply) - 1;
    redis_reply_free(reply);
    return count;
}

/* Whoever found them may die. */
static void small_days_are_found_until_they_are_gathered(void **state)
{
    (void)state;
    const struct metric_retention a_year = {INT64_C(31536000000000), 0};
    int64_t day = some_day(), month = day / MONTH_DAYS;
    post_hour("cpu", day * DAY_HOURS, 10);
    post_hour("cpu", (day - 1) * DAY_HOURS, 10);
    test_life_tend("cpu", &a_year);
    for (int i = 0; i < 3; i++)
        assert_int_equal(count_small(month + 1), 2);
    assert_int_equal(count_small(month), 0);
    gather("cpu");
    assert_int_equal(count_small(month + 1), 0);
    assert_int_equal(closed_of_month(month), 1);
}

static void a_day_whose_samples_expired_is_not_for_its_month(void **state)
{
    (void)state;
    const struct metric_retention no_samples = {1, 0};
    int64_t day = some_day(), month = day / MONTH_DAYS;
    post_hour("cpu", day * DAY_HOURS, 10);
    test_life_tend("cpu", &no_samples);
    assert_int_equal(count_small(month + 1), 0);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 1);
    life_model_check_all("cpu");
}

/* More days than a page holds, with years between some of them, and before 1970. */
static void all_months_are_gathered_whatever_their_number(void **state)
{
    (void)state;
    int64_t day = some_day();
    for (int64_t i = 0; i < 150; i++)
        life_model_post("cpu", hour_start((day - i) * DAY_HOURS).us, (double)i);
    for (int64_t i = 0; i < 50; i++)
        life_model_post("cpu", hour_start((-i * 400 + 300) * DAY_HOURS).us, (double)i);
    gather("cpu");
    struct store_content content;
    store_content_read(&content, test_store.client, "cpu");
    store_content_release(&content);
    for (int64_t i = 0; i < 150; i++)
        assert_int_equal(closed_of_day(day - i), 0);
    for (int64_t i = 0; i < 50; i++) {
        assert_int_equal(closed_of_day(-i * 400 + 300), 0);
        assert_int_equal(closed_of_month(floor_divide(-i * 400 + 300, MONTH_DAYS)), 1);
    }
    check("cpu");
}

/* --- What is in the way ------------------------------------------------------------ */

static void damage(const char *name)
{
    char command[128];
    (void)snprintf(command, sizeof command, "SETRANGE ra:m:{cpu}:%s 180 ?", name);
    assert_true(test_store_command(command, sizeof command, command));
}

static void a_damaged_day_stays_and_the_others_of_its_month_go(void **state)
{
    (void)state;
    int64_t day = some_day();
    char name[64];
    const struct metric_retention a_year = {INT64_C(31536000000000), 0};
    for (int64_t i = 0; i < 3; i++)
        post_hour("cpu", (day + i) * DAY_HOURS, 100);
    test_life_tend("cpu", &a_year);
    (void)snprintf(name, sizeof name, "blk:d%" PRId64 ":0", day + 1);
    damage(name);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 0);
    assert_int_equal(closed_of_day(day + 1), 1);
    assert_int_equal(closed_of_day(day + 2), 0);
    assert_int_equal(closed_of_month(day / MONTH_DAYS), 1);
}

static void a_damaged_last_chunk_does_not_keep_late_samples_open(void **state)
{
    (void)state;
    int64_t hour = some_hour();
    char name[64];
    post_hour("cpu", hour, 100);
    gather("cpu");
    (void)snprintf(name, sizeof name, "blk:d%" PRId64 ":0", hour / DAY_HOURS);
    damage(name);
    post_hour("cpu", hour + 1, 10);
    gather("cpu");
    assert_int_equal(closed_of_day(hour / DAY_HOURS), 2);
    assert_int_equal(test_life_open_bytes("cpu", hour + 1), 0);
}

static void an_open_chunk_of_odd_length_stays_and_the_others_of_its_day_go(void **state)
{
    (void)state;
    int64_t hour = some_hour();
    char command[128], out[64];
    for (int64_t i = 0; i < 3; i++)
        post_hour("cpu", hour + i, 10);
    (void)snprintf(command, sizeof command, "APPEND ra:m:{cpu}:raw:%" PRId64 " x", hour + 1);
    assert_true(test_store_command(out, sizeof out, command));
    gather("cpu");
    assert_int_equal(test_life_open_bytes("cpu", hour), 0);
    assert_int_equal(test_life_open_bytes("cpu", hour + 1), 161);
    assert_int_equal(test_life_open_bytes("cpu", hour + 2), 0);
    assert_int_equal(closed_of_day(hour / DAY_HOURS), 1);
}

static void room_for_further_hours_is_made_by_gathering(void **state)
{
    (void)state;
    int64_t hour = some_hour();
    for (int64_t i = 0; i < TEST_STORE_SPANS_MAX; i++)
        life_model_post("cpu", hour_start(hour - i).us, 1.0);
    struct rate_verdict verdict;
    int64_t next_us = hour_start(hour - TEST_STORE_SPANS_MAX).us;
    assert_int_equal(test_store_add("cpu", next_us, 1.0, &test_store_no_limit, &verdict),
                     ERR_LIMIT_REACHED);
    gather("cpu");
    life_model_post("cpu", next_us, 1.0);
    check("cpu");
}

/* --- Step by step ------------------------------------------------------------------ */

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
    int64_t hour = some_hour();
    post_hour("cpu", hour, 10);
    for (int i = 0; i < 10; i++)
        records[i] = test_store.model.samples[i].record;
    *g = (struct gathering){.hour = hour, .bytes = 160, .day = hour / DAY_HOURS, .day_count = 1};
    read_layout(g);
    g->len = chunk_seal(records, 10, g->sealed);
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
    post_hour("cpu", some_hour(), 10);
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
    check("cpu");
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
    assert_int_equal(closed_of_hour(g.hour), 1);
    check("cpu");
    gather("cpu");
    assert_int_equal(test_life_open_bytes("cpu", g.hour), 0);
    check("cpu");
}

static void a_chunk_that_is_closed_while_it_is_gathered_stays_whole(void **state)
{
    (void)state;
    struct gathering g;
    look(&g);
    post_hour("cpu", g.hour, CHUNK_RECORDS);
    assert_int_equal(put(&g), 0);
    test_life_await_sealed("cpu");
    check("cpu");
}

/* An old tender must not bring back what was deleted, nor touch what came after it. */
static void nothing_is_gathered_of_a_type_that_is_deleted(void **state)
{
    (void)state;
    static char before[TEST_LIFE_DIGEST_BYTES], after[TEST_LIFE_DIGEST_BYTES];
    struct gathering g;
    look(&g);
    bool is_known, is_done;
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
    post_hour("cpu", g.hour, 10);
    assert_int_equal(put(&g), 0);
    check("cpu");
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
    post_hour("cpu", some_hour(), 10);
    read_layout(&after);
    assert_true(strtoll(after.layout, NULL, 10) > strtoll(before.layout, NULL, 10));
}

static void a_second_tending_changes_nothing(void **state)
{
    (void)state;
    static char before[TEST_LIFE_DIGEST_BYTES], after[TEST_LIFE_DIGEST_BYTES];
    int64_t hour = some_hour();
    for (int64_t i = 0; i < 10; i++)
        post_hour("cpu", hour - i * 100, i == 4 ? 2000 : 30);
    gather("cpu");
    gather("cpu");
    test_life_digest("cpu", before);
    gather("cpu");
    test_life_digest("cpu", after);
    assert_string_equal(before, after);
    check("cpu");
}

#define LIFE_TEST(name) cmocka_unit_test_setup_teardown(name, test_life_open, test_life_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE_TEST(an_hour_of_1024_samples_stays_in_its_hour),
        LIFE_TEST(an_hour_of_1023_samples_goes_into_its_day),
        LIFE_TEST(an_hour_of_1023_samples_waits_for_the_end_of_its_day),
        LIFE_TEST(an_hour_that_is_not_over_stays_open),
        LIFE_TEST(an_hour_with_closed_chunks_keeps_its_late_samples),
        LIFE_TEST(a_chunk_that_was_filled_keeps_its_hours_late_samples_too),
        LIFE_TEST(a_small_last_chunk_takes_late_samples_in_and_a_larger_one_does_not),
        LIFE_TEST(a_day_of_many_small_hours_lies_in_several_chunks),
        LIFE_TEST(a_day_of_1023_samples_goes_into_its_month),
        LIFE_TEST(a_day_of_1024_samples_stays_a_day),
        LIFE_TEST(a_day_waits_for_the_end_of_its_month),
        LIFE_TEST(where_samples_expire_days_stay_days),
        LIFE_TEST(late_samples_reach_months_that_were_gathered_long_ago),
        LIFE_TEST(small_days_are_found_until_they_are_gathered),
        LIFE_TEST(a_day_whose_samples_expired_is_not_for_its_month),
        LIFE_TEST(all_months_are_gathered_whatever_their_number),
        LIFE_TEST(a_damaged_day_stays_and_the_others_of_its_month_go),
        LIFE_TEST(a_damaged_last_chunk_does_not_keep_late_samples_open),
        LIFE_TEST(an_open_chunk_of_odd_length_stays_and_the_others_of_its_day_go),
        LIFE_TEST(room_for_further_hours_is_made_by_gathering),
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
