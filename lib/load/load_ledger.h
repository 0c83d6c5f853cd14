/*
 * load_ledger: what of the input is stored. Pure.
 *
 * All before a place, and ranges beyond it: batches are stored in any order, and those of an
 * earlier run that stopped stay where they are. Memory is bounded by how many ranges there may be.
 */
#ifndef LIB_LOAD_LOAD_LEDGER_H
#define LIB_LOAD_LOAD_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "load_batch.h"

/* Between two ranges lies at least one batch that is under way, of this run or of the one before:
 * so many of them may be under way at once. */
enum { LOAD_JOBS_MAX = 64, LOAD_RANGES_MAX = 2 * LOAD_JOBS_MAX + 2 };

struct load_tally {
    uint64_t accepted, rejected; /* lines */
};

struct load_range {
    struct load_place begin, end;
    struct load_tally tally; /* all of its lines are one or the other */
};

struct load_ledger {
    struct load_place stored_to; /* everything before it is stored or rejected */
    struct load_tally stored;    /* of that */
    size_t range_count;
    struct load_range ranges[LOAD_RANGES_MAX]; /* beyond it, in order, apart from each other */
};

void load_ledger_init(struct load_ledger *ledger, struct load_place begin,
                      struct load_tally stored);

/* A range is stored of which nothing was before. */
void load_ledger_add(struct load_ledger *ledger, const struct load_range *range);

/* With what lies beyond stored_to. */
struct load_tally load_ledger_tally(const struct load_ledger *ledger);

/* Where the stored stretch ends in which `place` lies, if it lies in one. */
bool load_ledger_covers(const struct load_ledger *ledger, struct load_place place,
                        struct load_place *end);

/* Where the next range beyond begins; UINT64_MAX: nowhere. */
uint64_t load_ledger_border(const struct load_ledger *ledger, struct load_place place);

#endif
