/* www/openapi.json against the routes table and the error table, both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "error.h"
#include "json_read.h"
#include "routes.h"
#include "slice.h"

enum { FILE_BYTES_MAX = 1 << 20, METHOD_BYTES = 8 };

static struct json_document *document;

static const struct json_value *member(const char *name)
{
    return json_value_member(json_document_root(document), name);
}

static int read_document(void **state)
{
    (void)state;
    static char bytes[FILE_BYTES_MAX];
    FILE *file = fopen("www/openapi.json", "rb"); /* tests run in the project's root */
    if (!file)
        return -1;
    size_t len = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    struct error err;
    error_init(&err);
    document = json_document_new(slice_of(bytes, len), "openapi.json", &err);
    return document ? 0 : -1;
}

static int free_document(void **state)
{
    (void)state;
    json_document_free(document);
    return 0;
}

static const struct json_value *operation_of(const struct route *route)
{
    char method[METHOD_BYTES] = "";
    for (size_t i = 0; route->method[i] && i + 1 < sizeof method; i++)
        method[i] = (char)(route->method[i] - 'A' + 'a');
    return json_value_member(json_value_member(member("paths"), route->path), method);
}

static void describes_every_route(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count; i++) {
        if (!operation_of(&routes[i]))
            fail_msg("openapi.json lacks %s %s", routes[i].method, routes[i].path);
    }
}

static void tells_which_routes_take_a_body_and_which_differ_in_their_token(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count; i++) {
        const struct json_value *operation = operation_of(&routes[i]);
        if ((json_value_member(operation, "requestBody") != NULL) != routes[i].takes_body)
            fail_msg("requestBody of %s %s", routes[i].method, routes[i].path);
        if ((json_value_member(operation, "security") != NULL) != (routes[i].scope != ROUTE_API))
            fail_msg("security of %s %s", routes[i].method, routes[i].path);
    }
}

struct walk {
    struct slice path;
    size_t operations;
};

static bool check_operation(void *context, struct slice method, const struct json_value *operation)
{
    struct walk *walk = context;
    struct slice id = SLICE("");
    assert_true(json_value_text(json_value_member(operation, "operationId"), &id));
    walk->operations++;
    for (size_t i = 0; i < route_count; i++) {
        if (slice_equals(walk->path, slice_from_string(routes[i].path)) &&
            slice_equals_ignoring_case(method, slice_from_string(routes[i].method)))
            return true;
    }
    fail_msg("no route %.*s %.*s", (int)method.len, method.ptr, (int)walk->path.len,
             walk->path.ptr);
    return false;
}

static bool check_path(void *context, struct slice path, const struct json_value *operations)
{
    ((struct walk *)context)->path = path;
    json_value_each(operations, check_operation, context);
    return true;
}

static void describes_nothing_that_is_not_routed(void **state)
{
    (void)state;
    struct walk walk = {.operations = 0};
    json_value_each(member("paths"), check_path, &walk);
    assert_int_equal(walk.operations, route_count);
}

static bool count_code(void *context, struct slice name, const struct json_value *value)
{
    (void)name;
    struct slice text;
    assert_true(json_value_text(value, &text));
    for (int code = ERR_OK + 1; code < ERR_CODE_COUNT; code++) {
        if (slice_equals(text, slice_from_string(err_name((enum err_code)code)))) {
            ++*(size_t *)context;
            return true;
        }
    }
    fail_msg("no error has the code %.*s", (int)text.len, text.ptr);
    return false;
}

static void lists_every_error_code(void **state)
{
    (void)state;
    const struct json_value *problem =
        json_value_member(json_value_member(member("components"), "schemas"), "Problem");
    const struct json_value *code =
        json_value_member(json_value_member(problem, "properties"), "code");
    size_t count = 0;
    json_value_each(json_value_member(code, "enum"), count_code, &count);
    assert_int_equal(count, ERR_CODE_COUNT - 1);
}

static void tells_the_version_of_this_build(void **state)
{
    (void)state;
    struct slice version = SLICE("");
    assert_true(json_value_text(json_value_member(member("info"), "version"), &version));
    assert_true(slice_equals(version, SLICE(ANALYTICS_VERSION)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(describes_every_route),
        cmocka_unit_test(tells_which_routes_take_a_body_and_which_differ_in_their_token),
        cmocka_unit_test(describes_nothing_that_is_not_routed),
        cmocka_unit_test(lists_every_error_code),
        cmocka_unit_test(tells_the_version_of_this_build),
    };
    return cmocka_run_group_tests(tests, read_document, free_document);
}
