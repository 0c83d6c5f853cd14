#include "bucket_range.h"

#include <float.h>
#include <math.h>
#include <string.h>

void bucket_magnitudes(int32_t index, int scale, double *lower, double *upper)
{
    *lower = log2_bucket_bound(index, scale);
    *upper = fmin(log2_bucket_bound(index + 1, scale), DBL_MAX);
}

void bucket_range_init(struct bucket_range *range)
{
    *range = (struct bucket_range){.scale = HISTOGRAM_SCALE};
}

static void coarsen(struct bucket_range *range, int scale)
{
    int shift = range->scale - scale;
    struct bucket_side *const sides[] = {&range->negative, &range->positive};
    for (size_t i = 0; i < 2; i++) {
        sides[i]->least >>= shift;
        sides[i]->greatest >>= shift;
    }
    range->scale = scale;
}

static bool has_middle(const struct bucket_range *range)
{
    return range->has_zero || (range->negative.is_occupied && range->positive.is_occupied);
}

static size_t side_width(const struct bucket_side *side)
{
    return side->is_occupied ? (size_t)(side->greatest - side->least) + 1 : 0;
}

size_t bucket_range_width(const struct bucket_range *range)
{
    return side_width(&range->negative) + has_middle(range) + side_width(&range->positive);
}

static void include_side(struct bucket_side *side, const struct histogram_side *held)
{
    if (held->count == 0)
        return;
    int32_t least = held->buckets[0].index, greatest = held->buckets[held->count - 1].index;
    side->least = side->is_occupied && side->least < least ? side->least : least;
    side->greatest = side->is_occupied && side->greatest > greatest ? side->greatest : greatest;
    side->is_occupied = true;
}

void bucket_range_include(struct bucket_range *range, struct histogram *h, size_t width_max)
{
    if (h->scale < range->scale)
        coarsen(range, h->scale);
    histogram_coarsen(h, range->scale);
    range->has_zero = range->has_zero || h->zero_count > 0;
    include_side(&range->negative, &h->negative);
    include_side(&range->positive, &h->positive);
    while (bucket_range_width(range) > width_max && range->scale > HISTOGRAM_SCALE_MIN)
        coarsen(range, range->scale - 1);
    histogram_coarsen(h, range->scale);
}

/* Of the bucket next to zero; 0 where the sign has none. */
static double least_magnitude(const struct bucket_range *range, const struct bucket_side *side)
{
    return side->is_occupied ? log2_bucket_bound(side->least, range->scale) : 0.0;
}

void bucket_range_bounds(const struct bucket_range *range, size_t i, double *lower, double *upper)
{
    size_t negative = side_width(&range->negative), middle = has_middle(range);
    double least, greatest;
    if (i < negative) {
        bucket_magnitudes(range->negative.greatest - (int32_t)i, range->scale, &least, &greatest);
        *lower = -greatest;
        *upper = 0.0 - least; /* never -0 */
    } else if (i < negative + middle) {
        *lower = 0.0 - least_magnitude(range, &range->negative);
        *upper = least_magnitude(range, &range->positive);
    } else {
        i -= negative + middle;
        bucket_magnitudes(range->positive.least + (int32_t)i, range->scale, lower, upper);
    }
}

void bucket_range_count(const struct bucket_range *range, const struct histogram *h,
                        uint64_t *counts)
{
    size_t negative = side_width(&range->negative), middle = has_middle(range);
    memset(counts, 0, bucket_range_width(range) * sizeof *counts);
    for (size_t i = 0; i < h->negative.count; i++) {
        const struct histogram_bucket *bucket = &h->negative.buckets[i];
        counts[range->negative.greatest - bucket->index] = bucket->count;
    }
    if (middle)
        counts[negative] = h->zero_count;
    for (size_t i = 0; i < h->positive.count; i++) {
        const struct histogram_bucket *bucket = &h->positive.buckets[i];
        counts[negative + middle + (size_t)(bucket->index - range->positive.least)] = bucket->count;
    }
}
