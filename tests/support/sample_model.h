/*
 * sample_model: what a metric store must answer, from a plain array in order of
 * arrival. Slow and obvious.
 */
#ifndef TESTS_SUPPORT_SAMPLE_MODEL_H
#define TESTS_SUPPORT_SAMPLE_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "metric_store.h"
#include "test_random.h"

struct modelled_sample {
    struct record record;
    const char *type; /* static */
};

struct sample_model {
    struct modelled_sample *samples;
    size_t count, capacity;
};

void sample_model_add(struct sample_model *model, const char *type, struct record record);
void sample_model_release(struct sample_model *model);

bool sample_model_is_of(const struct modelled_sample *sample, const char *type); /* NULL: all */

/* `to` is not in a window, but for WALL_TIME_MAX, which bounds nothing. */
bool sample_model_is_within(struct wall_time at, struct wall_time from, struct wall_time to);

/* The records of a type in a window, in order of arrival. The caller frees them. */
struct record *sample_model_select(const struct sample_model *model, const char *type,
                                   struct wall_time from, struct wall_time to, size_t *count);

/* Ask the store with patience; a failure or damage fails the running test. */
void sample_model_ask(struct metric_store *store, const struct metric_question *question,
                      struct aggregate *points, size_t count, struct metric_report *report);

/*
 * Ask the store and compare; a difference fails the running test with the details: counts,
 * extremes, first and last bit for bit, sums and M2 to 1e-12, percentiles within the
 * histogram's error.
 */
void sample_model_check_window(const struct sample_model *model, struct metric_store *store,
                               const char *type, struct wall_time from, struct wall_time to);

/* An answer that was got in some other way. */
void sample_model_check_answer(const struct sample_model *model, const char *type,
                               struct wall_time from, struct wall_time to,
                               const struct aggregate *actual);

/* `count` steps from `from` on, which is a multiple of the step. */
void sample_model_check_series(const struct sample_model *model, struct metric_store *store,
                               const char *type, struct wall_time from, int64_t step_us,
                               size_t count);

void sample_model_check_page(const struct sample_model *model, struct metric_store *store,
                             const struct list_question *question);

/* The newest `limit`. `type` NULL: all types. Returns what the list says of itself. */
struct metric_report sample_model_check_list(const struct sample_model *model,
                                             struct metric_store *store, const char *type,
                                             size_t limit);

/* The same where so many stretches of it cannot be read. */
void sample_model_check_damaged_list(const struct sample_model *model, struct metric_store *store,
                                     const char *type, size_t limit, size_t damages);

/* Everything in a window, page by page; `samples` are in the order in which they came. */
struct sample_walk {
    const char *type; /* NULL: all */
    struct wall_time from, to;
    bool is_backward;
    struct listed_sample *samples;
    size_t count, capacity;
    struct arena arena;
};

/* From page to page of 1 to `limit_max` samples; `meanwhile` (or NULL) is called between two. */
void sample_walk_run(struct sample_walk *walk, struct metric_store *store, size_t limit_max,
                     struct test_random *chance, void (*meanwhile)(void));
void sample_walk_release(struct sample_walk *walk);

/* The walk met samples of the model alone, each once and in order, and of the first `known`
 * ones all. */
void sample_model_check_walk(const struct sample_model *model, const struct sample_walk *walk,
                             size_t known);

#endif
