/* The service about itself: /, /health, /livez, /readyz. */
#include "json_write.h"
#include "redis_client.h"
#include "routes.h"

enum err_code api_root(struct app *app, const struct request *req, struct response *res,
                       struct error *err)
{
    (void)app, (void)req, (void)err;
    struct json_writer w;
    json_write_begin(&w, &res->body);
    json_write_object(&w);
    json_write_name(&w, "name");
    json_write_string(&w, "Resilient Analytics API");
    json_write_name(&w, "version");
    json_write_string(&w, ANALYTICS_VERSION);
    json_write_name(&w, "docs");
    json_write_string(&w, "/docs");
    json_write_end(&w);
    return ERR_OK;
}

enum err_code api_health(struct app *app, const struct request *req, struct response *res,
                         struct error *err)
{
    (void)req, (void)err;
    bool is_connected = redis_client_is_connected(app->redis);
    struct json_writer w;
    json_write_begin(&w, &res->body);
    json_write_object(&w);
    json_write_name(&w, "status");
    json_write_string(&w, is_connected ? "healthy" : "degraded");
    json_write_name(&w, "redis_connected");
    json_write_boolean(&w, is_connected);
    json_write_name(&w, "timestamp");
    json_write_instant(&w, clock_wall_now());
    json_write_end(&w);
    return ERR_OK;
}

enum err_code api_livez(struct app *app, const struct request *req, struct response *res,
                        struct error *err)
{
    (void)app, (void)req, (void)err;
    struct json_writer w;
    json_write_begin(&w, &res->body);
    json_write_object(&w);
    json_write_name(&w, "status");
    json_write_string(&w, "alive");
    json_write_end(&w);
    return ERR_OK;
}

/* What stands between an acknowledged write and a power cut; NULL: nothing. */
static const char *durability_warning(enum redis_durability durability)
{
    switch (durability) {
    case REDIS_DURABILITY_ALWAYS:
        return NULL;
    case REDIS_DURABILITY_EVERYSEC:
        return "a crash or power cut may lose the last acknowledged writes: set appendfsync "
               "always in Redis";
    case REDIS_DURABILITY_NONE:
        return "a crash or power cut loses acknowledged writes: set appendonly yes and "
               "appendfsync always in Redis";
    case REDIS_DURABILITY_UNKNOWN:
        break;
    }
    return "Redis does not tell how it was set (CONFIG GET): acknowledged writes may not "
           "survive a power cut";
}

enum err_code api_readyz(struct app *app, const struct request *req, struct response *res,
                         struct error *err)
{
    (void)req;
    if (!redis_client_is_connected(app->redis))
        return error_set(err, ERR_STORE_UNAVAILABLE, "Redis is not connected");
    enum redis_durability durability = redis_client_durability(app->redis);
    const char *warning = durability_warning(durability);
    struct json_writer w;
    json_write_begin(&w, &res->body);
    json_write_object(&w);
    json_write_name(&w, "status");
    json_write_string(&w, "ready");
    json_write_name(&w, "appendfsync");
    json_write_string(&w, app_durability_name(durability));
    if (warning) {
        json_write_name(&w, "warning");
        json_write_string(&w, warning);
    }
    json_write_name(&w, "timestamp");
    json_write_instant(&w, clock_wall_now());
    json_write_end(&w);
    return ERR_OK;
}
