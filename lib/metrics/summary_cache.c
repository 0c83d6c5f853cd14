#include "summary_cache.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "packed.h"
#include "redis_keys.h"
#include "span.h"

/*
 * A kept answer, little endian:
 *
 *   0  u8   KEPT_VERSION      1 u8 KEPT_KIND
 *   2  u16  bytes of the aggregate
 *   4  u32  seal of these 32 (packed.h)
 *   8  u64  version of the data that it was made from
 *  16  i64  when it was made (us, Redis TIME)
 *  24  i64  when it stops being true by itself
 *  32       packed aggregate (aggregate.h); nothing when no sample counts
 */
enum { KEPT_VERSION = 2, KEPT_KIND = 'S', KEPT_HEAD_BYTES = 32, KEEP_EVERY_US = 100000 };

struct kept_answer {
    uint64_t version;
    int64_t made_us, end_us;
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

int64_t period_span_us(enum period period)
{
    return periods[period].span_us;
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

static void pack_head(const struct kept_answer *kept, size_t aggregate_bytes,
                      unsigned char out[static KEPT_HEAD_BYTES])
{
    out[0] = KEPT_VERSION;
    out[1] = KEPT_KIND;
    packed_put_u16(out + 2, (uint16_t)aggregate_bytes);
    packed_put_u64(out + 8, kept->version);
    packed_put_u64(out + 16, (uint64_t)kept->made_us);
    packed_put_u64(out + 24, (uint64_t)kept->end_us);
    packed_seal(out, KEPT_HEAD_BYTES);
}

static bool unpack_head(struct slice packed, struct kept_answer *kept)
{
    const unsigned char *in = (const unsigned char *)packed.ptr;
    if (packed.len < KEPT_HEAD_BYTES || in[0] != KEPT_VERSION || in[1] != KEPT_KIND ||
        packed.len - KEPT_HEAD_BYTES != packed_u16(in + 2) || !packed_is_sound(in, KEPT_HEAD_BYTES))
        return false;
    struct kept_answer read = {.version = packed_u64(in + 8),
                               .made_us = (int64_t)packed_u64(in + 16),
                               .end_us = (int64_t)packed_u64(in + 24)};
    if (read.made_us < 0)
        return false;
    *kept = read;
    return true;
}

/* What Redis knows at one instant. Slices live as long as the reply. */
struct question {
    bool has_meta, has_kept;
    struct meta meta;
    struct kept_answer kept;
    struct slice kept_aggregate; /* packed, not checked */
    struct slice external;
    int64_t external_ttl_us;
    int64_t now_us;
};

static bool read_question(const struct redisReply *reply, struct question *question)
{
    struct slice packed;
    int64_t ttl_ms;
    question->has_meta = redis_reply_bytes_at(reply, 0, &packed) && !meta_is_deleting(packed);
    if (question->has_meta && !meta_unpack(packed, &question->meta))
        return false;
    question->has_kept =
        redis_reply_bytes_at(reply, 1, &packed) && unpack_head(packed, &question->kept);
    if (question->has_kept)
        question->kept_aggregate =
            slice_of(packed.ptr + KEPT_HEAD_BYTES, packed.len - KEPT_HEAD_BYTES);
    question->external = SLICE("");
    (void)redis_reply_bytes_at(reply, 2, &question->external);
    if (!redis_reply_integer_at(reply, 3, &ttl_ms) ||
        !redis_reply_integer_at(reply, 4, &question->now_us))
        return false;
    question->external_ttl_us = ttl_ms < 0 ? INT64_MAX : ttl_ms * 1000;
    return true;
}

/* `period` NULL: nothing is kept of what is asked for. */
static enum err_code ask(struct summary_cache *cache, struct slice type, const enum period *period,
                         struct redisReply **reply, struct question *question, struct error *err)
{
    struct slice prefix = redis_client_key_prefix(cache->client);
    struct redis_key meta, stem, external, kept;
    redis_key_meta(&meta, prefix, type);
    redis_key_metric_stem(&stem, prefix, type);
    redis_key_external(&external, prefix, type);
    struct slice keys[4] = {redis_key_slice(&meta), redis_key_slice(&stem),
                            redis_key_slice(&external)};
    size_t key_count = 3;
    if (period) {
        redis_key_summary(&kept, prefix, type, period_name(*period));
        keys[key_count++] = redis_key_slice(&kept);
    }
    enum err_code code = redis_client_eval(cache->client, REDIS_LANE_READ, REDIS_SCRIPT_SUMMARY_GET,
                                           keys, key_count, NULL, 0, reply, err);
    if (code != ERR_OK || read_question(*reply, question))
        return code;
    code = error_set(err, ERR_INTERNAL, "Internal error");
    error_set_cause(err, "meta is not as it was written");
    return code;
}

static void keep(struct summary_cache *cache, struct slice type, enum period period,
                 const struct kept_answer *kept, const struct aggregate *a)
{
    unsigned char *packed = malloc(KEPT_HEAD_BYTES + AGGREGATE_PACKED_BYTES_MAX);
    if (!packed)
        return;
    size_t len = 0;
    if (a->moments.count > 0)
        len = aggregate_pack(a, packed + KEPT_HEAD_BYTES);
    pack_head(kept, len, packed);
    len += KEPT_HEAD_BYTES;

    struct slice prefix = redis_client_key_prefix(cache->client);
    struct redis_key meta, stem, key;
    redis_key_meta(&meta, prefix, type);
    redis_key_metric_stem(&stem, prefix, type);
    redis_key_summary(&key, prefix, type, period_name(period));
    const struct slice keys[] = {redis_key_slice(&meta), redis_key_slice(&stem),
                                 redis_key_slice(&key)};
    char ttl[16];
    (void)snprintf(ttl, sizeof ttl, "%" PRIu32, cache->ttl_seconds);
    const struct slice args[] = {slice_of((const char *)packed, len), slice_from_string(ttl)};
    redis_client_eval_detached(cache->client, REDIS_LANE_WRITE, REDIS_SCRIPT_SUMMARY_PUT, keys,
                               sizeof keys / sizeof *keys, args, sizeof args / sizeof *args);
    free(packed);
}

static enum err_code compute(struct summary_cache *cache, struct slice type, enum period period,
                             const struct question *question, struct mono_time deadline,
                             struct summary_answer *answer, struct kept_answer *made,
                             struct error *err)
{
    /* The data may be newer than the version read before them: then that version is
     * over, and what is kept under it is never taken for the truth. */
    *made = (struct kept_answer){
        .version = question->meta.version, .made_us = question->now_us, .end_us = INT64_MAX};
    int64_t span_us = periods[period].span_us;
    struct metric_question window = {.type = type, .from = WALL_TIME_MIN, .to = WALL_TIME_MAX};
    if (period != PERIOD_ALL)
        window.from.us = question->now_us - span_us;
    enum err_code code = metric_store_series(cache->store, &window, deadline, &answer->aggregate, 1,
                                             &answer->report, err);
    const struct moments *m = &answer->aggregate.moments;
    if (code == ERR_OK && m->count > 0 && has_hour(m->first.at) && period != PERIOD_ALL)
        made->end_us = m->first.at.us + span_us + 1;
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

/* False: it is damaged. */
static bool use_kept(const struct question *question, struct summary_answer *answer)
{
    aggregate_reset(&answer->aggregate);
    return question->kept_aggregate.len == 0 ||
           aggregate_unpack(question->kept_aggregate, &answer->aggregate);
}

static void begin_answer(struct summary_answer *answer, const struct question *question)
{
    aggregate_reset(&answer->aggregate);
    answer->report = (struct metric_report){0};
    answer->is_hit = false;
    answer->now_us = question->now_us;
    answer->age_us = 0;
    answer->valid_us = INT64_MAX;
    answer->external_ttl_us = question->external_ttl_us;
}

static enum err_code answer_period(struct summary_cache *cache, struct slice type,
                                   enum period period, int64_t fresh_us,
                                   const struct question *question, struct mono_time deadline,
                                   struct summary_answer *answer, struct error *err)
{
    begin_answer(answer, question);
    if (!question->has_meta)
        return ERR_OK;
    struct kept_answer made = question->kept;
    answer->is_hit = is_good(question, fresh_us) && use_kept(question, answer);
    if (!answer->is_hit) {
        enum err_code code = compute(cache, type, period, question, deadline, answer, &made, err);
        if (code != ERR_OK)
            return code;
        const struct metric_report *report = &answer->report;
        bool is_whole = !report->is_widened && !report->is_folded && report->damage_count == 0;
        if (is_whole && is_worth_keeping(question))
            keep(cache, type, period, &made, &answer->aggregate);
    }
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
    enum err_code code = ask(cache, type, &period, &reply, &question, err);
    if (code == ERR_OK)
        code = answer_period(cache, type, period, fresh_us, &question, deadline, answer, err);
    if (code == ERR_OK)
        strbuf_append_slice(external, question.external);
    redis_reply_free(reply);
    return code;
}

enum err_code summary_cache_get_window(struct summary_cache *cache, struct slice type,
                                       struct wall_time from, struct wall_time to,
                                       struct mono_time deadline, struct summary_answer *answer,
                                       struct strbuf *external, struct error *err)
{
    struct redisReply *reply;
    struct question question = {0};
    const struct metric_question window = {.type = type, .from = from, .to = to};
    enum err_code code = ask(cache, type, NULL, &reply, &question, err);
    if (code == ERR_OK) {
        begin_answer(answer, &question);
        if (question.has_meta)
            code = metric_store_series(cache->store, &window, deadline, &answer->aggregate, 1,
                                       &answer->report, err);
    }
    if (code == ERR_OK)
        strbuf_append_slice(external, question.external);
    redis_reply_free(reply);
    return code;
}
