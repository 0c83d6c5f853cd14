/*
 * routes: every endpoint, in one table (routes.c). Read that first.
 */
#ifndef FCGI_ROUTES_H
#define FCGI_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "app.h"
#include "error.h"
#include "http.h"

/*
 * Answer `req` into `res`, which is a fresh 200. Anything but ERR_OK makes dispatch
 * throw the body away and answer a problem; headers stay.
 */
typedef enum err_code route_handler(struct app *app, const struct request *req,
                                    struct response *res, struct error *err);

enum route_scope {
    ROUTE_OPEN, /* asks for no token, whatever the configuration */
    ROUTE_API,  /* for API_TOKEN, where there is one */
    /* The same in any form in which agents send it (agent_token.h); and what is temporary is 503
     * with Retry-After, which makes all of them keep their data and try again. */
    ROUTE_AGENT,
    ROUTE_ADMIN /* for ADMIN_TOKEN; where there is none, neither is the route */
};

struct route {
    const char *method; /* a GET answers HEAD too */
    const char *path;
    route_handler *handler;
    bool takes_body; /* up to INGEST_BODY_LIMIT_BYTES */
    enum route_scope scope;
    enum route_policy policy;
    /* Its answer changes nothing and is the same for whoever asks: it may serve others, too. (That
     * of a summary has a cache of its own, which is exact.) */
    bool is_common;
    const char *summary;
};

enum { ROUTES_MAX = 40 };
extern const struct route routes[];
extern const size_t route_count;

enum route_match { ROUTE_FOUND, ROUTE_UNKNOWN_PATH, ROUTE_WRONG_METHOD, ROUTE_TRAILING_SLASH };

/* Some routes, and whether there is an ADMIN_TOKEN: else those of ROUTE_ADMIN are not
 * there, an unknown path also where the path has other methods. */
struct route_table {
    const struct route *routes;
    size_t count;
    bool has_admin;
};

/*
 * Find the route of `method` and `path`. `*route` is that of FOUND; of the others, where
 * the path is known, the first one of that path.
 */
enum route_match route_find(const struct route_table *table, struct slice method, struct slice path,
                            const struct route **route);

/* Append the methods of `path`, as the header Allow has them: "GET, HEAD, DELETE". */
void route_list_methods(const struct route_table *table, struct slice path, struct strbuf *out);

/* The handlers, one file (api_*.c) for each resource. */
route_handler api_root, api_health, api_livez, api_readyz;
route_handler api_metrics_post, api_metrics_list;
route_handler api_types, api_type_delete;
route_handler api_summary, api_series;
route_handler api_histogram, api_heatmap;
route_handler api_breaker_status, api_external;
route_handler api_rate_limit;
route_handler api_stats, api_prometheus;
route_handler api_influx_write, api_influx_ping, api_influx_query;
route_handler api_otlp_metrics, api_remote_write;

#endif
