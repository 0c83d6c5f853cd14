/* external_service: bulkhead, timeout, breaker and the kept data, against a real server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "await.h"
#include "external_service.h"
#include "http_server.h"
#include "test_server.h"

enum { THRESHOLD = 3, RESET_MS = 60000 };

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
    struct fixture f = {.breaker = circuit_breaker_new(test_server.client, &breaker_options)};
    f.service = external_service_new(options, test_server.client, f.breaker);
    assert_non_null(f.service);
    return f;
}

static void stop_service(struct fixture *f)
{
    external_service_free(f->service);
    circuit_breaker_free(f->breaker);
}

static struct breaker_status status_of(struct fixture *f)
{
    struct breaker_status status;
    circuit_breaker_status(f->breaker, &status);
    return status;
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
    assert_int_equal(status_of(&f).success_count, 20);
    stop_service(&f);
}

static struct fixture start_failing(const char *name, uint32_t reset_ms, uint32_t latency_ms)
{
    const struct external_options options = {.failure_rate = 1,
                                             .latency_min_ms = latency_ms,
                                             .latency_max_ms = latency_ms,
                                             .timeout_ms = 5000,
                                             .cache_ttl_seconds = 60};
    struct fixture f = start_service(name, reset_ms, &options);
    struct error err;
    for (int i = 0; i < THRESHOLD; i++)
        assert_int_equal(call(f.service, "cpu", &err), ERR_UPSTREAM_FAILED);
    return f;
}

static bool a_probe_has_failed(struct fixture *f)
{
    struct error err;
    assert_int_equal(call(f->service, "cpu", &err), ERR_CIRCUIT_OPEN);
    return status_of(f).failure_count > THRESHOLD;
}

static void failures_open_the_breaker_and_calls_are_refused_at_once(void **state)
{
    (void)state;
    enum { SLOW_MS = 200 };
    struct fixture f = start_failing("fails", RESET_MS, SLOW_MS);
    struct error err;
    int64_t fastest_ms = INT64_MAX;
    for (int i = 0; i < 10; i++) {
        struct mono_time start = clock_mono_now();
        assert_int_equal(call(f.service, "cpu", &err), ERR_CIRCUIT_OPEN);
        int64_t ms = ms_since(start);
        fastest_ms = ms < fastest_ms ? ms : fastest_ms;
        assert_in_range(err.retry_after_ms, 1, RESET_MS);
    }
    assert_in_range(fastest_ms, 0, SLOW_MS - 1);
    stop_service(&f);
    /* The probe's failure is told as the breaker's. */
    f = start_failing("probes", 500, 1);
    AWAIT(a_probe_has_failed(&f));
    assert_int_equal(status_of(&f).state, BREAKER_OPEN);
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
    assert_in_range(ms_since(start), 50, options.latency_min_ms - 1);
    assert_non_null(strstr(err.detail, "in time"));
    assert_int_equal(status_of(&f).failure_count, 1);
    stop_service(&f);
}

/* Data are kept for types that have samples. */
static void give_samples(const char *type)
{
    char command[128];
    (void)snprintf(command, sizeof command, "SET ra:meta:{%s} something", type);
    test_server_command(command);
}

static void refresh(struct external_service *service, const char *type)
{
    give_samples(type);
    external_service_refresh(service, slice_from_string(type));
}

static bool kept(const char *type, char *out, size_t out_bytes)
{
    char command[128];
    (void)snprintf(command, sizeof command, "GET ra:ext:{%s}", type);
    assert_true(test_redis_command(&test_server.redis, out, out_bytes, command));
    return out[0] == '{';
}

/* Borrowed until the next call. */
static const char *await_kept(const char *type)
{
    static char text[EXTERNAL_DATA_BYTES_MAX + 64];
    AWAIT(kept(type, text, sizeof text));
    return text;
}

/* A service that is reached over HTTP, whose answers wait until they are released. */
static struct http_server *start_gated(const char *name, struct fixture *f)
{
    (void)setenv("no_proxy", "*", 1);
    struct http_server *server = http_server_new();
    const struct external_options options = {
        .url = http_server_url(server), .timeout_ms = 20000, .cache_ttl_seconds = 77};
    http_server_answer(server, 200, "{}");
    http_server_hold(server);
    *f = start_service(name, RESET_MS, &options);
    return server;
}

static void a_full_bulkhead_answers_at_once(void **state)
{
    (void)state;
    const char *const types[EXTERNAL_SLOTS] = {"slow1", "slow2", "slow3", "slow4"};
    struct fixture f;
    struct http_server *server = start_gated("bulkhead", &f);
    struct error err;
    for (int i = 0; i < EXTERNAL_SLOTS; i++)
        refresh(f.service, types[i]);
    give_samples("one-more");
    int64_t fastest_ms = INT64_MAX; /* of several: a busy machine may be late */
    for (int i = 0; i < 5; i++) {
        struct mono_time start = clock_mono_now();
        assert_int_equal(call(f.service, "one-more", &err), ERR_BULKHEAD_FULL);
        int64_t ms = ms_since(start);
        fastest_ms = ms < fastest_ms ? ms : fastest_ms;
        external_service_refresh(f.service, SLICE("one-more"));
    }
    assert_in_range(fastest_ms, 0, 100);
    assert_true(err.retry_after_ms > 0);
    http_server_release(server);
    for (int i = 0; i < EXTERNAL_SLOTS; i++)
        (void)await_kept(types[i]);
    AWAIT(call(f.service, "one-more", &err) == ERR_OK);
    assert_int_equal(status_of(&f).success_count, EXTERNAL_SLOTS + 1);
    stop_service(&f);
    http_server_free(server);
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
    assert_int_equal(status_of(&f).success_count, answered);
    assert_true(answered >= EXTERNAL_SLOTS);
    stop_service(&f);
}

static void a_refresh_keeps_data_for_its_time(void **state)
{
    (void)state;
    char nothing[EXTERNAL_DATA_BYTES_MAX];
    struct fixture f;
    struct http_server *server = start_gated("keeps", &f);
    refresh(f.service, "disk");
    assert_false(kept("disk", nothing, sizeof nothing)); /* nobody waits for them */
    http_server_release(server);
    assert_string_equal(await_kept("disk"), "{}");
    assert_in_range(test_server_number("TTL ra:ext:{disk}"), 60, 77);
    stop_service(&f);
    http_server_free(server);
}

static void a_type_is_fetched_once_at_a_time(void **state)
{
    (void)state;
    struct fixture f;
    struct http_server *server = start_gated("once", &f);
    give_samples("net");
    give_samples("net2");
    for (int i = 0; i < 50; i++)
        external_service_refresh(f.service, SLICE("net"));
    external_service_refresh(f.service, SLICE("net2"));
    http_server_release(server);
    (void)await_kept("net");
    (void)await_kept("net2");
    assert_int_equal(status_of(&f).success_count, 2);
    stop_service(&f);
    http_server_free(server);
}

static void data_of_a_type_that_is_gone_are_not_kept(void **state)
{
    (void)state;
    struct fixture f;
    struct http_server *server = start_gated("gone", &f);
    refresh(f.service, "gone");
    refresh(f.service, "going");
    test_server_command("DEL ra:meta:{gone}");
    test_server_command("SET ra:meta:{going} deleting");
    http_server_release(server);
    AWAIT(status_of(&f).success_count == 2);
    stop_service(&f); /* what is under way ends before */
    assert_int_equal(test_server_number("EXISTS ra:ext:{gone} ra:ext:{going}"), 0);
    http_server_free(server);
}

static void what_failed_is_not_kept(void **state)
{
    (void)state;
    const struct external_options options = {.failure_rate = 1,
                                             .latency_min_ms = 1,
                                             .latency_max_ms = 1,
                                             .timeout_ms = 1000,
                                             .cache_ttl_seconds = 60};
    struct fixture f = start_service("unkept", RESET_MS, &options);
    AWAIT((refresh(f.service, "mem"), status_of(&f).state == BREAKER_OPEN));
    refresh(f.service, "mem");
    stop_service(&f);
    assert_int_equal(test_server_number("EXISTS ra:ext:{mem}"), 0);
}

static void the_end_does_not_wait_for_slow_calls(void **state)
{
    (void)state;
    enum { SLOW_MS = 4 * AWAIT_MS };
    const struct external_options options = {.latency_min_ms = SLOW_MS,
                                             .latency_max_ms = SLOW_MS,
                                             .timeout_ms = 2 * SLOW_MS,
                                             .cache_ttl_seconds = 60};
    struct fixture f = start_service("ends", RESET_MS, &options);
    refresh(f.service, "a");
    refresh(f.service, "b");
    AWAIT(test_server_number("EXISTS ra:cb:{ends}") == 1);
    struct mono_time start = clock_mono_now();
    external_service_free(f.service);
    assert_in_range(ms_since(start), 0, AWAIT_MS);
    assert_int_equal(status_of(&f).failure_count, 0);
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
    return cmocka_run_group_tests(tests, test_server_start, test_server_stop);
}
