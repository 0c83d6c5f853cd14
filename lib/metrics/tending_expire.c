#include <stdlib.h>

#include "packed.h"
#include "tending.h"

/* What one script does: well under a millisecond, and in so many arguments as it may have. */
enum { SPANS_PAGE = 64, CHUNKS_PAGE = 48, SHRINK_MAX = 64 };

/* --- Samples that have expired ----------------------------------------------------- */

/* A chunk, and what stays of it: stamp and aggregate. */
struct head {
    struct span span;
    int64_t number;
    struct slice bytes;
};

static bool aggregate_block(struct tending *t, struct slice block, struct aggregate *a)
{
    t->count = 0;
    if (!block_decode(t->decoder, block, t->records, &t->count))
        return false;
    aggregate_reset(a);
    aggregate_add_run(a, t->records, t->count);
    return !aggregate_failed(a);
}

/* A damaged head, made anew from the chunk's samples into `out`. Not good: they are damaged, too,
 * or were moved. */
static enum err_code mend(struct tending *t, struct head *head, unsigned char *out, bool *is_good,
                          struct error *err)
{
    struct arguments a = {0};
    struct redisReply *reply;
    struct aggregate all;
    struct slice chunk;
    int64_t is_same = 0;
    arguments_add_bytes(&a, slice_from_string(t->layout));
    arguments_add_span(&a, head->span);
    arguments_add_integer(&a, head->number);
    aggregate_init(&all, true);
    enum err_code code = tending_run(t, REDIS_LANE_READ, REDIS_SCRIPT_CHUNK_FETCH, &a, &reply, err);
    (void)redis_reply_integer_at(reply, 0, &is_same);
    *is_good = is_same && redis_reply_bytes_at(reply, 2, &chunk) &&
               aggregate_block(t, chunk_block(chunk), &all);
    if (*is_good) {
        memcpy(out, head->bytes.ptr, CHUNK_STAMP_BYTES);
        size_t len = CHUNK_STAMP_BYTES + aggregate_pack(&all, out + CHUNK_STAMP_BYTES);
        head->bytes = slice_of((const char *)out, len);
    } else if (is_same) {
        tending_say_damaged(t, head->span, head->number);
    } else {
        t->is_behind = true;
    }
    redis_reply_free(reply);
    aggregate_release(&all);
    return code;
}

static bool read_head(const struct redisReply *heads, size_t at, struct head *head)
{
    struct slice name;
    return redis_reply_bytes_at(heads, at, &name) && span_parse(name, &head->span) &&
           redis_reply_integer_at(heads, at + 1, &head->number) &&
           redis_reply_bytes_at(heads, at + 2, &head->bytes) &&
           head->bytes.len >= CHUNK_MOMENTS_BYTES;
}

/* Whose aggregate is damaged keeps its samples, unless they tell a new one, of which
 * TENDING_CHUNKS_MAX go into one step. */
static enum err_code freeze_all(struct tending *t, const struct redisReply *heads,
                                struct error *err)
{
    struct arguments a = {0};
    struct aggregate known;
    size_t mended = 0, frozen = 0;
    enum err_code code = ERR_OK;
    aggregate_init(&known, true);
    arguments_add_bytes(&a, slice_from_string(t->layout));
    for (size_t at = 0; code == ERR_OK && at < redis_reply_count(heads); at += 3) {
        struct head head;
        if (!read_head(heads, at, &head))
            continue;
        bool is_good = aggregate_unpack(chunk_aggregate(head.bytes), &known);
        if (!is_good && mended == TENDING_CHUNKS_MAX) {
            t->is_behind = true;
        } else if (!is_good) {
            code = mend(t, &head, t->sealed[mended], &is_good, err);
            mended += is_good;
        }
        if (!is_good)
            continue;
        arguments_add_span(&a, head.span);
        arguments_add_integer(&a, head.number);
        arguments_add_bytes(&a, head.bytes);
        frozen++;
    }
    bool is_done;
    if (code == ERR_OK && frozen > 0)
        code = tending_change(t, REDIS_SCRIPT_TEND_FREEZE, &a, &is_done, err);
    aggregate_release(&known);
    return code;
}

/* --- Chunks without samples become one --------------------------------------------- */

static bool merge_one(struct aggregate *sum, struct aggregate *one, uint64_t *stamp,
                      struct slice chunk)
{
    if (!aggregate_unpack(chunk_aggregate(chunk), one) || chunk_block(chunk).len > 0)
        return false;
    uint64_t chunk_stamp = packed_u64((const unsigned char *)chunk.ptr);
    *stamp = chunk_stamp > *stamp ? chunk_stamp : *stamp;
    aggregate_merge(sum, one);
    return true;
}

/* The chunks from number `from` on, TENDING_FETCH_MAX at most. */
static enum err_code merge_some(struct tending *t, struct span span, int64_t from, int64_t to,
                                struct aggregate *sum, uint64_t *stamp, bool *is_whole,
                                struct error *err)
{
    struct arguments a = {0};
    arguments_add_bytes(&a, slice_from_string(t->layout));
    for (int64_t n = from; n < to; n++) {
        arguments_add_span(&a, span);
        arguments_add_integer(&a, n);
    }
    struct redisReply *reply;
    struct aggregate one;
    int64_t is_same = 0;
    aggregate_init(&one, true);
    enum err_code code = tending_run(t, REDIS_LANE_READ, REDIS_SCRIPT_CHUNK_FETCH, &a, &reply, err);
    if (!redis_reply_integer_at(reply, 0, &is_same) || !is_same)
        t->is_behind = true;
    for (size_t i = 0; code == ERR_OK && i < (size_t)(to - from); i++) {
        struct slice chunk;
        if (!redis_reply_bytes_at(reply, 2 + 2 * i, &chunk) || !merge_one(sum, &one, stamp, chunk))
            *is_whole = false;
    }
    redis_reply_free(reply);
    aggregate_release(&one);
    return code;
}

/* The aggregate of chunks `from` to `to` (excluded), and the latest stamp of them. Not whole:
 * some have samples, or cannot be read. */
static enum err_code merge(struct tending *t, struct span span, int64_t from, int64_t to,
                           struct aggregate *sum, uint64_t *stamp, bool *is_whole,
                           struct error *err)
{
    *stamp = 0;
    *is_whole = true;
    enum err_code code = ERR_OK;
    for (int64_t at = from; code == ERR_OK && *is_whole && at < to; at += TENDING_FETCH_MAX) {
        int64_t end = to - at < TENDING_FETCH_MAX ? to : at + TENDING_FETCH_MAX;
        code = merge_some(t, span, at, end, sum, stamp, is_whole, err);
    }
    *is_whole = *is_whole && !aggregate_failed(sum);
    return code;
}

static enum err_code put_merged(struct tending *t, struct span span, int64_t had, int64_t keep,
                                const struct aggregate *sum, uint64_t stamp, bool *is_done,
                                struct error *err)
{
    struct arguments a;
    unsigned char stamp_bytes[CHUNK_STAMP_BYTES];
    packed_put_u64(stamp_bytes, stamp);
    size_t len = aggregate_pack(sum, t->sealed[0]);
    tending_begin_gather(t, &a, slice_of((const char *)stamp_bytes, sizeof stamp_bytes), span, had,
                         keep);
    arguments_add_integer(&a, 0);
    arguments_add_integer(&a, 0);
    arguments_add_bytes(&a, slice_of((const char *)t->sealed[0], len));
    return tending_change(t, REDIS_SCRIPT_GATHER, &a, is_done, err);
}

static enum err_code look(struct tending *t, struct span span, int64_t *count, struct error *err)
{
    struct redisReply *reply;
    struct tending_target target = {0};
    enum err_code code = tending_look_at(t, span, &target, &reply, err);
    *count = target.count;
    redis_reply_free(reply);
    return code;
}

/* The last SHRINK_MAX chunks of `*count` become one. */
static enum err_code shrink(struct tending *t, struct span span, int64_t *count, bool *is_done,
                            struct error *err)
{
    int64_t had;
    *is_done = false;
    enum err_code code = look(t, span, &had, err);
    if (code == ERR_OK && had != *count)
        t->is_behind = true;
    if (code != ERR_OK || had != *count)
        return code;
    int64_t keep = had > SHRINK_MAX ? had - SHRINK_MAX : 0;
    struct aggregate sum;
    uint64_t stamp;
    bool is_whole;
    aggregate_init(&sum, true);
    code = merge(t, span, keep, had, &sum, &stamp, &is_whole, err);
    if (code == ERR_OK && is_whole)
        code = put_merged(t, span, had, keep, &sum, stamp, is_done, err);
    aggregate_release(&sum);
    *count = keep + 1;
    return code;
}

/* --- Aggregates that have expired -------------------------------------------------- */

static enum err_code put_base(struct tending *t, struct span span, struct slice base,
                              const struct aggregate *all, struct error *err)
{
    struct arguments a = {0};
    struct redisReply *reply;
    int64_t result = 0;
    size_t len = aggregate_pack(all, t->sealed[0]);
    arguments_add_bytes(&a, slice_from_string(t->layout));
    arguments_add_bytes(
        &a, slice_of(base.ptr, base.len < CHUNK_STAMP_BYTES ? base.len : CHUNK_STAMP_BYTES));
    arguments_add_integer(&a, span.level);
    arguments_add_integer(&a, span.number);
    arguments_add_integer(&a, t->retention->aggregates_us);
    arguments_add_bytes(&a, slice_of((const char *)t->sealed[0], len));
    tending_rest(t);
    enum err_code code = tending_run(t, REDIS_LANE_WRITE, REDIS_SCRIPT_TEND_FOLD, &a, &reply, err);
    if (!redis_reply_integer(reply, &result) || result == 0)
        t->is_behind = true;
    redis_reply_free(reply);
    return code;
}

static enum err_code read_base(struct tending *t, struct slice *base, struct redisReply **reply,
                               struct error *err)
{
    struct redis_key key;
    redis_key_base(&key, redis_client_key_prefix(t->client), t->type);
    const struct slice argv[] = {SLICE("GET"), redis_key_slice(&key)};
    enum err_code code = redis_client_call(t->client, REDIS_LANE_READ, argv, 2, reply, err);
    *base = SLICE("");
    if (code == ERR_OK)
        (void)redis_reply_bytes(*reply, base);
    return code;
}

/* A span's only chunk goes into the base, which arrived before. A base that cannot be read
 * stays as it is, and the chunk where it is. */
static enum err_code fold(struct tending *t, struct span span, struct error *err)
{
    struct redisReply *reply = NULL;
    struct slice base = SLICE("");
    struct aggregate all;
    uint64_t stamp;
    bool is_whole = false;
    int64_t count;
    aggregate_init(&all, true);
    enum err_code code = look(t, span, &count, err);
    if (code == ERR_OK)
        code = read_base(t, &base, &reply, err);
    if (count != 1)
        t->is_behind = true;
    bool is_sound = code == ERR_OK && count == 1 &&
                    (base.len == 0 || aggregate_unpack(chunk_aggregate(base), &all));
    if (is_sound)
        code = merge(t, span, 0, 1, &all, &stamp, &is_whole, err);
    if (code == ERR_OK && is_whole)
        code = put_base(t, span, base, &all, err);
    redis_reply_free(reply);
    aggregate_release(&all);
    return code;
}

/* --- The walk ---------------------------------------------------------------------- */

static enum err_code reduce(struct tending *t, struct span span, int64_t count, bool is_expired,
                            struct error *err)
{
    bool goes_on = true;
    enum err_code code = ERR_OK;
    while (code == ERR_OK && goes_on && count > 1)
        code = shrink(t, span, &count, &goes_on, err);
    return code == ERR_OK && goes_on && is_expired ? fold(t, span, err) : code;
}

/* Where the walk stands: a span by its score, and a chunk of it. */
struct place {
    char score[INTEGER_BYTES];
    int64_t chunk;
};

static struct wall_time earlier(struct wall_time a, int64_t us)
{
    return (struct wall_time){lesser(a.us, us)};
}

static bool accept_page(struct tending *t, const struct redisReply *reply, struct place *place)
{
    struct slice score, layout;
    int64_t oldest_samples, oldest;
    if (!redis_reply_bytes_at(reply, 0, &score) || score.len >= sizeof place->score ||
        !redis_reply_integer_at(reply, 1, &place->chunk) ||
        !redis_reply_bytes_at(reply, 2, &layout) || layout.len >= sizeof t->layout ||
        !redis_reply_integer_at(reply, 5, &oldest_samples) ||
        !redis_reply_integer_at(reply, 6, &oldest))
        return false;
    t->oldest_samples = earlier(t->oldest_samples, oldest_samples);
    t->oldest = earlier(t->oldest, oldest);
    memcpy(place->score, score.ptr, score.len);
    place->score[score.len] = '\0';
    memcpy(t->layout, layout.ptr, layout.len);
    t->layout[layout.len] = '\0';
    return true;
}

static enum err_code read_page(struct tending *t, struct place *place, struct redisReply **reply,
                               struct error *err)
{
    struct arguments a = {0};
    arguments_add_integer(&a, t->retention->samples_us);
    arguments_add_integer(&a, t->retention->aggregates_us);
    arguments_add_bytes(&a, slice_from_string(place->score));
    arguments_add_integer(&a, place->chunk);
    arguments_add_integer(&a, SPANS_PAGE);
    arguments_add_integer(&a, CHUNKS_PAGE);
    enum err_code code = tending_run(t, REDIS_LANE_READ, REDIS_SCRIPT_TEND_EXPIRE, &a, reply, err);
    if (code == ERR_OK && !accept_page(t, *reply, place))
        code = tending_say_unexpected(err, "tend_expire");
    return code;
}

static enum err_code reduce_all(struct tending *t, const struct redisReply *spans,
                                struct error *err)
{
    enum err_code code = ERR_OK;
    for (size_t at = 0; code == ERR_OK && at < redis_reply_count(spans); at += 3) {
        struct slice name;
        struct span span;
        int64_t count, is_expired;
        if (!redis_reply_bytes_at(spans, at, &name) ||
            !redis_reply_integer_at(spans, at + 1, &count) ||
            !redis_reply_integer_at(spans, at + 2, &is_expired))
            code = tending_say_unexpected(err, "tend_expire");
        else if (span_parse(name, &span))
            code = reduce(t, span, count, is_expired != 0, err);
    }
    return code;
}

static enum err_code expire_page(struct tending *t, struct place *place, struct error *err)
{
    struct redisReply *reply;
    enum err_code code = read_page(t, place, &reply, err);
    if (code == ERR_OK)
        code = freeze_all(t, redis_reply_at(reply, 3), err);
    if (code == ERR_OK)
        code = reduce_all(t, redis_reply_at(reply, 4), err);
    redis_reply_free(reply);
    return code;
}

enum err_code tending_expire(struct tending *t, struct error *err)
{
    struct place place = {"+inf", 0};
    enum err_code code = ERR_OK;
    t->oldest_samples = t->oldest = (struct wall_time){INT64_MAX};
    while (code == ERR_OK && place.score[0] && !tending_must_yield(t))
        code = expire_page(t, &place, err);
    return code;
}
