#include "batch_call.h"

#include <inttypes.h>
#include <stdio.h>

#include "packed.h"

enum { PARTS_TTL_MS = 60000 };

static void add_arg(struct batch_call *call, struct slice arg)
{
    call->args[call->arg_count++] = arg;
}

static void add_integer(struct batch_call *call, int64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%" PRId64, value);
    add_arg(call, arena_copy(&call->texts, slice_of(text, (size_t)len)));
}

/* The newest record, then the instant of the oldest one. */
static void add_extremes(struct batch_call *call, const struct batch_group *group)
{
    unsigned char bytes[RECORD_BYTES + 8];
    record_pack(group->newest, bytes);
    packed_put_u64(bytes + RECORD_BYTES, (uint64_t)group->oldest.us);
    add_arg(call, arena_copy(&call->texts, slice_of((const char *)bytes, sizeof bytes)));
}

static void add_group(struct batch_call *call, const struct shipment *s,
                      const struct batch_group *group)
{
    char tag[REDIS_TAG_BYTES];
    struct slice spelled = redis_key_tag_of_type(group->name, tag);
    bool is_plain = slice_equals(spelled, group->name);
    add_arg(call, is_plain ? group->name : arena_copy(&call->texts, spelled));
    if (s->is_rest && group->status != POST_DELETING) {
        add_arg(call, SLICE(""));
        return;
    }
    add_arg(call, slice_of((const char *)s->records + group->first * RECORD_BYTES,
                           group->count * RECORD_BYTES));
    if (group->count > 1)
        add_extremes(call, group);
}

/* Groups of one hour that follow each other share its text. */
static void add_groups(struct batch_call *call, const struct shipment *s, size_t from, size_t to)
{
    for (size_t at = from, end; at < to; at = end) {
        int64_t hour = sample_batch_group(s->batch, at)->hour;
        for (end = at + 1; end < to && sample_batch_group(s->batch, end)->hour == hour;)
            end++;
        add_integer(call, hour);
        add_integer(call, (int64_t)(end - at));
        for (size_t i = at; i < end; i++)
            add_group(call, s, sample_batch_group(s->batch, i));
    }
}

size_t shipment_part_begin(size_t part)
{
    return part * BATCH_PART_GROUPS;
}

size_t shipment_part_end(const struct shipment *s, size_t part)
{
    size_t end = (part + 1) * BATCH_PART_GROUPS, count = sample_batch_group_count(s->batch);
    return end < count ? end : count;
}

void batch_call_spell(struct batch_call *call, const struct shipment *s, size_t part)
{
    const struct metric_store_options *options = &s->store->options;
    struct slice prefix = redis_client_key_prefix(s->store->client);
    unsigned char arrival[REQUEST_ARRIVAL_BYTES];
    arena_reset(&call->texts);
    call->arg_count = 0;
    redis_key_global(&call->types, prefix, "types");
    redis_key_global(&call->due, prefix, "due");
    call->keys[0] = redis_key_slice(&s->rate.key);
    call->keys[1] = redis_key_slice(&call->types);
    call->keys[2] = redis_key_slice(&call->due);
    call->keys[3] = redis_key_slice(&s->mark.key);
    add_arg(call, slice_from_string(s->rate.limit_text));
    add_arg(call, slice_from_string(s->rate.window_us_text));
    add_integer(call, (int64_t)options->types_max);
    add_integer(call, (int64_t)options->spans_per_type_max);
    add_arg(call, prefix);
    add_integer(call, s->terms->is_all_or_nothing);
    add_integer(call, (int64_t)part);
    add_integer(call, (int64_t)s->part_count);
    add_integer(call, (int64_t)s->new_types_max);
    add_arg(call, slice_of(s->mark.fingerprint, sizeof s->mark.fingerprint));
    packed_put_u64(arrival, (uint64_t)s->mark.arrival.us);
    add_arg(call, arena_copy(&call->texts, slice_of((const char *)arrival, sizeof arrival)));
    bool has_key = s->terms->mark->key.len > 0;
    add_integer(call, has_key ? (int64_t)options->mark_ttl_seconds * 1000 : PARTS_TTL_MS);
    add_groups(call, s, shipment_part_begin(part), shipment_part_end(s, part));
}

/* One sample of each of many types, which are not there twice. */
enum redis_script batch_call_script(const struct shipment *s, size_t part)
{
    if (s->terms->is_all_or_nothing || s->is_rest)
        return REDIS_SCRIPT_POST_MANY;
    const struct batch_group *before = NULL;
    for (size_t i = shipment_part_begin(part); i < shipment_part_end(s, part); i++) {
        const struct batch_group *group = sample_batch_group(s->batch, i);
        if (group->count > 1 || (before && group->type <= before->type))
            return REDIS_SCRIPT_POST_MANY;
        before = group;
    }
    return REDIS_SCRIPT_POST_SERIES;
}
