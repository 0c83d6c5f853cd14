#include <stdlib.h>

#include "arena.h"
#include "bucket_reader.h"
#include "metric_store_parts.h"
#include "newest_samples.h"
#include "type_directory.h"

struct listing {
    struct metric_store *store;
    struct mono_time deadline;
    struct newest_samples newest;
};

/* One type of a listing. */
struct lister {
    struct listing *listing;
    struct slice type;
    struct bucket_reader reader;
};

static void show_records(const struct lister *lister, uint64_t from, const unsigned char *records,
                         uint64_t bytes)
{
    for (uint64_t at = 0; at < bytes; at += RECORD_BYTES) {
        struct newest_sample sample = {.record = record_unpack(records + at),
                                       .type = lister->type,
                                       .arrival = (from + at) / RECORD_BYTES};
        if (!newest_samples_excludes(&lister->listing->newest, sample.record.at))
            newest_samples_show(&lister->listing->newest, &sample);
    }
}

static enum err_code show_chunks(const struct lister *lister, int64_t bucket,
                                 const struct byte_range *chunks, size_t count, struct error *err)
{
    struct redisReply *reply;
    enum err_code code = bucket_reader_bytes(&lister->reader, bucket, chunks, count, &reply, err);
    if (code != ERR_OK)
        return code;
    for (size_t i = 0; i < count; i++)
        show_records(lister, chunks[i].from, bucket_reader_records(reply, i), CHUNK_BYTES);
    redis_reply_free(reply);
    return ERR_OK;
}

static bool is_excluded(const struct lister *lister, const struct redisReply *aggregates,
                        size_t index)
{
    struct slice packed;
    struct aggregate a;
    uint64_t covered;
    return redis_reply_bytes_at(aggregates, index, &packed) &&
           aggregate_unpack(packed, &a, &covered) && covered == CHUNK_BYTES &&
           newest_samples_excludes(&lister->listing->newest, a.last.at);
}

/* While there is room, one chunk may fill it and spare the others. */
static bool is_enough(const struct newest_samples *newest, size_t chunks)
{
    return chunks == BYTE_RANGES_MAX || (newest->count < newest->limit &&
                                         chunks * CHUNK_RECORDS >= newest->limit - newest->count);
}

/* Closed chunks [first, first + count), the latest to arrive first: most are in order. */
static enum err_code show_closed(const struct lister *lister, int64_t bucket, uint64_t first,
                                 size_t count, struct error *err)
{
    struct redisReply *aggregates;
    enum err_code code =
        bucket_reader_chunk_aggregates(&lister->reader, bucket, first, count, &aggregates, err);
    struct byte_range wanted[BYTE_RANGES_MAX];
    size_t wanted_count = 0;
    for (size_t i = count; code == ERR_OK && i-- > 0;) {
        if (!is_excluded(lister, aggregates, i)) {
            uint64_t from = (first + i) * CHUNK_BYTES;
            wanted[wanted_count++] = (struct byte_range){from, from + CHUNK_BYTES};
        }
        if (wanted_count > 0 && (i == 0 || is_enough(&lister->listing->newest, wanted_count))) {
            code = show_chunks(lister, bucket, wanted, wanted_count, err);
            wanted_count = 0;
        }
    }
    redis_reply_free(aggregates);
    return code;
}

static enum err_code show_bucket(const struct lister *lister, const struct bucket_view *view,
                                 struct error *err)
{
    show_records(lister, view->tail_from, (const unsigned char *)view->tail.ptr, view->tail.len);
    enum err_code code = ERR_OK;
    for (uint64_t closed = view->bytes / CHUNK_BYTES; code == ERR_OK && closed > 0;) {
        size_t count = closed < CHUNK_AGGREGATES_MAX ? (size_t)closed : CHUNK_AGGREGATES_MAX;
        closed -= count;
        code = show_closed(lister, view->bucket, closed, count, err);
    }
    return code;
}

static bool is_older_than_wanted(const struct lister *lister, int64_t bucket)
{
    struct wall_time last = {bucket_start(bucket).us + BUCKET_US - 1};
    return newest_samples_excludes(&lister->listing->newest, last);
}

static enum err_code show_type(struct listing *listing, struct slice type, struct error *err)
{
    struct lister lister = {.listing = listing, .type = type};
    bucket_reader_init(&lister.reader, listing->store->client, type, listing->deadline);
    int64_t bucket = bucket_of(WALL_TIME_MAX);
    uint64_t wanted = listing->newest.limit;
    for (bool is_done = false; !is_done;) {
        struct bucket_page page;
        enum err_code code = bucket_reader_newest(&lister.reader, bucket, wanted, &page, err);
        for (size_t i = 0; code == ERR_OK && !is_done && i < page.count; i++) {
            const struct bucket_view *view = &page.views[i];
            uint64_t records = view->bytes / RECORD_BYTES;
            is_done = is_older_than_wanted(&lister, view->bucket);
            if (!is_done)
                code = show_bucket(&lister, view, err);
            is_done = is_done || records >= wanted;
            wanted -= is_done ? 0 : records;
            bucket = view->bucket - 1;
        }
        is_done = is_done || page.count < BUCKET_PAGE_MAX;
        bucket_page_release(&page);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

/* Newest types first, so that the rest need not be read once the list is full. */
static enum err_code show_all_types(struct listing *listing, struct arena *arena, struct error *err)
{
    struct type_directory types;
    enum err_code code =
        type_directory_read(&types, listing->store->client, listing->deadline, err);
    for (size_t i = 0; code == ERR_OK && i < types.count; i++) {
        const struct type_entry *entry = &types.entries[i];
        if (newest_samples_excludes(&listing->newest, entry->newest_at))
            break;
        struct slice name = arena_copy(arena, type_directory_name(&types, entry));
        code = name.ptr ? show_type(listing, name, err)
                        : error_set(err, ERR_NO_MEMORY, "Out of memory");
    }
    type_directory_release(&types);
    return code;
}

static void give_out(const struct newest_samples *newest, struct listed_sample *samples)
{
    uint64_t rank = newest->dropped_of_least;
    for (size_t i = 0; i < newest->count; i++) {
        const struct newest_sample *sample = &newest->heap[i];
        if (i > 0) {
            const struct newest_sample *before = sample - 1;
            bool is_tie = before->record.at.us == sample->record.at.us &&
                          slice_equals(before->type, sample->type);
            rank = is_tie ? rank + 1 : 0;
        }
        samples[i] = (struct listed_sample){sample->record, sample->type, (uint32_t)rank};
    }
}

enum err_code metric_store_list(struct metric_store *store, struct slice type, size_t limit,
                                struct mono_time deadline, struct arena *arena,
                                struct listed_sample *samples, size_t *count, struct error *err)
{
    struct listing listing = {.store = store, .deadline = deadline};
    struct newest_sample *room = arena_alloc(arena, limit * sizeof *room);
    struct slice name = arena_copy(arena, type);
    *count = 0;
    if (!room || !name.ptr)
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    newest_samples_init(&listing.newest, room, limit);
    enum err_code code =
        type.len > 0 ? show_type(&listing, name, err) : show_all_types(&listing, arena, err);
    if (code != ERR_OK)
        return code;
    newest_samples_sort(&listing.newest);
    give_out(&listing.newest, samples);
    *count = listing.newest.count;
    return ERR_OK;
}
