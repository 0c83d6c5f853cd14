/* What expires: samples, then their aggregates, and nothing of the sum of all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "await.h"
#include "chunk.h"
#include "life_model.h"
#include "metric_delete.h"
#include "packed.h"
#include "store_content.h"
#include "tending.h"
#include "test_life.h"

enum { DAY_HOURS = 24, TEXT_BYTES = 64, PUT_AT_ONCE = 40 };

#define DAY_US (DAY_HOURS * HOUR_US)

static const struct metric_retention nothing = {1, 1}, no_samples = {1, 0}, a_day = {DAY_US, 0},
                                     days_30 = {30 * DAY_US, 0}, a_year = {365 * DAY_US, 0};

static void post_hour(int64_t hour, int count)
{
    for (int i = 0; i < count; i++)
        life_model_post("cpu", hour_start(hour).us + (int64_t)i * 100000, i % 17 - 4.25);
}

static void tend(const struct metric_retention *retention)
{
    test_life_tend("cpu", retention);
    life_model_learn("cpu", retention);
}

static void check(void)
{
    life_model_check_all("cpu");
    life_model_check_list("cpu", 1000);
}

/* As of when all was looked through. */
static void forget_what_is_oldest(void)
{
    test_store_run("HDEL ra:m:{cpu}:chunks oldest_samples oldest");
}

/* As if the chunks of that name, "*": all, had been sealed so long ago. */
static void age(const char *chunks, int64_t hours)
{
    char text[6 * TEXT_BYTES];
    (void)snprintf(text, sizeof text,
                   "EVAL \"for _, key in ipairs(redis.call('KEYS', ARGV[1])) do "
                   "local at = struct.unpack('<I8', redis.call('GET', key)) "
                   "redis.call('SETRANGE', key, 0, struct.pack('<I8', at - %" PRId64 ")) "
                   "end\" 0 ra:m:{cpu}:blk:%s",
                   hours * HOUR_US, chunks);
    test_store_run(text);
    forget_what_is_oldest();
    life_model_age("cpu", hours * HOUR_US);
}

/* Samples that are there, chunks that have none, samples in the base. */
static void assert_content(size_t records, size_t frozen, uint64_t base)
{
    struct store_content content;
    store_content_read(&content, test_store.client, "cpu");
    assert_int_equal(content.record_count, records);
    assert_int_equal(content.frozen_count, frozen);
    assert_int_equal(content.base.count, base);
    store_content_release(&content);
}

/* --- Samples ----------------------------------------------------------------------- */

static void samples_expire_by_arrival_and_not_by_their_time(void **state)
{
    (void)state;
    int64_t hour = test_life_past_hour();
    post_hour(hour - 20 * 365 * DAY_HOURS, 10);
    post_hour(hour - 20 * 365 * DAY_HOURS + 50, 1500);
    tend(&a_day);
    assert_content(1510, 0, 0);
    age("*", 40 * DAY_HOURS);
    post_hour(hour - 30 * 365 * DAY_HOURS, 10);
    tend(&days_30);
    assert_content(10, 2, 0);
    check();
}

static void what_is_open_does_not_expire(void **state)
{
    (void)state;
    int64_t hour = test_life_hour();
    post_hour(hour, 10);
    post_hour(hour + 1, 10);
    tend(&nothing);
    assert_content(20, 0, 0);
    check();
}

static void samples_of_the_future_expire_by_arrival_too(void **state)
{
    (void)state;
    int64_t hour = test_life_hour();
    post_hour(hour + 2 * DAY_HOURS, 1500);
    post_hour(hour + 3 * DAY_HOURS, 10);
    post_hour(hour + 50 * 365 * DAY_HOURS, 10);
    post_hour(HOUR_MAX - DAY_HOURS * 40, 10);
    tend(&a_day);
    assert_content(1530, 0, 0);
    age("*", 40 * DAY_HOURS);
    post_hour(hour + 60 * 365 * DAY_HOURS, 10);
    tend(&days_30);
    assert_content(10, 4, 0);
    check();
    tend(&nothing);
    assert_content(0, 0, 1540);
    check();
}

static void read_head(int64_t day, char *head, size_t size, size_t *len)
{
    char name[TEXT_BYTES];
    (void)snprintf(name, sizeof name, "blk:d%" PRId64 ":0", day);
    const char *const words[] = {"GET", name, NULL};
    struct redisReply *reply = store_content_call(test_store.client, "cpu", words);
    struct slice chunk;
    assert_true(redis_reply_bytes(reply, &chunk));
    *len = chunk.len - chunk_block(chunk).len;
    assert_true(*len <= size);
    memcpy(head, chunk.ptr, *len);
    redis_reply_free(reply);
}

static void a_chunk_whose_samples_expire_keeps_its_aggregate_bit_by_bit(void **state)
{
    (void)state;
    static char before[CHUNK_SEALED_BYTES_MAX], after[CHUNK_SEALED_BYTES_MAX];
    size_t before_len, after_len;
    int64_t hour = test_life_past_hour();
    post_hour(hour, 1000);
    tend(&test_life_for_ever);
    read_head(hour / DAY_HOURS, before, sizeof before, &before_len);
    tend(&no_samples);
    read_head(hour / DAY_HOURS, after, sizeof after, &after_len);
    assert_int_equal(before_len, after_len);
    assert_memory_equal(before, after, after_len);
    assert_content(0, 1, 0);
    check();
}

static void a_sample_that_comes_after_expiry_counts(void **state)
{
    (void)state;
    int64_t hour = test_life_past_hour();
    const struct metric_retention *const levels[] = {&no_samples, &nothing};
    for (size_t i = 0; i < 2; i++) {
        post_hour(hour, 100);
        tend(levels[i]);
        post_hour(hour, 7);
        check();
        life_model_check_window("cpu", hour_start(hour), hour_start(hour + 1));
        tend(&a_day);
        check();
        life_model_check_window("cpu", hour_start(hour), hour_start(hour + 1));
    }
}

/* A small chunk takes late samples in on the day on which it was sealed. */
static void await_day_that_lasts(void)
{
    AWAIT(clock_wall_now().us % DAY_US < DAY_US - 5000000);
}

/* A trickle of late samples would renew a small chunk for ever. */
static void late_samples_do_not_keep_those_of_days_before(void **state)
{
    (void)state;
    static const struct metric_retention a_week = {7 * DAY_US, 0};
    int64_t hour = test_life_past_hour();
    char chunk[TEXT_BYTES];
    await_day_that_lasts();
    post_hour(hour, 10);
    tend(&a_week);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(chunk, sizeof chunk, "d%" PRId64 ":%d", hour / DAY_HOURS, i);
        age(chunk, DAY_HOURS * (5 - i));
        post_hour(hour + 1, 1);
        tend(&a_week);
        post_hour(hour + 2, 1);
        tend(&a_week);
        assert_int_equal(test_life_closed("cpu", SPAN_DAY, hour / DAY_HOURS), 2 + i);
    }
    test_life_tend("cpu", &(struct metric_retention){DAY_US * 7 / 2, 0});
    struct store_content content;
    store_content_read(&content, test_store.client, "cpu");
    assert_int_equal(content.record_count, 4); /* those of three days ago, and today's */
    store_content_release(&content);
}

static uint64_t stamp_of(int64_t hour, int number)
{
    char name[TEXT_BYTES];
    (void)snprintf(name, sizeof name, "blk:%" PRId64 ":%d", hour, number);
    const char *const words[] = {"GET", name, NULL};
    struct redisReply *reply = store_content_call(test_store.client, "cpu", words);
    struct slice chunk;
    assert_true(redis_reply_bytes(reply, &chunk) && chunk.len > CHUNK_STAMP_BYTES);
    uint64_t stamp = packed_u64((const unsigned char *)chunk.ptr);
    redis_reply_free(reply);
    return stamp;
}

/* As old as the youngest of them. */
static void chunks_without_samples_become_one(void **state)
{
    (void)state;
    int64_t hour = test_life_past_hour();
    for (int i = 0; i < 3; i++) {
        post_hour(hour, 1100);
        tend(&a_day);
    }
    assert_int_equal(test_life_closed("cpu", SPAN_HOUR, hour), 3);
    uint64_t stamp = stamp_of(hour, 2);
    tend(&no_samples);
    assert_int_equal(test_life_closed("cpu", SPAN_HOUR, hour), 1);
    assert_true(stamp_of(hour, 0) == stamp);
    assert_content(0, 1, 0);
    check();
}

static void read_layout(char layout[static TEXT_BYTES])
{
    const char *const words[] = {"HGET", "chunks", "layout", NULL};
    (void)snprintf(layout, TEXT_BYTES, "%" PRId64, test_life_number("cpu", words));
}

/* Put by hand: as many chunks of a sample each as it takes days to post. Stamp "": now. */
static void put_chunks(int64_t hour, int64_t had, size_t count, struct slice stamp)
{
    static unsigned char sealed[PUT_AT_ONCE][CHUNK_SEALED_BYTES_MAX];
    char layout[TEXT_BYTES], hour_text[TEXT_BYTES], had_text[TEXT_BYTES];
    read_layout(layout);
    (void)snprintf(hour_text, sizeof hour_text, "%" PRId64, hour);
    (void)snprintf(had_text, sizeof had_text, "%" PRId64, had);
    struct slice args[8 + PUT_AT_ONCE] = {slice_from_string(layout),
                                          stamp,
                                          SLICE("1"),
                                          slice_from_string(hour_text),
                                          slice_from_string(had_text),
                                          slice_from_string(had_text),
                                          SLICE("0"),
                                          SLICE("0")};
    for (size_t i = 0; i < count; i++) {
        struct record r = {{hour_start(hour).us + had + (int64_t)i}, (double)test_store_below(50)};
        args[8 + i] = slice_of((const char *)sealed[i], chunk_seal(NULL, &r, 1, sealed[i]));
        life_model_note("cpu", r);
    }
    struct redisReply *reply = test_life_eval(REDIS_SCRIPT_GATHER, "cpu", args, 8 + count);
    int64_t is_put = 0;
    assert_true(redis_reply_integer(reply, &is_put) && is_put);
    redis_reply_free(reply);
}

static void ask(const struct metric_question *question, uint64_t count,
                struct metric_report *report)
{
    struct aggregate a;
    aggregate_init(&a, false);
    assert_int_equal(test_store_ask(question, &a, report), ERR_OK);
    assert_int_equal(a.moments.count, count);
    aggregate_release(&a);
}

/* The first of two questions told a part of a chunk, the second does not know which. */
static void what_expires_between_two_questions_is_noticed(void **state)
{
    (void)state;
    int64_t hour = test_life_past_hour();
    struct metric_report first, second;
    post_hour(hour, 2000);
    tend(&test_life_for_ever);
    struct wall_time start = hour_start(hour), middle = {start.us + INT64_C(50000000)};
    const struct metric_question questions[] = {
        {.type = SLICE("cpu"), .from = start, .to = middle},
        {.type = SLICE("cpu"), .from = middle, .to = hour_start(hour + 1), .before = &first}};
    ask(&questions[0], 500, &first);
    ask(&questions[1], 1500, &second);
    assert_false(second.is_torn);
    post_hour(hour - 50, 10);
    tend(&a_day); /* what is moved alone does no harm */
    ask(&questions[1], 1500, &second);
    assert_false(second.is_torn);
    assert_string_not_equal(first.layout, second.layout);
    tend(&no_samples);
    ask(&questions[1], 0, &second);
    assert_true(second.is_torn);
    ask(&questions[0], 2000, &first);
    assert_true(first.is_widened);
    ask(&questions[1], 0, &second);
    assert_false(second.is_torn);
}

/* Seven hundred do not go into one page of the walk, nor into one step. */
static void very_many_chunks_of_one_hour_expire_and_become_one(void **state)
{
    (void)state;
    int64_t hour = test_life_past_hour();
    post_hour(hour - 1, 10);
    post_hour(hour - 30, 10);
    tend(&test_life_for_ever);
    int64_t had = 0;
    for (; had < 700; had += 35)
        put_chunks(hour, had, 35, SLICE(""));
    tend(&a_day);
    assert_content(720, 0, 0);
    tend(&no_samples);
    assert_content(0, 3, 0);
    check();
}

/* Of so many that a walk sees them in parts. */
static void chunks_with_samples_do_not_become_one(void **state)
{
    (void)state;
    static const char far_future[] = {0, 0, 0, 0, 0, 0, 16, 0};
    int64_t hour = test_life_past_hour();
    post_hour(hour - 50, 10);
    put_chunks(hour, 0, 40, slice_of(far_future, sizeof far_future));
    put_chunks(hour, 40, 30, SLICE(""));
    put_chunks(hour, 70, 30, SLICE(""));
    tend(&no_samples);
    assert_content(40, 61, 0);
    tend(&nothing);
    assert_content(40, 60, 10);
    check();
}

/* What the walk answers when it has seen so many chunks: where it stands, and theirs. */
static void a_walk_ends_after_so_many_chunks(void **state)
{
    (void)state;
    int64_t hour = test_life_past_hour();
    post_hour(hour - 50, 10);
    put_chunks(hour, 0, 35, SLICE(""));
    const struct slice args[] = {SLICE("1"), SLICE("0"),  SLICE("+inf"),
                                 SLICE("0"), SLICE("64"), SLICE("20")};
    struct redisReply *reply = test_life_eval(REDIS_SCRIPT_TEND_EXPIRE, "cpu", args, 6);
    char score[TEXT_BYTES];
    struct slice at;
    int64_t chunk;
    (void)snprintf(score, sizeof score, "%" PRId64, (INT64_C(1) << 32) + hour);
    assert_true(redis_reply_bytes_at(reply, 0, &at));
    assert_true(redis_reply_integer_at(reply, 1, &chunk));
    assert_true(slice_equals(at, slice_from_string(score)));
    assert_int_equal(chunk, 20);
    assert_int_equal(redis_reply_count(redis_reply_at(reply, 3)), 3 * 20);
    assert_int_equal(redis_reply_count(redis_reply_at(reply, 4)), 0);
    redis_reply_free(reply);
    assert_content(45, 0, 0);
}

static void samples_of_more_spans_than_a_page_expire(void **state)
{
    (void)state;
    int64_t hour = test_life_past_hour();
    for (int64_t i = 0; i < 150; i++)
        life_model_post("cpu", hour_start(hour - i * DAY_HOURS).us, (double)i);
    tend(&no_samples);
    assert_content(0, 150, 0);
    check();
    tend(&nothing);
    assert_content(0, 0, 150);
    check();
}

static void damage(const char *chunk, int at)
{
    char text[2 * TEXT_BYTES];
    (void)snprintf(text, sizeof text, "SETRANGE ra:m:{cpu}:blk:%s %d ?!", chunk, at);
    assert_true(test_store_command(text, sizeof text, text));
}

/* Of many, in as many steps as it takes. */
static void samples_tell_the_aggregate_that_is_damaged_before_they_expire(void **state)
{
    (void)state;
    enum { CHUNKS = 70, SAMPLES = 1500 };
    int64_t hour = test_life_past_hour();
    char chunk[TEXT_BYTES];
    post_hour(hour - 50, SAMPLES);
    tend(&a_day);
    (void)snprintf(chunk, sizeof chunk, "%" PRId64 ":0", hour - 50);
    damage(chunk, 60);
    put_chunks(hour, 0, CHUNKS / 2, SLICE(""));
    put_chunks(hour, CHUNKS / 2, CHUNKS / 2, SLICE(""));
    for (int i = 0; i < CHUNKS; i++) {
        (void)snprintf(chunk, sizeof chunk, "%" PRId64 ":%d", hour, i);
        damage(chunk, 20 + i);
    }
    test_life_tend("cpu", &no_samples);
    assert_true(test_life_due("cpu") <= clock_wall_now().us / 1000000 + 15);
    for (int i = 0; i < CHUNKS / TENDING_CHUNKS_MAX; i++)
        test_life_tend("cpu", &no_samples);
    assert_true(test_life_due("cpu") > clock_wall_now().us / 1000000 + 3000);
    life_model_learn("cpu", &no_samples);
    assert_content(0, 2, 0);
    check();
}

static void samples_that_are_damaged_with_their_aggregate_stay(void **state)
{
    (void)state;
    int64_t hour = test_life_past_hour();
    char name[TEXT_BYTES];
    const char *const length[] = {"STRLEN", name, NULL}, *const chunk = name + strlen("blk:");
    post_hour(hour, 1500);
    post_hour(hour + 1, 1500);
    tend(&a_day);
    (void)snprintf(name, sizeof name, "blk:%" PRId64 ":0", hour);
    int64_t before = test_life_number("cpu", length);
    damage(chunk, 60);
    damage(chunk, (int)before - 20);
    test_life_tend("cpu", &no_samples);
    test_life_tend("cpu", &nothing);
    assert_int_equal(test_life_number("cpu", length), before);
    assert_int_equal(test_life_closed("cpu", SPAN_HOUR, hour + 1), 0);
    assert_true(test_life_due("cpu") > clock_wall_now().us / 1000000 + 3000);
}

/* Or each reader would begin anew until all are dropped. */
static void the_tender_rests_before_samples_are_dropped(void **state)
{
    (void)state;
    atomic_bool is_stopping = false;
    struct tending *t = calloc(1, sizeof *t);
    struct error err;
    assert_non_null(t);
    post_hour(test_life_past_hour(), 10);
    tend(&test_life_for_ever);
    t->client = test_store.client;
    t->retention = &no_samples;
    tending_begin(t, SLICE("cpu"));
    t->is_stopping = &is_stopping;
    t->burst_since = mono_after_ms(clock_mono_now(), -TENDING_BURST_MS);
    struct mono_time before = clock_mono_now();
    assert_int_equal(tending_expire(t, &err), ERR_OK);
    assert_true(mono_us_between(before, clock_mono_now()) >= INT64_C(1000) * TENDING_REST_MS);
    free(t);
    assert_content(0, 1, 0);
}

/* --- What it costs ----------------------------------------------------------------- */

/* Of all that are connected: beside the test nobody may be. */
static void assert_scripts(const struct metric_retention *retention, int64_t count)
{
    char out[TEXT_BYTES], wanted[TEXT_BYTES];
    test_store_run("CONFIG RESETSTAT");
    tend(retention);
    assert_true(test_store_command(out, sizeof out,
                                   "EVAL \"return redis.call('INFO', 'commandstats'):match("
                                   "'cmdstat_evalsha:calls=(%d+)')\" 0"));
    (void)snprintf(wanted, sizeof wanted, "%" PRId64, count);
    assert_string_equal(out, wanted);
}

/* What is open, what has expired, and when it is due again. */
static void where_nothing_expires_no_span_is_looked_at(void **state)
{
    (void)state;
    enum { SPANS = 150, PAGES = SPANS / 48 + 1 }; /* a chunk each */
    int64_t hour = test_life_past_hour();
    const struct metric_retention both = {a_day.samples_us, 2 * a_day.samples_us};
    for (int64_t i = 0; i < SPANS; i++)
        life_model_post("cpu", hour_start(hour - i * DAY_HOURS).us, (double)i);
    metric_store_free(test_store.store); /* its tender asks once a second */
    test_store.store = NULL;
    tend(&a_day);
    assert_scripts(&a_day, 3);
    assert_scripts(&both, 3);
    assert_content(SPANS, 0, 0);
    tend(&no_samples);
    assert_scripts(&a_day, 3);
    assert_scripts(&both, 3);
    forget_what_is_oldest();
    assert_scripts(&both, 3 + PAGES - 1);
    tend(&nothing);
    assert_content(0, 0, SPANS);
}

static void what_is_left_expires_in_its_turn(void **state)
{
    (void)state;
    enum { TURNS = 3 };
    int64_t hour = test_life_past_hour();
    for (int i = 0; i < TURNS; i++) {
        post_hour(hour - i * DAY_HOURS, 10);
        tend(&a_year);
        age("*", 10 * DAY_HOURS);
    }
    for (int i = 0; i < TURNS; i++) {
        tend(&(struct metric_retention){(25 - 10 * i) * DAY_US, 0});
        assert_content((size_t)(TURNS - 1 - i) * 10, (size_t)i + 1, 0);
    }
    for (int i = 0; i < TURNS; i++) {
        int64_t kept_us = (25 - 10 * i) * DAY_US;
        tend(&(struct metric_retention){kept_us, kept_us});
        assert_content(0, (size_t)(TURNS - 1 - i), 10 * ((uint64_t)i + 1));
    }
    check();
}

/* Or what is posted all the time would cost a walk over all of it every hour. */
static void samples_of_months_expire_a_day_at_a_time(void **state)
{
    (void)state;
    static const struct metric_retention days_64 = {64 * DAY_US, 0};
    post_hour(test_life_past_hour(), 10);
    test_life_tend("cpu", &a_year);
    age("*", 64 * DAY_HOURS + 23);
    test_life_tend("cpu", &a_year); /* looks through all */
    test_life_tend("cpu", &days_64);
    assert_content(10, 0, 0);
    age("*", 2);
    test_life_tend("cpu", &a_year);
    test_life_tend("cpu", &days_64);
    assert_content(0, 1, 0);
}

static void what_others_say_is_oldest_keeps_nothing(void **state)
{
    (void)state;
    static const char *const said[] = {"nan",   "inf", "-inf", "-1",
                                       "1e300", "",    "x",    "99999999999999999999"};
    int64_t hour = test_life_past_hour();
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        char text[4 * TEXT_BYTES];
        post_hour(hour, 10);
        tend(&a_day);
        (void)snprintf(
            text, sizeof text,
            "EVAL \"redis.call('HSET', KEYS[1], 'oldest_samples', '%s', 'oldest', '%s')\""
            " 1 ra:m:{cpu}:chunks",
            said[i], said[i]);
        test_store_run(text);
        tend(&no_samples);
        assert_content(0, 1, 0);
    }
}

/* --- Aggregates -------------------------------------------------------------------- */

static void aggregates_expire_into_the_base_once(void **state)
{
    (void)state;
    int64_t hour = test_life_past_hour();
    static char before[TEST_LIFE_DIGEST_BYTES], after[TEST_LIFE_DIGEST_BYTES];
    post_hour(hour, 1100); /* stays an hour */
    post_hour(hour + 1, 20);
    post_hour(hour - 900, 1100);
    post_hour(hour - 901, 20);
    tend(&test_life_for_ever); /* one day is in a month */
    check();
    tend(&nothing);
    assert_content(0, 0, 2240);
    check();
    forget_what_is_oldest();
    test_life_digest("cpu", before);
    tend(&nothing);
    forget_what_is_oldest();
    test_life_digest("cpu", after);
    assert_string_equal(before, after);
    post_hour(hour, 20);
    tend(&nothing);
    assert_content(0, 0, 2260);
    check();
    post_hour(hour, 20);
    check();
}

static void aggregates_expire_after_their_samples(void **state)
{
    (void)state;
    const struct metric_retention both = {1, a_day.samples_us};
    int64_t hour = test_life_past_hour();
    post_hour(hour, 1100);
    post_hour(hour + 1, 20);
    tend(&both);
    assert_content(0, 2, 0);
    check();
    tend(&nothing);
    assert_content(0, 0, 1120);
    check();
}

/* A day's chunk that late samples of another hour renewed is younger than an hour's that
 * arrived after it: of two samples of one instant the latter is still the last. */
static void what_arrived_first_is_folded_first(void **state)
{
    (void)state;
    int64_t hour = test_life_past_hour();
    char chunk[TEXT_BYTES];
    await_day_that_lasts();
    life_model_post("cpu", hour_start(hour).us, 1.0);
    tend(&a_day);
    for (int i = 0; i < 1100; i++)
        life_model_post("cpu", hour_start(hour).us, 2.0 + i);
    tend(&a_day);
    (void)snprintf(chunk, sizeof chunk, "%" PRId64 ":0", hour);
    age(chunk, 40 * DAY_HOURS);
    life_model_post("cpu", hour_start(hour - 1 + DAY_HOURS).us, 3.0);
    tend(&a_year);
    assert_int_equal(test_life_closed("cpu", SPAN_DAY, hour / DAY_HOURS), 1);
    const struct metric_retention hour_alone = {1, days_30.samples_us};
    tend(&hour_alone);
    check();
    tend(&nothing);
    assert_content(0, 0, 1102);
    check();
}

/* By hand. */
static int64_t put_base(const struct slice args[static 6])
{
    struct redisReply *reply = test_life_eval(REDIS_SCRIPT_TEND_FOLD, "cpu", args, 6);
    int64_t result = -1;
    assert_true(redis_reply_integer(reply, &result));
    redis_reply_free(reply);
    return result;
}

static void folding_changes_nothing_if_anything_is_other_than_seen(void **state)
{
    (void)state;
    static char before[TEST_LIFE_DIGEST_BYTES], after[TEST_LIFE_DIGEST_BYTES];
    static unsigned char base[CHUNK_SEALED_BYTES_MAX];
    int64_t hour = test_life_past_hour();
    char layout[TEXT_BYTES], day[TEXT_BYTES], other_day[TEXT_BYTES], kept[TEXT_BYTES];
    post_hour(hour, 10);
    tend(&no_samples);
    struct record r = test_store.model.samples[0].record;
    size_t len = chunk_seal(NULL, &r, 1, base);
    read_layout(layout);
    (void)snprintf(day, sizeof day, "%" PRId64, hour / DAY_HOURS);
    (void)snprintf(other_day, sizeof other_day, "%" PRId64, hour / DAY_HOURS - 1);
    (void)snprintf(kept, sizeof kept, "%" PRId64, a_day.samples_us);
    struct slice args[] = {
        slice_from_string(layout), SLICE(""),  SLICE("2"),
        slice_from_string(day),    SLICE("1"), slice_of((const char *)base, len)};
    const struct slice other[] = {SLICE("1"), SLICE("12345678"), SLICE("1"),
                                  slice_from_string(other_day), slice_from_string(kept)};
    test_life_digest("cpu", before);
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        struct slice seen = args[i];
        args[i] = other[i];
        assert_int_equal(put_base(args), 0);
        test_life_digest("cpu", after);
        assert_string_equal(before, after);
        args[i] = seen;
    }
    assert_int_equal(put_base(args), 1);
    assert_int_equal(put_base(args), 0); /* twice */
}

static void a_span_of_several_chunks_is_not_folded(void **state)
{
    (void)state;
    static unsigned char base[CHUNK_SEALED_BYTES_MAX];
    int64_t hour = test_life_past_hour();
    char layout[TEXT_BYTES], name[TEXT_BYTES];
    post_hour(hour - 50, 10);
    put_chunks(hour, 0, 2, SLICE(""));
    struct record r = test_store.model.samples[0].record;
    size_t len = chunk_seal(NULL, &r, 1, base);
    read_layout(layout);
    (void)snprintf(name, sizeof name, "%" PRId64, hour);
    const struct slice args[] = {
        slice_from_string(layout), SLICE(""),  SLICE("1"),
        slice_from_string(name),   SLICE("1"), slice_of((const char *)base, len)};
    assert_int_equal(put_base(args), 0);
    tend(&test_life_for_ever);
    check();
}

static void a_damaged_base_is_left_alone(void **state)
{
    (void)state;
    char out[TEXT_BYTES];
    int64_t hour = test_life_past_hour();
    post_hour(hour, 10);
    tend(&nothing);
    assert_true(test_store_command(out, sizeof out, "SETRANGE ra:m:{cpu}:blk:base 30 ?"));
    post_hour(hour - 50, 10);
    test_life_tend("cpu", &nothing);
    assert_int_equal(test_life_closed("cpu", SPAN_DAY, (hour - 50) / DAY_HOURS), 1);
    assert_true(test_store_command(out, sizeof out, "STRLEN ra:m:{cpu}:blk:base"));
    assert_true(strcmp(out, "0") != 0);
}

/* --- A full Redis ------------------------------------------------------------------ */

static void set_memory(const char *command)
{
    char out[TEXT_BYTES];
    assert_true(test_store_command(out, sizeof out, command));
}

static bool is_full(void)
{
    struct rate_verdict verdict;
    return test_store_add("cpu", 0, 1.0, &test_store_no_limit, &verdict) == ERR_STORE_FULL;
}

static void upkeep_goes_on_where_redis_is_full(const struct metric_retention *retention)
{
    int64_t hour = test_life_past_hour();
    post_hour(hour, CHUNK_RECORDS);
    post_hour(hour - 50, 1500);
    post_hour(hour - 80, 20);
    post_hour(hour - 1000, 20);
    test_life_await_sealed("cpu");
    set_memory("CONFIG SET maxmemory 1");
    bool was_full = is_full();
    test_life_tend("cpu", retention);
    test_life_tend("cpu", retention);
    set_memory("CONFIG SET maxmemory 0");
    assert_true(was_full);
    life_model_learn("cpu", retention);
    check();
}

/* Otherwise it would stay full for ever. */
static void samples_expire_where_redis_is_full(void **state)
{
    (void)state;
    upkeep_goes_on_where_redis_is_full(&nothing);
    assert_content(0, 0, CHUNK_RECORDS + 1540);
}

static void samples_are_gathered_where_redis_is_full(void **state)
{
    (void)state;
    upkeep_goes_on_where_redis_is_full(&test_life_for_ever);
    assert_content(CHUNK_RECORDS + 1540, 0, 0);
    const char *const words[] = {"ZCARD", "open", NULL};
    assert_int_equal(test_life_number("cpu", words), 0);
}

static void a_closed_chunk_is_sealed_where_redis_is_full(void **state)
{
    (void)state;
    int64_t hour = test_life_past_hour();
    post_hour(hour, CHUNK_RECORDS - 1);
    test_life_post_unheard("cpu", hour_start(hour).us, 1.0);
    set_memory("CONFIG SET maxmemory 1");
    bool was_full = is_full();
    test_life_tend("cpu", &test_life_for_ever);
    test_life_await_sealed("cpu");
    set_memory("CONFIG SET maxmemory 0");
    assert_true(was_full);
    check();
}

static void a_type_can_be_deleted_where_redis_is_full(void **state)
{
    (void)state;
    bool is_known, is_done;
    post_hour(test_life_past_hour(), 1000);
    set_memory("CONFIG SET maxmemory 1");
    bool was_full = is_full();
    struct mono_time deadline = mono_after_ms(clock_mono_now(), 5000);
    enum err_code code =
        metric_delete(test_store.client, SLICE("cpu"), deadline, &is_known, &is_done, NULL);
    set_memory("CONFIG SET maxmemory 0");
    assert_true(was_full);
    assert_int_equal(code, ERR_OK);
    assert_true(is_known && is_done);
}

#define LIFE_TEST(name) cmocka_unit_test_setup_teardown(name, test_life_open, test_life_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE_TEST(samples_expire_by_arrival_and_not_by_their_time),
        LIFE_TEST(what_is_open_does_not_expire),
        LIFE_TEST(samples_of_the_future_expire_by_arrival_too),
        LIFE_TEST(a_chunk_whose_samples_expire_keeps_its_aggregate_bit_by_bit),
        LIFE_TEST(a_sample_that_comes_after_expiry_counts),
        LIFE_TEST(late_samples_do_not_keep_those_of_days_before),
        LIFE_TEST(chunks_without_samples_become_one),
        LIFE_TEST(what_expires_between_two_questions_is_noticed),
        LIFE_TEST(very_many_chunks_of_one_hour_expire_and_become_one),
        LIFE_TEST(chunks_with_samples_do_not_become_one),
        LIFE_TEST(a_walk_ends_after_so_many_chunks),
        LIFE_TEST(samples_of_more_spans_than_a_page_expire),
        LIFE_TEST(samples_tell_the_aggregate_that_is_damaged_before_they_expire),
        LIFE_TEST(samples_that_are_damaged_with_their_aggregate_stay),
        LIFE_TEST(the_tender_rests_before_samples_are_dropped),
        LIFE_TEST(where_nothing_expires_no_span_is_looked_at),
        LIFE_TEST(what_is_left_expires_in_its_turn),
        LIFE_TEST(samples_of_months_expire_a_day_at_a_time),
        LIFE_TEST(what_others_say_is_oldest_keeps_nothing),
        LIFE_TEST(aggregates_expire_into_the_base_once),
        LIFE_TEST(aggregates_expire_after_their_samples),
        LIFE_TEST(what_arrived_first_is_folded_first),
        LIFE_TEST(folding_changes_nothing_if_anything_is_other_than_seen),
        LIFE_TEST(a_span_of_several_chunks_is_not_folded),
        LIFE_TEST(a_damaged_base_is_left_alone),
        LIFE_TEST(samples_expire_where_redis_is_full),
        LIFE_TEST(samples_are_gathered_where_redis_is_full),
        LIFE_TEST(a_closed_chunk_is_sealed_where_redis_is_full),
        LIFE_TEST(a_type_can_be_deleted_where_redis_is_full),
    };
    return cmocka_run_group_tests(tests, test_store_start_server, test_store_stop_server);
}
