#include "test_figures.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "iso8601.h"
#include "metric_store.h"
#include "metric_tender.h"

struct test_figures test_figures;

int figures_begin(void **state)
{
    (void)state;
    test_figures.chance = test_random_start();
    return 0;
}

int figures_end(void **state)
{
    (void)state;
    free(test_figures.selected);
    return 0;
}

int figures_open(void **state)
{
    static const char *const settings[] = {"BODY_LIMIT_BYTES", "1048576", NULL}; /* JSON to read */
    if (test_app_begin(state) != 0)
        return -1;
    test_app_open(settings);
    test_figures.sealer = chunk_sealer_new(test_app.app->redis);
    return test_figures.sealer ? 0 : -1;
}

int figures_close(void **state)
{
    chunk_sealer_free(test_figures.sealer);
    sample_model_release(&test_figures.model);
    return test_app_end(state);
}

void figures_post(const char *type, int64_t at_us, double value)
{
    static const struct rate_policy no_limit = {"post", 0, 60};
    static const struct rate_subject somebody = {"4:203.0.113.7", 13};
    const struct sample sample = {{at_us}, value, slice_from_string(type)};
    struct rate_verdict verdict;
    struct error err;
    error_init(&err);
    if (metric_store_add(test_app.app->store, &sample, &no_limit, &somebody, &verdict, &err) !=
        ERR_OK)
        fail_msg("%s (%s)", err.detail, err.cause);
    sample_model_add(&test_figures.model, type, (struct record){{at_us}, value});
}

void figures_tend(const char *type, int64_t samples_us)
{
    const struct metric_retention retention = {samples_us, 0};
    struct error err;
    error_init(&err);
    if (metric_tender_tend(test_app.app->redis, test_figures.sealer, &retention,
                           slice_from_string(type), &err) != ERR_OK)
        fail_msg("%s (%s)", err.detail, err.cause);
}

bool figures_body_has(const char *text)
{
    struct slice body = strbuf_slice(&test_app.res.body);
    return memmem(body.ptr, body.len, text, strlen(text)) != NULL;
}

bool figures_body_is(const char *text)
{
    return slice_equals(strbuf_slice(&test_app.res.body), slice_from_string(text));
}

struct json_document *figures_parse_body(void)
{
    struct error err;
    error_init(&err);
    struct json_document *document =
        json_document_new(strbuf_slice(&test_app.res.body), "body", &err);
    if (!document)
        fail_msg("%s: %s", err.detail, err.fields[0].message);
    return document;
}

double figures_number(const struct json_value *object, const char *name)
{
    double number = NAN;
    const struct json_value *value = json_value_member(object, name);
    assert_non_null(value);
    if (json_value_kind(value) != JSON_KIND_NULL)
        assert_true(json_value_number(value, &number));
    return number;
}

int64_t figures_instant(const struct json_value *object, const char *name)
{
    struct slice text;
    struct wall_time at = WALL_TIME_MIN;
    const struct json_value *value = json_value_member(object, name);
    assert_non_null(value);
    if (json_value_kind(value) == JSON_KIND_NULL)
        return at.us;
    assert_true(json_value_text(value, &text));
    assert_null(iso8601_parse(text, &at));
    return at.us;
}

void figures_assert_is(const struct json_value *object, const char *name, double expected)
{
    double actual = figures_number(object, name);
    if (!(actual == expected) && !(isnan(actual) && isnan(expected)))
        fail_msg("%s is %.17g instead of %.17g", name, actual, expected);
}

void figures_assert_is_near(const struct json_value *object, const char *name, long double expected,
                            long double tolerance)
{
    double actual = figures_number(object, name);
    if (!(fabsl((long double)actual - expected) <= tolerance))
        fail_msg("%s is %.17g instead of %.20Lg", name, actual, expected);
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static bool is_in(const struct modelled_sample *s, const char *type, int64_t from_us, int64_t to_us)
{
    return strcmp(s->type, type) == 0 && s->record.at.us >= from_us && s->record.at.us < to_us;
}

struct selection figures_select(const char *type, int64_t from_us, int64_t to_us)
{
    const struct sample_model *model = &test_figures.model;
    struct selection s = {.first = {.at = WALL_TIME_MAX}, .last = {.at = WALL_TIME_MIN}};
    double *values = realloc(test_figures.selected, (model->count + 1) * sizeof *values);
    assert_non_null(values);
    test_figures.selected = values;
    for (size_t i = 0; i < model->count; i++) {
        struct record r = model->samples[i].record;
        if (!is_in(&model->samples[i], type, from_us, to_us))
            continue;
        values[s.count++] = r.value;
        s.sum += (long double)r.value;
        s.sum_of_sizes += fabsl((long double)r.value);
        s.first = r.at.us < s.first.at.us ? r : s.first;
        s.last = r.at.us >= s.last.at.us ? r : s.last;
    }
    qsort(values, s.count, sizeof *values, compare_doubles);
    return s;
}

void figures_check_rows(const char *path, const struct answer_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int status = test_app_get(path, rows[i].query);
        if (status != rows[i].status || !figures_body_has(rows[i].told))
            fail_msg("%s?%s: %d %.2000s", path, rows[i].query, status, test_app.body);
    }
}
