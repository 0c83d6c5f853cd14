/* Dispatch, fed with requests as data; no socket, no Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dispatch.h"
#include "log.h"
#include "routes.h"

enum { BODY_LIMIT = 100 };

static struct config config;
static struct app app;
static struct arena arena;
static struct response res;
static size_t body_left;
static bool body_was_read;

static int fresh(void **state)
{
    (void)state;
    log_init(LOG_LEVEL_COUNT, LOG_FORMAT_TEXT);
    config = (struct config){.api_token = "",
                             .admin_token = "",
                             .body_limit_bytes = BODY_LIMIT,
                             .ingest_body_limit_bytes = BODY_LIMIT};
    app = (struct app){.config = &config};
    arena_init(&arena, 1 << 20);
    response_init(&res);
    body_left = 0;
    body_was_read = false;
    return 0;
}

static int done(void **state)
{
    (void)state;
    response_release(&res);
    arena_release(&arena);
    return 0;
}

static int read_spaces(void *context, char *bytes, size_t room)
{
    (void)context;
    body_was_read = true;
    size_t len = room < body_left ? room : body_left;
    memset(bytes, ' ', len);
    body_left -= len;
    return (int)len;
}

static struct request make_request(const char *method, const char *path, const char *query)
{
    return (struct request){.method = slice_from_string(method),
                            .path = slice_from_string(path),
                            .query = slice_from_string(query),
                            .request_id = SLICE("id"),
                            .source = {NULL, read_spaces},
                            .arena = &arena};
}

static int answer(const char *method, const char *path, const char *query)
{
    struct request req = make_request(method, path, query);
    response_reset(&res);
    arena_reset(&arena);
    dispatch(&app, &req, &res);
    return res.status;
}

static bool has_header(const char *line)
{
    struct slice all = strbuf_slice(&res.headers);
    return memmem(all.ptr, all.len, line, strlen(line)) != NULL;
}

static void the_table_is_complete_and_has_no_doubles(void **state)
{
    (void)state;
    const struct route_table table = {routes, route_count, .has_admin = true};
    for (size_t i = 0; i < route_count; i++) {
        assert_non_null(routes[i].handler);
        assert_true(strlen(routes[i].summary) > 0);
        for (size_t j = 0; j < i; j++) {
            assert_false(strcmp(routes[i].path, routes[j].path) == 0 &&
                         strcmp(routes[i].method, routes[j].method) == 0);
        }
        const struct route *route;
        assert_int_equal(route_find(&table, slice_from_string(routes[i].method),
                                    slice_from_string(routes[i].path), &route),
                         ROUTE_FOUND);
        assert_ptr_equal(route, &routes[i]);
    }
}

static void unknown_paths_are_404(void **state)
{
    (void)state;
    static const char *const paths[] = {"/nope",     "/api",    "/apixyz",       "/api/metricsx",
                                        "/health/x", "/HEALTH", "/api//metrics", "/nope/"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_int_equal(answer("GET", paths[i], ""), 404);
}

static void unacceptable_targets_are_400(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "", "livez", "/../livez", "/livez/..", "/a/../livez", "/live\nz", "/\x7f"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_int_equal(answer("GET", paths[i], ""), 400);
    assert_int_equal(answer("GET", "/livez", "a=\r\nSet-Cookie: x"), 400);
    assert_int_equal(answer("GET", "/..a", ""), 404);
}

static void wrong_methods_are_405_with_allow(void **state)
{
    (void)state;
    assert_int_equal(answer("POST", "/livez", ""), 405);
    assert_true(has_header("Allow: GET, HEAD\r\n"));
    assert_int_equal(answer("GET", "/api/metrics", ""), 405);
    assert_true(has_header("Allow: POST\r\n"));
    assert_int_equal(answer("OPTIONS", "/", ""), 405);
    assert_int_equal(answer("get", "/livez", ""), 405);
    assert_int_equal(answer("", "/livez", ""), 405);
    assert_int_equal(answer("POST", "/openapi.json", ""), 405);
    assert_true(has_header("Allow: GET, HEAD\r\n"));
}

static void a_trailing_slash_is_redirected_with_its_query(void **state)
{
    (void)state;
    assert_int_equal(answer("GET", "/livez/", "a=b&c=%20"), 307);
    assert_true(has_header("Location: /livez?a=b&c=%20\r\n"));
    assert_int_equal(answer("POST", "/api/metrics/", ""), 307);
    assert_true(has_header("Location: /api/metrics\r\n"));
    assert_int_equal(answer("GET", "/docs/", "a=1"), 307);
    assert_true(has_header("Location: /docs?a=1\r\n"));
}

static void head_is_get_without_the_body(void **state)
{
    (void)state;
    struct strbuf get, head;
    strbuf_init(&get, 65536);
    strbuf_init(&head, 65536);
    assert_int_equal(answer("GET", "/", ""), 200);
    response_serialize(&res, SLICE("id"), false, &get);
    size_t body_len = res.body.len;
    assert_int_equal(answer("HEAD", "/", ""), 200);
    response_serialize(&res, SLICE("id"), true, &head);
    assert_true(body_len > 0);
    assert_int_equal(get.len - body_len, head.len);
    assert_memory_equal(get.bytes, head.bytes, head.len);
    strbuf_release(&get);
    strbuf_release(&head);
}

static int post_body(const char *content_length, size_t bytes)
{
    struct request req = make_request("POST", "/api/metrics", "");
    req.content_length = slice_from_string(content_length);
    response_reset(&res);
    arena_reset(&arena);
    body_left = bytes;
    body_was_read = false;
    dispatch(&app, &req, &res);
    return res.status;
}

/* What is taken is 422 here: blanks are no JSON. */
static void the_length_of_a_body_is_a_claim(void **state)
{
    (void)state;
    assert_int_equal(post_body("", 0), 422);
    assert_int_equal(post_body("", BODY_LIMIT), 422);
    assert_int_equal(post_body("", BODY_LIMIT + 1), 413);
    assert_int_equal(post_body("100", BODY_LIMIT), 422);
    assert_int_equal(post_body("0", 0), 422);
    assert_int_equal(post_body("10", 9), 400);
    assert_int_equal(post_body("10", 11), 400);
    assert_int_equal(post_body("0", 1), 400);
    static const char *const malformed[] = {"-1", "1e3", "+5", " 5", "5 ", "0x5", "5,5"};
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        assert_int_equal(post_body(malformed[i], 5), 400);
        assert_false(body_was_read);
    }
    static const char *const large[] = {"101", "18446744073709551616", "99999999999999999999999"};
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        assert_int_equal(post_body(large[i], 5), 413);
        assert_false(body_was_read);
    }
}

static int with_token(const char *path, const char *authorization)
{
    struct request req = make_request("GET", path, "");
    req.authorization = slice_from_string(authorization);
    response_reset(&res);
    dispatch(&app, &req, &res);
    return res.status;
}

static void a_token_is_asked_for_when_there_is_one(void **state)
{
    (void)state;
    config.api_token = "secret";
    static const char *const wrong[] = {"",       "Bearer",         "Bearer ",      "Bearer secre",
                                        "secret", "Bearer secrets", "Basic secret", "Bearersecret"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(with_token("/", wrong[i]), 401);
        assert_true(has_header("WWW-Authenticate: Bearer\r\n"));
        strbuf_append_char(&res.body, '\0');
        assert_non_null(
            strstr(res.body.bytes, "\"This endpoint asks for API_TOKEN as a bearer token\""));
    }
    assert_int_equal(with_token("/", "Bearer secret"), 200);
    assert_int_equal(with_token("/", "bearer  secret "), 200);
    assert_int_equal(with_token("/livez", ""), 200);
    assert_int_equal(post_body("5", 5), 401);
    assert_false(body_was_read);
}

static void every_endpoint_but_health_and_documentation_asks_for_the_token(void **state)
{
    (void)state;
    static const char *const open[] = {"/health",     "/livez", "/readyz", "/ping",
                                       "/dashboard/", "/docs",  "/redoc",  "/openapi.json"};
    for (size_t i = 0; i < route_count; i++) {
        bool is_open = false;
        for (size_t j = 0; j < sizeof open / sizeof *open; j++)
            is_open = is_open || strcmp(routes[i].path, open[j]) == 0;
        assert_int_equal(routes[i].scope == ROUTE_OPEN, is_open);
    }
}

static enum err_code answer_nothing(struct app *unused, const struct request *req,
                                    struct response *answered, struct error *err)
{
    (void)unused, (void)req, (void)answered, (void)err;
    return ERR_OK;
}

static const struct route administered[] = {
    {"DELETE", "/mixed", answer_nothing, false, ROUTE_ADMIN, ROUTE_POLICY_NONE, false, ""},
    {"GET", "/mixed", answer_nothing, false, ROUTE_API, ROUTE_POLICY_NONE, false, ""},
    {"POST", "/mixed", answer_nothing, true, ROUTE_ADMIN, ROUTE_POLICY_NONE, false, ""},
    {"GET", "/admin", answer_nothing, false, ROUTE_ADMIN, ROUTE_POLICY_NONE, false, ""},
};

static int administer(const char *method, const char *path, const char *authorization)
{
    struct request req = make_request(method, path, "");
    req.authorization = slice_from_string(authorization);
    response_reset(&res);
    arena_reset(&arena);
    body_was_read = false;
    dispatch_among(administered, sizeof administered / sizeof *administered, &app, &req, &res);
    return res.status;
}

static void assert_there_is_no_administration(const char *authorization)
{
    assert_int_equal(administer("GET", "/admin", authorization), 404);
    assert_int_equal(administer("POST", "/admin", authorization), 404);
    assert_int_equal(administer("GET", "/admin/", authorization), 404);
    assert_int_equal(administer("DELETE", "/mixed", authorization), 404);
    assert_int_equal(administer("POST", "/mixed", authorization), 404);
    assert_int_equal(administer("PUT", "/mixed", authorization), 405);
    assert_true(has_header("Allow: GET, HEAD\r\n"));
    assert_int_equal(administer("DELETE", "/mixed/", authorization), 307);
    assert_false(body_was_read);
}

static void without_its_token_there_is_no_administration(void **state)
{
    (void)state;
    static const char *const guesses[] = {"", "Bearer ", "Bearer  ", "Bearer x", "Bearer secret"};
    for (size_t i = 0; i < sizeof guesses / sizeof *guesses; i++) {
        config.api_token = "";
        assert_there_is_no_administration(guesses[i]);
        assert_int_equal(administer("GET", "/mixed", guesses[i]), 200);
        config.api_token = "secret";
        assert_there_is_no_administration(guesses[i]);
    }
    assert_int_equal(administer("GET", "/mixed", "Bearer secret"), 200);
}

static void administration_asks_for_its_own_token(void **state)
{
    (void)state;
    config.admin_token = "root";
    static const char *const api_tokens[] = {"", "secret"};
    static const char *const wrong[] = {
        "", "Bearer ", "Bearer secret", "Bearer roo", "Bearer roots", "Basic root", "root"};
    for (size_t i = 0; i < 2; i++) {
        config.api_token = api_tokens[i];
        for (size_t j = 0; j < sizeof wrong / sizeof *wrong; j++) {
            assert_int_equal(administer("DELETE", "/mixed", wrong[j]), 401);
            assert_true(has_header("WWW-Authenticate: Bearer\r\n"));
            assert_int_equal(administer("GET", "/admin", wrong[j]), 401);
            assert_int_equal(administer("POST", "/mixed", wrong[j]), 401);
            assert_false(body_was_read);
        }
        assert_int_equal(administer("DELETE", "/mixed", "Bearer root"), 200);
        assert_int_equal(administer("GET", "/admin", "Bearer root"), 200);
        assert_int_equal(administer("HEAD", "/admin", "Bearer root"), 200);
        assert_int_equal(administer("POST", "/mixed", "Bearer root"), 200);
        assert_true(body_was_read);
    }
    assert_int_equal(administer("GET", "/mixed", "Bearer root"), 401);
    assert_int_equal(administer("GET", "/mixed", "Bearer secret"), 200);
}

static void with_its_token_administration_is_among_the_methods(void **state)
{
    (void)state;
    config.admin_token = "root";
    assert_int_equal(administer("PUT", "/mixed", ""), 405);
    assert_true(has_header("Allow: DELETE, GET, HEAD, POST\r\n"));
    assert_int_equal(administer("DELETE", "/admin", ""), 405);
    assert_true(has_header("Allow: GET, HEAD\r\n"));
    assert_int_equal(administer("GET", "/admin/", ""), 307);
}

static void running_out_of_memory_is_503(void **state)
{
    (void)state;
    arena_release(&arena);
    arena_init(&arena, 10);
    assert_int_equal(post_body("", 0), 503);
    assert_true(has_header("Retry-After: "));
}

static void header_values_cannot_break_a_line(void **state)
{
    (void)state;
    response_header(&res, "X-Test", "%s", "a\r\nSet-Cookie: b\x01\x7f");
    assert_true(slice_equals(strbuf_slice(&res.headers), SLICE("X-Test: aSet-Cookie: b\r\n")));
}

static void one_event_a_second_passes_the_gate(void **state)
{
    (void)state;
    struct log_gate gate = {0};
    int64_t suppressed = -1;
    assert_true(log_gate_passes(&gate, (struct mono_time){5000000}, &suppressed));
    assert_int_equal(suppressed, 0);
    assert_false(log_gate_passes(&gate, (struct mono_time){5500000}, &suppressed));
    assert_false(log_gate_passes(&gate, (struct mono_time){5999999}, &suppressed));
    assert_true(log_gate_passes(&gate, (struct mono_time){6000000}, &suppressed));
    assert_int_equal(suppressed, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(the_table_is_complete_and_has_no_doubles),
        TEST(unknown_paths_are_404),
        TEST(unacceptable_targets_are_400),
        TEST(wrong_methods_are_405_with_allow),
        TEST(a_trailing_slash_is_redirected_with_its_query),
        TEST(head_is_get_without_the_body),
        TEST(the_length_of_a_body_is_a_claim),
        TEST(a_token_is_asked_for_when_there_is_one),
        TEST(every_endpoint_but_health_and_documentation_asks_for_the_token),
        TEST(without_its_token_there_is_no_administration),
        TEST(administration_asks_for_its_own_token),
        TEST(with_its_token_administration_is_among_the_methods),
        TEST(running_out_of_memory_is_503),
        TEST(header_values_cannot_break_a_line),
        TEST(one_event_a_second_passes_the_gate),
    };
    return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}
