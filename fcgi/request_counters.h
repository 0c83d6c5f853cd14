/*
 * request_counters: requests by route and status, and how long they took, in counters.h.
 */
#ifndef FCGI_REQUEST_COUNTERS_H
#define FCGI_REQUEST_COUNTERS_H

#include "counters.h"
#include "routes.h"

enum {
    REQUEST_KINDS = ROUTES_MAX + 1, /* routes, then what no route knows */
    REQUEST_STATUSES_MAX = 24,
    REQUEST_KIND_CELLS = REQUEST_STATUSES_MAX + DISTRIBUTION_CELLS,

    COUNTER_REQUEST_BYTES = COUNTERS_FIRST_FREE, /* of bodies, as they came */
    COUNTER_RESPONSE_BYTES,                      /* with their headers, before the web server's */
    COUNTER_REQUESTS,                            /* of each kind */
    COUNTER_REQUEST_KINDS = COUNTER_REQUESTS + REQUEST_KINDS, /* a run of cells for each of them */
    COUNTERS_ALL = COUNTER_REQUEST_KINDS + REQUEST_KINDS * REQUEST_KIND_CELLS
};

/* Count one; `route` is NULL for what none knows. */
void request_counters_note(const struct route *route, int status, int64_t us);

/* In the order of its cells. */
struct request_counts {
    uint64_t statuses[REQUEST_STATUSES_MAX];
    struct distribution us;
};

/* Of a kind: the number of its route, or `route_count`. Returns how many there were; the rest is
 * only read where there were any. */
uint64_t request_counters_read(size_t kind, struct request_counts *counts);

/* The status that `statuses[i]` counts, as text, "other" for any but those; NULL: the end. */
const char *request_counters_status(size_t i);

#endif
