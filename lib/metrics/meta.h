/*
 * meta: what is known of a type without looking at its samples. Pure.
 *
 * Moved by every write (scripts/post.lua), watched by every near cache: its key is
 * the one whose change invalidates. The totals make a summary over everything
 * a matter of one read. Packed, little endian:
 *
 *   0  u8   META_VERSION      1 u8 META_KIND      2 u16 zero
 *   4  u32  zero
 *   8  u64  version of the data: max(old + 1, Redis TIME in us), never repeats
 *  16  u64  count
 *  24  record newest: latest timestamp; among equals the last to arrive
 *  40  f64  sum, high         48 f64 sum, low (two-sum)
 *  56  f64  min               64 f64 max
 */
#ifndef LIB_METRICS_META_H
#define LIB_METRICS_META_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"
#include "slice.h"

enum { META_VERSION = 1, META_KIND = 'T', META_PACKED_BYTES = 72 };

struct meta {
    uint64_t version;
    uint64_t count;
    struct record newest;
    double sum_high, sum_low;
    double min, max;
};

bool meta_unpack(struct slice packed, struct meta *meta);

#endif
