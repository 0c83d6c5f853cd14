/* Requests to the real binary, as a web server sends them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "await.h"
#include "fcgi_client.h"
#include "test_redis.h"
#include "test_service.h"

static struct test_service service;

static int fresh(void **state)
{
    (void)state;
    service = (struct test_service){.master = 0};
    return 0;
}

static int done(void **state)
{
    (void)state;
    return test_service_release(&service) ? 0 : -1;
}

static int post(const char *content_length, const char *body)
{
    const struct fcgi_param length = {"CONTENT_LENGTH", content_length};
    struct fcgi_answer answer;
    int status =
        fcgi_request(service.socket_path, "POST", "/api/metrics", body, &length, 1, &answer)
            ? answer.status
            : 0;
    fcgi_answer_release(&answer);
    return status;
}

/* A body that is taken is 422 here, as it lacks everything. */
static void content_length_is_not_believed(void **state)
{
    (void)state;
    const char *const settings[] = {"BODY_LIMIT_BYTES=100", NULL};
    test_service_start(&service, settings);
    char limit[101], over[102], huge[70001];
    memset(limit, ' ', 100);
    limit[0] = '{', limit[99] = '}', limit[100] = '\0';
    memset(over, ' ', 101);
    over[0] = '{', over[100] = '}', over[101] = '\0';
    memset(huge, ' ', 70000);
    huge[70000] = '\0';
    assert_int_equal(post("2", "{}"), 422);
    assert_int_equal(post("", "{}"), 422);
    assert_int_equal(post("-1", "{}"), 400);
    assert_int_equal(post("1e3", "{}"), 400);
    assert_int_equal(post("18446744073709551616", "{}"), 413);
    assert_int_equal(post("3", "{}"), 400);
    assert_int_equal(post("1", "{}"), 400);
    assert_int_equal(post("100", limit), 422);
    assert_int_equal(post("", limit), 422);
    assert_int_equal(post("101", over), 413);
    assert_int_equal(post("", over), 413);
    for (int i = 0; i < 20; i++)
        assert_int_equal(post("70000", huge), 413);
    assert_int_equal(fcgi_get_status(service.socket_path, "/livez"), 200);
    assert_int_equal(test_service_count_in_log(&service, "worker_died"), 0);
}

#define ID_16 "0123456789abcdef"
#define ID_64 ID_16 ID_16 ID_16 ID_16

static void request_ids_are_the_clients_when_sane(void **state)
{
    (void)state;
    static const char *const sane[] = {"a-Z.0_9", "x", ID_64};
    test_service_start(&service, NULL);
    for (size_t i = 0; i < sizeof sane / sizeof *sane; i++) {
        const struct fcgi_param id = {"HTTP_X_REQUEST_ID", sane[i]};
        struct fcgi_answer answer;
        char line[128];
        (void)snprintf(line, sizeof line, "X-Request-Id: %s", sane[i]);
        assert_true(fcgi_request(service.socket_path, "GET", "/livez", NULL, &id, 1, &answer));
        assert_true(fcgi_answer_has_header(&answer, line));
        assert_true(fcgi_answer_has_header(&answer, "Cache-Control: no-store"));
        fcgi_answer_release(&answer);
    }
}

/* Sixteen hexadecimal digits and the end of the line, once. */
static bool has_an_id_of_ours(const struct fcgi_answer *answer)
{
    static const char name[] = "X-Request-Id: ";
    char head[4096];
    (void)snprintf(head, sizeof head, "%.*s", (int)answer->body_at, answer->bytes.bytes);
    const char *at = strstr(head, name);
    if (!at || strstr(at + 1, name))
        return false;
    at += sizeof name - 1;
    return strspn(at, "0123456789abcdef") == 16 && at[16] == '\r' && at[17] == '\n';
}

static void insane_request_ids_are_replaced(void **state)
{
    (void)state;
    static const char *const insane[] = {"",
                                         "a b",
                                         "a\r\nX-Injected: 1",
                                         "a\nX-Injected: 1",
                                         "a\rX-Injected: 1",
                                         "\x01",
                                         "a\tb",
                                         "a\x7f",
                                         "a\xc3\xa9",
                                         "a,b",
                                         "a\"b",
                                         "<a>",
                                         ID_64 "x",
                                         "\r\n\r\nX-Injected: 1"};
    test_service_start(&service, NULL);
    for (size_t i = 0; i < sizeof insane / sizeof *insane; i++) {
        const struct fcgi_param id = {"HTTP_X_REQUEST_ID", insane[i]};
        struct fcgi_answer answer;
        assert_true(fcgi_request(service.socket_path, "GET", "/nope", NULL, &id, 1, &answer));
        assert_int_equal(answer.status, 404);
        assert_true(has_an_id_of_ours(&answer));
        assert_false(fcgi_answer_contains(&answer, "X-Injected"));
        fcgi_answer_release(&answer);
    }
}

static void the_path_is_found_where_servers_put_it(void **state)
{
    (void)state;
    test_service_start(&service, NULL);
    const struct fcgi_param split[] = {{"SCRIPT_NAME", "/live"}, {"PATH_INFO", "z"}};
    const struct fcgi_param uri[] = {{"PATH_INFO", ""}, {"REQUEST_URI", "/livez?a=b"}};
    const struct fcgi_param *const ways[] = {split, uri};
    for (size_t i = 0; i < 2; i++) {
        struct fcgi_answer answer;
        assert_true(fcgi_request(service.socket_path, "GET", "/other", NULL, ways[i], 2, &answer));
        assert_int_equal(answer.status, 200);
        fcgi_answer_release(&answer);
    }
}

static void without_redis_it_starts_degraded_and_heals(void **state)
{
    (void)state;
    struct test_redis redis;
    test_redis_start(&redis, NULL);
    test_redis_kill(&redis);
    char socket_setting[160];
    (void)snprintf(socket_setting, sizeof socket_setting, "REDIS_SOCKET=%s", redis.socket_path);
    /* One worker: each of several finds Redis in its own time. */
    const char *const settings[] = {socket_setting, "WORKERS=1", "REDIS_TIMEOUT_MS=5000", NULL};
    test_service_start(&service, settings);
    assert_int_equal(fcgi_get_status(service.socket_path, "/livez"), 200);
    assert_int_equal(fcgi_get_status(service.socket_path, "/health"), 200);
    assert_int_equal(fcgi_get_status(service.socket_path, "/readyz"), 503);
    int64_t fastest_ms = INT64_MAX; /* of several: a busy machine may be late */
    for (int i = 0; i < 5; i++) {
        struct mono_time asked_at = clock_mono_now();
        assert_int_equal(fcgi_get_status(service.socket_path, "/api/metrics/list"), 503);
        int64_t ms = ms_since(asked_at);
        fastest_ms = ms < fastest_ms ? ms : fastest_ms;
    }
    assert_in_range(fastest_ms, 0, 500);

    test_redis_restart(&redis);
    AWAIT(fcgi_get_status(service.socket_path, "/readyz") == 200);
    AWAIT(test_service_count_in_log(&service, "\"redis_connected\"") >= 1);
    assert_int_equal(fcgi_get_status(service.socket_path, "/api/metrics/list"), 200);
    test_redis_stop(&redis);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(content_length_is_not_believed),
        TEST(request_ids_are_the_clients_when_sane),
        TEST(insane_request_ids_are_replaced),
        TEST(the_path_is_found_where_servers_put_it),
        TEST(without_redis_it_starts_degraded_and_heals),
    };
    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
