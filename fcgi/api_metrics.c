/* POST /api/metrics. */
#include "iso8601.h"
#include "json_read.h"
#include "json_write.h"
#include "metric_store.h"
#include "number.h"
#include "rate_headers.h"
#include "routes.h"

static void read_timestamp(const struct json_value *value, struct wall_time *at, struct error *err)
{
    struct slice text;
    double number;
    const char *wrong;
    if (json_value_number(value, &number))
        wrong = iso8601_from_number(number, at);
    else if (json_value_text(value, &text))
        wrong = iso8601_parse(text, at);
    else
        wrong = "must be an ISO 8601 date and time, or Unix seconds";
    if (wrong)
        (void)error_add_field(err, "body", "timestamp", "%s", wrong);
}

static void read_value(const struct json_value *value, double *out, struct error *err)
{
    struct slice text;
    if (json_value_number(value, out))
        return;
    if (!json_value_text(value, &text) || !number_parse_double(text, out))
        (void)error_add_field(err, "body", "value",
                              "must be a finite number, or a string that holds one");
}

static void read_type(const struct json_value *value, struct slice *type, struct error *err)
{
    const char *wrong = "must be a string";
    if (json_value_text(value, type))
        wrong = sample_check_type(*type);
    if (wrong)
        (void)error_add_field(err, "body", "type", "%s", wrong);
}

static const struct json_value *find_member(const struct json_value *root, const char *name,
                                            struct error *err)
{
    const struct json_value *value = json_value_member(root, name);
    if (!value)
        (void)error_add_field(err, "body", name, "Field required");
    return value;
}

/* All that is wrong is told at once. The type is borrowed from the document. */
static enum err_code read_sample(const struct json_value *root, struct sample *sample,
                                 struct error *err)
{
    if (json_value_kind(root) != JSON_KIND_OBJECT)
        return error_add_field(err, "body", "", "must be a JSON object");
    const struct json_value *value;
    if ((value = find_member(root, "timestamp", err)))
        read_timestamp(value, &sample->at, err);
    if ((value = find_member(root, "value", err)))
        read_value(value, &sample->value, err);
    if ((value = find_member(root, "type", err)))
        read_type(value, &sample->type, err);
    return err->code;
}

static void write_receipt(struct response *res, struct slice type)
{
    struct json_writer w;
    json_write_begin(&w, &res->body);
    json_write_object(&w);
    json_write_name(&w, "message");
    json_write_string(&w, "Metric received");
    json_write_name(&w, "timestamp");
    json_write_instant(&w, clock_wall_now());
    json_write_name(&w, "type");
    json_write_text(&w, type);
    json_write_end(&w);
    res->status = 201;
}

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
        write_receipt(res, sample->type);
    return code;
}

enum err_code api_metrics_post(struct app *app, const struct request *req, struct response *res,
                               struct error *err)
{
    struct json_document *document = json_document_new(req->body, "body", err);
    if (!document)
        return err->code;
    struct sample sample = {0};
    enum err_code code = read_sample(json_document_root(document), &sample, err);
    if (code == ERR_OK)
        code = add_sample(app, req, &sample, res, err);
    json_document_free(document);
    return code;
}
