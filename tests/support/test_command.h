/*
 * test_command: commands to a test's Redis, past everything that is tested. For cmocka tests:
 * an error reply fails the running one.
 */
#ifndef TESTS_SUPPORT_TEST_COMMAND_H
#define TESTS_SUPPORT_TEST_COMMAND_H

#include "test_redis.h"

void test_command(const struct test_redis *redis, const char *text);

/* The number that it is answered. */
long test_command_number(const struct test_redis *redis, const char *text);

#endif
