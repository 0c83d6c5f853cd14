/* GET /metrics: the service about itself, in Prometheus's text format 0.0.4. */
#include <inttypes.h>
#include <stdio.h>

#include "circuit_breaker.h"
#include "counter_table.h"
#include "host.h"
#include "number.h"
#include "process_memory.h"
#include "request_counters.h"

enum { OCTAVE_FIRST = 6, OCTAVE_LAST = 24 }; /* of microseconds: 64 us to 17 s */

static void put(struct strbuf *out, const char *text)
{
    strbuf_append_slice(out, slice_from_string(text));
}

static void put_double(struct strbuf *out, double value)
{
    char text[NUMBER_BYTES];
    strbuf_append_slice(out, number_format_double(value, text));
}

static void put_integer(struct strbuf *out, uint64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%" PRIu64, value);
    strbuf_append(out, text, (size_t)len);
}

static void begin_family(struct strbuf *out, const char *name, const char *type, const char *help)
{
    const char *const parts[] = {"# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        put(out, parts[i]);
}

/* `labels` as they stand; "": none. What follows is the value. */
static void begin_sample(struct strbuf *out, const char *name, const char *suffix,
                         const char *labels)
{
    put(out, name);
    put(out, suffix);
    if (*labels) {
        put(out, "{");
        put(out, labels);
        put(out, "}");
    }
    put(out, " ");
}

static void put_sample(struct strbuf *out, const char *name, const char *labels, double value)
{
    begin_sample(out, name, "", labels);
    put_double(out, value);
    put(out, "\n");
}

static void put_count(struct strbuf *out, const char *name, const char *suffix, const char *labels,
                      uint64_t count)
{
    begin_sample(out, name, suffix, labels);
    put_integer(out, count);
    put(out, "\n");
}

static void put_gauge(struct strbuf *out, const char *name, const char *help, double value)
{
    begin_family(out, name, "gauge", help);
    put_sample(out, name, "", value);
}

/* A family's line of one distribution. Of the buckets the bounds that are powers of 2. */
static void put_histogram(struct strbuf *out, const char *name, const char *labels,
                          const struct distribution *d, unsigned first, unsigned last, double per)
{
    char text[160];
    const char *comma = *labels ? "," : "";
    for (unsigned octave = first; octave <= last; octave++) {
        char buffer[NUMBER_BYTES];
        struct slice bound = number_format_double((double)(UINT64_C(1) << octave) / per, buffer);
        (void)snprintf(text, sizeof text, "%s%sle=\"%.*s\"", labels, comma, (int)bound.len,
                       bound.ptr);
        put_count(out, name, "_bucket", text, distribution_count_to(d, octave));
    }
    uint64_t count = distribution_count(d);
    (void)snprintf(text, sizeof text, "%s%sle=\"+Inf\"", labels, comma);
    put_count(out, name, "_bucket", text, count);
    begin_sample(out, name, "_sum", labels);
    put_double(out, (double)d->sum / per);
    put(out, "\n");
    put_count(out, name, "_count", labels, count);
}

/* --- What there is ---------------------------------------------------------------------- */

static void put_service(struct strbuf *out, const struct host *host)
{
    static const char build[] = "analytics_build_info", workers[] = "analytics_workers";
    begin_family(out, build, "gauge", "Which version this is");
    put_sample(out, build, "version=\"" ANALYTICS_VERSION "\"", 1.0);
    put_gauge(out, "analytics_start_time_seconds", "When the service was started, Unix time",
              (double)host->started_at.us / 1e6);
    begin_family(out, workers, "gauge", "Worker processes");
    put_sample(out, workers, "state=\"configured\"", (double)host->workers);
    put_sample(out, workers, "state=\"ready\"", (double)host_ready_workers(host));
    begin_family(out, "analytics_worker_restarts_total", "counter",
                 "Workers that ended and were replaced");
    put_count(out, "analytics_worker_restarts_total", "", "", atomic_load(&host->restarts));
    put_gauge(out, "analytics_requests_in_progress", "Requests being served now",
              (double)host_busy_threads(host));
    struct process_memory memory = {0};
    if (!host_memory(host, &memory))
        return;
    put_gauge(out, "analytics_resident_memory_bytes",
              "Memory of the master and its workers, what they share counted in each",
              (double)memory.resident_bytes);
    put_gauge(out, "analytics_proportional_memory_bytes",
              "Memory of the master and its workers, what is shared counted in parts",
              (double)memory.proportional_bytes);
}

static void route_labels(size_t kind, char *text, size_t room)
{
    bool is_known = kind < route_count;
    (void)snprintf(text, room, "method=\"%s\",route=\"%s\"", is_known ? routes[kind].method : "",
                   is_known ? routes[kind].path : "");
}

static void put_requests(struct strbuf *out)
{
    static const char name[] = "analytics_http_requests_total";
    begin_family(out, name, "counter", "Requests by route and status; no route: 404 and 405");
    for (size_t kind = 0; kind <= route_count; kind++) {
        struct request_counts counts;
        char route[80], labels[112];
        const char *status;
        if (request_counters_read(kind, &counts) == 0)
            continue;
        route_labels(kind, route, sizeof route);
        for (size_t i = 0; (status = request_counters_status(i)); i++) {
            if (counts.statuses[i] == 0)
                continue;
            (void)snprintf(labels, sizeof labels, "%s,status=\"%s\"", route, status);
            put_count(out, name, "", labels, counts.statuses[i]);
        }
    }
}

static void put_durations(struct strbuf *out)
{
    static const char name[] = "analytics_http_request_duration_seconds";
    begin_family(out, name, "histogram", "Time from the accepted connection to the answer");
    for (size_t kind = 0; kind <= route_count; kind++) {
        struct request_counts counts;
        char labels[80];
        if (request_counters_read(kind, &counts) == 0)
            continue;
        route_labels(kind, labels, sizeof labels);
        put_histogram(out, name, labels, &counts.us, OCTAVE_FIRST, OCTAVE_LAST, 1e6);
    }
}

static void put_distribution(struct strbuf *out, const char *name, const char *help, size_t cell,
                             unsigned first, unsigned last, double per)
{
    struct distribution d;
    distribution_read(cell, &d);
    begin_family(out, name, "histogram", help);
    put_histogram(out, name, "", &d, first, last, per);
}

static void put_table(struct strbuf *out)
{
    for (size_t i = 0; i < counter_table_count; i++) {
        const struct counter_row *row = &counter_table[i];
        if (row->help)
            begin_family(out, row->family, "counter", row->help);
        put_count(out, row->family, "", row->labels, counters_sum(row->cell));
    }
}

static void put_breaker(struct strbuf *out, struct circuit_breaker *breaker)
{
    static const char name[] = "analytics_circuit_breaker_state";
    struct breaker_status status;
    circuit_breaker_status(breaker, &status);
    begin_family(out, name, "gauge", "1 for the state in which the circuit breaker is");
    for (unsigned i = 0; i < BREAKER_STATE_COUNT; i++) {
        static const char *const labels[BREAKER_STATE_COUNT] = {
            [BREAKER_CLOSED] = "state=\"closed\"",
            [BREAKER_OPEN] = "state=\"open\"",
            [BREAKER_HALF_OPEN] = "state=\"half_open\""};
        put_sample(out, name, labels[i], status.state == i);
    }
}

enum err_code api_prometheus(struct app *app, const struct request *req, struct response *res,
                             struct error *err)
{
    (void)req, (void)err;
    struct strbuf *out = &res->body;
    put_service(out, app->host);
    put_requests(out);
    put_durations(out);
    put_table(out);
    put_breaker(out, app->breaker);
    put_gauge(out, "analytics_redis_up", "Whether this worker is connected to Redis",
              redis_client_is_connected(app->redis));
    put_distribution(out, "analytics_redis_round_trip_seconds",
                     "Time from the sending of a command to its reply",
                     DISTRIBUTION_REDIS_ROUND_TRIP, OCTAVE_FIRST - 3, OCTAVE_LAST - 3, 1e6);
    put_distribution(out, "analytics_redis_batch_commands", "Commands that were sent at once",
                     DISTRIBUTION_REDIS_BATCH, 0, 12, 1.0);
    put_distribution(out, "analytics_external_call_duration_seconds",
                     "How long calls of the external service took", DISTRIBUTION_EXTERNAL_CALL,
                     OCTAVE_FIRST, OCTAVE_LAST, 1e6);
    res->content_type = "text/plain; version=0.0.4; charset=utf-8";
    return ERR_OK;
}
