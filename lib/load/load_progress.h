/*
 * load_progress: how far a load is, as a line of text. Pure.
 */
#ifndef LIB_LOAD_LOAD_PROGRESS_H
#define LIB_LOAD_LOAD_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "strbuf.h"

struct load_progress {
    uint64_t input_bytes;                /* 0: not known, as of a pipe */
    uint64_t done_bytes, done_samples;   /* of the whole input */
    uint64_t first_bytes, first_samples; /* where this run began */
    uint64_t retries;
    double seconds; /* of this run */
};

/* "[####......]  41 %  410000 samples  82000/s  5.1 MB/s  0:07 left  3 retries", as much of it as
 * is known. */
void load_progress_append(const struct load_progress *progress, bool has_bar, struct strbuf *out);

#endif
