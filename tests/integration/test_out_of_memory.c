/*
 * Every allocation of a call fails once, in its thread: no crash, an error, and the next
 * call works. A sanitizer brings an allocator of its own: under one, the calls are just made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "await.h"
#include "chunk.h"
#include "near_cache.h"
#include "test_app.h"

enum { ALLOCATIONS_MAX = 1000 };

static _Thread_local unsigned calls_left; /* 0: none will fail */
static _Thread_local bool has_failed;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { IS_INTERPOSED = 0 };
#else
enum { IS_INTERPOSED = 1 };

static bool must_fail(void)
{
    if (calls_left == 0 || --calls_left > 0)
        return false;
    has_failed = true;
    return true;
}

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *old, size_t bytes);

void *malloc(size_t bytes)
{
    return must_fail() ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    return must_fail() ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
    return must_fail() ? NULL : __libc_realloc(old, bytes);
}
#endif

/* Fail the first allocation of `step`, then the second, until none is left to fail.
 * `step` says whether it went well; `may_go_well`: also with a failure. */
static void sweep(bool (*step)(void), bool may_go_well)
{
    if (!IS_INTERPOSED) {
        assert_true(step());
        return;
    }
    unsigned failed = 0, refused = 0;
    for (unsigned nth = 1; nth <= ALLOCATIONS_MAX; nth++) {
        has_failed = false;
        calls_left = nth;
        bool went_well = step();
        calls_left = 0;
        if (!has_failed) {
            assert_true(went_well);
            break;
        }
        failed++;
        refused += !went_well;
        if (went_well && !may_go_well)
            fail_msg("allocation %u failed, and nobody was told", nth);
        has_failed = false;
        assert_true(step());
    }
    assert_in_range(failed, 1, ALLOCATIONS_MAX - 1);
    assert_true(refused > 0);
}

static bool parse(void)
{
    struct error err;
    error_init(&err);
    struct json_document *document =
        json_document_new(SLICE("{\"a\":[1,2.5,\"text\",{\"b\":null}],\"c\":true}"), "body", &err);
    if (!document)
        assert_int_equal(err.code, ERR_NO_MEMORY);
    json_document_free(document);
    return document != NULL;
}

static void a_document_is_refused(void **state)
{
    (void)state;
    sweep(parse, false);
}

static bool call(void)
{
    const struct slice argv[] = {SLICE("ECHO"), SLICE("text")};
    struct redisReply *reply;
    struct error err;
    error_init(&err);
    enum err_code code =
        redis_client_call(test_app.app->redis, REDIS_LANE_READ, argv, 2, &reply, &err);
    assert_true(code == ERR_OK ? reply != NULL : code == ERR_NO_MEMORY && !reply);
    redis_reply_free(reply);
    return code == ERR_OK;
}

static void a_command_is_not_sent(void **state)
{
    (void)state;
    sweep(call, false);
}

/* True when what was kept is found. A look that finds nothing is no error. */
static bool keep_and_look(void)
{
    struct near_ticket ticket;
    struct strbuf out;
    strbuf_init(&out, 64);
    struct mono_time now = clock_mono_now(), end = mono_after_ms(now, 60000);
    (void)near_cache_get(test_app.app->near_cache, SLICE("tag"), SLICE("gone"), now, &out, &ticket);
    near_cache_put(test_app.app->near_cache, &ticket, SLICE("tag"), SLICE("n"), SLICE("value"), now,
                   end);
    bool found =
        near_cache_get(test_app.app->near_cache, SLICE("tag"), SLICE("n"), now, &out, &ticket);
    assert_true(!found || slice_equals(strbuf_slice(&out), SLICE("value")));
    strbuf_release(&out);
    return found;
}

static void a_near_entry_is_whole_or_not_found(void **state)
{
    (void)state;
    sweep(keep_and_look, true);
}

static struct arena arena;
static struct response res;

/* With nothing kept from the request before, so that all is allocated anew. */
static int get_summary(const char *query)
{
    response_release(&res);
    response_init(&res);
    arena_release(&arena);
    arena_init(&arena, 1 << 20);
    return test_app_get_beside("/api/metrics/summary", query, &arena, &res);
}

/* Long enough for an answer to grow in more than one step. */
#define TYPE                                                                                       \
    "temperature.of.the.third.bearing.of.the.second.pump.of.the.northern.waterworks.in.degrees.C"

/* The adapter has words of its own for a response that has no memory (adapter.c). */
static bool is_whole_summary(int status)
{
    if (status != 200 || strbuf_failed(&res.body) || strbuf_failed(&res.headers))
        return false;
    struct slice body = strbuf_slice(&res.body);
    assert_true(
        slice_starts_with(body, SLICE("{\"type\":\"" TYPE "\",\"period\":\"all\",\"count\":")));
    assert_int_equal(body.ptr[body.len - 1], '}');
    return true;
}

static bool ask_for_near_summary(void)
{
    return is_whole_summary(get_summary("type=" TYPE));
}

/* A change makes what is near stale, so the whole way is gone. */
static bool ask_for_changed_summary(void)
{
    unsigned left = calls_left;
    calls_left = 0;
    test_app_store(TYPE, "1", "2");
    calls_left = left;
    bool went_well = ask_for_near_summary();
    left = calls_left;
    calls_left = 0;
    /* A part of an answer must not have been kept. */
    assert_true(ask_for_near_summary());
    calls_left = left;
    return went_well;
}

static void a_summary_is_whole_or_refused(void **state)
{
    (void)state;
    sweep(ask_for_changed_summary, true);
}

static void a_near_summary_is_whole_or_refused(void **state)
{
    (void)state;
    sweep(ask_for_near_summary, true);
}

/* Write-backs are not waited for; what is behind them on the same lane is. */
static void settle(void)
{
    struct redisReply *reply;
    const struct slice ping = SLICE("PING");
    assert_int_equal(
        redis_client_call(test_app.app->redis, REDIS_LANE_WRITE, &ping, 1, &reply, NULL), ERR_OK);
    redis_reply_free(reply);
}

/* What lies in Redis is good: nothing of it may be told as damaged, nor be dropped, nor what
 * is outside of the window be told. Each window is a new one, of which nothing is kept. */
static bool ask_for_window(int from, int to)
{
    static int64_t asked;
    char query[100];
    asked++;
    (void)snprintf(query, sizeof query, "type=many&from=%d.%06lld&to=%d", from, (long long)asked,
                   to);
    int status = get_summary(query);
    unsigned left = calls_left;
    calls_left = 0;
    settle();
    assert_true(test_app_number("STRLEN ra:m:{many}:agg:0") > CHUNK_STAMP_BYTES);
    calls_left = left;
    assert_true(status == 200 || status == 503);
    struct slice body = strbuf_slice(&res.body);
    if (status != 200 || strbuf_failed(&res.body) || strbuf_failed(&res.headers))
        return false;
    assert_null(memmem(body.ptr, body.len, "damaged", 7));
    assert_null(memmem(body.ptr, body.len, "widened", 7));
    assert_int_equal(body.ptr[body.len - 1], '}');
    return true;
}

static bool ask_for_rollup(void)
{
    return ask_for_window(-7200, 7200);
}

static bool ask_for_records(void)
{
    return ask_for_window(1000, 1500);
}

static bool ask_for_nothing(void)
{
    return ask_for_window(3100, 3500);
}

/* The samples expire. */
static void freeze(const char *key)
{
    char text[400];
    (void)snprintf(text, sizeof text,
                   "EVAL \"local head = redis.call('GETRANGE', KEYS[1], 0, 11) "
                   "local last = 95 + struct.unpack('<I2', head, 11) "
                   "redis.call('SET', KEYS[1], redis.call('GETRANGE', KEYS[1], 0, last))\" 1 %s",
                   key);
    test_app_command(text);
}

static void what_is_sealed_is_no_damage(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * CHUNK_RECORDS; i++)
        test_app_add("many", (int64_t)(i % 3000) * 1000000, i * 7919 % 10007 + 0.5);
    AWAIT(test_app_number("EXISTS ra:m:{many}:blk:0:0 ra:m:{many}:blk:0:1") == 2);
    (void)get_summary("type=many&from=-1&to=7200");
    settle(); /* so that there is a rollup */
    sweep(ask_for_rollup, true);
    sweep(ask_for_records, true);
    freeze("ra:m:{many}:blk:0:0");
    sweep(ask_for_nothing, true);
}

static int start(void **state)
{
    arena_init(&arena, 1 << 20);
    response_init(&res);
    if (test_app_begin(state) != 0)
        return -1;
    test_app_open(NULL);
    return 0;
}

static int stop(void **state)
{
    response_release(&res);
    arena_release(&arena);
    return test_app_end(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_is_refused),
        cmocka_unit_test(a_command_is_not_sent),
        cmocka_unit_test(a_near_entry_is_whole_or_not_found),
        cmocka_unit_test(a_summary_is_whole_or_refused),
        cmocka_unit_test(a_near_summary_is_whole_or_refused),
        cmocka_unit_test(what_is_sealed_is_no_damage),
    };
    return cmocka_run_group_tests_name("out_of_memory", tests, start, stop);
}
