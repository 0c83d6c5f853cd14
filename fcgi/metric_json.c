#include "metric_json.h"

#include <math.h>

void metric_json_number(struct json_writer *w, const char *name, double value)
{
    json_write_name(w, name);
    if (isfinite(value))
        json_write_number(w, value);
    else
        json_write_null(w);
}

void metric_json_instant(struct json_writer *w, const char *name, struct wall_time at)
{
    json_write_name(w, name);
    if (iso8601_has_text(at))
        json_write_instant(w, at);
    else
        json_write_null(w);
}

const char METRIC_JSON_SUM_TOO_LARGE[] = "adding up the values exceeds the largest double, 1.8e308";

void metric_json_unavailable(struct json_writer *w, const struct metric_figure *figures,
                             const double *values, size_t count)
{
    bool has_begun = false;
    for (size_t i = 0; i < count; i++) {
        if (!isinf(values[i]))
            continue;
        if (!has_begun) {
            json_write_name(w, "unavailable");
            json_write_object(w);
        }
        has_begun = true;
        json_write_name(w, figures[i].name);
        json_write_string(w, figures[i].reason);
    }
    if (has_begun)
        json_write_end(w);
}

double metric_json_quantile(const struct aggregate *a, uint32_t q)
{
    const struct moments *m = &a->moments;
    return m->count > 0 ? histogram_quantile(&a->histogram, q, m->min, m->max) : NAN;
}

void metric_json_steps(struct json_writer *w, const struct window *window,
                       const struct steps *steps)
{
    metric_json_instant(w, "from", window->from);
    metric_json_instant(w, "to", window->to);
    json_write_name(w, "step_seconds");
    if (steps->count > 0)
        json_write_integer(w, steps->step_us / 1000000);
    else
        json_write_null(w);
}

void metric_json_percentiles(struct json_writer *w, const struct percentiles *percentiles,
                             const struct aggregate *a)
{
    for (size_t i = 0; i < percentiles->count; i++)
        metric_json_number(w, percentiles->entries[i].name,
                           metric_json_quantile(a, percentiles->entries[i].q));
}

static void write_stretch(struct json_writer *w, struct wall_time from, struct wall_time to)
{
    json_write_object(w);
    metric_json_instant(w, "from", from);
    metric_json_instant(w, "to", to);
    json_write_end(w);
}

void metric_json_report(struct json_writer *w, const struct metric_report *report)
{
    if (report->is_widened) {
        json_write_name(w, "widened");
        write_stretch(w, report->from, report->to);
    }
    if (report->is_folded) {
        json_write_name(w, "folded");
        write_stretch(w, report->folded_from, report->folded_to);
    }
    if (report->damage_count == 0)
        return;
    json_write_name(w, "damaged");
    json_write_array(w);
    for (size_t i = 0; i < report->damage_count; i++)
        write_stretch(w, report->damages[i].from, report->damages[i].to);
    json_write_end(w);
}
