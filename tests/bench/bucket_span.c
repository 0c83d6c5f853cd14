/*
 * bucket_span: what the span of a bucket (BUCKET_US in record.h) costs.
 *
 * Posts steady samples at three rates, each to a type of its own, to a redis-server of
 * its own; prints bytes a sample in Redis (keys and index included, aggregates not) and
 * the time of a query over the last hour once aggregates are there. bucket_span.sh
 * builds and runs this for several spans.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "metric_store.h"
#include "number.h"
#include "redis_keys.h"
#include "test_redis.h"

enum { UNAWAITED_MAX = 200, QUERY_ROUNDS = 300, PATIENCE_MS = 10000 };

static const struct {
    const char *type;
    int64_t step_us, samples;
} rates[] = {
    {"1/min", 60000000, 4320}, /* three days */
    {"1/s", 1000000, 86400},   /* a day */
    {"100/s", 10000, 1080000}, /* three hours */
};

static struct redis_client *client;

static void give_up(const char *what)
{
    (void)fprintf(stderr, "bucket_span: %s\n", what);
    exit(1);
}

/* Used memory; also awaits everything sent before on the same lane. */
static int64_t used_bytes(void)
{
    const struct slice argv[] = {SLICE("INFO"), SLICE("memory")};
    struct redisReply *reply;
    struct slice text, name = SLICE("used_memory:");
    int64_t used = 0;
    if (redis_client_call(client, REDIS_LANE_WRITE, argv, 2, &reply, NULL) != ERR_OK ||
        !redis_reply_bytes(reply, &text))
        give_up("no INFO");
    for (size_t i = 0; i + name.len < text.len; i++) {
        struct slice rest = slice_of(text.ptr + i, text.len - i);
        if (!slice_starts_with(rest, name))
            continue;
        const char *digits = rest.ptr + name.len, *end = memchr(digits, '\r', rest.len - name.len);
        if (end &&
            number_parse_int64(slice_of(digits, (size_t)(end - digits)), 0, INT64_MAX, &used))
            break;
    }
    redis_reply_free(reply);
    return used;
}

/* As metric_store_add does, without waiting for each. */
static void post(struct slice type, struct record r)
{
    struct redis_key meta, stem;
    char bucket[24];
    unsigned char record[RECORD_BYTES];
    redis_key_meta(&meta, SLICE("ra:"), type);
    redis_key_metric_stem(&stem, SLICE("ra:"), type);
    record_pack(r, record);
    (void)snprintf(bucket, sizeof bucket, "%" PRId64, bucket_of(r.at));
    const struct slice keys[] = {SLICE("ra:rl:{x}:post"), redis_key_slice(&meta),
                                 redis_key_slice(&stem), SLICE("ra:types")};
    const struct slice args[] = {SLICE("0"),
                                 SLICE("60000000"),
                                 slice_of((const char *)record, sizeof record),
                                 slice_from_string(bucket),
                                 type,
                                 SLICE("1000000"),
                                 SLICE("1000000")};
    redis_client_eval_detached(client, REDIS_LANE_WRITE, REDIS_SCRIPT_POST, keys,
                               sizeof keys / sizeof *keys, args, sizeof args / sizeof *args);
}

static double query_us(struct metric_store *store, struct slice type, struct wall_time from)
{
    int64_t start_us = 0;
    for (int i = -3; i < QUERY_ROUNDS; i++) { /* the first ones make aggregates */
        struct aggregate a;
        if (i == 0)
            start_us = clock_mono_now().us;
        if (metric_store_aggregate_since(store, type, from,
                                         mono_after_ms(clock_mono_now(), PATIENCE_MS), &a,
                                         NULL) != ERR_OK)
            give_up("a query failed");
        (void)used_bytes();
    }
    int64_t queried_us = clock_mono_now().us - start_us;
    start_us = clock_mono_now().us;
    for (int i = 0; i < QUERY_ROUNDS; i++)
        (void)used_bytes();
    return (double)(queried_us - (clock_mono_now().us - start_us)) / QUERY_ROUNDS;
}

int main(void)
{
    const char *const server_options[] = {"--appendonly", "no", NULL};
    struct test_redis server;
    test_redis_start(&server, server_options);
    client = test_redis_client(&server);
    const struct metric_store_options options = {100, 1000000};
    struct rate_limiter *limiter = rate_limiter_new(client, 1);
    struct metric_store *store = metric_store_new(&options, client, limiter);
    if (!limiter || !store)
        give_up("out of memory");
    int64_t end_us = clock_wall_now().us;
    for (int i = 0; i < UNAWAITED_MAX; i++) /* buffers grow before anything is measured */
        post(SLICE("warm"), (struct record){{end_us}, 0.0});
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct slice type = slice_from_string(rates[i].type);
        int64_t before = used_bytes();
        for (int64_t left = rates[i].samples; left-- > 0;) {
            post(type, (struct record){{end_us - left * rates[i].step_us}, (double)left});
            if (left % UNAWAITED_MAX == 0)
                (void)used_bytes();
        }
        double bytes = (double)(used_bytes() - before) / (double)rates[i].samples;
        (void)printf("%6" PRId64 " s  %-6s %6.1f bytes a sample  %8.1f us a query\n",
                     BUCKET_US / 1000000, rates[i].type, bytes,
                     query_us(store, type, (struct wall_time){end_us - INT64_C(3600000000)}));
    }
    metric_store_free(store);
    rate_limiter_free(limiter);
    redis_client_free(client);
    test_redis_stop(&server);
    return 0;
}
