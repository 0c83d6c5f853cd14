/* metric_store against a real server: limits, versions, concurrency, failures. */
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
#include "test_store.h"

static const struct rate_policy three_a_minute = {"post", 3, 60};

static void assert_nothing_changes(const char *type, int64_t at_us,
                                   const struct rate_policy *policy, enum err_code wanted)
{
    char before[64], after[64];
    struct rate_verdict verdict;
    assert_true(test_store_command(before, sizeof before, "DEBUG DIGEST"));
    long changes = test_store_changes();
    assert_int_equal(test_store_add(type, at_us, 1.0, policy, &verdict), wanted);
    assert_int_equal(test_store_changes(), changes);
    assert_true(test_store_command(after, sizeof after, "DEBUG DIGEST"));
    assert_string_equal(before, after);
}

static void types_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    char name[16], out[64];
    static char names[TEST_STORE_TYPES_MAX][16];
    for (int i = 0; i < TEST_STORE_TYPES_MAX; i++) {
        (void)snprintf(names[i], sizeof names[i], "t%d", i);
        test_store_post(names[i], i / 7, i);
    }
    test_store_check_list(NULL, 10);
    test_store_check_list(NULL, 1000);
    (void)snprintf(name, sizeof name, "t%d", TEST_STORE_TYPES_MAX);
    assert_nothing_changes(name, 0, &test_store_no_limit, ERR_LIMIT_REACHED);
    assert_nothing_changes(name, 0, &three_a_minute, ERR_LIMIT_REACHED);
    test_store_post(names[0], 1, 1.0);
    /* Known by its name, also when its meta was lost. */
    assert_true(test_store_command(out, sizeof out, "DEL ra:meta:{t1}"));
    test_store_post(names[1], 1, 1.0);
}

static void hours_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    for (int i = 0; i < TEST_STORE_SPANS_MAX; i++)
        test_store_post("cpu", i * HOUR_US, i);
    assert_nothing_changes("cpu", -1, &test_store_no_limit, ERR_LIMIT_REACHED);
    assert_nothing_changes("cpu", TEST_STORE_SPANS_MAX * HOUR_US, &three_a_minute,
                           ERR_LIMIT_REACHED);
    test_store_post("cpu", HOUR_US / 2, 1.0);
    test_store_post("other", -1, 1.0);
    test_store_check_since("cpu", WALL_TIME_MIN);
    test_store_check_list(NULL, 1000);
}

static void refused_by_the_limiter_nothing_is_written(void **state)
{
    (void)state;
    struct rate_verdict verdict;
    for (uint64_t left = 3; left-- > 0;) {
        assert_int_equal(test_store_add("cpu", 0, 1.0, &three_a_minute, &verdict), ERR_OK);
        assert_true(verdict.is_admitted);
        assert_int_equal(verdict.remaining, left);
    }
    assert_nothing_changes("cpu", 0, &three_a_minute, ERR_RATE_LIMITED);
    assert_nothing_changes("new type", 0, &three_a_minute, ERR_RATE_LIMITED);
    assert_int_equal(test_store_add("cpu", 0, 1.0, &three_a_minute, &verdict), ERR_RATE_LIMITED);
    assert_in_range(verdict.retry_after_us, 1, 60000000);
}

static void a_full_redis_takes_nothing(void **state)
{
    (void)state;
    char out[64];
    test_store_post("cpu", 0, 1.0);
    assert_true(test_store_command(out, sizeof out, "CONFIG SET maxmemory 1"));
    assert_nothing_changes("cpu", 0, &three_a_minute, ERR_STORE_FULL);
    assert_nothing_changes("new type", 0, &test_store_no_limit, ERR_STORE_FULL);
    test_store_check_since("cpu", WALL_TIME_MIN);
    assert_true(test_store_command(out, sizeof out, "CONFIG SET maxmemory 0"));
    test_store_post("cpu", 0, 1.0);
}

static uint64_t version_of(const char *type)
{
    struct redis_key key;
    struct redisReply *reply;
    struct slice packed;
    struct meta meta = {0};
    redis_key_meta(&key, SLICE("ra:"), slice_from_string(type));
    const struct slice argv[] = {SLICE("GET"), redis_key_slice(&key)};
    assert_int_equal(redis_client_call(test_store.client, REDIS_LANE_WRITE, argv, 2, &reply, NULL),
                     ERR_OK);
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
        test_store_post("cpu", i, i);
        uint64_t version = version_of("cpu");
        assert_true(version > last);
        last = version;
        if (i % 10 == 0)
            assert_true(test_store_command(out, sizeof out, "DEL ra:meta:{cpu}"));
    }
}

static void store_version(uint64_t version)
{
    char text[128], out[64];
    int len = snprintf(text, sizeof text, "SETRANGE ra:meta:{cpu} 8 \"");
    for (int i = 0; i < 8; i++)
        len += snprintf(text + len, sizeof text - (size_t)len, "\\x%02x",
                        (unsigned)(version >> 8 * i & 255));
    (void)snprintf(text + len, sizeof text - (size_t)len, "\"");
    assert_true(test_store_command(out, sizeof out, text));
    assert_int_equal(version_of("cpu"), version);
}

/* A clock that stepped back, and one that stepped forward. */
static void a_version_is_the_old_one_and_one_or_the_time(void **state)
{
    (void)state;
    test_store_post("cpu", 0, 1.0);
    uint64_t ahead = (uint64_t)clock_wall_now().us + UINT64_C(3600000000);
    store_version(ahead);
    test_store_post("cpu", 0, 1.0);
    assert_int_equal(version_of("cpu"), ahead + 1);
    test_store_post("cpu", 0, 1.0);
    assert_int_equal(version_of("cpu"), ahead + 2);
    store_version(7);
    uint64_t now = (uint64_t)clock_wall_now().us;
    test_store_post("cpu", 0, 1.0);
    assert_in_range(version_of("cpu"), now, ahead);
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
        if (test_store_add("cpu", writer->start_us + i, 1.0, &test_store_no_limit, &verdict) !=
            ERR_OK)
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
        writers[i] = (struct writer){.started = &started,
                                     .finished = &finished,
                                     .samples = EACH,
                                     .start_us = test_store_hour_start()};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_samples, &writers[i]), 0);
    }
    unsigned least = 0;
    struct aggregate a;
    aggregate_init(&a, true);
    while (least < WRITERS * EACH) {
        struct metric_report report;
        const struct metric_question question = {
            .type = SLICE("cpu"), .from = {test_store_hour_start() - HOUR_US}, .to = WALL_TIME_MAX};
        least = atomic_load(&finished);
        assert_int_equal(test_store_ask(&question, &a, &report), ERR_OK);
        unsigned most = atomic_load(&started);
        assert_int_equal(report.damage_count, 0);
        assert_in_range(a.moments.count, least, most);
        assert_int_equal(histogram_count(&a.histogram), a.moments.count);
        assert_true(moments_sum(&a.moments) == (double)a.moments.count);
    }
    aggregate_release(&a);
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
        assert_false(writers[i].has_failed);
    }
}

static void no_time_left_is_unavailable(void **state)
{
    (void)state;
    struct aggregate a;
    struct metric_report report;
    struct error err;
    const struct metric_question question = {
        .type = SLICE("cpu"), .from = WALL_TIME_MIN, .to = WALL_TIME_MAX};
    error_init(&err);
    aggregate_init(&a, false);
    test_store_post("cpu", 0, 1.0);
    assert_int_equal(
        metric_store_series(test_store.store, &question, clock_mono_now(), &a, 1, &report, &err),
        ERR_STORE_UNAVAILABLE);
    aggregate_release(&a);
}

/* With fsync before each answer nothing that was acknowledged is lost, and nothing else
 * appears: what fails here was never sent. */
static void what_was_acknowledged_survives_a_kill(void **state)
{
    (void)state;
    const char *const options[] = {"--appendfsync", "always", NULL};
    const struct metric_store_options limits = {.types_max = TEST_STORE_TYPES_MAX,
                                                .spans_per_type_max = TEST_STORE_SPANS_MAX};
    struct test_redis durable;
    test_redis_start(&durable, options);
    struct redis_client *its_client = test_redis_client(&durable);
    struct metric_store *its_store = metric_store_new(&limits, its_client, test_store.limiter);
    assert_non_null(its_store);
    int64_t start = test_store_hour_start();
    const struct sample sample = {{start}, 1.0, SLICE("cpu")};
    for (int kills = 0; kills < 3; kills++) {
        size_t before_kill = 200 + test_store_below(300);
        for (size_t i = 0; i < before_kill; i++) {
            struct rate_verdict verdict;
            assert_int_equal(metric_store_add(its_store, &sample, &test_store_no_limit,
                                              &test_store_somebody, &verdict, NULL),
                             ERR_OK);
            sample_model_add(&test_store.model, "cpu", (struct record){{start}, 1.0});
        }
        test_redis_kill(&durable);
        struct rate_verdict verdict;
        assert_int_not_equal(metric_store_add(its_store, &sample, &test_store_no_limit,
                                              &test_store_somebody, &verdict, NULL),
                             ERR_OK);
        test_redis_restart(&durable);
        assert_true(test_redis_await_connected(its_client, true, 5000));
        sample_model_check_window(&test_store.model, its_store, "cpu", WALL_TIME_MIN,
                                  WALL_TIME_MAX);
        sample_model_check_list(&test_store.model, its_store, NULL, 1000);
    }
    metric_store_free(its_store);
    redis_client_free(its_client);
    test_redis_stop(&durable);
}

/* Whatever is asked or written: an answer or an error, nothing else. */
static void use_everything(void)
{
    struct arena arena;
    struct listed_sample listed[5];
    size_t count;
    struct rate_verdict verdict;
    struct metric_report report;
    struct error err;
    error_init(&err);
    arena_init(&arena, 100000);
    struct mono_time deadline = mono_after_ms(clock_mono_now(), 5000);
    const struct list_question of_one = {
        .type = SLICE("cpu"), .from = WALL_TIME_MIN, .to = WALL_TIME_MAX, .limit = 5};
    struct list_question of_all = of_one;
    of_all.type = SLICE("");
    enum err_code codes[] = {test_store_add("cpu", 1, 1.0, &test_store_no_limit, &verdict), ERR_OK,
                             ERR_OK,
                             metric_store_list(test_store.store, &of_one, deadline, &arena, listed,
                                               &count, &report, &err),
                             metric_store_list(test_store.store, &of_all, deadline, &arena, listed,
                                               &count, &report, &err)};
    for (int has_histogram = 0; has_histogram < 2; has_histogram++) {
        struct aggregate a;
        const struct metric_question question = {
            .type = SLICE("cpu"), .from = WALL_TIME_MIN, .to = WALL_TIME_MAX};
        aggregate_init(&a, has_histogram);
        codes[1 + has_histogram] = test_store_ask(&question, &a, &report);
        aggregate_release(&a);
    }
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        assert_true(codes[i] == ERR_OK || codes[i] == ERR_INTERNAL);
    arena_release(&arena);
}

/* Somebody else's data under our names. */
static void a_strangers_keys_are_errors_not_crashes(void **state)
{
    (void)state;
    static const char *const keys[] = {"meta:{cpu}",       "types",           "due",
                                       "m:{cpu}:open",     "m:{cpu}:spans",   "m:{cpu}:chunks",
                                       "m:{cpu}:unsealed", "m:{cpu}:raw:0",   "m:{cpu}:raw:0:0",
                                       "m:{cpu}:blk:0:0",  "m:{cpu}:agg:0",   "m:{cpu}:agg:d0",
                                       "m:{cpu}:agg:m0",   "m:{cpu}:blk:base"};
    const struct record records[] = {{{1}, 1.0}, {{2}, 2.0}, {{3}, 3.0}};
    static const char *const writes[] = {"RPUSH ra:%s x", "HSET ra:%s f 1", "SET ra:%s abc",
                                         "ZADD ra:%s 0 abc"};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        for (size_t w = 0; w < sizeof writes / sizeof *writes; w++) {
            char out[256], text[128];
            assert_true(test_store_command(out, sizeof out, "FLUSHALL"));
            test_store_post("cpu", 0, 1.0);
            test_store_put_chunks("cpu", (struct span){SPAN_HOUR, 0}, records, 3, 1);
            (void)snprintf(text, sizeof text, "DEL ra:%s", keys[k]);
            assert_true(test_store_command(out, sizeof out, text));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            (void)snprintf(text, sizeof text, writes[w], keys[k]);
#pragma GCC diagnostic pop
            assert_true(test_store_command(out, sizeof out, text));
            use_everything();
        }
    }
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, test_store_open, test_store_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(types_beyond_the_limit_are_refused),
        STORE_TEST(hours_beyond_the_limit_are_refused),
        STORE_TEST(refused_by_the_limiter_nothing_is_written),
        STORE_TEST(a_full_redis_takes_nothing),
        STORE_TEST(a_version_never_repeats),
        STORE_TEST(a_version_is_the_old_one_and_one_or_the_time),
        STORE_TEST(a_reader_sees_what_was_acknowledged),
        STORE_TEST(no_time_left_is_unavailable),
        STORE_TEST(what_was_acknowledged_survives_a_kill),
        STORE_TEST(a_strangers_keys_are_errors_not_crashes),
    };
    return cmocka_run_group_tests(tests, test_store_start_server, test_store_stop_server);
}
