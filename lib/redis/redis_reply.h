/*
 * redis_reply: typed access to what Redis answered.
 *
 * A reply is owned by whoever got it from redis_client and freed by that function.
 * Slices into it live as long as it does.
 */
#ifndef LIB_REDIS_REDIS_REPLY_H
#define LIB_REDIS_REDIS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

struct redisReply; /* hiredis's own */

void redis_reply_free(struct redisReply *reply);

bool redis_reply_is_nil(const struct redisReply *reply);

/* Each false when the reply is of another type; `out` is then untouched. */
bool redis_reply_integer(const struct redisReply *reply, int64_t *out);
bool redis_reply_bytes(const struct redisReply *reply, struct slice *out); /* bulk or status */
bool redis_reply_error(const struct redisReply *reply, struct slice *out);

/* Elements of an array reply; 0 for anything else. */
size_t redis_reply_count(const struct redisReply *reply);

/* Borrowed; NULL when `reply` is no array or has no such element. */
const struct redisReply *redis_reply_at(const struct redisReply *reply, size_t index);

/* The same in one step; false also when there is no such element. */
bool redis_reply_integer_at(const struct redisReply *reply, size_t index, int64_t *out);
bool redis_reply_bytes_at(const struct redisReply *reply, size_t index, struct slice *out);

#endif
