#include "metric_steps.h"

#include <stdlib.h>

#include "integer.h"

/* At once, where each comes with its histogram, which may take 64 KiB, and where not. */
enum { GROUP_WITH_HISTOGRAMS = 128, GROUP_WITHOUT = 2048 };

/* --- The extent of the data -------------------------------------------------------- */

/* Nothing that lies in Redis is trusted to be within the years that have a text. */
static void bound(struct wall_time first, struct wall_time last, struct wall_time *from,
                  struct wall_time *to)
{
    if (from->us == WALL_TIME_MIN.us)
        from->us = greater(first.us, ISO8601_MIN_US);
    if (to->us == WALL_TIME_MAX.us)
        to->us = lesser(last.us, ISO8601_MAX_US) + 1;
}

enum err_code metric_steps_bound(struct metric_store *store, const struct slice *types,
                                 size_t count, struct mono_time deadline, struct wall_time *from,
                                 struct wall_time *to, struct error *err)
{
    struct wall_time first = WALL_TIME_MAX, last = WALL_TIME_MIN;
    for (size_t i = 0; i < count; i++) {
        struct aggregate a;
        struct metric_report report;
        const struct metric_question question = {.type = types[i], .from = *from, .to = *to};
        aggregate_init(&a, false);
        if (metric_store_series(store, &question, deadline, &a, 1, &report, err) != ERR_OK)
            return err->code;
        if (a.moments.count > 0) {
            first.us = lesser(first.us, a.moments.first.at.us);
            last.us = greater(last.us, a.moments.last.at.us);
        }
    }
    if (first.us <= last.us)
        bound(first, last, from, to);
    return ERR_OK;
}

/* --- The steps --------------------------------------------------------------------- */

struct walk {
    struct metric_store *store;
    const struct metric_steps_question *question;
    struct mono_time deadline;
    const struct metric_steps_visitor *visitor;
    struct metric_report *report; /* of all groups */
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
        all->from.us = all->is_widened ? lesser(all->from.us, part->from.us) : part->from.us;
        all->to.us = all->is_widened ? greater(all->to.us, part->to.us) : part->to.us;
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

/* `part` is the report of the group before, if there is one; then of this one. */
static enum err_code read_group(const struct walk *walk, int64_t at, size_t count,
                                struct metric_report *part, struct error *err)
{
    const struct metric_steps_question *q = walk->question;
    int64_t from_us = q->steps.first.us + at * q->steps.step_us;
    int64_t to_us = from_us + (int64_t)count * q->steps.step_us;
    const struct metric_report before = *part;
    const struct metric_question question = {.type = q->type,
                                             .from = {greater(from_us, q->from.us)},
                                             .to = {lesser(to_us, q->to.us)},
                                             .step_us = q->steps.step_us,
                                             .before = at > 0 ? &before : NULL};
    enum err_code code =
        metric_store_series(walk->store, &question, walk->deadline, walk->points, count, part, err);
    if (code == ERR_OK)
        add_report(walk->report, part);
    return code;
}

/* False: enough. */
static bool show_group(const struct walk *walk, int64_t at, size_t count)
{
    const struct metric_steps_visitor *visitor = walk->visitor;
    for (size_t i = 0; i < count; i++) {
        struct wall_time start = steps_start(&walk->question->steps, at + (int64_t)i);
        if (!visitor->show(visitor->context, start, &walk->points[i]))
            return false;
    }
    return true;
}

static enum err_code walk_groups(const struct walk *walk, bool *is_torn, struct error *err)
{
    const struct steps *steps = &walk->question->steps;
    struct metric_report part = {0};
    size_t count;
    *walk->report = (struct metric_report){0};
    *is_torn = false;
    for (int64_t at = 0; at < steps->count; at += (int64_t)count) {
        count = (size_t)lesser((int64_t)walk->room, steps->count - at);
        if (read_group(walk, at, count, &part, err) != ERR_OK)
            return err->code;
        *is_torn = part.is_torn;
        if (*is_torn || !show_group(walk, at, count))
            return ERR_OK;
    }
    return ERR_OK;
}

/* What has expired is told by the first group that it reaches into, so that twice is rare. */
static enum err_code walk_until_whole(const struct walk *walk, struct error *err)
{
    bool is_torn;
    enum err_code code = walk_groups(walk, &is_torn, err);
    while (code == ERR_OK && is_torn) {
        walk->visitor->restart(walk->visitor->context);
        code = walk_groups(walk, &is_torn, err);
    }
    return code;
}

enum err_code metric_steps_walk(struct metric_store *store,
                                const struct metric_steps_question *question,
                                struct mono_time deadline,
                                const struct metric_steps_visitor *visitor,
                                struct metric_report *report, struct error *err)
{
    size_t room = question->has_histograms ? GROUP_WITH_HISTOGRAMS : GROUP_WITHOUT;
    struct aggregate *points = malloc(room * sizeof *points);
    if (!points)
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    for (size_t i = 0; i < room; i++)
        aggregate_init(&points[i], question->has_histograms);
    const struct walk walk = {store, question, deadline, visitor, report, points, room};
    enum err_code code = walk_until_whole(&walk, err);
    for (size_t i = 0; i < room; i++)
        aggregate_release(&points[i]);
    free(points);
    return code;
}
