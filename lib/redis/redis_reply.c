#include "redis_reply.h"

#include <hiredis/hiredis.h>

void redis_reply_free(struct redisReply *reply)
{
    if (reply)
        freeReplyObject(reply);
}

bool redis_reply_is_nil(const struct redisReply *reply)
{
    return reply && reply->type == REDIS_REPLY_NIL;
}

bool redis_reply_integer(const struct redisReply *reply, int64_t *out)
{
    if (!reply || reply->type != REDIS_REPLY_INTEGER)
        return false;
    *out = reply->integer;
    return true;
}

static bool take_text(const struct redisReply *reply, struct slice *out)
{
    *out = slice_of(reply->str, reply->len);
    return true;
}

bool redis_reply_bytes(const struct redisReply *reply, struct slice *out)
{
    if (!reply || (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_STATUS))
        return false;
    return take_text(reply, out);
}

bool redis_reply_error(const struct redisReply *reply, struct slice *out)
{
    if (!reply || reply->type != REDIS_REPLY_ERROR)
        return false;
    return take_text(reply, out);
}

size_t redis_reply_count(const struct redisReply *reply)
{
    return reply && reply->type == REDIS_REPLY_ARRAY ? reply->elements : 0;
}

const struct redisReply *redis_reply_at(const struct redisReply *reply, size_t index)
{
    return index < redis_reply_count(reply) ? reply->element[index] : NULL;
}

bool redis_reply_integer_at(const struct redisReply *reply, size_t index, int64_t *out)
{
    return redis_reply_integer(redis_reply_at(reply, index), out);
}

bool redis_reply_bytes_at(const struct redisReply *reply, size_t index, struct slice *out)
{
    return redis_reply_bytes(redis_reply_at(reply, index), out);
}
