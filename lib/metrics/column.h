/*
 * column: up to CHUNK_RECORDS integers, compressed. Pure.
 *
 * An integer is foretold from those before it; what it differs by, the residual, is cut in
 * two. Its low bits, where there is only noise, are kept as they are, side by side. What is
 * above them goes through deflate (RFC 1951) as one short number each: there Huffman codes
 * take the shape of the noise, and repetitions are found. A clock that ticks evenly and a
 * value that stays leave no residuals at all. Arithmetic is modulo 2^64, so nothing is lost
 * where it overflows; differences and shifts are those of int64. The fields, one behind the
 * other:
 *
 *   u8      0 to 3: the predictor. 4 is added where the high parts went through deflate
 *   u8      low bits L of each residual, 0 to 57 or 64
 *   varint  the first integer, zigzag
 *   varint  unit: all distances from the first are multiples of it
 *   varint  centre, in the middle of the residuals, zigzag
 *   varint  bytes of the high parts; 0 where they all are 0
 *   ..      high parts: (residual - centre) >> L, zigzag, a varint each
 *   ..      low parts: L bits each, the first in the lowest bits of the first byte
 *
 * A varint is seven bits a byte, the lowest first, 128 added to all bytes but the last. Zigzag
 * is 0, -1, 1, -2, ... as 0, 1, 2, 3, ... Residuals are those of all integers but the
 * first, of d = (integer - first) / unit, by predictor; what lies before the first is 0:
 *
 *   0  d itself
 *   1  d less the one before it
 *   2  the same of these differences: d less the line through the two before it
 *   3  d less level >> 3; the level begins at 0 and each residual is added to it. That is a
 *      mean of those before it, the last of them counting most
 */
#ifndef LIB_METRICS_COLUMN_H
#define LIB_METRICS_COLUMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"
#include "slice.h"

/* For `count` integers. */
#define COLUMN_BYTES_MAX(count) (8 * (count) + 16)

/* 1 MB of working memory, libdeflate's included. One thread at a time; NULL: no memory. */
struct column_encoder *column_encoder_new(void);
void column_encoder_free(struct column_encoder *e);

/*
 * Write 1 to CHUNK_RECORDS integers in the smallest of the forms, each predictor with low bits and
 * without, as a fast look at them tells: within 1 % of it in what was seen. Returns the length. The
 * same integers give the same bytes (of the same libdeflate). Costs 0.1 to 0.8 ms for 4,096.
 */
size_t column_encode(struct column_encoder *e, const uint64_t *column, size_t count,
                     unsigned char *out);

/* 52 KB of working memory. One thread at a time; NULL: no memory. */
struct column_decoder *column_decoder_new(void);
void column_decoder_free(struct column_decoder *d);

/*
 * Take `count` integers, 1 to CHUNK_RECORDS, from the front of `*in`. Trusts nothing: false for
 * what is no column. Allocates nothing.
 */
bool column_decode(struct column_decoder *d, struct slice *in, uint64_t *column, size_t count);

#endif
