#include "load_ledger.h"

#include <assert.h>

void load_ledger_init(struct load_ledger *ledger, struct load_place begin, struct load_tally stored)
{
    *ledger = (struct load_ledger){.stored_to = begin, .stored = stored, .all = stored};
}

bool load_ledger_has_room(const struct load_ledger *ledger)
{
    return ledger->next - ledger->oldest < LOAD_AHEAD_MAX;
}

static struct load_entry *entry_of(struct load_ledger *ledger, uint64_t number)
{
    return &ledger->entries[number % LOAD_AHEAD_MAX];
}

uint64_t load_ledger_open(struct load_ledger *ledger, struct load_place end)
{
    assert(load_ledger_has_room(ledger));
    *entry_of(ledger, ledger->next) = (struct load_entry){.end = end};
    return ledger->next++;
}

static void add(struct load_tally *sum, struct load_tally tally)
{
    sum->accepted += tally.accepted;
    sum->rejected += tally.rejected;
}

void load_ledger_close(struct load_ledger *ledger, uint64_t number, struct load_tally tally)
{
    struct load_entry *entry = entry_of(ledger, number);
    assert(number >= ledger->oldest && number < ledger->next && !entry->is_closed);
    entry->is_closed = true;
    entry->tally = tally;
    add(&ledger->all, tally);
    for (; ledger->oldest < ledger->next; ledger->oldest++) {
        entry = entry_of(ledger, ledger->oldest);
        if (!entry->is_closed)
            return;
        ledger->stored_to = entry->end;
        add(&ledger->stored, entry->tally);
    }
}

bool load_ledger_has_gap(const struct load_ledger *ledger)
{
    return ledger->all.accepted + ledger->all.rejected >
           ledger->stored.accepted + ledger->stored.rejected;
}
