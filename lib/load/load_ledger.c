#include "load_ledger.h"

#include <assert.h>
#include <string.h>

void load_ledger_init(struct load_ledger *ledger, struct load_place begin, struct load_tally stored)
{
    ledger->stored_to = begin;
    ledger->stored = stored;
    ledger->range_count = 0;
}

static void add(struct load_tally *sum, struct load_tally tally)
{
    sum->accepted += tally.accepted;
    sum->rejected += tally.rejected;
}

/* How many begin before an offset. */
static size_t count_before(const struct load_ledger *ledger, uint64_t offset)
{
    size_t count = 0;
    while (count < ledger->range_count && ledger->ranges[count].begin.offset < offset)
        count++;
    return count;
}

static void insert(struct load_ledger *ledger, size_t at, const struct load_range *range)
{
    assert(ledger->range_count < LOAD_RANGES_MAX);
    memmove(&ledger->ranges[at + 1], &ledger->ranges[at],
            (ledger->range_count++ - at) * sizeof *ledger->ranges);
    ledger->ranges[at] = *range;
}

static void drop(struct load_ledger *ledger, size_t at)
{
    memmove(&ledger->ranges[at], &ledger->ranges[at + 1],
            (--ledger->range_count - at) * sizeof *ledger->ranges);
}

static bool touch(const struct load_range *before, const struct load_range *behind)
{
    return before->end.offset == behind->begin.offset;
}

static void join(struct load_ledger *ledger, size_t before)
{
    struct load_range *range = &ledger->ranges[before];
    range->end = range[1].end;
    add(&range->tally, range[1].tally);
    drop(ledger, before + 1);
}

void load_ledger_add(struct load_ledger *ledger, const struct load_range *range)
{
    size_t at = count_before(ledger, range->begin.offset);
    insert(ledger, at, range);
    if (at + 1 < ledger->range_count && touch(&ledger->ranges[at], &ledger->ranges[at + 1]))
        join(ledger, at);
    if (at > 0 && touch(&ledger->ranges[at - 1], &ledger->ranges[at]))
        join(ledger, at - 1);
    if (ledger->ranges[0].begin.offset == ledger->stored_to.offset) {
        ledger->stored_to = ledger->ranges[0].end;
        add(&ledger->stored, ledger->ranges[0].tally);
        drop(ledger, 0);
    }
}

struct load_tally load_ledger_tally(const struct load_ledger *ledger)
{
    struct load_tally sum = ledger->stored;
    for (size_t i = 0; i < ledger->range_count; i++)
        add(&sum, ledger->ranges[i].tally);
    return sum;
}

bool load_ledger_covers(const struct load_ledger *ledger, struct load_place place,
                        struct load_place *end)
{
    size_t count = count_before(ledger, place.offset + 1);
    *end = count > 0 ? ledger->ranges[count - 1].end : ledger->stored_to;
    return place.offset < end->offset;
}

uint64_t load_ledger_border(const struct load_ledger *ledger, struct load_place place)
{
    size_t count = count_before(ledger, place.offset + 1);
    return count < ledger->range_count ? ledger->ranges[count].begin.offset : UINT64_MAX;
}
