/*
 * bucket_reader: what Redis holds of one type, bucket by bucket. Read lane only.
 *
 * A page is atomic: what it says of the sizes of its buckets held at one instant. The
 * bytes below those sizes never change, so they can be fetched afterwards. Every
 * call is one round trip with a bounded reply; ERR_STORE_UNAVAILABLE once the deadline
 * has passed. Replies are the caller's: bucket_page_release, redis_reply_free.
 */
#ifndef LIB_METRICS_BUCKET_READER_H
#define LIB_METRICS_BUCKET_READER_H

#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "error.h"
#include "record.h"
#include "redis_client.h"
#include "redis_keys.h"
#include "slice.h"

enum { BUCKET_PAGE_MAX = 64, CHUNK_AGGREGATES_MAX = 256, BYTE_RANGES_MAX = 16 };

struct bucket_reader {
    struct redis_client *client;
    struct mono_time deadline;
    struct redis_key stem;
};

void bucket_reader_init(struct bucket_reader *reader, struct redis_client *client,
                        struct slice type, struct mono_time deadline);

/* Borrows from its page. */
struct bucket_view {
    int64_t bucket;
    uint64_t bytes;         /* raw bytes in all; closed chunks are bytes / CHUNK_BYTES */
    struct slice aggregate; /* packed, not checked; empty for none */
    uint64_t tail_from;     /* where `tail` begins; it ends the bucket or is empty */
    struct slice tail;
};

struct bucket_page {
    struct redisReply *reply;
    size_t count;
    struct bucket_view views[BUCKET_PAGE_MAX];
};

/*
 * Up to BUCKET_PAGE_MAX buckets from `bucket` upwards, with their aggregates and what
 * those do not cover of the open chunks (left out where a page would pass 1 MiB).
 */
enum err_code bucket_reader_since(const struct bucket_reader *reader, int64_t bucket,
                                  struct bucket_page *page, struct error *err)
    __attribute__((warn_unused_result));

/* Buckets from `bucket` downwards until they hold `records`, each with its open chunk. */
enum err_code bucket_reader_newest(const struct bucket_reader *reader, int64_t bucket,
                                   size_t records, struct bucket_page *page, struct error *err)
    __attribute__((warn_unused_result));

void bucket_page_release(struct bucket_page *page);

/* Array of `count` (<= CHUNK_AGGREGATES_MAX) packed aggregates, nil where there is none. */
enum err_code bucket_reader_chunk_aggregates(const struct bucket_reader *reader, int64_t bucket,
                                             uint64_t first, size_t count,
                                             struct redisReply **reply, struct error *err)
    __attribute__((warn_unused_result));

/* Part of a bucket that lies within one chunk. */
struct byte_range {
    uint64_t from, to; /* [from, to) */
};

/* Array of `count` (<= BYTE_RANGES_MAX) strings of exactly the lengths asked for;
 * ERR_INTERNAL when bytes are gone that must be there. */
enum err_code bucket_reader_bytes(const struct bucket_reader *reader, int64_t bucket,
                                  const struct byte_range *ranges, size_t count,
                                  struct redisReply **reply, struct error *err)
    __attribute__((warn_unused_result));

/* Records of element `index` of such an array. */
const unsigned char *bucket_reader_records(const struct redisReply *reply, size_t index);

#endif
