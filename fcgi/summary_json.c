#include "summary_json.h"

#include <math.h>

#include "json_write.h"
#include "metric_json.h"

/* In the order of the answer; as far as LATEST, those of the original. */
enum figure {
    FIGURE_AVERAGE,
    FIGURE_MIN,
    FIGURE_MAX,
    FIGURE_LATEST,
    FIGURE_SUM,
    FIGURE_STDDEV,
    FIGURE_FIRST,
    FIGURE_RATE, /* behind the timestamps that it is made from */
    FIGURE_COUNT
};

static const struct metric_figure figures[FIGURE_COUNT] = {
    [FIGURE_AVERAGE] = {"average_value", METRIC_JSON_SUM_TOO_LARGE},
    [FIGURE_MIN] = {"min_value", NULL},
    [FIGURE_MAX] = {"max_value", NULL},
    [FIGURE_LATEST] = {"latest_value", NULL},
    [FIGURE_SUM] = {"sum", METRIC_JSON_SUM_TOO_LARGE},
    [FIGURE_STDDEV] = {"stddev",
                       "adding up the squared deviations exceeds the largest double, 1.8e308"},
    [FIGURE_FIRST] = {"first_value", NULL},
    [FIGURE_RATE] = {"samples_per_second", NULL},
};

/* NAN: between less than two instants there is none. */
static double samples_per_second(const struct moments *m)
{
    int64_t us = m->last.at.us - m->first.at.us;
    return us > 0 ? (double)(m->count - 1) * 1e6 / (double)us : NAN;
}

/* NAN: there is none. */
static double figure_of(const struct moments *m, enum figure figure)
{
    if (m->count == 0)
        return figure == FIGURE_SUM ? 0.0 : NAN;
    const double values[FIGURE_COUNT] = {
        [FIGURE_AVERAGE] = moments_average(m),
        [FIGURE_MIN] = m->min,
        [FIGURE_MAX] = m->max,
        [FIGURE_LATEST] = m->last.value,
        [FIGURE_SUM] = moments_sum(m),
        [FIGURE_STDDEV] = moments_deviation(m),
        [FIGURE_FIRST] = m->first.value,
        [FIGURE_RATE] = samples_per_second(m),
    };
    return values[figure];
}

static void write_part(struct json_writer *w, const struct summary_part *part,
                       const struct percentiles *percentiles)
{
    const struct moments *m = &part->aggregate->moments;
    json_write_name(w, "count");
    json_write_integer(w, (int64_t)m->count);
    double values[FIGURE_COUNT];
    for (int i = 0; i < FIGURE_COUNT; i++) {
        bool is_zero = m->count == 0 && i <= FIGURE_LATEST;
        values[i] = is_zero ? 0.0 : figure_of(m, (enum figure)i);
        if (i != FIGURE_RATE)
            metric_json_number(w, figures[i].name, values[i]);
    }
    metric_json_instant(w, "first_timestamp", m->count > 0 ? m->first.at : WALL_TIME_MIN);
    metric_json_instant(w, "latest_timestamp", m->count > 0 ? m->last.at : WALL_TIME_MIN);
    metric_json_number(w, figures[FIGURE_RATE].name, values[FIGURE_RATE]);
    json_write_name(w, "percentiles");
    json_write_object(w);
    metric_json_percentiles(w, percentiles, part->aggregate);
    json_write_end(w);
    metric_json_number(w, "percentile_error", histogram_error(&part->aggregate->histogram));
    metric_json_unavailable(w, figures, values, FIGURE_COUNT);
    metric_json_report(w, part->report);
}

static void write_window(struct json_writer *w, const struct summary_part *part)
{
    metric_json_instant(w, "from", part->from);
    metric_json_instant(w, "to", part->to);
}

/* Over nothing or zero it is no number, which is null. */
static void end_change(struct json_writer *w, double before, double difference)
{
    metric_json_number(w, "relative", difference / fabs(before));
    json_write_end(w);
}

static void write_change(struct json_writer *w, const char *name, double before, double now)
{
    json_write_name(w, name);
    json_write_object(w);
    metric_json_number(w, "absolute", now - before);
    end_change(w, before, now - before);
}

static void write_count_change(struct json_writer *w, uint64_t before, uint64_t now)
{
    int64_t difference = (int64_t)(now - before);
    json_write_name(w, "count");
    json_write_object(w);
    json_write_name(w, "absolute");
    json_write_integer(w, difference);
    end_change(w, (double)before, (double)difference);
}

static void write_changes(struct json_writer *w, const struct summary_view *view)
{
    const struct aggregate *before = view->previous->aggregate, *now = view->current.aggregate;
    write_count_change(w, before->moments.count, now->moments.count);
    for (int i = 0; i < FIGURE_COUNT; i++)
        write_change(w, figures[i].name, figure_of(&before->moments, (enum figure)i),
                     figure_of(&now->moments, (enum figure)i));
    json_write_name(w, "percentiles");
    json_write_object(w);
    for (size_t i = 0; i < view->percentiles->count; i++) {
        uint32_t q = view->percentiles->entries[i].q;
        write_change(w, view->percentiles->entries[i].name, metric_json_quantile(before, q),
                     metric_json_quantile(now, q));
    }
    json_write_end(w);
}

static void write_comparison(struct json_writer *w, const struct summary_view *view)
{
    json_write_name(w, "previous");
    json_write_object(w);
    write_window(w, view->previous);
    write_part(w, view->previous, view->percentiles);
    json_write_end(w);
    json_write_name(w, "change");
    json_write_object(w);
    write_changes(w, view);
    json_write_end(w);
}

void summary_json_write(const struct summary_view *view, struct strbuf *out)
{
    struct json_writer w;
    json_write_begin(&w, out);
    json_write_object(&w);
    json_write_name(&w, "type");
    json_write_text(&w, view->type);
    json_write_name(&w, "period");
    if (view->period.len > 0) {
        json_write_text(&w, view->period);
    } else {
        json_write_null(&w);
        write_window(&w, &view->current);
    }
    write_part(&w, &view->current, view->percentiles);
    if (view->previous)
        write_comparison(&w, view);
    json_write_name(&w, "external");
    if (view->external.len > 0)
        json_write_raw(&w, view->external);
    else
        json_write_null(&w);
    json_write_end(&w);
}
