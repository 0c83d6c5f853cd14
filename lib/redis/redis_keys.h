/*
 * redis_keys: the one place that spells the names of keys.
 *
 * All begin with the prefix (KEY_PREFIX, "ra:"). `{…}` is the hash tag of Redis
 * Cluster: the keys that one script touches share it. In a type's name '{', '}' and
 * '%' are percent-encoded there, so any name stays in one slot.
 *
 *   <p>schema                    version of this layout
 *   <p>types                     sorted set of type names, all of score 0: in order of bytes
 *   <p>meta:{type}               version, count, newest sample, totals (metrics/meta.h)
 *   <p>m:{type}:buckets          sorted set of bucket numbers
 *   <p>m:{type}:chunks           hash: bucket -> how many of its chunks are closed
 *   <p>m:{type}:raw:<bucket>     the bucket's open chunk (tail)
 *   <p>m:{type}:raw:<bucket>:<n> its closed chunks, n from 0 in order of arrival
 *   <p>m:{type}:agg:<bucket>     aggregate of a prefix of the bucket's bytes
 *   <p>m:{type}:agg:<bucket>:<n> aggregate of one closed chunk
 *   <p>m:{type}:sum:<period>     cached answer
 *   <p>ext:{type}                the external service's data
 *   <p>rl:{subject}:<policy>     rate limiter's log of admitted instants
 *   <p>cb:{name}                 circuit breaker
 */
#ifndef LIB_REDIS_REDIS_KEYS_H
#define LIB_REDIS_REDIS_KEYS_H

#include <stdint.h>

#include "slice.h"

/* Enough for a prefix of 64 bytes and a type of 100 code points, all of it encoded. */
enum { REDIS_KEY_BYTES = 1400, REDIS_PREFIX_BYTES_MAX = 64, REDIS_TAG_BYTES = 1200 };

struct redis_key {
    char bytes[REDIS_KEY_BYTES];
    size_t len;
};

static inline struct slice redis_key_slice(const struct redis_key *key)
{
    return (struct slice){key->bytes, key->len};
}

/* Keys without a tag: "schema", "types". */
void redis_key_global(struct redis_key *key, struct slice prefix, const char *name);

/* `<p><family>:{tag}`, for families meta, ext, rl, cb; and `<p>m:{tag}:`, the stem of a
 * type's own keys, to which scripts append "buckets", "raw:<bucket>" and so on. */
void redis_key_meta(struct redis_key *key, struct slice prefix, struct slice type);
void redis_key_metric_stem(struct redis_key *key, struct slice prefix, struct slice type);
void redis_key_summary(struct redis_key *key, struct slice prefix, struct slice type,
                       struct slice period);
void redis_key_external(struct redis_key *key, struct slice prefix, struct slice type);
void redis_key_rate_limit(struct redis_key *key, struct slice prefix, struct slice subject,
                          struct slice policy);
void redis_key_breaker(struct redis_key *key, struct slice prefix, struct slice name);

/* The text between the first '{' and the next '}' of a key; empty when there is none.
 * Two types never share one. */
struct slice redis_key_tag(struct slice key);

/* The tag that `type` gets, into `buffer` (REDIS_TAG_BYTES). */
struct slice redis_key_tag_of_type(struct slice type, char *buffer);

#endif
