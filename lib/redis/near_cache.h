/*
 * near_cache: answers kept in this process, dropped the moment Redis says that what
 * they were made from has changed.
 *
 * One connection in client tracking, broadcasting mode, on the prefixes `<p>meta:`
 * and `<p>ext:`. Redis writes an invalidation before it writes the reply of the
 * command that caused it (BCAST only; the default mode is late). A look-up first
 * reads that socket without blocking, so a write that completed before the question
 * was asked is always seen. When one such read took more than 8 KiB, there may be
 * more behind it: a PING is sent on the same connection. While a PING is unanswered a
 * look-up reads up to its pong first, because a turn of Redis that reads our PING may
 * write our invalidations after the writer's reply (seen: 1 in 16,000 without this).
 * That order is how Redis 7 is written, not a documented promise; a test holds it.
 * FLUSHALL is the exception: it is heard of a moment after its reply.
 *
 * Entries hang on a tag, the `{…}` of the keys that they were made from: any change
 * of a tracked key with that tag makes them stale, one of a key without a tag makes all of
 * them. A lost connection, a null payload (FLUSHALL) or a second without an answer to PING
 * makes everything stale, and until the connection is back nothing is found but stale
 * answers, for those who ask so.
 *
 * Thread-safe. A hit costs one recv(2) and one hash look-up.
 */
#ifndef LIB_REDIS_NEAR_CACHE_H
#define LIB_REDIS_NEAR_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "redis_client.h"
#include "slice.h"
#include "strbuf.h"

struct near_cache;

/* What must not have happened between a look-up and the put that follows it. */
struct near_ticket {
    uint64_t epoch; /* 0: Redis is away or late; what is put with it is never found */
    uint64_t changes;
};

/*
 * `entries_max` entries of at most `entry_bytes_max` each; when full, the entry in the
 * way is replaced. Belongs to `client` (which drains its connection when no request
 * does): create before redis_client_start, free after redis_client_free.
 */
struct near_cache *near_cache_new(struct redis_client *client, size_t entries_max,
                                  size_t entry_bytes_max);
void near_cache_free(struct near_cache *cache);

/*
 * Apply what Redis said so far, then look for entry `name` of `tag`. When found and
 * `now` is before its end, appends it to `out` and returns true (false when `out` has
 * no room). In either case fills `ticket`: take it before asking Redis for what will be put.
 */
bool near_cache_get(struct near_cache *cache, struct slice tag, struct slice name,
                    struct mono_time now, struct strbuf *out, struct near_ticket *ticket);

/*
 * The entry that was kept last, however much has changed since: for answers that
 * may be old (and say so) while Redis is away or within CACHE_FRESH_MS. Fills
 * `age_us` with the time since `made`. Never waits, reads no socket.
 */
bool near_cache_get_stale(struct near_cache *cache, struct slice tag, struct slice name,
                          struct mono_time now, struct strbuf *out, int64_t *age_us);

/*
 * Keep `bytes`, made at `made`, until `end`. It is never found by near_cache_get, only
 * by near_cache_get_stale, when anything of that tag changed since `ticket` was taken
 * or tracking was lost in between. Silently does nothing when `bytes` is too large.
 */
void near_cache_put(struct near_cache *cache, const struct near_ticket *ticket, struct slice tag,
                    struct slice name, struct slice bytes, struct mono_time made,
                    struct mono_time end);

/* Whether the connection that keeps entries true is alive. */
bool near_cache_is_tracking(struct near_cache *cache);

#endif
