/*
 * test_redis: a real redis-server of a test's own, on a unix socket in a temporary
 * folder. Dies with the test (PR_SET_PDEATHSIG). A failure to start ends the test
 * program with a message.
 */
#ifndef TESTS_SUPPORT_TEST_REDIS_H
#define TESTS_SUPPORT_TEST_REDIS_H

#include <stdbool.h>
#include <sys/types.h>

#include "redis_client.h"

struct test_redis {
    char folder[64];
    char socket_path[96];
    pid_t pid; /* 0: not running */
    char *extra_args[16];
};

/*
 * Start with an append-only file and the options given ("--maxmemory", "1mb", …, NULL),
 * which hold for later starts too; NULL: none. Waits until PING is answered.
 */
void test_redis_start(struct test_redis *redis, const char *const extra_args[]);

/* The same without options, also on a free port of 127.0.0.1, which is returned. */
uint16_t test_redis_start_tcp(struct test_redis *redis);

/* Start again on the same folder, after a kill. */
void test_redis_restart(struct test_redis *redis);
/* Only fork and exec: it may still be loading. */
void test_redis_spawn(struct test_redis *redis);

void test_redis_kill(struct test_redis *redis);   /* SIGKILL, waits */
void test_redis_pause(struct test_redis *redis);  /* SIGSTOP */
void test_redis_resume(struct test_redis *redis); /* SIGCONT */

/* Kill it and remove its folder. */
void test_redis_stop(struct test_redis *redis);

/*
 * One inline command over a connection of its own. Puts the text of a status, integer
 * or bulk reply into `out` (an array's raw bytes). False for an error reply or when
 * nobody answers within 5 s.
 */
bool test_redis_command(const struct test_redis *redis, char *out, size_t out_bytes,
                        const char *command);

/* Options for a client of this server: prefix "ra:", the default timeouts. */
struct redis_options test_redis_options(const struct test_redis *redis);

/* A started client that is connected, with patient timeouts; ends the test program
 * when it does not connect. */
struct redis_client *test_redis_client(const struct test_redis *redis);

bool test_redis_await_connected(struct redis_client *client, bool wanted, int timeout_ms);

#endif
