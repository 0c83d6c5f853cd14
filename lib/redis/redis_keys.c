#include "redis_keys.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static void put(struct redis_key *key, struct slice s)
{
    assert(s.len <= sizeof key->bytes - key->len);
    memcpy(key->bytes + key->len, s.ptr, s.len);
    key->len += s.len;
}

/* Percent-encode what would end or begin a hash tag. At most three times as long. */
static size_t encode_tag(struct slice text, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '{' || c == '}' || c == '%') {
            out[len++] = '%';
            out[len++] = digits[c >> 4];
            out[len++] = digits[c & 15];
        } else {
            out[len++] = (char)c;
        }
    }
    return len;
}

static void begin(struct redis_key *key, struct slice prefix, struct slice family, struct slice tag)
{
    key->len = 0;
    put(key, prefix);
    put(key, family);
    put(key, SLICE(":{"));
    assert(3 * tag.len <= sizeof key->bytes - key->len);
    key->len += encode_tag(tag, key->bytes + key->len);
    put(key, SLICE("}"));
}

void redis_key_global(struct redis_key *key, struct slice prefix, const char *name)
{
    key->len = 0;
    put(key, prefix);
    put(key, slice_from_string(name));
}

void redis_key_meta(struct redis_key *key, struct slice prefix, struct slice type)
{
    begin(key, prefix, SLICE("meta"), type);
}

void redis_key_metric_stem(struct redis_key *key, struct slice prefix, struct slice type)
{
    begin(key, prefix, SLICE("m"), type);
    put(key, SLICE(":"));
}

void redis_key_append(struct redis_key *key, struct slice name)
{
    put(key, name);
}

void redis_key_base(struct redis_key *key, struct slice prefix, struct slice type)
{
    redis_key_metric_stem(key, prefix, type);
    put(key, SLICE("blk:base"));
}

void redis_key_raw_chunk(struct redis_key *key, struct slice prefix, struct slice type,
                         int64_t hour, int64_t number)
{
    char name[64];
    int len = snprintf(name, sizeof name, "raw:%" PRId64 ":%" PRId64, hour, number);
    redis_key_metric_stem(key, prefix, type);
    put(key, slice_of(name, (size_t)len));
}

void redis_key_summary(struct redis_key *key, struct slice prefix, struct slice type,
                       struct slice period)
{
    redis_key_metric_stem(key, prefix, type);
    put(key, SLICE("sum:"));
    put(key, period);
}

void redis_key_external(struct redis_key *key, struct slice prefix, struct slice type)
{
    begin(key, prefix, SLICE("ext"), type);
}

void redis_key_rate_limit(struct redis_key *key, struct slice prefix, struct slice subject,
                          struct slice policy)
{
    begin(key, prefix, SLICE("rl"), subject);
    put(key, SLICE(":"));
    put(key, policy);
}

void redis_key_breaker(struct redis_key *key, struct slice prefix, struct slice name)
{
    begin(key, prefix, SLICE("cb"), name);
}

struct slice redis_key_tag(struct slice key)
{
    const char *open = key.len ? memchr(key.ptr, '{', key.len) : NULL;
    if (!open)
        return slice_of(key.ptr, 0);
    open++;
    const char *close = memchr(open, '}', key.len - (size_t)(open - key.ptr));
    return slice_of(open, close ? (size_t)(close - open) : 0);
}

struct slice redis_key_tag_of_type(struct slice type, char *buffer)
{
    assert(3 * type.len <= REDIS_TAG_BYTES);
    return slice_of(buffer, encode_tag(type, buffer));
}
