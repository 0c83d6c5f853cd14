#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "metric_store_parts.h"
#include "redis_keys.h"
#include "span.h"

enum {
    KEYS_FIXED = 3,
    ARGS_FIXED = 4,
    KEYS_A_TYPE = 2,
    ARGS_A_TYPE = 4,
    ARGS_A_GROUP = 2,
    REPLY_FIXED = POST_STATUS_AT + 2,
    REPLY_A_CHUNK = 3,
    TEXTS_BYTES_MAX = 2 << 20
};

_Static_assert(KEYS_FIXED + ARGS_FIXED +
                       BATCH_GROUPS_MAX * (KEYS_A_TYPE + ARGS_A_TYPE + ARGS_A_GROUP) <=
                   REDIS_EVAL_ARGS_MAX,
               "a batch is one call");

/* Keys and arguments of scripts/post_many.lua. */
struct call {
    struct arena texts;
    size_t key_count, arg_count;
    struct slice keys[KEYS_FIXED + KEYS_A_TYPE * BATCH_GROUPS_MAX];
    struct slice args[ARGS_FIXED + (ARGS_A_TYPE + ARGS_A_GROUP) * BATCH_GROUPS_MAX];
};

static void add_key(struct call *call, const struct redis_key *key)
{
    call->keys[call->key_count++] = arena_copy(&call->texts, redis_key_slice(key));
}

static void add_arg(struct call *call, struct slice arg)
{
    call->args[call->arg_count++] = arg;
}

static void add_integer(struct call *call, int64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%" PRId64, value);
    add_arg(call, arena_copy(&call->texts, slice_of(text, (size_t)len)));
}

static void spell_type(struct call *call, struct slice prefix, const struct sample_batch *batch,
                       const struct batch_type *type, const unsigned char *records)
{
    struct redis_key key;
    unsigned char newest[RECORD_BYTES], oldest[RECORD_BYTES];
    redis_key_meta(&key, prefix, type->name);
    add_key(call, &key);
    redis_key_metric_stem(&key, prefix, type->name);
    add_key(call, &key);
    record_pack(type->newest, newest);
    record_pack((struct record){type->oldest, 0.0}, oldest);
    add_arg(call, type->name);
    add_arg(call, arena_copy(&call->texts, slice_of((const char *)newest, sizeof newest)));
    add_arg(call, arena_copy(&call->texts, slice_of((const char *)oldest, 8)));
    add_integer(call, (int64_t)type->group_count);
    for (size_t i = type->first_group; i != BATCH_NONE; i = sample_batch_group(batch, i)->next) {
        const struct batch_group *group = sample_batch_group(batch, i);
        add_integer(call, group->hour);
        add_arg(call, slice_of((const char *)records + group->first * RECORD_BYTES,
                               group->count * RECORD_BYTES));
    }
}

static void spell(struct call *call, struct metric_store *store, const struct rate_call *rate,
                  const struct sample_batch *batch, const unsigned char *records)
{
    struct slice prefix = redis_client_key_prefix(store->client);
    struct redis_key key;
    call->key_count = call->arg_count = 0;
    add_key(call, &rate->key);
    redis_key_global(&key, prefix, "types");
    add_key(call, &key);
    redis_key_global(&key, prefix, "due");
    add_key(call, &key);
    add_arg(call, slice_from_string(rate->limit_text));
    add_arg(call, slice_from_string(rate->window_us_text));
    add_integer(call, (int64_t)store->options.types_max);
    add_integer(call, (int64_t)store->options.spans_per_type_max);
    for (size_t i = 0; i < sample_batch_type_count(batch); i++)
        spell_type(call, prefix, batch, sample_batch_type(batch, i), records);
}

static enum err_code run(struct metric_store *store, const struct rate_call *rate,
                         struct sample_batch *batch, struct redisReply **reply, struct error *err)
{
    const unsigned char *records;
    struct call *call = malloc(sizeof *call);
    *reply = NULL;
    if (!call || !sample_batch_pack(batch, &records)) {
        free(call);
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    }
    arena_init(&call->texts, TEXTS_BYTES_MAX);
    spell(call, store, rate, batch, records);
    enum err_code code;
    if (call->texts.failed)
        code = error_set(err, ERR_NO_MEMORY, "Out of memory");
    else
        code =
            redis_client_eval(store->client, REDIS_LANE_WRITE, REDIS_SCRIPT_POST_MANY, call->keys,
                              call->key_count, call->args, call->arg_count, reply, err);
    arena_release(&call->texts);
    free(call);
    return code;
}

/* Chunks that were closed; what is lost here the tender finds. */
static void hand_closed(struct metric_store *store, const struct sample_batch *batch,
                        const struct redisReply *reply)
{
    for (size_t at = REPLY_FIXED; at + REPLY_A_CHUNK <= redis_reply_count(reply);
         at += REPLY_A_CHUNK) {
        int64_t type, hour, number;
        if (redis_reply_integer_at(reply, at, &type) &&
            redis_reply_integer_at(reply, at + 1, &hour) &&
            redis_reply_integer_at(reply, at + 2, &number) && type >= 0 &&
            (size_t)type < sample_batch_type_count(batch))
            chunk_sealer_chunk_closed(store->sealer, sample_batch_type(batch, (size_t)type)->name,
                                      hour, number);
    }
}

static enum err_code conclude(struct metric_store *store, const struct sample_batch *batch,
                              const struct redisReply *reply, const struct rate_verdict *verdict,
                              struct error *err)
{
    int64_t status, type;
    if (!redis_reply_integer_at(reply, POST_STATUS_AT, &status) ||
        !redis_reply_integer_at(reply, POST_STATUS_AT + 1, &type) || type < 0 ||
        (size_t)type >= sample_batch_type_count(batch))
        return error_set(err, ERR_STORE_UNKNOWN, "The store gave an answer of the wrong shape");
    if (!verdict->is_admitted)
        return rate_verdict_refuse(verdict, err);
    if (status != POST_STORED)
        return metric_store_refuse(store, (enum post_status)status,
                                   sample_batch_type(batch, (size_t)type)->name, err);
    hand_closed(store, batch, reply);
    return ERR_OK;
}

enum err_code metric_store_add_batch(struct metric_store *store, struct sample_batch *batch,
                                     const struct rate_policy *policy,
                                     const struct rate_subject *subject,
                                     struct rate_verdict *verdict, struct error *err)
{
    struct rate_call call;
    if (!rate_limiter_begin(store->limiter, policy, subject, clock_mono_now(), &call, verdict))
        return rate_verdict_refuse(verdict, err);
    struct redisReply *reply;
    enum err_code code = run(store, &call, batch, &reply, err);
    if (code != ERR_OK)
        return code;
    /* The script ran, so samples may be stored: the client must not be told otherwise. */
    if (rate_limiter_end(store->limiter, &call, reply, verdict))
        code = conclude(store, batch, reply, verdict, err);
    else
        code = error_set(err, ERR_STORE_UNKNOWN, "The store gave an answer of the wrong shape");
    redis_reply_free(reply);
    return code;
}
