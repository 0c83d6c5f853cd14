/*
 * metric_types: the types there are, in order of the bytes of their names, and what each
 * of them holds.
 */
#ifndef LIB_METRICS_METRIC_TYPES_H
#define LIB_METRICS_METRIC_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "metric_store.h"

enum {
    METRIC_TYPES_MAX = 1000,    /* of a page */
    METRIC_TYPES_LOOKED = 10000 /* at so many names for one page */
};

struct metric_type {
    struct slice name;
    uint64_t count;
    struct wall_time first_at;
    struct record newest;
    uint64_t bytes;      /* of samples and aggregates, see scripts/type_size.lua */
    uint64_t hour_count; /* of samples within the hour before the question */
};

struct metric_types_question {
    struct slice match; /* a glob (glob.h) over names */
    struct slice after; /* begin behind this, up to TYPE_BYTES_MAX bytes; empty: with the first */
    size_t limit;       /* 1 to METRIC_TYPES_MAX */
    bool is_brief;      /* without `bytes` and `hour_count`, which stay 0 */
};

/*
 * Fill `types`, which has room for `limit`, and set `*count`. `*next` is what the next page
 * begins behind, {NULL, 0} after the last one: up to TYPE_BYTES_MAX bytes of a name, perhaps
 * of one that others wrote there. A page ends before it is full, with `*next` set, where
 * METRIC_TYPES_LOOKED names were looked at, or half of the time to `deadline` has passed.
 * Names live in `arena`.
 *
 * Each type as of an instant of its own, not before the call; one that is deleted meanwhile
 * is left out. One round trip for every 1,000 names, one for every 16 types, and one or two
 * for each type that has samples of the last hour or later; in brief one for every 64 types
 * alone.
 */
enum err_code metric_types_list(struct metric_store *store,
                                const struct metric_types_question *question,
                                struct mono_time deadline, struct arena *arena,
                                struct metric_type *types, size_t *count, struct slice *next,
                                struct error *err) __attribute__((warn_unused_result));

#endif
