/* GET /api/metrics/histogram: how the values of a type are distributed. */
#include <math.h>

#include "bucket_range.h"
#include "etag.h"
#include "json_write.h"
#include "metric_json.h"
#include "metric_store.h"
#include "number.h"
#include "query.h"
#include "routes.h"
#include "window.h"

/* --- The question ------------------------------------------------------------------ */

struct question {
    struct slice type;
    struct window window;
    bool has_below;
    double below;
};

static enum err_code read_question(const struct request *req, struct question *q, struct error *err)
{
    struct slice below;
    (void)query_get_type(req->query, true, req->arena, &q->type, err);
    q->has_below = false;
    if (query_get(req->query, "below", req->arena, &below, err) == ERR_OK && below.ptr) {
        q->has_below = true;
        if (!number_parse_double(below, &q->below))
            (void)error_add_field(err, "query", "below", "must be a finite number");
    }
    return window_read(req, clock_wall_now(), &q->window, err);
}

/* --- The answer -------------------------------------------------------------------- */

static void write_count(struct json_writer *w, const char *name, uint64_t count)
{
    json_write_name(w, name);
    json_write_integer(w, (int64_t)count);
}

static void write_bucket(struct json_writer *w, double lower, double upper, uint64_t count)
{
    json_write_object(w);
    metric_json_number(w, "lower", lower);
    metric_json_number(w, "upper", upper);
    write_count(w, "count", count);
    json_write_end(w);
}

static void write_buckets(struct json_writer *w, const struct histogram *h)
{
    double least, greatest;
    json_write_name(w, "buckets");
    json_write_array(w);
    for (size_t i = h->negative.count; i > 0; i--) {
        const struct histogram_bucket *b = &h->negative.buckets[i - 1];
        bucket_magnitudes(b->index, h->scale, &least, &greatest);
        write_bucket(w, -greatest, 0.0 - least, b->count); /* never -0 */
    }
    if (h->zero_count > 0)
        write_bucket(w, 0.0, 0.0, h->zero_count);
    for (size_t i = 0; i < h->positive.count; i++) {
        const struct histogram_bucket *b = &h->positive.buckets[i];
        bucket_magnitudes(b->index, h->scale, &least, &greatest);
        write_bucket(w, least, greatest, b->count);
    }
    json_write_end(w);
}

/* What share of its bucket lies below `limit`, if values are spread evenly in it. */
static double share_of_bucket(double limit, int scale)
{
    double lower, upper, magnitude = fabs(limit);
    if (limit == 0.0)
        return 0.0;
    bucket_magnitudes(log2_bucket_index(magnitude, scale), scale, &lower, &upper);
    double share = (magnitude - lower) / (upper - lower);
    return limit > 0.0 ? share : 1.0 - share;
}

static void write_below(struct json_writer *w, const struct aggregate *a, double limit)
{
    const struct moments *m = &a->moments;
    double count = (double)m->count;
    uint64_t at_least, at_most;
    histogram_below(&a->histogram, limit, &at_least, &at_most);
    if (m->count > 0 && limit <= m->min)
        at_most = at_least = 0;
    if (m->count > 0 && limit > m->max)
        at_least = at_most = m->count;
    double shared = (double)(at_most - at_least) * share_of_bucket(limit, a->histogram.scale);
    json_write_name(w, "below");
    json_write_object(w);
    metric_json_number(w, "value", limit);
    /* Of nothing 0 / 0, which is written as null. */
    metric_json_number(w, "share", ((double)at_least + shared) / count);
    metric_json_number(w, "share_at_least", (double)at_least / count);
    metric_json_number(w, "share_at_most", (double)at_most / count);
    write_count(w, "count_at_least", at_least);
    write_count(w, "count_at_most", at_most);
    json_write_end(w);
}

static void write_histogram(const struct question *q, const struct aggregate *a,
                            const struct metric_report *report, struct strbuf *out)
{
    const struct histogram *h = &a->histogram;
    struct json_writer w;
    json_write_begin(&w, out);
    json_write_object(&w);
    json_write_name(&w, "type");
    json_write_text(&w, q->type);
    metric_json_instant(&w, "from", q->window.from);
    metric_json_instant(&w, "to", q->window.to);
    write_count(&w, "count", a->moments.count);
    write_count(&w, "zero_count", h->zero_count);
    json_write_name(&w, "scale");
    json_write_integer(&w, h->scale);
    metric_json_number(&w, "percentile_error", histogram_error(h));
    write_buckets(&w, h);
    if (q->has_below)
        write_below(&w, a, q->below);
    metric_json_report(&w, report);
    json_write_end(&w);
}

enum err_code api_histogram(struct app *app, const struct request *req, struct response *res,
                            struct error *err)
{
    struct question q;
    struct metric_report report;
    struct aggregate a;
    if (read_question(req, &q, err) != ERR_OK)
        return err->code;
    const struct metric_question question = {
        .type = q.type, .from = q.window.from, .to = q.window.to};
    aggregate_init(&a, true);
    enum err_code code =
        metric_store_series(app->store, &question, app_read_deadline(), &a, 1, &report, err);
    if (code == ERR_OK) {
        write_histogram(&q, &a, &report, &res->body);
        etag_answer(req, res);
    }
    aggregate_release(&a);
    return code;
}
