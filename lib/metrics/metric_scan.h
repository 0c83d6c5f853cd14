/*
 * metric_scan: a walk over what is stored of one type within a window of time.
 *
 * The walk shows its visitor the aggregates of closed chunks and spans where they are
 * enough, and records where they are not: open chunks, chunks that lie across an edge
 * that matters to the visitor, chunks not sealed yet. Everything is shown exactly once,
 * as of one instant for each page (scripts/scan.lua); on the way forward, samples of equal
 * timestamps in order of arrival. When chunks are moved meanwhile (gathered, folded,
 * deleted) the walk starts again. Rollups that turn out to be missing are made on the way
 * and kept.
 *
 * Nothing that lies in Redis is trusted: what cannot be read is told as damaged.
 */
#ifndef LIB_METRICS_METRIC_SCAN_H
#define LIB_METRICS_METRIC_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate.h"
#include "clock.h"
#include "error.h"
#include "redis_client.h"
#include "scan_reader.h"

struct chunk_sealer;

enum scan_want { SCAN_NOTHING, SCAN_AGGREGATE, SCAN_RECORDS };

/* Borrowed things live until the hook returns. */
struct scan_visitor {
    void *context;

    /* What is wanted of a chunk whose samples lie from m->first.at to m->last.at. */
    enum scan_want (*judge)(void *context, const struct moments *m);

    /* `is_widened`: records were wanted, but have expired; some may lie outside the window. */
    void (*take_aggregate)(void *context, const struct aggregate *a, bool is_widened);

    /*
     * Records within the window, in order of time. `arrival` of the first; those of the
     * following ones count up by one. Of equal timestamps the greater arrived later.
     */
    void (*take_records)(void *context, const struct record *records, size_t count,
                         uint64_t arrival);

    /* All that has expired altogether, samples and aggregates, whatever the window is. */
    void (*take_base)(void *context, const struct aggregate *base);

    /* Samples between these two [from, to) cannot be read. */
    void (*note_damage)(void *context, struct wall_time from, struct wall_time to);

    /* Forget everything: the walk starts again. False: it ends instead. */
    bool (*restart)(void *context);

    /* NULL, or: may the walk end here? All that is left is before (after) `bound`. */
    bool (*is_enough)(void *context, struct wall_time bound);

    /* NULL, or: all was shown, as of this layout (scripts/lib/spans.lua). */
    void (*finish)(void *context, struct slice layout);
};

/*
 * Before something is begun anew because chunks were moved, as it was `*times` before: what
 * moves them rests now and then, so wait, at first not at all, then longer and longer, 64 ms
 * or half of what is left at most. ERR_STORE_UNAVAILABLE at the fifty-first time.
 */
enum err_code metric_scan_pause(int *times, struct mono_time deadline, struct error *err)
    __attribute__((warn_unused_result));

/*
 * Walk. One round trip for about `pieces_max` chunks or spans, two more for each `fetch_max`
 * chunks of which records are wanted. ERR_STORE_UNAVAILABLE also when the deadline passes
 * between two of them, or chunks never stop moving.
 */
enum err_code metric_scan_run(struct redis_client *client, struct chunk_sealer *sealer,
                              const struct scan_options *options,
                              const struct scan_visitor *visitor, struct mono_time deadline,
                              struct error *err) __attribute__((warn_unused_result));

#endif
