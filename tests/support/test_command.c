#include "test_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

static void ask(const struct test_redis *redis, const char *text, char *out, size_t out_bytes)
{
    if (!test_redis_command(redis, out, out_bytes, text))
        fail_msg("%s: %s", text, out);
}

void test_command(const struct test_redis *redis, const char *text)
{
    char out[256];
    ask(redis, text, out, sizeof out);
}

long test_command_number(const struct test_redis *redis, const char *text)
{
    char out[64];
    ask(redis, text, out, sizeof out);
    return strtol(out, NULL, 10);
}
