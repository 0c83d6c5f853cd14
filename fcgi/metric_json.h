/*
 * metric_json: what several answers about samples say in the same words.
 */
#ifndef FCGI_METRIC_JSON_H
#define FCGI_METRIC_JSON_H

#include "aggregate.h"
#include "clock.h"
#include "json_write.h"
#include "metric_steps.h"
#include "metric_store.h"
#include "percentiles.h"
#include "window.h"

/* A member: the number, or null when it is not finite. */
void metric_json_number(struct json_writer *w, const char *name, double value);

/* A member: the instant, or null where it has no text, as WALL_TIME_MIN and WALL_TIME_MAX. */
void metric_json_instant(struct json_writer *w, const char *name, struct wall_time at);

struct metric_figure {
    const char *name;
    const char *reason; /* why it may be infinite: it is written as null then */
};

/* What reason a sum and an average have. */
extern const char METRIC_JSON_SUM_TOO_LARGE[];

/* A member `unavailable`, of the figures that are infinite with the reason, unless none is. */
void metric_json_unavailable(struct json_writer *w, const struct metric_figure *figures,
                             const double *values, size_t count);

/* The value at quantile `q` (histogram.h); NAN when there is no sample. */
double metric_json_quantile(const struct aggregate *a, uint32_t q);

/* Members `from`, `to` and `step_seconds`, null where there are no steps. */
void metric_json_steps(struct json_writer *w, const struct window *window,
                       const struct steps *steps);

/* A member for each percentile, null when there is no sample. */
void metric_json_percentiles(struct json_writer *w, const struct percentiles *percentiles,
                             const struct aggregate *a);

/* Members `widened`, `folded` and `damaged`, where there is something to say. */
void metric_json_report(struct json_writer *w, const struct metric_report *report);

#endif
