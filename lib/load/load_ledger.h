/*
 * load_ledger: which batches are stored, and up to where all of them are. Pure.
 *
 * Batches are opened in the order of the input and closed in any order. The prefix of closed ones
 * is what a later run goes on behind; LOAD_AHEAD_MAX bounds how much lies beyond it.
 */
#ifndef LIB_LOAD_LOAD_LEDGER_H
#define LIB_LOAD_LOAD_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "load_batch.h"

enum { LOAD_AHEAD_MAX = 256 };

struct load_tally {
    uint64_t accepted, rejected; /* lines */
};

struct load_ledger {
    struct load_place stored_to; /* everything before it is stored or rejected */
    struct load_tally stored;    /* of that */
    struct load_tally all;       /* of what lies beyond it too */
    uint64_t oldest, next;       /* numbers of batches; those from `oldest` on have entries */
    struct load_entry {
        bool is_closed;
        struct load_place end;
        struct load_tally tally;
    } entries[LOAD_AHEAD_MAX];
};

void load_ledger_init(struct load_ledger *ledger, struct load_place begin,
                      struct load_tally stored);

bool load_ledger_has_room(const struct load_ledger *ledger);

/* The next batch, which ends at `end`; there is room. Returns its number. */
uint64_t load_ledger_open(struct load_ledger *ledger, struct load_place end);
void load_ledger_close(struct load_ledger *ledger, uint64_t number, struct load_tally tally);

/* A batch is closed while an older one is not. */
bool load_ledger_has_gap(const struct load_ledger *ledger);

#endif
