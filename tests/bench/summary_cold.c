/*
 * summary_cold: what a summary costs over many samples of one day.
 *
 *   summary_cold [SAMPLES]        in 24 hours; 10,000,000 unless given
 *
 * Fills a redis-server of its own with chunks as the service would have left them, then
 * times the three stages: nothing aggregated, aggregates there but no kept answer, kept.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "number.h"
#include "packed.h"
#include "summary_cache.h"
#include "test_redis.h"

enum { DAY_HOURS = 24, COLD_ROUNDS = 50, WARM_ROUNDS = 1000, PATIENCE_MS = 60000 };

static struct redis_client *client;
static struct aggregate everything;
static int64_t latest_us;

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

static struct slice key_of(char *buffer, size_t bytes, const char *family, int64_t bucket,
                           int64_t chunk)
{
    int len = chunk < 0 ? snprintf(buffer, bytes, "ra:m:{load}:%s:%" PRId64, family, bucket)
                        : snprintf(buffer, bytes, "ra:m:{load}:%s:%" PRId64 ":%" PRId64, family,
                                   bucket, chunk);
    return slice_of(buffer, (size_t)len);
}

/* One bucket with evenly spaced samples, in chunks. */
static void fill_bucket(int64_t bucket, size_t count)
{
    static unsigned char chunk[CHUNK_BYTES];
    char key[64], number[24], closed_text[24];
    size_t closed = count / CHUNK_RECORDS;
    for (size_t n = 0, done = 0; n <= closed; n++) {
        size_t used = 0;
        for (; used < CHUNK_RECORDS && done < count; used++, done++) {
            int64_t offset = (int64_t)((double)done / (double)count * (double)BUCKET_US);
            latest_us = bucket_start(bucket).us + offset;
            record_pack((struct record){{latest_us}, (double)(done % 1000) / 7.0},
                        chunk + used * RECORD_BYTES);
        }
        aggregate_add_records(&everything, chunk, used, WALL_TIME_MIN, WALL_TIME_MAX);
        const struct slice set[] = {
            SLICE("SET"), key_of(key, sizeof key, "raw", bucket, n < closed ? (int64_t)n : -1),
            slice_of((const char *)chunk, used * RECORD_BYTES)};
        if (used > 0)
            run(set, 3);
    }
    (void)snprintf(number, sizeof number, "%" PRId64, bucket);
    (void)snprintf(closed_text, sizeof closed_text, "%zu", closed);
    const struct slice add[] = {SLICE("ZADD"), SLICE("ra:m:{load}:buckets"),
                                slice_from_string(number), slice_from_string(number)};
    const struct slice close[] = {SLICE("HSET"), SLICE("ra:m:{load}:chunks"),
                                  slice_from_string(number), slice_from_string(closed_text)};
    run(add, 4);
    run(close, 4);
}

static void write_meta(void)
{
    unsigned char packed[META_PACKED_BYTES] = {META_VERSION, META_KIND};
    packed_put_u64(packed + 8, 1);
    packed_put_u64(packed + 16, everything.count);
    record_pack(everything.last, packed + 24);
    packed_put_f64(packed + 40, everything.sum_high);
    packed_put_f64(packed + 48, everything.sum_low);
    packed_put_f64(packed + 56, everything.min);
    packed_put_f64(packed + 64, everything.max);
    const struct slice set[] = {SLICE("SET"), SLICE("ra:meta:{load}"),
                                slice_of((const char *)packed, sizeof packed)};
    run(set, 3);
}

static int compare_times(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void measure(struct summary_cache *cache, enum period period, const char *stage, int rounds,
                    bool is_kept)
{
    static int64_t times_us[WARM_ROUNDS];
    struct summary_answer answer = {0};
    for (int i = 0; i < rounds; i++) {
        char key[64];
        int len = snprintf(key, sizeof key, "ra:m:{load}:sum:%s", period_name(period).ptr);
        const struct slice forget[] = {SLICE("DEL"), slice_of(key, (size_t)len)};
        if (!is_kept)
            run(forget, 2);
        struct strbuf external;
        struct error err;
        error_init(&err);
        strbuf_init(&external, 1000);
        struct mono_time start = clock_mono_now();
        if (summary_cache_get(cache, SLICE("load"), period, 0, mono_after_ms(start, PATIENCE_MS),
                              &answer, &external, &err) != ERR_OK)
            give_up(err.cause);
        times_us[i] = mono_us_between(start, clock_mono_now());
        strbuf_release(&external);
    }
    qsort(times_us, (size_t)rounds, sizeof *times_us, compare_times);
    int64_t median_us = times_us[rounds / 2], worst_us = times_us[rounds - 1];
    (void)printf("%-7s %-28s %10" PRIu64 " samples  median %9.3f ms  worst %9.3f ms\n",
                 period_name(period).ptr, stage, answer.summary.count, (double)median_us / 1000.0,
                 (double)worst_us / 1000.0);
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
    const struct metric_store_options options = {100, 1000};
    struct rate_limiter *limiter = rate_limiter_new(client, 1);
    struct metric_store *store = metric_store_new(&options, client, limiter);
    struct summary_cache *cache = summary_cache_new(store, client, 300);
    if (!limiter || !store || !cache)
        give_up("out of memory");

    struct mono_time start = clock_mono_now();
    int64_t now_bucket = bucket_of(clock_wall_now());
    for (int hour = 0; hour <= DAY_HOURS; hour++) /* the last lies across the edge */
        fill_bucket(now_bucket - hour, (size_t)samples / DAY_HOURS);
    write_meta();
    (void)printf("%" PRIu64 " samples loaded in %.1f s\n", everything.count,
                 (double)mono_us_between(start, clock_mono_now()) / 1e6);
    measure(cache, PERIOD_DAILY, "nothing aggregated", 1, false);
    measure(cache, PERIOD_DAILY, "aggregates of chunks alone", 1, false);
    measure(cache, PERIOD_ALL, "from the totals", WARM_ROUNDS, true);
    for (int period = PERIOD_DAILY; period < PERIOD_COUNT; period++) {
        measure(cache, (enum period)period, "aggregates, no kept answer", COLD_ROUNDS, false);
        measure(cache, (enum period)period, "kept answer", WARM_ROUNDS, true);
    }
    summary_cache_free(cache);
    metric_store_free(store);
    rate_limiter_free(limiter);
    redis_client_free(client);
    test_redis_stop(&server);
    return 0;
}
