/*
 * block: the samples of a sealed chunk, in order of time, compressed. Pure.
 *
 * Two columns of integers (column.h), each in whichever of its forms comes out smallest.
 * (The ideas: Pelkonen et al., "Gorilla", VLDB 2015, for columns and differences;
 * Afroozeh et al., "ALP", SIGMOD 2024, for decimals with exceptions.) Everything comes
 * back bit for bit, -0.0 and the order of equal timestamps included.
 *
 *   0  u8   version, BLOCK_VERSION
 *   1  u8   0
 *   2  u16  count of records, 1 to CHUNK_RECORDS
 *   4  u32  seal (packed.h)
 *   8       column of timestamps, microseconds since 1970
 *   ..  u8  scale
 *   ..      column of values
 *   ..      exceptions, to the end: u16 index of the record from 0, f64 its value
 *
 * Little endian. Scale 0 to 15: the values are the integers of the column, signed, divided by
 * 10^scale; 85.25 is 8525 at scale 2. What does not come back exactly from any integer, such
 * as -0.0 or a third, is an exception, and its place in the column holds whatever is short.
 * Scale 16: they are the bits of the values, but for those below 0 all bits except the sign are
 * flipped, which puts the integers in order.
 */
#ifndef LIB_METRICS_BLOCK_H
#define LIB_METRICS_BLOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "column.h"
#include "record.h"
#include "slice.h"

/* BLOCK_BYTES_MAX: whatever the records are; the last resort is to keep them as they are. */
enum { BLOCK_VERSION = 1, BLOCK_BYTES_MAX = CHUNK_BYTES + 64 };

/*
 * Compress `count` (1 to CHUNK_RECORDS) records whose timestamps do not descend. The same
 * records give the same bytes (of the same libdeflate). Returns the length; 0: no memory.
 * `encoder` NULL: one is made for this alone. Costs 0.1 to 1.5 ms for 4,096 records, and 80 KB of
 * stack.
 */
size_t block_encode(struct column_encoder *encoder, const struct record *records, size_t count,
                    unsigned char out[static BLOCK_BYTES_MAX]);

/*
 * Never trusts its input: false for what is damaged, truncated, too long, of another
 * version, out of order or not finite; then `records` hold anything. `records` has room
 * for CHUNK_RECORDS. Allocates nothing. About 8 ns a record, 11 where timestamps or values are
 * all noise; 64 KB of stack.
 */
bool block_decode(struct column_decoder *decoder, struct slice block, struct record *records,
                  size_t *count);

#endif
