/* external_service with a URL, against a real HTTP server that does as it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "await.h"
#include "external_service.h"
#include "http_server.h"
#include "test_server.h"

enum { THRESHOLD = 1000, TIMEOUT_MS = 2000 };

/* Of one test. */
static struct http_server *server;
static struct circuit_breaker *breaker;
static struct external_service *service;
static struct strbuf data;
static struct error err;

static int start_group(void **state)
{
    (void)setenv("no_proxy", "*", 1);
    return test_server_start(state);
}

static int start(void **state)
{
    static unsigned number;
    static char name[32];
    (void)state;
    (void)snprintf(name, sizeof name, "http%u", number++);
    const struct breaker_options options = {.name = name,
                                            .failure_threshold = THRESHOLD,
                                            .reset_timeout_ms = 60000,
                                            .probe_lease_ms = 5000};
    server = http_server_new();
    breaker = circuit_breaker_new(test_server.client, &options);
    strbuf_init(&data, EXTERNAL_DATA_BYTES_MAX + 1);
    return breaker ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    external_service_free(service);
    service = NULL;
    circuit_breaker_free(breaker);
    http_server_free(server);
    strbuf_release(&data);
    return 0;
}

static void ask_at(const char *base, const char *path, uint32_t timeout_ms)
{
    static char url[2100];
    (void)snprintf(url, sizeof url, "%s%s", base, path);
    const struct external_options options = {
        .url = url, .timeout_ms = timeout_ms, .cache_ttl_seconds = 60};
    service = external_service_new(&options, test_server.client, breaker);
    assert_non_null(service);
}

static enum err_code call(const char *type)
{
    strbuf_reset(&data);
    error_init(&err);
    enum err_code code = external_service_call(service, slice_from_string(type), &data, &err);
    assert_int_equal(err.code, code);
    return code;
}

static struct breaker_status status_now(void)
{
    struct breaker_status status;
    circuit_breaker_status(breaker, &status);
    return status;
}

static void assert_data(const char *wanted)
{
    if (call("cpu") != ERR_OK)
        fail_msg("%s: %s", err.detail, err.cause);
    strbuf_append_char(&data, '\0');
    assert_string_equal(data.bytes, wanted);
}

static void assert_fails(const char *cause)
{
    uint64_t before = status_now().failure_count;
    assert_int_equal(call("cpu"), ERR_UPSTREAM_FAILED);
    assert_int_equal(data.len, 0);
    if (!strstr(err.cause, cause))
        fail_msg("cause \"%s\" lacks \"%s\"", err.cause, cause);
    assert_int_equal(status_now().failure_count, before + 1);
}

static void an_object_comes_back_byte_for_byte(void **state)
{
    (void)state;
    ask_at(http_server_url(server), "/data", TIMEOUT_MS);
    static const char body[] = "{\"a\": [1e2, \"\\u00e9\", null],\n \"b\":{}}";
    http_server_answer(server, 200, body);
    assert_data(body);
    http_server_answer(server, 203, "{}");
    assert_data("{}");
    assert_int_equal(status_now().success_count, 2);
    assert_int_equal(status_now().failure_count, 0);
}

static void what_surrounds_the_object_is_left_out(void **state)
{
    (void)state;
    ask_at(http_server_url(server), "/data", TIMEOUT_MS);
    http_server_answer(server, 200, "\xef\xbb\xbf \r\n{\"a\":1}\n\n");
    assert_data("{\"a\":1}");
    http_server_answer(server, 200, "\xef\xbb\xbf\xef\xbb\xbf{\"a\":1}");
    assert_fails("no JSON object");
}

static void assert_request_line(const char *wanted)
{
    char line[4096];
    http_server_request_line(server, line, sizeof line);
    assert_string_equal(line, wanted);
}

static void the_type_is_percent_encoded(void **state)
{
    (void)state;
    ask_at(http_server_url(server), "/data", TIMEOUT_MS);
    http_server_answer(server, 200, "{}");
    assert_int_equal(call("a b&c=d/\xc3\xa9~-._Z9+%#?"), ERR_OK);
    assert_request_line("GET /data?type=a%20b%26c%3Dd%2F%C3%A9~-._Z9%2B%25%23%3F HTTP/1.1");
}

static void the_type_joins_a_query_that_is_there(void **state)
{
    (void)state;
    ask_at(http_server_url(server), "?key=1", TIMEOUT_MS);
    http_server_answer(server, 200, "{}");
    assert_int_equal(call("cpu"), ERR_OK);
    assert_request_line("GET /?key=1&type=cpu HTTP/1.1");
}

static void the_longest_type_fits(void **state)
{
    (void)state;
    char type[513] = "";
    memset(type, '\x7f', sizeof type - 1);
    char path[1900] = "/";
    memset(path + 1, 'p', sizeof path - 2);
    path[sizeof path - 1] = '\0';
    ask_at(http_server_url(server), path, TIMEOUT_MS);
    http_server_answer(server, 200, "{}");
    assert_int_equal(call(type), ERR_OK);
}

static void other_statuses_are_failures(void **state)
{
    (void)state;
    ask_at(http_server_url(server), "/data", TIMEOUT_MS);
    static const int statuses[] = {300, 304, 400, 404, 429, 500, 503};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        char cause[32];
        (void)snprintf(cause, sizeof cause, "status %d", statuses[i]);
        http_server_answer(server, statuses[i], statuses[i] == 304 ? "" : "{\"a\":1}");
        assert_fails(cause);
    }
    http_server_answer(server, 200, "{}");
    assert_data("{}");
}

static void all_but_one_sound_object_is_a_failure(void **state)
{
    (void)state;
    ask_at(http_server_url(server), "/data", TIMEOUT_MS);
    static const char *const bodies[] = {"",
                                         "hello",
                                         "[1]",
                                         "\"text\"",
                                         "1",
                                         "{",
                                         "{\"a\":1} {}",
                                         "{\"a\":}",
                                         "{\"a\":1e999}",
                                         "{\"a\":\"\xff\"}",
                                         "{\"a\":1}x",
                                         "{\"a\":1,\"a\":2}",
                                         "{\"a\":NaN}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        http_server_answer(server, 200, bodies[i]);
        assert_fails("no JSON object");
    }
    char deep[256] = "";
    for (int i = 0; i < 33; i++)
        memcpy(deep + strlen(deep), "{\"a\":", 6);
    size_t len = strlen(deep);
    deep[len] = '1';
    memset(deep + len + 1, '}', 33);
    http_server_answer(server, 200, deep);
    assert_fails("no JSON object: ");
}

/* An object of exactly so many bytes. */
static void answer_with_bytes(size_t bytes)
{
    char body[EXTERNAL_DATA_BYTES_MAX * 8];
    (void)snprintf(body, sizeof body, "{\"a\":\"%0*d\"}", (int)bytes - 8, 0);
    http_server_answer(server, 200, body);
}

static void a_body_may_have_1024_bytes_and_no_more(void **state)
{
    (void)state;
    ask_at(http_server_url(server), "/data", TIMEOUT_MS);
    answer_with_bytes(EXTERNAL_DATA_BYTES_MAX);
    assert_int_equal(call("cpu"), ERR_OK);
    assert_int_equal(data.len, EXTERNAL_DATA_BYTES_MAX);
    answer_with_bytes(EXTERNAL_DATA_BYTES_MAX + 1);
    assert_fails("more than 1024 bytes");
    answer_with_bytes(EXTERNAL_DATA_BYTES_MAX * 7);
    assert_fails("more than 1024 bytes");
}

static void a_cut_answer_is_a_failure(void **state)
{
    (void)state;
    ask_at(http_server_url(server), "/data", TIMEOUT_MS);
    http_server_answer_raw(server, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"a\":1}");
    assert_fails("");
    http_server_answer_raw(server, "HTTP/1.1 200 OK\r\nConte");
    assert_fails("");
    http_server_answer_raw(server, "");
    assert_fails("mpty reply");
    http_server_answer_raw(server, "\x01\x02\x03\r\n\r\n");
    assert_fails("");
}

static void a_refused_connection_is_a_failure(void **state)
{
    (void)state;
    char url[64];
    (void)snprintf(url, sizeof url, "%s", http_server_url(server));
    http_server_free(server);
    ask_at(url, "/data", TIMEOUT_MS);
    assert_fails("onnect");
    server = http_server_new();
}

static void the_timeout_is_the_whole_budget(void **state)
{
    (void)state;
    enum { SHORT_MS = 200 };
    ask_at(http_server_url(server), "/data", SHORT_MS);
    http_server_be_silent(server);
    struct mono_time begin = clock_mono_now();
    assert_fails("timed out");
    assert_in_range(ms_since(begin), SHORT_MS - 5, AWAIT_MS);
    assert_non_null(strstr(err.detail, "in time"));
}

static void the_end_does_not_wait_for_a_slow_answer(void **state)
{
    (void)state;
    ask_at(http_server_url(server), "/data", 60000);
    http_server_be_silent(server);
    external_service_refresh(service, SLICE("a"));
    external_service_refresh(service, SLICE("b"));
    AWAIT(http_server_requests(server) == 2);
    struct mono_time begin = clock_mono_now();
    external_service_free(service);
    service = NULL;
    assert_in_range(ms_since(begin), 0, AWAIT_MS);
    assert_int_equal(status_now().failure_count, 0);
}

static void a_connection_serves_many_calls(void **state)
{
    (void)state;
    ask_at(http_server_url(server), "/data", TIMEOUT_MS);
    http_server_answer(server, 200, "{}");
    for (int i = 0; i < 20; i++)
        assert_data("{}");
    assert_int_equal(http_server_requests(server), 20);
    assert_in_range(http_server_connections(server), 1, EXTERNAL_SLOTS);
}

static void a_connection_that_was_closed_meanwhile_is_made_anew(void **state)
{
    (void)state;
    ask_at(http_server_url(server), "/data", TIMEOUT_MS);
    for (int i = 0; i < 10; i++) {
        http_server_answer_raw(server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        assert_data("{}");
    }
    assert_int_equal(http_server_connections(server), 10);
}

static void redirect_to(struct http_server *from, const char *url)
{
    char bytes[512];
    (void)snprintf(bytes, sizeof bytes,
                   "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", url);
    http_server_answer_raw(from, bytes);
}

static void redirects_are_followed_a_little(void **state)
{
    (void)state;
    ask_at(http_server_url(server), "/data", TIMEOUT_MS);
    struct http_server *other = http_server_new();
    http_server_answer(other, 200, "{\"moved\":true}");
    redirect_to(server, http_server_url(other));
    assert_data("{\"moved\":true}");
    http_server_free(other);

    int before = http_server_requests(server);
    redirect_to(server, http_server_url(server));
    assert_fails("redirects");
    assert_int_equal(http_server_requests(server), before + 3);
    redirect_to(server, "file:///proc/self/environ");
    assert_fails("");
}

static void a_refresh_keeps_what_the_service_said(void **state)
{
    (void)state;
    char text[64];
    ask_at(http_server_url(server), "/data", TIMEOUT_MS);
    http_server_answer(server, 200, "{\"kept\":1}\n");
    test_server_command("SET ra:meta:{disk} something");
    external_service_refresh(service, SLICE("disk"));
    AWAIT(test_server_number("EXISTS ra:ext:{disk}") == 1);
    assert_true(test_redis_command(&test_server.redis, text, sizeof text, "GET ra:ext:{disk}"));
    assert_string_equal(text, "{\"kept\":1}");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(an_object_comes_back_byte_for_byte),
        TEST(what_surrounds_the_object_is_left_out),
        TEST(the_type_is_percent_encoded),
        TEST(the_type_joins_a_query_that_is_there),
        TEST(the_longest_type_fits),
        TEST(other_statuses_are_failures),
        TEST(all_but_one_sound_object_is_a_failure),
        TEST(a_body_may_have_1024_bytes_and_no_more),
        TEST(a_cut_answer_is_a_failure),
        TEST(a_refused_connection_is_a_failure),
        TEST(the_timeout_is_the_whole_budget),
        TEST(the_end_does_not_wait_for_a_slow_answer),
        TEST(a_connection_serves_many_calls),
        TEST(a_connection_that_was_closed_meanwhile_is_made_anew),
        TEST(redirects_are_followed_a_little),
        TEST(a_refresh_keeps_what_the_service_said),
    };
    return cmocka_run_group_tests_name("external_http", tests, start_group, test_server_stop);
}
