/*
 * chunk: how a closed chunk lies in Redis once it is sealed. Pure.
 *
 *   0  u64  stamp: Redis TIME in us when it was sealed, not before its last arrival
 *   8       packed aggregate of all of it (aggregate.h)
 *   ..      its samples as a block (block.h); nothing when they have expired
 *
 * A rollup, the aggregate of all closed chunks of a span, has the same form: a stamp
 * that changes whenever those chunks change, and an aggregate; or the stamp alone.
 */
#ifndef LIB_METRICS_CHUNK_H
#define LIB_METRICS_CHUNK_H

#include <stdbool.h>
#include <stddef.h>

#include "aggregate.h"
#include "block.h"
#include "record.h"
#include "slice.h"

enum {
    CHUNK_STAMP_BYTES = 8,
    CHUNK_MOMENTS_BYTES = CHUNK_STAMP_BYTES + MOMENTS_PACKED_BYTES,
    CHUNK_SEALED_BYTES_MAX = AGGREGATE_PACKED_BYTES_MAX + BLOCK_BYTES_MAX /* without stamp */
};

/*
 * Seal 1 to CHUNK_RECORDS records in order of time; all but the stamp, which the script
 * that stores it puts before it. Returns the length; 0: no memory. `encoder` as in block_encode.
 */
size_t chunk_seal(struct column_encoder *encoder, const struct record *records, size_t count,
                  unsigned char out[static CHUNK_SEALED_BYTES_MAX]);

/* What lies behind the stamp and behind the aggregate; empty where there is nothing.
 * Trusts only lengths. */
struct slice chunk_aggregate(struct slice chunk);
struct slice chunk_block(struct slice chunk);

#endif
