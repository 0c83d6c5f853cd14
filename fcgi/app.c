#include "app.h"

#include <stdlib.h>

#include "circuit_breaker.h"
#include "external_service.h"
#include "json_read.h"
#include "metric_store.h"
#include "near_cache.h"
#include "recent_answers.h"
#include "redis_client.h"
#include "single_flight.h"
#include "summary_cache.h"

#define DAY_US INT64_C(86400000000)

enum {
    NEAR_ENTRIES = 4096,
    REMEMBERED_REFUSALS = 16384,
    REDIS_QUEUE_MAX = 1024,
    /* A body of `{}` takes 73 times its size as a tree. */
    JSON_BYTES_PER_BODY_BYTE = 100
};

static struct redis_client *make_client(const struct config *c)
{
    const struct redis_options options = {
        .socket_path = c->redis_socket,
        .host = c->redis_host,
        .port = (uint16_t)c->redis_port,
        .db = (unsigned)c->redis_db,
        .username = c->redis_username,
        .password = c->redis_password,
        .key_prefix = c->key_prefix,
        .read_timeout_ms = (uint32_t)c->redis_timeout_ms,
        .write_timeout_ms = (uint32_t)c->redis_write_timeout_ms,
        .queue_max = REDIS_QUEUE_MAX,
    };
    return redis_client_new(&options);
}

static struct circuit_breaker *make_breaker(const struct config *c, struct redis_client *client)
{
    const struct breaker_options options = {
        .name = "external",
        .failure_threshold = (uint32_t)c->breaker_failure_threshold,
        .reset_timeout_ms = (uint32_t)(c->breaker_reset_timeout_seconds * 1000),
        /* Longer than the call may take, by the time that its report may take. */
        .probe_lease_ms =
            (uint32_t)(c->external_timeout_seconds * 1000 + c->redis_write_timeout_ms + 1000),
    };
    return circuit_breaker_new(client, &options);
}

static struct external_service *make_external(const struct config *c, struct redis_client *client,
                                              struct circuit_breaker *breaker)
{
    const struct external_options options = {
        .url = c->external_url,
        .failure_rate = c->external_failure_rate,
        .latency_min_ms = (uint32_t)c->external_latency_min_ms,
        .latency_max_ms = (uint32_t)c->external_latency_max_ms,
        .timeout_ms = (uint32_t)(c->external_timeout_seconds * 1000),
        .cache_ttl_seconds = (uint32_t)c->cache_ttl_seconds,
    };
    return external_service_new(&options, client, breaker);
}

static struct metric_store *make_store(const struct config *c, struct redis_client *client,
                                       struct rate_limiter *limiter)
{
    const struct metric_store_options options = {
        .types_max = (size_t)c->max_types,
        .retention = {.samples_us = c->retention_days * DAY_US,
                      .aggregates_us = c->aggregate_retention_days * DAY_US},
        .spans_per_type_max = (size_t)c->max_buckets,
        .mark_ttl_seconds = (uint32_t)c->idempotency_ttl_seconds,
    };
    return metric_store_new(&options, client, limiter);
}

struct app *app_new(const struct config *config, const struct host *host)
{
    struct app *app = calloc(1, sizeof *app);
    if (!app)
        return NULL;
    app->config = config;
    app->host = host;
    app->policies[ROUTE_POLICY_POST] =
        (struct rate_policy){.name = "post",
                             .limit = (uint64_t)config->rate_limit_requests,
                             .window_seconds = (uint32_t)config->rate_limit_window_seconds};
    app->policies[ROUTE_POLICY_INGEST] =
        (struct rate_policy){.name = "ingest",
                             .limit = (uint64_t)config->ingest_rate_limit_requests,
                             .window_seconds = (uint32_t)config->rate_limit_window_seconds};
    size_t json_bytes_max = config->body_limit_bytes > EXTERNAL_DATA_BYTES_MAX
                                ? (size_t)config->body_limit_bytes
                                : EXTERNAL_DATA_BYTES_MAX;
    json_read_init(json_bytes_max * JSON_BYTES_PER_BODY_BYTE);

    app->redis = make_client(config);
    if (!app->redis)
        goto fail;
    app->near_cache = near_cache_new(app->redis, NEAR_ENTRIES, SUMMARY_BYTES_MAX);
    if (!app->near_cache || !redis_client_start(app->redis))
        goto fail;
    app->limiter = rate_limiter_new(app->redis, REMEMBERED_REFUSALS);
    app->breaker = make_breaker(config, app->redis);
    app->flights = single_flight_new((size_t)config->threads, SUMMARY_BYTES_MAX);
    app->recent = recent_answers_new();
    if (!app->limiter || !app->breaker || !app->flights || !app->recent)
        goto fail;
    app->external = make_external(config, app->redis, app->breaker);
    app->store = make_store(config, app->redis, app->limiter);
    if (!app->external || !app->store)
        goto fail;
    app->summaries = summary_cache_new(app->store, app->redis, (uint32_t)config->cache_ttl_seconds);
    if (!app->summaries)
        goto fail;
    return app;

fail:
    app_free(app);
    return NULL;
}

/* Whoever calls Redis goes before it; the near cache goes after it (near_cache.h). */
void app_free(struct app *app)
{
    if (!app)
        return;
    external_service_free(app->external);
    summary_cache_free(app->summaries);
    metric_store_free(app->store);
    single_flight_free(app->flights);
    recent_answers_free(app->recent);
    circuit_breaker_free(app->breaker);
    rate_limiter_free(app->limiter);
    redis_client_free(app->redis);
    near_cache_free(app->near_cache);
    free(app);
}

const char *app_durability_name(enum redis_durability durability)
{
    static const char *const names[] = {
        [REDIS_DURABILITY_UNKNOWN] = "unknown",
        [REDIS_DURABILITY_NONE] = "none",
        [REDIS_DURABILITY_EVERYSEC] = "everysec",
        [REDIS_DURABILITY_ALWAYS] = "always",
    };
    return names[durability];
}

bool log_gate_passes(struct log_gate *gate, struct mono_time now, int64_t *suppressed)
{
    int64_t opens_at_us = atomic_load(&gate->opens_at_us);
    if (now.us < opens_at_us ||
        !atomic_compare_exchange_strong(&gate->opens_at_us, &opens_at_us, now.us + 1000000)) {
        atomic_fetch_add(&gate->suppressed, 1);
        return false;
    }
    *suppressed = atomic_exchange(&gate->suppressed, 0);
    return true;
}
