#include "test_store.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "chunk.h"
#include "redis_keys.h"

enum { PATIENCE_MS = 20000, FIELD_BYTES = 24, GATHER_HEAD = 8, GATHER_MAX = 128 };

struct test_store test_store;

const struct rate_policy test_store_no_limit = {"post", 0, 60};
const struct rate_subject test_store_somebody = {"4:203.0.113.7", 13};

int test_store_start_server(void **state)
{
    (void)state;
    const char *const options[] = {"--appendonly", "no", "--enable-debug-command", "yes", NULL};
    test_store.chance = test_random_start();
    test_redis_start(&test_store.server, options);
    return 0;
}

int test_store_stop_server(void **state)
{
    (void)state;
    test_redis_stop(&test_store.server);
    return 0;
}

bool test_store_command(char *out, size_t out_bytes, const char *text)
{
    return test_redis_command(&test_store.server, out, out_bytes, text);
}

void test_store_run(const char *text)
{
    char out[512];
    if (!test_store_command(out, sizeof out, text))
        fail_msg("%s: %s", text, out);
}

int test_store_open(void **state)
{
    (void)state;
    test_store_run("FLUSHALL");
    /* Nobody tends by himself: whoever wants it does it (metric_tender.h). */
    test_store_run("SET ra:tender test");
    const struct metric_store_options options = {.types_max = TEST_STORE_TYPES_MAX,
                                                 .spans_per_type_max = TEST_STORE_SPANS_MAX,
                                                 .mark_ttl_seconds = TEST_STORE_MARK_TTL_SECONDS};
    test_store.client = test_redis_client(&test_store.server);
    test_store.limiter = rate_limiter_new(test_store.client, 64);
    test_store.store = metric_store_new(&options, test_store.client, test_store.limiter);
    assert_non_null(test_store.limiter);
    assert_non_null(test_store.store);
    test_store.posts_series = false;
    return 0;
}

int test_store_close(void **state)
{
    (void)state;
    metric_store_free(test_store.store);
    rate_limiter_free(test_store.limiter);
    redis_client_free(test_store.client);
    sample_model_release(&test_store.model);
    return 0;
}

size_t test_store_below(size_t n)
{
    return test_random_below(&test_store.chance, n);
}

static enum err_code add_batch(const char *type, const struct record *records, size_t count,
                               const struct rate_policy *policy, struct rate_verdict *verdict,
                               struct error *err)
{
    struct sample_batch *batch = sample_batch_new();
    assert_non_null(batch);
    for (size_t i = 0; i < count; i++) {
        const struct sample sample = {records[i].at, records[i].value, slice_from_string(type)};
        assert_int_equal(sample_batch_add(batch, &sample, 0), BATCH_ADDED);
    }
    struct request_mark mark;
    request_mark_init(&mark);
    const struct batch_terms terms = {
        .policy = policy, .subject = &test_store_somebody, .mark = &mark};
    struct batch_receipt receipt;
    enum err_code code = metric_store_add_batch(test_store.store, batch, &terms, &receipt, err);
    if (code == ERR_OK && receipt.left_out > 0)
        code = metric_store_explain(test_store.store, sample_batch_group(batch, 0), err);
    *verdict = receipt.verdict;
    sample_batch_free(batch);
    return code;
}

enum err_code test_store_try(const char *type, int64_t at_us, double value,
                             const struct rate_policy *policy, struct rate_verdict *verdict,
                             struct error *err)
{
    const struct record record = {{at_us}, value};
    const struct sample sample = {record.at, value, slice_from_string(type)};
    error_init(err);
    if (test_store.posts_series)
        return add_batch(type, &record, 1, policy, verdict, err);
    return metric_store_add(test_store.store, &sample, policy, &test_store_somebody, verdict, err);
}

enum err_code test_store_add(const char *type, int64_t at_us, double value,
                             const struct rate_policy *policy, struct rate_verdict *verdict)
{
    struct error err;
    return test_store_try(type, at_us, value, policy, verdict, &err);
}

void test_store_post(const char *type, int64_t at_us, double value)
{
    struct rate_verdict verdict;
    assert_int_equal(test_store_add(type, at_us, value, &test_store_no_limit, &verdict), ERR_OK);
    sample_model_add(&test_store.model, type, (struct record){{at_us}, value});
}

void test_store_post_batch(const char *type, const struct record *records, size_t count)
{
    struct rate_verdict verdict;
    struct error err;
    error_init(&err);
    assert_int_equal(add_batch(type, records, count, &test_store_no_limit, &verdict, &err), ERR_OK);
    for (size_t i = 0; i < count; i++)
        sample_model_add(&test_store.model, type, records[i]);
}

/* A script of a test's own, on the keys of a type. */
static void run_script(const char *script, const char *type, const struct slice *args, size_t count)
{
    struct redis_key stem;
    struct redisReply *reply;
    struct slice argv[8] = {SLICE("EVAL"), slice_from_string(script), SLICE("1")};
    redis_key_metric_stem(&stem, SLICE("ra:"), slice_from_string(type));
    argv[3] = redis_key_slice(&stem);
    for (size_t i = 0; i < count; i++)
        argv[4 + i] = args[i];
    assert_int_equal(
        redis_client_call(test_store.client, REDIS_LANE_WRITE, argv, 4 + count, &reply, NULL),
        ERR_OK);
    redis_reply_free(reply);
}

void test_store_put_open(const char *type, int64_t hour, const struct record *records, size_t count)
{
    char name[SPAN_NAME_BYTES];
    unsigned char *packed = malloc(count * RECORD_BYTES);
    assert_non_null(packed);
    for (size_t i = 0; i < count; i++) {
        record_pack(records[i], packed + i * RECORD_BYTES);
        sample_model_add(&test_store.model, type, records[i]);
    }
    const struct slice args[] = {span_name((struct span){SPAN_HOUR, hour}, name),
                                 slice_of((const char *)packed, count * RECORD_BYTES)};
    run_script("redis.call('SET', KEYS[1] .. 'raw:' .. ARGV[1], ARGV[2]) "
               "redis.call('ZADD', KEYS[1] .. 'open', ARGV[1], ARGV[1]) "
               "redis.call('HSETNX', KEYS[1] .. 'chunks', 'layout', 1)",
               type, args, 2);
    free(packed);
}

void test_store_forget_rollups(const char *type)
{
    test_store_settle();
    run_script("for _, name in ipairs(redis.call('ZRANGE', KEYS[1] .. 'spans', 0, -1)) do "
               "local key = KEYS[1] .. 'agg:' .. name "
               "local stamp = redis.call('GETRANGE', key, 0, 7) "
               "if #stamp == 8 then redis.call('SET', key, stamp) end end",
               type, NULL, 0);
}

enum err_code test_store_ask(const struct metric_question *question, struct aggregate *a,
                             struct metric_report *report)
{
    struct error err;
    error_init(&err);
    return metric_store_series(test_store.store, question,
                               mono_after_ms(clock_mono_now(), PATIENCE_MS), a, 1, report, &err);
}

/* A field of the type's hash `chunks` (redis_keys.h); "0" when it has none. */
static struct slice chunks_field(struct slice stem, struct slice name, char out[static FIELD_BYTES])
{
    struct redisReply *reply;
    struct slice value;
    char key[96];
    (void)snprintf(key, sizeof key, "%.*schunks", (int)stem.len, stem.ptr);
    const struct slice argv[] = {SLICE("HGET"), slice_from_string(key), name};
    assert_int_equal(redis_client_call(test_store.client, REDIS_LANE_WRITE, argv, 3, &reply, NULL),
                     ERR_OK);
    if (!redis_reply_bytes(reply, &value))
        value = SLICE("0");
    assert_in_range(value.len, 1, FIELD_BYTES);
    memcpy(out, value.ptr, value.len);
    redis_reply_free(reply);
    return slice_of(out, value.len);
}

static struct slice sealed_copy(const struct record *records, size_t count)
{
    static unsigned char sealed[CHUNK_SEALED_BYTES_MAX];
    size_t len = chunk_seal(NULL, records, count, sealed);
    char *copy = malloc(len);
    assert_true(len > 0 && copy);
    memcpy(copy, sealed, len);
    return slice_of(copy, len);
}

static void gather(const char *type, struct span span, const struct record *records, size_t chunks,
                   size_t each)
{
    char had_text[FIELD_BYTES], layout_text[FIELD_BYTES], level[8], number[24];
    char name[SPAN_NAME_BYTES];
    struct redis_key stem;
    struct redisReply *reply;
    int64_t is_done = 0;
    redis_key_metric_stem(&stem, SLICE("ra:"), slice_from_string(type));
    const struct slice key = redis_key_slice(&stem);
    struct slice had = chunks_field(key, span_name(span, name), had_text);
    (void)snprintf(level, sizeof level, "%d", (int)span.level);
    (void)snprintf(number, sizeof number, "%lld", (long long)span.number);
    struct slice args[GATHER_HEAD + GATHER_MAX] = {chunks_field(key, SLICE("layout"), layout_text),
                                                   SLICE(""),
                                                   slice_from_string(level),
                                                   slice_from_string(number),
                                                   had,
                                                   had,
                                                   SLICE("0"),
                                                   SLICE("0")};
    for (size_t i = 0; i < chunks; i++)
        args[GATHER_HEAD + i] = sealed_copy(records + i * each, each);
    assert_int_equal(redis_client_eval(test_store.client, REDIS_LANE_WRITE, REDIS_SCRIPT_GATHER,
                                       &key, 1, args, GATHER_HEAD + chunks, &reply, NULL),
                     ERR_OK);
    assert_true(redis_reply_integer(reply, &is_done) && is_done);
    redis_reply_free(reply);
    for (size_t i = 0; i < chunks; i++)
        free((char *)(uintptr_t)args[GATHER_HEAD + i].ptr);
}

void test_store_put_chunks(const char *type, struct span span, const struct record *records,
                           size_t chunks, size_t each)
{
    for (size_t i = 0; i < chunks * each; i++)
        sample_model_add(&test_store.model, type, records[i]);
    run_script("redis.call('HSETNX', KEYS[1] .. 'chunks', 'layout', 1)", type, NULL, 0);
    for (size_t done = 0; done < chunks; done += GATHER_MAX) {
        size_t n = chunks - done < GATHER_MAX ? chunks - done : GATHER_MAX;
        gather(type, span, records + done * each, n, each);
    }
}

void test_store_check_since(const char *type, struct wall_time from)
{
    sample_model_check_window(&test_store.model, test_store.store, type, from, WALL_TIME_MAX);
}

void test_store_check_list(const char *type, size_t limit)
{
    sample_model_check_list(&test_store.model, test_store.store, type, limit);
}

void test_store_await(const char *text, const char *wanted)
{
    char out[256] = "";
    for (int i = 0; i < 5000; i++) {
        assert_true(test_store_command(out, sizeof out, text));
        if (strcmp(out, wanted) == 0)
            return;
        const struct timespec pause = {0, 1000000};
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("%s gave \"%s\", never \"%s\"", text, out, wanted);
}

int64_t test_store_hour_start(void)
{
    return hour_start(hour_of(clock_wall_now())).us;
}

/* Write-backs are not waited for; a PING behind them on the same lane is. */
void test_store_settle(void)
{
    struct redisReply *reply;
    const struct slice ping = SLICE("PING");
    assert_int_equal(redis_client_call(test_store.client, REDIS_LANE_WRITE, &ping, 1, &reply, NULL),
                     ERR_OK);
    redis_reply_free(reply);
}

long test_store_changes(void)
{
    static const char name[] = "rdb_changes_since_last_save:";
    char text[4096];
    assert_true(test_store_command(text, sizeof text, "INFO persistence"));
    const char *found = strstr(text, name);
    assert_non_null(found);
    return strtol(found + sizeof name - 1, NULL, 10);
}
