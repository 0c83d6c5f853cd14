/*
 * meta: what is known of a type without looking at its samples. Pure.
 *
 * Moved by every write (scripts/post.lua), watched by every near cache: its key is
 * the one whose change invalidates. Packed, little endian:
 *
 *   0  u8   META_VERSION      1 u8 META_KIND      2 u16 zero
 *   4  u32  zero
 *   8  u64  version of the data: max(old + 1, Redis TIME in us), never repeats
 *  16  u64  count
 *  24  record newest: latest timestamp; among equals the last to arrive
 *  40  i64  earliest timestamp
 */
#ifndef LIB_METRICS_META_H
#define LIB_METRICS_META_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"
#include "slice.h"

enum { META_VERSION = 2, META_KIND = 'T', META_PACKED_BYTES = 48 };

struct meta {
    uint64_t version;
    uint64_t count;
    struct record newest;
    struct wall_time first_at;
};

/* False for what is no meta, or of instants that have no hour (span.h). */
bool meta_unpack(struct slice packed, struct meta *meta);

/* What stands in its place while a type is being deleted (scripts/delete_begin.lua): such
 * a type has no samples, and takes none. */
bool meta_is_deleting(struct slice packed);

#endif
