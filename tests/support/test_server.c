#include "test_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

struct test_server test_server;

void test_server_start_with(const char *const options[])
{
    test_redis_start(&test_server.redis, options);
    test_server.client = test_redis_client(&test_server.redis);
}

int test_server_start(void **state)
{
    (void)state;
    test_server_start_with(NULL);
    return 0;
}

int test_server_stop(void **state)
{
    (void)state;
    redis_client_free(test_server.client);
    test_redis_stop(&test_server.redis);
    return 0;
}

static void command(char *out, size_t out_bytes, const char *text)
{
    if (!test_redis_command(&test_server.redis, out, out_bytes, text))
        fail_msg("%s: %s", text, out);
}

void test_server_command(const char *text)
{
    char out[256];
    command(out, sizeof out, text);
}

long test_server_number(const char *text)
{
    char out[64];
    command(out, sizeof out, text);
    return strtol(out, NULL, 10);
}
