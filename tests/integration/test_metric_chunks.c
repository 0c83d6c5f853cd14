/* Closed chunks, their rollups, and what happens where they are damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "chunk.h"
#include "chunk_sealer.h"
#include "test_store.h"

enum { DAY_HOURS = 24, CHUNKS = 4, EACH = 50, ROUNDS = 40 };

/* Of the test's type; the first of a month. */
static const int64_t hour = (int64_t)600 * DAY_HOURS * 32;

static const struct span of_hour = {SPAN_HOUR, (int64_t)600 * DAY_HOURS * 32};

static int64_t start_us(void)
{
    return hour_start(hour).us;
}

/* --- Keys of the type, past the store ---------------------------------------------- */

static const char *key_of(const char *name)
{
    static char key[96];
    (void)snprintf(key, sizeof key, "ra:m:{cpu}:%s", name);
    return key;
}

static const char *blk_name(int64_t number)
{
    static char name[48];
    (void)snprintf(name, sizeof name, "blk:%lld:%lld", (long long)hour, (long long)number);
    return name;
}

static const char *raw_name(int64_t number)
{
    static char name[48];
    int len = snprintf(name, sizeof name, "raw:%lld", (long long)hour);
    if (number >= 0)
        (void)snprintf(name + len, sizeof name - (size_t)len, ":%lld", (long long)number);
    return name;
}

static const char *agg_name(enum span_level level)
{
    static char name[48];
    char span[SPAN_NAME_BYTES];
    struct slice text = span_name(span_of_hour(level, hour), span);
    (void)snprintf(name, sizeof name, "agg:%.*s", (int)text.len, text.ptr);
    return name;
}

/* The caller frees the bytes. Empty where there is no such key. */
static struct slice get(const char *name)
{
    struct redisReply *reply;
    struct slice value = SLICE("");
    const struct slice argv[] = {SLICE("GET"), slice_from_string(key_of(name))};
    assert_int_equal(redis_client_call(test_store.client, REDIS_LANE_WRITE, argv, 2, &reply, NULL),
                     ERR_OK);
    (void)redis_reply_bytes(reply, &value);
    char *copy = malloc(value.len + 1);
    assert_non_null(copy);
    memcpy(copy, value.ptr, value.len);
    redis_reply_free(reply);
    return slice_of(copy, value.len);
}

static void drop(struct slice value)
{
    free((char *)(uintptr_t)value.ptr);
}

static void set(const char *name, struct slice value)
{
    struct redisReply *reply;
    const struct slice argv[] = {SLICE("SET"), slice_from_string(key_of(name)), value};
    assert_int_equal(redis_client_call(test_store.client, REDIS_LANE_WRITE, argv, 3, &reply, NULL),
                     ERR_OK);
    redis_reply_free(reply);
}

static void command(const char *verb, const char *name)
{
    char text[160], out[64];
    (void)snprintf(text, sizeof text, "%s %s", verb, key_of(name));
    assert_true(test_store_command(out, sizeof out, text));
}

static void await(const char *verb, const char *name, const char *wanted)
{
    char text[160];
    (void)snprintf(text, sizeof text, "%s %s", verb, key_of(name));
    test_store_await(text, wanted);
}

/* Change one byte of [from, to). */
static void damage(const char *name, size_t from, size_t to)
{
    struct slice value = get(name);
    assert_true(from < to && to <= value.len);
    char *byte = (char *)(uintptr_t)value.ptr + from + test_store_below(to - from);
    *byte = (char)(*byte ^ (char)(1 + test_store_below(255)));
    set(name, value);
    drop(value);
}

static int64_t eval(enum redis_script script, const struct slice *args, size_t count)
{
    struct redisReply *reply;
    int64_t result = -1;
    const struct slice stem = SLICE("ra:m:{cpu}:");
    assert_int_equal(redis_client_eval(test_store.client, REDIS_LANE_WRITE, script, &stem, 1, args,
                                       count, &reply, NULL),
                     ERR_OK);
    assert_true(redis_reply_integer(reply, &result));
    redis_reply_free(reply);
    return result;
}

/* --- Samples ----------------------------------------------------------------------- */

/* `chunks` of them behind each other in time, none at an edge of the hour. */
static void put_chunks(size_t chunks)
{
    struct record records[CHUNKS * EACH];
    for (size_t i = 0; i < chunks * EACH; i++)
        records[i] = (struct record){{start_us() + 1000 + (int64_t)i * 10},
                                     (double)test_store_below(1000) / 8.0};
    test_store_put_chunks("cpu", of_hour, records, chunks, EACH);
}

/* When chunk `number` begins. */
static struct wall_time chunk_start(int64_t number)
{
    return (struct wall_time){start_us() + 1000 + number * EACH * 10};
}

/* In any order. */
static void fill_open(int64_t at_hour, size_t count)
{
    static struct record records[CHUNK_RECORDS];
    for (size_t i = 0; i < count; i++)
        records[i] = (struct record){{hour_start(at_hour).us + (int64_t)test_store_below(1000000)},
                                     (double)i};
    test_store_put_open("cpu", at_hour, records, count);
}

/* Close the open chunk of the hour, as a worker that dies at once would have. */
static void close_without_sealing(void)
{
    static const char script[] =
        "EVAL \"local stem, hour = KEYS[1], ARGV[1] "
        "redis.call('RENAME', stem .. 'raw:' .. hour, stem .. 'raw:' .. hour .. ':0') "
        "redis.call('ZREM', stem .. 'open', hour) "
        "redis.call('SADD', stem .. 'unsealed', hour .. ':0') "
        "redis.call('HSET', stem .. 'chunks', hour, 1) "
        "for level, hours in ipairs({1, 24, 768}) do "
        "local n = string.format('%%.0f', math.floor(hour / hours)) "
        "redis.call('ZADD', stem .. 'spans', level * 4294967296 + n, ({'', 'd', 'm'})[level] .. n) "
        "end\" 1 ra:m:{cpu}: %lld";
    char text[1024], out[64];
    (void)snprintf(text, sizeof text, script, (long long)hour);
    assert_true(test_store_command(out, sizeof out, text));
}

/* The model forgets what cannot be read. */
static void forget_samples(size_t from, size_t count)
{
    struct sample_model *model = &test_store.model;
    memmove(model->samples + from, model->samples + from + count,
            (model->count - from - count) * sizeof *model->samples);
    model->count -= count;
}

static void check_all(void)
{
    test_store_check_since("cpu", WALL_TIME_MIN);
}

/* Windows that cut chunks; what is asked is answered exactly. */
static void check_cuts(void)
{
    for (int i = 0; i < 4; i++) {
        int64_t from = chunk_start(0).us + (int64_t)test_store_below(CHUNKS * EACH * 10);
        int64_t to = from + 1 + (int64_t)test_store_below(CHUNKS * EACH * 10);
        sample_model_check_window(&test_store.model, test_store.store, "cpu",
                                  (struct wall_time){from}, (struct wall_time){to});
    }
}

/* Ask for [from, to): what the model has is answered, and `damages` are told of. */
static void check_reported(struct wall_time from, struct wall_time to, size_t damages,
                           struct metric_report *report)
{
    const struct metric_question question = {.type = SLICE("cpu"), .from = from, .to = to};
    for (int has_histogram = 0; has_histogram < 2; has_histogram++) {
        struct aggregate a;
        aggregate_init(&a, has_histogram);
        assert_int_equal(test_store_ask(&question, &a, report), ERR_OK);
        assert_int_equal(report->damage_count, damages);
        sample_model_check_answer(&test_store.model, "cpu", from, to, &a);
        aggregate_release(&a);
    }
}

/* A stretch of it cannot be read. */
static void check_damaged_list(size_t limit)
{
    sample_model_check_damaged_list(&test_store.model, test_store.store, "cpu", limit, 1);
}

/* --- Sealing ----------------------------------------------------------------------- */

static void a_closed_chunk_is_sealed_without_being_asked(void **state)
{
    (void)state;
    fill_open(hour, CHUNK_RECORDS - 1);
    test_store_post("cpu", start_us() + 7, 1.0);
    await("EXISTS", blk_name(0), "1");
    await("EXISTS", raw_name(0), "0");
    await("EXISTS", raw_name(-1), "0");
    await("EXISTS", "unsealed", "0");
    await("EXISTS", "open", "0");
    check_all();
    test_store_check_list("cpu", 1000);
}

static void an_unsealed_chunk_is_read_and_sealed_by_who_meets_it(void **state)
{
    (void)state;
    fill_open(hour, CHUNK_RECORDS);
    close_without_sealing();
    check_all();
    await("EXISTS", blk_name(0), "1");
    await("EXISTS", raw_name(0), "0");
    check_all();
    test_store_check_list("cpu", 1000);
}

static void a_list_has_an_unsealed_chunk_sealed_too(void **state)
{
    (void)state;
    fill_open(hour, CHUNK_RECORDS);
    close_without_sealing();
    test_store_check_list("cpu", 10);
    await("EXISTS", blk_name(0), "1");
    test_store_check_list("cpu", 10);
}

/* What the closed chunk at raw:<hour>:0 becomes; the caller frees it. */
static struct slice seal_raw(struct slice raw)
{
    static struct record records[CHUNK_RECORDS], spare[CHUNK_RECORDS];
    size_t count = raw.len / RECORD_BYTES;
    unsigned char *sealed = malloc(CHUNK_SEALED_BYTES_MAX);
    assert_non_null(sealed);
    records_unpack((const unsigned char *)raw.ptr, count, records);
    records_sort(records, count, spare);
    size_t len = chunk_seal(NULL, records, count, sealed);
    assert_true(len > 0);
    return slice_of((const char *)sealed, len);
}

static void two_sealers_leave_one_good_block(void **state)
{
    (void)state;
    char number[24];
    fill_open(hour, CHUNK_RECORDS);
    close_without_sealing();
    (void)snprintf(number, sizeof number, "%lld", (long long)hour);
    char layout[32];
    struct slice raw = get(raw_name(0)), sealed = seal_raw(raw);
    struct slice args[] = {slice_from_string(number), SLICE("0"), sealed, SLICE("2")};
    assert_int_equal(eval(REDIS_SCRIPT_CHUNK_SEAL, args, 4), 0);
    await("EXISTS", blk_name(0), "0");
    assert_true(test_store_command(layout, sizeof layout, "HGET ra:m:{cpu}:chunks layout"));
    args[3] = slice_from_string(layout);
    assert_int_equal(eval(REDIS_SCRIPT_CHUNK_SEAL, args, 4), 1);
    struct slice first = get(blk_name(0));
    assert_int_equal(first.len, CHUNK_STAMP_BYTES + sealed.len);
    assert_memory_equal(first.ptr + CHUNK_STAMP_BYTES, sealed.ptr, sealed.len);
    assert_int_equal(eval(REDIS_SCRIPT_CHUNK_SEAL, args, 4), 0);
    struct slice second = get(blk_name(0));
    assert_true(slice_equals(first, second));
    await("EXISTS", raw_name(0), "0");
    check_all();
    drop(second);
    drop(first);
    drop(sealed);
    drop(raw);
}

/* --- Rollups ----------------------------------------------------------------------- */

static bool has_rollup(enum span_level level)
{
    struct aggregate a;
    struct slice value = get(agg_name(level));
    aggregate_init(&a, true);
    bool is_good = value.len > CHUNK_STAMP_BYTES && aggregate_unpack(chunk_aggregate(value), &a);
    aggregate_release(&a);
    drop(value);
    return is_good;
}

static void assert_rollups(bool expected)
{
    test_store_settle();
    for (enum span_level level = SPAN_HOUR; level <= SPAN_MONTH; level++)
        assert_int_equal(has_rollup(level), expected);
}

/* Of more than one part each: else they are no use. */
static void put_two_days(void)
{
    const struct record r = {{start_us() + DAY_HOURS * HOUR_US}, 3.0};
    put_chunks(CHUNKS);
    test_store_put_chunks("cpu", (struct span){SPAN_HOUR, hour + 1}, &r, 1, 1);
    test_store_put_chunks("cpu", (struct span){SPAN_HOUR, hour + DAY_HOURS}, &r, 1, 1);
}

static void a_rollup_is_made_by_who_misses_it(void **state)
{
    (void)state;
    put_two_days();
    assert_rollups(false);
    check_all();
    assert_rollups(true);
    check_all();
    check_cuts();
}

/* Forged ones give themselves away. */
static void a_rollup_is_used(void **state)
{
    (void)state;
    unsigned char packed[AGGREGATE_PACKED_BYTES_MAX];
    const struct record forged = {{start_us() + 5}, 1234.5};
    struct aggregate a;
    struct metric_report report;
    const struct metric_question question = {
        .type = SLICE("cpu"), .from = WALL_TIME_MIN, .to = WALL_TIME_MAX};
    put_two_days();
    struct slice stamp = get(agg_name(SPAN_MONTH));
    assert_int_equal(stamp.len, CHUNK_STAMP_BYTES);
    aggregate_init(&a, true);
    aggregate_add_run(&a, &forged, 1);
    size_t len = aggregate_pack(&a, packed);
    const struct slice args[] = {slice_from_string(agg_name(SPAN_MONTH) + 4), stamp,
                                 slice_of((char *)packed, len)};
    assert_int_equal(eval(REDIS_SCRIPT_ROLLUP_PUT, args, 3), 1);
    assert_int_equal(test_store_ask(&question, &a, &report), ERR_OK);
    assert_int_equal(a.moments.count, 1);
    assert_true(a.moments.max == 1234.5);
    aggregate_release(&a);
    drop(stamp);
}

static void a_rollup_falls_when_a_further_chunk_closes(void **state)
{
    (void)state;
    put_two_days();
    check_all();
    assert_rollups(true);
    fill_open(hour, CHUNK_RECORDS - 1);
    check_all();
    assert_rollups(true);
    test_store_post("cpu", start_us() + 7, 1.0);
    assert_rollups(false);
    check_all();
    assert_rollups(true);
    check_all();
}

/* One that was being made while a chunk closed. */
static void a_rollup_with_an_old_stamp_is_refused(void **state)
{
    (void)state;
    put_two_days();
    check_all();
    test_store_settle();
    for (enum span_level level = SPAN_HOUR; level <= SPAN_MONTH; level++) {
        struct slice old = get(agg_name(level));
        const struct record r = {{start_us() + 3}, 9.0};
        test_store_put_chunks("cpu", of_hour, &r, 1, 1);
        struct slice now = get(agg_name(level));
        struct slice args[] = {slice_from_string(agg_name(level) + 4),
                               slice_of(old.ptr, CHUNK_STAMP_BYTES), chunk_aggregate(old)};
        assert_int_equal(now.len, CHUNK_STAMP_BYTES);
        assert_false(slice_equals(args[1], now));
        assert_int_equal(eval(REDIS_SCRIPT_ROLLUP_PUT, args, 3), 0);
        check_all();
        test_store_settle();
        drop(now);
        drop(old);
    }
}

/* The clock of Redis steps back: a stamp still never repeats. */
static void a_stamp_is_newer_than_the_one_before(void **state)
{
    (void)state;
    const unsigned char far[CHUNK_STAMP_BYTES] = {0, 0, 0, 0, 0, 0, 7, 0}; /* year 2032 */
    const unsigned char next[CHUNK_STAMP_BYTES] = {1, 0, 0, 0, 0, 0, 7, 0};
    const struct record r = {{start_us() + 3}, 9.0};
    put_chunks(2);
    set(agg_name(SPAN_DAY), slice_of((const char *)far, sizeof far));
    test_store_put_chunks("cpu", of_hour, &r, 1, 1);
    struct slice now = get(agg_name(SPAN_DAY));
    assert_int_equal(now.len, CHUNK_STAMP_BYTES);
    assert_memory_equal(now.ptr, next, sizeof next);
    drop(now);
}

/* So that somebody looks at those below. */
static void forget_rollups_above(enum span_level level)
{
    for (int above = (int)level + 1; above <= SPAN_MONTH; above++) {
        const char *name = agg_name((enum span_level)above);
        struct slice value = get(name);
        set(name, slice_of(value.ptr, CHUNK_STAMP_BYTES));
        drop(value);
    }
}

static void a_damaged_rollup_is_dropped(void **state)
{
    (void)state;
    put_two_days();
    check_all();
    for (int round = 0; round < ROUNDS; round++) {
        enum span_level level = (enum span_level)(SPAN_HOUR + (int)test_store_below(SPAN_MONTH));
        test_store_settle();
        struct slice value = get(agg_name(level));
        if (round % 4 == 0)
            set(agg_name(level), slice_of(value.ptr, 1 + test_store_below(value.len - 1)));
        else
            damage(agg_name(level), 0, value.len);
        drop(value);
        forget_rollups_above(level);
        check_all();
        check_cuts();
        check_all();
        /* Where its stamp was damaged, nobody can tell, and nothing is wrong. */
        assert_rollups(true);
    }
}

static void a_lost_rollup_is_made_anew(void **state)
{
    (void)state;
    put_two_days();
    check_all();
    for (enum span_level level = SPAN_DAY; level <= SPAN_MONTH; level++) {
        test_store_settle();
        command("DEL", agg_name(level));
        forget_rollups_above(level);
        check_all();
        assert_rollups(true);
        check_all();
    }
    /* An hour has none where it has one chunk alone: this might be one. */
    command("DEL", agg_name(SPAN_HOUR));
    forget_rollups_above(SPAN_HOUR);
    check_all();
    test_store_settle();
    assert_false(has_rollup(SPAN_HOUR));
    assert_true(has_rollup(SPAN_DAY));
    check_all();
}

/* --- Damage ------------------------------------------------------------------------ */

static size_t block_begins(int64_t number, size_t *len)
{
    struct slice value = get(blk_name(number));
    size_t at = value.len - chunk_block(value).len;
    *len = value.len;
    drop(value);
    return at;
}

static void a_damaged_head_before_a_good_block_does_no_harm(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        char out[64];
        size_t len, field = CHUNK_STAMP_BYTES + 2, block;
        assert_true(test_store_command(out, sizeof out, "FLUSHALL"));
        sample_model_release(&test_store.model);
        put_chunks(CHUNKS);
        block = block_begins(1, &len);
        if (round % 4 == 0) /* what precedes the field that tells where the block is */
            damage(blk_name(1), 0, field);
        else
            damage(blk_name(1), field + 2, block);
        check_cuts();
        check_all();
        check_all();
        test_store_check_list("cpu", 150);
    }
}

static void a_damaged_block_is_told_of_where_it_is_needed(void **state)
{
    (void)state;
    struct metric_report report;
    struct wall_time within = {chunk_start(1).us + 15};
    put_chunks(CHUNKS);
    for (int round = 0; round < ROUNDS; round++) {
        size_t len, block = block_begins(1, &len);
        struct slice good = get(blk_name(1));
        damage(blk_name(1), block, len);
        test_store_forget_rollups("cpu");
        check_all();
        sample_model_check_window(&test_store.model, test_store.store, "cpu", chunk_start(1),
                                  WALL_TIME_MAX);
        sample_model_check_window(&test_store.model, test_store.store, "cpu", WALL_TIME_MIN,
                                  chunk_start(2));
        struct sample_model whole = test_store.model;
        whole.samples = malloc(whole.count * sizeof *whole.samples);
        assert_non_null(whole.samples);
        memcpy(whole.samples, test_store.model.samples, whole.count * sizeof *whole.samples);
        forget_samples(EACH, EACH);
        check_reported(within, WALL_TIME_MAX, 1, &report);
        check_reported(WALL_TIME_MIN, within, 1, &report);
        assert_int_equal(report.damages[0].from.us, chunk_start(1).us);
        assert_int_equal(report.damages[0].to.us, chunk_start(2).us - 9);
        check_damaged_list(1000);
        sample_model_release(&test_store.model);
        test_store.model = whole;
        set(blk_name(1), good);
        drop(good);
    }
    check_cuts();
}

/* Both damaged, or the length that lies between them. */
static void a_chunk_of_which_nothing_is_left_is_told_of(void **state)
{
    (void)state;
    struct metric_report report;
    put_chunks(CHUNKS);
    forget_samples(EACH, EACH);
    struct slice good = get(blk_name(1));
    for (int round = 0; round < ROUNDS; round++) {
        size_t len, block = block_begins(1, &len);
        switch (round % 4) {
        case 0:
            damage(blk_name(1), CHUNK_STAMP_BYTES + 2, CHUNK_STAMP_BYTES + 4);
            break;
        case 1:
            set(blk_name(1), slice_of(good.ptr, test_store_below(CHUNK_MOMENTS_BYTES)));
            break;
        default:
            damage(blk_name(1), CHUNK_STAMP_BYTES, CHUNK_STAMP_BYTES + MOMENTS_PACKED_BYTES);
            damage(blk_name(1), len > block + 8 ? block : block - 1, len);
            break;
        }
        test_store_forget_rollups("cpu");
        check_reported(WALL_TIME_MIN, WALL_TIME_MAX, 1, &report);
        assert_int_equal(report.damages[0].from.us, start_us());
        assert_int_equal(report.damages[0].to.us, start_us() + HOUR_US);
        check_damaged_list(1000);
        assert_rollups(false); /* nothing that lacks something is kept */
        set(blk_name(1), good);
    }
    drop(good);
}

static void a_lost_chunk_is_told_of(void **state)
{
    (void)state;
    struct metric_report report;
    put_chunks(CHUNKS);
    check_all();
    test_store_settle();
    command("DEL", blk_name(2));
    check_all(); /* the rollup knows */
    test_store_forget_rollups("cpu");
    forget_samples((size_t)2 * EACH, EACH);
    check_reported(WALL_TIME_MIN, WALL_TIME_MAX, 1, &report);
    assert_int_equal(report.damages[0].from.us, start_us());
    assert_int_equal(report.damages[0].to.us, start_us() + HOUR_US);
    check_reported(chunk_start(1), WALL_TIME_MAX, 1, &report);
    check_damaged_list(1000);
    check_damaged_list(1);
}

static void only_the_first_damages_are_told(void **state)
{
    (void)state;
    enum { LOST = METRIC_DAMAGES_MAX + 3 };
    struct metric_report report;
    struct record records[LOST];
    for (int i = 0; i < LOST; i++)
        records[i] = (struct record){{start_us() + i}, i};
    test_store_put_chunks("cpu", of_hour, records, LOST, 1);
    put_chunks(1);
    for (int i = 0; i < LOST; i++)
        command("DEL", blk_name(i));
    forget_samples(0, LOST);
    check_reported(WALL_TIME_MIN, WALL_TIME_MAX, METRIC_DAMAGES_MAX, &report);
}

/* The open chunk of the hour cannot be read. */
static void check_damaged_open(void)
{
    struct metric_report report;
    forget_samples((size_t)CHUNKS * EACH, 10);
    for (int round = 0; round < 2; round++) {
        check_reported(WALL_TIME_MIN, WALL_TIME_MAX, 1, &report);
        assert_int_equal(report.damages[0].from.us, start_us());
        assert_int_equal(report.damages[0].to.us, start_us() + HOUR_US);
        check_damaged_list(1000);
        test_store_settle();
    }
    /* Others can be written and read. */
    test_store_post("cpu", start_us() + HOUR_US + 1, 5.0);
    check_reported((struct wall_time){start_us() + HOUR_US}, WALL_TIME_MAX, 0, &report);
}

static void an_open_chunk_of_odd_length_is_told_of(void **state)
{
    (void)state;
    char text[160], out[64];
    put_chunks(CHUNKS);
    fill_open(hour, 10);
    fill_open(hour + 1, 10);
    (void)snprintf(text, sizeof text, "APPEND %s x", key_of(raw_name(-1)));
    assert_true(test_store_command(out, sizeof out, text));
    check_damaged_open();
}

static void a_lost_open_chunk_is_told_of(void **state)
{
    (void)state;
    put_chunks(CHUNKS);
    fill_open(hour, 10);
    fill_open(hour + 1, 10);
    command("DEL", raw_name(-1));
    check_damaged_open();
}

static void an_unsealed_chunk_of_odd_length_is_told_of_and_stays(void **state)
{
    (void)state;
    char text[160], out[64];
    struct metric_report report;
    fill_open(hour, CHUNK_RECORDS);
    close_without_sealing();
    (void)snprintf(text, sizeof text, "APPEND %s x", key_of(raw_name(0)));
    assert_true(test_store_command(out, sizeof out, text));
    forget_samples(0, CHUNK_RECORDS);
    check_reported(WALL_TIME_MIN, WALL_TIME_MAX, 1, &report);
    check_damaged_list(10);
    fill_open(hour + 1, CHUNK_RECORDS - 1);
    test_store_post("cpu", start_us() + HOUR_US + 1, 5.0); /* the sealer is alive */
    (void)snprintf(text, sizeof text, "EXISTS ra:m:{cpu}:blk:%lld:0", (long long)hour + 1);
    test_store_await(text, "1");
    await("EXISTS", raw_name(0), "1");
}

/* The last record is not as it was posted: in this hour, and finite. */
static void fill_badly(size_t count, struct record last)
{
    static struct record records[CHUNK_RECORDS];
    for (size_t i = 0; i + 1 < count; i++)
        records[i] = (struct record){{start_us() + (int64_t)i}, (double)i};
    records[count - 1] = last;
    test_store_put_open("cpu", hour, records, count);
}

static void an_open_chunk_of_what_cannot_be_posted_is_told_of(void **state)
{
    (void)state;
    struct metric_report report;
    const struct record bad[] = {{{start_us()}, NAN},
                                 {{start_us()}, -INFINITY},
                                 {{start_us() - 1}, 1.0},
                                 {{start_us() + HOUR_US}, 1.0},
                                 {{INT64_MAX}, 1.0}};
    put_chunks(CHUNKS);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fill_badly(10, bad[i]);
        forget_samples((size_t)CHUNKS * EACH, 10);
        check_reported(WALL_TIME_MIN, WALL_TIME_MAX, 1, &report);
        assert_int_equal(report.damages[0].from.us, start_us());
        assert_int_equal(report.damages[0].to.us, start_us() + HOUR_US);
        check_damaged_list(1000);
    }
}

/* A sealer that goes on to the next one. */
static void a_chunk_of_what_cannot_be_posted_is_not_sealed(void **state)
{
    (void)state;
    char text[160];
    const struct record bad[] = {{{start_us()}, NAN},
                                 {{start_us()}, INFINITY},
                                 {{start_us() - 1}, 1.0},
                                 {{start_us() + HOUR_US}, 1.0},
                                 {{INT64_MAX}, 1.0}};
    struct chunk_sealer *sealer = chunk_sealer_new(test_store.client);
    assert_non_null(sealer);
    for (int i = 0; i < (int)(sizeof bad / sizeof *bad); i++) {
        fill_badly(CHUNK_RECORDS, bad[i]);
        close_without_sealing();
        chunk_sealer_chunk_closed(sealer, SLICE("cpu"), hour, 0);
        fill_open(hour + 1 + i, CHUNK_RECORDS);
        (void)snprintf(text, sizeof text, "RENAME ra:m:{cpu}:raw:%lld ra:m:{cpu}:raw:%lld:0",
                       (long long)hour + 1 + i, (long long)hour + 1 + i);
        assert_true(test_store_command(text, sizeof text, text));
        chunk_sealer_chunk_closed(sealer, SLICE("cpu"), hour + 1 + i, 0);
        (void)snprintf(text, sizeof text, "EXISTS ra:m:{cpu}:blk:%lld:0", (long long)hour + 1 + i);
        test_store_await(text, "1");
        await("EXISTS", raw_name(0), "1");
        await("EXISTS", blk_name(0), "0");
    }
    chunk_sealer_free(sealer);
}

#define CHUNK_TEST(name) cmocka_unit_test_setup_teardown(name, test_store_open, test_store_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHUNK_TEST(a_closed_chunk_is_sealed_without_being_asked),
        CHUNK_TEST(an_unsealed_chunk_is_read_and_sealed_by_who_meets_it),
        CHUNK_TEST(a_list_has_an_unsealed_chunk_sealed_too),
        CHUNK_TEST(two_sealers_leave_one_good_block),
        CHUNK_TEST(a_rollup_is_made_by_who_misses_it),
        CHUNK_TEST(a_rollup_is_used),
        CHUNK_TEST(a_rollup_falls_when_a_further_chunk_closes),
        CHUNK_TEST(a_rollup_with_an_old_stamp_is_refused),
        CHUNK_TEST(a_stamp_is_newer_than_the_one_before),
        CHUNK_TEST(a_damaged_rollup_is_dropped),
        CHUNK_TEST(a_lost_rollup_is_made_anew),
        CHUNK_TEST(a_damaged_head_before_a_good_block_does_no_harm),
        CHUNK_TEST(a_damaged_block_is_told_of_where_it_is_needed),
        CHUNK_TEST(a_chunk_of_which_nothing_is_left_is_told_of),
        CHUNK_TEST(a_lost_chunk_is_told_of),
        CHUNK_TEST(only_the_first_damages_are_told),
        CHUNK_TEST(an_open_chunk_of_odd_length_is_told_of),
        CHUNK_TEST(a_lost_open_chunk_is_told_of),
        CHUNK_TEST(an_unsealed_chunk_of_odd_length_is_told_of_and_stays),
        CHUNK_TEST(an_open_chunk_of_what_cannot_be_posted_is_told_of),
        CHUNK_TEST(a_chunk_of_what_cannot_be_posted_is_not_sealed),
    };
    return cmocka_run_group_tests(tests, test_store_start_server, test_store_stop_server);
}
