/*
 * sample_page: the newest so many, or the oldest so many, of the samples it is shown. Pure.
 *
 * Samples are ordered by timestamp, then by name of the type, then by arrival; they may
 * be shown in any order, each once. A heap with the farthest sample on top, far from
 * where the page begins, which goes when a nearer one comes. A page of the newest also
 * counts what went and shares type and timestamp with the farthest, so that ranks are
 * right where equal timestamps straddle its end.
 */
#ifndef LIB_METRICS_SAMPLE_PAGE_H
#define LIB_METRICS_SAMPLE_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"
#include "slice.h"

struct listed_sample {
    struct record record;
    struct slice type; /* borrowed */
    /* Among samples of its type with the same timestamp, by arrival, from 0; while the page
     * is being made any number that grows with arrival. */
    uint64_t rank;
};

struct sample_page {
    struct listed_sample *samples; /* the caller's, room for `limit` */
    size_t limit, count;
    bool is_of_newest;
    uint64_t dropped_ties; /* before the farthest, but of its type and timestamp */
};

/* `limit` >= 1. */
void sample_page_init(struct sample_page *page, struct listed_sample *room, size_t limit,
                      bool is_of_newest);

void sample_page_show(struct sample_page *page, const struct listed_sample *sample);

/* Samples before this instant (of the newest), or after it (of the oldest), cannot matter any
 * more. WALL_TIME_MIN or WALL_TIME_MAX while there is room. */
struct wall_time sample_page_edge(const struct sample_page *page);

/* Whether a sample of that instant cannot matter any more. */
bool sample_page_excludes(const struct sample_page *page, struct wall_time at);

/* Sort what is held, oldest first, and give ranks. After that nothing may be shown. */
void sample_page_finish(struct sample_page *page);

#endif
