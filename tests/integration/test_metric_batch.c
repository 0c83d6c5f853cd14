/* Batches against a real server: stored like single samples, all or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test_store.h"

static const char *const names[] = {"cpu", "memory", "temperature {°C} 100%", "x"};
enum { NAME_COUNT = sizeof names / sizeof *names };

static struct sample_batch *batch;

static void begin(void)
{
    sample_batch_free(batch);
    batch = sample_batch_new();
    assert_non_null(batch);
}

static void add(const char *type, int64_t at_us, double value)
{
    const struct sample sample = {{at_us}, value, slice_from_string(type)};
    assert_int_equal(sample_batch_add(batch, &sample, 0), BATCH_ADDED);
}

static struct batch_receipt receipt;

/* `key` NULL: none. */
static enum err_code store_as(const struct rate_policy *policy, const char *key, bool is_all,
                              struct error *err)
{
    struct request_mark mark;
    const struct slice text = SLICE("body");
    error_init(err);
    request_mark_init(&mark);
    if (key && request_mark_find(&mark, test_store.client, slice_from_string(key), &text, 1, err))
        return err->code;
    const struct batch_terms terms = {.policy = policy,
                                      .subject = &test_store_somebody,
                                      .is_all_or_nothing = is_all,
                                      .mark = &mark};
    return metric_store_add_batch(test_store.store, batch, &terms, &receipt, err);
}

static enum err_code store_with(const struct rate_policy *policy, struct error *err)
{
    return store_as(policy, NULL, true, err);
}

static void store(void)
{
    struct error err;
    if (store_with(&test_store_no_limit, &err) != ERR_OK)
        fail_msg("%s (%s)", err.detail, err.cause);
}

static void add_known(const char *type, int64_t at_us, double value)
{
    add(type, at_us, value);
    sample_model_add(&test_store.model, type, (struct record){{at_us}, value});
}

static struct meta read_meta(const char *type)
{
    struct slice prefix = redis_client_key_prefix(test_store.client);
    struct redis_key key, stem;
    struct redisReply *reply;
    struct slice packed;
    struct meta meta;
    redis_key_meta(&key, prefix, slice_from_string(type));
    redis_key_metric_stem(&stem, prefix, slice_from_string(type));
    const struct slice keys[] = {redis_key_slice(&key), redis_key_slice(&stem)};
    assert_int_equal(redis_client_eval(test_store.client, REDIS_LANE_READ, REDIS_SCRIPT_TYPE_META,
                                       keys, 2, NULL, 0, &reply, NULL),
                     ERR_OK);
    assert_true(redis_reply_bytes_at(reply, 0, &packed) && meta_unpack(packed, &meta));
    redis_reply_free(reply);
    return meta;
}

static void check_meta(const char *type)
{
    struct record newest = {WALL_TIME_MIN, 0.0};
    struct wall_time first_at = WALL_TIME_MAX;
    size_t count = 0;
    for (size_t i = 0; i < test_store.model.count; i++) {
        struct record r = test_store.model.samples[i].record;
        if (!sample_model_is_of(&test_store.model.samples[i], type))
            continue;
        count++;
        if (r.at.us >= newest.at.us)
            newest = r;
        if (r.at.us < first_at.us)
            first_at = r.at;
    }
    if (count == 0)
        return;
    struct meta meta = read_meta(type);
    assert_int_equal(meta.count, count);
    assert_int_equal(meta.newest.at.us, newest.at.us);
    assert_true(meta.newest.value == newest.value);
    assert_int_equal(meta.first_at.us, first_at.us);
}

static void check_all(void)
{
    test_store_settle();
    for (size_t i = 0; i < NAME_COUNT; i++) {
        check_meta(names[i]);
        test_store_check_since(names[i], WALL_TIME_MIN);
        test_store_check_list(names[i], 1000);
    }
    test_store_check_list(NULL, 1000);
}

/* Few instants, so that many samples share one. */
static void a_batch_is_stored_like_single_samples(void **state)
{
    (void)state;
    enum { ROUNDS = 60, SAMPLES = 60, HOURS = 5, INSTANTS = 20 };
    for (int round = 0; round < ROUNDS; round++) {
        begin();
        size_t count = 1 + test_store_below(SAMPLES);
        for (size_t i = 0; i < count; i++) {
            int64_t hour = (int64_t)test_store_below(HOURS) - 2;
            int64_t at_us = hour_start(hour).us + (int64_t)test_store_below(INSTANTS) * 1000000;
            add_known(names[test_store_below(NAME_COUNT)], at_us, (double)test_store_below(1000));
        }
        store();
        for (size_t i = 0; i < NAME_COUNT; i++)
            check_meta(names[i]);
        if (round % 3 == 0)
            test_store_post(names[test_store_below(NAME_COUNT)], (int64_t)test_store_below(1000),
                            -1.0);
    }
    check_all();
}

/* From almost full to exactly full and beyond, several times over. */
static void chunks_close_within_a_batch(void **state)
{
    (void)state;
    const size_t counts[] = {CHUNK_RECORDS - 1, 1, CHUNK_RECORDS,     1, CHUNK_RECORDS - 1,
                             2 * CHUNK_RECORDS, 3, 4 * CHUNK_RECORDS, 5};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        begin();
        for (size_t j = 0; j < counts[i]; j++)
            add_known("cpu", (int64_t)test_store_below(HOUR_US), (double)test_store_below(1000));
        store();
        check_meta("cpu");
        test_store_check_since("cpu", WALL_TIME_MIN);
    }
    test_store_check_list("cpu", 1000);
    char closed[64];
    assert_true(test_store_command(closed, sizeof closed, "HGET ra:m:{cpu}:chunks 0"));
    assert_int_equal(strtol(closed, NULL, 10), test_store.model.count / CHUNK_RECORDS);
}

static void chunks_that_a_batch_closed_are_sealed(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 2 * CHUNK_RECORDS; i++) {
        add_known("x", i, i);
        add_known("cpu", HOUR_US + i, i);
    }
    store();
    test_store_await("SCARD ra:m:{x}:unsealed", "0");
    test_store_await("SCARD ra:m:{cpu}:unsealed", "0");
    check_all();
}

/* --- All or nothing ----------------------------------------------------------------- */

static void assert_refused(const struct rate_policy *policy, enum err_code wanted, const char *says)
{
    struct error err;
    long before = test_store_changes();
    assert_int_equal(store_with(policy, &err), wanted);
    if (!strstr(err.detail, says) && !strstr(err.cause, says))
        fail_msg("not said: %s; but: %s (%s)", says, err.detail, err.cause);
    assert_int_equal(test_store_changes(), before);
}

static void a_type_too_many_refuses_all(void **state)
{
    (void)state;
    static char texts[TEST_STORE_TYPES_MAX + 1][16];
    for (int i = 0; i <= TEST_STORE_TYPES_MAX; i++)
        (void)snprintf(texts[i], sizeof texts[i], "t%d", i);
    for (int i = 0; i < TEST_STORE_TYPES_MAX - 2; i++)
        test_store_post(texts[i], 0, i);
    begin();
    add(texts[0], 1, 1.0);
    for (int i = TEST_STORE_TYPES_MAX - 2; i <= TEST_STORE_TYPES_MAX; i++)
        add(texts[i], 1, 1.0);
    assert_refused(&test_store_no_limit, ERR_LIMIT_REACHED, "MAX_TYPES");
    begin();
    add_known(texts[0], 1, 1.0);
    for (int i = TEST_STORE_TYPES_MAX - 2; i < TEST_STORE_TYPES_MAX; i++)
        add_known(texts[i], 1, 1.0);
    store();
    test_store_check_list(NULL, 1000);
}

static void an_hour_too_many_refuses_all(void **state)
{
    (void)state;
    for (int i = 0; i < TEST_STORE_SPANS_MAX - 2; i++)
        test_store_post("cpu", hour_start(i).us, i);
    begin();
    add("x", 0, 1.0);
    for (int i = TEST_STORE_SPANS_MAX - 3; i <= TEST_STORE_SPANS_MAX; i++)
        add("cpu", hour_start(i).us, 1.0);
    assert_refused(&test_store_no_limit, ERR_LIMIT_REACHED, "MAX_BUCKETS");
    begin();
    add_known("x", 0, 1.0);
    for (int i = TEST_STORE_SPANS_MAX - 3; i < TEST_STORE_SPANS_MAX; i++)
        add_known("cpu", hour_start(i).us, 1.0);
    store();
    check_all();
}

static void a_type_that_is_being_deleted_refuses_all(void **state)
{
    (void)state;
    char answer[16];
    assert_true(test_store_command(answer, sizeof answer, "SET ra:meta:{cpu} deleting"));
    begin();
    add("x", 0, 1.0);
    add("cpu", 0, 1.0);
    assert_refused(&test_store_no_limit, ERR_STORE_UNAVAILABLE, "being deleted");
}

/* But that nobody tends. */
static void forget_all(void)
{
    test_store_run("FLUSHDB");
    test_store_run("SET ra:tender test");
    sample_model_release(&test_store.model);
}

/* Each key of the second type, and those of all, as a string and as a list. */
static void a_strangers_keys_refuse_all(void **state)
{
    (void)state;
    static const char *const keys[] = {"ra:types",           "ra:due",
                                       "ra:meta:{cpu}",      "ra:m:{cpu}:open",
                                       "ra:m:{cpu}:spans",   "ra:m:{cpu}:chunks",
                                       "ra:m:{cpu}:raw:0",   "ra:m:{cpu}:unsealed",
                                       "ra:rl:{somebody}:p", "ra:m:{x}:open"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        for (int is_list = 0; is_list < 2; is_list++) {
            char command[64], answer[64];
            (void)snprintf(command, sizeof command, "%s %s stranger", is_list ? "RPUSH" : "SET",
                           keys[i]);
            forget_all();
            assert_true(test_store_command(answer, sizeof answer, command));
            begin();
            add("x", 0, 1.0);
            for (int k = 0; k < CHUNK_RECORDS; k++)
                add("cpu", k, 1.0);
            struct error err;
            long before = test_store_changes();
            if (store_with(&test_store_no_limit, &err) != ERR_OK)
                assert_int_equal(test_store_changes(), before);
            else
                assert_string_equal(keys[i], "ra:rl:{somebody}:p"); /* not looked at */
        }
    }
}

static void a_batch_is_one_admission(void **state)
{
    (void)state;
    static const struct rate_policy two_a_minute = {"post", 2, 60};
    struct error err;
    begin();
    for (int i = 0; i < 100; i++)
        add_known(names[i % NAME_COUNT], i, i);
    assert_int_equal(store_with(&two_a_minute, &err), ERR_OK);
    assert_int_equal(receipt.verdict.remaining, 1);
    begin();
    add_known("cpu", 1, 1.0);
    assert_int_equal(store_with(&two_a_minute, &err), ERR_OK);
    assert_int_equal(receipt.verdict.remaining, 0);
    begin();
    add("cpu", 2, 1.0);
    assert_refused(&two_a_minute, ERR_RATE_LIMITED, "");
    check_all();
}

/* --- Several parts ------------------------------------------------------------------ */

static char many_names[TEST_STORE_TYPES_MAX + 1][16];

/* So many types, the first of which come in two hours; each sample of its own. */
static void add_many(int types, bool is_known)
{
    for (int i = 0; i < types; i++) {
        (void)snprintf(many_names[i], sizeof many_names[i], "t%d", i);
        for (int hour = 0; hour < (i < 100 ? 2 : 1); hour++) {
            add(many_names[i], hour_start(hour).us + i, i);
            if (is_known)
                sample_model_add(&test_store.model, many_names[i],
                                 (struct record){{hour_start(hour).us + i}, i});
        }
    }
}

static void check_many(int types)
{
    for (int i = 0; i < types; i += 7)
        test_store_check_list(many_names[i], 1000);
    test_store_check_list(NULL, 1000);
}

static void a_batch_of_many_types_and_hours_goes_in_parts(void **state)
{
    (void)state;
    begin();
    add_many(400, true);
    assert_int_equal(sample_batch_group_count(batch), 500);
    store();
    assert_false(receipt.is_replay);
    check_many(400);
    begin();
    add_many(400, true); /* without a key all of it counts again */
    store();
    check_many(400);
}

static void a_type_too_many_refuses_all_parts(void **state)
{
    (void)state;
    begin();
    add_many(TEST_STORE_TYPES_MAX - 1, true);
    store();
    test_store_post("more", 0, 1.0);
    begin();
    add_many(TEST_STORE_TYPES_MAX - 1, false);
    add("more", 0, 1.0);
    add("one too many", 0, 1.0);
    assert_refused(&test_store_no_limit, ERR_LIMIT_REACHED, "MAX_TYPES");
    begin();
    add_many(TEST_STORE_TYPES_MAX - 1, true); /* all of them known: they are counted */
    add_known("more", 0, 1.0);
    store();
    check_many(TEST_STORE_TYPES_MAX - 1);
}

static void what_is_not_admitted_stores_no_part(void **state)
{
    (void)state;
    static const struct rate_policy one_a_minute = {"post", 1, 60};
    struct error err;
    begin();
    add_many(400, true);
    assert_int_equal(store_with(&one_a_minute, &err), ERR_OK);
    assert_refused(&one_a_minute, ERR_RATE_LIMITED, "");
    check_many(400);
}

/* --- Each by itself ----------------------------------------------------------------- */

enum { TWO_STEPS = 256 + 1, ENDLESS = 2000000000 };

/* As if somebody had died over it, with so many chunks left. */
static void begin_deletion(const char *type, int chunks)
{
    char command[128], answer[16];
    (void)snprintf(command, sizeof command, "SET ra:meta:{%s} deleting", type);
    assert_true(test_store_command(answer, sizeof answer, command));
    (void)snprintf(command, sizeof command, "ZADD ra:m:{%s}:gone:spans 4294967296 0", type);
    assert_true(test_store_command(answer, sizeof answer, command));
    (void)snprintf(command, sizeof command, "HSET ra:m:{%s}:gone:chunks 0 %d", type, chunks);
    assert_true(test_store_command(answer, sizeof answer, command));
}

static void end_deletion(const char *type)
{
    char command[128], answer[16];
    (void)snprintf(command, sizeof command,
                   "DEL ra:meta:{%s} ra:m:{%s}:gone:spans ra:m:{%s}:gone:chunks", type, type, type);
    assert_true(test_store_command(answer, sizeof answer, command));
}

static void what_may_not_be_stored_is_left_out_and_counted(void **state)
{
    (void)state;
    struct error err;
    char answer[64];
    begin();
    add_many(TEST_STORE_TYPES_MAX - 2, true);
    store();
    begin_deletion("t1", ENDLESS);
    assert_true(test_store_command(answer, sizeof answer, "RPUSH ra:m:{t2}:raw:5 stranger"));
    begin();
    add("new", hour_start(5).us, 1.0);
    add("t1", hour_start(5).us, 1.0);
    add("t2", hour_start(5).us, 1.0);
    add_known("t3", hour_start(5).us, 1.0);
    add_known("new too", hour_start(5).us, 1.0);
    add("beyond", hour_start(5).us, 1.0);
    add("beyond", hour_start(5).us, 2.0);
    sample_model_add(&test_store.model, "new", (struct record){hour_start(5), 1.0});
    assert_int_equal(store_as(&test_store_no_limit, NULL, false, &err), ERR_OK);
    assert_int_equal(receipt.left_out, 4);
    static const enum err_code codes[] = {ERR_OK, ERR_STORE_UNAVAILABLE, ERR_INTERNAL, ERR_OK,
                                          ERR_OK, ERR_LIMIT_REACHED};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        const struct batch_group *group = sample_batch_group(batch, i);
        error_init(&err);
        if (group->status != 0)
            (void)metric_store_explain(test_store.store, group, &err);
        assert_int_equal(err.code, codes[i]);
    }
    test_store_check_list("new", 1000);
    test_store_check_list("t3", 1000);
    test_store_check_list("new too", 1000);
    test_store_check_list("beyond", 1000);
}

enum { TYPES_IN_TWO_PARTS = 300 };

/* So many samples of each type, all of one hour. */
static void begin_with_each(int samples)
{
    begin();
    for (int i = 0; i < TYPES_IN_TWO_PARTS; i++) {
        (void)snprintf(many_names[i], sizeof many_names[i], "t%d", i);
        for (int j = 0; j < samples; j++)
            add(many_names[i], j, i);
    }
}

static void check_each(int samples)
{
    for (int i = 0; i < TYPES_IN_TWO_PARTS; i++) {
        for (int j = 0; j < samples; j++)
            sample_model_add(&test_store.model, many_names[i], (struct record){{j}, i});
    }
    static const int some[] = {0, 3, 200, 255, 256, 299};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        test_store_check_list(many_names[some[i]], 1000);
}

static void what_is_being_deleted_is_waited_for(void **state)
{
    (void)state;
    static const struct rate_policy two_a_minute = {"post", 2, 60};
    static const struct {
        const char *key;
        bool is_all;
        int samples;
    } rows[] = {{NULL, true, 1},   {"key", true, 2}, {NULL, false, 1},
                {"key", false, 1}, {NULL, false, 2}, {"key", false, 2}};
    struct error err;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        forget_all();
        begin_with_each(rows[i].samples);
        if (!rows[i].is_all) {
            begin_deletion("t3", TWO_STEPS);
            begin_deletion("t255", TWO_STEPS);
        }
        begin_deletion("t256", TWO_STEPS);
        assert_int_equal(store_as(&two_a_minute, rows[i].key, rows[i].is_all, &err), ERR_OK);
        assert_int_equal(receipt.left_out, 0);
        assert_false(receipt.is_replay);
        assert_true(receipt.verdict.is_admitted);
        assert_int_equal(receipt.verdict.remaining, 1);
        check_each(rows[i].samples);
        if (rows[i].key) {
            begin_with_each(rows[i].samples);
            assert_int_equal(store_as(&two_a_minute, "key", rows[i].is_all, &err), ERR_OK);
            assert_true(receipt.is_replay);
            check_each(0);
        }
    }
}

/* Of one part, which has no mark. */
static void a_small_batch_waits_too(void **state)
{
    (void)state;
    struct error err;
    for (int samples = 1; samples <= 2; samples++) {
        forget_all();
        begin_deletion("cpu", TWO_STEPS);
        begin();
        for (int i = 0; i < samples; i++) {
            add_known("x", i, i);
            add_known("cpu", i, i);
        }
        assert_int_equal(store_as(&test_store_no_limit, NULL, false, &err), ERR_OK);
        assert_int_equal(receipt.left_out, 0);
        check_all();
    }
}

/* Beside what is left out for good, before and behind. */
static void what_waits_too_long_comes_with_the_same_request(void **state)
{
    (void)state;
    static const struct rate_policy one_a_minute = {"post", 1, 60};
    struct error err;
    char answer[16];
    for (int samples = 1; samples <= 2; samples++) {
        forget_all();
        assert_true(test_store_command(answer, sizeof answer, "SET ra:meta:{t1} stranger"));
        assert_true(test_store_command(answer, sizeof answer, "SET ra:meta:{t298} stranger"));
        static const char *const deleted[] = {"t3", "t200", "t256"};
        for (size_t i = 0; i < 3; i++)
            begin_deletion(deleted[i], ENDLESS);
        for (size_t i = 0; i < 3; i++) {
            begin_with_each(samples);
            assert_int_equal(store_as(&one_a_minute, "key", false, &err), ERR_STORE_UNKNOWN);
            assert_non_null(strstr(err.detail, "with the same Idempotency-Key completes it"));
            assert_int_equal(err.retry_after_ms, 1000);
            end_deletion(deleted[i]);
        }
        for (int time = 0; time < 3; time++) {
            begin_with_each(samples);
            assert_int_equal(store_as(&one_a_minute, "key", false, &err), ERR_OK);
            assert_int_equal(receipt.is_replay, time > 0);
            assert_int_equal(receipt.left_out, 2 * samples);
            for (size_t i = 0; i < TYPES_IN_TWO_PARTS; i++)
                assert_int_equal(sample_batch_group(batch, i)->status != 0, i == 1 || i == 298);
            check_each(time == 0 ? samples : 0);
        }
    }
}

/* --- Hot chunks --------------------------------------------------------------------- */

static void post_series(const char *type, int64_t at_us, double value)
{
    test_store.posts_series = true;
    test_store_post(type, at_us, value);
    test_store.posts_series = false;
}

static long number(const char *command)
{
    char answer[64];
    assert_true(test_store_command(answer, sizeof answer, command));
    return strtol(answer, NULL, 10);
}

static void assert_hot(const char *hot, const char *const raw[])
{
    char command[64];
    assert_int_equal(number("STRLEN ra:meta:{cpu}"), hot ? META_HOT_BYTES : META_PACKED_BYTES);
    if (hot) {
        (void)snprintf(command, sizeof command, "EXISTS ra:m:{cpu}:hot:%s", hot);
        assert_int_equal(number(command), 1);
    }
    size_t count = 0;
    for (; raw[count]; count++) {
        (void)snprintf(command, sizeof command, "EXISTS ra:m:{cpu}:raw:%s", raw[count]);
        assert_int_equal(number(command), 1);
    }
    assert_int_equal(number("ZCARD ra:m:{cpu}:open"), count + (hot != NULL));
    check_meta("cpu");
    test_store_check_since("cpu", WALL_TIME_MIN);
    test_store_check_list("cpu", 1000);
    test_store_check_list(NULL, 1000);
}

/* That of the newest sample's hour, until the type is written in another way. */
static void of_a_type_one_chunk_at_most_is_hot(void **state)
{
    (void)state;
    post_series("cpu", hour_start(5).us, 1.0);
    assert_hot("5", (const char *const[]){NULL});
    post_series("cpu", hour_start(6).us, 2.0);
    assert_hot("6", (const char *const[]){"5", NULL});
    post_series("cpu", hour_start(4).us, 3.0);
    post_series("cpu", hour_start(5).us + 1, 4.0);
    post_series("cpu", hour_start(6).us - 1, 5.0);
    assert_hot("6", (const char *const[]){"4", "5", NULL});
    test_store_post("cpu", hour_start(5).us, 6.0);
    assert_hot(NULL, (const char *const[]){"4", "5", "6", NULL});
    post_series("cpu", hour_start(6).us + 1, 7.0);
    assert_hot("6", (const char *const[]){"4", "5", NULL});
    begin();
    add_known("cpu", hour_start(6).us + 2, 8.0);
    store();
    assert_hot(NULL, (const char *const[]){"4", "5", "6", NULL});
}

/* Over the edge of a chunk, with as many at once as are told at different times. */
static void little_of_a_hot_chunk_is_not_told(void **state)
{
    (void)state;
    enum { SERIES = 3, ROUNDS = CHUNK_RECORDS + 200 };
    static const char *const series[SERIES] = {"cpu", "memory", "x"};
    struct error err;
    for (int i = 0; i < ROUNDS; i++) {
        begin();
        for (size_t s = 0; s < SERIES; s++)
            add_known(series[s], i * INT64_C(1000) - (i % 7) * INT64_C(5000), i);
        assert_int_equal(store_as(&test_store_no_limit, NULL, false, &err), ERR_OK);
        assert_int_equal(receipt.left_out, 0);
        if (i % 50 != 0 && i < CHUNK_RECORDS - 2)
            continue;
        for (size_t s = 0; s < SERIES; s++) {
            char command[256];
            (void)snprintf(command, sizeof command,
                           "EVAL \"local meta = redis.call('GET', 'ra:meta:{%s}') "
                           "return #meta == 48 and 0 or redis.call('STRLEN', 'ra:m:{%s}:hot:0') "
                           "- struct.unpack('<I4', meta, 53)\" 0",
                           series[s], series[s]);
            assert_in_range(number(command), 0, 63 * RECORD_BYTES);
            check_meta(series[s]);
            test_store_check_since(series[s], WALL_TIME_MIN);
        }
        test_store_check_list(NULL, 10);
    }
    assert_int_equal(number("EXISTS ra:m:{cpu}:hot:0 ra:m:{memory}:hot:0 ra:m:{x}:hot:0"), SERIES);
}

/* At any time the newest is the one that came last, of all that share its instant. */
static void each_sample_of_a_hot_chunk_is_a_version_of_its_own(void **state)
{
    (void)state;
    uint64_t version = 0;
    for (int i = 0; i < 300; i++) {
        if (i % 140 == 139)
            test_store_post("cpu", 1000, i);
        else
            post_series("cpu", 1000, i);
        struct meta meta = read_meta("cpu");
        assert_true(meta.version > version);
        version = meta.version;
        assert_int_equal(meta.count, i + 1);
        assert_int_equal(meta.first_at.us, 1000);
        assert_int_equal(meta.newest.at.us, 1000);
        assert_true(meta.newest.value == i);
    }
}

static void a_strangers_key_in_its_place_costs_no_sample(void **state)
{
    (void)state;
    char answer[64];
    struct rate_verdict verdict;
    assert_true(test_store_command(answer, sizeof answer, "RPUSH ra:m:{cpu}:hot:0 stranger"));
    for (int i = 0; i < 3; i++)
        post_series("cpu", i, i);
    assert_hot("0", (const char *const[]){NULL});
    assert_true(test_store_command(answer, sizeof answer, "SET ra:m:{x}:hot:0 12345"));
    for (int i = 0; i < 3; i++)
        post_series("x", i, i);
    test_store_check_list("x", 10);
    assert_true(test_store_command(answer, sizeof answer, "DEL ra:m:{cpu}:hot:0"));
    assert_true(test_store_command(answer, sizeof answer, "RPUSH ra:m:{cpu}:hot:0 stranger"));
    test_store.posts_series = true;
    for (int i = 0; i < 2; i++)
        assert_int_equal(test_store_add("cpu", i, i, &test_store_no_limit, &verdict), ERR_INTERNAL);
    test_store.posts_series = false;
}

static void a_full_server_takes_no_sample_and_keeps_what_is_hot(void **state)
{
    (void)state;
    char answer[64];
    struct rate_verdict verdict;
    post_series("cpu", 0, 1.0);
    post_series("x", 0, 1.0);
    assert_true(test_store_command(answer, sizeof answer, "DEL ra:meta:{x}")); /* then it is new */
    assert_true(test_store_command(answer, sizeof answer, "CONFIG SET maxmemory 1"));
    test_store.posts_series = true;
    long before = test_store_changes();
    for (int hour = 0; hour < 2; hour++) {
        assert_int_equal(
            test_store_add("cpu", hour_start(hour).us, 2.0, &test_store_no_limit, &verdict),
            ERR_STORE_FULL);
        assert_int_equal(
            test_store_add("x", hour_start(hour).us, 2.0, &test_store_no_limit, &verdict),
            ERR_STORE_FULL);
    }
    test_store.posts_series = false;
    assert_int_equal(test_store_changes(), before);
    assert_true(test_store_command(answer, sizeof answer, "CONFIG SET maxmemory 0"));
    post_series("cpu", 0, 3.0);
    assert_hot("0", (const char *const[]){NULL});
}

/* --- The same again ----------------------------------------------------------------- */

static void a_request_of_the_same_key_is_stored_once(void **state)
{
    (void)state;
    static const struct rate_policy one_a_minute = {"post", 1, 60};
    struct error err;
    begin();
    add_known("cpu", 1, 1.0);
    add_known("x", 1, 1.0);
    assert_int_equal(store_as(&one_a_minute, "key", true, &err), ERR_OK);
    assert_false(receipt.is_replay);
    long before = test_store_changes();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(store_as(&one_a_minute, "key", true, &err), ERR_OK);
        assert_true(receipt.is_replay);
    }
    assert_int_equal(test_store_changes(), before);
    assert_int_equal(store_as(&one_a_minute, "another", true, &err), ERR_RATE_LIMITED);
    check_all();
    char ttl[32];
    assert_true(test_store_command(ttl, sizeof ttl, "TTL ra:idem:key"));
    assert_in_range(strtol(ttl, NULL, 10), TEST_STORE_MARK_TTL_SECONDS - 20,
                    TEST_STORE_MARK_TTL_SECONDS);
}

/* Both look before either is there. */
static void of_two_at_once_the_second_is_told_when_the_first_came(void **state)
{
    (void)state;
    struct error err;
    struct request_mark mark;
    const struct slice text = SLICE("body");
    begin();
    add_known("cpu", 1, 1.0);
    error_init(&err);
    assert_int_equal(request_mark_find(&mark, test_store.client, SLICE("key"), &text, 1, &err),
                     ERR_OK);
    assert_false(mark.is_known);
    assert_int_equal(store_as(&test_store_no_limit, "key", true, &err), ERR_OK);
    const struct wall_time first = receipt.arrival;
    mark.arrival.us = first.us - 1;
    const struct batch_terms terms = {.policy = &test_store_no_limit,
                                      .subject = &test_store_somebody,
                                      .is_all_or_nothing = true,
                                      .mark = &mark};
    assert_int_equal(metric_store_add_batch(test_store.store, batch, &terms, &receipt, &err),
                     ERR_OK);
    assert_true(receipt.is_replay);
    assert_true(receipt.arrival.us == first.us);
    check_all();
}

static void a_key_belongs_to_one_request(void **state)
{
    (void)state;
    struct error err;
    begin();
    add_known("cpu", 1, 1.0);
    assert_int_equal(store_as(&test_store_no_limit, "key", true, &err), ERR_OK);
    struct request_mark mark;
    const struct slice other = SLICE("another body");
    error_init(&err);
    assert_int_equal(request_mark_find(&mark, test_store.client, SLICE("key"), &other, 1, &err),
                     ERR_KEY_REUSED);
    /* Who looked before the first one was there is told by the script. */
    mark.is_known = false;
    const struct batch_terms terms = {.policy = &test_store_no_limit,
                                      .subject = &test_store_somebody,
                                      .is_all_or_nothing = true,
                                      .mark = &mark};
    error_init(&err);
    assert_int_equal(metric_store_add_batch(test_store.store, batch, &terms, &receipt, &err),
                     ERR_KEY_REUSED);
    check_all();
}

/* Whatever parts are missing, and however often. */
static void what_is_missing_is_completed_by_the_same_request(void **state)
{
    (void)state;
    struct error err;
    char command[128], answer[64];
    begin();
    add_many(400, true);
    assert_int_equal(store_as(&test_store_no_limit, "key", true, &err), ERR_OK);
    assert_true(test_store_command(answer, sizeof answer, "SETRANGE ra:idem:key 26 0"));
    for (int i = 156; i < 400; i++) { /* groups 256 to 499 */
        (void)snprintf(command, sizeof command, "DEL ra:meta:{t%d} ra:m:{t%d}:raw:0", i, i);
        assert_true(test_store_command(answer, sizeof answer, command));
    }
    assert_int_equal(store_as(&test_store_no_limit, "key", true, &err), ERR_OK);
    assert_false(receipt.is_replay);
    check_many(400);
    assert_int_equal(store_as(&test_store_no_limit, "key", true, &err), ERR_OK);
    assert_true(receipt.is_replay);
    check_many(400);
}

/* In the first part and in the second one, at their ends too. */
static void what_was_left_out_is_told_again(void **state)
{
    (void)state;
    static const size_t theirs[] = {0, 7, 255, 256, 299};
    struct error err;
    char command[64], answer[64];
    for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++) {
        (void)snprintf(command, sizeof command, "SET ra:meta:{t%zu} stranger", theirs[i]);
        assert_true(test_store_command(answer, sizeof answer, command));
    }
    for (int time = 0; time < 3; time++) {
        size_t refused = 0;
        begin();
        for (size_t i = 0; i < 300; i++) {
            char name[16];
            (void)snprintf(name, sizeof name, "t%zu", i);
            add(name, 0, 1.0);
        }
        assert_int_equal(store_as(&test_store_no_limit, "key", false, &err), ERR_OK);
        assert_int_equal(receipt.is_replay, time > 0);
        assert_int_equal(receipt.left_out, sizeof theirs / sizeof *theirs);
        for (size_t i = 0; i < 300; i++) {
            bool is_theirs = refused < receipt.left_out && theirs[refused] == i;
            assert_int_equal(sample_batch_group(batch, i)->status != 0, is_theirs);
            refused += is_theirs;
        }
    }
}

static void parts_of_a_request_that_came_at_another_time_are_not_stored(void **state)
{
    (void)state;
    struct error err;
    struct request_mark mark;
    const struct slice text = SLICE("body");
    begin();
    add_many(400, true);
    error_init(&err);
    assert_int_equal(request_mark_find(&mark, test_store.client, SLICE("key"), &text, 1, &err), 0);
    assert_int_equal(store_as(&test_store_no_limit, "key", true, &err), ERR_OK);
    char answer[64];
    assert_true(test_store_command(answer, sizeof answer, "SETRANGE ra:idem:key 26 0"));
    mark.arrival.us--;
    const struct batch_terms terms = {.policy = &test_store_no_limit,
                                      .subject = &test_store_somebody,
                                      .is_all_or_nothing = true,
                                      .mark = &mark};
    long before = test_store_changes();
    assert_int_equal(metric_store_add_batch(test_store.store, batch, &terms, &receipt, &err),
                     ERR_STORE_UNAVAILABLE);
    assert_int_equal(test_store_changes(), before);
    check_many(400);
}

static void a_server_that_lost_the_script_is_given_it_again(void **state)
{
    (void)state;
    char answer[64];
    for (int i = 0; i < 2; i++) {
        assert_true(test_store_command(answer, sizeof answer, "SCRIPT FLUSH"));
        begin();
        add_many(400, true);
        store();
        check_many(400);
    }
}

#define BATCH_TEST(name) cmocka_unit_test_setup_teardown(name, test_store_open, test_store_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BATCH_TEST(a_batch_is_stored_like_single_samples),
        BATCH_TEST(chunks_close_within_a_batch),
        BATCH_TEST(chunks_that_a_batch_closed_are_sealed),
        BATCH_TEST(a_type_too_many_refuses_all),
        BATCH_TEST(an_hour_too_many_refuses_all),
        BATCH_TEST(a_type_that_is_being_deleted_refuses_all),
        BATCH_TEST(a_strangers_keys_refuse_all),
        BATCH_TEST(a_batch_is_one_admission),
        BATCH_TEST(a_batch_of_many_types_and_hours_goes_in_parts),
        BATCH_TEST(a_type_too_many_refuses_all_parts),
        BATCH_TEST(what_is_not_admitted_stores_no_part),
        BATCH_TEST(of_a_type_one_chunk_at_most_is_hot),
        BATCH_TEST(little_of_a_hot_chunk_is_not_told),
        BATCH_TEST(each_sample_of_a_hot_chunk_is_a_version_of_its_own),
        BATCH_TEST(a_full_server_takes_no_sample_and_keeps_what_is_hot),
        BATCH_TEST(a_strangers_key_in_its_place_costs_no_sample),
        BATCH_TEST(what_may_not_be_stored_is_left_out_and_counted),
        BATCH_TEST(what_is_being_deleted_is_waited_for),
        BATCH_TEST(a_small_batch_waits_too),
        BATCH_TEST(what_waits_too_long_comes_with_the_same_request),
        BATCH_TEST(a_request_of_the_same_key_is_stored_once),
        BATCH_TEST(of_two_at_once_the_second_is_told_when_the_first_came),
        BATCH_TEST(a_key_belongs_to_one_request),
        BATCH_TEST(what_is_missing_is_completed_by_the_same_request),
        BATCH_TEST(what_was_left_out_is_told_again),
        BATCH_TEST(parts_of_a_request_that_came_at_another_time_are_not_stored),
        BATCH_TEST(a_server_that_lost_the_script_is_given_it_again),
    };
    int failed = cmocka_run_group_tests(tests, test_store_start_server, test_store_stop_server);
    sample_batch_free(batch);
    return failed;
}
