#include "bucket_reader.h"
#include "metric_store_parts.h"

/* Below this many bytes an aggregate of a bucket saves less than it costs. */
enum { WORTH_AGGREGATING_BYTES = 4096 };

struct query {
    struct metric_store *store;
    struct slice type;
    struct wall_time from;
    struct bucket_reader reader;
};

/* How the samples of an aggregate lie to the window. */
enum place { PLACE_INSIDE, PLACE_OUTSIDE, PLACE_ACROSS };

static enum place place_of(const struct query *query, const struct aggregate *a)
{
    if (a->first.at.us >= query->from.us)
        return PLACE_INSIDE;
    return a->last.at.us < query->from.us ? PLACE_OUTSIDE : PLACE_ACROSS;
}

/* What one chunk, or part of it, adds to the answer. */
struct piece {
    struct byte_range range;
    bool is_known;
    bool is_aggregated; /* Redis has a good aggregate of the whole chunk */
    struct aggregate sum;
};

struct batch {
    size_t count;
    struct piece pieces[CHUNK_AGGREGATES_MAX];
};

static bool is_whole_chunk(const struct piece *piece)
{
    return piece->range.to - piece->range.from == CHUNK_BYTES;
}

/* Cut [from, to) at the borders of chunks, as far as the batch has room. Returns the end. */
static uint64_t batch_fill(struct batch *batch, uint64_t from, uint64_t to)
{
    batch->count = 0;
    while (from < to && batch->count < CHUNK_AGGREGATES_MAX) {
        uint64_t border = (from / CHUNK_BYTES + 1) * CHUNK_BYTES;
        struct piece *piece = &batch->pieces[batch->count++];
        piece->range = (struct byte_range){from, border < to ? border : to};
        piece->is_known = piece->is_aggregated = false;
        aggregate_init(&piece->sum);
        from = piece->range.to;
    }
    return from;
}

static void use_aggregate(const struct query *query, struct slice packed, struct piece *piece)
{
    struct aggregate a;
    uint64_t covered;
    if (!aggregate_unpack(packed, &a, &covered) || covered != CHUNK_BYTES)
        return;
    enum place place = place_of(query, &a);
    piece->is_aggregated = true;
    piece->is_known = place != PLACE_ACROSS;
    if (place == PLACE_INSIDE)
        piece->sum = a;
}

static enum err_code load_aggregates(const struct query *query, int64_t bucket, struct batch *batch,
                                     struct error *err)
{
    size_t whole = 0;
    for (size_t i = 0; i < batch->count; i++)
        whole += is_whole_chunk(&batch->pieces[i]);
    if (whole == 0)
        return ERR_OK;
    uint64_t first = batch->pieces[0].range.from / CHUNK_BYTES;
    struct redisReply *reply;
    enum err_code code =
        bucket_reader_chunk_aggregates(&query->reader, bucket, first, batch->count, &reply, err);
    if (code != ERR_OK)
        return code;
    for (size_t i = 0; i < batch->count; i++) {
        struct slice packed;
        if (is_whole_chunk(&batch->pieces[i]) && redis_reply_bytes_at(reply, i, &packed))
            use_aggregate(query, packed, &batch->pieces[i]);
    }
    redis_reply_free(reply);
    return ERR_OK;
}

static void sum_raw(const struct query *query, int64_t bucket, struct piece *piece,
                    const unsigned char *records)
{
    size_t bytes = (size_t)(piece->range.to - piece->range.from);
    piece->is_known = true;
    if (is_whole_chunk(piece) && !piece->is_aggregated) {
        struct aggregate whole;
        aggregate_init(&whole);
        aggregate_add_records(&whole, records, CHUNK_RECORDS, WALL_TIME_MIN, WALL_TIME_MAX);
        aggregate_keeper_offer(query->store->keeper, query->type, bucket,
                               (int64_t)(piece->range.from / CHUNK_BYTES), &whole, CHUNK_BYTES,
                               records + bytes - RECORD_BYTES);
        if (place_of(query, &whole) == PLACE_INSIDE) {
            piece->sum = whole;
            return;
        }
    }
    aggregate_add_records(&piece->sum, records, bytes / RECORD_BYTES, query->from, WALL_TIME_MAX);
}

/* Read raw what no aggregate answers. */
static enum err_code load_raw(const struct query *query, int64_t bucket, struct batch *batch,
                              struct error *err)
{
    size_t next = 0;
    for (;;) {
        struct piece *pieces[BYTE_RANGES_MAX];
        struct byte_range ranges[BYTE_RANGES_MAX];
        size_t count = 0;
        for (; next < batch->count && count < BYTE_RANGES_MAX; next++) {
            if (batch->pieces[next].is_known)
                continue;
            pieces[count] = &batch->pieces[next];
            ranges[count++] = batch->pieces[next].range;
        }
        if (count == 0)
            return ERR_OK;
        struct redisReply *reply;
        enum err_code code =
            bucket_reader_bytes(&query->reader, bucket, ranges, count, &reply, err);
        if (code != ERR_OK)
            return code;
        for (size_t i = 0; i < count; i++)
            sum_raw(query, bucket, pieces[i], bucket_reader_records(reply, i));
        redis_reply_free(reply);
    }
}

/* Bytes [from, to) of a bucket, in order of arrival. */
static enum err_code add_range(const struct query *query, int64_t bucket, uint64_t from,
                               uint64_t to, struct aggregate *sum, struct error *err)
{
    struct batch batch;
    while (from < to) {
        from = batch_fill(&batch, from, to);
        enum err_code code = load_aggregates(query, bucket, &batch, err);
        if (code == ERR_OK)
            code = load_raw(query, bucket, &batch, err);
        if (code != ERR_OK)
            return code;
        for (size_t i = 0; i < batch.count; i++)
            aggregate_merge(sum, &batch.pieces[i].sum);
    }
    return ERR_OK;
}

/*
 * Where to begin behind the bucket's own aggregate: 0 when there is none, or it is no
 * good, or its samples lie across the edge of the window.
 */
static uint64_t add_covered(const struct query *query, const struct bucket_view *view,
                            struct aggregate *sum)
{
    struct aggregate a;
    uint64_t covered;
    if (!aggregate_unpack(view->aggregate, &a, &covered) || covered > view->bytes)
        return 0;
    enum place place = place_of(query, &a);
    if (place == PLACE_INSIDE)
        *sum = a;
    return place == PLACE_ACROSS ? 0 : covered;
}

static enum err_code add_bucket(const struct query *query, const struct bucket_view *view,
                                struct aggregate *result, struct error *err)
{
    struct aggregate sum;
    aggregate_init(&sum);
    uint64_t covered = add_covered(query, view, &sum);
    uint64_t tail_from = view->tail.len > 0 ? view->tail_from : view->bytes;
    enum err_code code = add_range(query, view->bucket, covered, tail_from, &sum, err);
    if (code != ERR_OK)
        return code;
    const unsigned char *tail = (const unsigned char *)view->tail.ptr;
    if (tail_from < view->bytes)
        aggregate_add_records(&sum, tail, view->tail.len / RECORD_BYTES, query->from,
                              WALL_TIME_MAX);
    /* The last record proves later that the bucket is still the same: it must be at hand. */
    if (sum.count == view->bytes / RECORD_BYTES && view->tail.len > 0 &&
        view->bytes - covered >= WORTH_AGGREGATING_BYTES)
        aggregate_keeper_offer(query->store->keeper, query->type, view->bucket, AGGREGATE_OF_BUCKET,
                               &sum, view->bytes, tail + view->tail.len - RECORD_BYTES);
    aggregate_merge(result, &sum);
    return ERR_OK;
}

enum err_code metric_store_aggregate_since(struct metric_store *store, struct slice type,
                                           struct wall_time from, struct mono_time deadline,
                                           struct aggregate *result, struct error *err)
{
    struct query query = {.store = store, .type = type, .from = from};
    bucket_reader_init(&query.reader, store->client, type, deadline);
    aggregate_init(result);
    int64_t bucket = bucket_of(from);
    for (bool is_done = false; !is_done;) {
        struct bucket_page page;
        enum err_code code = bucket_reader_since(&query.reader, bucket, &page, err);
        for (size_t i = 0; code == ERR_OK && i < page.count; i++)
            code = add_bucket(&query, &page.views[i], result, err);
        is_done = page.count < BUCKET_PAGE_MAX;
        if (!is_done)
            bucket = page.views[page.count - 1].bucket + 1;
        bucket_page_release(&page);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}
