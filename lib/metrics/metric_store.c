#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "metric_store_parts.h"
#include "redis_keys.h"
#include "span.h"

struct metric_store *metric_store_new(const struct metric_store_options *options,
                                      struct redis_client *client, struct rate_limiter *limiter)
{
    struct metric_store *store = calloc(1, sizeof *store);
    if (!store)
        return NULL;
    store->options = *options;
    store->client = client;
    store->limiter = limiter;
    store->sealer = chunk_sealer_new(client);
    if (store->sealer)
        store->tender = metric_tender_new(client, store->sealer, &store->options.retention);
    if (store->tender)
        return store;
    metric_store_free(store);
    return NULL;
}

void metric_store_free(struct metric_store *store)
{
    if (!store)
        return;
    metric_tender_free(store->tender);
    chunk_sealer_free(store->sealer);
    free(store);
}

enum { POST_CLOSED_AT = POST_STATUS_AT + 1 };
enum { DELETION_RETRY_MS = 1000 };

static enum err_code post(struct metric_store *store, const struct sample *sample,
                          const struct rate_call *call, struct redisReply **reply,
                          struct error *err)
{
    struct slice prefix = redis_client_key_prefix(store->client);
    struct redis_key meta, stem, types, due;
    redis_key_meta(&meta, prefix, sample->type);
    redis_key_metric_stem(&stem, prefix, sample->type);
    redis_key_global(&types, prefix, "types");
    redis_key_global(&due, prefix, "due");
    const struct slice keys[] = {redis_key_slice(&call->key), redis_key_slice(&meta),
                                 redis_key_slice(&stem), redis_key_slice(&types),
                                 redis_key_slice(&due)};

    unsigned char record[RECORD_BYTES];
    char hour[24], types_max[24], spans_max[24];
    record_pack((struct record){sample->at, sample->value}, record);
    (void)snprintf(hour, sizeof hour, "%" PRId64, hour_of(sample->at));
    (void)snprintf(types_max, sizeof types_max, "%zu", store->options.types_max);
    (void)snprintf(spans_max, sizeof spans_max, "%zu", store->options.spans_per_type_max);
    const struct slice args[] = {slice_from_string(call->limit_text),
                                 slice_from_string(call->window_us_text),
                                 slice_of((const char *)record, sizeof record),
                                 slice_from_string(hour),
                                 sample->type,
                                 slice_from_string(types_max),
                                 slice_from_string(spans_max)};
    return redis_client_eval(store->client, REDIS_LANE_WRITE, REDIS_SCRIPT_POST, keys,
                             sizeof keys / sizeof *keys, args, sizeof args / sizeof *args, reply,
                             err);
}

static enum err_code refuse_type(const struct metric_store *store, struct error *err)
{
    size_t max = store->options.types_max;
    enum err_code code = error_set(err, ERR_LIMIT_REACHED,
                                   "There are %zu types already, and no more may be made "
                                   "(MAX_TYPES)",
                                   max);
    (void)error_add_field(err, "body", "type", "must be one of the %zu types that there are", max);
    return code;
}

static enum err_code refuse_hour(const struct metric_store *store, struct error *err)
{
    size_t max = store->options.spans_per_type_max;
    enum err_code code = error_set(err, ERR_LIMIT_REACHED,
                                   "Samples of this type lie in %zu hours, days and months "
                                   "already, and may not spread over more (MAX_BUCKETS)",
                                   max);
    (void)error_add_field(err, "body", "timestamp", "must not open a further hour");
    return code;
}

enum err_code metric_store_refuse(const struct metric_store *store, enum post_status status,
                                  struct slice type, struct error *err)
{
    error_set_cause(err, "samples of %.*s", (int)type.len, type.ptr);
    switch (status) {
    case POST_TYPES_FULL:
        return refuse_type(store, err);
    case POST_DELETING:
        if (err)
            err->retry_after_ms = DELETION_RETRY_MS;
        return error_set(err, ERR_STORE_UNAVAILABLE, "This type is being deleted");
    case POST_FOREIGN:
        return error_set(err, ERR_INTERNAL, "Internal error");
    default:
        return refuse_hour(store, err);
    }
}

static enum err_code conclude(struct metric_store *store, const struct sample *sample,
                              int64_t status, int64_t closed, const struct rate_verdict *verdict,
                              struct error *err)
{
    if (!verdict->is_admitted)
        return rate_verdict_refuse(verdict, err);
    if (status != POST_STORED)
        return metric_store_refuse(store, (enum post_status)status, sample->type, err);
    if (closed >= 0)
        chunk_sealer_chunk_closed(store->sealer, sample->type, hour_of(sample->at), closed);
    return ERR_OK;
}

enum counter metric_store_counter(enum err_code code)
{
    switch (code) {
    case ERR_OK:
        return COUNTER_SAMPLES_ACCEPTED;
    case ERR_RATE_LIMITED:
        return COUNTER_SAMPLES_OVER_RATE;
    case ERR_LIMIT_REACHED:
    case ERR_KEY_REUSED:
        return COUNTER_SAMPLES_OVER_LIMIT;
    default:
        return COUNTER_SAMPLES_NOT_STORED;
    }
}

static enum err_code add(struct metric_store *store, const struct sample *sample,
                         const struct rate_policy *policy, const struct rate_subject *subject,
                         struct rate_verdict *verdict, struct error *err)
{
    struct rate_call call;
    if (!rate_limiter_begin(store->limiter, policy, subject, clock_mono_now(), &call, verdict))
        return rate_verdict_refuse(verdict, err);

    struct redisReply *reply;
    enum err_code code = post(store, sample, &call, &reply, err);
    if (code != ERR_OK)
        return code;
    int64_t status, closed;
    if (rate_limiter_end(store->limiter, &call, reply, verdict) &&
        redis_reply_integer_at(reply, POST_STATUS_AT, &status) &&
        redis_reply_integer_at(reply, POST_CLOSED_AT, &closed)) {
        code = conclude(store, sample, status, closed, verdict, err);
    } else {
        /* The script ran, so the sample may be stored: the client must not be told otherwise. */
        code = error_set(err, ERR_STORE_UNKNOWN, "The store gave an answer of the wrong shape");
    }
    redis_reply_free(reply);
    return code;
}

enum err_code metric_store_add(struct metric_store *store, const struct sample *sample,
                               const struct rate_policy *policy, const struct rate_subject *subject,
                               struct rate_verdict *verdict, struct error *err)
{
    enum err_code code = add(store, sample, policy, subject, verdict, err);
    counter_add(metric_store_counter(code), 1);
    return code;
}
