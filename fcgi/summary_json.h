/*
 * summary_json: the body of a summary. Pure.
 *
 * First the members of the original service, zeros where there is no sample; then what
 * is ours, null where there is none or where it cannot be told. A figure that leaves the
 * doubles is null, and a member `unavailable` has the reason.
 */
#ifndef FCGI_SUMMARY_JSON_H
#define FCGI_SUMMARY_JSON_H

#include <stdbool.h>

#include "metric_store.h"
#include "percentiles.h"
#include "slice.h"
#include "strbuf.h"

/* A stretch of time, and what was found there. */
struct summary_part {
    struct wall_time from, to;
    const struct aggregate *aggregate;
    const struct metric_report *report;
};

struct summary_view {
    struct slice type;
    struct slice period; /* its name; empty: the window of `current` is told instead */
    const struct percentiles *percentiles;
    struct summary_part current;
    const struct summary_part *previous; /* NULL: nothing to compare with */
    struct slice external;               /* a JSON value; empty: null */
};

void summary_json_write(const struct summary_view *view, struct strbuf *out);

#endif
