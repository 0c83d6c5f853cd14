/*
 * metric_delete: removes a type in bounded steps while the service runs.
 *
 * The first step makes the type vanish at once: nothing lists or finds it, and posts of it
 * are refused (come again) until the last step is done, which is a matter of milliseconds. Whoever
 * dies in between, the tender goes on (metric_tender.h), or who stores a batch that has to wait.
 */
#ifndef LIB_METRICS_METRIC_DELETE_H
#define LIB_METRICS_METRIC_DELETE_H

#include <stdbool.h>

#include "clock.h"
#include "error.h"
#include "redis_client.h"
#include "slice.h"

/*
 * Begin and go on until everything is gone, or `deadline` has passed, or the store fails:
 * then `is_done` is false, and the rest goes by itself. `is_known` is false, and nothing
 * happens, where there is no such type. An error: it may not have begun. About 1 us of Redis
 * a chunk, 256 of them a step.
 */
enum err_code metric_delete(struct redis_client *client, struct slice type,
                            struct mono_time deadline, bool *is_known, bool *is_done,
                            struct error *err) __attribute__((warn_unused_result));

/* Go on with a deletion under way, if there is one, until it is done or `deadline` has passed: then
 * `is_done` is false. */
enum err_code metric_delete_finish(struct redis_client *client, struct slice type,
                                   struct mono_time deadline, bool *is_done, struct error *err)
    __attribute__((warn_unused_result));

/* One step of a deletion under way; `is_deleting` is false where there is none. */
enum err_code metric_delete_go_on(struct redis_client *client, struct slice type, bool *is_deleting,
                                  bool *is_done, struct error *err)
    __attribute__((warn_unused_result));

#endif
