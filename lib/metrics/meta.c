#include "meta.h"

#include <math.h>

#include "packed.h"
#include "span.h"

static bool is_sound(struct record r)
{
    return isfinite(r.value) && has_hour(r.at);
}

/* Those that foreign hands put there tell nothing. */
static void add_untold(struct meta *meta, const unsigned char *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct record record = record_unpack(records + i * RECORD_BYTES);
        meta->version++;
        meta->count++;
        if (!is_sound(record))
            continue;
        if (record.at.us >= meta->newest.at.us)
            meta->newest = record;
        if (record.at.us < meta->first_at.us)
            meta->first_at = record.at;
    }
}

bool meta_unpack(struct slice packed, struct meta *meta)
{
    const unsigned char *in = (const unsigned char *)packed.ptr;
    if ((packed.len != META_PACKED_BYTES && packed.len < META_HOT_BYTES) || in[0] != META_VERSION ||
        in[1] != META_KIND)
        return false;
    size_t untold = packed.len < META_HOT_BYTES ? 0 : packed.len - META_HOT_BYTES;
    struct meta read = {.version = packed_u64(in + 8),
                        .count = packed_u64(in + 16),
                        .newest = record_unpack(in + 24),
                        .first_at = {(int64_t)packed_u64(in + 40)}};
    if (untold % RECORD_BYTES != 0 || read.count == 0 || !is_sound(read.newest) ||
        !has_hour(read.first_at) || read.first_at.us > read.newest.at.us)
        return false;
    add_untold(&read, in + META_HOT_BYTES, untold / RECORD_BYTES);
    *meta = read;
    return true;
}

bool meta_is_deleting(struct slice packed)
{
    return slice_equals(packed, SLICE("deleting"));
}
