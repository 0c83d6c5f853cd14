#include "meta.h"

#include <math.h>

#include "packed.h"

bool meta_unpack(struct slice packed, struct meta *meta)
{
    const unsigned char *in = (const unsigned char *)packed.ptr;
    if (packed.len != META_PACKED_BYTES || in[0] != META_VERSION || in[1] != META_KIND)
        return false;
    struct meta read = {.version = packed_u64(in + 8),
                        .count = packed_u64(in + 16),
                        .newest = record_unpack(in + 24),
                        .sum_high = packed_f64(in + 40),
                        .sum_low = packed_f64(in + 48),
                        .min = packed_f64(in + 56),
                        .max = packed_f64(in + 64)};
    if (read.count == 0 || isnan(read.sum_high) || !isfinite(read.sum_low) || !isfinite(read.min) ||
        !isfinite(read.max) || read.min > read.max)
        return false;
    *meta = read;
    return true;
}
