/*
 * tending: upkeep of one type, step by step; what the tender's parts share.
 *
 * A step looks at what is there, makes something of it, and puts that in its place by one
 * script, which does nothing if anything was moved or grew meanwhile (`layout`, counts,
 * lengths). What came to nothing is due again soon (`is_behind`).
 *
 * Whoever reads a type begins anew when chunks are moved. So after TENDING_BURST_MS of work
 * on one type the tender's thread rests, long enough for most readers, and it turns to other
 * types after TENDING_TURN_MS.
 */
#ifndef LIB_METRICS_TENDING_H
#define LIB_METRICS_TENDING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chunk.h"
#include "clock.h"
#include "error.h"
#include "metric_tender.h"
#include "record.h"
#include "redis_client.h"
#include "redis_keys.h"
#include "slice.h"
#include "span.h"

enum {
    TENDING_FETCH_MAX = 16,                                         /* chunks read at once */
    TENDING_RECORDS_MAX = 33 * TENDER_KEEP_RECORDS + CHUNK_RECORDS, /* 32 days and a last chunk */
    TENDING_CHUNKS_MAX = TENDING_RECORDS_MAX / CHUNK_RECORDS + 1,
    TENDING_ARGS_MAX = 157, /* of one script: 6 KB of stack */
    TENDING_BURST_MS = 20,
    TENDING_REST_MS = 80,
    TENDING_TURN_MS = 15000,
    INTEGER_BYTES = 24
};

/* 2 MB, most of which is touched by the gathering of much alone. */
struct tending {
    struct redis_client *client;
    struct chunk_sealer *sealer;
    struct column_decoder *decoder;
    const struct metric_retention *retention;
    const atomic_bool *is_stopping; /* no step is begun after that; NULL: not by the thread, which
                                     * alone can be stopped, takes rests and turns */
    int64_t grace_seconds;

    struct slice type;
    struct redis_key stem, meta;
    struct mono_time turn_since, burst_since;
    int64_t now_hour; /* earlier hours are over */
    bool is_behind;
    struct wall_time oldest_samples, oldest; /* stamps of what does not expire yet */
    char layout[INTEGER_BYTES];

    size_t count; /* of records */
    struct record records[TENDING_RECORDS_MAX], spare[TENDING_RECORDS_MAX];
    size_t chunk_count;
    struct slice chunks[TENDING_CHUNKS_MAX]; /* in `sealed` */
    unsigned char sealed[TENDING_CHUNKS_MAX][CHUNK_SEALED_BYTES_MAX];
};

/* The arguments of a script: texts are its own, bytes are borrowed. What is one too many is
 * left out, and the script is not run. */
struct arguments {
    size_t count;
    bool is_overfull;
    struct slice args[TENDING_ARGS_MAX];
    char texts[TENDING_ARGS_MAX][INTEGER_BYTES];
};

void arguments_add_bytes(struct arguments *a, struct slice bytes);
void arguments_add_integer(struct arguments *a, int64_t value);
void arguments_add_span(struct arguments *a, struct span span); /* its name */

void tending_begin(struct tending *t, struct slice type);

/* Whether it is the others' turn: then this type is behind. */
bool tending_must_yield(struct tending *t);

/* Run a script on the type's keys: their stem, and meta. */
enum err_code tending_run(struct tending *t, enum redis_lane lane, enum redis_script script,
                          const struct arguments *a, struct redisReply **reply, struct error *err)
    __attribute__((warn_unused_result));

/* Before something is moved. */
void tending_rest(struct tending *t);

/* One that changes everything (`is_done`) or nothing: then `is_behind` is set. */
enum err_code tending_change(struct tending *t, enum redis_script script, const struct arguments *a,
                             bool *is_done, struct error *err) __attribute__((warn_unused_result));

/* How many closed chunks a span has, and the last of them (empty for none), which lives as long
 * as the reply; at an instant of Redis's clock. */
struct tending_target {
    int64_t count;
    struct slice last;
    struct wall_time now;
};

/* Look at a span, and note the layout. */
enum err_code tending_look_at(struct tending *t, struct span span, struct tending_target *target,
                              struct redisReply **reply, struct error *err)
    __attribute__((warn_unused_result));

/* In the log: a chunk, or how many a span has (-1), cannot be read. */
void tending_say_damaged(const struct tending *t, struct span span, int64_t chunk);

enum err_code tending_say_unexpected(struct error *err, const char *script);

/* Close and seal what is open in hours that are over or far ahead, each hour's samples into the
 * hour or, if they are few, into its day. Notes the hour that it is. */
enum err_code tending_settle_open(struct tending *t, struct error *err)
    __attribute__((warn_unused_result));

/* Days of few samples into their months, when those are over. */
enum err_code tending_gather_months(struct tending *t, struct error *err)
    __attribute__((warn_unused_result));

/* Drop what has expired. Notes the earliest stamps of what is left, which hold if the type is not
 * behind then. */
enum err_code tending_expire(struct tending *t, struct error *err)
    __attribute__((warn_unused_result));

/* The arguments of scripts/gather.lua up to what is taken. */
void tending_begin_gather(const struct tending *t, struct arguments *a, struct slice stamp,
                          struct span target, int64_t had, int64_t keep);

#endif
