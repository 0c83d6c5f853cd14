#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "heap_slice.h"
#include "test_request.h"

struct test_request test_request;

int test_request_begin(void **state)
{
    (void)state;
    arena_init(&test_request.arena, 1 << 20);
    error_init(&test_request.err);
    return 0;
}

int test_request_end(void **state)
{
    (void)state;
    arena_release(&test_request.arena);
    return 0;
}

const struct request *test_request_ask(const char *query)
{
    arena_reset(&test_request.arena);
    error_init(&test_request.err);
    test_request.req = (struct request){.query = heap_slice_new(query, strlen(query)),
                                        .arena = &test_request.arena};
    return &test_request.req;
}

const char *test_request_query(const char *name, const char *value)
{
    static char query[128];
    (void)snprintf(query, sizeof query, "%s=%s", name, value);
    return query;
}

enum err_code test_request_check(enum err_code code)
{
    heap_slice_free(test_request.req.query);
    assert_int_equal(code, test_request.err.code);
    return code;
}

void test_request_assert_told(size_t i, const char *name, const char *message)
{
    const struct field_error *field = &test_request.err.fields[i];
    assert_int_equal(test_request.err.code, ERR_VALIDATION);
    assert_true(i < test_request.err.field_count);
    assert_string_equal(field->location, "query");
    assert_string_equal(field->name, name);
    assert_true(strlen(field->message) < sizeof field->message - 1); /* whole */
    if (!strstr(field->message, message))
        fail_msg("%s", field->message);
}
