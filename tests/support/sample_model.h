/*
 * sample_model: what a metric store must answer, from a plain array in order of
 * arrival. Slow and obvious.
 */
#ifndef TESTS_SUPPORT_SAMPLE_MODEL_H
#define TESTS_SUPPORT_SAMPLE_MODEL_H

#include <stddef.h>

#include "metric_store.h"

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

/* Ask the store and compare; a difference fails the running test with the details.
 * The store's time is not limited. `type` NULL: all types. */
void sample_model_check_since(const struct sample_model *model, struct metric_store *store,
                              const char *type, struct wall_time from);
void sample_model_check_list(const struct sample_model *model, struct metric_store *store,
                             const char *type, size_t limit);

#endif
