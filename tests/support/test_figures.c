#include "test_figures.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "iso8601.h"

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
    return 0;
}

int figures_close(void **state)
{
    sample_model_release(&test_figures.model);
    return test_app_end(state);
}

void figures_post(const char *type, int64_t at_us, double value)
{
    test_app_add(type, at_us, value);
    sample_model_add(&test_figures.model, type, (struct record){{at_us}, value});
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

struct selection figures_select(const char *type, int64_t from_us, int64_t to_us)
{
    struct selection s = {.first = {.at = WALL_TIME_MAX}, .last = {.at = WALL_TIME_MIN}};
    struct record *records =
        sample_model_select(&test_figures.model, type, (struct wall_time){from_us},
                            (struct wall_time){to_us}, &s.count);
    double *values = realloc(test_figures.selected, (s.count + 1) * sizeof *values);
    assert_non_null(values);
    test_figures.selected = values;
    for (size_t i = 0; i < s.count; i++) {
        struct record r = records[i];
        values[i] = r.value;
        s.sum += (long double)r.value;
        s.sum_of_sizes += fabsl((long double)r.value);
        s.first = r.at.us < s.first.at.us ? r : s.first;
        s.last = r.at.us >= s.last.at.us ? r : s.last;
    }
    free(records);
    qsort(values, s.count, sizeof *values, compare_doubles);
    return s;
}

int64_t figures_random_instant(void)
{
    struct test_random *chance = &test_figures.chance;
    int64_t hour = (int64_t)test_random_below(chance, test_random_below(chance, 3) ? 5 : 2000);
    return FIGURES_START_US + hour * HOUR_US + (int64_t)test_random_below(chance, HOUR_US);
}

double figures_random_value(void)
{
    struct test_random *chance = &test_figures.chance;
    switch (test_random_below(chance, 5)) {
    case 0:
        return 0.0;
    case 1:
        return ldexp(1.0, (int)test_random_below(chance, 8));
    case 2:
        return -(double)test_random_below(chance, 1000) / 10.0;
    default:
        return (double)test_random_below(chance, 100000) / 7.0;
    }
}
