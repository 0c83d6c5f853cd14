/* Every endpoint against a real Redis, through dispatch, with requests as data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app.h"
#include "await.h"
#include "dispatch.h"
#include "http_server.h"
#include "lane_gate.h"
#include "log.h"
#include "near_cache.h"
#include "test_redis.h"

static struct test_redis redis;
static struct config config;
static struct app *app;
static struct arena arena;
static struct response res;
static struct slice posted;
static const char *if_none_match;
static char last_body[65536];

static void make_app(const char *const settings[])
{
    (void)setenv("REDIS_SOCKET", redis.socket_path, 1);
    (void)setenv("REDIS_WRITE_TIMEOUT_MS", "5000", 1);
    (void)setenv("REDIS_TIMEOUT_MS", "2000", 1);
    for (size_t i = 0; settings && settings[i]; i += 2)
        (void)setenv(settings[i], settings[i + 1], 1);
    struct strbuf mistakes;
    strbuf_init(&mistakes, 4096);
    assert_true(config_load(&config, &mistakes));
    strbuf_release(&mistakes);
    app = app_new(&config);
    assert_non_null(app);
    AWAIT(redis_client_is_connected(app->redis) && near_cache_is_tracking(app->near_cache));
    for (size_t i = 0; settings && settings[i]; i += 2)
        (void)unsetenv(settings[i]);
}

static int fresh(void **state)
{
    (void)state;
    log_init(LOG_LEVEL_COUNT, LOG_FORMAT_TEXT);
    test_redis_start(&redis, NULL);
    arena_init(&arena, 8 << 20);
    response_init(&res);
    if_none_match = "";
    return 0;
}

static int done(void **state)
{
    (void)state;
    app_free(app);
    app = NULL;
    response_release(&res);
    arena_release(&arena);
    test_redis_stop(&redis);
    return 0;
}

static int read_posted(void *context, char *bytes, size_t room)
{
    (void)context;
    size_t len = room < posted.len ? room : posted.len;
    memcpy(bytes, posted.ptr, len);
    posted = slice_of(posted.ptr + len, posted.len - len);
    return (int)len;
}

static int ask(const char *method, const char *path, const char *query, const char *body)
{
    struct request req = {.method = slice_from_string(method),
                          .path = slice_from_string(path),
                          .query = slice_from_string(query),
                          .remote_address = SLICE("192.0.2.7"),
                          .request_id = SLICE("id"),
                          .if_none_match = slice_from_string(if_none_match),
                          .source = {NULL, read_posted},
                          .arena = &arena};
    posted = slice_from_string(body);
    response_reset(&res);
    arena_reset(&arena);
    dispatch(app, &req, &res);
    (void)snprintf(last_body, sizeof last_body, "%.*s", (int)res.body.len,
                   strbuf_slice(&res.body).ptr);
    return res.status;
}

static int get(const char *path, const char *query)
{
    return ask("GET", path, query, "");
}

static int post(const char *body)
{
    return ask("POST", "/api/metrics", "", body);
}

static bool has_header(const char *line)
{
    struct slice all = strbuf_slice(&res.headers);
    return memmem(all.ptr, all.len, line, strlen(line)) != NULL;
}

static bool body_has(const char *text)
{
    return strstr(last_body, text) != NULL;
}

static void command(char *out, size_t out_bytes, const char *text)
{
    if (!test_redis_command(&redis, out, out_bytes, text))
        fail_msg("%s: %s", text, out);
}

static bool redis_has(const char *key)
{
    char out[64], text[64];
    (void)snprintf(text, sizeof text, "EXISTS %s", key);
    command(out, sizeof out, text);
    return strcmp(out, "1") == 0;
}

static const char *const unlimited[] = {"RATE_LIMIT_REQUESTS", "0", NULL};

static void samples_are_stored_listed_and_summarised(void **state)
{
    (void)state;
    make_app(NULL);
    assert_int_equal(
        post("{\"timestamp\":\"2026-02-21T12:00:00Z\",\"value\":85.5,\"type\":\"cpu\"}"), 201);
    assert_true(body_has("{\"message\":\"Metric received\",\"timestamp\":\"20"));
    assert_true(body_has("\"type\":\"cpu\"}"));
    assert_true(has_header("RateLimit-Policy: \"post\";q=10;w=60\r\n"));
    assert_true(has_header("RateLimit: \"post\";r=9;t=60\r\n"));
    assert_int_equal(post("{\"timestamp\":1771675201.5,\"value\":\"-4\",\"type\":\"cpu\"}"), 201);
    assert_int_equal(post("{\"timestamp\":\"1771675200\",\"value\":1e2,\"type\":\"cpu\"}"), 201);

    assert_int_equal(get("/api/metrics/list", "type=cpu"), 200);
    assert_string_equal(last_body,
                        "[{\"id\":\"1771675200000000-0-f5a8fa190cb314c9\",\"timestamp\":\"2026-02-"
                        "21T12:00:00Z\",\"value\":85.5,"
                        "\"type\":\"cpu\"},{\"id\":\"1771675200000000-1-f5a8fa190cb314c9\","
                        "\"timestamp\":\"2026-02-21T12:00:00Z\","
                        "\"value\":100.0,\"type\":\"cpu\"},{\"id\":\"1771675201500000-0-"
                        "f5a8fa190cb314c9\",\"timestamp\":"
                        "\"2026-02-21T12:00:01.500Z\",\"value\":-4.0,\"type\":\"cpu\"}]");
    assert_int_equal(get("/api/metrics/list", "type=&limit=1"), 200);
    assert_true(body_has("[{\"id\":\"1771675201500000-0-f5a8fa190cb314c9\""));
    assert_int_equal(get("/api/metrics/list", "type=none"), 200);
    assert_string_equal(last_body, "[]");

    assert_int_equal(get("/api/metrics/summary", "type=cpu"), 200);
    assert_true(body_has("{\"type\":\"cpu\",\"period\":\"all\",\"count\":3,\"average_value\":60.5,"
                         "\"min_value\":-4.0,\"max_value\":100.0,\"latest_value\":-4.0,"
                         "\"sum\":181.5,"));
    assert_int_equal(get("/api/metrics/summary", "type=none&period=hourly"), 200);
    assert_true(body_has("{\"type\":\"none\",\"period\":\"hourly\",\"count\":0,"
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
    {"[]", 422, "must be a JSON object"},
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
    make_app(NULL);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        int status = post(refusals[i].body);
        if (status != refusals[i].status || !body_has(refusals[i].told))
            fail_msg("%s: %d %s", refusals[i].body, status, last_body);
    }
    /* None of the refused was counted. */
    assert_true(has_header("RateLimit: \"post\";r=9;"));
}

static void the_eleventh_post_is_429_and_says_when_to_return(void **state)
{
    (void)state;
    make_app(NULL);
    const char *body = "{\"timestamp\":0,\"value\":1,\"type\":\"a\"}";
    for (int i = 0; i < 10; i++)
        assert_int_equal(post(body), 201);
    assert_true(has_header("RateLimit: \"post\";r=0;t="));
    assert_int_equal(post(body), 429);
    assert_true(has_header("Retry-After: 60\r\n"));
    assert_true(has_header("RateLimit: \"post\";r=0;t=60\r\n"));
    assert_true(body_has("\"detail\":\"Rate limit exceeded\""));
    assert_true(body_has("\"code\":\"RATE_LIMIT_EXCEEDED\""));
    assert_int_equal(post("{}"), 422);

    assert_int_equal(get("/api/rate-limit", ""), 200);
    assert_true(
        body_has("{\"policy\":\"post\",\"limit\":10,\"remaining\":0,\"window_seconds\":60,"));
    assert_true(body_has("\"subject\":\"4:192.0.2.7\"}"));
}

static void a_policy_of_nothing_is_off(void **state)
{
    (void)state;
    make_app(unlimited);
    for (int i = 0; i < 20; i++)
        assert_int_equal(post("{\"timestamp\":0,\"value\":1,\"type\":\"a\"}"), 201);
    assert_false(has_header("RateLimit"));
    assert_int_equal(get("/api/rate-limit", ""), 200);
    assert_true(body_has("\"limit\":null,\"remaining\":null"));
}

static void queries_are_checked(void **state)
{
    (void)state;
    make_app(NULL);
    static const char *const limits[] = {"0", "1001", "-1", "x", "", "1.5", "%zz"};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        char query[64];
        (void)snprintf(query, sizeof query, "limit=%s", limits[i]);
        assert_int_equal(get("/api/metrics/list", query), 422);
        assert_true(body_has("\"loc\":[\"query\",\"limit\"]"));
    }
    assert_int_equal(get("/api/metrics/list", "limit=1000"), 200);
    assert_int_equal(get("/api/metrics/summary", ""), 422);
    assert_true(body_has("{\"loc\":[\"query\",\"type\"],\"msg\":\"Field required\"}"));
    assert_int_equal(get("/api/metrics/summary", "type="), 422);
    assert_int_equal(get("/api/metrics/summary", "type=a%00b"), 422);
    assert_int_equal(get("/api/metrics/summary", "type=a&period=weekly"), 400);
    assert_int_equal(get("/api/metrics/summary", "type=a&period="), 400);
    assert_int_equal(get("/api/metrics/summary", "period=weekly&type=a&period=daily"), 200);
}

static void a_summary_is_kept_near_and_exact_after_a_write(void **state)
{
    (void)state;
    make_app(unlimited);
    assert_int_equal(post("{\"timestamp\":0,\"value\":1,\"type\":\"a\"}"), 201);
    /* The external data arrive by themselves and change the answer once. */
    AWAIT(get("/api/metrics/summary", "type=a") == 200 && !body_has("\"external\":null"));
    for (int count = 2; count < 50; count++) {
        char expected[32];
        (void)snprintf(expected, sizeof expected, "\"count\":%d,", count);
        assert_int_equal(post("{\"timestamp\":0,\"value\":1,\"type\":\"a\"}"), 201);
        assert_int_equal(get("/api/metrics/summary", "type=a"), 200);
        assert_true(body_has(expected));
        assert_true(has_header("Age: 0\r\n"));
        assert_int_equal(get("/api/metrics/summary", "type=a"), 200);
        assert_true(body_has(expected));
        assert_true(has_header("X-Cache: HIT\r\n"));
        assert_true(has_header("Cache-Status: \"analytics\"; hit\r\n"));
        assert_string_equal(res.cache_control, "no-cache");
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
    make_app(unreliable);
    char body[80], query[32];
    for (int i = 0; i < 8; i++) {
        (void)snprintf(body, sizeof body, "{\"timestamp\":0,\"value\":1,\"type\":\"t%d\"}", i);
        assert_int_equal(post(body), 201);
        (void)snprintf(query, sizeof query, "type=t%d", i);
        assert_int_equal(get("/api/metrics/summary", query), 200);
    }
    for (int i = 0; i < 8; i++) {
        (void)snprintf(query, sizeof query, "type=t%d", i);
        AWAIT(get("/api/metrics/summary", query) == 200 && !body_has("\"external\":null"));
    }
}

static void a_summary_computed_for_the_question_is_a_miss(void **state)
{
    (void)state;
    make_app(unlimited);
    char body[128];
    (void)snprintf(body, sizeof body, "{\"timestamp\":%lld,\"value\":1,\"type\":\"a\"}",
                   (long long)(clock_wall_now().us / 1000000));
    assert_int_equal(post(body), 201);
    assert_int_equal(get("/api/metrics/summary", "type=a&period=hourly"), 200);
    assert_true(body_has("\"count\":1,"));
    assert_true(has_header("X-Cache: MISS\r\n"));
    assert_true(has_header("Cache-Status: \"analytics\"; fwd=miss\r\n"));
}

struct asker {
    pthread_t thread;
    _Atomic pid_t tid;
    int status;
    bool is_right;
};

/* A request with memory of its own, as each thread of a worker has. */
static void *ask_for_summary(void *argument)
{
    struct asker *asker = argument;
    struct arena own_arena;
    struct response own;
    arena_init(&own_arena, 1 << 20);
    response_init(&own);
    struct request req = {.method = SLICE("GET"),
                          .path = SLICE("/api/metrics/summary"),
                          .query = SLICE("type=a"),
                          .remote_address = SLICE("192.0.2.7"),
                          .request_id = SLICE("id"),
                          .source = {NULL, read_posted},
                          .arena = &own_arena};
    atomic_store(&asker->tid, gettid());
    dispatch(app, &req, &own);
    struct slice body = strbuf_slice(&own.body);
    asker->status = own.status;
    asker->is_right = memmem(body.ptr, body.len, "\"count\":1,", 10) != NULL;
    response_release(&own);
    arena_release(&own_arena);
    return NULL;
}

static long scripts_run(void)
{
    char stats[16384];
    command(stats, sizeof stats, "INFO commandstats");
    const char *found = strstr(stats, "cmdstat_evalsha:calls=");
    return found ? strtol(found + strlen("cmdstat_evalsha:calls="), NULL, 10) : 0;
}

enum { ASKERS = 32 };

static bool all_wait(struct asker askers[static ASKERS])
{
    for (int i = 0; i < ASKERS; i++) {
        pid_t tid = atomic_load(&askers[i].tid);
        if (tid == 0 || !thread_is_asleep(tid))
            return false;
    }
    return true;
}

/* All are under way before Redis answers any. */
static void ask_all_at_once(void)
{
    struct lane_gate gate;
    static struct asker askers[ASKERS];
    lane_gate_close(&gate, &redis, app->redis, REDIS_LANE_READ);
    for (int i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_for_summary, &askers[i]), 0);
    AWAIT(all_wait(askers));
    lane_gate_open(&gate);
    for (int i = 0; i < ASKERS; i++) {
        assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
        assert_int_equal(askers[i].status, 200);
        assert_true(askers[i].is_right);
    }
}

static void a_stampede_of_misses_asks_redis_for_two_at_most(void **state)
{
    (void)state;
    enum { FLIGHTS = 2, SCRIPTS_A_FLIGHT = 2 /* get, and put what was made */ };
    char out[64];
    const char *const patient[] = {"RATE_LIMIT_REQUESTS", "0", "REDIS_TIMEOUT_MS", "20000", NULL};
    make_app(patient);
    /* With external data at hand nobody asks for them; `b` makes the scripts known. */
    command(out, sizeof out, "MSET ra:ext:{a} {} ra:ext:{b} {}");
    assert_int_equal(post("{\"timestamp\":0,\"value\":1,\"type\":\"a\"}"), 201);
    assert_int_equal(post("{\"timestamp\":0,\"value\":1,\"type\":\"b\"}"), 201);
    assert_int_equal(get("/api/metrics/summary", "type=b"), 200);
    AWAIT(redis_has("ra:m:{b}:sum:all"));

    long before = scripts_run();
    ask_all_at_once();
    assert_in_range(scripts_run() - before, 1, FLIGHTS * SCRIPTS_A_FLIGHT);
}

/* Another process has only what Redis keeps. */
static void fresh_enough_is_what_redis_keeps_too(void **state)
{
    (void)state;
    const char *const relaxed[] = {"CACHE_FRESH_MS", "3600000", "RATE_LIMIT_REQUESTS", "0", NULL};
    make_app(relaxed);
    assert_int_equal(post("{\"timestamp\":0,\"value\":1,\"type\":\"a\"}"), 201);
    assert_int_equal(get("/api/metrics/summary", "type=a"), 200);
    AWAIT(redis_has("ra:m:{a}:sum:all"));
    assert_int_equal(post("{\"timestamp\":0,\"value\":1,\"type\":\"a\"}"), 201);
    app_free(app);
    make_app(relaxed);
    assert_int_equal(get("/api/metrics/summary", "type=a"), 200);
    assert_true(has_header("X-Cache: HIT\r\n"));
    assert_true(body_has("\"count\":1,"));
    app_free(app);
    make_app(unlimited);
    assert_int_equal(get("/api/metrics/summary", "type=a"), 200);
    assert_true(has_header("X-Cache: MISS\r\n"));
    assert_true(body_has("\"count\":2,"));
}

/* Or anybody could fill Redis, and wear the other service out. */
static void an_unknown_type_asks_nothing_of_the_external_service(void **state)
{
    (void)state;
    char out[256];
    (void)setenv("no_proxy", "*", 1);
    struct http_server *server = http_server_new();
    http_server_answer(server, 200, "{}");
    const char *const real[] = {"EXTERNAL_SERVICE_URL", http_server_url(server), NULL};
    make_app(real);
    assert_int_equal(get("/api/metrics/summary", "type=none"), 200);
    assert_int_equal(get("/api/metrics/summary", "type=no_day&period=daily"), 200);
    assert_int_equal(get("/api/metrics/summary", "type=no_hour&period=hourly"), 200);
    assert_true(body_has("\"count\":0,"));
    /* What had been asked for would be there by the time that this is. */
    assert_int_equal(post("{\"timestamp\":0,\"value\":1,\"type\":\"known\"}"), 201);
    assert_int_equal(get("/api/metrics/summary", "type=known"), 200);
    AWAIT(redis_has("ra:ext:{known}"));
    assert_int_equal(http_server_requests(server), 1);
    command(out, sizeof out, "KEYS ra:ext:*");
    assert_memory_equal(out, "*1", 2);
    app_free(app);
    app = NULL;
    http_server_free(server);
}

static void the_first_sample_of_a_type_ends_its_empty_answer(void **state)
{
    (void)state;
    make_app(unlimited);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(get("/api/metrics/summary", "type=new"), 200);
        assert_true(body_has("\"count\":0,"));
    }
    assert_true(has_header("X-Cache: HIT\r\n"));
    assert_int_equal(post("{\"timestamp\":0,\"value\":1,\"type\":\"new\"}"), 201);
    assert_int_equal(get("/api/metrics/summary", "type=new"), 200);
    assert_true(body_has("\"count\":1,"));
}

static void an_unchanged_summary_is_304(void **state)
{
    (void)state;
    make_app(unlimited);
    assert_int_equal(get("/api/metrics/summary", "type=a"), 200);
    struct slice headers = strbuf_slice(&res.headers);
    const char *tag = memmem(headers.ptr, headers.len, "ETag: ", 6);
    assert_non_null(tag);
    char list[64];
    (void)snprintf(list, sizeof list, "\"x\", W/%.18s", tag + 6);
    if_none_match = list;
    assert_int_equal(get("/api/metrics/summary", "type=a"), 304);
    assert_false(res.has_body);
    if_none_match = "\"x\"";
    assert_int_equal(get("/api/metrics/summary", "type=a"), 200);
    assert_int_equal(post("{\"timestamp\":0,\"value\":1,\"type\":\"a\"}"), 201);
    if_none_match = list;
    assert_int_equal(get("/api/metrics/summary", "type=a"), 200);
}

static void without_redis_the_last_summary_is_given_with_its_age(void **state)
{
    (void)state;
    char out[64];
    make_app(unlimited);
    /* What is acknowledged survives the kill: `everysec` may wait for an fsync to end. */
    command(out, sizeof out, "CONFIG SET appendfsync always");
    assert_int_equal(post("{\"timestamp\":0,\"value\":1,\"type\":\"a\"}"), 201);
    assert_int_equal(get("/api/metrics/summary", "type=a"), 200);
    test_redis_kill(&redis);
    AWAIT(get("/api/metrics/summary", "type=a") == 200 && has_header("X-Cache: STALE\r\n"));
    assert_true(body_has("\"count\":1,"));
    assert_true(has_header("Age: "));
    assert_true(has_header("Cache-Status: \"analytics\"; fwd=stale"));
    assert_int_equal(get("/api/metrics/summary", "type=b"), 503);
    assert_true(has_header("Retry-After: "));
    assert_int_equal(post("{\"timestamp\":0,\"value\":1,\"type\":\"a\"}"), 503);
    assert_true(has_header("Retry-After: "));
    assert_int_equal(get("/api/metrics/list", ""), 503);
    assert_int_equal(get("/readyz", ""), 503);
    assert_int_equal(get("/health", ""), 200);
    assert_true(body_has("{\"status\":\"degraded\",\"redis_connected\":false,\"timestamp\":"));

    test_redis_restart(&redis);
    AWAIT(post("{\"timestamp\":0,\"value\":1,\"type\":\"a\"}") == 201);
    AWAIT(get("/api/metrics/summary", "type=a") == 200 && body_has("\"count\":2,"));
}

static void a_write_without_an_answer_may_have_happened(void **state)
{
    (void)state;
    const char *const hasty[] = {"REDIS_WRITE_TIMEOUT_MS", "100", "RATE_LIMIT_REQUESTS", "0", NULL};
    make_app(hasty);
    assert_int_equal(post("{\"timestamp\":0,\"value\":1,\"type\":\"a\"}"), 201);
    test_redis_pause(&redis);
    int status = post("{\"timestamp\":0,\"value\":1,\"type\":\"a\"}");
    test_redis_resume(&redis);
    assert_int_equal(status, 503);
    assert_true(body_has("\"code\":\"STORE_OUTCOME_UNKNOWN\""));
    assert_true(body_has("may or may not have been stored"));
}

static void readiness_tells_what_a_write_survives(void **state)
{
    (void)state;
    make_app(NULL);
    char answer[64];
    assert_int_equal(get("/health", ""), 200);
    assert_true(body_has("{\"status\":\"healthy\",\"redis_connected\":true,\"timestamp\":"));
    static const char *const policies[] = {"always", "everysec"};
    for (size_t i = 0; i < 2; i++) {
        char command[64], expected[64];
        (void)snprintf(command, sizeof command, "CONFIG SET appendfsync %s", policies[i]);
        assert_true(test_redis_command(&redis, answer, sizeof answer, command));
        app_free(app);
        make_app(NULL);
        (void)snprintf(expected, sizeof expected, "\"appendfsync\":\"%s\"", policies[i]);
        AWAIT(get("/readyz", "") == 200 && body_has(expected));
        assert_int_equal(body_has("\"warning\":"), i == 1);
    }
}

static void the_external_service_succeeds_fails_and_falls_back(void **state)
{
    (void)state;
    const char *const reliable[] = {"EXTERNAL_SERVICE_FAILURE_RATE", "0", NULL};
    make_app(reliable);
    assert_int_equal(get("/api/external", ""), 200);
    assert_true(body_has("{\"status\":\"success\",\"source\":\"external_service\",\"data\":{"));
    assert_true(body_has("\"metric_type\":\"external_request\""));
    assert_int_equal(get("/api/circuit-breaker/status", ""), 200);
    assert_true(body_has("{\"state\":\"CLOSED\",\"failure_count\":0,\"success_count\":1,"));
    app_free(app);

    const char *const failing[] = {"EXTERNAL_SERVICE_FAILURE_RATE",
                                   "1",
                                   "EXTERNAL_SERVICE_LATENCY_MIN_MS",
                                   "0",
                                   "EXTERNAL_SERVICE_LATENCY_MAX_MS",
                                   "1",
                                   NULL};
    make_app(failing);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(get("/api/external", ""), 503);
        assert_true(body_has("\"detail\":\"External service temporarily unavailable\""));
    }
    assert_int_equal(get("/api/external", ""), 200);
    assert_true(body_has("{\"status\":\"fallback\",\"source\":\"circuit_breaker_fallback\","
                         "\"message\":\"External service unavailable, using fallback\","));
    assert_int_equal(get("/api/circuit-breaker/status", ""), 200);
    assert_true(body_has("{\"state\":\"OPEN\",\"failure_count\":5,"));
    assert_true(body_has("\"probe_due\":false,\"shared\":true}"));
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
    make_app(real);
    assert_int_equal(get("/api/external", ""), 200);
    assert_true(body_has("{\"status\":\"success\",\"source\":\"external_service\","
                         "\"data\":{\"rain\": true},\"timestamp\":"));
    char line[128];
    http_server_request_line(server, line, sizeof line);
    assert_string_equal(line, "GET /?type=external_request HTTP/1.1");
    char many[1024] = "{\"a\":[0";
    for (int i = 0; i < 500; i++)
        memcpy(many + strlen(many), ",0", 3);
    memcpy(many + strlen(many), "]}", 3);
    http_server_answer(server, 200, many);
    assert_int_equal(get("/api/external", ""), 200);
    assert_true(body_has("success"));
    http_server_answer(server, 500, "{}");
    assert_int_equal(get("/api/external", ""), 503);
    http_server_free(server);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
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
