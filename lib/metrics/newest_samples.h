/*
 * newest_samples: the newest so many of the samples that it is shown. Pure.
 *
 * Samples are ordered by timestamp, then by name of the type, then by arrival; they
 * may be shown in any order, each once. A heap, whose least sample goes when a greater
 * one comes; it also counts what went and shares the least one's type and timestamp,
 * so that ranks are right where equal timestamps straddle the limit.
 */
#ifndef LIB_METRICS_NEWEST_SAMPLES_H
#define LIB_METRICS_NEWEST_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"
#include "slice.h"

struct newest_sample {
    struct record record;
    struct slice type; /* borrowed */
    uint64_t arrival;  /* position among those of its type and timestamp */
};

struct newest_samples {
    struct newest_sample *heap; /* the caller's, room for `limit` */
    size_t limit, count;
    uint64_t dropped_of_least; /* smaller than the least, but of its type and timestamp */
};

/* `limit` >= 1. */
void newest_samples_init(struct newest_samples *newest, struct newest_sample *room, size_t limit);

void newest_samples_show(struct newest_samples *newest, const struct newest_sample *sample);

/* Whether samples up to and including `at` cannot matter any more. */
bool newest_samples_excludes(const struct newest_samples *newest, struct wall_time at);

/* Sort what is held, oldest first. After that only `heap`, `count` and
 * `dropped_of_least` (which concerns heap[0]) may be used. */
void newest_samples_sort(struct newest_samples *newest);

#endif
