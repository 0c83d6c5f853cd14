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
    /* method, path, handler, takes a body, open, rate policy, summary */
    {"GET", "/", api_root, false, false, ROUTE_POLICY_NONE,
     "Name and version of the service"},
    {"GET", "/health", api_health, false, true, ROUTE_POLICY_NONE,
     "Health of the service and whether Redis is connected"},
    {"GET", "/livez", api_livez, false, true, ROUTE_POLICY_NONE,
     "Whether the process answers; never touches Redis"},
    {"GET", "/readyz", api_readyz, false, true, ROUTE_POLICY_NONE,
     "Whether requests can be served, and what an acknowledged write survives"},
    {"POST", "/api/metrics", api_metrics_post, true, false, ROUTE_POLICY_POST,
     "Store one sample"},
    {"GET", "/api/metrics/summary", api_summary, false, false, ROUTE_POLICY_NONE,
     "Count, average, extremes and latest value of one type"},
    {"GET", "/api/metrics/list", api_metrics_list, false, false, ROUTE_POLICY_NONE,
     "The newest samples, oldest first"},
    {"GET", "/api/circuit-breaker/status", api_breaker_status, false, false, ROUTE_POLICY_NONE,
     "State of the circuit breaker around the external service"},
    {"GET", "/api/external", api_external, false, false, ROUTE_POLICY_NONE,
     "Call the external service through the circuit breaker"},
    {"GET", "/api/rate-limit", api_rate_limit, false, false, ROUTE_POLICY_POST,
     "How the caller stands with the rate limit of POST; spends nothing"},
    {"GET", "/docs", web_server_file, false, true, ROUTE_POLICY_NONE, "This description as a page"},
    {"GET", "/redoc", web_server_file, false, true, ROUTE_POLICY_NONE, "The same page"},
    {"GET", "/openapi.json", web_server_file, false, true, ROUTE_POLICY_NONE, "This description"},
};
/* clang-format on */

const size_t route_count = sizeof routes / sizeof *routes;

static const struct route *first_of_path(struct slice path)
{
    for (size_t i = 0; i < route_count; i++) {
        if (slice_equals(path, slice_from_string(routes[i].path)))
            return &routes[i];
    }
    return NULL;
}

enum route_match route_find(struct slice method, struct slice path, const struct route **route)
{
    *route = first_of_path(path);
    if (!*route) {
        if (path.len < 2 || path.ptr[path.len - 1] != '/')
            return ROUTE_UNKNOWN_PATH;
        *route = first_of_path(slice_of(path.ptr, path.len - 1));
        return *route ? ROUTE_TRAILING_SLASH : ROUTE_UNKNOWN_PATH;
    }
    if (slice_equals(method, SLICE("HEAD")))
        method = SLICE("GET");
    for (size_t i = 0; i < route_count; i++) {
        if (slice_equals(path, slice_from_string(routes[i].path)) &&
            slice_equals(method, slice_from_string(routes[i].method))) {
            *route = &routes[i];
            return ROUTE_FOUND;
        }
    }
    return ROUTE_WRONG_METHOD;
}
