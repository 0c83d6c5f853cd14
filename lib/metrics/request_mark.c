#include "request_mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "packed.h"

enum { VERSION = '1', ARRIVAL_AT = 1 + REQUEST_FINGERPRINT_BYTES, HEAD_BYTES = ARRIVAL_AT + 8 };

void request_mark_init(struct request_mark *mark)
{
    mark->key.len = 0;
    mark->arrival = clock_wall_now();
    mark->is_known = false;
    memset(mark->fingerprint, 0, sizeof mark->fingerprint);
}

static void take_fingerprint(struct request_mark *mark, const struct slice *texts, size_t count)
{
    uint64_t first = 1, second = 2;
    for (size_t i = 0; i < count; i++) {
        first = hash_bytes(texts[i], first);
        second = hash_bytes(texts[i], second);
    }
    packed_put_u64((unsigned char *)mark->fingerprint, first);
    packed_put_u64((unsigned char *)mark->fingerprint + 8, second);
}

/* A mark of another layout is as good as none: post_many will not take it for its own. */
static enum err_code read_mark(struct request_mark *mark, struct slice text, struct error *err)
{
    if (text.len <= HEAD_BYTES || text.ptr[0] != VERSION ||
        memcmp(text.ptr + 1, mark->fingerprint, sizeof mark->fingerprint) != 0)
        return request_mark_refuse(err);
    mark->arrival.us = (int64_t)packed_u64((const unsigned char *)text.ptr + ARRIVAL_AT);
    mark->is_known = true;
    return ERR_OK;
}

enum err_code request_mark_find(struct request_mark *mark, struct redis_client *client,
                                struct slice key, const struct slice *texts, size_t count,
                                struct error *err)
{
    request_mark_init(mark);
    take_fingerprint(mark, texts, count);
    redis_key_global(&mark->key, redis_client_key_prefix(client), "idem:");
    redis_key_append(&mark->key, key);
    const struct slice argv[] = {SLICE("GET"), redis_key_slice(&mark->key)};
    struct redisReply *reply;
    struct slice text;
    enum err_code code = redis_client_call(client, REDIS_LANE_READ, argv, 2, &reply, err);
    if (code == ERR_OK && redis_reply_bytes(reply, &text))
        code = read_mark(mark, text, err);
    redis_reply_free(reply);
    return code;
}

void request_mark_name(struct request_mark *mark, struct slice prefix)
{
    uint64_t random[2];
    char name[40];
    arc4random_buf(random, sizeof random);
    int len = snprintf(name, sizeof name, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
    redis_key_global(&mark->key, prefix, "parts:");
    redis_key_append(&mark->key, slice_of(name, (size_t)len));
}

enum err_code request_mark_refuse(struct error *err)
{
    return error_set(err, ERR_KEY_REUSED,
                     "This Idempotency-Key was used for another request: each needs its own");
}
