#include "bucket_reader.h"

#include <inttypes.h>
#include <stdio.h>

#include "number.h"

enum { PAGE_BYTES_MAX = 1 << 20, VIEW_ELEMENTS = 5, INTEGER_BYTES = 24 };

void bucket_reader_init(struct bucket_reader *reader, struct redis_client *client,
                        struct slice type, struct mono_time deadline)
{
    reader->client = client;
    reader->deadline = deadline;
    redis_key_metric_stem(&reader->stem, redis_client_key_prefix(client), type);
}

static struct slice integer_text(int64_t value, char buffer[static INTEGER_BYTES])
{
    int len = snprintf(buffer, INTEGER_BYTES, "%" PRId64, value);
    return slice_of(buffer, (size_t)len);
}

static enum err_code say_unexpected(struct error *err, const char *cause)
{
    enum err_code code = error_set(err, ERR_INTERNAL, "Internal error");
    error_set_cause(err, "%s", cause);
    return code;
}

static enum err_code ask(const struct bucket_reader *reader, enum redis_script script,
                         const struct slice *args, size_t count, struct redisReply **reply,
                         struct error *err)
{
    *reply = NULL;
    if (!mono_is_before(clock_mono_now(), reader->deadline)) {
        enum err_code code =
            error_set(err, ERR_STORE_UNAVAILABLE, "The store could not answer in time");
        error_set_cause(err, "deadline passed between two reads");
        return code;
    }
    struct slice key = redis_key_slice(&reader->stem);
    return redis_client_eval(reader->client, REDIS_LANE_READ, script, &key, 1, args, count, reply,
                             err);
}

static bool read_view(const struct redisReply *reply, size_t at, struct bucket_view *view)
{
    struct slice bucket;
    int64_t bytes, tail_from;
    if (!redis_reply_bytes_at(reply, at, &bucket) ||
        !number_parse_int64(bucket, INT64_MIN, INT64_MAX, &view->bucket) ||
        !redis_reply_integer_at(reply, at + 1, &bytes) ||
        !redis_reply_bytes_at(reply, at + 2, &view->aggregate) ||
        !redis_reply_integer_at(reply, at + 3, &tail_from) ||
        !redis_reply_bytes_at(reply, at + 4, &view->tail))
        return false;
    if (bytes < 0 || bytes % RECORD_BYTES != 0 || tail_from < 0 || tail_from > bytes ||
        tail_from % RECORD_BYTES != 0)
        return false;
    view->bytes = (uint64_t)bytes;
    view->tail_from = (uint64_t)tail_from;
    return view->tail.len == 0 || view->tail_from + view->tail.len == view->bytes;
}

static enum err_code read_page(const struct bucket_reader *reader, struct slice order,
                               int64_t bucket, uint64_t bytes_max, struct bucket_page *page,
                               struct error *err)
{
    char bucket_text[INTEGER_BYTES], count_text[INTEGER_BYTES], bytes_text[INTEGER_BYTES];
    const struct slice args[] = {order, integer_text(bucket, bucket_text),
                                 integer_text(BUCKET_PAGE_MAX, count_text),
                                 integer_text((int64_t)bytes_max, bytes_text)};
    page->count = 0;
    enum err_code code =
        ask(reader, REDIS_SCRIPT_BUCKET_PAGE, args, sizeof args / sizeof *args, &page->reply, err);
    if (code != ERR_OK)
        return code;
    size_t elements = redis_reply_count(page->reply);
    bool is_sound = elements <= (size_t)VIEW_ELEMENTS * BUCKET_PAGE_MAX;
    for (size_t at = 0; is_sound && at < elements; at += VIEW_ELEMENTS)
        is_sound = read_view(page->reply, at, &page->views[page->count++]);
    if (is_sound)
        return ERR_OK;
    bucket_page_release(page);
    return say_unexpected(err, "a bucket is not as it was written");
}

enum err_code bucket_reader_since(const struct bucket_reader *reader, int64_t bucket,
                                  struct bucket_page *page, struct error *err)
{
    return read_page(reader, SLICE("since"), bucket, PAGE_BYTES_MAX, page, err);
}

enum err_code bucket_reader_newest(const struct bucket_reader *reader, int64_t bucket,
                                   size_t records, struct bucket_page *page, struct error *err)
{
    return read_page(reader, SLICE("newest"), bucket, (uint64_t)records * RECORD_BYTES, page, err);
}

void bucket_page_release(struct bucket_page *page)
{
    redis_reply_free(page->reply);
    page->reply = NULL;
    page->count = 0;
}

enum err_code bucket_reader_chunk_aggregates(const struct bucket_reader *reader, int64_t bucket,
                                             uint64_t first, size_t count,
                                             struct redisReply **reply, struct error *err)
{
    char bucket_text[INTEGER_BYTES], first_text[INTEGER_BYTES], count_text[INTEGER_BYTES];
    const struct slice args[] = {integer_text(bucket, bucket_text),
                                 integer_text((int64_t)first, first_text),
                                 integer_text((int64_t)count, count_text)};
    return ask(reader, REDIS_SCRIPT_CHUNK_AGGREGATES, args, sizeof args / sizeof *args, reply, err);
}

static bool has_lengths(const struct redisReply *reply, const struct byte_range *ranges,
                        size_t count)
{
    struct slice bytes;
    for (size_t i = 0; i < count; i++) {
        if (!redis_reply_bytes_at(reply, i, &bytes) || bytes.len != ranges[i].to - ranges[i].from)
            return false;
    }
    return true;
}

enum err_code bucket_reader_bytes(const struct bucket_reader *reader, int64_t bucket,
                                  const struct byte_range *ranges, size_t count,
                                  struct redisReply **reply, struct error *err)
{
    struct slice args[1 + 3 * BYTE_RANGES_MAX];
    char texts[1 + 3 * BYTE_RANGES_MAX][INTEGER_BYTES];
    size_t used = 0;
    args[used] = integer_text(bucket, texts[used]);
    used++;
    for (size_t i = 0; i < count; i++) {
        uint64_t chunk = ranges[i].from / CHUNK_BYTES, start = chunk * CHUNK_BYTES;
        const uint64_t values[] = {chunk, ranges[i].from - start, ranges[i].to - 1 - start};
        for (size_t j = 0; j < 3; j++, used++)
            args[used] = integer_text((int64_t)values[j], texts[used]);
    }
    enum err_code code = ask(reader, REDIS_SCRIPT_CHUNK_BYTES, args, used, reply, err);
    if (code != ERR_OK || has_lengths(*reply, ranges, count))
        return code;
    redis_reply_free(*reply);
    *reply = NULL;
    return say_unexpected(err, "raw bytes are missing");
}

const unsigned char *bucket_reader_records(const struct redisReply *reply, size_t index)
{
    struct slice bytes = {NULL, 0};
    (void)redis_reply_bytes_at(reply, index, &bytes);
    return (const unsigned char *)bytes.ptr;
}
