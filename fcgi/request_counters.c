#include "request_counters.h"

#include <string.h>

/* The usual ones first. */
enum { STATUSES = 21 };
static const int statuses[STATUSES] = {200, 201, 204, 304, 202, 307, 400, 401, 404, 405, 409,
                                       413, 415, 422, 428, 429, 500, 503, 504, 507, 0};

_Static_assert((int)STATUSES <= (int)REQUEST_STATUSES_MAX, "a cell for each");
_Static_assert(sizeof(struct request_counts) == REQUEST_KIND_CELLS * sizeof(uint64_t), "in place");

static size_t status_index(int status)
{
    size_t i = 0;
    while (i < STATUSES - 1 && statuses[i] != status)
        i++;
    return i;
}

static size_t cells_of(size_t kind)
{
    return COUNTER_REQUEST_KINDS + kind * REQUEST_KIND_CELLS;
}

void request_counters_note(const struct route *route, int status, int64_t us)
{
    size_t kind = route ? (size_t)(route - routes) : route_count;
    counter_add(COUNTER_REQUESTS + kind, 1);
    counter_add(cells_of(kind) + status_index(status), 1);
    distribution_add(cells_of(kind) + REQUEST_STATUSES_MAX, us > 0 ? (uint64_t)us : 0);
}

uint64_t request_counters_read(size_t kind, struct request_counts *counts)
{
    uint64_t count = counters_sum(COUNTER_REQUESTS + kind);
    memset(counts, 0, sizeof *counts);
    if (count > 0)
        counters_sum_run(COUNTER_REQUESTS + kind, cells_of(kind), REQUEST_KIND_CELLS,
                         (uint64_t *)counts);
    return count;
}

int request_counters_status(size_t i)
{
    return i < STATUSES ? statuses[i] : -1;
}
