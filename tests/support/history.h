/*
 * history: a past of many samples in a Redis, as posts would have left it, in a fraction
 * of the time: whole hours are appended at once.
 */
#ifndef TESTS_SUPPORT_HISTORY_H
#define TESTS_SUPPORT_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "metric_store.h"
#include "series_generator.h"

struct chunk_sealer;

/*
 * Write `count` samples of `generator` as `type`, of fewer than CHUNK_RECORDS an hour. The
 * program ends with a message where that fails, here and below.
 */
void history_append(struct redis_client *client, struct metric_store *store, const char *type,
                    struct series_generator *generator, size_t count);

/* Seal and gather what is over. */
void history_tend(struct redis_client *client, struct chunk_sealer *sealer, const char *type);

#endif
