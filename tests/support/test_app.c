#include "test_app.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "await.h"
#include "dispatch.h"
#include "log.h"
#include "near_cache.h"

enum { ARENA_BYTES = 8 << 20 };

struct test_app test_app;

int test_app_begin(void **state)
{
    (void)state;
    log_init(LOG_LEVEL_COUNT, LOG_FORMAT_TEXT);
    test_redis_start(&test_app.redis, NULL);
    arena_init(&test_app.arena, ARENA_BYTES);
    response_init(&test_app.res);
    test_app.if_none_match = test_app.accept = "";
    return 0;
}

int test_app_end(void **state)
{
    (void)state;
    app_free(test_app.app);
    test_app.app = NULL;
    response_release(&test_app.res);
    arena_release(&test_app.arena);
    test_redis_stop(&test_app.redis);
    return 0;
}

void test_app_open(const char *const settings[])
{
    struct strbuf mistakes;
    app_free(test_app.app);
    (void)setenv("REDIS_SOCKET", test_app.redis.socket_path, 1);
    (void)setenv("REDIS_WRITE_TIMEOUT_MS", "5000", 1);
    (void)setenv("REDIS_TIMEOUT_MS", "2000", 1);
    (void)setenv("RATE_LIMIT_REQUESTS", "0", 1);
    for (size_t i = 0; settings && settings[i]; i += 2)
        (void)setenv(settings[i], settings[i + 1], 1);
    strbuf_init(&mistakes, 4096);
    assert_true(config_load(&test_app.config, &mistakes));
    strbuf_release(&mistakes);
    test_app.app = app_new(&test_app.config);
    assert_non_null(test_app.app);
    AWAIT(redis_client_is_connected(test_app.app->redis) &&
          near_cache_is_tracking(test_app.app->near_cache));
    for (size_t i = 0; settings && settings[i]; i += 2)
        (void)unsetenv(settings[i]);
}

static int read_posted(void *context, char *bytes, size_t room)
{
    struct slice *posted = context;
    size_t len = room < posted->len ? room : posted->len;
    memcpy(bytes, posted->ptr, len);
    *posted = slice_of(posted->ptr + len, posted->len - len);
    return (int)len;
}

static int ask(const char *method, const char *path, const char *query, const char *body,
               struct arena *arena, struct response *res)
{
    struct slice posted = slice_from_string(body);
    struct request req = {.method = slice_from_string(method),
                          .path = slice_from_string(path),
                          .query = slice_from_string(query),
                          .remote_address = SLICE("192.0.2.7"),
                          .request_id = SLICE("id"),
                          .if_none_match = slice_from_string(test_app.if_none_match),
                          .accept = slice_from_string(test_app.accept),
                          .source = {&posted, read_posted},
                          .arena = arena};
    response_reset(res);
    arena_reset(arena);
    dispatch(test_app.app, &req, res);
    return res->status;
}

static int ask_here(const char *method, const char *path, const char *query, const char *body)
{
    int status = ask(method, path, query, body, &test_app.arena, &test_app.res);
    struct slice answer = strbuf_slice(&test_app.res.body);
    (void)snprintf(test_app.body, sizeof test_app.body, "%.*s", (int)answer.len, answer.ptr);
    return status;
}

int test_app_get_beside(const char *path, const char *query, struct arena *arena,
                        struct response *res)
{
    return ask("GET", path, query, "", arena, res);
}

int test_app_get(const char *path, const char *query)
{
    return ask_here("GET", path, query, "");
}

int test_app_post(const char *body)
{
    return ask_here("POST", "/api/metrics", "", body);
}

void test_app_store(const char *type, const char *at, const char *value)
{
    char body[1024];
    (void)snprintf(body, sizeof body, "{\"timestamp\":%s,\"value\":%s,\"type\":\"%s\"}", at, value,
                   type);
    if (test_app_post(body) != 201)
        fail_msg("%s: %s", body, test_app.body);
}

bool test_app_has_header(const char *line)
{
    struct slice all = strbuf_slice(&test_app.res.headers);
    return memmem(all.ptr, all.len, line, strlen(line)) != NULL;
}

bool test_app_body_has(const char *text)
{
    return strstr(test_app.body, text) != NULL;
}

void test_app_command(const char *text)
{
    char out[256];
    if (!test_redis_command(&test_app.redis, out, sizeof out, text))
        fail_msg("%s: %s", text, out);
}
