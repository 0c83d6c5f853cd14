/*
 * load_batch: lines of the input on their way into one request, and which lines they were.
 */
#ifndef LIB_LOAD_LOAD_BATCH_H
#define LIB_LOAD_LOAD_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "strbuf.h"

enum {
    LOAD_SAMPLES_DEFAULT = 1000,
    LOAD_SAMPLES_MAX = 10000,
    LOAD_BODY_BYTES_DEFAULT = 256 * 1024,
    LOAD_BODY_BYTES_MIN = 1024,
    LOAD_BODY_BYTES_MAX = 4 << 20,
    LOAD_LINE_BYTES_MAX = 1 << 20 /* without the line break */
};

/* Where a cut may be: so many bytes stand before it, and the line that begins there. */
struct load_place {
    uint64_t offset, line; /* from 0, from 1 */
};

/* What decides where the input is cut. */
struct load_limits {
    size_t samples_max, body_bytes_max;
};

/* One record; a string of line protocol may spread it over several lines. */
struct load_line {
    uint64_t number; /* of the first line, in the input */
    size_t index;    /* of the first line, in the body */
    size_t body_end; /* its bytes in the body end here */
};

/* A line that is no sample, which the loader sees itself. */
struct load_refusal {
    uint64_t number;
    const char *reason; /* static */
};

struct load_batch {
    struct load_limits limits;
    struct load_place begin, end;
    uint64_t border; /* it does not reach beyond this offset */
    struct strbuf body;
    struct load_line *lines; /* in the body, in order */
    size_t line_count;
    size_t body_lines;             /* line breaks in the body */
    struct load_refusal *refusals; /* not in the body */
    size_t refusal_count;
};

size_t load_count_breaks(struct slice text);

/* False: no memory; then, too, it is to be released. */
bool load_batch_init(struct load_batch *batch, struct load_limits limits);
void load_batch_release(struct load_batch *batch);

/* Empty, from `begin` on up to `border`; UINT64_MAX: none. */
void load_batch_reset(struct load_batch *batch, struct load_place begin, uint64_t border);

/* Lines and refusals together are as many as there may be. */
static inline bool load_batch_is_full(const struct load_batch *batch)
{
    return batch->line_count + batch->refusal_count >= batch->limits.samples_max;
}

/*
 * What was appended to the body since the last line is line `number`. False: the body is too
 * long with it, so that it is taken away again, for the next batch. A line is never too long
 * when it is alone. Not when the batch is full.
 */
bool load_batch_take_line(struct load_batch *batch, uint64_t number);
void load_batch_refuse_line(struct load_batch *batch, uint64_t number, const char *reason);

/* Which line of the input is line `index` of a body that begins with `first`. 0: none. */
uint64_t load_batch_number_of(const struct load_batch *batch, size_t first, size_t index);

/* The bytes of `count` lines from `first` on. Borrowed. */
struct slice load_batch_body(const struct load_batch *batch, size_t first, size_t count);

#endif
