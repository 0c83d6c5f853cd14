#include "sample_batch.h"

#include <stdlib.h>

#include "hash.h"
#include "span.h"

enum { SLOTS = 2 * BATCH_GROUPS_MAX, FIRST_CAPACITY = 64 };

_Static_assert(BATCH_GROUPS_MAX < UINT16_MAX, "a group's number fits");

struct item {
    struct record record;
    uint16_t group;
};

struct sample_batch {
    size_t type_count, group_count;
    struct batch_type types[BATCH_GROUPS_MAX];
    struct batch_group groups[BATCH_GROUPS_MAX];
    uint16_t slots[SLOTS]; /* by a type's name, its number + 1; 0: free */
    size_t last_type;

    size_t count, capacity;
    struct item *items;
    unsigned char *packed;
};

struct sample_batch *sample_batch_new(void)
{
    return calloc(1, sizeof(struct sample_batch));
}

void sample_batch_free(struct sample_batch *batch)
{
    if (!batch)
        return;
    free(batch->items);
    free(batch->packed);
    free(batch);
}

size_t sample_batch_count(const struct sample_batch *batch)
{
    return batch->count;
}

size_t sample_batch_type_count(const struct sample_batch *batch)
{
    return batch->type_count;
}

const struct batch_type *sample_batch_type(const struct sample_batch *batch, size_t index)
{
    return &batch->types[index];
}

const struct batch_group *sample_batch_group(const struct sample_batch *batch, size_t index)
{
    return &batch->groups[index];
}

/* The slot of a name, or the free one where it would go. There always is a free one. */
static uint16_t *slot_of(struct sample_batch *batch, struct slice name)
{
    size_t at = hash_bytes(name, 0) % SLOTS;
    while (batch->slots[at] != 0 && !slice_equals(batch->types[batch->slots[at] - 1].name, name))
        at = (at + 1) % SLOTS;
    return &batch->slots[at];
}

/* BATCH_NONE: it is a new one. */
static size_t find_type(struct sample_batch *batch, struct slice name)
{
    if (batch->type_count > 0 && slice_equals(batch->types[batch->last_type].name, name))
        return batch->last_type;
    return (size_t)*slot_of(batch, name) - 1;
}

static size_t find_group(const struct batch_type *type, const struct batch_group *groups,
                         int64_t hour)
{
    size_t at = type->first_group;
    while (at != BATCH_NONE && groups[at].hour != hour)
        at = groups[at].next;
    return at;
}

static size_t add_type(struct sample_batch *batch, const struct sample *sample)
{
    uint16_t *slot = slot_of(batch, sample->type);
    size_t index = batch->type_count++;
    batch->types[index] = (struct batch_type){.name = sample->type,
                                              .newest = {sample->at, sample->value},
                                              .oldest = sample->at,
                                              .first_group = BATCH_NONE,
                                              .last_group = BATCH_NONE};
    *slot = (uint16_t)(index + 1);
    return index;
}

static size_t add_group(struct sample_batch *batch, struct batch_type *type, int64_t hour)
{
    size_t index = batch->group_count++;
    batch->groups[index] = (struct batch_group){.hour = hour, .next = BATCH_NONE};
    if (type->last_group == BATCH_NONE)
        type->first_group = index;
    else
        batch->groups[type->last_group].next = index;
    type->last_group = index;
    type->group_count++;
    return index;
}

static bool reserve(struct sample_batch *batch)
{
    if (batch->count < batch->capacity)
        return true;
    size_t capacity = batch->capacity ? 2 * batch->capacity : FIRST_CAPACITY;
    struct item *items = realloc(batch->items, capacity * sizeof *items);
    if (!items)
        return false;
    batch->items = items;
    batch->capacity = capacity;
    return true;
}

static void note(struct batch_type *type, struct record record)
{
    if (record.at.us >= type->newest.at.us)
        type->newest = record;
    if (record.at.us < type->oldest.us)
        type->oldest = record.at;
}

enum batch_outcome sample_batch_add(struct sample_batch *batch, const struct sample *sample)
{
    const struct record record = {sample->at, sample->value};
    int64_t hour = hour_of(sample->at);
    if (batch->count == BATCH_SAMPLES_MAX)
        return BATCH_SAMPLES_FULL;
    size_t type = find_type(batch, sample->type), group = BATCH_NONE;
    if (type != BATCH_NONE)
        group = find_group(&batch->types[type], batch->groups, hour);
    if (group == BATCH_NONE && batch->group_count == BATCH_GROUPS_MAX)
        return BATCH_GROUPS_FULL;
    if (!reserve(batch))
        return BATCH_NO_MEMORY;
    if (type == BATCH_NONE)
        type = add_type(batch, sample);
    if (group == BATCH_NONE)
        group = add_group(batch, &batch->types[type], hour);
    note(&batch->types[type], record);
    batch->groups[group].count++;
    batch->items[batch->count++] = (struct item){record, (uint16_t)group};
    batch->last_type = type;
    return BATCH_ADDED;
}

bool sample_batch_pack(struct sample_batch *batch, const unsigned char **records)
{
    size_t next[BATCH_GROUPS_MAX], first = 0;
    unsigned char *packed = realloc(batch->packed, batch->count * RECORD_BYTES + 1);
    if (!packed)
        return false;
    batch->packed = packed;
    for (size_t i = 0; i < batch->group_count; i++) {
        batch->groups[i].first = next[i] = first;
        first += batch->groups[i].count;
    }
    for (size_t i = 0; i < batch->count; i++)
        record_pack(batch->items[i].record, packed + next[batch->items[i].group]++ * RECORD_BYTES);
    *records = packed;
    return true;
}
