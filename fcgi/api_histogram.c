/*
 * How the values of a type are distributed, straight from the stored histograms:
 * GET /api/metrics/histogram, and step by step GET /api/metrics/heatmap.
 */
#include <float.h>
#include <math.h>

#include "etag.h"
#include "hash.h"
#include "json_write.h"
#include "metric_json.h"
#include "metric_steps.h"
#include "number.h"
#include "query.h"
#include "routes.h"
#include "steps.h"
#include "window.h"

/* --- Buckets ------------------------------------------------------------------------ */

/* The magnitudes of bucket `index`: above `lower` up to `upper`, both doubles. */
static void find_bounds(int32_t index, int scale, double *lower, double *upper)
{
    *lower = histogram_bound(index, scale);
    *upper = fmin(histogram_bound(index + 1, scale), DBL_MAX);
}

/* Members `lower` and `upper`. */
static void write_bounds(struct json_writer *w, double lower, double upper)
{
    metric_json_number(w, "lower", lower);
    metric_json_number(w, "upper", upper);
}

static void write_positive_bounds(struct json_writer *w, int32_t index, int scale)
{
    double lower, upper;
    find_bounds(index, scale, &lower, &upper);
    write_bounds(w, lower, upper);
}

static void write_negative_bounds(struct json_writer *w, int32_t index, int scale)
{
    double lower, upper;
    find_bounds(index, scale, &lower, &upper);
    write_bounds(w, -upper, 0.0 - lower); /* never -0 */
}

static void write_count(struct json_writer *w, const char *name, uint64_t count)
{
    json_write_name(w, name);
    json_write_integer(w, (int64_t)count);
}

/* --- The histogram ------------------------------------------------------------------ */

struct histogram_question {
    struct slice type;
    struct window window;
    bool has_below;
    double below;
};

static enum err_code read_histogram_question(const struct request *req,
                                             struct histogram_question *q, struct error *err)
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

static void write_occupied(struct json_writer *w, const struct histogram *h)
{
    json_write_name(w, "buckets");
    json_write_array(w);
    for (size_t i = h->negative.count; i > 0; i--) {
        const struct histogram_bucket *b = &h->negative.buckets[i - 1];
        json_write_object(w);
        write_negative_bounds(w, b->index, h->scale);
        write_count(w, "count", b->count);
        json_write_end(w);
    }
    if (h->zero_count > 0) {
        json_write_object(w);
        write_bounds(w, 0.0, 0.0);
        write_count(w, "count", h->zero_count);
        json_write_end(w);
    }
    for (size_t i = 0; i < h->positive.count; i++) {
        const struct histogram_bucket *b = &h->positive.buckets[i];
        json_write_object(w);
        write_positive_bounds(w, b->index, h->scale);
        write_count(w, "count", b->count);
        json_write_end(w);
    }
    json_write_end(w);
}

/* What share of its bucket lies below `limit`, if values are spread evenly in it. */
static double share_of_bucket(double limit, int scale)
{
    double lower, upper, magnitude = fabs(limit);
    if (limit == 0.0)
        return 0.0;
    find_bounds(histogram_index(magnitude, scale), scale, &lower, &upper);
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

static void write_histogram(const struct histogram_question *q, const struct aggregate *a,
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
    metric_json_number(&w, "relative_error", histogram_error(h));
    write_occupied(&w, h);
    if (q->has_below)
        write_below(&w, a, q->below);
    metric_json_report(&w, report);
    json_write_end(&w);
}

enum err_code api_histogram(struct app *app, const struct request *req, struct response *res,
                            struct error *err)
{
    struct histogram_question q;
    struct metric_report report;
    struct aggregate a;
    if (read_histogram_question(req, &q, err) != ERR_OK)
        return err->code;
    const struct metric_question question = {
        .type = q.type, .from = q.window.from, .to = q.window.to};
    aggregate_init(&a, true);
    enum err_code code =
        metric_store_series(app->store, &question, app_read_deadline(), &a, 1, &report, err);
    if (code == ERR_OK) {
        write_histogram(&q, &a, &report, &res->body);
        (void)etag_answer(req, res, hash_bytes(strbuf_slice(&res->body), 0));
    }
    aggregate_release(&a);
    return code;
}

/* --- The buckets that all steps of a heat map share ---------------------------------- */

/* Occupied buckets of one sign, from the least to the greatest magnitude. */
struct side_range {
    bool is_occupied;
    int32_t least, greatest;
};

struct bucket_range {
    int scale;
    bool has_zero;
    struct side_range negative, positive;
};

static void coarsen_side(struct side_range *side, int shift)
{
    side->least >>= shift;
    side->greatest >>= shift;
}

static void coarsen(struct bucket_range *range, int scale)
{
    int shift = range->scale - scale;
    coarsen_side(&range->negative, shift);
    coarsen_side(&range->positive, shift);
    range->scale = scale;
}

/* What lies between the two signs: zero, and magnitudes that do not occur. */
static bool has_middle(const struct bucket_range *range)
{
    return range->has_zero || (range->negative.is_occupied && range->positive.is_occupied);
}

static size_t side_width(const struct side_range *side)
{
    return side->is_occupied ? (size_t)(side->greatest - side->least) + 1 : 0;
}

static size_t range_width(const struct bucket_range *range)
{
    return side_width(&range->negative) + has_middle(range) + side_width(&range->positive);
}

static void include_side(struct side_range *range, const struct histogram_side *side)
{
    if (side->count == 0)
        return;
    int32_t least = side->buckets[0].index, greatest = side->buckets[side->count - 1].index;
    range->least = range->is_occupied && range->least < least ? range->least : least;
    range->greatest = range->is_occupied && range->greatest > greatest ? range->greatest : greatest;
    range->is_occupied = true;
}

/* Both are brought to one scale, the largest at which `buckets` suffice. */
static void include(struct bucket_range *range, struct histogram *h, size_t buckets)
{
    if (h->scale < range->scale)
        coarsen(range, h->scale);
    histogram_coarsen(h, range->scale);
    range->has_zero = range->has_zero || h->zero_count > 0;
    include_side(&range->negative, &h->negative);
    include_side(&range->positive, &h->positive);
    while (range_width(range) > buckets && range->scale > HISTOGRAM_SCALE_MIN)
        coarsen(range, range->scale - 1);
    histogram_coarsen(h, range->scale);
}

/* --- The heat map ------------------------------------------------------------------- */

enum {
    HEATMAP_BUCKETS_MIN = 7, /* hold all doubles at the coarsest scale: 3 of each sign, and zero */
    HEATMAP_BUCKETS_MAX = 200,
    HEATMAP_BUCKETS_DEFAULT = 60,
    HEATMAP_POINTS_DEFAULT = 120,
    HEATMAP_CELLS_MAX = 150000 /* which a body always holds */
};

struct heatmap_question {
    struct slice type;
    struct window window;
    struct steps steps;
    int64_t buckets;
};

static struct step_limits heatmap_limits(int64_t buckets)
{
    _Static_assert(HEATMAP_CELLS_MAX == 150000, "the note says so");
    int64_t points_max = HEATMAP_CELLS_MAX / buckets;
    if (points_max > SERIES_POINTS_MAX)
        return (struct step_limits){SERIES_POINTS_MAX, HEATMAP_POINTS_DEFAULT, ""};
    return (struct step_limits){points_max, HEATMAP_POINTS_DEFAULT, " (150000 / buckets)"};
}

static enum err_code read_heatmap_question(const struct request *req, struct heatmap_question *q,
                                           struct error *err)
{
    struct slice buckets;
    q->buckets = HEATMAP_BUCKETS_DEFAULT;
    (void)query_get_type(req->query, true, req->arena, &q->type, err);
    if (query_get(req->query, "buckets", req->arena, &buckets, err) == ERR_OK && buckets.ptr &&
        !number_parse_int64(buckets, HEATMAP_BUCKETS_MIN, HEATMAP_BUCKETS_MAX, &q->buckets))
        (void)error_add_field(err, "query", "buckets", "must be an integer from %d to %d",
                              HEATMAP_BUCKETS_MIN, HEATMAP_BUCKETS_MAX);
    const struct step_limits limits = heatmap_limits(q->buckets);
    enum err_code window_code = window_read(req, clock_wall_now(), &q->window, err);
    enum err_code code = steps_read(req, &q->window, &limits, &q->steps, err);
    return window_code == ERR_OK ? code : window_code;
}

/* Where the request left a side open. */
static enum err_code bound_heatmap_question(struct app *app, const struct request *req,
                                            struct heatmap_question *q, struct mono_time deadline,
                                            struct error *err)
{
    if (window_is_bounded(&q->window))
        return ERR_OK;
    const struct step_limits limits = heatmap_limits(q->buckets);
    enum err_code code =
        metric_steps_bound(app->store, &q->type, 1, deadline, &q->window.from, &q->window.to, err);
    return code != ERR_OK ? code : steps_read(req, &q->window, &limits, &q->steps, err);
}

/* While steps are read: their histograms, packed, as fine as all so far allow. */
struct heatmap {
    const struct heatmap_question *q;
    struct arena *arena;
    struct bucket_range range;
    struct slice *steps; /* empty: no sample */
    size_t step_count;
    unsigned char packed[HISTOGRAM_PACKED_BYTES_MAX];
};

static void begin_steps(void *context)
{
    struct heatmap *map = context;
    map->range = (struct bucket_range){.scale = HISTOGRAM_SCALE};
    map->step_count = 0;
}

static bool keep_step(void *context, struct wall_time start, struct aggregate *a)
{
    (void)start;
    struct heatmap *map = context;
    struct slice *step = &map->steps[map->step_count++];
    *step = SLICE("");
    if (a->moments.count == 0)
        return true;
    include(&map->range, &a->histogram, (size_t)map->q->buckets);
    size_t len = histogram_pack(&a->histogram, map->packed);
    *step = arena_copy(map->arena, slice_of((const char *)map->packed, len));
    return step->ptr != NULL;
}

static void write_range(struct json_writer *w, const struct bucket_range *range)
{
    const struct side_range *negative = &range->negative, *positive = &range->positive;
    double lower = 0.0, upper = 0.0, unused;
    json_write_name(w, "buckets");
    json_write_array(w);
    for (size_t i = side_width(negative); i > 0; i--) {
        json_write_object(w);
        write_negative_bounds(w, negative->least + (int32_t)(i - 1), range->scale);
        json_write_end(w);
    }
    if (negative->is_occupied)
        find_bounds(negative->least, range->scale, &lower, &unused);
    if (positive->is_occupied)
        find_bounds(positive->least, range->scale, &upper, &unused);
    if (has_middle(range)) {
        json_write_object(w);
        write_bounds(w, 0.0 - lower, upper);
        json_write_end(w);
    }
    for (size_t i = 0; i < side_width(positive); i++) {
        json_write_object(w);
        write_positive_bounds(w, positive->least + (int32_t)i, range->scale);
        json_write_end(w);
    }
    json_write_end(w);
}

/* Into `counts`, from the least magnitude on. */
static void spread_side(const struct histogram_side *side, const struct side_range *range,
                        uint64_t *counts)
{
    for (size_t i = 0; i < side->count; i++)
        counts[side->buckets[i].index - range->least] = side->buckets[i].count;
}

static void write_counts(struct json_writer *w, const struct bucket_range *range,
                         const struct histogram *h)
{
    uint64_t negative[HEATMAP_BUCKETS_MAX] = {0}, positive[HEATMAP_BUCKETS_MAX] = {0};
    spread_side(&h->negative, &range->negative, negative);
    spread_side(&h->positive, &range->positive, positive);
    json_write_array(w);
    for (size_t i = side_width(&range->negative); i > 0; i--)
        json_write_integer(w, (int64_t)negative[i - 1]);
    if (has_middle(range))
        json_write_integer(w, (int64_t)h->zero_count);
    for (size_t i = 0; i < side_width(&range->positive); i++)
        json_write_integer(w, (int64_t)positive[i]);
    json_write_end(w);
}

static enum err_code write_steps(struct json_writer *w, const struct heatmap *map,
                                 struct error *err)
{
    enum err_code code = ERR_OK;
    struct histogram h;
    histogram_init(&h);
    json_write_name(w, "rows");
    json_write_array(w);
    for (size_t i = 0; code == ERR_OK && i < map->step_count; i++) {
        json_write_object(w);
        metric_json_instant(w, "timestamp", steps_start(&map->q->steps, (int64_t)i));
        json_write_name(w, "counts");
        if (map->steps[i].len == 0) {
            json_write_null(w);
        } else if (histogram_unpack(map->steps[i], &h)) {
            histogram_coarsen(&h, map->range.scale);
            write_counts(w, &map->range, &h);
        } else {
            json_write_null(w);
            code = error_set(err, ERR_NO_MEMORY, "Out of memory");
        }
        json_write_end(w);
    }
    json_write_end(w);
    histogram_release(&h);
    return code;
}

static enum err_code write_heatmap(const struct heatmap *map, const struct metric_report *report,
                                   struct strbuf *out, struct error *err)
{
    struct json_writer w;
    json_write_begin(&w, out);
    json_write_object(&w);
    json_write_name(&w, "type");
    json_write_text(&w, map->q->type);
    metric_json_steps(&w, &map->q->window, &map->q->steps);
    json_write_name(&w, "scale");
    json_write_integer(&w, map->range.scale);
    write_range(&w, &map->range);
    enum err_code code = write_steps(&w, map, err);
    metric_json_report(&w, report);
    json_write_end(&w);
    return code;
}

static enum err_code make_heatmap(struct app *app, const struct request *req,
                                  const struct heatmap_question *q, struct mono_time deadline,
                                  struct response *res, struct error *err)
{
    struct metric_report report;
    struct heatmap *map = arena_alloc(req->arena, sizeof *map);
    struct slice *steps = arena_alloc(req->arena, (size_t)(q->steps.count + 1) * sizeof *steps);
    if (!map || !steps)
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    map->q = q;
    map->arena = req->arena;
    map->steps = steps;
    begin_steps(map);
    const struct metric_steps_question question = {.type = q->type,
                                                   .from = q->window.from,
                                                   .to = q->window.to,
                                                   .steps = q->steps,
                                                   .has_histograms = true};
    const struct metric_steps_visitor visitor = {
        .context = map, .show = keep_step, .restart = begin_steps};
    enum err_code code = metric_steps_walk(app->store, &question, deadline, &visitor, &report, err);
    if (code == ERR_OK)
        code = write_heatmap(map, &report, &res->body, err);
    return code;
}

enum err_code api_heatmap(struct app *app, const struct request *req, struct response *res,
                          struct error *err)
{
    struct heatmap_question q;
    struct mono_time deadline = app_read_deadline();
    if (read_heatmap_question(req, &q, err) != ERR_OK ||
        bound_heatmap_question(app, req, &q, deadline, err) != ERR_OK ||
        make_heatmap(app, req, &q, deadline, res, err) != ERR_OK)
        return err->code;
    (void)etag_answer(req, res, hash_bytes(strbuf_slice(&res->body), 0));
    return ERR_OK;
}
