#include "metric_scan.h"
#include "metric_store_parts.h"

struct series {
    const struct metric_question *question;
    int64_t origin_us; /* where the first point begins */
    struct aggregate *points;
    size_t count;
    struct metric_report *report;
    bool has_passed; /* something that was told before */
};

_Static_assert((size_t)METRIC_LAYOUT_BYTES == (size_t)SCAN_INTEGER_BYTES, "a layout has room");

static bool is_within(const struct series *series, struct wall_time at)
{
    const struct metric_question *question = series->question;
    return at.us >= question->from.us && (at.us < question->to.us || question->to.us == INT64_MAX);
}

/* The point that holds an instant of the window. */
static size_t point_of(const struct series *series, struct wall_time at)
{
    const struct metric_question *question = series->question;
    if (question->step_us == 0 || at.us < question->from.us)
        return 0;
    uint64_t since = (uint64_t)at.us - (uint64_t)series->origin_us;
    uint64_t point = since / (uint64_t)question->step_us;
    return point < series->count ? (size_t)point : series->count - 1;
}

/* How many of the records, the first of which lies in `point`, do. */
static size_t count_in_point(const struct series *series, size_t point,
                             const struct record *records, size_t count)
{
    if (point == series->count - 1)
        return count;
    int64_t end_us = series->origin_us + (int64_t)(point + 1) * series->question->step_us;
    size_t n = 1;
    while (n < count && records[n].at.us < end_us)
        n++;
    return n;
}

static enum scan_want judge(void *context, const struct moments *m)
{
    const struct series *series = context;
    bool has_first = is_within(series, m->first.at), has_last = is_within(series, m->last.at);
    if (has_first && has_last)
        return point_of(series, m->first.at) == point_of(series, m->last.at) ? SCAN_AGGREGATE
                                                                             : SCAN_RECORDS;
    bool is_outside = m->last.at.us < series->question->from.us ||
                      (m->first.at.us >= series->question->from.us && !has_first);
    return is_outside ? SCAN_NOTHING : SCAN_RECORDS;
}

static void widen(struct metric_report *report, const struct moments *m)
{
    if (!report->is_widened || m->first.at.us < report->from.us)
        report->from = m->first.at;
    if (!report->is_widened || m->last.at.us >= report->to.us)
        report->to = (struct wall_time){m->last.at.us + 1};
    report->is_widened = true;
}

static void take_aggregate(void *context, const struct aggregate *a, bool is_widened)
{
    struct series *series = context;
    const struct metric_question *question = series->question;
    struct wall_time first = a->moments.first.at;
    if (is_widened && question->before && first.us < question->from.us) {
        series->has_passed = true;
        return;
    }
    aggregate_merge(&series->points[point_of(series, first)], a);
    if (is_widened)
        widen(series->report, &a->moments);
}

static void take_records(void *context, const struct record *records, size_t count,
                         uint64_t arrival)
{
    (void)arrival;
    const struct series *series = context;
    while (count > 0) {
        size_t point = point_of(series, records[0].at);
        size_t n = count_in_point(series, point, records, count);
        aggregate_add_run(&series->points[point], records, n);
        records += n;
        count -= n;
    }
}

static void take_base(void *context, const struct aggregate *base)
{
    const struct series *series = context;
    struct metric_report *report = series->report;
    switch (judge(context, &base->moments)) {
    case SCAN_AGGREGATE:
        take_aggregate(context, base, false);
        return;
    case SCAN_RECORDS:
        report->is_folded = true;
        report->folded_from = base->moments.first.at;
        report->folded_to = (struct wall_time){base->moments.last.at.us + 1};
        return;
    default:
        return;
    }
}

static void note_damage(void *context, struct wall_time from, struct wall_time to)
{
    const struct series *series = context;
    struct metric_report *report = series->report;
    if (report->damage_count == METRIC_DAMAGES_MAX)
        return;
    report->damages[report->damage_count].from = from;
    report->damages[report->damage_count].to = to;
    report->damage_count++;
}

static bool restart(void *context)
{
    struct series *series = context;
    *series->report = (struct metric_report){0};
    series->has_passed = false;
    for (size_t i = 0; i < series->count; i++)
        aggregate_reset(&series->points[i]);
    return true;
}

static void finish(void *context, struct slice layout)
{
    const struct series *series = context;
    const struct metric_report *before = series->question->before;
    struct metric_report *report = series->report;
    memcpy(report->layout, layout.ptr, layout.len);
    report->is_torn =
        series->has_passed && !slice_equals(layout, slice_from_string(before->layout));
}

/* The largest span that lies within one step wherever it begins. */
static enum span_level rollups_for(int64_t step_us)
{
    enum span_level level = SPAN_MONTH;
    while (level > SPAN_NONE && step_us % (span_hours(level) * HOUR_US) != 0)
        level--;
    return level;
}

enum err_code metric_store_series(struct metric_store *store,
                                  const struct metric_question *question, struct mono_time deadline,
                                  struct aggregate *points, size_t count,
                                  struct metric_report *report, struct error *err)
{
    int64_t origin_us = 0;
    if (question->step_us > 0)
        origin_us = floor_divide(question->from.us, question->step_us) * question->step_us;
    struct series series = {.question = question,
                            .origin_us = origin_us,
                            .points = points,
                            .count = count,
                            .report = report};
    const struct scan_visitor visitor = {.context = &series,
                                         .judge = judge,
                                         .take_aggregate = take_aggregate,
                                         .take_records = take_records,
                                         .take_base = take_base,
                                         .note_damage = note_damage,
                                         .restart = restart,
                                         .finish = finish};
    const struct scan_options options = {.type = question->type,
                                         .from = question->from,
                                         .to = question->to,
                                         .rollups = rollups_for(question->step_us),
                                         .has_histograms = points[0].has_histogram,
                                         .fetch_max = SCAN_FETCH_MAX,
                                         .reads_ahead = true};
    (void)restart(&series);
    enum err_code code =
        metric_scan_run(store->client, store->sealer, &options, &visitor, deadline, err);
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        if (aggregate_failed(&points[i]))
            code = error_set(err, ERR_NO_MEMORY, "Out of memory");
    }
    return code;
}
