#include "lane_gate.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <string.h>

#include "await.h"

static void *wait_in_line(void *argument)
{
    struct lane_gate *gate = argument;
    const struct slice argv[] = {SLICE("BLPOP"), SLICE("ra:gate"), SLICE("0")};
    struct redisReply *reply;
    if (redis_client_call(gate->client, gate->lane, argv, 3, &reply, NULL) == ERR_OK)
        redis_reply_free(reply);
    return NULL;
}

static bool is_closed(const struct lane_gate *gate)
{
    char clients[4096];
    return test_redis_command(gate->server, clients, sizeof clients, "INFO clients") &&
           strstr(clients, "blocked_clients:1");
}

void lane_gate_close(struct lane_gate *gate, const struct test_redis *server,
                     struct redis_client *client, enum redis_lane lane)
{
    gate->server = server;
    gate->client = client;
    gate->lane = lane;
    assert_int_equal(pthread_create(&gate->thread, NULL, wait_in_line, gate), 0);
    AWAIT(is_closed(gate));
}

void lane_gate_open(struct lane_gate *gate)
{
    char out[64];
    assert_true(test_redis_command(gate->server, out, sizeof out, "RPUSH ra:gate x"));
    assert_int_equal(pthread_join(gate->thread, NULL), 0);
}
