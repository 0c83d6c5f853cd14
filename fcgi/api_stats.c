/* GET /api/stats: the service about itself, as JSON. */
#include "counter_table.h"
#include "host.h"
#include "json_write.h"
#include "process_memory.h"
#include "request_counters.h"

static void write_group(struct json_writer *w, const char *group)
{
    for (size_t i = 0; i < counter_table_count; i++) {
        if (strcmp(counter_table[i].group, group) != 0)
            continue;
        json_write_name(w, counter_table[i].name);
        json_write_integer(w, (int64_t)counters_sum(counter_table[i].cell));
    }
}

static void write_figure(struct json_writer *w, const char *name, bool is_known, double value)
{
    json_write_name(w, name);
    if (is_known)
        json_write_number(w, value);
    else
        json_write_null(w);
}

static void write_distribution(struct json_writer *w, const char *name,
                               const struct distribution *d, double per)
{
    uint64_t count = distribution_count(d);
    json_write_name(w, name);
    json_write_object(w);
    json_write_name(w, "count");
    json_write_integer(w, (int64_t)count);
    write_figure(w, "mean", count > 0, (double)d->sum / per / (double)(count > 0 ? count : 1));
    write_figure(w, "p50", count > 0, distribution_quantile(d, 0.5) / per);
    write_figure(w, "p95", count > 0, distribution_quantile(d, 0.95) / per);
    write_figure(w, "p99", count > 0, distribution_quantile(d, 0.99) / per);
    write_figure(w, "max", count > 0, distribution_quantile(d, 1.0) / per);
    json_write_end(w);
}

static void write_cell(struct json_writer *w, const char *name, size_t cell, double per)
{
    struct distribution d;
    distribution_read(cell, &d);
    write_distribution(w, name, &d, per);
}

/* --- Requests ------------------------------------------------------------------------- */

static void write_statuses(struct json_writer *w, const struct request_counts *counts)
{
    json_write_name(w, "statuses");
    json_write_object(w);
    const char *status;
    for (size_t i = 0; (status = request_counters_status(i)); i++) {
        if (counts->statuses[i] == 0)
            continue;
        json_write_name(w, status);
        json_write_integer(w, (int64_t)counts->statuses[i]);
    }
    json_write_end(w);
}

static void add_distribution(struct distribution *sum, const struct distribution *d)
{
    sum->sum += d->sum;
    for (size_t i = 0; i < DISTRIBUTION_BUCKETS; i++)
        sum->buckets[i] += d->buckets[i];
}

/* The routes that were asked. Returns how often, and in `us` how long all of them took. */
static uint64_t write_routes(struct json_writer *w, struct distribution *us)
{
    static const struct route unknown = {.method = "", .path = ""};
    uint64_t total = 0;
    json_write_name(w, "routes");
    json_write_array(w);
    for (size_t kind = 0; kind <= route_count; kind++) {
        struct request_counts counts;
        uint64_t count = request_counters_read(kind, &counts);
        if (count == 0)
            continue;
        const struct route *route = kind < route_count ? &routes[kind] : &unknown;
        total += count;
        add_distribution(us, &counts.us);
        json_write_object(w);
        json_write_name(w, "method");
        json_write_string(w, route->method);
        json_write_name(w, "path");
        json_write_string(w, route->path);
        json_write_name(w, "count");
        json_write_integer(w, (int64_t)count);
        write_statuses(w, &counts);
        write_distribution(w, "latency_seconds", &counts.us, 1e6);
        json_write_end(w);
    }
    json_write_end(w);
    return total;
}

static void write_requests(struct json_writer *w, const struct host *host)
{
    struct distribution us = {0};
    json_write_name(w, "requests");
    json_write_object(w);
    uint64_t total = write_routes(w, &us);
    json_write_name(w, "total");
    json_write_integer(w, (int64_t)total);
    json_write_name(w, "in_progress");
    json_write_integer(w, (int64_t)host_busy_threads(host));
    write_distribution(w, "latency_seconds", &us, 1e6);
    write_group(w, "requests");
    json_write_end(w);
}

/* --- The rest ------------------------------------------------------------------------- */

static void write_simple(struct json_writer *w, const char *group)
{
    json_write_name(w, group);
    json_write_object(w);
    write_group(w, group);
    json_write_end(w);
}

static void write_service(struct json_writer *w, const struct host *host)
{
    struct wall_time now = clock_wall_now();
    json_write_name(w, "version");
    json_write_string(w, ANALYTICS_VERSION);
    json_write_name(w, "timestamp");
    json_write_instant(w, now);
    json_write_name(w, "started_at");
    json_write_instant(w, host->started_at);
    json_write_name(w, "uptime_seconds");
    json_write_number(w, (double)(now.us - host->started_at.us) / 1e6);
    json_write_name(w, "workers");
    json_write_object(w);
    json_write_name(w, "configured");
    json_write_integer(w, (int64_t)host->workers);
    json_write_name(w, "ready");
    json_write_integer(w, (int64_t)host_ready_workers(host));
    json_write_name(w, "threads");
    json_write_integer(w, (int64_t)host->threads);
    json_write_name(w, "restarts");
    json_write_integer(w, (int64_t)atomic_load(&host->restarts));
    json_write_end(w);
}

static void write_samples(struct json_writer *w)
{
    json_write_name(w, "samples");
    json_write_object(w);
    write_group(w, "samples");
    write_simple(w, "refused");
    json_write_end(w);
}

static void write_external(struct json_writer *w)
{
    struct distribution us;
    distribution_read(DISTRIBUTION_EXTERNAL_CALL, &us);
    json_write_name(w, "external");
    json_write_object(w);
    json_write_name(w, "calls");
    json_write_integer(w, (int64_t)distribution_count(&us));
    json_write_name(w, "failures");
    json_write_integer(w, (int64_t)counters_sum(COUNTER_BREAKER_FAILED));
    write_distribution(w, "latency_seconds", &us, 1e6);
    json_write_end(w);
}

static void write_redis(struct json_writer *w, const struct redis_client *client)
{
    json_write_name(w, "redis");
    json_write_object(w);
    json_write_name(w, "connected");
    json_write_boolean(w, redis_client_is_connected(client));
    json_write_name(w, "durability");
    json_write_string(w, app_durability_name(redis_client_durability(client)));
    write_group(w, "redis");
    write_cell(w, "batch_size", DISTRIBUTION_REDIS_BATCH, 1.0);
    write_cell(w, "round_trip_seconds", DISTRIBUTION_REDIS_ROUND_TRIP, 1e6);
    json_write_end(w);
}

static void write_memory(struct json_writer *w, const struct host *host)
{
    struct process_memory memory = {0};
    bool is_known = host_memory(host, &memory);
    json_write_name(w, "memory");
    json_write_object(w);
    write_figure(w, "resident_bytes", is_known, (double)memory.resident_bytes);
    write_figure(w, "proportional_bytes", is_known, (double)memory.proportional_bytes);
    json_write_end(w);
}

enum err_code api_stats(struct app *app, const struct request *req, struct response *res,
                        struct error *err)
{
    (void)req, (void)err;
    struct json_writer w;
    json_write_begin(&w, &res->body);
    json_write_object(&w);
    write_service(&w, app->host);
    write_requests(&w, app->host);
    write_samples(&w);
    write_simple(&w, "cache");
    write_simple(&w, "rate_limiter");
    write_simple(&w, "circuit_breaker");
    write_external(&w);
    write_redis(&w, app->redis);
    write_simple(&w, "sealing");
    write_memory(&w, app->host);
    json_write_end(&w);
    return ERR_OK;
}
