#include "summary_cache.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "packed.h"
#include "redis_keys.h"

/*
 * A kept answer, little endian:
 *
 *   0  u8   KEPT_VERSION   1 u8 KEPT_KIND   2 u16 total bytes   4 u32 seal (packed.h)
 *   8  u64  version of the data that it was made from
 *  16  i64  when it was made   24 i64 when it stops being true by itself (us, Redis TIME)
 *  32  u64  count   40 f64 average   48 f64 min   56 f64 max   64 f64 latest
 */
enum { KEPT_VERSION = 1, KEPT_KIND = 'S', KEPT_BYTES = 72, KEEP_EVERY_US = 100000 };

struct kept_answer {
    uint64_t version;
    int64_t made_us, end_us;
    struct summary summary;
};

static const struct {
    const char *name;
    int64_t span_us;
} periods[PERIOD_COUNT] = {
    [PERIOD_ALL] = {"all", INT64_MAX},
    [PERIOD_DAILY] = {"daily", INT64_C(86400000000)},
    [PERIOD_HOURLY] = {"hourly", INT64_C(3600000000)},
};

struct slice period_name(enum period period)
{
    return slice_from_string(periods[period].name);
}

bool period_parse(struct slice name, enum period *period)
{
    for (int i = 0; i < PERIOD_COUNT; i++) {
        if (slice_equals(name, period_name((enum period)i))) {
            *period = (enum period)i;
            return true;
        }
    }
    return false;
}

struct summary_cache {
    struct metric_store *store;
    struct redis_client *client;
    uint32_t ttl_seconds;
};

struct summary_cache *summary_cache_new(struct metric_store *store, struct redis_client *client,
                                        uint32_t ttl_seconds)
{
    struct summary_cache *cache = malloc(sizeof *cache);
    if (cache)
        *cache = (struct summary_cache){store, client, ttl_seconds};
    return cache;
}

void summary_cache_free(struct summary_cache *cache)
{
    free(cache);
}

static void pack(const struct kept_answer *kept, unsigned char out[static KEPT_BYTES])
{
    out[0] = KEPT_VERSION;
    out[1] = KEPT_KIND;
    packed_put_u16(out + 2, KEPT_BYTES);
    packed_put_u64(out + 8, kept->version);
    packed_put_u64(out + 16, (uint64_t)kept->made_us);
    packed_put_u64(out + 24, (uint64_t)kept->end_us);
    packed_put_u64(out + 32, kept->summary.count);
    packed_put_f64(out + 40, kept->summary.average);
    packed_put_f64(out + 48, kept->summary.min);
    packed_put_f64(out + 56, kept->summary.max);
    packed_put_f64(out + 64, kept->summary.latest);
    packed_seal(out, KEPT_BYTES);
}

static bool unpack(struct slice packed, struct kept_answer *kept)
{
    const unsigned char *in = (const unsigned char *)packed.ptr;
    if (packed.len != KEPT_BYTES || in[0] != KEPT_VERSION || in[1] != KEPT_KIND ||
        packed_u16(in + 2) != KEPT_BYTES || !packed_is_sound(in, KEPT_BYTES))
        return false;
    *kept = (struct kept_answer){.version = packed_u64(in + 8),
                                 .made_us = (int64_t)packed_u64(in + 16),
                                 .end_us = (int64_t)packed_u64(in + 24),
                                 .summary = {.count = packed_u64(in + 32),
                                             .average = packed_f64(in + 40),
                                             .min = packed_f64(in + 48),
                                             .max = packed_f64(in + 56),
                                             .latest = packed_f64(in + 64)}};
    return true;
}

/* What Redis knows at one instant. Slices live as long as the reply. */
struct question {
    bool has_meta, has_kept;
    struct meta meta;
    struct kept_answer kept;
    struct slice external;
    int64_t external_ttl_us;
    int64_t now_us;
};

static bool read_question(const struct redisReply *reply, struct question *question)
{
    struct slice packed;
    int64_t ttl_ms;
    question->has_meta = redis_reply_bytes_at(reply, 0, &packed);
    if (question->has_meta && !meta_unpack(packed, &question->meta))
        return false;
    question->has_kept = redis_reply_bytes_at(reply, 1, &packed) && unpack(packed, &question->kept);
    question->external = SLICE("");
    (void)redis_reply_bytes_at(reply, 2, &question->external);
    if (!redis_reply_integer_at(reply, 3, &ttl_ms) ||
        !redis_reply_integer_at(reply, 4, &question->now_us))
        return false;
    question->external_ttl_us = ttl_ms < 0 ? INT64_MAX : ttl_ms * 1000;
    return true;
}

static enum err_code ask(struct summary_cache *cache, struct slice type, enum period period,
                         struct redisReply **reply, struct question *question, struct error *err)
{
    struct slice prefix = redis_client_key_prefix(cache->client);
    struct redis_key meta, kept, external;
    redis_key_meta(&meta, prefix, type);
    redis_key_summary(&kept, prefix, type, period_name(period));
    redis_key_external(&external, prefix, type);
    const struct slice keys[] = {redis_key_slice(&meta), redis_key_slice(&kept),
                                 redis_key_slice(&external)};
    enum err_code code = redis_client_eval(cache->client, REDIS_LANE_READ, REDIS_SCRIPT_SUMMARY_GET,
                                           keys, sizeof keys / sizeof *keys, NULL, 0, reply, err);
    if (code != ERR_OK || read_question(*reply, question))
        return code;
    code = error_set(err, ERR_INTERNAL, "Internal error");
    error_set_cause(err, "meta is not as it was written");
    return code;
}

static void keep(struct summary_cache *cache, struct slice type, enum period period,
                 const struct kept_answer *answer)
{
    struct slice prefix = redis_client_key_prefix(cache->client);
    struct redis_key meta, kept;
    redis_key_meta(&meta, prefix, type);
    redis_key_summary(&kept, prefix, type, period_name(period));
    const struct slice keys[] = {redis_key_slice(&meta), redis_key_slice(&kept)};
    unsigned char packed[KEPT_BYTES];
    char ttl[16];
    pack(answer, packed);
    (void)snprintf(ttl, sizeof ttl, "%" PRIu32, cache->ttl_seconds);
    const struct slice args[] = {slice_of((const char *)packed, sizeof packed),
                                 slice_from_string(ttl)};
    redis_client_eval_detached(cache->client, REDIS_LANE_WRITE, REDIS_SCRIPT_SUMMARY_PUT, keys,
                               sizeof keys / sizeof *keys, args, sizeof args / sizeof *args);
}

/* An average lies within its samples, also where the sum rounds or overflows. */
static struct summary summarise(uint64_t count, double average, double min, double max,
                                double latest)
{
    return (struct summary){count, fmin(fmax(average, min), max), min, max, latest};
}

static struct summary summary_of_all(const struct meta *meta)
{
    return summarise(meta->count, (meta->sum_high + meta->sum_low) / (double)meta->count, meta->min,
                     meta->max, meta->newest.value);
}

static enum err_code compute(struct summary_cache *cache, struct slice type, enum period period,
                             const struct question *question, struct mono_time deadline,
                             struct kept_answer *made, struct error *err)
{
    /* The data may be newer than the version read before them: then that version is
     * over, and what is kept under it is never taken for the truth. */
    *made = (struct kept_answer){
        .version = question->meta.version, .made_us = question->now_us, .end_us = INT64_MAX};
    if (period == PERIOD_ALL) {
        made->summary = summary_of_all(&question->meta);
        return ERR_OK;
    }
    struct aggregate a;
    int64_t span_us = periods[period].span_us;
    enum err_code code = metric_store_aggregate_since(
        cache->store, type, (struct wall_time){question->now_us - span_us}, deadline, &a, err);
    if (code == ERR_OK && a.count > 0) {
        made->summary = summarise(a.count, aggregate_average(&a), a.min, a.max, a.last.value);
        made->end_us = a.first.at.us + span_us + 1;
    }
    return code;
}

/* A type that is written and asked for all the time is not worth a write per question;
 * one that is only read is, however soon an answer ran out. */
static bool is_worth_keeping(const struct question *question)
{
    int64_t age_us = question->now_us - question->kept.made_us;
    return !question->has_kept || question->kept.version == question->meta.version || age_us < 0 ||
           age_us >= KEEP_EVERY_US;
}

/* Exact: nothing was written since, and no sample has left the window since. A clock
 * that stepped back would bring samples back into it. */
static bool is_true(const struct question *question, const struct kept_answer *kept)
{
    return kept->version == question->meta.version && question->now_us >= kept->made_us &&
           question->now_us < kept->end_us;
}

static bool is_good(const struct question *question, int64_t fresh_us)
{
    const struct kept_answer *kept = &question->kept;
    int64_t age_us = question->now_us - kept->made_us;
    return question->has_kept && (is_true(question, kept) || (age_us >= 0 && age_us < fresh_us));
}

static enum err_code answer_question(struct summary_cache *cache, struct slice type,
                                     enum period period, int64_t fresh_us,
                                     const struct question *question, struct mono_time deadline,
                                     struct summary_answer *answer, struct error *err)
{
    *answer = (struct summary_answer){.valid_us = INT64_MAX,
                                      .external_ttl_us = question->external_ttl_us};
    if (!question->has_meta)
        return ERR_OK;
    struct kept_answer made = question->kept;
    answer->is_hit = is_good(question, fresh_us);
    if (!answer->is_hit) {
        enum err_code code = compute(cache, type, period, question, deadline, &made, err);
        if (code != ERR_OK)
            return code;
        if (is_worth_keeping(question))
            keep(cache, type, period, &made);
    }
    answer->summary = made.summary;
    answer->age_us = question->now_us - made.made_us;
    if (!is_true(question, &made))
        answer->valid_us = 0;
    else if (made.end_us != INT64_MAX)
        answer->valid_us = made.end_us - question->now_us;
    return ERR_OK;
}

enum err_code summary_cache_get(struct summary_cache *cache, struct slice type, enum period period,
                                int64_t fresh_us, struct mono_time deadline,
                                struct summary_answer *answer, struct strbuf *external,
                                struct error *err)
{
    struct redisReply *reply;
    struct question question = {0};
    enum err_code code = ask(cache, type, period, &reply, &question, err);
    if (code == ERR_OK)
        code = answer_question(cache, type, period, fresh_us, &question, deadline, answer, err);
    if (code == ERR_OK)
        strbuf_append_slice(external, question.external);
    redis_reply_free(reply);
    return code;
}
