#include "log2_bucket.h"

#include <math.h>

enum { INFINITE_EXPONENT = 2047 };

#define IMPLICIT_BIT (UINT64_C(1) << DOUBLE_FRACTION_BITS)

/*
 * The fractions of 2^(k/32), rounded down. These bounds are irrational but for k = 0, so a
 * double lies above one exactly if it lies above it rounded down, and nothing is ever in
 * the wrong bucket. It stays so when a bound is rounded down again, among the subnormals.
 */
const uint64_t log2_bucket_fractions[LOG2_SUBBUCKETS + 1] = {
    0x0000000000000, 0x059b0d3158574, 0x0b5586cf9890f, 0x11301d0125b50, 0x172b83c7d517a,
    0x1d4873168b9aa, 0x2387a6e756238, 0x29e9df51fdee1, 0x306fe0a31b715, 0x371a7373aa9ca,
    0x3dea64c123422, 0x44e086061892d, 0x4bfdad5362a27, 0x5342b569d4f81, 0x5ab07dd485429,
    0x6247eb03a5584, 0x6a09e667f3bcc, 0x71f75e8ec5f73, 0x7a11473eb0186, 0x82589994cce12,
    0x8ace5422aa0db, 0x93737b0cdc5e4, 0x9c49182a3f090, 0xa5503b23e255c, 0xae89f995ad3ad,
    0xb7f76f2fb5e46, 0xc199bdd85529c, 0xcb720dcef9069, 0xd5818dcfba487, 0xdfc97337b9b5e,
    0xea4afa2a490d9, 0xf50765b6e4540, IMPLICIT_BIT,
};

/* How many of them lie below a fraction's upper 6 bits. Among those that share these 6
 * bits there is one more at most, since two bounds are at least 0.0219 > 1/64 apart. */
const uint8_t log2_bucket_fractions_below[64] = {
    0,  1,  2,  3,  3,  4,  5,  5,  6,  7,  7,  8,  8,  9,  10, 10, 11, 11, 12, 13, 13, 14,
    14, 15, 15, 16, 16, 17, 17, 18, 18, 19, 19, 20, 20, 21, 21, 22, 22, 22, 23, 23, 24, 24,
    25, 25, 26, 26, 26, 27, 27, 28, 28, 28, 29, 29, 30, 30, 30, 31, 31, 31, 32, 32,
};

uint64_t log2_bucket_fraction(int32_t index, int scale, int64_t *exponent)
{
    int64_t finest = (int64_t)index * (INT64_C(1) << (LOG2_BUCKET_SCALE - scale));
    *exponent = finest >> LOG2_BUCKET_SCALE;
    return log2_bucket_fractions[finest & (LOG2_SUBBUCKETS - 1)];
}

double log2_bucket_bound(int32_t index, int scale)
{
    int64_t exponent;
    uint64_t fraction = log2_bucket_fraction(index, scale, &exponent);
    exponent += DOUBLE_EXPONENT_BIAS;
    if (exponent >= INFINITE_EXPONENT)
        return INFINITY;
    if (exponent > 0)
        return double_of_bits((uint64_t)exponent << DOUBLE_FRACTION_BITS | fraction);
    return exponent < -DOUBLE_FRACTION_BITS
               ? 0.0
               : double_of_bits((IMPLICIT_BIT | fraction) >> (1 - exponent));
}
