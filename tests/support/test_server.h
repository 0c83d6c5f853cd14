/*
 * test_server: one Redis for all tests of a program (test_redis.h), and a client of it.
 */
#ifndef TESTS_SUPPORT_TEST_SERVER_H
#define TESTS_SUPPORT_TEST_SERVER_H

#include "test_redis.h"

struct test_server {
    struct test_redis redis;
    struct redis_client *client;
};

extern struct test_server test_server;

/* For cmocka, around the group. */
int test_server_start(void **state);
int test_server_stop(void **state);

/* The same start with options of the server's ("--appendonly", "no", ..., NULL). */
void test_server_start_with(const char *const options[]);

/* Past the client; an error reply fails the test. The number that it is answered. */
void test_server_command(const char *text);
long test_server_number(const char *text);

#endif
