/*
 * histogram: how values are distributed, to a relative error that is known. Pure.
 *
 * The base-2 exponential histogram of OpenTelemetry (metrics data model,
 * "ExponentialHistogram"; Prometheus' native histograms are the same, index one
 * higher): at scale s, bucket i holds the magnitudes in (b^i, b^(i+1)], b = 2^(2^-s).
 * Negative values are mirrored, +0 and -0 have a count of their own. A value of the
 * bucket is estimated by 2 b^(i+1) / (1 + b), which is off by (b - 1) / (b + 1) of the
 * value at most: 1.083 % at scale 5.
 *
 * Only occupied buckets are kept. When there are more than HISTOGRAM_BUCKETS_MAX of them,
 * both signs together, pairs are merged (i >> 1), the scale falls by one and the error
 * grows: scale 5 always holds magnitudes of one sign that are up to 2^63 times apart, scale
 * -2 all doubles. Merging two histograms takes the smaller scale. What results depends on
 * the values alone, not on the order or the parts in which they were added and merged.
 *
 * Heap memory: 16 bytes an occupied bucket, up to twice that where it grew. Without memory,
 * or when its counts would reach 2^63 in all, a histogram fails for good (until it is reset):
 * it is empty then, and every call stays harmless. Ask histogram_failed() once, at the end.
 * Not thread-safe.
 */
#ifndef LIB_METRICS_HISTOGRAM_H
#define LIB_METRICS_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log2_bucket.h"
#include "slice.h"

enum {
    HISTOGRAM_VERSION = 1,
    HISTOGRAM_SCALE = LOG2_BUCKET_SCALE,
    HISTOGRAM_SCALE_MIN = LOG2_BUCKET_SCALE_MIN, /* one bucket holds 2^1024 */
    HISTOGRAM_BUCKETS_MAX = 2048,
    HISTOGRAM_PACKED_BYTES_MAX = 28 * 1024 /* of the worst case; 2 to 3 a bucket are usual */
};

struct histogram_bucket {
    int32_t index;
    uint64_t count; /* > 0 */
};

/* Occupied buckets of one sign, by ascending index (magnitude). */
struct histogram_side {
    struct histogram_bucket *buckets;
    size_t count, capacity;
};

struct histogram {
    int scale;
    bool has_failed;
    uint64_t zero_count;
    struct histogram_side positive, negative;
};

void histogram_init(struct histogram *h); /* allocates nothing */
void histogram_release(struct histogram *h);
void histogram_reset(struct histogram *h); /* empty again, failure forgotten, memory kept */
bool histogram_failed(const struct histogram *h);

/*
 * Add finite values, in any order. No libm call a value; 56 KiB of stack. Measured where 300
 * to 900 buckets are occupied, ns a value: 3 to 7 in batches of 4,096, 8 to 20 of 256, 200
 * to 350 one by one; in batches of 4,096 that span all doubles 45.
 */
void histogram_add(struct histogram *h, const double *values, size_t count);

/* Add what `other` holds. If that has failed, so does `h`. 2 ns an occupied bucket of the two. */
void histogram_merge(struct histogram *h, const struct histogram *other);

/* Bring it to `scale`, as if it had been built at that one; HISTOGRAM_SCALE_MIN or more.
 * One that is as coarse already stays as it is. */
void histogram_coarsen(struct histogram *h, int scale);

uint64_t histogram_count(const struct histogram *h);

/* A quantile is a whole number of hundred-millionths, so that 0.999 and its rank are exact. */
enum { QUANTILE_ONE = 100000000 };

/*
 * The value at rank floor(q * (count - 1) / QUANTILE_ONE) of the values in ascending order, a
 * whole number without any rounding, whatever the count. `min` and `max` are the exact
 * extremes: they are the answer at the first and the last rank and bound every other, which is
 * within histogram_error() of the value, relative, but for the rounding of doubles. (Where
 * doubles are subnormal and themselves this coarse, half the distance of two, 2^-1075, comes on
 * top.) `q` is at most QUANTILE_ONE. An empty histogram gives 0. 0.5 us.
 */
double histogram_quantile(const struct histogram *h, uint32_t q, double min, double max);

/* The bound of the relative error: (b - 1) / (b + 1) at the present scale. */
double histogram_error(const struct histogram *h);

/* How many values are certainly, and how many possibly, below `limit` (strictly; finite). */
void histogram_below(const struct histogram *h, double limit, uint64_t *at_least,
                     uint64_t *at_most);

/*
 * Packed form, at most HISTOGRAM_PACKED_BYTES_MAX. Little endian; varints are LEB128, in
 * their shortest form:
 *
 *   0  u8   version, HISTOGRAM_VERSION
 *   1  u8   scale + 64
 *   2  u16  total bytes of this packed form
 *   4  u32  seal (packed.h)
 *   8  varint zero_count
 *      then for positive and for negative: varint buckets, and for each of them
 *        varint the distance of its index from the one before (from 0 for the first),
 *               zigzag: 0, -1, 1, -2, ... are 0, 1, 2, 3, ...
 *        varint count
 *
 * Equal histograms have equal packed forms. Returns the length; 0 for one that has failed.
 */
size_t histogram_pack(const struct histogram *h,
                      unsigned char out[static HISTOGRAM_PACKED_BYTES_MAX]);

/*
 * Replaces what the initialised `h` held, in its memory where that suffices. Never trusts
 * what it reads: false, and `h` empty, for what is damaged, not in order, of another scale
 * than the doubles have, over HISTOGRAM_BUCKETS_MAX, with a count of 0 or 2^63 in all, or
 * with bytes left over; false, too, without memory, of which `h` then tells
 * (histogram_failed). 6 to 7 ns an occupied bucket.
 */
bool histogram_unpack(struct slice packed, struct histogram *h);

#endif
