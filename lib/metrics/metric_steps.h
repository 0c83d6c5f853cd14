/*
 * metric_steps: the samples of a window, step by step, from the store.
 */
#ifndef LIB_METRICS_METRIC_STEPS_H
#define LIB_METRICS_METRIC_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate.h"
#include "clock.h"
#include "error.h"
#include "iso8601.h"
#include "metric_store.h"
#include "slice.h"

/* Steps of `step_us`, aligned to 1970, that cover a window. */
struct steps {
    struct wall_time first; /* where the first one begins, a multiple of the step: perhaps
                             * before the year 1, so tell people steps_start() */
    int64_t step_us;
    int64_t count;
};

/* Where step `i` begins, from 0 on; not before the first instant that has a text. */
static inline struct wall_time steps_start(const struct steps *steps, int64_t i)
{
    int64_t us = steps->first.us + i * steps->step_us;
    return (struct wall_time){us < ISO8601_MIN_US ? ISO8601_MIN_US : us};
}

/*
 * Where a window is open (`from` is WALL_TIME_MIN, `to` WALL_TIME_MAX), put the extent of what
 * is stored of these types in it: from the first sample to a microsecond after the last. Where
 * nothing is stored it stays open.
 */
enum err_code metric_steps_bound(struct metric_store *store, const struct slice *types,
                                 size_t count, struct mono_time deadline, struct wall_time *from,
                                 struct wall_time *to, struct error *err)
    __attribute__((warn_unused_result));

struct metric_steps_question {
    struct slice type;
    struct wall_time from, to; /* [from, to) */
    struct steps steps;        /* of that window */
    bool has_histograms;
};

struct metric_steps_visitor {
    void *context;

    /* `start` is where the step begins. May change `a`. False: enough. */
    bool (*show)(void *context, struct wall_time start, struct aggregate *a);

    /* Forget everything: the walk begins again. */
    void (*restart)(void *context);
};

/*
 * Show each step in order, empty ones too; the first and the last hold the window's part of
 * them alone. Asks the store for some steps at a time (as of one instant each), so that
 * memory is bounded whatever their number: at the worst 8 MiB of steps with their histograms,
 * 14 MiB for a page of such aggregates, 1.5 MiB for chunks; and for all of them again when samples
 * expired meanwhile that steps of two instants share. `report` is of all that was read.
 */
enum err_code metric_steps_walk(struct metric_store *store,
                                const struct metric_steps_question *question,
                                struct mono_time deadline,
                                const struct metric_steps_visitor *visitor,
                                struct metric_report *report, struct error *err)
    __attribute__((warn_unused_result));

#endif
