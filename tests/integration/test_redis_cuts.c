/* Connections cut at every byte of the replies, with threads at work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "await.h"
#include "cutting_proxy.h"
#include "near_cache.h"
#include "redis_client.h"
#include "test_redis.h"

enum { THREADS = 4, CALLS = 6 };

static struct test_redis server;
static struct cutting_proxy *proxy;
static char proxy_path[128];

static int start(void **state)
{
    (void)state;
    test_redis_start(&server, NULL);
    (void)snprintf(proxy_path, sizeof proxy_path, "%s/proxy.sock", server.folder);
    proxy = cutting_proxy_new(proxy_path, server.socket_path);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    cutting_proxy_free(proxy);
    test_redis_stop(&server);
    return 0;
}

static struct redis_client *client_through_proxy(struct near_cache **near)
{
    struct redis_options options = test_redis_options(&server);
    options.socket_path = proxy_path;
    options.read_timeout_ms = 2000;
    options.write_timeout_ms = 2000;
    struct redis_client *client = redis_client_new(&options);
    assert_non_null(client);
    if (near)
        *near = near_cache_new(client, 64, 1024);
    assert_true(redis_client_start(client));
    return client;
}

struct caller {
    pthread_t thread;
    struct redis_client *client;
    int id;
    int acknowledged, unknown, wrong;
};

/* Each INCRs a key of its own: the reply of an acknowledged call has to be greater than
 * all before it, and never beyond what was sent. */
static void *call_many(void *argument)
{
    struct caller *c = argument;
    char key[16];
    int len = snprintf(key, sizeof key, "cut:%d", c->id);
    int64_t last = 0;
    for (int i = 0; i < CALLS; i++) {
        const struct slice argv[] = {SLICE("INCR"), slice_of(key, (size_t)len)};
        struct redisReply *reply;
        struct error err;
        error_init(&err);
        int64_t value = 0;
        enum err_code code = redis_client_call(c->client, REDIS_LANE_WRITE, argv, 2, &reply, &err);
        if (code == ERR_OK) {
            c->acknowledged++;
            if (!redis_reply_integer(reply, &value) || value <= last || value > i + 1)
                c->wrong++;
            last = value;
        } else if (code == ERR_STORE_UNKNOWN) {
            c->unknown++;
        } else if (code != ERR_STORE_UNAVAILABLE) {
            c->wrong++;
        }
        redis_reply_free(reply);
    }
    return NULL;
}

static void run_callers(struct redis_client *client)
{
    char answer[64], command[64];
    struct caller callers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        (void)snprintf(command, sizeof command, "DEL cut:%d", i);
        assert_true(test_redis_command(&server, answer, sizeof answer, command));
        callers[i] = (struct caller){.client = client, .id = i};
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_many, &callers[i]), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(callers[i].wrong, 0);
        (void)snprintf(command, sizeof command, "INCRBY cut:%d 0", i);
        assert_true(test_redis_command(&server, answer, sizeof answer, command));
        assert_in_range(strtoll(answer, NULL, 10), callers[i].acknowledged,
                        callers[i].acknowledged + callers[i].unknown);
    }
}

static void a_cut_at_any_byte_of_the_replies_loses_and_doubles_nothing(void **state)
{
    (void)state;
    struct redis_client *client = client_through_proxy(NULL);
    for (int cut = 0; cut < 4 * THREADS * CALLS; cut++) {
        assert_true(test_redis_await_connected(client, true, 20000));
        int before = cutting_proxy_cuts(proxy);
        cutting_proxy_cut_after(proxy, cut);
        run_callers(client);
        /* Where too few replies came for it, the heartbeats bring the rest. */
        for (int i = 0; i < 1000 && cutting_proxy_cuts(proxy) == before; i++)
            (void)poll(NULL, 0, 5);
        assert_int_equal(cutting_proxy_cuts(proxy), before + 1);
    }
    redis_client_free(client);
}

static void a_cut_at_any_byte_of_the_handshake_heals(void **state)
{
    (void)state;
    for (int cut = 0; cut < 1200; cut += 13) {
        cutting_proxy_cut_after(proxy, cut);
        struct near_cache *near;
        struct redis_client *client = client_through_proxy(&near);
        assert_true(test_redis_await_connected(client, true, 20000));
        redis_client_free(client);
        near_cache_free(near);
    }
    cutting_proxy_cut_after(proxy, -1);
}

/* NOSCRIPT came through: whatever becomes of the loading, the call was not executed. */
static void a_cut_while_a_lost_script_is_loaded_leaves_no_doubt(void **state)
{
    (void)state;
    static const char lost[] = "-NOSCRIPT No matching script. Please use EVAL.\r\n";
    enum { LOADED_BYTES = 47 /* of the reply, a digest */ };
    struct redis_client *client = client_through_proxy(NULL);
    const struct slice key = SLICE("lost"), args[] = {SLICE("10"), SLICE("1000000")};
    for (int cut = LOADED_BYTES / 3; cut < LOADED_BYTES - 7; cut += 5) {
        char answer[64];
        struct redisReply *reply;
        struct error err;
        error_init(&err);
        assert_true(test_redis_await_connected(client, true, 20000));
        assert_true(test_redis_command(&server, answer, sizeof answer, "SCRIPT FLUSH"));
        int before = cutting_proxy_cuts(proxy);
        cutting_proxy_cut_after(proxy, (int64_t)(sizeof lost - 1) + cut);
        assert_int_equal(redis_client_eval(client, REDIS_LANE_WRITE, REDIS_SCRIPT_RATE_CHECK, &key,
                                           1, args, 2, &reply, &err),
                         ERR_STORE_UNAVAILABLE);
        AWAIT(cutting_proxy_cuts(proxy) == before + 1);
        assert_true(test_redis_command(&server, answer, sizeof answer, "EXISTS lost"));
        assert_string_equal(answer, "0");
    }
    redis_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_at_any_byte_of_the_replies_loses_and_doubles_nothing),
        cmocka_unit_test(a_cut_at_any_byte_of_the_handshake_heals),
        cmocka_unit_test(a_cut_while_a_lost_script_is_loaded_leaves_no_doubt),
    };
    return cmocka_run_group_tests_name("redis_cuts", tests, start, stop);
}
