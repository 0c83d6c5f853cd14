/*
 * summary_cold: what a summary costs over many samples of one day.
 *
 *   summary_cold [SAMPLES]        in 24 hours; 10,000,000 unless given
 *
 * Fills a redis-server of its own with chunks as the service would have left them, then
 * times the three stages: sealed chunks alone, rollups but no kept answer, kept.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "chunk.h"
#include "number.h"
#include "span.h"
#include "summary_cache.h"
#include "test_redis.h"

enum { DAY_HOURS = 24, COLD_ROUNDS = 50, WARM_ROUNDS = 1000, PATIENCE_MS = 60000 };

#define TYPE "load"
#define STEM "ra:m:{" TYPE "}:"

static struct redis_client *client;

static void give_up(const char *what)
{
    (void)fprintf(stderr, "summary_cold: %s\n", what);
    exit(1);
}

static void run(const struct slice *argv, size_t argc)
{
    struct redisReply *reply;
    struct error err;
    error_init(&err);
    if (redis_client_call(client, REDIS_LANE_WRITE, argv, argc, &reply, &err) != ERR_OK)
        give_up(err.cause);
    redis_reply_free(reply);
}

static struct slice integer_text(char buffer[static 24], int64_t value)
{
    return slice_of(buffer, (size_t)snprintf(buffer, 24, "%" PRId64, value));
}

static void run_script(const char *script, const struct slice *args, size_t count)
{
    struct slice argv[8] = {SLICE("EVAL"), slice_from_string(script), SLICE("1"), SLICE(STEM)};
    for (size_t i = 0; i < count; i++)
        argv[4 + i] = args[i];
    run(argv, 4 + count);
}

/* The beginning of a type, as post.lua has it. */
static void post_one(struct metric_store *store)
{
    const struct rate_policy no_limit = {.name = "none", .limit = 0, .window_seconds = 1};
    const struct sample sample = {clock_wall_now(), 1.0, SLICE(TYPE)};
    struct rate_subject somebody;
    struct rate_verdict verdict;
    struct error err;
    error_init(&err);
    rate_subject_from_address(SLICE("127.0.0.1"), &somebody);
    if (metric_store_add(store, &sample, &no_limit, &somebody, &verdict, &err) != ERR_OK)
        give_up(err.detail);
}

/* A full chunk, closed as post.lua does and sealed as the sealer does. */
static void put_chunk(int64_t hour, int64_t number, const struct record *records)
{
    static const char close[] =
        "local hour, n = ARGV[1], ARGV[2] "
        "redis.call('SET', KEYS[1] .. 'raw:' .. hour .. ':' .. n, ARGV[3]) "
        "redis.call('HSET', KEYS[1] .. 'chunks', hour, n + 1, 'layout', '1') "
        "for level, hours in ipairs({1, 24, 768}) do "
        "local at = string.format('%.0f', math.floor(hour / hours)) "
        "local name = ({'', 'd', 'm'})[level] .. at "
        "redis.call('ZADD', KEYS[1] .. 'spans', level * 4294967296 + at, name) "
        "redis.call('SET', KEYS[1] .. 'agg:' .. name, 'stamp000') end";
    static unsigned char raw[CHUNK_BYTES], sealed[CHUNK_SEALED_BYTES_MAX];
    char hour_text[24], number_text[24];
    for (size_t i = 0; i < CHUNK_RECORDS; i++)
        record_pack(records[i], raw + i * RECORD_BYTES);
    size_t len = chunk_seal(NULL, records, CHUNK_RECORDS, sealed);
    if (len == 0)
        give_up("out of memory");
    struct slice args[] = {integer_text(hour_text, hour), integer_text(number_text, number),
                           slice_of((const char *)raw, sizeof raw), SLICE("1")};
    run_script(close, args, 3);
    args[2] = slice_of((const char *)sealed, len);
    struct redisReply *reply;
    struct error err;
    int64_t is_put = 0;
    const struct slice stem = SLICE(STEM);
    error_init(&err);
    if (redis_client_eval(client, REDIS_LANE_WRITE, REDIS_SCRIPT_CHUNK_SEAL, &stem, 1, args, 4,
                          &reply, &err) != ERR_OK)
        give_up(err.cause);
    if (!redis_reply_integer(reply, &is_put) || !is_put)
        give_up("a chunk was not sealed");
    redis_reply_free(reply);
}

static void put_open(int64_t hour, const struct record *records, size_t count)
{
    static const char append[] = "redis.call('APPEND', KEYS[1] .. 'raw:' .. ARGV[1], ARGV[2]) "
                                 "redis.call('ZADD', KEYS[1] .. 'open', ARGV[1], ARGV[1])";
    static unsigned char raw[CHUNK_BYTES];
    char hour_text[24];
    for (size_t i = 0; i < count; i++)
        record_pack(records[i], raw + i * RECORD_BYTES);
    const struct slice args[] = {integer_text(hour_text, hour),
                                 slice_of((const char *)raw, count * RECORD_BYTES)};
    run_script(append, args, 2);
}

/* Evenly spaced samples. */
static void fill_hour(int64_t hour, size_t count)
{
    static struct record records[CHUNK_RECORDS];
    size_t used = 0;
    for (size_t done = 0, chunk = 0; done < count; done++) {
        int64_t offset_us = (int64_t)((double)done / (double)count * (double)HOUR_US);
        records[used++] =
            (struct record){{hour_start(hour).us + offset_us}, (double)(done % 1000) / 8.0};
        if (used == CHUNK_RECORDS) {
            put_chunk(hour, (int64_t)chunk++, records);
            used = 0;
        }
    }
    put_open(hour, records, used);
}

static void forget_rollups(void)
{
    run_script("for _, name in ipairs(redis.call('ZRANGE', KEYS[1] .. 'spans', 0, -1)) do "
               "local key = KEYS[1] .. 'agg:' .. name "
               "redis.call('SET', key, redis.call('GETRANGE', key, 0, 7)) end",
               NULL, 0);
}

static int compare_times(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

enum stage { STAGE_CHUNKS, STAGE_ROLLUPS, STAGE_KEPT };

static void forget(enum stage stage, enum period period)
{
    char key[64];
    int len = snprintf(key, sizeof key, STEM "sum:%s", period_name(period).ptr);
    const struct slice del[] = {SLICE("DEL"), slice_of(key, (size_t)len)};
    if (stage < STAGE_KEPT)
        run(del, 2);
    if (stage < STAGE_ROLLUPS)
        forget_rollups();
}

static void measure(struct summary_cache *cache, enum period period, enum stage stage)
{
    static const struct {
        const char *name;
        int rounds;
    } stages[] = {[STAGE_CHUNKS] = {"sealed chunks alone", COLD_ROUNDS},
                  [STAGE_ROLLUPS] = {"rollups, no kept answer", COLD_ROUNDS},
                  [STAGE_KEPT] = {"kept answer", WARM_ROUNDS}};
    static int64_t times_us[WARM_ROUNDS];
    struct summary_answer answer;
    aggregate_init(&answer.aggregate, true);
    int rounds = stages[stage].rounds;
    for (int i = -1; i < rounds; i++) { /* the first one leaves what the next ones find */
        forget(stage, period);
        struct strbuf external;
        struct error err;
        error_init(&err);
        strbuf_init(&external, 1000);
        struct mono_time start = clock_mono_now();
        if (summary_cache_get(cache, SLICE(TYPE), period, 0, mono_after_ms(start, PATIENCE_MS),
                              &answer, &external, &err) != ERR_OK)
            give_up(err.cause);
        if (i >= 0)
            times_us[i] = mono_us_between(start, clock_mono_now());
        strbuf_release(&external);
    }
    qsort(times_us, (size_t)rounds, sizeof *times_us, compare_times);
    (void)printf("%-7s %-24s %10" PRIu64 " samples  median %9.3f ms  worst %9.3f ms\n",
                 period_name(period).ptr, stages[stage].name, answer.aggregate.moments.count,
                 (double)times_us[rounds / 2] / 1000.0, (double)times_us[rounds - 1] / 1000.0);
    aggregate_release(&answer.aggregate);
}

static void load(struct metric_store *store, int64_t samples)
{
    struct mono_time start = clock_mono_now();
    int64_t now_hour = hour_of(clock_wall_now());
    for (int hour = 0; hour <= DAY_HOURS; hour++) /* the last lies across the edge */
        fill_hour(now_hour - hour, (size_t)samples / DAY_HOURS);
    post_one(store);
    (void)printf("%" PRId64 " samples loaded and sealed in %.1f s\n",
                 samples / DAY_HOURS * (DAY_HOURS + 1),
                 (double)mono_us_between(start, clock_mono_now()) / 1e6);
}

int main(int argc, char **argv)
{
    int64_t samples = 10000000;
    if (argc > 1 &&
        !number_parse_int64(slice_from_string(argv[1]), DAY_HOURS, 1000000000, &samples))
        give_up("SAMPLES is not a number from 24 to 1000000000");
    const char *const server_options[] = {"--appendonly", "no", NULL};
    struct test_redis server;
    test_redis_start(&server, server_options);
    client = test_redis_client(&server);
    const struct metric_store_options options = {.types_max = 100, .spans_per_type_max = 1000};
    struct rate_limiter *limiter = rate_limiter_new(client, 1);
    struct metric_store *store = metric_store_new(&options, client, limiter);
    struct summary_cache *cache = summary_cache_new(store, client, 300);
    if (!limiter || !store || !cache)
        give_up("out of memory");
    load(store, samples);
    for (int period = 0; period < PERIOD_COUNT; period++) {
        for (int stage = STAGE_CHUNKS; stage <= STAGE_KEPT; stage++)
            measure(cache, (enum period)period, (enum stage)stage);
    }
    summary_cache_free(cache);
    metric_store_free(store);
    rate_limiter_free(limiter);
    redis_client_free(client);
    test_redis_stop(&server);
    return 0;
}
