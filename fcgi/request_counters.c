#include "request_counters.h"

#include <string.h>

/* The usual ones first. */
enum { STATUSES = 21 };
static const struct {
    int status;
    const char *name;
} statuses[STATUSES] = {
    {200, "200"}, {201, "201"}, {204, "204"}, {304, "304"}, {202, "202"}, {307, "307"},
    {400, "400"}, {401, "401"}, {404, "404"}, {405, "405"}, {409, "409"}, {413, "413"},
    {415, "415"}, {422, "422"}, {428, "428"}, {429, "429"}, {500, "500"}, {503, "503"},
    {504, "504"}, {507, "507"}, {0, "other"},
};

_Static_assert((int)STATUSES <= (int)REQUEST_STATUSES_MAX, "a cell for each");
_Static_assert(sizeof(struct request_counts) == REQUEST_KIND_CELLS * sizeof(uint64_t), "in place");

static size_t status_index(int status)
{
    size_t i = 0;
    while (i < STATUSES - 1 && statuses[i].status != status)
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

const char *request_counters_status(size_t i)
{
    return i < STATUSES ? statuses[i].name : NULL;
}
