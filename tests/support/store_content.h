/*
 * store_content: what lies in Redis of one type at one instant, read past the store.
 */
#ifndef TESTS_SUPPORT_STORE_CONTENT_H
#define TESTS_SUPPORT_STORE_CONTENT_H

#include <stddef.h>
#include <stdint.h>

#include "moments.h"
#include "record.h"
#include "redis_client.h"

struct store_content {
    size_t keys;
    size_t record_count, open_count; /* samples that are there, those of open chunks first */
    struct record *records;
    size_t frozen_count; /* chunks of which only the aggregate is left */
    struct moments *frozen;
    struct moments base; /* count 0: none */
    uint64_t count;      /* samples known of in any way */
    size_t unsealed;
};

/*
 * Read all of it and check that it agrees with itself: each chunk is in the indexes and each
 * entry of an index has its chunk, spans are nested, aggregates count what they are of, `bytes`
 * is the size of what is sealed and rolled up, and there is nothing else. A fault fails the
 * running test.
 */
void store_content_read(struct store_content *content, struct redis_client *client,
                        const char *type);
void store_content_release(struct store_content *content);

/* A command on a key of the type, whose name without its stem is the second word; up to four
 * more words; NULL ends them. The reply is the caller's. */
struct redisReply *store_content_call(struct redis_client *client, const char *type,
                                      const char *const words[]);

#endif
