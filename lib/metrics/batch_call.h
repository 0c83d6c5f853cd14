/*
 * batch_call: a part of a batch as a call of scripts/post_many or post_series, whose keys and
 * arguments are told in scripts/lib/part.lua.
 */
#ifndef LIB_METRICS_BATCH_CALL_H
#define LIB_METRICS_BATCH_CALL_H

#include "arena.h"
#include "metric_store_parts.h"
#include "redis_keys.h"

enum {
    BATCH_CALL_KEYS = 4,
    BATCH_CALL_ARGS_FIXED = 12,
    BATCH_CALL_ARGS_A_GROUP = 5, /* of an hour of its own, with several records */
    BATCH_CALL_ARGS_MAX = BATCH_CALL_ARGS_FIXED + BATCH_CALL_ARGS_A_GROUP * BATCH_PART_GROUPS,
    BATCH_CALL_TEXTS_MAX = 1 << 20 /* bytes */
};

_Static_assert(BATCH_CALL_KEYS + BATCH_CALL_ARGS_MAX <= REDIS_EVAL_ARGS_MAX, "a part is one call");

/* A batch on its way. */
struct shipment {
    struct metric_store *store;
    struct sample_batch *batch;
    const struct batch_terms *terms;
    struct request_mark mark;
    struct rate_call rate;
    size_t part_count, new_types_max;
    const unsigned char *records;
    struct batch_receipt *receipt;
    size_t stored_count; /* parts that are, by now */
    bool is_rest;        /* of groups alone whose types were being deleted */
};

/* The groups of a part: from `begin` on, before `end`. */
size_t shipment_part_begin(size_t part);
size_t shipment_part_end(const struct shipment *s, size_t part);

struct batch_call {
    struct arena texts; /* of BATCH_CALL_TEXTS_MAX; failed: no memory */
    struct redis_key types, due;
    struct slice keys[BATCH_CALL_KEYS], args[BATCH_CALL_ARGS_MAX];
    size_t arg_count;
};

/* Borrows from the shipment and its batch. */
void batch_call_spell(struct batch_call *call, const struct shipment *s, size_t part);

enum redis_script batch_call_script(const struct shipment *s, size_t part);

#endif
