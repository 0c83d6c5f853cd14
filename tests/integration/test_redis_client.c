/* redis_client against a real server: group commit, deadlines, loss and recovery. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "redis_client.h"
#include "test_redis.h"

static struct test_redis server;

static int start_server(void **state)
{
    (void)state;
    test_redis_start(&server, NULL);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    test_redis_stop(&server);
    return 0;
}

#define CALL(client, lane, reply, err, ...)                                                        \
    redis_client_call((client), (lane), (const struct slice[]){__VA_ARGS__},                       \
                      sizeof((const struct slice[]){__VA_ARGS__}) / sizeof(struct slice), (reply), \
                      (err))

static enum err_code increment(struct redis_client *client, const char *key, int64_t *value,
                               struct error *err)
{
    struct redisReply *reply;
    error_init(err);
    enum err_code code =
        CALL(client, REDIS_LANE_WRITE, &reply, err, SLICE("INCR"), slice_from_string(key));
    if (code == ERR_OK && !redis_reply_integer(reply, value))
        code = ERR_INTERNAL;
    redis_reply_free(reply);
    return code;
}

static int64_t elapsed_ms(struct mono_time since)
{
    return mono_us_between(since, clock_mono_now()) / 1000;
}

struct worker {
    pthread_t thread;
    struct redis_client *client;
    int rounds;
    int wrong;
};

/* Each thread writes and reads a key of its own: a reply that went to somebody else shows. */
static void *echo_many(void *argument)
{
    struct worker *w = argument;
    for (int i = 0; i < w->rounds; i++) {
        char text[64];
        int len = snprintf(text, sizeof text, "%p-%d", argument, i);
        struct slice word = slice_of(text, (size_t)len), got;
        struct redisReply *reply;
        struct error err;
        error_init(&err);
        enum redis_lane lane = i % 2 ? REDIS_LANE_WRITE : REDIS_LANE_READ;
        if (CALL(w->client, lane, &reply, &err, SLICE("ECHO"), word) != ERR_OK ||
            !redis_reply_bytes(reply, &got) || !slice_equals(got, word))
            w->wrong++;
        redis_reply_free(reply);
    }
    return NULL;
}

static void replies_reach_whoever_asked(void **state)
{
    (void)state;
    struct redis_client *client = test_redis_client(&server);
    struct worker workers[16];
    for (int i = 0; i < 16; i++) {
        workers[i] = (struct worker){.client = client, .rounds = 2000};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, echo_many, &workers[i]), 0);
    }
    for (int i = 0; i < 16; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].wrong, 0);
    }
    redis_client_free(client);
}

static void error_replies_become_codes(void **state)
{
    (void)state;
    struct redis_client *client = test_redis_client(&server);
    struct redisReply *reply;
    struct error err;
    error_init(&err);
    assert_int_equal(CALL(client, REDIS_LANE_WRITE, &reply, &err, SLICE("NOSUCHCOMMAND")),
                     ERR_INTERNAL);
    assert_null(reply);
    assert_non_null(strstr(err.cause, "unknown command"));
    redis_client_free(client);
}

static void a_full_server_is_full_and_still_read(void **state)
{
    (void)state;
    struct redis_client *client = test_redis_client(&server);
    char answer[256];
    assert_true(test_redis_command(&server, answer, sizeof answer, "CONFIG SET maxmemory 1"));
    struct error err;
    int64_t value;
    assert_int_equal(increment(client, "full", &value, &err), ERR_STORE_FULL);
    struct redisReply *reply;
    error_init(&err);
    assert_int_equal(CALL(client, REDIS_LANE_READ, &reply, &err, SLICE("GET"), SLICE("full")),
                     ERR_OK);
    assert_true(redis_reply_is_nil(reply));
    redis_reply_free(reply);
    /* A client that connects only now reads as well. */
    struct redis_client *late = test_redis_client(&server);
    redis_client_free(late);
    assert_true(test_redis_command(&server, answer, sizeof answer, "CONFIG SET maxmemory 0"));
    assert_int_equal(increment(client, "full", &value, &err), ERR_OK);
    redis_client_free(client);
}

static void a_silent_server_costs_the_deadline_then_nothing(void **state)
{
    (void)state;
    struct redis_options options = test_redis_options(&server);
    options.write_timeout_ms = 300;
    struct redis_client *client = redis_client_new(&options);
    assert_true(redis_client_start(client));
    assert_true(test_redis_await_connected(client, true, 5000));
    struct error err;
    int64_t value;
    assert_int_equal(increment(client, "silent", &value, &err), ERR_OK);
    test_redis_pause(&server);
    struct redisReply *reply;
    error_init(&err);
    assert_int_equal(CALL(client, REDIS_LANE_READ, &reply, &err, SLICE("GET"), SLICE("silent")),
                     ERR_STORE_UNAVAILABLE);
    struct mono_time start = clock_mono_now();
    assert_int_equal(increment(client, "silent", &value, &err), ERR_STORE_UNKNOWN);
    assert_in_range(elapsed_ms(start), 290, 450);
    start = clock_mono_now();
    for (int i = 0; i < 100; i++)
        assert_int_equal(increment(client, "silent", &value, &err), ERR_STORE_UNAVAILABLE);
    assert_in_range(elapsed_ms(start), 0, 50);
    test_redis_resume(&server);
    start = clock_mono_now();
    assert_true(test_redis_await_connected(client, true, 3000));
    assert_in_range(elapsed_ms(start), 0, 2500);
    assert_int_equal(increment(client, "silent", &value, &err), ERR_OK);
    /* The unknown one was executed when the server woke; those that failed at once were not. */
    assert_int_equal(value, 3);
    redis_client_free(client);
}

static void an_idle_client_notices_silence(void **state)
{
    (void)state;
    struct redis_client *client = test_redis_client(&server);
    test_redis_pause(&server);
    assert_true(test_redis_await_connected(client, false, 2000));
    test_redis_resume(&server);
    assert_true(test_redis_await_connected(client, true, 3000));
    redis_client_free(client);
}

static void a_client_starts_without_a_server_and_heals(void **state)
{
    (void)state;
    test_redis_kill(&server);
    struct redis_options options = test_redis_options(&server);
    struct redis_client *client = redis_client_new(&options);
    assert_true(redis_client_start(client));
    struct error err;
    int64_t value;
    struct mono_time start = clock_mono_now();
    assert_int_equal(increment(client, "absent", &value, &err), ERR_STORE_UNAVAILABLE);
    assert_in_range(elapsed_ms(start), 0, 100);
    assert_int_not_equal(err.retry_after_ms, 0);
    test_redis_restart(&server);
    assert_true(test_redis_await_connected(client, true, 3000));
    assert_int_equal(increment(client, "absent", &value, &err), ERR_OK);
    redis_client_free(client);
}

static void a_restart_under_load_tells_executed_from_not(void **state)
{
    (void)state;
    struct redis_client *client = test_redis_client(&server);
    struct error err;
    int64_t acknowledged = 0, unknown = 0, value = 0;
    char answer[64];
    assert_true(
        test_redis_command(&server, answer, sizeof answer, "CONFIG SET appendfsync always"));
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 300; i++) {
            if (i == 150)
                test_redis_kill(&server);
            if (i == 200) {
                test_redis_restart(&server);
                assert_true(test_redis_await_connected(client, true, 3000));
                assert_true(test_redis_command(&server, answer, sizeof answer,
                                               "CONFIG SET appendfsync always"));
            }
            enum err_code code = increment(client, "counted", &value, &err);
            acknowledged += code == ERR_OK;
            unknown += code == ERR_STORE_UNKNOWN;
            assert_true(code == ERR_OK || code == ERR_STORE_UNKNOWN ||
                        code == ERR_STORE_UNAVAILABLE);
        }
    }
    assert_true(test_redis_command(&server, answer, sizeof answer, "GET counted"));
    int64_t stored = strtoll(answer, NULL, 10);
    assert_in_range(stored, acknowledged, acknowledged + unknown);
    redis_client_free(client);
}

static enum err_code spend(struct redis_client *client, int64_t *remaining, struct error *err)
{
    const struct slice key = SLICE("ra:rl:{test}:post");
    const struct slice args[] = {SLICE("100"), SLICE("60000000")};
    struct redisReply *reply;
    error_init(err);
    enum err_code code = redis_client_eval(client, REDIS_LANE_WRITE, REDIS_SCRIPT_RATE_CHECK, &key,
                                           1, args, 2, &reply, err);
    if (code == ERR_OK && !redis_reply_integer_at(reply, 1, remaining))
        code = ERR_INTERNAL;
    redis_reply_free(reply);
    return code;
}

static void a_lost_script_is_given_again(void **state)
{
    (void)state;
    struct redis_client *client = test_redis_client(&server);
    struct error err;
    int64_t remaining = 0;
    char answer[64];
    assert_int_equal(spend(client, &remaining, &err), ERR_OK);
    assert_int_equal(remaining, 99);
    assert_true(test_redis_command(&server, answer, sizeof answer, "SCRIPT FLUSH"));
    assert_int_equal(spend(client, &remaining, &err), ERR_OK);
    assert_int_equal(remaining, 98); /* executed once */
    redis_client_free(client);
}

static void a_detached_call_is_executed(void **state)
{
    (void)state;
    struct redis_client *client = test_redis_client(&server);
    char answer[64];
    assert_true(test_redis_command(&server, answer, sizeof answer, "DEL ra:rl:{test}:post"));
    const struct slice key = SLICE("ra:rl:{test}:post");
    const struct slice args[] = {SLICE("100"), SLICE("60000000")};
    redis_client_eval_detached(client, REDIS_LANE_WRITE, REDIS_SCRIPT_RATE_CHECK, &key, 1, args, 2);
    struct error err;
    int64_t remaining = 0;
    assert_int_equal(spend(client, &remaining, &err), ERR_OK); /* behind it in the queue */
    assert_int_equal(remaining, 98);
    redis_client_free(client);
}

static void the_queue_is_bounded(void **state)
{
    (void)state;
    struct redis_options options = test_redis_options(&server);
    options.queue_max = 0;
    struct redis_client *client = redis_client_new(&options);
    assert_true(redis_client_start(client));
    struct error err;
    int64_t value;
    assert_int_equal(increment(client, "bounded", &value, &err), ERR_STORE_UNAVAILABLE);
    redis_client_free(client);
}

static void what_the_server_promises_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        enum redis_durability expected;
    } rows[] = {{"CONFIG SET appendfsync always", REDIS_DURABILITY_ALWAYS},
                {"CONFIG SET appendfsync everysec", REDIS_DURABILITY_EVERYSEC},
                {"CONFIG SET appendfsync no", REDIS_DURABILITY_NONE},
                {"CONFIG SET appendfsync everysec appendonly no", REDIS_DURABILITY_NONE}};
    char answer[64];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(test_redis_command(&server, answer, sizeof answer, rows[i].command));
        struct redis_client *client = test_redis_client(&server);
        assert_int_equal(redis_client_durability(client), rows[i].expected);
        redis_client_free(client);
    }
    assert_true(test_redis_command(&server, answer, sizeof answer, "CONFIG SET appendonly yes"));
}

static void a_newer_layout_is_refused(void **state)
{
    (void)state;
    char answer[64];
    assert_true(test_redis_command(&server, answer, sizeof answer, "SET ra:schema 2"));
    struct redis_options options = test_redis_options(&server);
    struct redis_client *client = redis_client_new(&options);
    assert_true(redis_client_start(client));
    assert_false(test_redis_await_connected(client, true, 500));
    struct error err;
    int64_t value;
    assert_int_equal(increment(client, "newer", &value, &err), ERR_STORE_UNAVAILABLE);
    struct redisReply *reply;
    error_init(&err);
    assert_int_equal(CALL(client, REDIS_LANE_READ, &reply, &err, SLICE("GET"), SLICE("newer")),
                     ERR_STORE_UNAVAILABLE);
    assert_true(test_redis_command(&server, answer, sizeof answer, "SET ra:schema 1"));
    assert_true(test_redis_await_connected(client, true, 3000));
    redis_client_free(client);
}

static void a_password_and_tcp_by_name_work(void **state)
{
    (void)state;
    struct test_redis other;
    char port[16];
    /* A port that was free a moment ago. */
    int chosen = 20000 + (int)(arc4random_uniform(20000));
    (void)snprintf(port, sizeof port, "%d", chosen);
    const char *const args[] = {"--port", port, "--bind", "127.0.0.1", NULL};
    test_redis_start(&other, args);
    char answer[64];
    assert_true(test_redis_command(&other, answer, sizeof answer, "CONFIG SET requirepass s3cret"));
    struct redis_options options = {.host = "localhost",
                                    .port = (uint16_t)chosen,
                                    .db = 3,
                                    .key_prefix = "x:",
                                    .password = "s3cret",
                                    .read_timeout_ms = 1000,
                                    .write_timeout_ms = 1000,
                                    .queue_max = 16};
    struct redis_client *client = redis_client_new(&options);
    assert_true(redis_client_start(client));
    assert_true(test_redis_await_connected(client, true, 5000));
    struct error err;
    int64_t value;
    assert_int_equal(increment(client, "k", &value, &err), ERR_OK);
    redis_client_free(client);

    options.password = "wrong";
    client = redis_client_new(&options);
    assert_true(redis_client_start(client));
    assert_false(test_redis_await_connected(client, true, 300));
    redis_client_free(client);
    test_redis_stop(&other);
}

static void a_name_that_does_not_resolve_holds_up_nobody(void **state)
{
    (void)state;
    struct redis_options options = {.host = "no-such-host.invalid",
                                    .port = 6379,
                                    .key_prefix = "ra:",
                                    .read_timeout_ms = 100,
                                    .write_timeout_ms = 100,
                                    .queue_max = 16};
    struct redis_client *client = redis_client_new(&options);
    assert_true(redis_client_start(client));
    struct error err;
    int64_t value;
    for (int i = 0; i < 5; i++) {
        struct mono_time start = clock_mono_now();
        assert_int_equal(increment(client, "k", &value, &err), ERR_STORE_UNAVAILABLE);
        assert_in_range(elapsed_ms(start), 0, 250);
    }
    redis_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_reach_whoever_asked),
        cmocka_unit_test(error_replies_become_codes),
        cmocka_unit_test(a_full_server_is_full_and_still_read),
        cmocka_unit_test(a_silent_server_costs_the_deadline_then_nothing),
        cmocka_unit_test(an_idle_client_notices_silence),
        cmocka_unit_test(a_client_starts_without_a_server_and_heals),
        cmocka_unit_test(a_restart_under_load_tells_executed_from_not),
        cmocka_unit_test(a_lost_script_is_given_again),
        cmocka_unit_test(a_detached_call_is_executed),
        cmocka_unit_test(the_queue_is_bounded),
        cmocka_unit_test(what_the_server_promises_is_known),
        cmocka_unit_test(a_newer_layout_is_refused),
        cmocka_unit_test(a_password_and_tcp_by_name_work),
        cmocka_unit_test(a_name_that_does_not_resolve_holds_up_nobody),
    };
    return cmocka_run_group_tests_name("redis_client", tests, start_server, stop_server);
}
