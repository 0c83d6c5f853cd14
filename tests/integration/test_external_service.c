/* external_service: bulkhead, timeout, breaker and the kept data, against a real server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "external_service.h"
#include "test_redis.h"

enum { THRESHOLD = 3, RESET_MS = 60000 };

static struct test_redis server;
static struct redis_client *client;

static int start_server(void **state)
{
    (void)state;
    test_redis_start(&server, NULL);
    client = test_redis_client(&server);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    redis_client_free(client);
    test_redis_stop(&server);
    return 0;
}

/* A service with a breaker of its own. */
struct fixture {
    struct circuit_breaker *breaker;
    struct external_service *service;
};

static struct fixture start_service(const char *name, uint32_t reset_ms,
                                    const struct external_options *options)
{
    const struct breaker_options breaker_options = {.name = name,
                                                    .failure_threshold = THRESHOLD,
                                                    .reset_timeout_ms = reset_ms,
                                                    .probe_lease_ms = 5000};
    struct fixture f = {.breaker = circuit_breaker_new(client, &breaker_options)};
    f.service = external_service_new(options, client, f.breaker);
    assert_non_null(f.service);
    return f;
}

static void stop_service(struct fixture *f)
{
    external_service_free(f->service);
    circuit_breaker_free(f->breaker);
}

static enum err_code call(struct external_service *service, const char *type, struct error *err)
{
    struct strbuf data;
    strbuf_init(&data, EXTERNAL_DATA_BYTES_MAX);
    error_init(err);
    enum err_code code = external_service_call(service, slice_from_string(type), &data, err);
    assert_int_equal(err->code, code);
    strbuf_release(&data);
    return code;
}

static int64_t ms_since(struct mono_time start)
{
    return mono_us_between(start, clock_mono_now()) / 1000;
}

/* The number behind `name` in the data. */
static double number_after(const char *text, const char *name)
{
    const char *found = strstr(text, name);
    assert_non_null(found);
    return strtod(found + strlen(name), NULL);
}

static void assert_data_of(const char *text, const char *type)
{
    char start[256];
    (void)snprintf(
        start, sizeof start,
        "{\"source\":\"external_service\",\"metric_type\":\"%s\",\"sample_value\":", type);
    assert_int_equal(strncmp(text, start, strlen(start)), 0);
    double value = number_after(text, "\"sample_value\":");
    assert_true(value >= 50 && value <= 200);
    double hundreds = value * 100;
    assert_true(hundreds - (double)(int64_t)(hundreds + 0.5) < 1e-6);
    const char *timestamp = strstr(text, ",\"timestamp\":\"20");
    assert_non_null(timestamp);
    assert_string_equal(text + strlen(text) - 3, "Z\"}");
}

static void a_call_gives_data_and_counts_as_a_success(void **state)
{
    (void)state;
    const struct external_options options = {
        .latency_min_ms = 1, .latency_max_ms = 3, .timeout_ms = 1000, .cache_ttl_seconds = 60};
    struct fixture f = start_service("gives", RESET_MS, &options);
    for (int i = 0; i < 20; i++) {
        struct strbuf data;
        struct error err;
        error_init(&err);
        strbuf_init(&data, EXTERNAL_DATA_BYTES_MAX);
        assert_int_equal(external_service_call(f.service, SLICE("cpu"), &data, &err), ERR_OK);
        strbuf_append_char(&data, '\0');
        assert_data_of(data.bytes, "cpu");
        strbuf_release(&data);
    }
    struct breaker_status status;
    circuit_breaker_status(f.breaker, &status);
    assert_int_equal(status.success_count, 20);
    stop_service(&f);
}

static void failures_open_the_breaker_and_calls_are_refused_at_once(void **state)
{
    (void)state;
    const struct external_options options = {.failure_rate = 1,
                                             .latency_min_ms = 100,
                                             .latency_max_ms = 100,
                                             .timeout_ms = 1000,
                                             .cache_ttl_seconds = 60};
    struct fixture f = start_service("fails", 1000, &options);
    struct error err;
    for (int i = 0; i < THRESHOLD; i++)
        assert_int_equal(call(f.service, "cpu", &err), ERR_UPSTREAM_FAILED);
    struct mono_time start = clock_mono_now();
    for (int i = 0; i < 10; i++) {
        assert_int_equal(call(f.service, "cpu", &err), ERR_CIRCUIT_OPEN);
        assert_in_range(err.retry_after_ms, 1, 1000);
    }
    assert_true(ms_since(start) < 100);
    /* The probe's failure is told as the breaker's. */
    int64_t took;
    do {
        start = clock_mono_now();
        assert_int_equal(call(f.service, "cpu", &err), ERR_CIRCUIT_OPEN);
        took = ms_since(start);
    } while (took < 100);
    struct breaker_status status;
    circuit_breaker_status(f.breaker, &status);
    assert_int_equal(status.state, BREAKER_OPEN);
    assert_int_equal(status.failure_count, THRESHOLD + 1);
    stop_service(&f);
}

static void a_call_that_takes_too_long_fails_at_the_timeout(void **state)
{
    (void)state;
    const struct external_options options = {.latency_min_ms = 10000,
                                             .latency_max_ms = 20000,
                                             .timeout_ms = 50,
                                             .cache_ttl_seconds = 60};
    struct fixture f = start_service("late", RESET_MS, &options);
    struct error err;
    struct mono_time start = clock_mono_now();
    assert_int_equal(call(f.service, "cpu", &err), ERR_UPSTREAM_FAILED);
    assert_in_range(ms_since(start), 50, 500);
    assert_non_null(strstr(err.detail, "in time"));
    struct breaker_status status;
    circuit_breaker_status(f.breaker, &status);
    assert_int_equal(status.failure_count, 1);
    stop_service(&f);
}

/* Data are kept for types that have samples. */
static void refresh(struct external_service *service, const char *type)
{
    char out[64], command[128];
    (void)snprintf(command, sizeof command, "SET ra:meta:{%s} something", type);
    assert_true(test_redis_command(&server, out, sizeof out, command));
    external_service_refresh(service, slice_from_string(type));
}

static bool kept(const char *type, char *out, size_t out_bytes)
{
    char command[128];
    (void)snprintf(command, sizeof command, "GET ra:ext:{%s}", type);
    assert_true(test_redis_command(&server, out, out_bytes, command));
    return out[0] == '{';
}

/* Borrowed until the next call. */
static const char *await_kept(const char *type)
{
    static char text[EXTERNAL_DATA_BYTES_MAX + 64];
    struct mono_time end = mono_after_ms(clock_mono_now(), 5000);
    while (!kept(type, text, sizeof text)) {
        assert_true(mono_is_before(clock_mono_now(), end));
        (void)poll(NULL, 0, 5);
    }
    return text;
}

static void a_full_bulkhead_answers_at_once(void **state)
{
    (void)state;
    const struct external_options options = {
        .latency_min_ms = 600, .latency_max_ms = 600, .timeout_ms = 2000, .cache_ttl_seconds = 60};
    struct fixture f = start_service("bulkhead", RESET_MS, &options);
    const char *const types[EXTERNAL_SLOTS] = {"slow1", "slow2", "slow3", "slow4"};
    struct error err;
    for (int i = 0; i < EXTERNAL_SLOTS; i++)
        refresh(f.service, types[i]);
    int64_t fastest = 1000;
    for (int i = 0; i < 20; i++) {
        struct mono_time start = clock_mono_now();
        assert_int_equal(call(f.service, "one-more", &err), ERR_BULKHEAD_FULL);
        fastest = ms_since(start) < fastest ? ms_since(start) : fastest;
        refresh(f.service, "one-more");
    }
    assert_true(fastest < 10);
    assert_true(err.retry_after_ms > 0);
    for (int i = 0; i < EXTERNAL_SLOTS; i++)
        (void)await_kept(types[i]);
    struct mono_time end = mono_after_ms(clock_mono_now(), 5000);
    while (call(f.service, "one-more", &err) != ERR_OK)
        assert_true(mono_is_before(clock_mono_now(), end));
    struct breaker_status status;
    circuit_breaker_status(f.breaker, &status);
    assert_int_equal(status.success_count, EXTERNAL_SLOTS + 1);
    stop_service(&f);
}

enum { CALLERS = 16, CALLS_EACH = 20 };
struct caller {
    pthread_t thread;
    struct external_service *service;
    int answered;
    int refused;
};

static void *call_many(void *argument)
{
    struct caller *c = argument;
    struct error err;
    for (int i = 0; i < CALLS_EACH; i++) {
        enum err_code code = call(c->service, "many", &err);
        c->answered += code == ERR_OK;
        c->refused += code == ERR_BULKHEAD_FULL;
    }
    return NULL;
}

static void among_many_callers_each_gets_an_answer_of_its_own(void **state)
{
    (void)state;
    const struct external_options options = {
        .latency_min_ms = 1, .latency_max_ms = 5, .timeout_ms = 2000, .cache_ttl_seconds = 60};
    struct fixture f = start_service("many", RESET_MS, &options);
    struct caller callers[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.service = f.service};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_many, &callers[i]), 0);
    }
    uint64_t answered = 0;
    for (int i = 0; i < CALLERS; i++) {
        assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
        assert_int_equal(callers[i].answered + callers[i].refused, CALLS_EACH);
        answered += (uint64_t)callers[i].answered;
    }
    struct breaker_status status;
    circuit_breaker_status(f.breaker, &status);
    assert_int_equal(status.success_count, answered);
    assert_true(answered >= EXTERNAL_SLOTS);
    stop_service(&f);
}

static void a_refresh_keeps_data_for_its_time(void **state)
{
    (void)state;
    char ttl[32];
    const struct external_options options = {
        .latency_min_ms = 50, .latency_max_ms = 50, .timeout_ms = 1000, .cache_ttl_seconds = 77};
    struct fixture f = start_service("keeps", RESET_MS, &options);
    struct mono_time start = clock_mono_now();
    refresh(f.service, "disk");
    assert_true(ms_since(start) < 50);
    assert_data_of(await_kept("disk"), "disk");
    assert_true(test_redis_command(&server, ttl, sizeof ttl, "TTL ra:ext:{disk}"));
    assert_in_range(strtol(ttl, NULL, 10), 70, 77);
    stop_service(&f);
}

static void a_type_is_fetched_once_at_a_time(void **state)
{
    (void)state;
    const struct external_options options = {
        .latency_min_ms = 200, .latency_max_ms = 200, .timeout_ms = 1000, .cache_ttl_seconds = 60};
    struct fixture f = start_service("once", RESET_MS, &options);
    for (int i = 0; i < 50; i++)
        refresh(f.service, "net");
    refresh(f.service, "net2");
    (void)await_kept("net");
    (void)await_kept("net2");
    struct breaker_status status;
    circuit_breaker_status(f.breaker, &status);
    assert_int_equal(status.success_count, 2);
    stop_service(&f);
}

static void data_of_a_type_that_is_gone_are_not_kept(void **state)
{
    (void)state;
    static const char *const metas[] = {"DEL ra:meta:{gone}", "SET ra:meta:{gone} deleting"};
    const struct external_options options = {
        .latency_min_ms = 100, .latency_max_ms = 100, .timeout_ms = 1000, .cache_ttl_seconds = 60};
    struct fixture f = start_service("gone", RESET_MS, &options);
    for (size_t i = 0; i < sizeof metas / sizeof *metas; i++) {
        char out[64];
        refresh(f.service, "gone");
        assert_true(test_redis_command(&server, out, sizeof out, metas[i]));
        refresh(f.service, "here");
        (void)await_kept("here");
        assert_true(test_redis_command(&server, out, sizeof out, "DEL ra:ext:{here}"));
        assert_true(test_redis_command(&server, out, sizeof out, "EXISTS ra:ext:{gone}"));
        assert_string_equal(out, "0");
    }
    stop_service(&f);
}

static void what_failed_is_not_kept(void **state)
{
    (void)state;
    char exists[32];
    const struct external_options options = {.failure_rate = 1,
                                             .latency_min_ms = 1,
                                             .latency_max_ms = 1,
                                             .timeout_ms = 1000,
                                             .cache_ttl_seconds = 60};
    struct fixture f = start_service("unkept", RESET_MS, &options);
    struct breaker_status status = {0};
    struct mono_time end = mono_after_ms(clock_mono_now(), 5000);
    while (status.state != BREAKER_OPEN && mono_is_before(clock_mono_now(), end)) {
        refresh(f.service, "mem");
        circuit_breaker_status(f.breaker, &status);
    }
    assert_int_equal(status.state, BREAKER_OPEN);
    refresh(f.service, "mem");
    stop_service(&f);
    assert_true(test_redis_command(&server, exists, sizeof exists, "EXISTS ra:ext:{mem}"));
    assert_string_equal(exists, "0");
}

static void the_end_does_not_wait_for_slow_calls(void **state)
{
    (void)state;
    const struct external_options options = {.latency_min_ms = 20000,
                                             .latency_max_ms = 20000,
                                             .timeout_ms = 30000,
                                             .cache_ttl_seconds = 60};
    struct fixture f = start_service("ends", RESET_MS, &options);
    refresh(f.service, "a");
    refresh(f.service, "b");
    char exists[32] = "0";
    while (strcmp(exists, "1") != 0)
        assert_true(test_redis_command(&server, exists, sizeof exists, "EXISTS ra:cb:{ends}"));
    struct mono_time start = clock_mono_now();
    external_service_free(f.service);
    assert_true(ms_since(start) < 2000);
    struct breaker_status status;
    circuit_breaker_status(f.breaker, &status);
    assert_int_equal(status.failure_count, 0);
    circuit_breaker_free(f.breaker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_gives_data_and_counts_as_a_success),
        cmocka_unit_test(failures_open_the_breaker_and_calls_are_refused_at_once),
        cmocka_unit_test(a_call_that_takes_too_long_fails_at_the_timeout),
        cmocka_unit_test(a_full_bulkhead_answers_at_once),
        cmocka_unit_test(among_many_callers_each_gets_an_answer_of_its_own),
        cmocka_unit_test(a_refresh_keeps_data_for_its_time),
        cmocka_unit_test(a_type_is_fetched_once_at_a_time),
        cmocka_unit_test(data_of_a_type_that_is_gone_are_not_kept),
        cmocka_unit_test(what_failed_is_not_kept),
        cmocka_unit_test(the_end_does_not_wait_for_slow_calls),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
