/*
 * chunk_sealer: seals closed chunks beside the requests (one thread).
 *
 * Whoever closes a chunk, or meets one that is not sealed, says so here. Requests have precedence
 * of it: behind a burst it lags. What cannot be
 * queued, read or written is dropped without a word: the chunk stays as it is, which is
 * as good, and is offered again by whoever next reads or tends it. So does one that holds
 * what cannot have been posted into its hour, which is logged. Thread-safe.
 */
#ifndef LIB_METRICS_CHUNK_SEALER_H
#define LIB_METRICS_CHUNK_SEALER_H

#include <stdint.h>

#include "redis_client.h"
#include "slice.h"

struct chunk_sealer;

/* Starts the thread, with all signals blocked. NULL: no memory or no thread. */
struct chunk_sealer *chunk_sealer_new(struct redis_client *client);

/* Waits for the chunk in hand, drops the others. NULL is fine. */
void chunk_sealer_free(struct chunk_sealer *sealer);

/* Chunk `number` of an hour of `type` was closed. Never waits. */
void chunk_sealer_chunk_closed(struct chunk_sealer *sealer, struct slice type, int64_t hour,
                               int64_t number);

#endif
