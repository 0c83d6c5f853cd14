/* Batches against a real server: stored like single samples, all or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

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
    assert_int_equal(sample_batch_add(batch, &sample), BATCH_ADDED);
}

static enum err_code store_with(const struct rate_policy *policy, struct rate_verdict *verdict,
                                struct error *err)
{
    error_init(err);
    return metric_store_add_batch(test_store.store, batch, policy, &test_store_somebody, verdict,
                                  err);
}

static void store(void)
{
    struct rate_verdict verdict;
    struct error err;
    if (store_with(&test_store_no_limit, &verdict, &err) != ERR_OK)
        fail_msg("%s (%s)", err.detail, err.cause);
}

static void add_known(const char *type, int64_t at_us, double value)
{
    add(type, at_us, value);
    sample_model_add(&test_store.model, type, (struct record){{at_us}, value});
}

static void check_all(void)
{
    test_store_settle();
    for (size_t i = 0; i < NAME_COUNT; i++) {
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
                             2 * CHUNK_RECORDS, 3, BATCH_SAMPLES_MAX, 5};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        begin();
        for (size_t j = 0; j < counts[i]; j++)
            add_known("cpu", (int64_t)test_store_below(HOUR_US), (double)test_store_below(1000));
        store();
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
    struct rate_verdict verdict;
    struct error err;
    long before = test_store_changes();
    assert_int_equal(store_with(policy, &verdict, &err), wanted);
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
            assert_true(test_store_command(answer, sizeof answer, "FLUSHALL"));
            assert_true(test_store_command(answer, sizeof answer, command));
            begin();
            add("x", 0, 1.0);
            for (int k = 0; k < CHUNK_RECORDS; k++)
                add("cpu", k, 1.0);
            struct rate_verdict verdict;
            struct error err;
            long before = test_store_changes();
            if (store_with(&test_store_no_limit, &verdict, &err) != ERR_OK)
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
    struct rate_verdict verdict;
    struct error err;
    begin();
    for (int i = 0; i < 100; i++)
        add_known(names[i % NAME_COUNT], i, i);
    assert_int_equal(store_with(&two_a_minute, &verdict, &err), ERR_OK);
    assert_int_equal(verdict.remaining, 1);
    begin();
    add_known("cpu", 1, 1.0);
    assert_int_equal(store_with(&two_a_minute, &verdict, &err), ERR_OK);
    assert_int_equal(verdict.remaining, 0);
    begin();
    add("cpu", 2, 1.0);
    assert_refused(&two_a_minute, ERR_RATE_LIMITED, "");
    check_all();
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
    };
    int failed = cmocka_run_group_tests(tests, test_store_start_server, test_store_stop_server);
    sample_batch_free(batch);
    return failed;
}
