#include "metric_steps.h"

#include <stdlib.h>

/* At once, where each comes with its histogram, which may take 64 KiB, and where not. */
enum { GROUP_WITH_HISTOGRAMS = 128, GROUP_WITHOUT = 2048 };

/* --- The extent of the data -------------------------------------------------------- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t greatest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Nothing that lies in Redis is trusted to be within the years that have a text. */
static void bound(struct window *window, struct wall_time first, struct wall_time last)
{
    int64_t from_us = greatest(first.us, ISO8601_MIN_US);
    int64_t to_us = least(last.us, ISO8601_MAX_US) + 1;
    if (window->from.us == WALL_TIME_MIN.us)
        window->from.us = from_us;
    if (window->to.us == WALL_TIME_MAX.us)
        window->to.us = to_us;
}

enum err_code metric_steps_bound(struct metric_store *store, const struct slice *types,
                                 size_t count, struct mono_time deadline, struct window *window,
                                 struct error *err)
{
    struct wall_time first = WALL_TIME_MAX, last = WALL_TIME_MIN;
    for (size_t i = 0; i < count; i++) {
        struct aggregate a;
        struct metric_report report;
        const struct metric_question question = {
            .type = types[i], .from = window->from, .to = window->to};
        aggregate_init(&a, false);
        if (metric_store_series(store, &question, deadline, &a, 1, &report, err) != ERR_OK)
            return err->code;
        if (a.moments.count > 0) {
            first.us = least(first.us, a.moments.first.at.us);
            last.us = greatest(last.us, a.moments.last.at.us);
        }
    }
    if (first.us <= last.us)
        bound(window, first, last);
    return ERR_OK;
}

/* --- The steps --------------------------------------------------------------------- */

struct walk {
    struct metric_store *store;
    const struct metric_steps_question *question;
    struct mono_time deadline;
    metric_steps_visitor *visit;
    void *context;
    struct metric_report *report;
    struct aggregate *points;
    size_t room;
};

static bool is_known(const struct metric_report *report, struct wall_time from, struct wall_time to)
{
    for (size_t i = 0; i < report->damage_count; i++) {
        if (report->damages[i].from.us == from.us && report->damages[i].to.us == to.us)
            return true;
    }
    return false;
}

/* What is damaged may lie across several groups. */
static void add_report(struct metric_report *all, const struct metric_report *part)
{
    if (part->is_widened) {
        all->from.us = all->is_widened ? least(all->from.us, part->from.us) : part->from.us;
        all->to.us = all->is_widened ? greatest(all->to.us, part->to.us) : part->to.us;
        all->is_widened = true;
    }
    if (part->is_folded) { /* the same for every group */
        all->is_folded = true;
        all->folded_from = part->folded_from;
        all->folded_to = part->folded_to;
    }
    for (size_t i = 0; i < part->damage_count && all->damage_count < METRIC_DAMAGES_MAX; i++) {
        if (!is_known(all, part->damages[i].from, part->damages[i].to))
            all->damages[all->damage_count++] = part->damages[i];
    }
}

static enum err_code read_group(const struct walk *walk, int64_t at, size_t count,
                                struct error *err)
{
    const struct metric_steps_question *q = walk->question;
    int64_t from_us = q->steps.first.us + at * q->steps.step_us;
    int64_t to_us = from_us + (int64_t)count * q->steps.step_us;
    const struct metric_question question = {.type = q->type,
                                             .from = {greatest(from_us, q->window.from.us)},
                                             .to = {least(to_us, q->window.to.us)},
                                             .step_us = q->steps.step_us,
                                             .is_continued = at > 0};
    struct metric_report report;
    enum err_code code = metric_store_series(walk->store, &question, walk->deadline, walk->points,
                                             count, &report, err);
    if (code == ERR_OK)
        add_report(walk->report, &report);
    return code;
}

static enum err_code walk_groups(const struct walk *walk, struct error *err)
{
    const struct steps *steps = &walk->question->steps;
    size_t count;
    for (int64_t at = 0; at < steps->count; at += (int64_t)count) {
        count = (size_t)least((int64_t)walk->room, steps->count - at);
        if (read_group(walk, at, count, err) != ERR_OK)
            return err->code;
        for (size_t i = 0; i < count; i++) {
            struct wall_time start = steps_start(steps, at + (int64_t)i);
            if (!walk->visit(walk->context, start, &walk->points[i]))
                return ERR_OK;
        }
    }
    return ERR_OK;
}

enum err_code metric_steps_walk(struct metric_store *store,
                                const struct metric_steps_question *question,
                                struct mono_time deadline, metric_steps_visitor *visit,
                                void *context, struct metric_report *report, struct error *err)
{
    *report = (struct metric_report){0};
    size_t room = question->has_histograms ? GROUP_WITH_HISTOGRAMS : GROUP_WITHOUT;
    struct aggregate *points = malloc(room * sizeof *points);
    if (!points)
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    for (size_t i = 0; i < room; i++)
        aggregate_init(&points[i], question->has_histograms);
    const struct walk walk = {store, question, deadline, visit, context, report, points, room};
    enum err_code code = walk_groups(&walk, err);
    for (size_t i = 0; i < room; i++)
        aggregate_release(&points[i]);
    free(points);
    return code;
}
