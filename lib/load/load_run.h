/*
 * load_run: one run of a load: read, cut, send, send again, note what is stored.
 *
 * A job is one batch: sent, waiting to be sent again, or none. Its body is kept until all of it is
 * stored or rejected; then it is in the ledger, wherever in the input it lies.
 *
 * A request's key is made of the load's id, the batch's first byte, and which of its lines the
 * request has: all of them, or, where the service finds the whole too much (its bytes, its types),
 * half of them and so on. Which these were the state has before they are sent, and up to where
 * anything was sent: a later run sends the same bytes by the same keys, until it is beyond that.
 */
#ifndef LIB_LOAD_LOAD_RUN_H
#define LIB_LOAD_LOAD_RUN_H

#include <signal.h>
#include <stdint.h>

#include "load_options.h"
#include "load_report.h"
#include "load_state.h"

struct load_task {
    const struct load_options *options;
    int fd;                              /* at state->stored_to.offset */
    uint64_t input_bytes;                /* 0: not known */
    const char *state_path;              /* NULL: nothing is noted */
    const volatile sig_atomic_t *signal; /* 0, or the one that ends the run */
    struct load_report *report;
    struct load_state *state; /* the run's beginning, and at its end its end */
};

enum load_end { LOAD_END_STORED, LOAD_END_FAILED, LOAD_END_INTERRUPTED };

struct load_summary {
    struct load_tally tally; /* of the whole input */
    uint64_t requests, retries;
    double seconds;
};

/* Blocks until all is stored, or it fails, which was told, or is interrupted. What is under way
 * is finished first. */
enum load_end load_run(const struct load_task *task, struct load_summary *summary);

#endif
