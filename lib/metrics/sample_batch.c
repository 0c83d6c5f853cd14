#include "sample_batch.h"

#include <stdlib.h>

#include "arena.h"
#include "hash.h"
#include "span.h"

enum { ITEMS_FIRST = 256, GROUPS_FIRST = 8, NAMES_BYTES_MAX = BATCH_SAMPLES_MAX * TYPE_BYTES_MAX };

struct item {
    struct record record;
    uint32_t group, number;
};

struct entry {
    struct batch_group group;
    uint64_t hash;
};

/* A table of groups by name and hour, and one of the first group of each type by name alone. */
struct sample_batch {
    size_t count, items_room;
    struct item *items;
    size_t group_count, groups_room, type_count, last_group;
    struct entry *entries;
    uint32_t *slots, *type_slots; /* 2 * groups_room each: a group + 1; 0: free */
    struct arena names;
    unsigned char *packed;
};

struct sample_batch *sample_batch_new(void)
{
    struct sample_batch *batch = calloc(1, sizeof *batch);
    if (batch)
        arena_init(&batch->names, NAMES_BYTES_MAX);
    return batch;
}

void sample_batch_free(struct sample_batch *batch)
{
    if (!batch)
        return;
    arena_release(&batch->names);
    free(batch->items);
    free(batch->entries);
    free(batch->slots);
    free(batch->type_slots);
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

size_t sample_batch_group_count(const struct sample_batch *batch)
{
    return batch->group_count;
}

const struct batch_group *sample_batch_group(const struct sample_batch *batch, size_t index)
{
    return &batch->entries[index].group;
}

const struct batch_group *sample_batch_group_of(const struct sample_batch *batch, size_t index,
                                                uint32_t *number)
{
    *number = batch->items[index].number;
    return &batch->entries[batch->items[index].group].group;
}

void sample_batch_set_status(struct sample_batch *batch, size_t group, int status)
{
    batch->entries[group].group.status = status;
}

/* Half of the slots are free. */
static size_t slots_mask(const struct sample_batch *batch)
{
    return 2 * batch->groups_room - 1;
}

/* The slot of a group, or the free one where it would go. */
static uint32_t *slot_of(const struct sample_batch *batch, uint64_t hash, struct slice name,
                         int64_t hour)
{
    size_t at = hash & slots_mask(batch);
    for (; batch->slots[at] != 0; at = (at + 1) & slots_mask(batch)) {
        const struct entry *entry = &batch->entries[batch->slots[at] - 1];
        if (entry->hash == hash && entry->group.hour == hour &&
            slice_equals(entry->group.name, name))
            break;
    }
    return &batch->slots[at];
}

static uint32_t *type_slot_of(const struct sample_batch *batch, struct slice name)
{
    size_t at = hash_bytes(name, 0) & slots_mask(batch);
    while (batch->type_slots[at] != 0 &&
           !slice_equals(batch->entries[batch->type_slots[at] - 1].group.name, name))
        at = (at + 1) & slots_mask(batch);
    return &batch->type_slots[at];
}

static void fill_slots(struct sample_batch *batch)
{
    for (size_t i = 0; i < batch->group_count; i++) {
        const struct entry *entry = &batch->entries[i];
        *slot_of(batch, entry->hash, entry->group.name, entry->group.hour) = (uint32_t)i + 1;
        uint32_t *type_slot = type_slot_of(batch, entry->group.name);
        if (*type_slot == 0)
            *type_slot = (uint32_t)i + 1;
    }
}

static bool reserve_groups(struct sample_batch *batch)
{
    if (batch->group_count < batch->groups_room)
        return true;
    size_t room = batch->groups_room ? 2 * batch->groups_room : GROUPS_FIRST;
    struct entry *entries = realloc(batch->entries, room * sizeof *entries);
    if (entries)
        batch->entries = entries;
    uint32_t *slots = calloc(2 * room, sizeof *slots);
    uint32_t *type_slots = calloc(2 * room, sizeof *type_slots);
    if (!entries || !slots || !type_slots) {
        free(slots);
        free(type_slots);
        return false;
    }
    free(batch->slots);
    free(batch->type_slots);
    batch->slots = slots;
    batch->type_slots = type_slots;
    batch->groups_room = room;
    fill_slots(batch);
    return true;
}

static bool reserve_items(struct sample_batch *batch)
{
    if (batch->count < batch->items_room)
        return true;
    size_t room = batch->items_room ? 2 * batch->items_room : ITEMS_FIRST;
    struct item *items = realloc(batch->items, room * sizeof *items);
    if (!items)
        return false;
    batch->items = items;
    batch->items_room = room;
    return true;
}

/* False: no memory. */
static bool add_name(struct sample_batch *batch, struct batch_group *group, struct slice name)
{
    uint32_t *slot = type_slot_of(batch, name);
    if (*slot != 0) {
        const struct batch_group *first = &batch->entries[*slot - 1].group;
        group->name = first->name;
        group->type = first->type;
        return true;
    }
    group->name = arena_copy(&batch->names, name);
    if (!group->name.ptr)
        return false;
    group->type = batch->type_count++;
    *slot = (uint32_t)batch->group_count + 1;
    return true;
}

/* NULL: no memory. */
static struct entry *group_of(struct sample_batch *batch, struct slice name, int64_t hour)
{
    if (batch->group_count > 0) {
        struct entry *last = &batch->entries[batch->last_group];
        if (last->group.hour == hour && slice_equals(last->group.name, name))
            return last;
    }
    if (!reserve_groups(batch))
        return NULL;
    uint64_t hash = hash_bytes(name, (uint64_t)hour);
    uint32_t *slot = slot_of(batch, hash, name, hour);
    if (*slot != 0)
        return &batch->entries[*slot - 1];
    struct entry *entry = &batch->entries[batch->group_count];
    *entry = (struct entry){.group = {.hour = hour, .oldest = WALL_TIME_MAX}, .hash = hash};
    if (!add_name(batch, &entry->group, name))
        return NULL;
    *slot = (uint32_t)++batch->group_count;
    return entry;
}

enum batch_outcome sample_batch_add(struct sample_batch *batch, const struct sample *sample,
                                    uint32_t number)
{
    const struct record record = {sample->at, sample->value};
    if (batch->count == BATCH_SAMPLES_MAX)
        return BATCH_FULL;
    struct entry *entry =
        reserve_items(batch) ? group_of(batch, sample->type, hour_of(sample->at)) : NULL;
    if (!entry)
        return BATCH_NO_MEMORY;
    struct batch_group *group = &entry->group;
    if (group->count == 0 || record.at.us >= group->newest.at.us)
        group->newest = record;
    if (record.at.us < group->oldest.us)
        group->oldest = record.at;
    group->count++;
    batch->last_group = (size_t)(entry - batch->entries);
    batch->items[batch->count++] = (struct item){record, (uint32_t)batch->last_group, number};
    return BATCH_ADDED;
}

bool sample_batch_pack(struct sample_batch *batch, const unsigned char **records)
{
    unsigned char *packed = realloc(batch->packed, batch->count * RECORD_BYTES + 1);
    size_t *next = malloc((batch->group_count + 1) * sizeof *next);
    if (packed)
        batch->packed = packed;
    if (!packed || !next) {
        free(next);
        return false;
    }
    for (size_t i = 0, first = 0; i < batch->group_count; i++) {
        struct batch_group *group = &batch->entries[i].group;
        group->first = next[i] = first;
        first += group->count;
    }
    for (size_t i = 0; i < batch->count; i++)
        record_pack(batch->items[i].record, packed + next[batch->items[i].group]++ * RECORD_BYTES);
    free(next);
    *records = packed;
    return true;
}
