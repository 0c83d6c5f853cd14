/*
 * lane_gate: holds back all that is asked on one lane of a client, for tests that need many
 * to wait for Redis at once, or an old question answered late.
 */
#ifndef TESTS_SUPPORT_LANE_GATE_H
#define TESTS_SUPPORT_LANE_GATE_H

#include <pthread.h>

#include "redis_client.h"
#include "test_redis.h"

struct lane_gate {
    pthread_t thread;
    const struct test_redis *server;
    struct redis_client *client;
    enum redis_lane lane;
};

/* The lane's connection waits in a BLPOP from now on: what follows is asked, and executed
 * once the gate is open. The lane's timeout limits how long; other lanes go on. */
void lane_gate_close(struct lane_gate *gate, const struct test_redis *server,
                     struct redis_client *client, enum redis_lane lane);
void lane_gate_open(struct lane_gate *gate);

#endif
