/* metric_store against a real server, a plain array beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "bucket_reader.h"
#include "iso8601.h"
#include "test_store.h"

enum { TYPES = 4 };

static const char *const types[TYPES] = {"cpu", "cp{u}%", "cpu_usage", "t\xc3\xa9mp\xc3\xa9rature"};

/* Any age, many ties, both ends of time. */
static int64_t random_instant(int64_t now_us)
{
    switch (test_store_below(10)) {
    case 0:
        return ISO8601_MIN_US + (int64_t)test_store_below(3);
    case 1:
        return ISO8601_MAX_US - (int64_t)test_store_below(3);
    case 2:
        return now_us + (int64_t)test_store_below(5) * BUCKET_US;
    case 3:
        return -(int64_t)test_store_below(3);
    case 4:
        return now_us - (int64_t)test_store_below(100) * 3600 * 1000000;
    case 5:
    case 6:
        return now_us - (int64_t)test_store_below(3);
    default:
        return now_us - (int64_t)test_store_below(30 * 3600) * 1000000;
    }
}

static double random_value(void)
{
    double unit = (double)(test_random_u64(&test_store.chance) >> 11) * 0x1p-53;
    return test_store_below(3) == 0 ? 1e9 + unit : (unit - 0.3) * 100.0;
}

static void check_everything(int64_t now_us)
{
    for (size_t t = 0; t < TYPES; t++) {
        test_store_check_since(types[t], WALL_TIME_MIN);
        test_store_check_since(types[t], (struct wall_time){now_us - 86400000000});
        test_store_check_since(types[t], (struct wall_time){now_us - BUCKET_US});
        int64_t edge =
            test_store.model.samples[test_store_below(test_store.model.count)].record.at.us;
        for (int64_t off = -1; off <= 1; off++)
            test_store_check_since(types[t], (struct wall_time){edge + off});
        test_store_check_list(types[t], 1 + test_store_below(40));
    }
    test_store_check_since("never posted", WALL_TIME_MIN);
    test_store_check_list("never posted", 10);
    test_store_check_list(NULL, 1);
    test_store_check_list(NULL, 1 + test_store_below(60));
    test_store_check_list(NULL, 1000);
}

static void answers_like_a_plain_array(void **state)
{
    (void)state;
    int64_t now_us = clock_wall_now().us;
    for (int i = 1; i <= 800; i++) {
        test_store_post(types[test_store_below(TYPES)], random_instant(now_us), random_value());
        if (i % 40 == 0)
            check_everything(now_us);
    }
}

static void spreads_over_more_buckets_than_a_page(void **state)
{
    (void)state;
    int64_t start = test_store_hour_start();
    for (int i = 0; i < 200; i++)
        test_store_post("cpu",
                        start - (int64_t)test_store_below(150) * BUCKET_US +
                            (int64_t)test_store_below(2),
                        random_value());
    check_everything(start);
    test_store_check_list("cpu", 190);
    test_store_check_list("cpu", 1000);
}

/* At the edges of the pages in which the names of types are read. */
static void lists_more_types_than_a_page(void **state)
{
    (void)state;
    static char names[257][8];
    int64_t start = test_store_hour_start();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(names[i], sizeof names[i], "t%zu", i * 7919 % 1000);
        test_store_post(names[i], start + (int64_t)test_store_below(50), random_value());
        if (i % 128 == 126 || i % 128 == 127 || i % 128 == 0) {
            test_store_check_list(NULL, 1000);
            test_store_check_list(NULL, 5);
        }
    }
}

/* Damage aggregates in every way that is not the truth. */
static void damage_aggregates(int64_t bucket)
{
    static const char *const ways[] = {
        "DEL %s",         "SET %s x", "SETRANGE %s 30 zz", "APPEND %s q", "SETRANGE %s 8 zzzzzzzz",
        "SETRANGE %s 0 z"};
    char out[64], key[64], text[128];
    for (int chunk = -1; chunk < 6; chunk++) {
        if (test_store_below(2))
            continue;
        int len = snprintf(key, sizeof key, "ra:m:{cpu}:agg:%lld", (long long)bucket);
        if (chunk >= 0)
            (void)snprintf(key + len, sizeof key - (size_t)len, ":%d", chunk);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(text, sizeof text, ways[test_store_below(sizeof ways / sizeof *ways)], key);
#pragma GCC diagnostic pop
        assert_true(test_store_command(out, sizeof out, text));
    }
}

static void chunks_close_and_everything_stays_exact(void **state)
{
    (void)state;
    int64_t start = test_store_hour_start();
    const size_t spreads[] = {1, 100000, 21000000};
    size_t instants = spreads[test_store_below(3)];
    for (int i = 1; i <= 21000; i++) {
        int64_t at = test_store_below(8) == 0 ? start + (int64_t)test_store_below(instants)
                                              : start + i * 1000;
        test_store_post("cpu", at, random_value());
        int rest = i % CHUNK_RECORDS;
        if (i % 3001 != 0 && rest != 0 && rest != 1)
            continue;
        if (test_store_below(2))
            damage_aggregates(bucket_of((struct wall_time){start}));
        test_store_check_since("cpu", WALL_TIME_MIN);
        sample_model_check_since(
            &test_store.model, test_store.store, "cpu",
            (struct wall_time){start + (int64_t)test_store_below(21000) * 1000});
        test_store_check_since("cpu",
                               (struct wall_time){start + (int64_t)test_store_below(instants)});
        test_store_check_list("cpu", 1 + test_store_below(1000));
        test_store_check_list(NULL, 1000);
    }
}

/* All in one instant, over several chunks: only arrival tells them apart. */
static void ranks_count_ties_across_chunks(void **state)
{
    (void)state;
    int64_t start = test_store_hour_start();
    for (int i = 0; i < 2 * CHUNK_RECORDS + 100; i++)
        test_store_post("cpu", start + (i == 5000), i);
    test_store_check_list("cpu", 10);
    test_store_check_list("cpu", 1000);
    test_store_check_since("cpu", (struct wall_time){start + 1});
}

/* What arrived first is newest: the spans of chunks alone tell where to look. */
static void an_old_chunk_may_hold_the_newest_samples(void **state)
{
    (void)state;
    int64_t start = test_store_hour_start();
    char text[128];
    test_store_post("cpu", start + 3500000000, 1.0);
    for (int i = 1; i < 2 * CHUNK_RECORDS + 20; i++)
        test_store_post("cpu", start + i, i);
    (void)snprintf(text, sizeof text, "EXISTS ra:m:{cpu}:agg:%lld:0 ra:m:{cpu}:agg:%lld:1",
                   (long long)bucket_of((struct wall_time){start}),
                   (long long)bucket_of((struct wall_time){start}));
    test_store_await(text, "2");
    test_store_check_list("cpu", 10);
    test_store_check_list(NULL, 100);
}

static void a_closed_chunk_is_aggregated_without_being_asked(void **state)
{
    (void)state;
    int64_t start = test_store_hour_start();
    char text[128];
    for (int i = 0; i < CHUNK_RECORDS; i++)
        test_store_post("cpu", start + i, i);
    (void)snprintf(text, sizeof text, "STRLEN ra:m:{cpu}:agg:%lld:0",
                   (long long)bucket_of((struct wall_time){start}));
    test_store_await(text, "96");
}

static void a_summed_bucket_keeps_its_aggregate(void **state)
{
    (void)state;
    int64_t start = test_store_hour_start();
    char text[128];
    for (int i = 0; i < 300; i++)
        test_store_post("cpu", start + i, i);
    (void)snprintf(text, sizeof text, "STRLEN ra:m:{cpu}:agg:%lld",
                   (long long)bucket_of((struct wall_time){start}));
    test_store_check_since("cpu", (struct wall_time){start});
    test_store_await(text, "96");
    test_store_post("cpu", start + 7, 1000);
    test_store_check_since("cpu", (struct wall_time){start});
    test_store_check_since("cpu", (struct wall_time){start + 1});
}

static void a_missing_aggregate_is_made_by_who_misses_it(void **state)
{
    (void)state;
    int64_t start = test_store_hour_start();
    char key[64], text[128], out[64];
    for (int i = 0; i < CHUNK_RECORDS + 1; i++)
        test_store_post("cpu", start + i, i);
    (void)snprintf(key, sizeof key, "ra:m:{cpu}:agg:%lld:0",
                   (long long)bucket_of((struct wall_time){start}));
    (void)snprintf(text, sizeof text, "STRLEN %s", key);
    test_store_await(text, "96");
    (void)snprintf(text, sizeof text, "DEL %s", key);
    assert_true(test_store_command(out, sizeof out, text));
    test_store_check_since("cpu", (struct wall_time){start + 1});
    test_store_settle();
    (void)snprintf(text, sizeof text, "STRLEN %s", key);
    test_store_await(text, "96");
}

/* As if the aggregate at `key` covered so many bytes. */
static void damage_covered(const char *key, uint64_t covered)
{
    char out[64], text[128];
    int len = snprintf(text, sizeof text, "SETRANGE %s 8 \"", key);
    for (int i = 0; i < 8; i++)
        len += snprintf(text + len, sizeof text - (size_t)len, "\\x%02x",
                        (unsigned)(covered >> 8 * i & 255));
    (void)snprintf(text + len, sizeof text - (size_t)len, "\"");
    assert_true(test_store_command(out, sizeof out, text));
}

static uint64_t covered_by(const char *key)
{
    const struct slice argv[] = {SLICE("GET"), slice_from_string(key)};
    struct redisReply *reply;
    struct slice packed;
    struct aggregate a;
    uint64_t covered = 0;
    assert_int_equal(redis_client_call(test_store.client, REDIS_LANE_WRITE, argv, 2, &reply, NULL),
                     ERR_OK);
    assert_true(redis_reply_bytes(reply, &packed));
    (void)aggregate_unpack(packed, &a, &covered);
    redis_reply_free(reply);
    return covered;
}

/* In the first chunk, and behind a closed one. */
static void check_rebuilt_when_covering(uint64_t more_than_closed_chunks)
{
    enum { TAIL = 300 };
    int64_t start = test_store_hour_start();
    char key[64];
    (void)snprintf(key, sizeof key, "ra:m:{cpu}:agg:%lld",
                   (long long)bucket_of((struct wall_time){start}));
    for (int chunks = 0; chunks < 2; chunks++) {
        uint64_t closed = (uint64_t)chunks * CHUNK_BYTES;
        for (int i = 0; i < (chunks ? CHUNK_RECORDS : TAIL); i++)
            test_store_post("cpu", start + i, i);
        test_store_check_since("cpu", (struct wall_time){start});
        test_store_settle();
        assert_int_equal(covered_by(key), closed + TAIL * RECORD_BYTES);
        damage_covered(key, closed + more_than_closed_chunks);
        test_store_check_since("cpu", (struct wall_time){start + 1});
        test_store_check_since("cpu", (struct wall_time){start});
        test_store_settle();
        assert_int_equal(covered_by(key), closed + TAIL * RECORD_BYTES);
    }
}

static void an_aggregate_that_ends_within_a_record_is_rebuilt(void **state)
{
    (void)state;
    check_rebuilt_when_covering(RECORD_BYTES + 1);
}

static void an_aggregate_that_claims_too_much_is_rebuilt(void **state)
{
    (void)state;
    check_rebuilt_when_covering(CHUNK_BYTES - RECORD_BYTES);
}

/* Sound in itself, but of other data. */
static void an_aggregate_of_more_than_there_is_is_ignored(void **state)
{
    (void)state;
    struct aggregate a;
    struct redisReply *reply;
    unsigned char packed[AGGREGATE_PACKED_BYTES];
    aggregate_init(&a);
    for (int i = 0; i < 3; i++)
        aggregate_add(&a, (struct record){{i}, 1000.0});
    aggregate_pack(&a, (uint64_t)3 * RECORD_BYTES, packed);
    const struct slice argv[] = {SLICE("SET"), SLICE("ra:m:{cpu}:agg:0"),
                                 slice_of((const char *)packed, sizeof packed)};
    test_store_post("cpu", 0, 1.0);
    test_store_post("cpu", 1, 2.0);
    assert_int_equal(redis_client_call(test_store.client, REDIS_LANE_WRITE, argv, 3, &reply, NULL),
                     ERR_OK);
    redis_reply_free(reply);
    test_store_check_since("cpu", (struct wall_time){0});
    test_store_check_since("cpu", (struct wall_time){1});
}

/* Offer an aggregate of the first `count` of the samples i at i us. Whether it was kept. */
static bool put_aggregate_of_first(int count, struct record last_record)
{
    unsigned char packed[AGGREGATE_PACKED_BYTES], last[RECORD_BYTES];
    struct aggregate a;
    struct redisReply *reply;
    int64_t kept = -1;
    aggregate_init(&a);
    for (int i = 0; i < count; i++)
        aggregate_add(&a, (struct record){{i}, i});
    aggregate_pack(&a, (uint64_t)count * RECORD_BYTES, packed);
    record_pack(last_record, last);
    const struct slice key = SLICE("ra:m:{cpu}:");
    const struct slice args[] = {SLICE("0"), SLICE(""),
                                 slice_of((const char *)packed, sizeof packed),
                                 slice_of((const char *)last, sizeof last)};
    assert_int_equal(redis_client_eval(test_store.client, REDIS_LANE_WRITE,
                                       REDIS_SCRIPT_AGGREGATE_PUT, &key, 1, args, 4, &reply, NULL),
                     ERR_OK);
    assert_true(redis_reply_integer(reply, &kept));
    redis_reply_free(reply);
    return kept == 1;
}

/* An aggregate on its way must not survive the data that it was made from. */
static void an_aggregate_of_what_is_gone_is_not_kept(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        test_store_post("cpu", i, i);
    assert_true(put_aggregate_of_first(3, (struct record){{2}, 2}));
    assert_false(put_aggregate_of_first(3, (struct record){{2}, 7}));
}

/* Chunks that close while it is on its way do not make it wrong. */
static void an_aggregate_that_ends_in_a_closed_chunk_is_kept(void **state)
{
    (void)state;
    const int counts[] = {
        1, 100, CHUNK_RECORDS, CHUNK_RECORDS + 1, 2 * CHUNK_RECORDS, 2 * CHUNK_RECORDS + 5};
    for (int i = 0; i < 2 * CHUNK_RECORDS + 5; i++)
        test_store_post("cpu", i, i);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        int last = counts[i] - 1;
        assert_false(put_aggregate_of_first(counts[i], (struct record){{last}, last + 0.5}));
        assert_true(put_aggregate_of_first(counts[i], (struct record){{last}, last}));
        test_store_check_since("cpu", (struct wall_time){0});
    }
}

enum { FULL_BUCKETS = 20, FULL_BUCKET_RECORDS = CHUNK_RECORDS - 1, PAGE_BYTES_MAX = 1 << 20 };

/* Open chunks of `cpu` that are all but full; past the store, for time's sake. */
static void fill_buckets(void)
{
    struct redisReply *reply;
    unsigned char packed[RECORD_BYTES];
    char fill[256];
    record_pack((struct record){{0}, 1.0}, packed);
    (void)snprintf(fill, sizeof fill,
                   "for bucket = 0, %d do "
                   "redis.call('ZADD', KEYS[1] .. 'buckets', bucket, bucket) "
                   "redis.call('SET', KEYS[1] .. 'raw:' .. bucket, ARGV[1]:rep(%d)) end",
                   FULL_BUCKETS - 1, FULL_BUCKET_RECORDS);
    const struct slice argv[] = {SLICE("EVAL"), slice_from_string(fill), SLICE("1"),
                                 SLICE("ra:m:{cpu}:"),
                                 slice_of((const char *)packed, sizeof packed)};
    assert_int_equal(redis_client_call(test_store.client, REDIS_LANE_WRITE, argv, 5, &reply, NULL),
                     ERR_OK);
    redis_reply_free(reply);
}

static void a_page_of_full_buckets_is_a_megabyte_at_most(void **state)
{
    (void)state;
    struct bucket_reader reader;
    struct bucket_page page;
    struct aggregate a;
    struct error err;
    error_init(&err);
    fill_buckets();
    struct mono_time deadline = mono_after_ms(clock_mono_now(), 20000);
    bucket_reader_init(&reader, test_store.client, SLICE("cpu"), deadline);
    assert_int_equal(bucket_reader_since(&reader, 0, &page, &err), ERR_OK);
    assert_int_equal(page.count, FULL_BUCKETS);
    size_t bytes = 0, whole = FULL_BUCKET_RECORDS * RECORD_BYTES;
    for (size_t i = 0; i < page.count; i++) {
        assert_int_equal(page.views[i].bytes, whole);
        assert_true(page.views[i].tail.len == 0 || page.views[i].tail.len == whole);
        bytes += page.views[i].tail.len;
    }
    assert_in_range(bytes, PAGE_BYTES_MAX - whole + 1, PAGE_BYTES_MAX);
    bucket_page_release(&page);
    /* What was left out is read afterwards. */
    assert_int_equal(metric_store_aggregate_since(test_store.store, SLICE("cpu"),
                                                  (struct wall_time){0}, deadline, &a, &err),
                     ERR_OK);
    assert_int_equal(a.count, FULL_BUCKETS * FULL_BUCKET_RECORDS);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, test_store_open, test_store_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(answers_like_a_plain_array),
        STORE_TEST(spreads_over_more_buckets_than_a_page),
        STORE_TEST(lists_more_types_than_a_page),
        STORE_TEST(chunks_close_and_everything_stays_exact),
        STORE_TEST(ranks_count_ties_across_chunks),
        STORE_TEST(an_old_chunk_may_hold_the_newest_samples),
        STORE_TEST(a_closed_chunk_is_aggregated_without_being_asked),
        STORE_TEST(a_summed_bucket_keeps_its_aggregate),
        STORE_TEST(a_missing_aggregate_is_made_by_who_misses_it),
        STORE_TEST(an_aggregate_that_ends_within_a_record_is_rebuilt),
        STORE_TEST(an_aggregate_that_claims_too_much_is_rebuilt),
        STORE_TEST(an_aggregate_of_more_than_there_is_is_ignored),
        STORE_TEST(an_aggregate_of_what_is_gone_is_not_kept),
        STORE_TEST(an_aggregate_that_ends_in_a_closed_chunk_is_kept),
        STORE_TEST(a_page_of_full_buckets_is_a_megabyte_at_most),
    };
    return cmocka_run_group_tests(tests, test_store_start_server, test_store_stop_server);
}
