#include "sample_model.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    PATIENCE_MS = 20000,
    LIST_ARENA_BYTES = 4 << 20,
    WALK_ARENA_BYTES = 64 << 20,
    WALK_SAMPLES_MAX = 1000000
};

void sample_model_add(struct sample_model *model, const char *type, struct record record)
{
    if (model->count == model->capacity) {
        model->capacity = model->capacity ? 2 * model->capacity : 256;
        model->samples = realloc(model->samples, model->capacity * sizeof *model->samples);
        assert_non_null(model->samples);
    }
    model->samples[model->count++] = (struct modelled_sample){record, type};
}

void sample_model_release(struct sample_model *model)
{
    free(model->samples);
    *model = (struct sample_model){0};
}

bool sample_model_is_of(const struct modelled_sample *sample, const char *type)
{
    return !type || strcmp(sample->type, type) == 0;
}

bool sample_model_is_within(struct wall_time at, struct wall_time from, struct wall_time to)
{
    return at.us >= from.us && (at.us < to.us || to.us == INT64_MAX);
}

static void assert_close(double actual, long double expected, long double scale, const char *what)
{
    if (fabsl((long double)actual - expected) > 1e-12L * scale + DBL_MIN)
        fail_msg("%s is %.17g instead of %.20Lg", what, actual, expected);
}

static void assert_record(struct record actual, struct record expected, const char *what)
{
    if (actual.at.us != expected.at.us ||
        memcmp(&actual.value, &expected.value, sizeof actual.value) != 0)
        fail_msg("%s is %lld %.17g instead of %lld %.17g", what, (long long)actual.at.us,
                 actual.value, (long long)expected.at.us, expected.value);
}

struct record *sample_model_select(const struct sample_model *model, const char *type,
                                   struct wall_time from, struct wall_time to, size_t *count)
{
    struct record *selected = calloc(model->count + 1, sizeof *selected);
    assert_non_null(selected);
    *count = 0;
    for (size_t i = 0; i < model->count; i++) {
        struct record r = model->samples[i].record;
        if (sample_model_is_of(&model->samples[i], type) && sample_model_is_within(r.at, from, to))
            selected[(*count)++] = r;
    }
    return selected;
}

static bool is_less(double a, double b)
{
    return a < b || (a == b && signbit(a) && !signbit(b));
}

static int compare_values(const void *left, const void *right)
{
    const struct record *a = left, *b = right;
    return is_less(b->value, a->value) - is_less(a->value, b->value);
}

static void check_percentiles(const struct aggregate *actual, struct record *records, size_t count)
{
    static const uint32_t percents[] = {0, 1, 29, 50, 90, 99, 100};
    const struct moments *m = &actual->moments;
    double error = histogram_error(&actual->histogram);
    qsort(records, count, sizeof *records, compare_values);
    for (size_t i = 0; i < sizeof percents / sizeof *percents; i++) {
        uint32_t q = percents[i] * (QUANTILE_ONE / 100);
        double expected = records[percents[i] * (count - 1) / 100].value;
        double value = histogram_quantile(&actual->histogram, q, m->min, m->max);
        if (fabs(value - expected) > error * 1.0000001 * fabs(expected))
            fail_msg("percentile %u is %.17g instead of %.17g", percents[i], value, expected);
    }
}

/* `records` are in order of arrival; they are sorted by value. */
static void check_point(const struct aggregate *actual, struct record *records, size_t count)
{
    const struct moments *m = &actual->moments;
    assert_int_equal(m->count, count);
    if (count == 0)
        return;
    struct moments expected = {
        .min = records[0].value, .max = records[0].value, .first = records[0], .last = records[0]};
    long double sum = 0, sum_of_sizes = 0, m2 = 0;
    for (size_t i = 0; i < count; i++) {
        struct record r = records[i];
        expected.min = is_less(r.value, expected.min) ? r.value : expected.min;
        expected.max = is_less(expected.max, r.value) ? r.value : expected.max;
        expected.first = r.at.us < expected.first.at.us ? r : expected.first;
        expected.last = r.at.us >= expected.last.at.us ? r : expected.last;
        sum += (long double)r.value;
        sum_of_sizes += fabsl((long double)r.value);
    }
    long double mean = sum / (long double)count;
    for (size_t i = 0; i < count; i++)
        m2 += ((long double)records[i].value - mean) * ((long double)records[i].value - mean);
    assert_memory_equal(&m->min, &expected.min, sizeof m->min);
    assert_memory_equal(&m->max, &expected.max, sizeof m->max);
    assert_record(m->first, expected.first, "first");
    assert_record(m->last, expected.last, "last");
    assert_close(moments_sum(m), sum, sum_of_sizes, "sum");
    assert_close(m->m2, m2, m2 + 1e-20L * sum_of_sizes * sum_of_sizes, "M2");
    if (actual->has_histogram)
        check_percentiles(actual, records, count);
}

void sample_model_ask(struct metric_store *store, const struct metric_question *question,
                      struct aggregate *points, size_t count, struct metric_report *report)
{
    struct error err;
    error_init(&err);
    struct mono_time deadline = mono_after_ms(clock_mono_now(), PATIENCE_MS);
    if (metric_store_series(store, question, deadline, points, count, report, &err) != ERR_OK)
        fail_msg("%s (%s)", err.detail, err.cause);
    assert_int_equal(report->damage_count, 0);
}

static void ask_store(struct metric_store *store, const struct metric_question *question,
                      struct aggregate *points, size_t count)
{
    struct metric_report report;
    sample_model_ask(store, question, points, count, &report);
    assert_false(report.is_widened);
}

void sample_model_check_answer(const struct sample_model *model, const char *type,
                               struct wall_time from, struct wall_time to,
                               const struct aggregate *actual)
{
    size_t count;
    struct record *records = sample_model_select(model, type, from, to, &count);
    check_point(actual, records, count);
    free(records);
}

void sample_model_check_window(const struct sample_model *model, struct metric_store *store,
                               const char *type, struct wall_time from, struct wall_time to)
{
    for (int has_histogram = 0; has_histogram < 2; has_histogram++) {
        struct aggregate actual;
        aggregate_init(&actual, has_histogram);
        const struct metric_question question = {
            .type = slice_from_string(type), .from = from, .to = to};
        ask_store(store, &question, &actual, 1);
        sample_model_check_answer(model, type, from, to, &actual);
        aggregate_release(&actual);
    }
}

void sample_model_check_series(const struct sample_model *model, struct metric_store *store,
                               const char *type, struct wall_time from, int64_t step_us,
                               size_t count)
{
    struct aggregate *points = calloc(count, sizeof *points);
    assert_non_null(points);
    for (size_t i = 0; i < count; i++)
        aggregate_init(&points[i], true);
    struct wall_time to = {from.us + step_us * (int64_t)count};
    const struct metric_question question = {
        .type = slice_from_string(type), .from = from, .to = to, .step_us = step_us};
    ask_store(store, &question, points, count);
    for (size_t i = 0; i < count; i++) {
        struct wall_time step = {from.us + step_us * (int64_t)i}, next = {step.us + step_us};
        sample_model_check_answer(model, type, step, next, &points[i]);
        aggregate_release(&points[i]);
    }
    free(points);
}

/* --- Lists ------------------------------------------------------------------------- */

static int compare_listed(const void *left, const void *right)
{
    const struct modelled_sample *a = *(const struct modelled_sample *const *)left,
                                 *b = *(const struct modelled_sample *const *)right;
    if (a->record.at.us != b->record.at.us)
        return a->record.at.us < b->record.at.us ? -1 : 1;
    int order = strcmp(a->type, b->type);
    return order != 0 ? order : (a > b) - (a < b);
}

/* What is listed, in order, all ranks with it. */
struct sorted_samples {
    size_t count;
    const struct modelled_sample **samples;
    uint64_t *ranks;
};

static void sort_samples(const struct sample_model *model, struct sorted_samples *sorted)
{
    sorted->count = model->count;
    sorted->samples = calloc(model->count + 1, sizeof(struct modelled_sample *));
    sorted->ranks = calloc(model->count + 1, sizeof *sorted->ranks);
    assert_non_null(sorted->samples);
    assert_non_null(sorted->ranks);
    for (size_t i = 0; i < model->count; i++)
        sorted->samples[i] = &model->samples[i];
    qsort(sorted->samples, sorted->count, sizeof(struct modelled_sample *), compare_listed);
    for (size_t i = 1; i < sorted->count; i++) {
        const struct modelled_sample *before = sorted->samples[i - 1], *sample = sorted->samples[i];
        if (before->record.at.us == sample->record.at.us &&
            sample_model_is_of(before, sample->type))
            sorted->ranks[i] = sorted->ranks[i - 1] + 1;
    }
}

static void free_sorted(struct sorted_samples *sorted)
{
    free(sorted->samples);
    free(sorted->ranks);
}

static bool is_before_place(const struct sorted_samples *sorted, size_t i,
                            const struct list_place *place)
{
    const struct modelled_sample *sample = sorted->samples[i];
    if (sample->record.at.us != place->at.us)
        return sample->record.at.us < place->at.us;
    int order = slice_compare(slice_from_string(sample->type), place->type);
    return order != 0 ? order < 0 : sorted->ranks[i] < place->rank;
}

static bool is_asked_for(const struct sorted_samples *sorted, size_t i,
                         const struct list_question *question)
{
    const struct modelled_sample *sample = sorted->samples[i];
    int64_t at = sample->record.at.us;
    bool is_in =
        at >= question->from.us && at < question->to.us &&
        (question->type.len == 0 || slice_equals(slice_from_string(sample->type), question->type));
    return is_in && (!question->place ||
                     is_before_place(sorted, i, question->place) == question->is_backward);
}

/* Those of a page, as indices of `sorted`. */
static size_t select_page(const struct sorted_samples *sorted, const struct list_question *question,
                          size_t *page)
{
    size_t matching = 0;
    for (size_t i = 0; i < sorted->count; i++) {
        if (is_asked_for(sorted, i, question))
            page[matching++] = i;
    }
    size_t count = matching < question->limit ? matching : question->limit;
    if (question->is_backward)
        memmove(page, page + matching - count, count * sizeof *page);
    return count;
}

static size_t ask_for_page(struct metric_store *store, const struct list_question *question,
                           size_t damages, struct arena *arena, struct listed_sample *samples,
                           struct metric_report *report)
{
    struct error err;
    size_t count;
    error_init(&err);
    struct mono_time deadline = mono_after_ms(clock_mono_now(), PATIENCE_MS);
    if (metric_store_list(store, question, deadline, arena, samples, &count, report, &err) !=
        ERR_OK)
        fail_msg("%s (%s)", err.detail, err.cause);
    assert_int_equal(report->damage_count, damages);
    return count;
}

static struct metric_report check_page(const struct sample_model *model, struct metric_store *store,
                                       const struct list_question *question, size_t damages)
{
    struct metric_report report;
    struct arena arena;
    struct sorted_samples sorted;
    arena_init(&arena, LIST_ARENA_BYTES);
    sort_samples(model, &sorted);
    struct listed_sample *actual = calloc(question->limit, sizeof *actual);
    size_t *page = calloc(model->count + 1, sizeof *page);
    assert_non_null(actual);
    assert_non_null(page);
    size_t wanted = select_page(&sorted, question, page);
    assert_int_equal(ask_for_page(store, question, damages, &arena, actual, &report), wanted);
    for (size_t i = 0; i < wanted; i++) {
        const struct modelled_sample *expected = sorted.samples[page[i]];
        assert_record(actual[i].record, expected->record, "listed");
        assert_true(slice_equals(actual[i].type, slice_from_string(expected->type)));
        assert_true(actual[i].rank == sorted.ranks[page[i]]);
    }
    free(page);
    free(actual);
    free_sorted(&sorted);
    arena_release(&arena);
    return report;
}

void sample_model_check_page(const struct sample_model *model, struct metric_store *store,
                             const struct list_question *question)
{
    (void)check_page(model, store, question, 0);
}

static struct metric_report check_list(const struct sample_model *model, struct metric_store *store,
                                       const char *type, size_t limit, size_t damages)
{
    const struct list_question question = {.type = slice_from_string(type ? type : ""),
                                           .from = WALL_TIME_MIN,
                                           .to = WALL_TIME_MAX,
                                           .is_backward = true,
                                           .limit = limit};
    return check_page(model, store, &question, damages);
}

void sample_model_check_damaged_list(const struct sample_model *model, struct metric_store *store,
                                     const char *type, size_t limit, size_t damages)
{
    (void)check_list(model, store, type, limit, damages);
}

struct metric_report sample_model_check_list(const struct sample_model *model,
                                             struct metric_store *store, const char *type,
                                             size_t limit)
{
    return check_list(model, store, type, limit, 0);
}

/* --- Walks from page to page ------------------------------------------------------- */

/* In the order of the walk. */
static void keep_page(struct sample_walk *walk, const struct listed_sample *samples, size_t count)
{
    if (walk->count + count > walk->capacity) {
        walk->capacity = 2 * walk->capacity + count;
        walk->samples = realloc(walk->samples, walk->capacity * sizeof *walk->samples);
        assert_non_null(walk->samples);
    }
    for (size_t i = 0; i < count; i++)
        walk->samples[walk->count++] = samples[walk->is_backward ? count - 1 - i : i];
}

void sample_walk_run(struct sample_walk *walk, struct metric_store *store, size_t limit_max,
                     struct test_random *chance, void (*meanwhile)(void))
{
    struct list_place place;
    struct list_question question = {.type = slice_from_string(walk->type ? walk->type : ""),
                                     .from = walk->from,
                                     .to = walk->to,
                                     .is_backward = walk->is_backward};
    struct listed_sample *page = calloc(limit_max, sizeof *page);
    assert_non_null(page);
    arena_init(&walk->arena, WALK_ARENA_BYTES);
    for (bool is_done = false; !is_done;) {
        question.limit = 1 + test_random_below(chance, limit_max);
        struct metric_report report;
        size_t count = ask_for_page(store, &question, 0, &walk->arena, page, &report);
        keep_page(walk, page, count);
        is_done = count < question.limit;
        if (walk->count > WALK_SAMPLES_MAX)
            fail_msg("the walk has no end");
        if (!is_done) {
            const struct listed_sample *last = &walk->samples[walk->count - 1];
            place =
                (struct list_place){last->record.at, last->type, last->rank + !walk->is_backward};
            question.place = &place;
        }
        if (!is_done && meanwhile)
            meanwhile();
    }
    free(page);
}

void sample_walk_release(struct sample_walk *walk)
{
    free(walk->samples);
    arena_release(&walk->arena);
}

static bool is_found(const struct sorted_samples *sorted, size_t i,
                     const struct listed_sample *listed)
{
    const struct modelled_sample *sample = sorted->samples[i];
    return sample->record.at.us == listed->record.at.us && sorted->ranks[i] == listed->rank &&
           slice_equals(slice_from_string(sample->type), listed->type);
}

void sample_model_check_walk(const struct sample_model *model, const struct sample_walk *walk,
                             size_t known)
{
    struct sorted_samples sorted;
    sort_samples(model, &sorted);
    const struct list_question question = {.type = slice_from_string(walk->type ? walk->type : ""),
                                           .from = walk->from,
                                           .to = walk->to};
    size_t met = 0;
    for (size_t n = 0; n < sorted.count; n++) {
        size_t i = walk->is_backward ? sorted.count - 1 - n : n;
        if (!is_asked_for(&sorted, i, &question))
            continue;
        if (met < walk->count && is_found(&sorted, i, &walk->samples[met]))
            assert_record(walk->samples[met++].record, sorted.samples[i]->record, "listed");
        else if (sorted.samples[i] < model->samples + known)
            fail_msg("the walk missed %lld of %s, rank %llu",
                     (long long)sorted.samples[i]->record.at.us, sorted.samples[i]->type,
                     (unsigned long long)sorted.ranks[i]);
    }
    assert_int_equal(met, walk->count);
    free_sorted(&sorted);
}
