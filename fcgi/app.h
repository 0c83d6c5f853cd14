/*
 * app: what a worker is made of, put together in one place.
 *
 * Made after the fork (it connects and starts threads). Thread-safe by its parts:
 * every thread of a worker shares one.
 */
#ifndef FCGI_APP_H
#define FCGI_APP_H

#include <stdatomic.h>
#include <stdint.h>

#include "clock.h"
#include "config.h"
#include "rate_limiter.h"
#include "redis_client.h"

struct circuit_breaker;
struct external_service;
struct host;
struct metric_store;
struct near_cache;
struct recent_answers;
struct single_flight;
struct summary_cache;

/* Which limit a route spends from; the rows of app.policies. */
enum route_policy {
    ROUTE_POLICY_NONE,
    ROUTE_POLICY_POST,
    ROUTE_POLICY_INGEST, /* of agents */
    ROUTE_POLICY_COUNT
};

/* At most one event a second passes; the others are counted. */
struct log_gate {
    _Atomic int64_t opens_at_us;
    _Atomic int64_t suppressed;
};

struct app {
    const struct config *config;
    const struct host *host;
    struct rate_policy policies[ROUTE_POLICY_COUNT];
    struct redis_client *redis;
    struct near_cache *near_cache;
    struct rate_limiter *limiter;
    struct circuit_breaker *breaker;
    struct external_service *external;
    struct metric_store *store;
    struct summary_cache *summaries;
    struct single_flight *flights;
    struct recent_answers *recent;
    struct log_gate dependency_gate;
};

/* Of an answer in a cache, with its names. A usual one is 1 KiB; 20 percentiles, a comparison
 * and 1 KiB of external data come to 10. The near cache takes what each one has. */
enum { SUMMARY_BYTES_MAX = 12 * 1024 };

/* Both outlive the result. Does not wait for Redis. NULL: no memory or no thread. */
struct app *app_new(const struct config *config, const struct host *host);

/* After the last request. NULL is fine. */
void app_free(struct app *app);

/* May this event be logged? Then `*suppressed` is how many before it were not. */
bool log_gate_passes(struct log_gate *gate, struct mono_time now, int64_t *suppressed);

/* "always", "everysec", "none" or "unknown". */
const char *app_durability_name(enum redis_durability durability);

/* When the reads of a request that starts now have to be done. */
static inline struct mono_time app_read_deadline(void)
{
    return mono_after_ms(clock_mono_now(), READ_BUDGET_MS);
}

#endif
