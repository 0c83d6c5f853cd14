#include "test_app.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "await.h"
#include "chunk_sealer.h"
#include "dispatch.h"
#include "host.h"
#include "log.h"
#include "metric_store.h"
#include "metric_tender.h"
#include "near_cache.h"
#include "test_command.h"

enum { ARENA_BYTES = 18 << 20, ASKER_ARENA_BYTES = 1 << 20 };

struct test_app test_app;

int test_app_begin(void **state)
{
    (void)state;
    log_init(LOG_LEVEL_COUNT, LOG_FORMAT_TEXT);
    test_redis_start(&test_app.redis, NULL);
    arena_init(&test_app.arena, ARENA_BYTES);
    response_init(&test_app.res);
    test_app.if_none_match = test_app.accept = test_app.authorization = test_app.confirm =
        test_app.content_type = test_app.accept_encoding = test_app.cache_control = "";
    test_app.idempotency_key = NULL;
    test_app.body_len = 0;
    test_app.body = test_app.headers = "";
    return 0;
}

static void close_worker(struct test_worker *worker)
{
    app_free(worker->app);
    worker->app = NULL;
}

int test_app_end(void **state)
{
    (void)state;
    close_worker(&test_app.workers[0]);
    close_worker(&test_app.workers[1]);
    test_app.app = NULL;
    response_release(&test_app.res);
    arena_release(&test_app.arena);
    test_redis_stop(&test_app.redis);
    return 0;
}

static void open_worker(struct test_worker *worker, const char *const settings[])
{
    struct strbuf mistakes;
    close_worker(worker);
    (void)setenv("REDIS_SOCKET", test_app.redis.socket_path, 1);
    (void)setenv("REDIS_WRITE_TIMEOUT_MS", "5000", 1);
    (void)setenv("REDIS_TIMEOUT_MS", "2000", 1);
    (void)setenv("RATE_LIMIT_REQUESTS", "0", 1);
    for (size_t i = 0; settings && settings[i]; i += 2)
        (void)setenv(settings[i], settings[i + 1], 1);
    strbuf_init(&mistakes, 4096);
    assert_true(config_load(&worker->config, &mistakes));
    strbuf_release(&mistakes);
    worker->app = app_new(&worker->config, host_share(&worker->config));
    assert_non_null(worker->app);
    AWAIT(redis_client_is_connected(worker->app->redis) &&
          near_cache_is_tracking(worker->app->near_cache));
    for (size_t i = 0; settings && settings[i]; i += 2)
        (void)unsetenv(settings[i]);
}

void test_app_open(const char *const settings[])
{
    open_worker(&test_app.workers[0], settings);
    test_app_choose(0);
}

void test_app_open_second(const char *const settings[])
{
    open_worker(&test_app.workers[1], settings);
}

void test_app_choose(size_t worker)
{
    test_app.app = test_app.workers[worker].app;
}

/* --- Requests ---------------------------------------------------------------------- */

static int read_posted(void *context, char *bytes, size_t room)
{
    struct slice *posted = context;
    size_t len = room < posted->len ? room : posted->len;
    memcpy(bytes, posted->ptr, len);
    *posted = slice_of(posted->ptr + len, posted->len - len);
    return (int)len;
}

static int ask(struct app *app, const char *method, const char *path, const char *query,
               const char *body, struct arena *arena, struct response *res)
{
    struct slice posted = slice_from_string(body);
    if (test_app.body_len > 0)
        posted.len = test_app.body_len;
    struct request req = {.method = slice_from_string(method),
                          .path = slice_from_string(path),
                          .query = slice_from_string(query),
                          .remote_address = SLICE("192.0.2.7"),
                          .request_id = SLICE("id"),
                          .if_none_match = slice_from_string(test_app.if_none_match),
                          .accept = slice_from_string(test_app.accept),
                          .accept_encoding = slice_from_string(test_app.accept_encoding),
                          .cache_control = slice_from_string(test_app.cache_control),
                          .authorization = slice_from_string(test_app.authorization),
                          .confirm = slice_from_string(test_app.confirm),
                          .content_type = slice_from_string(test_app.content_type),
                          .idempotency_key = slice_from_string(test_app.idempotency_key),
                          .source = {&posted, read_posted},
                          .arena = arena};
    response_reset(res);
    arena_reset(arena);
    dispatch(app, &req, res);
    return res->status;
}

/* Its bytes with a NUL behind them. */
static const char *text_of(struct strbuf *buf)
{
    strbuf_append_char(buf, '\0');
    if (strbuf_failed(buf))
        return "";
    strbuf_truncate(buf, buf->len - 1);
    return buf->bytes;
}

int test_app_ask(const char *method, const char *path, const char *query, const char *body)
{
    int status = ask(test_app.app, method, path, query, body, &test_app.arena, &test_app.res);
    test_app.body = text_of(&test_app.res.body);
    test_app.headers = text_of(&test_app.res.headers);
    return status;
}

int test_app_get(const char *path, const char *query)
{
    return test_app_ask("GET", path, query, "");
}

int test_app_post(const char *body)
{
    return test_app_ask("POST", "/api/metrics", "", body);
}

int test_app_get_beside(const char *path, const char *query, struct arena *arena,
                        struct response *res)
{
    return ask(test_app.app, "GET", path, query, "", arena, res);
}

int test_app_post_beside(size_t worker, const char *path, const char *body, struct arena *arena,
                         struct response *res)
{
    return ask(test_app.workers[worker].app, "POST", path, "", body, arena, res);
}

static void *ask_once(void *argument)
{
    struct test_asker *asker = argument;
    struct arena arena;
    struct response res;
    arena_init(&arena, ASKER_ARENA_BYTES);
    response_init(&res);
    atomic_store(&asker->tid, gettid());
    asker->status = test_app_get_beside(asker->path, asker->query, &arena, &res);
    struct slice body = strbuf_slice(&res.body);
    asker->has_wanted = memmem(body.ptr, body.len, asker->wanted, strlen(asker->wanted)) != NULL;
    response_release(&res);
    arena_release(&arena);
    return NULL;
}

void test_asker_start(struct test_asker *asker, const char *path, const char *query,
                      const char *wanted)
{
    asker->path = path;
    asker->query = query;
    asker->wanted = wanted;
    atomic_store(&asker->tid, 0);
    assert_int_equal(pthread_create(&asker->thread, NULL, ask_once, asker), 0);
}

bool test_asker_is_waiting(const struct test_asker *asker)
{
    pid_t tid = atomic_load(&asker->tid);
    return tid != 0 && thread_is_asleep(tid);
}

void test_asker_join(struct test_asker *asker)
{
    assert_int_equal(pthread_join(asker->thread, NULL), 0);
}

/* --- Samples ----------------------------------------------------------------------- */

void test_app_store(const char *type, const char *at, const char *value)
{
    char body[1024];
    (void)snprintf(body, sizeof body, "{\"timestamp\":%s,\"value\":%s,\"type\":\"%s\"}", at, value,
                   type);
    if (test_app_post(body) != 201)
        fail_msg("%s: %s", body, test_app.body);
}

void test_app_add(const char *type, int64_t at_us, double value)
{
    static const struct rate_policy no_limit = {"post", 0, 60};
    static const struct rate_subject somebody = {"4:203.0.113.7", 13};
    const struct sample sample = {{at_us}, value, slice_from_string(type)};
    struct rate_verdict verdict;
    struct error err;
    error_init(&err);
    if (metric_store_add(test_app.app->store, &sample, &no_limit, &somebody, &verdict, &err) !=
        ERR_OK)
        fail_msg("%s (%s)", err.detail, err.cause);
}

void test_app_tend(const char *type, int64_t samples_us)
{
    const struct metric_retention retention = {samples_us, 0};
    struct chunk_sealer *sealer = chunk_sealer_new(test_app.app->redis);
    struct error err;
    error_init(&err);
    assert_non_null(sealer);
    if (metric_tender_tend(test_app.app->redis, sealer, &retention, slice_from_string(type),
                           &err) != ERR_OK)
        fail_msg("%s (%s)", err.detail, err.cause);
    chunk_sealer_free(sealer);
}

/* --- Answers ----------------------------------------------------------------------- */

bool test_app_has_header(const char *line)
{
    return strstr(test_app.headers, line) != NULL;
}

long test_app_number_in_header(const char *start)
{
    const char *found = strstr(test_app.headers, start);
    assert_non_null(found);
    return strtol(found + strlen(start), NULL, 10);
}

bool test_app_body_has(const char *text)
{
    return strstr(test_app.body, text) != NULL;
}

void test_app_take_tag(char tag[static TEST_APP_TAG_BYTES])
{
    const char *found = strstr(test_app.headers, "ETag: ");
    assert_non_null(found);
    (void)snprintf(tag, TEST_APP_TAG_BYTES, "%s", found + 6);
    assert_true(tag[0] == '"' && tag[TEST_APP_TAG_BYTES - 2] == '"');
}

struct json_document *test_app_parse_body(void)
{
    struct error err;
    error_init(&err);
    struct json_document *document =
        json_document_new(strbuf_slice(&test_app.res.body), "body", &err);
    if (!document)
        fail_msg("%s: %s", err.detail, err.fields[0].message);
    return document;
}

void test_app_check_rows(const char *path, const struct answer_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int status = test_app_get(path, rows[i].query);
        if (status != rows[i].status || !test_app_body_has(rows[i].told))
            fail_msg("%s?%s: %d %.2000s", path, rows[i].query, status, test_app.body);
    }
}

/* --- Past the app ------------------------------------------------------------------ */

void test_app_command(const char *text)
{
    test_command(&test_app.redis, text);
}

long test_app_number(const char *text)
{
    return test_command_number(&test_app.redis, text);
}
