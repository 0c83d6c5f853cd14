/*
 * moments: what can be said of a set of samples in constant space, and merged. Pure.
 *
 * Sums are double-double (Knuth two-sum), so that counts, extremes, first and last
 * are exact however they were merged and sums good to 1e-12. M2, the sum of squared
 * deviations, is taken in two passes over each run and merged after Chan, Golub and
 * LeVeque (1979). First and last go by timestamp; among equals, first is the first to
 * arrive and last the last to arrive, so merge in order of arrival. A sum that once
 * overflowed stays infinite; everything else stays right.
 *
 * Packed form, little endian:
 *
 *   0  u8   MOMENTS_VERSION      1 u8 zero
 *   2  u16  how many bytes of a histogram follow (aggregate.h)
 *   4  u32  seal (packed.h)
 *   8  u64  count        16 f64 sum, high    24 f64 sum, low    32 f64 M2
 *  40  f64  min          48 f64 max
 *  56  record first      72 record last
 *
 * A reader never trusts it.
 */
#ifndef LIB_METRICS_MOMENTS_H
#define LIB_METRICS_MOMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"
#include "slice.h"

enum { MOMENTS_VERSION = 1, MOMENTS_PACKED_BYTES = 88 };

struct moments {
    uint64_t count;
    double sum_high, sum_low;
    double m2;
    double min, max;
    struct record first, last;
};

void moments_init(struct moments *m);
void moments_add(struct moments *m, struct record r);

/* `later` holds samples that arrived after those of `m`, where timestamps are equal. */
void moments_merge(struct moments *m, const struct moments *later);

/* Add records that are in order of time, equal timestamps in order of arrival. */
void moments_add_run(struct moments *m, const struct record *records, size_t count);

/* Infinite when it overflowed. */
double moments_sum(const struct moments *m);

/* 0 for none. Within the extremes, also where the sum rounds; infinite where that overflowed,
 * unless all values are equal: then it is that value. */
double moments_average(const struct moments *m);

/* Of the population: sqrt(M2 / count), infinite when M2 overflowed; 0 where there is none, or
 * all values are equal. */
double moments_deviation(const struct moments *m);

void moments_pack(const struct moments *m, uint16_t follow_bytes,
                  unsigned char out[static MOMENTS_PACKED_BYTES]);

/* Reads the first MOMENTS_PACKED_BYTES. False for what is damaged, short, empty, or of instants
 * that have no hour (span.h). */
bool moments_unpack(struct slice packed, struct moments *m, uint16_t *follow_bytes);

#endif
