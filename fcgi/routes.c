#include "routes.h"

/* The web server has these as files. What reaches us is of another method, or misspelt. */
static enum err_code web_server_file(struct app *app, const struct request *req,
                                     struct response *res, struct error *err)
{
    (void)app, (void)req, (void)res;
    return error_set(err, ERR_NOT_FOUND, "Not Found");
}

/* clang-format off */
const struct route routes[] = {
    /* method, path, handler, takes a body, scope, rate policy, is common, summary */
    {"GET", "/", api_root, false, ROUTE_API, ROUTE_POLICY_NONE, false,
     "Name and version of the service"},
    {"GET", "/health", api_health, false, ROUTE_OPEN, ROUTE_POLICY_NONE, false,
     "Health of the service and whether Redis is connected"},
    {"GET", "/livez", api_livez, false, ROUTE_OPEN, ROUTE_POLICY_NONE, false,
     "Whether the process answers; never touches Redis"},
    {"GET", "/readyz", api_readyz, false, ROUTE_OPEN, ROUTE_POLICY_NONE, false,
     "Whether requests can be served, and what an acknowledged write survives"},
    {"POST", "/api/metrics", api_metrics_post, true, ROUTE_API, ROUTE_POLICY_POST, false,
     "Store a sample, or many"},
    {"DELETE", "/api/metrics", api_type_delete, false, ROUTE_ADMIN, ROUTE_POLICY_NONE, false,
     "Remove a type and all of its samples"},
    {"GET", "/api/metrics/types", api_types, false, ROUTE_API, ROUTE_POLICY_NONE, true,
     "The types there are, and what each of them holds"},
    {"GET", "/api/metrics/summary", api_summary, false, ROUTE_API, ROUTE_POLICY_NONE, false,
     "Count, average, extremes and latest value of one type"},
    {"GET", "/api/metrics/series", api_series, false, ROUTE_API, ROUTE_POLICY_NONE, true,
     "The same step by step, of one or several types"},
    {"GET", "/api/metrics/histogram", api_histogram, false, ROUTE_API, ROUTE_POLICY_NONE, true,
     "How the values of one type are distributed"},
    {"GET", "/api/metrics/heatmap", api_heatmap, false, ROUTE_API, ROUTE_POLICY_NONE, true,
     "The same step by step"},
    {"GET", "/api/metrics/list", api_metrics_list, false, ROUTE_API, ROUTE_POLICY_NONE, true,
     "Samples in pages, the newest or the oldest first, also as NDJSON or CSV"},
    {"GET", "/api/circuit-breaker/status", api_breaker_status, false, ROUTE_API, ROUTE_POLICY_NONE, true,
     "State of the circuit breaker around the external service"},
    {"GET", "/api/external", api_external, false, ROUTE_API, ROUTE_POLICY_NONE, false,
     "Call the external service through the circuit breaker"},
    {"GET", "/api/rate-limit", api_rate_limit, false, ROUTE_API, ROUTE_POLICY_POST, false,
     "How the caller stands with the rate limit of POST; spends nothing"},
    {"GET", "/api/stats", api_stats, false, ROUTE_API, ROUTE_POLICY_NONE, true,
     "What the service counts about itself"},
    {"GET", "/metrics", api_prometheus, false, ROUTE_API, ROUTE_POLICY_NONE, true,
     "The same for Prometheus"},
    {"POST", "/write", api_influx_write, true, ROUTE_AGENT, ROUTE_POLICY_INGEST, false,
     "Store samples in the line protocol of InfluxDB 1.x"},
    {"POST", "/api/v2/write", api_influx_write, true, ROUTE_AGENT, ROUTE_POLICY_INGEST, false,
     "Store samples in the line protocol of InfluxDB 2.x"},
    {"GET", "/ping", api_influx_ping, false, ROUTE_OPEN, ROUTE_POLICY_NONE, false,
     "What clients of InfluxDB ask on connecting"},
    {"GET", "/query", api_influx_query, false, ROUTE_AGENT, ROUTE_POLICY_NONE, false,
     "The statements that clients of InfluxDB send on connecting"},
    {"POST", "/query", api_influx_query, true, ROUTE_AGENT, ROUTE_POLICY_NONE, false,
     "The same, with parameters in a form"},
    {"POST", "/v1/metrics", api_otlp_metrics, true, ROUTE_AGENT, ROUTE_POLICY_INGEST, false,
     "Store the metrics of an OpenTelemetry SDK or collector, OTLP/HTTP in JSON"},
    {"POST", "/api/v1/write", api_remote_write, true, ROUTE_AGENT, ROUTE_POLICY_INGEST, false,
     "Store what Prometheus or vmagent send, remote write 1.0"},
    {"GET", "/dashboard/", web_server_file, false, ROUTE_OPEN, ROUTE_POLICY_NONE, false,
     "What the numbers are doing, in a browser"},
    {"GET", "/docs", web_server_file, false, ROUTE_OPEN, ROUTE_POLICY_NONE, false,
     "This description, to read and to try out in a browser"},
    {"GET", "/redoc", web_server_file, false, ROUTE_OPEN, ROUTE_POLICY_NONE, false,
     "This description as a plain page"},
    {"GET", "/openapi.json", web_server_file, false, ROUTE_OPEN, ROUTE_POLICY_NONE, false,
     "This description"},
};
/* clang-format on */

const size_t route_count = sizeof routes / sizeof *routes;
_Static_assert(sizeof routes / sizeof *routes <= ROUTES_MAX, "counters for each of them");

static bool is_there(const struct route_table *table, const struct route *route)
{
    return table->has_admin || route->scope != ROUTE_ADMIN;
}

/* From row `*i` on, which moves behind it. */
static const struct route *next_of_path(const struct route_table *table, struct slice path,
                                        size_t *i)
{
    while (*i < table->count) {
        const struct route *route = &table->routes[(*i)++];
        if (is_there(table, route) && slice_equals(path, slice_from_string(route->path)))
            return route;
    }
    return NULL;
}

/* What needs an administrator is not there without one: 404, whatever else the path has. */
static bool is_hidden(const struct route_table *table, struct slice method, struct slice path)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct route *route = &table->routes[i];
        if (!is_there(table, route) && slice_equals(path, slice_from_string(route->path)) &&
            slice_equals(method, slice_from_string(route->method)))
            return true;
    }
    return false;
}

enum route_match route_find(const struct route_table *table, struct slice method, struct slice path,
                            const struct route **route)
{
    size_t i = 0;
    *route = next_of_path(table, path, &i);
    if (!*route) {
        if (path.len < 2 || path.ptr[path.len - 1] != '/')
            return ROUTE_UNKNOWN_PATH;
        i = 0;
        *route = next_of_path(table, slice_of(path.ptr, path.len - 1), &i);
        return *route ? ROUTE_TRAILING_SLASH : ROUTE_UNKNOWN_PATH;
    }
    if (slice_equals(method, SLICE("HEAD")))
        method = SLICE("GET");
    for (const struct route *one = *route; one; one = next_of_path(table, path, &i)) {
        if (slice_equals(method, slice_from_string(one->method))) {
            *route = one;
            return ROUTE_FOUND;
        }
    }
    return is_hidden(table, method, path) ? ROUTE_UNKNOWN_PATH : ROUTE_WRONG_METHOD;
}

void route_list_methods(const struct route_table *table, struct slice path, struct strbuf *out)
{
    const char *separator = "";
    const struct route *route;
    for (size_t i = 0; (route = next_of_path(table, path, &i));) {
        bool is_get = strcmp(route->method, "GET") == 0;
        strbuf_printf(out, "%s%s%s", separator, route->method, is_get ? ", HEAD" : "");
        separator = ", ";
    }
}
