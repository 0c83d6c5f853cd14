/* The external service and the breaker in front of it. */
#include "circuit_breaker.h"
#include "external_service.h"
#include "json_write.h"
#include "routes.h"

static void write_instant(struct json_writer *w, const char *name, int64_t wall_us)
{
    json_write_name(w, name);
    if (wall_us == 0)
        json_write_null(w);
    else
        json_write_instant(w, (struct wall_time){wall_us});
}

enum err_code api_breaker_status(struct app *app, const struct request *req, struct response *res,
                                 struct error *err)
{
    (void)req, (void)err;
    struct breaker_status status;
    circuit_breaker_status(app->breaker, &status);
    struct json_writer w;
    json_write_begin(&w, &res->body);
    json_write_object(&w);
    json_write_name(&w, "state");
    json_write_string(&w, breaker_state_name(status.state));
    json_write_name(&w, "failure_count");
    json_write_integer(&w, (int64_t)status.failure_count);
    json_write_name(&w, "success_count");
    json_write_integer(&w, (int64_t)status.success_count);
    json_write_name(&w, "generation");
    json_write_integer(&w, status.generation);
    write_instant(&w, "opened_at", status.opened_at_us);
    write_instant(&w, "probe_at", status.probe_at_us);
    json_write_name(&w, "probe_due");
    json_write_boolean(&w, status.is_probe_due);
    json_write_name(&w, "shared");
    json_write_boolean(&w, status.is_shared);
    json_write_name(&w, "history");
    json_write_array(&w);
    for (size_t i = 0; i < status.turn_count; i++) {
        json_write_object(&w);
        json_write_name(&w, "state");
        json_write_string(&w, breaker_state_name(status.turns[i].to));
        write_instant(&w, "at", status.turns[i].at.us);
        json_write_end(&w);
    }
    json_write_end(&w);
    json_write_end(&w);
    return ERR_OK;
}

/* `data` empty: the fallback. */
static void write_external(struct response *res, const struct strbuf *data)
{
    bool is_fallback = data->len == 0;
    struct json_writer w;
    json_write_begin(&w, &res->body);
    json_write_object(&w);
    json_write_name(&w, "status");
    json_write_string(&w, is_fallback ? "fallback" : "success");
    json_write_name(&w, "source");
    json_write_string(&w, is_fallback ? "circuit_breaker_fallback" : "external_service");
    if (is_fallback) {
        json_write_name(&w, "message");
        json_write_string(&w, "External service unavailable, using fallback");
    } else {
        json_write_name(&w, "data");
        json_write_raw(&w, strbuf_slice(data));
    }
    json_write_name(&w, "timestamp");
    json_write_instant(&w, clock_wall_now());
    json_write_end(&w);
}

enum err_code api_external(struct app *app, const struct request *req, struct response *res,
                           struct error *err)
{
    (void)req;
    struct strbuf data;
    strbuf_init(&data, EXTERNAL_DATA_BYTES_MAX);
    struct error call_error;
    error_init(&call_error);
    enum err_code code =
        external_service_call(app->external, SLICE("external_request"), &data, &call_error);
    switch (code) {
    case ERR_OK:
        write_external(res, &data);
        break;
    case ERR_CIRCUIT_OPEN:
    case ERR_BULKHEAD_FULL:
        strbuf_reset(&data);
        write_external(res, &data);
        code = ERR_OK;
        break;
    default:
        err->retry_after_ms = call_error.retry_after_ms;
        error_set_cause(err, "%s", call_error.cause[0] ? call_error.cause : call_error.detail);
        code = error_set(err, code, "External service temporarily unavailable");
        break;
    }
    strbuf_release(&data);
    return code;
}
