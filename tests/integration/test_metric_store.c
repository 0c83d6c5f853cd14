/* metric_store against a real server, a plain array beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "iso8601.h"
#include "metric_store.h"
#include "sample_model.h"
#include "test_random.h"
#include "test_redis.h"

enum { TYPES = 4, TYPES_MAX = 500, BUCKETS_MAX = 500 };

static const char *const types[TYPES] = {"cpu", "cp{u}%", "cpu_usage", "t\xc3\xa9mp\xc3\xa9rature"};
static const struct rate_policy no_limit = {"post", 0, 60};
static const struct rate_policy three_a_minute = {"post", 3, 60};
static const struct rate_subject somebody = {"4:203.0.113.7", 13};

static struct test_redis server;
static struct redis_client *client;
static struct rate_limiter *limiter;
static struct metric_store *store;
static struct sample_model model;
static struct test_random chance;

static int start_server(void **state)
{
    (void)state;
    const char *const options[] = {"--appendonly", "no", "--enable-debug-command", "yes", NULL};
    chance = test_random_start();
    test_redis_start(&server, options);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    test_redis_stop(&server);
    return 0;
}

static bool command(char *out, size_t out_bytes, const char *text)
{
    return test_redis_command(&server, out, out_bytes, text);
}

static int open_store(void **state)
{
    (void)state;
    char out[64];
    assert_true(command(out, sizeof out, "FLUSHALL"));
    const struct metric_store_options options = {TYPES_MAX, BUCKETS_MAX};
    client = test_redis_client(&server);
    limiter = rate_limiter_new(client, 64);
    store = metric_store_new(&options, client, limiter);
    assert_non_null(limiter);
    assert_non_null(store);
    return 0;
}

static int close_store(void **state)
{
    (void)state;
    metric_store_free(store);
    rate_limiter_free(limiter);
    redis_client_free(client);
    sample_model_release(&model);
    return 0;
}

static size_t below(size_t n)
{
    return test_random_below(&chance, n);
}

static enum err_code add(const char *type, int64_t at_us, double value,
                         const struct rate_policy *policy, struct rate_verdict *verdict)
{
    const struct sample sample = {{at_us}, value, slice_from_string(type)};
    struct error err;
    error_init(&err);
    return metric_store_add(store, &sample, policy, &somebody, verdict, &err);
}

static void post(const char *type, int64_t at_us, double value)
{
    struct rate_verdict verdict;
    assert_int_equal(add(type, at_us, value, &no_limit, &verdict), ERR_OK);
    sample_model_add(&model, type, (struct record){{at_us}, value});
}

static void await_reply(const char *text, const char *wanted)
{
    char out[256] = "";
    for (int i = 0; i < 5000; i++) {
        assert_true(command(out, sizeof out, text));
        if (strcmp(out, wanted) == 0)
            return;
        const struct timespec pause = {0, 1000000};
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("%s gave \"%s\", never \"%s\"", text, out, wanted);
}

static int64_t hour_start(void)
{
    return bucket_start(bucket_of(clock_wall_now())).us;
}

/* Any age, many ties, both ends of time. */
static int64_t random_instant(int64_t now_us)
{
    switch (below(10)) {
    case 0:
        return ISO8601_MIN_US + (int64_t)below(3);
    case 1:
        return ISO8601_MAX_US - (int64_t)below(3);
    case 2:
        return now_us + (int64_t)below(5) * BUCKET_US;
    case 3:
        return -(int64_t)below(3);
    case 4:
        return now_us - (int64_t)below(100) * 3600 * 1000000;
    case 5:
    case 6:
        return now_us - (int64_t)below(3);
    default:
        return now_us - (int64_t)below(30 * 3600) * 1000000;
    }
}

static double random_value(void)
{
    double unit = (double)(test_random_u64(&chance) >> 11) * 0x1p-53;
    return below(3) == 0 ? 1e9 + unit : (unit - 0.3) * 100.0;
}

static void check_everything(int64_t now_us)
{
    for (size_t t = 0; t < TYPES; t++) {
        sample_model_check_since(&model, store, types[t], WALL_TIME_MIN);
        sample_model_check_since(&model, store, types[t], (struct wall_time){now_us - 86400000000});
        sample_model_check_since(&model, store, types[t], (struct wall_time){now_us - BUCKET_US});
        int64_t edge = model.samples[below(model.count)].record.at.us;
        for (int64_t off = -1; off <= 1; off++)
            sample_model_check_since(&model, store, types[t], (struct wall_time){edge + off});
        sample_model_check_list(&model, store, types[t], 1 + below(40));
    }
    sample_model_check_since(&model, store, "never posted", WALL_TIME_MIN);
    sample_model_check_list(&model, store, "never posted", 10);
    sample_model_check_list(&model, store, NULL, 1);
    sample_model_check_list(&model, store, NULL, 1 + below(60));
    sample_model_check_list(&model, store, NULL, 1000);
}

static void answers_like_a_plain_array(void **state)
{
    (void)state;
    int64_t now_us = clock_wall_now().us;
    for (int i = 1; i <= 800; i++) {
        post(types[below(TYPES)], random_instant(now_us), random_value());
        if (i % 40 == 0)
            check_everything(now_us);
    }
}

static void spreads_over_more_buckets_than_a_page(void **state)
{
    (void)state;
    int64_t start = hour_start();
    for (int i = 0; i < 200; i++)
        post("cpu", start - (int64_t)below(150) * BUCKET_US + (int64_t)below(2), random_value());
    check_everything(start);
    sample_model_check_list(&model, store, "cpu", 190);
    sample_model_check_list(&model, store, "cpu", 1000);
}

/* Damage aggregates in every way that is not the truth. */
static void damage_aggregates(int64_t bucket)
{
    static const char *const ways[] = {
        "DEL %s",         "SET %s x", "SETRANGE %s 30 zz", "APPEND %s q", "SETRANGE %s 8 zzzzzzzz",
        "SETRANGE %s 0 z"};
    char out[64], key[64], text[128];
    for (int chunk = -1; chunk < 6; chunk++) {
        if (below(2))
            continue;
        int len = snprintf(key, sizeof key, "ra:m:{cpu}:agg:%lld", (long long)bucket);
        if (chunk >= 0)
            (void)snprintf(key + len, sizeof key - (size_t)len, ":%d", chunk);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(text, sizeof text, ways[below(sizeof ways / sizeof *ways)], key);
#pragma GCC diagnostic pop
        assert_true(command(out, sizeof out, text));
    }
}

static void chunks_close_and_everything_stays_exact(void **state)
{
    (void)state;
    int64_t start = hour_start();
    const size_t spreads[] = {1, 100000, 21000000};
    size_t instants = spreads[below(3)];
    for (int i = 1; i <= 21000; i++) {
        int64_t at = below(8) == 0 ? start + (int64_t)below(instants) : start + i * 1000;
        post("cpu", at, random_value());
        int rest = i % CHUNK_RECORDS;
        if (i % 3001 != 0 && rest != 0 && rest != 1)
            continue;
        if (below(2))
            damage_aggregates(bucket_of((struct wall_time){start}));
        sample_model_check_since(&model, store, "cpu", WALL_TIME_MIN);
        sample_model_check_since(&model, store, "cpu",
                                 (struct wall_time){start + (int64_t)below(21000) * 1000});
        sample_model_check_since(&model, store, "cpu",
                                 (struct wall_time){start + (int64_t)below(instants)});
        sample_model_check_list(&model, store, "cpu", 1 + below(1000));
        sample_model_check_list(&model, store, NULL, 1000);
    }
}

/* All in one instant, over several chunks: only arrival tells them apart. */
static void ranks_count_ties_across_chunks(void **state)
{
    (void)state;
    int64_t start = hour_start();
    for (int i = 0; i < 2 * CHUNK_RECORDS + 100; i++)
        post("cpu", start + (i == 5000), i);
    sample_model_check_list(&model, store, "cpu", 10);
    sample_model_check_list(&model, store, "cpu", 1000);
    sample_model_check_since(&model, store, "cpu", (struct wall_time){start + 1});
}

static void a_closed_chunk_is_aggregated_without_being_asked(void **state)
{
    (void)state;
    int64_t start = hour_start();
    char text[128];
    for (int i = 0; i < CHUNK_RECORDS; i++)
        post("cpu", start + i, i);
    (void)snprintf(text, sizeof text, "STRLEN ra:m:{cpu}:agg:%lld:0",
                   (long long)bucket_of((struct wall_time){start}));
    await_reply(text, "96");
}

static void a_summed_bucket_keeps_its_aggregate(void **state)
{
    (void)state;
    int64_t start = hour_start();
    char text[128];
    for (int i = 0; i < 300; i++)
        post("cpu", start + i, i);
    (void)snprintf(text, sizeof text, "STRLEN ra:m:{cpu}:agg:%lld",
                   (long long)bucket_of((struct wall_time){start}));
    sample_model_check_since(&model, store, "cpu", (struct wall_time){start});
    await_reply(text, "96");
    post("cpu", start + 7, 1000);
    sample_model_check_since(&model, store, "cpu", (struct wall_time){start});
    sample_model_check_since(&model, store, "cpu", (struct wall_time){start + 1});
}

/* Write-backs are not waited for; a PING behind them on the same lane is. */
static void settle(void)
{
    struct redisReply *reply;
    const struct slice ping = SLICE("PING");
    assert_int_equal(redis_client_call(client, REDIS_LANE_WRITE, &ping, 1, &reply, NULL), ERR_OK);
    redis_reply_free(reply);
}

static void a_missing_aggregate_is_made_by_who_misses_it(void **state)
{
    (void)state;
    int64_t start = hour_start();
    char key[64], text[128], out[64];
    for (int i = 0; i < CHUNK_RECORDS + 1; i++)
        post("cpu", start + i, i);
    (void)snprintf(key, sizeof key, "ra:m:{cpu}:agg:%lld:0",
                   (long long)bucket_of((struct wall_time){start}));
    (void)snprintf(text, sizeof text, "STRLEN %s", key);
    await_reply(text, "96");
    (void)snprintf(text, sizeof text, "DEL %s", key);
    assert_true(command(out, sizeof out, text));
    sample_model_check_since(&model, store, "cpu", (struct wall_time){start + 1});
    settle();
    (void)snprintf(text, sizeof text, "STRLEN %s", key);
    await_reply(text, "96");
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
    post("cpu", 0, 1.0);
    post("cpu", 1, 2.0);
    assert_int_equal(redis_client_call(client, REDIS_LANE_WRITE, argv, 3, &reply, NULL), ERR_OK);
    redis_reply_free(reply);
    sample_model_check_since(&model, store, "cpu", (struct wall_time){0});
    sample_model_check_since(&model, store, "cpu", (struct wall_time){1});
}

static void assert_nothing_changes(const char *type, int64_t at_us,
                                   const struct rate_policy *policy, enum err_code wanted)
{
    char before[64], after[64];
    struct rate_verdict verdict;
    assert_true(command(before, sizeof before, "DEBUG DIGEST"));
    assert_int_equal(add(type, at_us, 1.0, policy, &verdict), wanted);
    assert_true(command(after, sizeof after, "DEBUG DIGEST"));
    assert_string_equal(before, after);
}

static void types_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    char name[16], out[64];
    static char names[TYPES_MAX][16];
    for (int i = 0; i < TYPES_MAX; i++) {
        (void)snprintf(names[i], sizeof names[i], "t%d", i);
        post(names[i], i / 7, i);
    }
    sample_model_check_list(&model, store, NULL, 10);
    sample_model_check_list(&model, store, NULL, 1000);
    (void)snprintf(name, sizeof name, "t%d", TYPES_MAX);
    assert_nothing_changes(name, 0, &no_limit, ERR_LIMIT_REACHED);
    assert_nothing_changes(name, 0, &three_a_minute, ERR_LIMIT_REACHED);
    post(names[0], 1, 1.0);
    /* Known by its name, also when its totals were lost. */
    assert_true(command(out, sizeof out, "DEL ra:meta:{t1}"));
    post(names[1], 1, 1.0);
}

static void buckets_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    for (int i = 0; i < BUCKETS_MAX; i++)
        post("cpu", i * BUCKET_US, i);
    assert_nothing_changes("cpu", -1, &no_limit, ERR_LIMIT_REACHED);
    assert_nothing_changes("cpu", BUCKETS_MAX * BUCKET_US, &three_a_minute, ERR_LIMIT_REACHED);
    post("cpu", BUCKET_US / 2, 1.0);
    post("other", -1, 1.0);
    check_everything(0);
}

static void refused_by_the_limiter_nothing_is_written(void **state)
{
    (void)state;
    struct rate_verdict verdict;
    for (uint64_t left = 3; left-- > 0;) {
        assert_int_equal(add("cpu", 0, 1.0, &three_a_minute, &verdict), ERR_OK);
        assert_true(verdict.is_admitted);
        assert_int_equal(verdict.remaining, left);
    }
    assert_nothing_changes("cpu", 0, &three_a_minute, ERR_RATE_LIMITED);
    assert_nothing_changes("new type", 0, &three_a_minute, ERR_RATE_LIMITED);
    assert_int_equal(add("cpu", 0, 1.0, &three_a_minute, &verdict), ERR_RATE_LIMITED);
    assert_in_range(verdict.retry_after_us, 1, 60000000);
}

static void a_full_redis_takes_nothing(void **state)
{
    (void)state;
    char out[64];
    post("cpu", 0, 1.0);
    assert_true(command(out, sizeof out, "CONFIG SET maxmemory 1"));
    assert_nothing_changes("cpu", 0, &three_a_minute, ERR_STORE_FULL);
    assert_nothing_changes("new type", 0, &no_limit, ERR_STORE_FULL);
    sample_model_check_since(&model, store, "cpu", WALL_TIME_MIN);
    assert_true(command(out, sizeof out, "CONFIG SET maxmemory 0"));
    post("cpu", 0, 1.0);
}

static uint64_t version_of(const char *type)
{
    struct redis_key key;
    struct redisReply *reply;
    struct slice packed;
    struct meta meta = {0};
    redis_key_meta(&key, SLICE("ra:"), slice_from_string(type));
    const struct slice argv[] = {SLICE("GET"), redis_key_slice(&key)};
    assert_int_equal(redis_client_call(client, REDIS_LANE_WRITE, argv, 2, &reply, NULL), ERR_OK);
    assert_true(redis_reply_bytes(reply, &packed) && meta_unpack(packed, &meta));
    redis_reply_free(reply);
    return meta.version;
}

static void a_version_never_repeats(void **state)
{
    (void)state;
    char out[64];
    uint64_t last = 0;
    for (int i = 0; i < 200; i++) {
        post("cpu", i, i);
        uint64_t version = version_of("cpu");
        assert_true(version > last);
        last = version;
        if (i % 10 == 0)
            assert_true(command(out, sizeof out, "DEL ra:meta:{cpu}"));
    }
}

struct writer {
    pthread_t thread;
    atomic_uint *started, *finished;
    unsigned samples;
    int64_t start_us;
    bool has_failed;
};

static void *write_samples(void *argument)
{
    struct writer *writer = argument;
    struct rate_verdict verdict;
    for (unsigned i = 0; i < writer->samples; i++) {
        atomic_fetch_add(writer->started, 1);
        if (add("cpu", writer->start_us + i, 1.0, &no_limit, &verdict) != ERR_OK)
            writer->has_failed = true;
        atomic_fetch_add(writer->finished, 1);
    }
    return NULL;
}

static void a_reader_sees_what_was_acknowledged(void **state)
{
    (void)state;
    atomic_uint started = 0, finished = 0;
    enum { WRITERS = 2, EACH = 5000 };
    struct writer writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){
            .started = &started, .finished = &finished, .samples = EACH, .start_us = hour_start()};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_samples, &writers[i]), 0);
    }
    unsigned least = 0;
    while (least < WRITERS * EACH) {
        struct aggregate a;
        struct error err;
        error_init(&err);
        least = atomic_load(&finished);
        enum err_code code = metric_store_aggregate_since(
            store, SLICE("cpu"), (struct wall_time){hour_start() - BUCKET_US},
            mono_after_ms(clock_mono_now(), 5000), &a, &err);
        unsigned most = atomic_load(&started);
        assert_int_equal(code, ERR_OK);
        assert_in_range(a.count, least, most);
        assert_true(a.sum_high + a.sum_low == (double)a.count);
    }
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
        assert_false(writers[i].has_failed);
    }
}

static void no_time_left_is_unavailable(void **state)
{
    (void)state;
    struct aggregate a;
    struct error err;
    error_init(&err);
    post("cpu", 0, 1.0);
    assert_int_equal(metric_store_aggregate_since(store, SLICE("cpu"), WALL_TIME_MIN,
                                                  clock_mono_now(), &a, &err),
                     ERR_STORE_UNAVAILABLE);
}

/* With fsync before each answer nothing that was acknowledged is lost, and nothing else
 * appears: what fails here was never sent. */
static void what_was_acknowledged_survives_a_kill(void **state)
{
    (void)state;
    const char *const options[] = {"--appendfsync", "always", NULL};
    const struct metric_store_options limits = {TYPES_MAX, BUCKETS_MAX};
    struct test_redis durable;
    test_redis_start(&durable, options);
    struct redis_client *its_client = test_redis_client(&durable);
    struct metric_store *its_store = metric_store_new(&limits, its_client, limiter);
    assert_non_null(its_store);
    int64_t start = hour_start();
    const struct sample sample = {{start}, 1.0, SLICE("cpu")};
    for (int kills = 0; kills < 3; kills++) {
        size_t before_kill = 200 + below(300);
        for (size_t i = 0; i < before_kill; i++) {
            struct rate_verdict verdict;
            assert_int_equal(
                metric_store_add(its_store, &sample, &no_limit, &somebody, &verdict, NULL), ERR_OK);
            sample_model_add(&model, "cpu", (struct record){{start}, 1.0});
        }
        test_redis_kill(&durable);
        struct rate_verdict verdict;
        assert_int_not_equal(
            metric_store_add(its_store, &sample, &no_limit, &somebody, &verdict, NULL), ERR_OK);
        test_redis_restart(&durable);
        assert_true(test_redis_await_connected(its_client, true, 5000));
        sample_model_check_since(&model, its_store, "cpu", WALL_TIME_MIN);
        sample_model_check_list(&model, its_store, NULL, 1000);
    }
    metric_store_free(its_store);
    redis_client_free(its_client);
    test_redis_stop(&durable);
}

/* Somebody else's data under our names. */
static void a_strangers_keys_are_errors_not_crashes(void **state)
{
    (void)state;
    static const char *const keys[] = {"meta:{cpu}",     "types",         "m:{cpu}:buckets",
                                       "m:{cpu}:chunks", "m:{cpu}:raw:0", "m:{cpu}:agg:0"};
    static const char *const writes[] = {"RPUSH ra:%s x", "HSET ra:%s f 1", "SET ra:%s abc",
                                         "ZADD ra:%s 0 abc"};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        for (size_t w = 0; w < sizeof writes / sizeof *writes; w++) {
            char out[256], text[128];
            struct aggregate a;
            struct arena arena;
            struct listed_sample listed[5];
            size_t count;
            struct rate_verdict verdict;
            struct error err;
            error_init(&err);
            arena_init(&arena, 100000);
            sample_model_release(&model);
            assert_true(command(out, sizeof out, "FLUSHALL"));
            post("cpu", 0, 1.0);
            (void)snprintf(text, sizeof text, "DEL ra:%s", keys[k]);
            assert_true(command(out, sizeof out, text));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            (void)snprintf(text, sizeof text, writes[w], keys[k]);
#pragma GCC diagnostic pop
            assert_true(command(out, sizeof out, text));
            struct mono_time deadline = mono_after_ms(clock_mono_now(), 5000);
            enum err_code posted = add("cpu", 1, 1.0, &no_limit, &verdict);
            enum err_code asked = metric_store_aggregate_since(store, SLICE("cpu"), WALL_TIME_MIN,
                                                               deadline, &a, &err);
            enum err_code one =
                metric_store_list(store, SLICE("cpu"), 5, deadline, &arena, listed, &count, &err);
            enum err_code all =
                metric_store_list(store, SLICE(""), 5, deadline, &arena, listed, &count, &err);
            assert_true(posted == ERR_OK || posted == ERR_INTERNAL);
            assert_true(asked == ERR_OK || asked == ERR_INTERNAL);
            assert_true(one == ERR_OK || one == ERR_INTERNAL);
            assert_true(all == ERR_OK || all == ERR_INTERNAL);
            arena_release(&arena);
        }
    }
}

/* An aggregate on its way must not survive the data that it was made from. */
static void an_aggregate_of_what_is_gone_is_not_kept(void **state)
{
    (void)state;
    unsigned char packed[AGGREGATE_PACKED_BYTES], last[RECORD_BYTES];
    struct aggregate a;
    aggregate_init(&a);
    for (int i = 0; i < 3; i++) {
        post("cpu", i, i);
        aggregate_add(&a, (struct record){{i}, i});
    }
    aggregate_pack(&a, (uint64_t)3 * RECORD_BYTES, packed);
    const struct slice key = SLICE("ra:m:{cpu}:");
    for (int wrong = 0; wrong < 2; wrong++) {
        record_pack((struct record){{2}, wrong ? 7 : 2}, last);
        const struct slice args[] = {SLICE("0"), SLICE(""),
                                     slice_of((const char *)packed, sizeof packed),
                                     slice_of((const char *)last, sizeof last)};
        struct redisReply *reply;
        int64_t kept = -1;
        assert_int_equal(redis_client_eval(client, REDIS_LANE_WRITE, REDIS_SCRIPT_AGGREGATE_PUT,
                                           &key, 1, args, 4, &reply, NULL),
                         ERR_OK);
        assert_true(redis_reply_integer(reply, &kept));
        assert_int_equal(kept, !wrong);
        redis_reply_free(reply);
    }
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(answers_like_a_plain_array),
        STORE_TEST(spreads_over_more_buckets_than_a_page),
        STORE_TEST(chunks_close_and_everything_stays_exact),
        STORE_TEST(ranks_count_ties_across_chunks),
        STORE_TEST(a_closed_chunk_is_aggregated_without_being_asked),
        STORE_TEST(a_summed_bucket_keeps_its_aggregate),
        STORE_TEST(a_missing_aggregate_is_made_by_who_misses_it),
        STORE_TEST(an_aggregate_of_more_than_there_is_is_ignored),
        STORE_TEST(types_beyond_the_limit_are_refused),
        STORE_TEST(buckets_beyond_the_limit_are_refused),
        STORE_TEST(refused_by_the_limiter_nothing_is_written),
        STORE_TEST(a_full_redis_takes_nothing),
        STORE_TEST(a_version_never_repeats),
        STORE_TEST(a_reader_sees_what_was_acknowledged),
        STORE_TEST(no_time_left_is_unavailable),
        STORE_TEST(what_was_acknowledged_survives_a_kill),
        STORE_TEST(a_strangers_keys_are_errors_not_crashes),
        STORE_TEST(an_aggregate_of_what_is_gone_is_not_kept),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
