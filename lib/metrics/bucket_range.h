/*
 * bucket_range: contiguous buckets that several histograms share, at most so many. Pure.
 *
 * In ascending order of values: the negative buckets from the greatest magnitude to the
 * least, one for what lies between the two signs (zeros, and magnitudes that do not occur)
 * where there are zeros or values of both signs, and the positive buckets. They are as fine
 * as the histograms are and as their number allows.
 */
#ifndef LIB_METRICS_BUCKET_RANGE_H
#define LIB_METRICS_BUCKET_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "histogram.h"

/* Of the coarsest scale, three of each sign and the middle: they hold all doubles. */
enum { BUCKET_RANGE_WIDTH_MIN = 7 };

/* Occupied buckets of one sign, from the least to the greatest magnitude. */
struct bucket_side {
    bool is_occupied;
    int32_t least, greatest;
};

struct bucket_range {
    int scale;
    bool has_zero;
    struct bucket_side negative, positive;
};

/* No buckets, as fine as a histogram can be. */
void bucket_range_init(struct bucket_range *range);

/*
 * Let the range hold what `h` holds, in `width_max` buckets (BUCKET_RANGE_WIDTH_MIN or more).
 * Both are brought to one scale, the largest of theirs at which that many suffice; what the
 * range holds in the end does not depend on the order.
 */
void bucket_range_include(struct bucket_range *range, struct histogram *h, size_t width_max);

/* How many buckets there are. */
size_t bucket_range_width(const struct bucket_range *range);

/* Where bucket `i`, of those, begins and ends: finite, neither is -0. The bound of the greater
 * magnitude belongs to it; of the middle one, both do. */
void bucket_range_bounds(const struct bucket_range *range, size_t i, double *lower, double *upper);

/* How many values of `h`, which was included and brought to the scale of the range, lie in
 * each: `counts` has room for bucket_range_width() of them. */
void bucket_range_count(const struct bucket_range *range, const struct histogram *h,
                        uint64_t *counts);

/* The magnitudes of one bucket of a histogram: above `lower`, up to `upper`, both finite. */
void bucket_magnitudes(int32_t index, int scale, double *lower, double *upper);

#endif
