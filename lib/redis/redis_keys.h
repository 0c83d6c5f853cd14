/*
 * redis_keys: the one place that spells the names of keys.
 *
 * All begin with the prefix (KEY_PREFIX, "ra:"). `{…}` is the hash tag of Redis
 * Cluster: a type's own keys share it. In a type's name '{', '}' and '%' are
 * percent-encoded there, so any name stays in one slot. Some scripts touch other keys
 * beside those: post the rate limiter's log, `types` and `due`; delete_begin `types` and
 * `due`; delete_step and tend_done `due`. tend_due touches keys without a tag alone,
 * type_size those of several types.
 *
 *   <p>schema                    version of this layout
 *   <p>types                     sorted set of type names, all of score 0: in order of bytes
 *   <p>tender                    lease of the one that tends types
 *   <p>due                       sorted set: type name -> when it next needs tending (s)
 *   <p>meta:{type}               version, count, newest sample, first instant (metrics/meta.h)
 *   <p>meta:all                  written where many types have new samples and no meta says so:
 *                                for near caches
 *   <p>m:{type}:open             sorted set of the hours that have an open chunk
 *   <p>m:{type}:raw:<hour>       the hour's open chunk
 *   <p>m:{type}:hot:<hour>       the same where it is hot (scripts/lib/hot.lua); one at most
 *   <p>m:{type}:raw:<hour>:<n>   a closed chunk that is not sealed yet
 *   <p>m:{type}:unsealed         set of those: "<hour>:<n>"
 *   <p>m:{type}:blk:<span>:<n>   a sealed chunk (metrics/chunk.h), n from 0 in order of arrival
 *   <p>m:{type}:spans            sorted set of spans (metrics/span.h) that hold closed chunks
 *   <p>m:{type}:chunks           hash: span -> how many of its own are closed; and `layout`
 *                                and `bytes` (scripts/lib/spans.lua), `months`
 *                                (tend_small), `oldest_samples`, `oldest` (tend_expire)
 *   <p>m:{type}:agg:<span>       rollup of all that is closed in a span
 *   <p>m:{type}:blk:base         aggregate of all whose aggregates have expired
 *   <p>m:{type}:gone:<index>     the indexes of a type that is being deleted
 *   <p>m:{type}:sum:<period>     cached answer
 *   <p>ext:{type}                the external service's data
 *   <p>rl:{subject}:<policy>     rate limiter's log of admitted instants
 *   <p>cb:{name}                 circuit breaker
 *   <p>idem:<key>                mark of a request (metrics/request_mark.h)
 *   <p>parts:<random>            the same of one without a key, for a minute
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

/* Keys without a tag: "schema", "types", "tender", "due". */
void redis_key_global(struct redis_key *key, struct slice prefix, const char *name);

/* `<p><family>:{tag}`, for families meta, ext, rl, cb; and `<p>m:{tag}:`, the stem of a
 * type's own keys, to which scripts append "open", "raw:<hour>" and so on. */
void redis_key_meta(struct redis_key *key, struct slice prefix, struct slice type);
void redis_key_metric_stem(struct redis_key *key, struct slice prefix, struct slice type);
void redis_key_base(struct redis_key *key, struct slice prefix, struct slice type);
void redis_key_append(struct redis_key *key, struct slice name); /* to a stem */
void redis_key_raw_chunk(struct redis_key *key, struct slice prefix, struct slice type,
                         int64_t hour, int64_t number);
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
