/*
 * sample_batch: samples that are stored together, gathered by type and hour. Pure.
 *
 * They are stored in parts (metric_store_add_batch), each one step of Redis of at most
 * BATCH_PART_GROUPS groups. Groups are numbered in order of their first samples, so the same
 * samples in the same order always come in the same parts. One thread at a time.
 */
#ifndef LIB_METRICS_SAMPLE_BATCH_H
#define LIB_METRICS_SAMPLE_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "record.h"
#include "sample.h"

/* BATCH_PART_GROUPS may not change while marks of requests live (request_mark.h). */
enum { BATCH_SAMPLES_MAX = 65536, BATCH_PART_GROUPS = 256 };

/* The samples of one type in one hour. */
struct batch_group {
    size_t type; /* its number, in order of first samples */
    struct slice name;
    int64_t hour;
    size_t count, first;  /* of the packed records of the batch */
    struct record newest; /* among equals the last to arrive */
    struct wall_time oldest;
    int status; /* enum post_status: why it was left out; 0: it was not. Set by the store */
};

struct sample_batch;

/* NULL: no memory. Takes up to 64 bytes a sample and 200 a group. */
struct sample_batch *sample_batch_new(void);
void sample_batch_free(struct sample_batch *batch);

enum batch_outcome { BATCH_ADDED, BATCH_FULL, BATCH_NO_MEMORY };

/* Copies the type; `number` is the caller's own. Anything but BATCH_ADDED adds nothing. About 6 ns
 * for a sample of the group of the one before, 70 for one of another. */
enum batch_outcome sample_batch_add(struct sample_batch *batch, const struct sample *sample,
                                    uint32_t number);

size_t sample_batch_count(const struct sample_batch *batch);
size_t sample_batch_type_count(const struct sample_batch *batch);
size_t sample_batch_group_count(const struct sample_batch *batch);

/* Groups and their names live as long as the batch, at their place until the next is added. */
const struct batch_group *sample_batch_group(const struct sample_batch *batch, size_t index);

/* Of sample `index`, in the order of adding: its group, and its number. */
const struct batch_group *sample_batch_group_of(const struct sample_batch *batch, size_t index,
                                                uint32_t *number);

/* For the store. */
void sample_batch_set_status(struct sample_batch *batch, size_t group, int status);

/* All records, group by group, in order of arrival within each; false: no memory. Borrowed until
 * the next sample is added. */
bool sample_batch_pack(struct sample_batch *batch, const unsigned char **records);

#endif
