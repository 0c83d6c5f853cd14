/*
 * sample_batch: samples that are stored together, gathered by type and hour. Pure.
 *
 * One step of Redis takes them all (metric_store_add_batch), so there is a bound to how many
 * they are and over how many types and hours they spread. One thread at a time.
 */
#ifndef LIB_METRICS_SAMPLE_BATCH_H
#define LIB_METRICS_SAMPLE_BATCH_H

#include <stdint.h>

#include "record.h"
#include "sample.h"

enum { BATCH_SAMPLES_MAX = 16384, BATCH_GROUPS_MAX = 256 };

/* The records of one hour, in order of arrival, packed. */
struct batch_group {
    int64_t hour;
    size_t count, first; /* of the packed records of the batch */
    size_t next;         /* group of the same type; BATCH_NONE: there is no more */
};

struct batch_type {
    struct slice name;
    struct record newest; /* among equals the last to arrive */
    struct wall_time oldest;
    size_t group_count, first_group, last_group;
};

#define BATCH_NONE SIZE_MAX

struct sample_batch;

/* NULL: no memory. About 30 KB, and up to 64 bytes a sample. */
struct sample_batch *sample_batch_new(void);
void sample_batch_free(struct sample_batch *batch);

enum batch_outcome { BATCH_ADDED, BATCH_SAMPLES_FULL, BATCH_GROUPS_FULL, BATCH_NO_MEMORY };

/* Borrows the type until the batch is freed. Anything but BATCH_ADDED adds nothing. */
enum batch_outcome sample_batch_add(struct sample_batch *batch, const struct sample *sample);

size_t sample_batch_count(const struct sample_batch *batch);

/* Types and groups are numbered from 0, types in order of their first samples. */
size_t sample_batch_type_count(const struct sample_batch *batch);
const struct batch_type *sample_batch_type(const struct sample_batch *batch, size_t index);
const struct batch_group *sample_batch_group(const struct sample_batch *batch, size_t index);

/* All records, group by group; false: no memory. Borrowed until the next sample is added. */
bool sample_batch_pack(struct sample_batch *batch, const unsigned char **records);

#endif
