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
                             2 * CHUNK_RECORDS, 3, 4 * CHUNK_RECORDS, 5};
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

static void what_may_not_be_stored_is_left_out_and_counted(void **state)
{
    (void)state;
    struct error err;
    char answer[64];
    begin();
    add_many(TEST_STORE_TYPES_MAX - 2, true);
    store();
    assert_true(test_store_command(answer, sizeof answer, "SET ra:meta:{t1} deleting"));
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
    static const size_t dying[] = {0, 7, 255, 256, 299};
    struct error err;
    char command[64], answer[64];
    for (size_t i = 0; i < sizeof dying / sizeof *dying; i++) {
        (void)snprintf(command, sizeof command, "SET ra:meta:{t%zu} deleting", dying[i]);
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
        assert_int_equal(receipt.left_out, sizeof dying / sizeof *dying);
        for (size_t i = 0; i < 300; i++) {
            bool is_dying = refused < receipt.left_out && dying[refused] == i;
            assert_int_equal(sample_batch_group(batch, i)->status != 0, is_dying);
            refused += is_dying;
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
        BATCH_TEST(what_may_not_be_stored_is_left_out_and_counted),
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
