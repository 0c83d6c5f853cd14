#include "intake.h"

#include "counters.h"
#include "problem.h"
#include "query.h"
#include "rate_headers.h"
#include "routes.h"

/* One rejection is shorter. */
enum { REJECTION_BYTES = 512 * ERROR_FIELDS_MAX };

static bool goes_on(const struct intake *in)
{
    return in->err->code == ERR_OK && (in->is_partial || in->wrong.field_count < ERROR_FIELDS_MAX);
}

static void note_rejected(struct intake *in, int64_t index, const struct error *why)
{
    error_add_fields(&in->wrong, why);
    in->refused_count++;
    bool is_listed = in->is_partial || in->receipt.left_out > 0;
    if (!is_listed || in->rejections_text.len > INTAKE_REJECTIONS_BYTES_MAX - REJECTION_BYTES)
        return;
    json_write_object(&in->rejections);
    json_write_name(&in->rejections, "index");
    json_write_integer(&in->rejections, index);
    problem_write_fields(&in->rejections, why);
    json_write_end(&in->rejections);
}

static bool take(void *context, const struct sample *sample)
{
    struct intake *in = context;
    in->element_count++;
    switch (sample_batch_add(in->batch, sample, (uint32_t)in->sink.index)) {
    case BATCH_ADDED:
        break;
    case BATCH_FULL:
        (void)error_set(in->err, ERR_PAYLOAD_TOO_LARGE, "A request may hold %d samples at most",
                        BATCH_SAMPLES_MAX);
        break;
    default:
        (void)error_set(in->err, ERR_NO_MEMORY, "Out of memory");
        break;
    }
    return goes_on(in);
}

static bool refuse(void *context, int64_t index, const struct error *wrong)
{
    struct intake *in = context;
    in->element_count++;
    bool is_of_element = wrong->code == ERR_VALIDATION && wrong->fields[0].element >= 0;
    if (is_of_element) {
        counter_add(COUNTER_SAMPLES_INVALID, 1);
        note_rejected(in, index, wrong);
    } else {
        *in->err = *wrong; /* the body cannot be read further: then nothing of it is taken */
    }
    return goes_on(in);
}

/* --- Beginning ---------------------------------------------------------------------- */

/* A text of HTTP's structured fields (RFC 8941, section 3.3.3), or as it stands. */
static bool read_key(struct slice text, struct slice *key)
{
    *key = slice_trim(text);
    if (key->len >= 2 && key->ptr[0] == '"' && key->ptr[key->len - 1] == '"')
        *key = slice_of(key->ptr + 1, key->len - 2);
    if (key->len == 0 || key->len > REQUEST_KEY_BYTES_MAX)
        return false;
    for (size_t i = 0; i < key->len; i++) {
        if (key->ptr[i] < 0x20 || key->ptr[i] > 0x7e)
            return false;
    }
    return true;
}

static enum err_code find_mark(struct intake *in)
{
    struct slice key;
    const struct request *req = in->req;
    if (!req->idempotency_key.ptr)
        return ERR_OK;
    if (!read_key(req->idempotency_key, &key))
        return error_set(in->err, ERR_BAD_REQUEST,
                         "Idempotency-Key must have 1 to %d characters, of printable ASCII",
                         REQUEST_KEY_BYTES_MAX);
    const struct slice texts[] = {req->path, req->query, req->content_type, req->body};
    return request_mark_find(&in->mark, in->app->redis, key, texts, sizeof texts / sizeof *texts,
                             in->err);
}

enum err_code intake_begin(struct intake *in, struct app *app, const struct request *req,
                           struct error *err)
{
    *in = (struct intake){.sink = {.context = in, .take = take, .refuse = refuse},
                          .app = app,
                          .req = req,
                          .err = err};
    error_init(&in->wrong);
    request_mark_init(&in->mark);
    strbuf_init(&in->rejections_text, INTAKE_REJECTIONS_BYTES_MAX);
    json_write_begin(&in->rejections, &in->rejections_text);
    json_write_array(&in->rejections);
    enum err_code code = query_get_boolean(req->query, "partial", req->arena, &in->is_partial, err);
    if (code == ERR_OK)
        code = find_mark(in);
    if (code != ERR_OK)
        return code;
    in->batch = sample_batch_new();
    return in->batch ? ERR_OK : error_set(err, ERR_NO_MEMORY, "Out of memory");
}

/* --- Storing ------------------------------------------------------------------------ */

/* Errors of the store speak of one sample: of this one, as of those that the reader refused. */
static void explain(struct intake *in, const struct batch_group *group, int64_t index)
{
    struct error why, named;
    error_init(&why);
    error_init(&named);
    (void)metric_store_explain(in->app->store, group, &why);
    named.element = index;
    if (why.field_count > 0)
        (void)error_add_field(&named, "body", why.fields[0].name, "%s", why.detail);
    else
        (void)error_add_field(&named, "body", "type", "%s", why.detail);
    note_rejected(in, index, &named);
}

static void note_left_out(struct intake *in)
{
    for (size_t i = 0; i < sample_batch_count(in->batch); i++) {
        uint32_t number;
        const struct batch_group *group = sample_batch_group_of(in->batch, i, &number);
        if (group->status != 0)
            explain(in, group, number);
    }
}

static enum err_code store(struct intake *in, struct response *res)
{
    const struct rate_policy *policy = &in->app->policies[in->req->route->policy];
    struct rate_subject subject;
    rate_subject_from_address(in->req->remote_address, &subject);
    const struct batch_terms terms = {.policy = policy,
                                      .subject = &subject,
                                      .is_all_or_nothing =
                                          !in->is_partial && !in->keeps_known_types,
                                      .mark = &in->mark};
    enum err_code code =
        metric_store_add_batch(in->app->store, in->batch, &terms, &in->receipt, in->err);
    in->mark.arrival = in->receipt.arrival; /* another request of the key may have been faster */
    bool is_replay = code == ERR_OK && in->receipt.is_replay;
    if ((code == ERR_OK || code == ERR_RATE_LIMITED) && !in->mark.is_known)
        rate_headers_add(res, policy, &in->receipt.verdict);
    if (is_replay)
        response_header(res, "Idempotency-Replayed", "true");
    if (code == ERR_OK && in->receipt.left_out > 0)
        note_left_out(in);
    return code;
}

enum err_code intake_store(struct intake *in, struct response *res)
{
    size_t count = sample_batch_count(in->batch);
    if (in->err->code == ERR_OK && in->wrong.code != ERR_OK && !in->is_partial)
        *in->err = in->wrong;
    if (in->err->code != ERR_OK || count == 0)
        return in->err->code;
    return store(in, res);
}

size_t intake_stored_count(const struct intake *in)
{
    return sample_batch_count(in->batch) - in->receipt.left_out;
}

void intake_write_counts(struct intake *in, struct json_writer *w)
{
    json_write_name(w, "accepted");
    json_write_integer(w, (int64_t)intake_stored_count(in));
    if (!in->is_partial && in->refused_count == 0)
        return;
    json_write_name(w, "rejected");
    json_write_end(&in->rejections);
    json_write_raw(w, strbuf_slice(&in->rejections_text));
    json_write_name(w, "rejected_count");
    json_write_integer(w, (int64_t)in->refused_count);
}

enum err_code intake_require_some(struct intake *in)
{
    if (in->refused_count > 0 && intake_stored_count(in) == 0)
        *in->err = in->wrong;
    return in->err->code;
}

enum err_code intake_tell_left_out(struct intake *in)
{
    (void)error_set(in->err, ERR_VALIDATION, "%llu refused, %zu stored",
                    (unsigned long long)in->refused_count, intake_stored_count(in));
    error_add_fields(in->err, &in->wrong);
    return in->err->code;
}

void intake_release(struct intake *in)
{
    strbuf_release(&in->rejections_text);
    sample_batch_free(in->batch);
}
