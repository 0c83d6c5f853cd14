/*
 * aggregate_keeper: makes aggregates of closed chunks beside the requests (one thread),
 * and writes back what others made.
 *
 * Aggregates are a cache: what cannot be queued, read or written is dropped without a
 * word, and whoever next needs it offers it again. Thread-safe.
 */
#ifndef LIB_METRICS_AGGREGATE_KEEPER_H
#define LIB_METRICS_AGGREGATE_KEEPER_H

#include <stdint.h>

#include "aggregate.h"
#include "redis_client.h"
#include "slice.h"

struct aggregate_keeper;

/* Starts the thread, with all signals blocked. NULL: no memory or no thread. */
struct aggregate_keeper *aggregate_keeper_new(struct redis_client *client);

/* Waits for the job under way, drops the others. */
void aggregate_keeper_free(struct aggregate_keeper *keeper);

/* A chunk was closed: read it, aggregate it, keep that. Never waits. */
void aggregate_keeper_chunk_closed(struct aggregate_keeper *keeper, struct slice type,
                                   int64_t bucket, uint64_t chunk);

/*
 * Keep an aggregate of the first `covered_bytes` of a chunk, or of a whole bucket
 * (AGGREGATE_OF_BUCKET). `last_record` is the last that it covers, as it lies in raw:
 * kept only if it still lies there. Never waits.
 */
enum { AGGREGATE_OF_BUCKET = -1 };
void aggregate_keeper_offer(struct aggregate_keeper *keeper, struct slice type, int64_t bucket,
                            int64_t chunk, const struct aggregate *a, uint64_t covered_bytes,
                            const unsigned char *last_record);

#endif
