#include "test_server.h"

#include "test_command.h"

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

void test_server_command(const char *text)
{
    test_command(&test_server.redis, text);
}

long test_server_number(const char *text)
{
    return test_command_number(&test_server.redis, text);
}
