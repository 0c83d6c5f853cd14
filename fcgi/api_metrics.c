/* POST /api/metrics: one sample, or many as a JSON array or NDJSON. */
#include "counters.h"
#include "intake.h"
#include "json_samples.h"
#include "json_write.h"
#include "problem.h"
#include "rate_headers.h"
#include "routes.h"
#include "sample_json.h"
#include "sample_scan.h"

static void write_receipt(struct response *res, struct slice type, struct wall_time arrival)
{
    struct json_writer w;
    json_write_begin(&w, &res->body);
    json_write_object(&w);
    json_write_name(&w, "message");
    json_write_string(&w, "Metric received");
    json_write_name(&w, "timestamp");
    json_write_instant(&w, arrival);
    json_write_name(&w, "type");
    json_write_text(&w, type);
    json_write_end(&w);
    res->status = 201;
}

/* --- One sample --------------------------------------------------------------------- */

static enum err_code add_sample(struct app *app, const struct request *req,
                                const struct sample *sample, struct response *res,
                                struct error *err)
{
    const struct rate_policy *policy = &app->policies[req->route->policy];
    struct rate_subject subject;
    rate_subject_from_address(req->remote_address, &subject);
    struct rate_verdict verdict;
    enum err_code code = metric_store_add(app->store, sample, policy, &subject, &verdict, err);
    if (code == ERR_OK || code == ERR_RATE_LIMITED)
        rate_headers_add(res, policy, &verdict);
    if (code == ERR_OK)
        write_receipt(res, sample->type, clock_wall_now());
    return code;
}

/* What has a key goes as a batch of one, which leaves a mark. */
static enum err_code add_sample_once(struct app *app, const struct request *req,
                                     const struct sample *sample, struct response *res,
                                     struct error *err)
{
    struct intake in;
    enum err_code code = intake_begin(&in, app, req, err);
    if (code == ERR_OK) {
        (void)in.sink.take(&in, sample);
        code = intake_store(&in, res);
    }
    if (code == ERR_OK)
        write_receipt(res, sample->type, in.mark.arrival);
    intake_release(&in);
    return code;
}

static enum err_code take_sample(struct app *app, const struct request *req,
                                 const struct sample *sample, struct response *res,
                                 struct error *err)
{
    return req->idempotency_key.ptr ? add_sample_once(app, req, sample, res, err)
                                    : add_sample(app, req, sample, res, err);
}

static enum err_code post_one(struct app *app, const struct request *req, struct response *res,
                              struct error *err)
{
    struct sample sample = {0};
    struct slice text = slice_trim(req->body);
    size_t limit = (size_t)app->config->body_limit_bytes;
    if (req->body.len > limit)
        return error_set(err, ERR_PAYLOAD_TOO_LARGE,
                         "The body of one sample may have %zu bytes at most", limit);
    if (text.len > 0 && sample_scan(text, &sample) == text.len)
        return take_sample(app, req, &sample, res, err);
    struct json_document *document = json_document_new(req->body, "body", err);
    if (!document)
        return err->code;
    enum err_code code = sample_json_read(json_document_root(document), &sample, err);
    if (code == ERR_OK)
        code = take_sample(app, req, &sample, res, err);
    else
        counter_add(COUNTER_SAMPLES_INVALID, 1);
    json_document_free(document);
    return code;
}

/* --- Many --------------------------------------------------------------------------- */

static void write_receipts(struct intake *in, struct response *res)
{
    struct json_writer w;
    json_write_begin(&w, &res->body);
    json_write_object(&w);
    json_write_name(&w, "message");
    json_write_string(&w, "Metrics received");
    json_write_name(&w, "timestamp");
    json_write_instant(&w, in->mark.arrival);
    intake_write_counts(in, &w);
    json_write_end(&w);
    res->status = 201;
}

static enum err_code post_many(struct app *app, const struct request *req,
                               void (*read)(struct slice, struct sample_sink *),
                               struct response *res, struct error *err)
{
    struct intake in;
    enum err_code code = intake_begin(&in, app, req, err);
    if (code == ERR_OK) {
        read(req->body, &in.sink);
        if (in.element_count == 0 && err->code == ERR_OK)
            (void)error_add_field(err, "body", "", "must hold at least one sample");
        code = intake_store(&in, res);
    }
    if (code == ERR_OK)
        code = intake_require_some(&in);
    if (code == ERR_OK)
        write_receipts(&in, res);
    intake_release(&in);
    return code;
}

/* --- The endpoint ------------------------------------------------------------------- */

static bool has_lines(const struct request *req)
{
    struct slice parameters, type = request_media_type(req, &parameters);
    return slice_equals_ignoring_case(type, SLICE("application/x-ndjson")) ||
           slice_equals_ignoring_case(type, SLICE("application/ndjson")) ||
           slice_equals_ignoring_case(type, SLICE("application/jsonl"));
}

enum err_code api_metrics_post(struct app *app, const struct request *req, struct response *res,
                               struct error *err)
{
    if (has_lines(req))
        return post_many(app, req, json_samples_read_lines, res, err);
    if (json_samples_is_array(req->body))
        return post_many(app, req, json_samples_read_array, res, err);
    return post_one(app, req, res, err);
}
