/*
 * metric_store: samples in Redis; raw is the truth, an aggregate is a cache of it.
 *
 * Writing appends a record to the open chunk of its bucket and moves `meta`: one
 * script call, O(1), whatever the size of the data, the order or the age of samples.
 * A chunk of 65,536 bytes is closed (renamed) and never changes again. Reading
 * takes an aggregate for the bytes that it covers and folds in the rest, never more
 * than a chunk per bucket; aggregates that are missing or short are made and
 * written back by whoever notices. Thread-safe.
 */
#ifndef LIB_METRICS_METRIC_STORE_H
#define LIB_METRICS_METRIC_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "aggregate.h"
#include "error.h"
#include "meta.h"
#include "rate_limiter.h"
#include "redis_client.h"
#include "sample.h"

struct metric_store;

struct metric_store_options {
    size_t types_max;            /* MAX_TYPES: a new type beyond is refused */
    size_t buckets_per_type_max; /* MAX_BUCKETS: hours that one type may spread over */
};

/* Starts one thread that aggregates chunks as they close: after the fork. */
struct metric_store *metric_store_new(const struct metric_store_options *options,
                                      struct redis_client *client, struct rate_limiter *limiter);
void metric_store_free(struct metric_store *store);

/*
 * Store one sample if `policy` admits it: one round trip decides and writes, or none
 * while a refusal stands.
 *
 * ERR_OK: stored, and on disk if Redis says so before it answers. ERR_RATE_LIMITED:
 * refused, nothing written. In both `verdict` is complete. ERR_LIMIT_REACHED: a new
 * type or hour beyond the maximum; nothing written, nothing spent. Else the store's
 * error (redis_client.h).
 */
enum err_code metric_store_add(struct metric_store *store, const struct sample *sample,
                               const struct rate_policy *policy, const struct rate_subject *subject,
                               struct rate_verdict *verdict, struct error *err)
    __attribute__((warn_unused_result));

/*
 * Everything with from <= timestamp, exact to the microsecond, as of one instant not
 * before the call (where there are more than 64 hours with samples: one for each 64).
 * Unknown type: an empty aggregate. Costs a few round trips, bounded
 * by `deadline`; a wide window on cold aggregates costs more, once. `result->first` is
 * the sample that will leave the window first.
 */
enum err_code metric_store_aggregate_since(struct metric_store *store, struct slice type,
                                           struct wall_time from, struct mono_time deadline,
                                           struct aggregate *result, struct error *err)
    __attribute__((warn_unused_result));

/* One sample of a list. `type` lives in the arena of the call. */
struct listed_sample {
    struct record record;
    struct slice type;
    uint32_t rank; /* among samples of its type with the same timestamp, by arrival, from 0 */
};

/*
 * The newest `limit` (1 to 1000) samples by timestamp, oldest first; ties by arrival
 * within a type, by name across types. `type` empty: of all types. `samples` has room
 * for `limit`; `arena` holds names. Sets `*count`.
 */
struct arena;
enum err_code metric_store_list(struct metric_store *store, struct slice type, size_t limit,
                                struct mono_time deadline, struct arena *arena,
                                struct listed_sample *samples, size_t *count, struct error *err)
    __attribute__((warn_unused_result));

#endif
