#include "meta.h"

#include <math.h>

#include "packed.h"
#include "span.h"

bool meta_unpack(struct slice packed, struct meta *meta)
{
    const unsigned char *in = (const unsigned char *)packed.ptr;
    if (packed.len != META_PACKED_BYTES || in[0] != META_VERSION || in[1] != META_KIND)
        return false;
    struct meta read = {.version = packed_u64(in + 8),
                        .count = packed_u64(in + 16),
                        .newest = record_unpack(in + 24),
                        .first_at = {(int64_t)packed_u64(in + 40)}};
    if (read.count == 0 || !isfinite(read.newest.value) || !has_hour(read.first_at) ||
        !has_hour(read.newest.at) || read.first_at.us > read.newest.at.us)
        return false;
    *meta = read;
    return true;
}

bool meta_is_deleting(struct slice packed)
{
    return slice_equals(packed, SLICE("deleting"));
}
