#include "sample_model.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

enum { PATIENCE_MS = 20000, LIST_ARENA_BYTES = 4 << 20 };

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

static bool is_of(const struct modelled_sample *sample, const char *type)
{
    return !type || strcmp(sample->type, type) == 0;
}

static void assert_close(double actual, long double expected, long double scale, const char *what)
{
    if (fabsl((long double)actual - expected) > 1e-12L * scale)
        fail_msg("%s is %.17g instead of %.20Lg", what, actual, expected);
}

static void assert_record(struct record actual, struct record expected, const char *what)
{
    if (actual.at.us != expected.at.us ||
        memcmp(&actual.value, &expected.value, sizeof actual.value) != 0)
        fail_msg("%s is %lld %.17g instead of %lld %.17g", what, (long long)actual.at.us,
                 actual.value, (long long)expected.at.us, expected.value);
}

void sample_model_check_since(const struct sample_model *model, struct metric_store *store,
                              const char *type, struct wall_time from)
{
    struct aggregate actual;
    struct error err;
    error_init(&err);
    struct mono_time deadline = mono_after_ms(clock_mono_now(), PATIENCE_MS);
    if (metric_store_aggregate_since(store, slice_from_string(type), from, deadline, &actual,
                                     &err) != ERR_OK)
        fail_msg("%s (%s)", err.detail, err.cause);

    struct aggregate expected = {0};
    long double sum = 0, sum_of_sizes = 0, m2 = 0;
    for (size_t i = 0; i < model->count; i++) {
        struct record r = model->samples[i].record;
        if (!is_of(&model->samples[i], type) || r.at.us < from.us)
            continue;
        bool is_first = expected.count++ == 0;
        expected.min = is_first || r.value < expected.min ? r.value : expected.min;
        expected.max = is_first || r.value > expected.max ? r.value : expected.max;
        expected.first = is_first || r.at.us < expected.first.at.us ? r : expected.first;
        expected.last = is_first || r.at.us >= expected.last.at.us ? r : expected.last;
        sum += (long double)r.value;
        sum_of_sizes += fabsl((long double)r.value);
    }
    assert_int_equal(actual.count, expected.count);
    if (expected.count == 0)
        return;
    long double mean = sum / (long double)expected.count;
    for (size_t i = 0; i < model->count; i++) {
        struct record r = model->samples[i].record;
        if (is_of(&model->samples[i], type) && r.at.us >= from.us)
            m2 += ((long double)r.value - mean) * ((long double)r.value - mean);
    }
    assert_memory_equal(&actual.min, &expected.min, sizeof actual.min);
    assert_memory_equal(&actual.max, &expected.max, sizeof actual.max);
    assert_record(actual.first, expected.first, "first");
    assert_record(actual.last, expected.last, "last");
    assert_close(actual.sum_high + actual.sum_low, sum, sum_of_sizes, "sum");
    assert_close(actual.m2, m2, m2 + 1e-20L * sum_of_sizes * sum_of_sizes, "M2");
}

static int compare_listed(const void *left, const void *right)
{
    const struct modelled_sample *a = *(const struct modelled_sample *const *)left,
                                 *b = *(const struct modelled_sample *const *)right;
    if (a->record.at.us != b->record.at.us)
        return a->record.at.us < b->record.at.us ? -1 : 1;
    int order = strcmp(a->type, b->type);
    return order != 0 ? order : (a > b) - (a < b);
}

static uint32_t rank_of(const struct sample_model *model, const struct modelled_sample *sample)
{
    uint32_t rank = 0;
    for (const struct modelled_sample *s = model->samples; s < sample; s++)
        rank += s->record.at.us == sample->record.at.us && is_of(s, sample->type);
    return rank;
}

void sample_model_check_list(const struct sample_model *model, struct metric_store *store,
                             const char *type, size_t limit)
{
    struct arena arena;
    struct error err;
    error_init(&err);
    arena_init(&arena, LIST_ARENA_BYTES);
    struct listed_sample *actual = calloc(limit, sizeof *actual);
    const struct modelled_sample **sorted = calloc(model->count + 1, sizeof *sorted);
    assert_non_null(actual);
    assert_non_null(sorted);
    size_t matching = 0, count = 0;
    for (size_t i = 0; i < model->count; i++) {
        if (is_of(&model->samples[i], type))
            sorted[matching++] = &model->samples[i];
    }
    qsort(sorted, matching, sizeof *sorted, compare_listed);
    size_t wanted = matching < limit ? matching : limit;

    struct mono_time deadline = mono_after_ms(clock_mono_now(), PATIENCE_MS);
    if (metric_store_list(store, slice_from_string(type ? type : ""), limit, deadline, &arena,
                          actual, &count, &err) != ERR_OK)
        fail_msg("%s (%s)", err.detail, err.cause);
    assert_int_equal(count, wanted);
    for (size_t i = 0; i < wanted; i++) {
        const struct modelled_sample *expected = sorted[matching - wanted + i];
        assert_record(actual[i].record, expected->record, "listed");
        assert_true(slice_equals(actual[i].type, slice_from_string(expected->type)));
        assert_int_equal(actual[i].rank, rank_of(model, expected));
    }
    free(sorted);
    free(actual);
    arena_release(&arena);
}
