/*
 * log2_bucket: the buckets of a base-2 exponential histogram (OpenTelemetry's metrics data model,
 * "ExponentialHistogram"). Pure.
 *
 * At scale s, bucket i holds the magnitudes in (b^i, b^(i+1)], b = 2^(2^-s). No libm call.
 */
#ifndef LIB_BASE_LOG2_BUCKET_H
#define LIB_BASE_LOG2_BUCKET_H

#include <stdint.h>
#include <string.h>

enum {
    LOG2_BUCKET_SCALE = 5, /* the finest */
    LOG2_BUCKET_SCALE_MIN = -10,
    LOG2_SUBBUCKETS = 1 << LOG2_BUCKET_SCALE, /* of a power of two, at the finest scale */
    DOUBLE_FRACTION_BITS = 52,
    DOUBLE_EXPONENT_BIAS = 1023
};

/*
 * Bucket of a magnitude > 0 (subnormal too), ceil(log2(magnitude) * 2^scale) - 1 without any
 * rounding, and the lower bound b^index (exclusive) of a bucket, rounded down to a double:
 * 0 or infinite where it leaves them. For every magnitude x of bucket i
 *
 *   log2_bucket_bound(i) < x <= log2_bucket_bound(i + 1)
 *
 * LOG2_BUCKET_SCALE_MIN <= scale <= LOG2_BUCKET_SCALE.
 */
static inline int32_t log2_bucket_index(double magnitude, int scale);
double log2_bucket_bound(int32_t index, int scale);

/* The same bound as 2^exponent * (1 + fraction / 2^52). Returns the fraction. */
uint64_t log2_bucket_fraction(int32_t index, int scale, int64_t *exponent);

/* For the inline functions below. */
extern const uint64_t log2_bucket_fractions[LOG2_SUBBUCKETS + 1];
extern const uint8_t log2_bucket_fractions_below[64];

static inline uint64_t double_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline double double_of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* At the finest scale; `magnitude` are the bits of a double > 0. */
static inline int32_t log2_bucket_finest(uint64_t magnitude)
{
    int32_t exponent = (int32_t)(magnitude >> DOUBLE_FRACTION_BITS);
    uint64_t fraction = magnitude & ((UINT64_C(1) << DOUBLE_FRACTION_BITS) - 1);
    if (exponent == 0) {
        int32_t shift = __builtin_clzll(fraction) - (63 - DOUBLE_FRACTION_BITS);
        fraction = fraction << shift & ((UINT64_C(1) << DOUBLE_FRACTION_BITS) - 1);
        exponent = 1 - shift;
    }
    int32_t below = log2_bucket_fractions_below[fraction >> (DOUBLE_FRACTION_BITS - 6)];
    below += log2_bucket_fractions[below] < fraction;
    return (exponent - DOUBLE_EXPONENT_BIAS) * LOG2_SUBBUCKETS + below - 1;
}

static inline int32_t log2_bucket_index(double magnitude, int scale)
{
    return log2_bucket_finest(double_bits(magnitude)) >> (LOG2_BUCKET_SCALE - scale);
}

#endif
