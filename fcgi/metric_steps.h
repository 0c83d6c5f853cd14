/*
 * metric_steps: the samples of a window, step by step, from the store.
 */
#ifndef FCGI_METRIC_STEPS_H
#define FCGI_METRIC_STEPS_H

#include <stdbool.h>
#include <stddef.h>

#include "aggregate.h"
#include "clock.h"
#include "error.h"
#include "metric_store.h"
#include "slice.h"
#include "window.h"

/*
 * Where `window` is open, put the extent of what is stored of these types: from the first
 * sample to a microsecond after the last. Where nothing is stored it stays open.
 */
enum err_code metric_steps_bound(struct metric_store *store, const struct slice *types,
                                 size_t count, struct mono_time deadline, struct window *window,
                                 struct error *err) __attribute__((warn_unused_result));

struct metric_steps_question {
    struct slice type;
    struct window window;
    struct steps steps; /* of that window */
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
 * memory is bounded whatever their number; and for all of them again when samples expired
 * meanwhile that steps of two instants share. `report` is of all that was read.
 */
enum err_code metric_steps_walk(struct metric_store *store,
                                const struct metric_steps_question *question,
                                struct mono_time deadline,
                                const struct metric_steps_visitor *visitor,
                                struct metric_report *report, struct error *err)
    __attribute__((warn_unused_result));

#endif
