/*
 * aggregate: moments and, where wanted, the histogram of a set of samples. Pure.
 *
 * Packed form: that of the moments, whose length field says how many bytes of a packed
 * histogram follow it.
 */
#ifndef LIB_METRICS_AGGREGATE_H
#define LIB_METRICS_AGGREGATE_H

#include <stdbool.h>
#include <stddef.h>

#include "histogram.h"
#include "moments.h"
#include "record.h"
#include "slice.h"

enum { AGGREGATE_PACKED_BYTES_MAX = MOMENTS_PACKED_BYTES + HISTOGRAM_PACKED_BYTES_MAX };

struct aggregate {
    struct moments moments;
    bool has_histogram; /* else `histogram` stays empty */
    struct histogram histogram;
};

void aggregate_init(struct aggregate *a, bool has_histogram);
void aggregate_release(struct aggregate *a);
void aggregate_reset(struct aggregate *a); /* empty again, memory kept */

/* Without memory the histogram fails for good; the moments stay right. */
bool aggregate_failed(const struct aggregate *a);

/* Add records that are in order of time, equal timestamps in order of arrival. */
void aggregate_add_run(struct aggregate *a, const struct record *records, size_t count);

/* Merge what arrived after `a` where timestamps are equal. One without a histogram must
 * not be merged into one that has it. */
void aggregate_merge(struct aggregate *a, const struct aggregate *later);

/* Returns the length. `a` has a histogram. */
size_t aggregate_pack(const struct aggregate *a,
                      unsigned char out[static AGGREGATE_PACKED_BYTES_MAX]);

/*
 * Read a packed aggregate from the beginning of `packed` into `a`, which keeps its
 * has_histogram: without it, the first MOMENTS_PACKED_BYTES suffice. Never trusts its
 * input: false for what is damaged, short, empty, or does not agree with itself; false, too,
 * without memory, of which `a` then tells (aggregate_failed).
 */
bool aggregate_unpack(struct slice packed, struct aggregate *a);

#endif
