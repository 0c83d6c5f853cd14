/* POST /v1/metrics: OTLP/HTTP, metrics in JSON (opentelemetry-proto, "OTLP/HTTP"). */
#include <stdio.h>

#include "intake.h"
#include "json_write.h"
#include "otlp_metrics.h"
#include "routes.h"

static enum err_code check_media_type(const struct request *req, struct error *err)
{
    struct slice parameters;
    if (slice_equals_ignoring_case(request_media_type(req, &parameters), SLICE("application/json")))
        return ERR_OK;
    return error_set(err, ERR_UNSUPPORTED_MEDIA_TYPE,
                     "OTLP is taken in JSON, Content-Type: application/json (of SDKs the protocol "
                     "http/json)");
}

/* {} or {"partialSuccess":{"rejectedDataPoints":"2","errorMessage":"…"}} */
static void answer(const struct intake *in, struct response *res)
{
    struct json_writer w;
    json_write_begin(&w, &res->body);
    json_write_object(&w);
    if (in->refused_count > 0) {
        char count[24];
        (void)snprintf(count, sizeof count, "%llu", (unsigned long long)in->refused_count);
        json_write_name(&w, "partialSuccess");
        json_write_object(&w);
        json_write_name(&w, "rejectedDataPoints");
        json_write_string(&w, count);
        json_write_name(&w, "errorMessage");
        json_write_string(&w, in->wrong.fields[0].message);
        json_write_end(&w);
    }
    json_write_end(&w);
}

static enum err_code read_points(struct intake *in, struct error *err)
{
    struct json_document *document = json_document_new(in->req->body, "body", err);
    if (!document)
        return err->code;
    enum err_code code = otlp_metrics_read(json_document_root(document), &in->sink, err);
    json_document_free(document);
    return code;
}

enum err_code api_otlp_metrics(struct app *app, const struct request *req, struct response *res,
                               struct error *err)
{
    struct intake in;
    if (check_media_type(req, err) != ERR_OK)
        return err->code;
    enum err_code code = intake_begin(&in, app, req, err);
    if (code == ERR_OK) {
        in.is_partial = true; /* the protocol's way of saying that points were refused */
        code = read_points(&in, err);
    }
    if (code == ERR_OK)
        code = intake_store(&in, res);
    if (code == ERR_OK)
        answer(&in, res);
    intake_release(&in);
    return code;
}
