/* Every endpoint against a real Redis, through dispatch, with requests as data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "await.h"
#include "http_server.h"
#include "lane_gate.h"
#include "test_app.h"

#define SAMPLE_OF_A "{\"timestamp\":0,\"value\":1,\"type\":\"a\"}"

static const char *const limited[] = {"RATE_LIMIT_REQUESTS", "10", NULL};

static void samples_are_stored_listed_and_summarised(void **state)
{
    (void)state;
    test_app_open(limited);
    assert_int_equal(
        test_app_post("{\"timestamp\":\"2026-02-21T12:00:00Z\",\"value\":85.5,\"type\":\"cpu\"}"),
        201);
    assert_true(test_app_body_has("{\"message\":\"Metric received\",\"timestamp\":\"20"));
    assert_true(test_app_body_has("\"type\":\"cpu\"}"));
    assert_true(test_app_has_header("RateLimit-Policy: \"post\";q=10;w=60\r\n"));
    assert_true(test_app_has_header("RateLimit: \"post\";r=9;t=60\r\n"));
    assert_int_equal(
        test_app_post("{\"timestamp\":1771675201.5,\"value\":\"-4\",\"type\":\"cpu\"}"), 201);
    assert_int_equal(test_app_post("{\"timestamp\":\"1771675200\",\"value\":1e2,\"type\":\"cpu\"}"),
                     201);

    assert_int_equal(test_app_get("/api/metrics/list", "type=cpu"), 200);
    assert_string_equal(test_app.body,
                        "[{\"id\":\"1771675200000000-0-f5a8fa190cb314c9\",\"timestamp\":\"2026-02-"
                        "21T12:00:00Z\",\"value\":85.5,"
                        "\"type\":\"cpu\"},{\"id\":\"1771675200000000-1-f5a8fa190cb314c9\","
                        "\"timestamp\":\"2026-02-21T12:00:00Z\","
                        "\"value\":100.0,\"type\":\"cpu\"},{\"id\":\"1771675201500000-0-"
                        "f5a8fa190cb314c9\",\"timestamp\":"
                        "\"2026-02-21T12:00:01.500Z\",\"value\":-4.0,\"type\":\"cpu\"}]");
    assert_int_equal(test_app_get("/api/metrics/list", "type=&limit=1"), 200);
    assert_true(test_app_body_has("[{\"id\":\"1771675201500000-0-f5a8fa190cb314c9\""));
    assert_int_equal(test_app_get("/api/metrics/list", "type=none"), 200);
    assert_string_equal(test_app.body, "[]");

    assert_int_equal(test_app_get("/api/metrics/summary", "type=cpu"), 200);
    assert_true(
        test_app_body_has("{\"type\":\"cpu\",\"period\":\"all\",\"count\":3,\"average_value\":60.5,"
                          "\"min_value\":-4.0,\"max_value\":100.0,\"latest_value\":-4.0,"
                          "\"sum\":181.5,"));
    assert_int_equal(test_app_get("/api/metrics/summary", "type=none&period=hourly"), 200);
    assert_true(test_app_body_has("{\"type\":\"none\",\"period\":\"hourly\",\"count\":0,"
                                  "\"average_value\":0.0,\"min_value\":0.0,\"max_value\":0.0,"
                                  "\"latest_value\":0.0,"));
}

static const struct refusal {
    const char *body;
    int status;
    const char *told;
} refusals[] = {
    {"", 422, "\"loc\":[\"body\"]"},
    {"nonsense", 422, "\"loc\":[\"body\"]"},
    {"[]", 422, "must hold at least one sample"},
    {"7", 422, "must be a JSON object"},
    {"{}", 422, "[\"body\",\"timestamp\"],\"msg\":\"Field required\",\"pointer\":\"/timestamp\""},
    {"{}", 422, "[\"body\",\"value\"],\"msg\":\"Field required\""},
    {"{}", 422, "[\"body\",\"type\"],\"msg\":\"Field required\""},
    {"{\"timestamp\":0,\"value\":true,\"type\":\"a\"}", 422, "/value"},
    {"{\"timestamp\":0,\"value\":null,\"type\":\"a\"}", 422, "/value"},
    {"{\"timestamp\":0,\"value\":\"x\",\"type\":\"a\"}", 422, "/value"},
    {"{\"timestamp\":0,\"value\":\"inf\",\"type\":\"a\"}", 422, "/value"},
    {"{\"timestamp\":0,\"value\":1e999,\"type\":\"a\"}", 422, "\"body\""},
    {"{\"timestamp\":0,\"value\":NaN,\"type\":\"a\"}", 422, "\"body\""},
    {"{\"timestamp\":true,\"value\":1,\"type\":\"a\"}", 422, "/timestamp"},
    {"{\"timestamp\":\"soon\",\"value\":1,\"type\":\"a\"}", 422, "/timestamp"},
    {"{\"timestamp\":1e300,\"value\":1,\"type\":\"a\"}", 422, "/timestamp"},
    {"{\"timestamp\":\"-\",\"value\":1,\"type\":\"a\"}", 422, "/timestamp"},
    {"{\"timestamp\":0,\"value\":1,\"type\":\"\"}", 422, "/type"},
    {"{\"timestamp\":0,\"value\":1,\"type\":\"a\\nb\"}", 422, "/type"},
    {"{\"timestamp\":0,\"value\":1,\"type\":7}", 422, "/type"},
    {"{\"timestamp\":0,\"value\":1,\"value\":2,\"type\":\"a\"}", 422, "\"body\""},
    {"{\"timestamp\":0,\"value\":1,\"type\":\"a\",\"other\":[{}]}", 201, "Metric received"},
};

static void what_is_wrong_with_a_sample_is_told(void **state)
{
    (void)state;
    test_app_open(limited);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        int status = test_app_post(refusals[i].body);
        if (status != refusals[i].status || !test_app_body_has(refusals[i].told))
            fail_msg("%s: %d %s", refusals[i].body, status, test_app.body);
    }
    /* None of the refused was counted. */
    assert_true(test_app_has_header("RateLimit: \"post\";r=9;"));
}

static void the_eleventh_post_is_429_and_says_when_to_return(void **state)
{
    (void)state;
    char limit[64];
    test_app_open(limited);
    struct mono_time began = clock_mono_now();
    for (int i = 0; i < 10; i++)
        assert_int_equal(test_app_post(SAMPLE_OF_A), 201);
    assert_true(test_app_has_header("RateLimit: \"post\";r=0;t="));
    assert_int_equal(test_app_post(SAMPLE_OF_A), 429);
    long seconds = test_app_number_in_header("Retry-After: ");
    assert_in_range(seconds, 60 - ms_since(began) / 1000, 60);
    (void)snprintf(limit, sizeof limit, "RateLimit: \"post\";r=0;t=%ld\r\n", seconds);
    assert_true(test_app_has_header(limit));
    assert_true(test_app_body_has("\"detail\":\"Rate limit exceeded\""));
    assert_true(test_app_body_has("\"code\":\"RATE_LIMIT_EXCEEDED\""));
    assert_int_equal(test_app_post("{}"), 422);

    assert_int_equal(test_app_get("/api/rate-limit", ""), 200);
    assert_true(test_app_body_has(
        "{\"policy\":\"post\",\"limit\":10,\"remaining\":0,\"window_seconds\":60,"));
    assert_true(test_app_body_has("\"subject\":\"4:192.0.2.7\"}"));
}

static void a_policy_of_nothing_is_off(void **state)
{
    (void)state;
    test_app_open(NULL);
    for (int i = 0; i < 20; i++)
        assert_int_equal(test_app_post(SAMPLE_OF_A), 201);
    assert_false(test_app_has_header("RateLimit"));
    assert_int_equal(test_app_get("/api/rate-limit", ""), 200);
    assert_true(test_app_body_has("\"limit\":null,\"remaining\":null"));
}

static void queries_are_checked(void **state)
{
    (void)state;
    test_app_open(NULL);
    static const char *const limits[] = {"0", "1001", "-1", "x", "", "1.5", "%zz"};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        char query[64];
        (void)snprintf(query, sizeof query, "limit=%s", limits[i]);
        assert_int_equal(test_app_get("/api/metrics/list", query), 422);
        assert_true(test_app_body_has("\"loc\":[\"query\",\"limit\"]"));
    }
    assert_int_equal(test_app_get("/api/metrics/list", "limit=1000"), 200);
    assert_int_equal(test_app_get("/api/metrics/summary", ""), 422);
    assert_true(test_app_body_has("{\"loc\":[\"query\",\"type\"],\"msg\":\"Field required\"}"));
    assert_int_equal(test_app_get("/api/metrics/summary", "type="), 422);
    assert_int_equal(test_app_get("/api/metrics/summary", "type=a%00b"), 422);
    assert_int_equal(test_app_get("/api/metrics/summary", "type=a&period=weekly"), 400);
    assert_int_equal(test_app_get("/api/metrics/summary", "type=a&period="), 400);
    assert_int_equal(test_app_get("/api/metrics/summary", "period=weekly&type=a&period=daily"),
                     200);
}

static void a_summary_is_kept_near_and_exact_after_a_write(void **state)
{
    (void)state;
    test_app_open(NULL);
    assert_int_equal(test_app_post(SAMPLE_OF_A), 201);
    /* The external data arrive by themselves and change the answer once. */
    AWAIT(test_app_get("/api/metrics/summary", "type=a") == 200 &&
          !test_app_body_has("\"external\":null"));
    for (int count = 2; count < 50; count++) {
        char expected[32];
        (void)snprintf(expected, sizeof expected, "\"count\":%d,", count);
        assert_int_equal(test_app_post(SAMPLE_OF_A), 201);
        assert_int_equal(test_app_get("/api/metrics/summary", "type=a"), 200);
        assert_true(test_app_body_has(expected));
        assert_true(test_app_has_header("Age: 0\r\n"));
        assert_int_equal(test_app_get("/api/metrics/summary", "type=a"), 200);
        assert_true(test_app_body_has(expected));
        assert_true(test_app_has_header("X-Cache: HIT\r\n"));
        assert_true(test_app_has_header("Cache-Status: \"analytics\"; hit\r\n"));
        assert_string_equal(test_app.res.cache_control, "no-cache");
    }
}

/* Half of the fetches fail: only one who asks again for what is missing gets it. */
static void external_data_that_could_not_be_fetched_are_asked_for_again(void **state)
{
    (void)state;
    /* Asked again each second: ten failures in a row are as good as impossible, none among
     * eight types is unlikely. */
    const char *const unreliable[] = {"EXTERNAL_SERVICE_FAILURE_RATE",
                                      "0.3",
                                      "CIRCUIT_BREAKER_FAILURE_THRESHOLD",
                                      "1000",
                                      "EXTERNAL_SERVICE_LATENCY_MIN_MS",
                                      "0",
                                      NULL};
    test_app_open(unreliable);
    char body[80], query[32];
    for (int i = 0; i < 8; i++) {
        (void)snprintf(body, sizeof body, "{\"timestamp\":0,\"value\":1,\"type\":\"t%d\"}", i);
        assert_int_equal(test_app_post(body), 201);
        (void)snprintf(query, sizeof query, "type=t%d", i);
        assert_int_equal(test_app_get("/api/metrics/summary", query), 200);
    }
    for (int i = 0; i < 8; i++) {
        (void)snprintf(query, sizeof query, "type=t%d", i);
        AWAIT(test_app_get("/api/metrics/summary", query) == 200 &&
              !test_app_body_has("\"external\":null"));
    }
}

static void a_summary_computed_for_the_question_is_a_miss(void **state)
{
    (void)state;
    test_app_open(NULL);
    char body[128];
    (void)snprintf(body, sizeof body, "{\"timestamp\":%lld,\"value\":1,\"type\":\"a\"}",
                   (long long)(clock_wall_now().us / 1000000));
    assert_int_equal(test_app_post(body), 201);
    assert_int_equal(test_app_get("/api/metrics/summary", "type=a&period=hourly"), 200);
    assert_true(test_app_body_has("\"count\":1,"));
    assert_true(test_app_has_header("X-Cache: MISS\r\n"));
    assert_true(test_app_has_header("Cache-Status: \"analytics\"; fwd=miss\r\n"));
}

/* PTTL is asked by them alone, where there are external data. */
static long summaries_looked_up(void)
{
    char stats[16384];
    assert_true(test_redis_command(&test_app.redis, stats, sizeof stats, "INFO commandstats"));
    const char *found = strstr(stats, "cmdstat_pttl:calls=");
    return found ? strtol(found + strlen("cmdstat_pttl:calls="), NULL, 10) : 0;
}

enum { ASKERS = 32 };

static bool all_wait(const struct test_asker askers[static ASKERS])
{
    for (int i = 0; i < ASKERS; i++) {
        if (!test_asker_is_waiting(&askers[i]))
            return false;
    }
    return true;
}

/* All are under way before Redis answers any. */
static void ask_all_at_once(void)
{
    struct lane_gate gate;
    static struct test_asker askers[ASKERS];
    lane_gate_close(&gate, &test_app.redis, test_app.app->redis, REDIS_LANE_READ);
    for (int i = 0; i < ASKERS; i++)
        test_asker_start(&askers[i], "/api/metrics/summary", "type=a", "\"count\":1,");
    AWAIT(all_wait(askers));
    lane_gate_open(&gate);
    for (int i = 0; i < ASKERS; i++) {
        test_asker_join(&askers[i]);
        assert_int_equal(askers[i].status, 200);
        assert_true(askers[i].has_wanted);
    }
}

static void a_stampede_of_misses_asks_redis_for_two_at_most(void **state)
{
    (void)state;
    enum { FLIGHTS = 2 };
    const char *const patient[] = {"REDIS_TIMEOUT_MS", "20000", NULL};
    test_app_open(patient);
    /* With external data at hand nobody asks for them; `b` makes the scripts known. */
    test_app_command("MSET ra:ext:{a} {} ra:ext:{b} {}");
    assert_int_equal(test_app_post(SAMPLE_OF_A), 201);
    assert_int_equal(test_app_post("{\"timestamp\":0,\"value\":1,\"type\":\"b\"}"), 201);
    assert_int_equal(test_app_get("/api/metrics/summary", "type=b"), 200);
    AWAIT(test_app_number("EXISTS ra:m:{b}:sum:all") == 1);

    long before = summaries_looked_up();
    ask_all_at_once();
    assert_in_range(summaries_looked_up() - before, 1, FLIGHTS);
}

/* Another process has only what Redis keeps. */
static void fresh_enough_is_what_redis_keeps_too(void **state)
{
    (void)state;
    const char *const relaxed[] = {"CACHE_FRESH_MS", "3600000", NULL};
    test_app_open(relaxed);
    assert_int_equal(test_app_post(SAMPLE_OF_A), 201);
    assert_int_equal(test_app_get("/api/metrics/summary", "type=a"), 200);
    AWAIT(test_app_number("EXISTS ra:m:{a}:sum:all") == 1);
    assert_int_equal(test_app_post(SAMPLE_OF_A), 201);
    test_app_open(relaxed);
    assert_int_equal(test_app_get("/api/metrics/summary", "type=a"), 200);
    assert_true(test_app_has_header("X-Cache: HIT\r\n"));
    assert_true(test_app_body_has("\"count\":1,"));
    test_app_open(NULL);
    assert_int_equal(test_app_get("/api/metrics/summary", "type=a"), 200);
    assert_true(test_app_has_header("X-Cache: MISS\r\n"));
    assert_true(test_app_body_has("\"count\":2,"));
}

/* Or anybody could fill Redis, and wear the other service out. */
static void an_unknown_type_asks_nothing_of_the_external_service(void **state)
{
    (void)state;
    (void)setenv("no_proxy", "*", 1);
    struct http_server *server = http_server_new();
    http_server_answer(server, 200, "{}");
    const char *const real[] = {"EXTERNAL_SERVICE_URL", http_server_url(server), NULL};
    test_app_open(real);
    assert_int_equal(test_app_get("/api/metrics/summary", "type=none"), 200);
    assert_int_equal(test_app_get("/api/metrics/summary", "type=no_day&period=daily"), 200);
    assert_int_equal(test_app_get("/api/metrics/summary", "type=no_hour&period=hourly"), 200);
    assert_true(test_app_body_has("\"count\":0,"));
    /* What had been asked for would be there by the time that this is. */
    assert_int_equal(test_app_post("{\"timestamp\":0,\"value\":1,\"type\":\"known\"}"), 201);
    assert_int_equal(test_app_get("/api/metrics/summary", "type=known"), 200);
    AWAIT(test_app_number("EXISTS ra:ext:{known}") == 1);
    assert_int_equal(http_server_requests(server), 1);
    assert_int_equal(test_app_number("EVAL \"return #redis.call('KEYS', 'ra:ext:*')\" 0"), 1);
    http_server_free(server);
}

static void the_first_sample_of_a_type_ends_its_empty_answer(void **state)
{
    (void)state;
    test_app_open(NULL);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(test_app_get("/api/metrics/summary", "type=new"), 200);
        assert_true(test_app_body_has("\"count\":0,"));
    }
    assert_true(test_app_has_header("X-Cache: HIT\r\n"));
    assert_int_equal(test_app_post("{\"timestamp\":0,\"value\":1,\"type\":\"new\"}"), 201);
    assert_int_equal(test_app_get("/api/metrics/summary", "type=new"), 200);
    assert_true(test_app_body_has("\"count\":1,"));
}

static void an_unchanged_summary_is_304(void **state)
{
    (void)state;
    test_app_open(NULL);
    assert_int_equal(test_app_get("/api/metrics/summary", "type=a"), 200);
    char tag[TEST_APP_TAG_BYTES], list[64];
    test_app_take_tag(tag);
    (void)snprintf(list, sizeof list, "\"x\", W/%s", tag);
    test_app.if_none_match = list;
    assert_int_equal(test_app_get("/api/metrics/summary", "type=a"), 304);
    assert_false(test_app.res.has_body);
    test_app.if_none_match = "\"x\"";
    assert_int_equal(test_app_get("/api/metrics/summary", "type=a"), 200);
    assert_int_equal(test_app_post(SAMPLE_OF_A), 201);
    test_app.if_none_match = list;
    assert_int_equal(test_app_get("/api/metrics/summary", "type=a"), 200);
}

static void without_redis_the_last_summary_is_given_with_its_age(void **state)
{
    (void)state;
    test_app_open(NULL);
    /* What is acknowledged survives the kill: `everysec` may wait for an fsync to end. */
    test_app_command("CONFIG SET appendfsync always");
    assert_int_equal(test_app_post(SAMPLE_OF_A), 201);
    assert_int_equal(test_app_get("/api/metrics/summary", "type=a"), 200);
    test_redis_kill(&test_app.redis);
    AWAIT(test_app_get("/api/metrics/summary", "type=a") == 200 &&
          test_app_has_header("X-Cache: STALE\r\n"));
    assert_true(test_app_body_has("\"count\":1,"));
    assert_true(test_app_has_header("Age: "));
    assert_true(test_app_has_header("Cache-Status: \"analytics\"; fwd=stale"));
    assert_int_equal(test_app_get("/api/metrics/summary", "type=b"), 503);
    assert_true(test_app_has_header("Retry-After: "));
    assert_int_equal(test_app_post(SAMPLE_OF_A), 503);
    assert_true(test_app_has_header("Retry-After: "));
    assert_int_equal(test_app_get("/api/metrics/list", ""), 503);
    assert_int_equal(test_app_get("/readyz", ""), 503);
    assert_int_equal(test_app_get("/health", ""), 200);
    assert_true(
        test_app_body_has("{\"status\":\"degraded\",\"redis_connected\":false,\"timestamp\":"));

    test_redis_restart(&test_app.redis);
    AWAIT(test_app_post(SAMPLE_OF_A) == 201);
    AWAIT(test_app_get("/api/metrics/summary", "type=a") == 200 &&
          test_app_body_has("\"count\":2,"));
}

static void a_write_without_an_answer_may_have_happened(void **state)
{
    (void)state;
    const char *const hasty[] = {"REDIS_WRITE_TIMEOUT_MS", "2000", NULL};
    test_app_open(hasty);
    assert_int_equal(test_app_post(SAMPLE_OF_A), 201);
    test_redis_pause(&test_app.redis);
    int status = test_app_post(SAMPLE_OF_A);
    test_redis_resume(&test_app.redis);
    assert_int_equal(status, 503);
    assert_true(test_app_body_has("\"code\":\"STORE_OUTCOME_UNKNOWN\""));
    assert_true(test_app_body_has("may or may not have been stored"));
}

static void readiness_tells_what_a_write_survives(void **state)
{
    (void)state;
    test_app_open(NULL);
    assert_int_equal(test_app_get("/health", ""), 200);
    assert_true(
        test_app_body_has("{\"status\":\"healthy\",\"redis_connected\":true,\"timestamp\":"));
    static const char *const policies[] = {"always", "everysec"};
    for (size_t i = 0; i < 2; i++) {
        char command[64], expected[64];
        (void)snprintf(command, sizeof command, "CONFIG SET appendfsync %s", policies[i]);
        test_app_command(command);
        test_app_open(NULL);
        (void)snprintf(expected, sizeof expected, "\"appendfsync\":\"%s\"", policies[i]);
        AWAIT(test_app_get("/readyz", "") == 200 && test_app_body_has(expected));
        assert_int_equal(test_app_body_has("\"warning\":"), i == 1);
    }
}

static void the_external_service_succeeds_fails_and_falls_back(void **state)
{
    (void)state;
    const char *const reliable[] = {"EXTERNAL_SERVICE_FAILURE_RATE", "0", NULL};
    test_app_open(reliable);
    assert_int_equal(test_app_get("/api/external", ""), 200);
    assert_true(
        test_app_body_has("{\"status\":\"success\",\"source\":\"external_service\",\"data\":{"));
    assert_true(test_app_body_has("\"metric_type\":\"external_request\""));
    assert_int_equal(test_app_get("/api/circuit-breaker/status", ""), 200);
    assert_true(
        test_app_body_has("{\"state\":\"CLOSED\",\"failure_count\":0,\"success_count\":1,"));

    const char *const failing[] = {"EXTERNAL_SERVICE_FAILURE_RATE",
                                   "1",
                                   "EXTERNAL_SERVICE_LATENCY_MIN_MS",
                                   "0",
                                   "EXTERNAL_SERVICE_LATENCY_MAX_MS",
                                   "1",
                                   NULL};
    test_app_open(failing);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(test_app_get("/api/external", ""), 503);
        assert_true(test_app_body_has("\"detail\":\"External service temporarily unavailable\""));
    }
    assert_int_equal(test_app_get("/api/external", ""), 200);
    assert_true(
        test_app_body_has("{\"status\":\"fallback\",\"source\":\"circuit_breaker_fallback\","
                          "\"message\":\"External service unavailable, using fallback\","));
    assert_int_equal(test_app_get("/api/circuit-breaker/status", ""), 200);
    assert_true(test_app_body_has("{\"state\":\"OPEN\",\"failure_count\":5,"));
    assert_true(test_app_body_has("\"shared\":true,\"history\":[{\"state\":\"OPEN\",\"at\":\""));
}

static void the_external_service_may_be_a_real_one(void **state)
{
    (void)state;
    (void)setenv("no_proxy", "*", 1);
    struct http_server *server = http_server_new();
    http_server_answer(server, 200, "{\"rain\": true}\n");
    /* Room to read its answer does not depend on the limit for ours. */
    const char *const real[] = {"EXTERNAL_SERVICE_URL", http_server_url(server), "BODY_LIMIT_BYTES",
                                "64", NULL};
    test_app_open(real);
    assert_int_equal(test_app_get("/api/external", ""), 200);
    assert_true(test_app_body_has("{\"status\":\"success\",\"source\":\"external_service\","
                                  "\"data\":{\"rain\": true},\"timestamp\":"));
    char line[128];
    http_server_request_line(server, line, sizeof line);
    assert_string_equal(line, "GET /?type=external_request HTTP/1.1");
    char many[1024] = "{\"a\":[0";
    for (int i = 0; i < 500; i++)
        memcpy(many + strlen(many), ",0", 3);
    memcpy(many + strlen(many), "]}", 3);
    http_server_answer(server, 200, many);
    assert_int_equal(test_app_get("/api/external", ""), 200);
    assert_true(test_app_body_has("success"));
    http_server_answer(server, 500, "{}");
    assert_int_equal(test_app_get("/api/external", ""), 503);
    http_server_free(server);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, test_app_begin, test_app_end)
    const struct CMUnitTest tests[] = {
        TEST(samples_are_stored_listed_and_summarised),
        TEST(what_is_wrong_with_a_sample_is_told),
        TEST(the_eleventh_post_is_429_and_says_when_to_return),
        TEST(a_policy_of_nothing_is_off),
        TEST(queries_are_checked),
        TEST(a_summary_is_kept_near_and_exact_after_a_write),
        TEST(external_data_that_could_not_be_fetched_are_asked_for_again),
        TEST(a_summary_computed_for_the_question_is_a_miss),
        TEST(a_stampede_of_misses_asks_redis_for_two_at_most),
        TEST(fresh_enough_is_what_redis_keeps_too),
        TEST(an_unknown_type_asks_nothing_of_the_external_service),
        TEST(the_first_sample_of_a_type_ends_its_empty_answer),
        TEST(an_unchanged_summary_is_304),
        TEST(without_redis_the_last_summary_is_given_with_its_age),
        TEST(a_write_without_an_answer_may_have_happened),
        TEST(readiness_tells_what_a_write_survives),
        TEST(the_external_service_succeeds_fails_and_falls_back),
        TEST(the_external_service_may_be_a_real_one),
    };
    return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
