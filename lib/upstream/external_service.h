/*
 * external_service: the slow, failing dependency, where it can hurt nobody.
 *
 * A pool of EXTERNAL_SLOTS threads makes the calls: the bulkhead. A call goes through
 * the circuit breaker, ends by its timeout, and its outcome is recorded there. With
 * every slot busy a caller is told so at once. The call itself is external_http's or,
 * without a URL, external_simulation's. Thread-safe.
 */
#ifndef LIB_UPSTREAM_EXTERNAL_SERVICE_H
#define LIB_UPSTREAM_EXTERNAL_SERVICE_H

#include <stdint.h>

#include "circuit_breaker.h"
#include "error.h"
#include "redis_client.h"
#include "slice.h"
#include "strbuf.h"

enum { EXTERNAL_SLOTS = 4, EXTERNAL_DATA_BYTES_MAX = 1024 };

struct external_options {
    const char *url;         /* borrowed; NULL or empty: simulated */
    double failure_rate;     /* 0 to 1, of the simulation */
    uint32_t latency_min_ms; /* of the simulation */
    uint32_t latency_max_ms;
    uint32_t timeout_ms;
    uint32_t cache_ttl_seconds;
};

struct external_service;

/* Starts its threads: after the fork. NULL: no memory, no thread, or no libcurl for the
 * URL. */
struct external_service *external_service_new(const struct external_options *options,
                                              struct redis_client *client,
                                              struct circuit_breaker *breaker);

/* Interrupts what goes on in the background; no thread is inside a call any more. NULL
 * is fine. */
void external_service_free(struct external_service *service);

/*
 * Call it for `type` and wait. On ERR_OK appends the data, a JSON object, to `data`.
 * Returns ERR_CIRCUIT_OPEN (the breaker refused, or the probe failed), ERR_BULKHEAD_FULL
 * (at once), or ERR_UPSTREAM_FAILED (the call was made and failed).
 * Blocks for timeout_ms and the breaker's two round trips at most.
 */
enum err_code external_service_call(struct external_service *service, struct slice type,
                                    struct strbuf *data, struct error *err)
    __attribute__((warn_unused_result));

/*
 * Fetch the data of `type` in the background and keep it in Redis (`ext:{type}`, for
 * cache_ttl_seconds), unless the type is gone by then. Returns at once; does nothing when that type
 * is being fetched or every slot is busy. What the breaker refuses, or fails, is not kept.
 */
void external_service_refresh(struct external_service *service, struct slice type);

#endif
