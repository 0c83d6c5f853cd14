/*
 * meta: what is known of a type without looking at its samples. Pure.
 *
 * Moved by writes (scripts/lib/meta.lua). Packed, little endian:
 *
 *   0  u8   META_VERSION      1 u8 META_KIND      2 u16 zero
 *   4  u32  zero
 *   8  u64  version of the data: max(old + 1, Redis TIME in us), never repeats
 *  16  u64  count
 *  24  record newest: latest timestamp; among equals the last to arrive
 *  40  i64  earliest timestamp
 *
 * A type with a hot chunk (scripts/lib/hot.lua) has in addition:
 *
 *  48  i32  the hour of it (span.h)
 *  52  u32  bytes of it of which all this tells
 *
 * What the chunk holds beyond those bytes counts as well, each record as one more version: scripts
 * hand it out behind the 56 bytes.
 */
#ifndef LIB_METRICS_META_H
#define LIB_METRICS_META_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"
#include "slice.h"

enum { META_VERSION = 2, META_KIND = 'T', META_PACKED_BYTES = 48, META_HOT_BYTES = 56 };

struct meta {
    uint64_t version;
    uint64_t count;
    struct record newest;
    struct wall_time first_at;
};

/* With the records that follow it. False for what is no meta, or of instants that have no hour
 * (span.h). */
bool meta_unpack(struct slice packed, struct meta *meta);

/* What stands in its place while a type is being deleted (scripts/delete_begin.lua): such
 * a type has no samples, and takes none. */
bool meta_is_deleting(struct slice packed);

#endif
