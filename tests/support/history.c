#include "history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "chunk_sealer.h"
#include "metric_tender.h"
#include "redis_keys.h"
#include "span.h"

static void give_up(const char *what)
{
    (void)fprintf(stderr, "history: %s\n", what);
    exit(1);
}

static void append_hour(struct redis_client *client, struct slice stem, int64_t hour,
                        const unsigned char *records, size_t count)
{
    static const char script[] = "redis.call('APPEND', KEYS[1] .. 'raw:' .. ARGV[1], ARGV[2]) "
                                 "redis.call('ZADD', KEYS[1] .. 'open', ARGV[1], ARGV[1])";
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, hour);
    const struct slice argv[] = {SLICE("EVAL"),
                                 slice_from_string(script),
                                 SLICE("1"),
                                 stem,
                                 slice_from_string(text),
                                 slice_of((const char *)records, count * RECORD_BYTES)};
    struct redisReply *reply;
    struct error err;
    error_init(&err);
    if (redis_client_call(client, REDIS_LANE_WRITE, argv, sizeof argv / sizeof *argv, &reply,
                          &err) != ERR_OK)
        give_up(err.cause);
    redis_reply_free(reply);
}

/* The first one is posted, which makes the type known. */
static void post(struct metric_store *store, const char *type, struct record r)
{
    static const struct rate_policy no_limit = {.name = "none", .limit = 0, .window_seconds = 1};
    struct rate_subject somebody;
    struct rate_verdict verdict;
    struct error err;
    error_init(&err);
    rate_subject_from_address(SLICE("127.0.0.1"), &somebody);
    const struct sample sample = {r.at, r.value, slice_from_string(type)};
    if (metric_store_add(store, &sample, &no_limit, &somebody, &verdict, &err) != ERR_OK)
        give_up(err.detail);
}

void history_append(struct redis_client *client, struct metric_store *store, const char *type,
                    struct series_generator *generator, size_t count)
{
    static unsigned char records[CHUNK_BYTES];
    struct redis_key stem;
    redis_key_metric_stem(&stem, redis_client_key_prefix(client), slice_from_string(type));
    struct record r;
    series_generator_next(generator, &r);
    post(store, type, r);
    size_t used = 0;
    int64_t hour = hour_of(r.at);
    for (size_t i = 1; i < count; i++) {
        series_generator_next(generator, &r);
        if (hour_of(r.at) != hour && used > 0) {
            append_hour(client, redis_key_slice(&stem), hour, records, used);
            used = 0;
        }
        hour = hour_of(r.at);
        if (used == CHUNK_RECORDS - 1)
            give_up("too many samples in an hour");
        record_pack(r, records + used++ * RECORD_BYTES);
    }
    if (used > 0)
        append_hour(client, redis_key_slice(&stem), hour, records, used);
}

void history_tend(struct redis_client *client, struct chunk_sealer *sealer, const char *type)
{
    static const struct metric_retention for_ever = {0, 0};
    struct error err;
    error_init(&err);
    if (metric_tender_tend(client, sealer, &for_ever, slice_from_string(type), &err) != ERR_OK)
        give_up(err.cause);
}
