/* POST /api/metrics: one sample, or many as a JSON array or NDJSON. */
#include <inttypes.h>

#include "json_read.h"
#include "json_samples.h"
#include "json_write.h"
#include "metric_store.h"
#include "problem.h"
#include "query.h"
#include "rate_headers.h"
#include "routes.h"
#include "sample_json.h"
#include "sample_scan.h"

/* --- One sample --------------------------------------------------------------------- */

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

static enum err_code post_sample(struct app *app, const struct request *req, struct response *res,
                                 struct error *err)
{
    struct sample sample = {0};
    struct slice body = slice_trim(req->body);
    if (body.len > 0 && sample_scan(body, &sample) == body.len)
        return add_sample(app, req, &sample, res, err);
    struct json_document *document = json_document_new(req->body, "body", err);
    if (!document)
        return err->code;
    enum err_code code = sample_json_read(json_document_root(document), &sample, err);
    if (code == ERR_OK)
        code = add_sample(app, req, &sample, res, err);
    json_document_free(document);
    return code;
}

/* --- Many --------------------------------------------------------------------------- */

enum { REJECTIONS_BYTES_MAX = HTTP_BODY_BYTES_MAX / 2 };

struct intake {
    const struct request *req;
    struct sample_batch *batch;
    bool is_partial;    /* what is wrong is left out, and told */
    int64_t index;      /* of the sample in hand, from 0 */
    struct slice type;  /* of the last sample that was taken; of the arena */
    struct error wrong; /* the first that is */
    struct error *err;  /* what the request fails of, whatever its samples are */
    struct json_writer rejections;
    struct strbuf rejections_text;
};

static bool goes_on(const struct intake *in)
{
    return in->err->code == ERR_OK && (in->is_partial || in->wrong.field_count < ERROR_FIELDS_MAX);
}

static void note_rejection(struct intake *in, int64_t index, const struct error *wrong)
{
    json_write_object(&in->rejections);
    json_write_name(&in->rejections, "index");
    json_write_integer(&in->rejections, index);
    problem_write_fields(&in->rejections, wrong);
    json_write_end(&in->rejections);
}

/* Of a body that cannot be read further nothing is taken, not even of a partial request. */
static bool refuse_sample(void *context, int64_t index, const struct error *wrong)
{
    struct intake *in = context;
    in->index = index + 1;
    if (wrong->code != ERR_VALIDATION || wrong->fields[0].element < 0) {
        *in->err = *wrong;
        return false;
    }
    error_add_fields(&in->wrong, wrong);
    if (in->is_partial)
        note_rejection(in, index, wrong);
    return goes_on(in);
}

/* The batch outlives what the type is borrowed from; of a run of one type all share a copy. */
static enum batch_outcome add_to_batch(struct intake *in, const struct sample *sample)
{
    if (!slice_equals(in->type, sample->type))
        in->type = arena_copy(in->req->arena, sample->type);
    const struct sample copy = {sample->at, sample->value, in->type};
    return copy.type.ptr ? sample_batch_add(in->batch, &copy) : BATCH_NO_MEMORY;
}

static bool take_sample(void *context, const struct sample *sample)
{
    struct intake *in = context;
    switch (add_to_batch(in, sample)) {
    case BATCH_ADDED:
        break;
    case BATCH_SAMPLES_FULL:
        (void)error_add_field(in->err, "body", "", "must hold %d samples at most",
                              BATCH_SAMPLES_MAX);
        break;
    case BATCH_GROUPS_FULL:
        (void)error_add_field(in->err, "body", "",
                              "must spread over %d types and hours at most: send what comes from "
                              "index %" PRId64 " on in another request",
                              BATCH_GROUPS_MAX, in->index);
        break;
    default:
        (void)error_set(in->err, ERR_NO_MEMORY, "Out of memory");
        break;
    }
    in->index++;
    return goes_on(in);
}

static enum err_code read_partial(const struct request *req, bool *is_partial, struct error *err)
{
    struct slice text;
    enum err_code code = query_get(req->query, "partial", req->arena, &text, err);
    if (code != ERR_OK || !text.ptr)
        return code;
    *is_partial = slice_equals(text, SLICE("true"));
    if (*is_partial || slice_equals(text, SLICE("false")))
        return ERR_OK;
    return error_add_field(err, "query", "partial", "must be true or false");
}

static void write_receipts(struct intake *in, struct response *res)
{
    struct json_writer w;
    json_write_begin(&w, &res->body);
    json_write_object(&w);
    json_write_name(&w, "message");
    json_write_string(&w, "Metrics received");
    json_write_name(&w, "timestamp");
    json_write_instant(&w, clock_wall_now());
    json_write_name(&w, "accepted");
    json_write_integer(&w, (int64_t)sample_batch_count(in->batch));
    if (in->is_partial) {
        json_write_name(&w, "rejected");
        json_write_raw(&w, strbuf_slice(&in->rejections_text));
    }
    json_write_end(&w);
    res->status = 201;
}

static enum err_code store_batch(struct app *app, struct intake *in, struct response *res)
{
    const struct rate_policy *policy = &app->policies[in->req->route->policy];
    struct rate_subject subject;
    struct rate_verdict verdict;
    rate_subject_from_address(in->req->remote_address, &subject);
    enum err_code code =
        metric_store_add_batch(app->store, in->batch, policy, &subject, &verdict, in->err);
    if (code == ERR_OK || code == ERR_RATE_LIMITED)
        rate_headers_add(res, policy, &verdict);
    if (code == ERR_OK)
        write_receipts(in, res);
    return code;
}

/* All or nothing; of a partial request what is good, if anything is. */
static enum err_code conclude(struct app *app, struct intake *in, struct response *res)
{
    bool has_wrong = in->wrong.code != ERR_OK;
    if (in->err->code == ERR_OK && in->index == 0)
        return error_add_field(in->err, "body", "", "must hold at least one sample");
    if (in->err->code == ERR_OK && has_wrong &&
        (!in->is_partial || sample_batch_count(in->batch) == 0))
        *in->err = in->wrong;
    if (strbuf_failed(&in->rejections_text))
        return error_set(in->err, ERR_NO_MEMORY, "Out of memory");
    return in->err->code == ERR_OK ? store_batch(app, in, res) : in->err->code;
}

static enum err_code post_many(struct app *app, const struct request *req,
                               void (*read)(struct slice text, struct sample_sink *sink),
                               struct response *res, struct error *err)
{
    struct intake in = {.req = req, .err = err};
    enum err_code code = read_partial(req, &in.is_partial, err);
    if (code != ERR_OK)
        return code;
    in.batch = sample_batch_new();
    if (!in.batch)
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    error_init(&in.wrong);
    strbuf_init(&in.rejections_text, REJECTIONS_BYTES_MAX);
    json_write_begin(&in.rejections, &in.rejections_text);
    json_write_array(&in.rejections);
    struct sample_sink sink = {.context = &in, .take = take_sample, .refuse = refuse_sample};
    read(req->body, &sink);
    json_write_end(&in.rejections);
    code = conclude(app, &in, res);
    strbuf_release(&in.rejections_text);
    sample_batch_free(in.batch);
    return code;
}

/* --- The endpoint ------------------------------------------------------------------- */

static bool has_lines(const struct request *req)
{
    struct slice rest = req->content_type, type = slice_trim(slice_cut(&rest, ';'));
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
    return post_sample(app, req, res, err);
}
