/*
 * aggregate: what can be said of a set of samples in constant space, and merged. Pure.
 *
 * Sums are double-double (Knuth two-sum), so that counts, extremes, first and last
 * are exact however they were merged and sums good to 1e-12. M2, the sum of squared
 * deviations, is taken in two passes over each chunk and merged after Chan, Golub and
 * LeVeque (1979). First and last go by timestamp; among equals, first is the first to
 * arrive and last the last to arrive, so merge in order of arrival. A sum that once
 * overflowed stays infinite; everything else stays right.
 *
 * Packed form, little endian, which lives in `m:{type}:agg:…`:
 *
 *   0  u8   version, AGGREGATE_VERSION
 *   1  u8   kind, AGGREGATE_KIND_PLAIN (others will carry a histogram behind this one)
 *   2  u16  total bytes of this packed form
 *   4  u32  seal (packed.h)
 *   8  u64  raw bytes covered: the first so many of the bucket, or of the chunk
 *  16  u64  count        24 f64 sum, high    32 f64 sum, low    40 f64 M2
 *  48  f64  min          56 f64 max
 *  64  record first      80 record last
 *
 * A reader never trusts it: what does not fit is rebuilt from raw.
 */
#ifndef LIB_METRICS_AGGREGATE_H
#define LIB_METRICS_AGGREGATE_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"
#include "slice.h"

enum { AGGREGATE_VERSION = 1, AGGREGATE_KIND_PLAIN = 1, AGGREGATE_PACKED_BYTES = 96 };

struct aggregate {
    uint64_t count;
    double sum_high, sum_low;
    double m2;
    double min, max;
    struct record first, last;
};

void aggregate_init(struct aggregate *a);
void aggregate_add(struct aggregate *a, struct record r);

/* `later` holds samples that arrived after those of `a`. */
void aggregate_merge(struct aggregate *a, const struct aggregate *later);

/* Add `count` packed records; those outside [from, to] are left out. */
void aggregate_add_records(struct aggregate *a, const unsigned char *records, size_t count,
                           struct wall_time from, struct wall_time to);

/* 0 for none. May be infinite when the sum overflowed. */
double aggregate_average(const struct aggregate *a);

void aggregate_pack(const struct aggregate *a, uint64_t covered_bytes,
                    unsigned char out[static AGGREGATE_PACKED_BYTES]);

/* False for what is damaged, empty, of another kind, or covers other than `count` records. */
bool aggregate_unpack(struct slice packed, struct aggregate *a, uint64_t *covered_bytes);

#endif
