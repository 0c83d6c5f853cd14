/*
 * test_figures: answers of the app (test_app.h) against recomputation from a plain array of
 * what was posted. One for a test program.
 */
#ifndef TESTS_SUPPORT_TEST_FIGURES_H
#define TESTS_SUPPORT_TEST_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json_read.h"
#include "sample_model.h"
#include "span.h"
#include "test_app.h"
#include "test_random.h"

#define FIGURES_SECOND_US INT64_C(1000000)
#define FIGURES_DAY_US    (24 * HOUR_US)
#define FIGURES_START_US  (INT64_C(20000) * FIGURES_DAY_US) /* 2024-10-04 */

struct test_figures {
    struct sample_model model;
    double *selected; /* by figures_select */
    struct test_random chance;
};

extern struct test_figures test_figures;

/* For cmocka: around the group, and around each test. */
int figures_begin(void **state);
int figures_end(void **state);
int figures_open(void **state);
int figures_close(void **state);

/* Store a sample past HTTP, and note it in the model. `type` is static. */
void figures_post(const char *type, int64_t at_us, double value);

/* A member that must be there. Null is NAN, or WALL_TIME_MIN. */
double figures_number(const struct json_value *object, const char *name);
int64_t figures_instant(const struct json_value *object, const char *name);

/* The number exactly, NAN for null; or within a tolerance. */
void figures_assert_is(const struct json_value *object, const char *name, double expected);
void figures_assert_is_near(const struct json_value *object, const char *name, long double expected,
                            long double tolerance);

struct selection {
    size_t count;
    long double sum, sum_of_sizes;
    struct record first, last;
};

/* What the model holds of a type in [from, to); the values, in order, are `selected` then. */
struct selection figures_select(const char *type, int64_t from_us, int64_t to_us);

/* Of some hours in the first days from FIGURES_START_US on, and of some far away. */
int64_t figures_random_instant(void);
double figures_random_value(void);

#endif
