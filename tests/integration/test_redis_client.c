/* redis_client against a real server: group commit, deadlines, loss and recovery. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "await.h"
#include "redis_client.h"
#include "redis_schema.h"
#include "test_command.h"

enum { BACKSTOP_MS = 500 }; /* after the deadline a caller gives up on the I/O thread */

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

/* What Redis refuses with; a script says it for the server. */
struct refusal {
    const char *words;
    enum err_code code;
};

static const struct refusal refusals[] = {
    {"LOADING Redis is loading the dataset in memory", ERR_STORE_UNAVAILABLE},
    {"READONLY You can't write against a read only replica.", ERR_STORE_UNAVAILABLE},
    {"BUSY Redis is busy running a script.", ERR_STORE_UNAVAILABLE},
    {"MASTERDOWN Link with MASTER is down", ERR_STORE_UNAVAILABLE},
    {"NOREPLICAS Not enough good replicas to write.", ERR_STORE_UNAVAILABLE},
    {"NOAUTH Authentication required.", ERR_STORE_UNAVAILABLE},
    {"CLUSTERDOWN The cluster is down", ERR_STORE_UNAVAILABLE},
    {"TRYAGAIN Multiple keys request during rehashing of slot", ERR_STORE_UNAVAILABLE},
    {"OOM command not allowed when used memory > 'maxmemory'.", ERR_STORE_FULL},
    {"MISCONF Errors writing to the AOF file: No space left on device", ERR_STORE_FULL},
    {"WRONGTYPE Operation against a key of another kind", ERR_INTERNAL},
    {"ERR LOADING is not the first word", ERR_INTERNAL},
};

enum { REFUSAL_COUNT = sizeof refusals / sizeof *refusals };

static void is_refused_as_its_row_says(void **state)
{
    const struct refusal *row = *state;
    struct redis_client *client = test_redis_client(&server);
    struct redisReply *reply;
    struct error err;
    error_init(&err);
    assert_int_equal(CALL(client, REDIS_LANE_WRITE, &reply, &err, SLICE("EVAL"),
                          SLICE("return redis.error_reply(ARGV[1])"), SLICE("0"),
                          slice_from_string(row->words)),
                     row->code);
    assert_null(reply);
    assert_string_equal(err.cause, row->words);
    assert_int_equal(err.retry_after_ms > 0, row->code != ERR_INTERNAL);
    redis_client_free(client);
}

static void a_replica_is_unavailable_for_writes_and_still_read(void **state)
{
    (void)state;
    struct redis_client *client = test_redis_client(&server);
    struct error err, ignored;
    int64_t value = 0;
    struct redisReply *reply;
    assert_int_equal(increment(client, "replicated", &value, &err), ERR_OK);
    test_command(&server, "REPLICAOF 127.0.0.1 1");
    enum err_code written = increment(client, "replicated", &value, &err);
    error_init(&ignored);
    enum err_code looked_up =
        CALL(client, REDIS_LANE_READ, &reply, &ignored, SLICE("GET"), SLICE("replicated"));
    redis_reply_free(reply);
    struct redis_client *late = test_redis_client(&server); /* connects all the same */
    redis_client_free(late);
    test_command(&server, "REPLICAOF NO ONE");
    assert_int_equal(written, ERR_STORE_UNAVAILABLE);
    assert_non_null(strstr(err.cause, "READONLY"));
    assert_int_equal(looked_up, ERR_OK);
    assert_int_equal(increment(client, "replicated", &value, &err), ERR_OK);
    assert_int_equal(value, 2); /* what was refused was not executed */
    redis_client_free(client);
}

static void a_full_server_is_full_and_still_read(void **state)
{
    (void)state;
    struct redis_client *client = test_redis_client(&server);
    test_command(&server, "CONFIG SET maxmemory 1");
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
    test_command(&server, "CONFIG SET maxmemory 0");
    assert_int_equal(increment(client, "full", &value, &err), ERR_OK);
    redis_client_free(client);
}

/* How long a write takes at a server that has stopped, and that the next ones take nothing. */
static int64_t time_silent_write(struct redis_client *client, int deadline_ms)
{
    struct error err;
    int64_t before, value;
    assert_int_equal(increment(client, "silent", &before, &err), ERR_OK);
    test_redis_pause(&server);
    struct redisReply *reply;
    error_init(&err);
    assert_int_equal(CALL(client, REDIS_LANE_READ, &reply, &err, SLICE("GET"), SLICE("silent")),
                     ERR_STORE_UNAVAILABLE);
    struct mono_time start = clock_mono_now();
    assert_int_equal(increment(client, "silent", &value, &err), ERR_STORE_UNKNOWN);
    int64_t took_ms = ms_since(start);
    start = clock_mono_now();
    for (int i = 0; i < 100; i++)
        assert_int_equal(increment(client, "silent", &value, &err), ERR_STORE_UNAVAILABLE);
    assert_in_range(ms_since(start), 0, deadline_ms - 1);
    test_redis_resume(&server);
    assert_true(test_redis_await_connected(client, true, AWAIT_MS));
    assert_int_equal(increment(client, "silent", &value, &err), ERR_OK);
    /* The unknown one was executed when the server woke; those that failed at once were not. */
    assert_int_equal(value, before + 2);
    return took_ms;
}

static void a_silent_server_costs_the_deadline_then_nothing(void **state)
{
    (void)state;
    enum { DEADLINE_MS = 600 };
    struct redis_options options = test_redis_options(&server);
    options.write_timeout_ms = DEADLINE_MS;
    struct redis_client *client = redis_client_new(&options);
    assert_true(redis_client_start(client));
    assert_true(test_redis_await_connected(client, true, AWAIT_MS));
    int64_t fastest_ms = INT64_MAX; /* of several: a busy machine may be late */
    for (int i = 0; i < 5 && fastest_ms >= DEADLINE_MS + BACKSTOP_MS; i++) {
        int64_t ms = time_silent_write(client, DEADLINE_MS);
        fastest_ms = ms < fastest_ms ? ms : fastest_ms;
    }
    assert_in_range(fastest_ms, DEADLINE_MS - 10, DEADLINE_MS + BACKSTOP_MS - 1);
    redis_client_free(client);
}

static int64_t time_first_write(const struct redis_options *options)
{
    struct error err;
    int64_t value;
    struct redis_client *client = redis_client_new(options);
    assert_true(redis_client_start(client));
    struct mono_time start = clock_mono_now();
    assert_int_equal(increment(client, "silent", &value, &err), ERR_STORE_UNAVAILABLE);
    int64_t took_ms = ms_since(start);
    redis_client_free(client);
    return took_ms;
}

/* Queued while the first attempt to connect is under way. */
static void a_server_silent_from_the_start_costs_the_deadline(void **state)
{
    (void)state;
    enum { DEADLINE_MS = 300 };
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/silent.sock", server.folder);
    int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listening, 64), 0);
    struct redis_options options = test_redis_options(&server);
    options.socket_path = address.sun_path;
    options.read_timeout_ms = options.write_timeout_ms = DEADLINE_MS;
    int64_t fastest_ms = INT64_MAX;
    for (int i = 0; i < 5 && fastest_ms >= DEADLINE_MS + BACKSTOP_MS; i++) {
        int64_t ms = time_first_write(&options);
        fastest_ms = ms < fastest_ms ? ms : fastest_ms;
    }
    assert_in_range(fastest_ms, DEADLINE_MS - 10, DEADLINE_MS + BACKSTOP_MS - 1);
    (void)close(listening);
}

static void *resume_after_1500_ms(void *server_paused)
{
    (void)poll(NULL, 0, 1500);
    test_redis_resume(server_paused);
    return NULL;
}

/* A pause that is longer than a heartbeat may take, and shorter than the call may. */
static void a_call_behind_a_heartbeat_outlives_it(void **state)
{
    (void)state;
    struct redis_client *client = test_redis_client(&server); /* 5 s for a write */
    struct error err;
    int64_t value = 0;
    assert_int_equal(increment(client, "stalled", &value, &err), ERR_OK);
    test_redis_pause(&server);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, resume_after_1500_ms, &server), 0);
    (void)poll(NULL, 0, 300); /* a heartbeat is sent after 250 ms of silence */
    enum err_code code = increment(client, "stalled", &value, &err);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(code, ERR_OK);
    assert_int_equal(value, 2);
    redis_client_free(client);
}

static void an_idle_client_notices_silence(void **state)
{
    (void)state;
    struct redis_client *client = test_redis_client(&server);
    test_redis_pause(&server);
    assert_true(test_redis_await_connected(client, false, AWAIT_MS));
    test_redis_resume(&server);
    assert_true(test_redis_await_connected(client, true, AWAIT_MS));
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
    assert_in_range(ms_since(start), 0, options.write_timeout_ms - 1); /* not the deadline */
    assert_int_not_equal(err.retry_after_ms, 0);
    test_redis_restart(&server);
    assert_true(test_redis_await_connected(client, true, AWAIT_MS));
    assert_int_equal(increment(client, "absent", &value, &err), ERR_OK);
    redis_client_free(client);
}

static void a_restart_under_load_tells_executed_from_not(void **state)
{
    (void)state;
    struct redis_client *client = test_redis_client(&server);
    struct error err;
    int64_t acknowledged = 0, unknown = 0, value = 0;
    test_command(&server, "CONFIG SET appendfsync always");
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 300; i++) {
            if (i == 150)
                test_redis_kill(&server);
            if (i == 200) {
                test_redis_restart(&server);
                assert_true(test_redis_await_connected(client, true, AWAIT_MS));
                test_command(&server, "CONFIG SET appendfsync always");
            }
            enum err_code code = increment(client, "counted", &value, &err);
            acknowledged += code == ERR_OK;
            unknown += code == ERR_STORE_UNKNOWN;
            assert_true(code == ERR_OK || code == ERR_STORE_UNKNOWN ||
                        code == ERR_STORE_UNAVAILABLE);
        }
    }
    long stored = test_command_number(&server, "GET counted");
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
    assert_int_equal(spend(client, &remaining, &err), ERR_OK);
    assert_int_equal(remaining, 99);
    test_command(&server, "SCRIPT FLUSH");
    assert_int_equal(spend(client, &remaining, &err), ERR_OK);
    assert_int_equal(remaining, 98); /* executed once */
    redis_client_free(client);
}

static void assert_read_is(struct redis_job *job, const char *expected)
{
    struct redisReply *reply;
    struct slice got;
    struct error err;
    error_init(&err);
    assert_int_equal(redis_client_finish_read(job, &reply, &err), ERR_OK);
    assert_true(redis_reply_bytes(reply, &got));
    assert_true(slice_equals(got, slice_from_string(expected)));
    redis_reply_free(reply);
}

static struct redis_job *begin_echo(struct redis_client *client, const char *word)
{
    const struct slice argv[] = {SLICE("ECHO"), slice_from_string(word)};
    struct redis_job *job;
    struct error err;
    error_init(&err);
    assert_int_equal(redis_client_begin_read(client, argv, 2, &job, &err), ERR_OK);
    return job;
}

static void what_is_begun_is_finished_in_any_order_or_not(void **state)
{
    (void)state;
    struct redis_client *client = test_redis_client(&server);
    struct redis_job *first = begin_echo(client, "first"), *second = begin_echo(client, "second"),
                     *third = begin_echo(client, "third");
    assert_read_is(second, "second");
    redis_client_abandon_read(third);
    assert_read_is(first, "first");
    redis_client_abandon_read(NULL);

    struct redis_job *wrong;
    struct redisReply *reply;
    struct error err;
    error_init(&err);
    assert_int_equal(
        redis_client_begin_read(client, (const struct slice[]){SLICE("NONE")}, 1, &wrong, &err),
        ERR_OK);
    assert_int_equal(redis_client_finish_read(wrong, &reply, &err), ERR_INTERNAL);
    assert_null(reply);
    redis_client_free(client);
}

static void a_detached_call_is_executed(void **state)
{
    (void)state;
    struct redis_client *client = test_redis_client(&server);
    test_command(&server, "DEL ra:rl:{test}:post");
    const struct slice key = SLICE("ra:rl:{test}:post");
    const struct slice args[] = {SLICE("100"), SLICE("60000000")};
    redis_client_eval_detached(client, REDIS_LANE_WRITE, REDIS_SCRIPT_RATE_CHECK, &key, 1, args, 2);
    struct error err;
    int64_t remaining = 0;
    assert_int_equal(spend(client, &remaining, &err), ERR_OK); /* behind it in the queue */
    assert_int_equal(remaining, 98);
    redis_client_free(client);
}

/* How long Redis lacks the effect of a detached call that nothing else follows. Both lanes
 * have just been used: their heartbeats, which would send it too, are 250 ms away. */
static int64_t detached_delay_ms(struct redis_client *client)
{
    const struct slice key = SLICE("ra:rl:{alone}:post");
    const struct slice args[] = {SLICE("100"), SLICE("60000000")};
    char answer[64];
    struct redisReply *reply;
    struct error err;
    error_init(&err);
    for (int lane = 0; lane < REDIS_LANE_COUNT; lane++) {
        assert_int_equal(CALL(client, (enum redis_lane)lane, &reply, &err, SLICE("DEL"), key),
                         ERR_OK);
        redis_reply_free(reply);
    }
    (void)poll(NULL, 0, 20); /* until the I/O thread sleeps, which nobody can see */
    struct mono_time start = clock_mono_now();
    redis_client_eval_detached(client, REDIS_LANE_WRITE, REDIS_SCRIPT_RATE_CHECK, &key, 1, args, 2);
    AWAIT(test_redis_command(&server, answer, sizeof answer, "EXISTS ra:rl:{alone}:post") &&
          answer[0] == '1');
    return ms_since(start);
}

static void a_detached_call_is_sent_at_once(void **state)
{
    (void)state;
    struct redis_client *client = test_redis_client(&server);
    int64_t fastest_ms = INT64_MAX; /* of several: a busy machine may be late */
    for (int i = 0; i < 10 && fastest_ms >= 100; i++) {
        int64_t ms = detached_delay_ms(client);
        fastest_ms = ms < fastest_ms ? ms : fastest_ms;
    }
    assert_in_range(fastest_ms, 0, 99);
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
    struct redis_job *job;
    assert_int_equal(
        redis_client_begin_read(client, (const struct slice[]){SLICE("PING")}, 1, &job, &err),
        ERR_STORE_UNAVAILABLE);
    assert_null(job);
    redis_client_free(client);
}

static void what_the_server_promises_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        enum redis_durability expected;
    } rows[] = {{"CONFIG SET appendfsync always", REDIS_DURABILITY_ALWAYS},
                {"CONFIG SET no-appendfsync-on-rewrite yes", REDIS_DURABILITY_NONE},
                {"CONFIG SET no-appendfsync-on-rewrite no", REDIS_DURABILITY_ALWAYS},
                {"CONFIG SET appendfsync everysec", REDIS_DURABILITY_EVERYSEC},
                {"CONFIG SET appendfsync no", REDIS_DURABILITY_NONE},
                {"CONFIG SET appendfsync everysec appendonly no", REDIS_DURABILITY_NONE}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_command(&server, rows[i].command);
        struct redis_client *client = test_redis_client(&server);
        assert_int_equal(redis_client_durability(client), rows[i].expected);
        redis_client_free(client);
    }
    test_command(&server, "CONFIG SET appendonly yes");
}

static void check_refused(const char *schema)
{
    char command[64];
    (void)snprintf(command, sizeof command, "SET ra:schema %s", schema);
    test_command(&server, command);
    struct redis_options options = test_redis_options(&server);
    struct redis_client *client = redis_client_new(&options);
    assert_true(redis_client_start(client));
    assert_false(test_redis_await_connected(client, true, 500));
    struct error err;
    int64_t value;
    assert_int_equal(increment(client, "other", &value, &err), ERR_STORE_UNAVAILABLE);
    struct redisReply *reply;
    error_init(&err);
    assert_int_equal(CALL(client, REDIS_LANE_READ, &reply, &err, SLICE("GET"), SLICE("other")),
                     ERR_STORE_UNAVAILABLE);
    test_command(&server, "SET ra:schema " REDIS_SCHEMA_TEXT);
    assert_true(test_redis_await_connected(client, true, AWAIT_MS));
    redis_client_free(client);
}

static void another_layout_is_refused(void **state)
{
    (void)state;
    char before[16], after[16];
    (void)snprintf(before, sizeof before, "%d", REDIS_SCHEMA - 1);
    (void)snprintf(after, sizeof after, "%d", REDIS_SCHEMA + 1);
    check_refused(before);
    check_refused(after);
    check_refused("two");
}

static void a_password_and_tcp_by_name_work(void **state)
{
    (void)state;
    struct test_redis other;
    uint16_t port = test_redis_start_tcp(&other);
    test_command(&other, "CONFIG SET requirepass s3cret");
    struct redis_options options = {.host = "localhost",
                                    .port = port,
                                    .db = 3,
                                    .key_prefix = "x:",
                                    .password = "s3cret",
                                    .read_timeout_ms = 1000,
                                    .write_timeout_ms = 1000,
                                    .queue_max = 16};
    struct redis_client *client = redis_client_new(&options);
    assert_true(redis_client_start(client));
    assert_true(test_redis_await_connected(client, true, AWAIT_MS));
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

enum { SLOW_NAME_MS = 1300 };
static const char slow_name[] = "slow-name.test";

/* In the place of libc's for this whole program: one name takes its time, and is local. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    int (*resolve)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&resolve = dlsym(RTLD_NEXT, "getaddrinfo");
    if (node && strcmp(node, slow_name) == 0) {
        (void)poll(NULL, 0, SLOW_NAME_MS);
        node = "127.0.0.1";
    }
    return resolve(node, service, hints, found);
}

/*
 * Calls until one is answered; how many of those before failed at once. An I/O thread that
 * waited for the name itself would leave them all to the backstop.
 */
static int count_failures_at_once(struct redis_client *client, int call_timeout_ms)
{
    struct error err;
    int64_t value;
    int at_once = 0;
    struct mono_time began = clock_mono_now(), start = began;
    while (increment(client, "slow", &value, &err) != ERR_OK) {
        assert_true(err.code == ERR_STORE_UNAVAILABLE || err.code == ERR_STORE_UNKNOWN);
        at_once += ms_since(start) < call_timeout_ms / 2;
        assert_in_range(ms_since(began), 0, AWAIT_MS);
        (void)poll(NULL, 0, 5);
        start = clock_mono_now();
    }
    assert_true(ms_since(began) >= SLOW_NAME_MS - 300);
    return at_once;
}

static void a_name_that_takes_more_than_a_second_resolves(void **state)
{
    (void)state;
    struct test_redis other;
    uint16_t port = test_redis_start_tcp(&other);
    struct redis_options options = {.host = slow_name,
                                    .port = port,
                                    .key_prefix = "ra:",
                                    .read_timeout_ms = 200,
                                    .write_timeout_ms = 200,
                                    .queue_max = 16};
    struct redis_client *client = redis_client_new(&options);
    assert_true(redis_client_start(client));
    assert_in_range(count_failures_at_once(client, 200), 1, 1000);
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
    int64_t fastest_ms = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        struct mono_time start = clock_mono_now();
        assert_int_equal(increment(client, "k", &value, &err), ERR_STORE_UNAVAILABLE);
        int64_t ms = ms_since(start);
        fastest_ms = ms < fastest_ms ? ms : fastest_ms;
    }
    assert_in_range(fastest_ms, 0, options.write_timeout_ms + BACKSTOP_MS - 1);
    redis_client_free(client);
}

int main(void)
{
    static const struct CMUnitTest facts[] = {
        cmocka_unit_test(replies_reach_whoever_asked),
        cmocka_unit_test(error_replies_become_codes),
        cmocka_unit_test(a_replica_is_unavailable_for_writes_and_still_read),
        cmocka_unit_test(a_full_server_is_full_and_still_read),
        cmocka_unit_test(a_silent_server_costs_the_deadline_then_nothing),
        cmocka_unit_test(a_server_silent_from_the_start_costs_the_deadline),
        cmocka_unit_test(a_call_behind_a_heartbeat_outlives_it),
        cmocka_unit_test(an_idle_client_notices_silence),
        cmocka_unit_test(a_client_starts_without_a_server_and_heals),
        cmocka_unit_test(a_restart_under_load_tells_executed_from_not),
        cmocka_unit_test(a_lost_script_is_given_again),
        cmocka_unit_test(what_is_begun_is_finished_in_any_order_or_not),
        cmocka_unit_test(a_detached_call_is_executed),
        cmocka_unit_test(a_detached_call_is_sent_at_once),
        cmocka_unit_test(the_queue_is_bounded),
        cmocka_unit_test(what_the_server_promises_is_known),
        cmocka_unit_test(another_layout_is_refused),
        cmocka_unit_test(a_password_and_tcp_by_name_work),
        cmocka_unit_test(a_name_that_takes_more_than_a_second_resolves),
        cmocka_unit_test(a_name_that_does_not_resolve_holds_up_nobody),
    };
    enum { FACTS = sizeof facts / sizeof *facts };
    struct CMUnitTest tests[FACTS + REFUSAL_COUNT];
    memcpy(tests, facts, sizeof facts);
    for (size_t i = 0; i < REFUSAL_COUNT; i++)
        tests[FACTS + i] = (struct CMUnitTest){.name = refusals[i].words,
                                               .test_func = is_refused_as_its_row_says,
                                               .initial_state = (void *)(uintptr_t)&refusals[i]};
    return cmocka_run_group_tests_name("redis_client", tests, start_server, stop_server);
}
