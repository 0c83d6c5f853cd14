/* GET /api/metrics/heatmap: the histograms of a type step by step, all in the same buckets. */
#include "bucket_range.h"
#include "etag.h"
#include "json_write.h"
#include "metric_json.h"
#include "metric_steps.h"
#include "query.h"
#include "routes.h"
#include "stepped_window.h"

enum {
    BUCKETS_MAX = 200,
    BUCKETS_DEFAULT = 60,
    POINTS_DEFAULT = 120,
    CELLS_MAX = 150000 /* which a body always holds */
};

/* --- The question ------------------------------------------------------------------ */

struct question {
    struct slice type;
    struct stepped_window stepped;
    int64_t buckets;
};

static struct step_limits limits_for(int64_t buckets)
{
    _Static_assert(CELLS_MAX == 150000, "the note says so");
    int64_t points_max = CELLS_MAX / buckets;
    if (points_max > SERIES_POINTS_MAX)
        return (struct step_limits){SERIES_POINTS_MAX, POINTS_DEFAULT, ""};
    return (struct step_limits){points_max, POINTS_DEFAULT, " (150000 / buckets)"};
}

static enum err_code read_question(const struct request *req, struct question *q, struct error *err)
{
    q->buckets = BUCKETS_DEFAULT;
    (void)query_get_type(req->query, true, req->arena, &q->type, err);
    (void)query_get_integer(req->query, "buckets", req->arena, BUCKET_RANGE_WIDTH_MIN, BUCKETS_MAX,
                            &q->buckets, err);
    const struct step_limits limits = limits_for(q->buckets);
    enum err_code code = stepped_window_read(req, &limits, &q->stepped, err);
    return code == ERR_OK ? err->code : code;
}

/* --- The steps --------------------------------------------------------------------- */

/* While they are read: their histograms, packed, as fine as all so far allow. */
struct heatmap {
    const struct question *q;
    struct arena *arena;
    struct bucket_range range;
    struct slice *steps; /* empty: no sample */
    size_t step_count;
    unsigned char packed[HISTOGRAM_PACKED_BYTES_MAX];
};

static void begin_steps(void *context)
{
    struct heatmap *map = context;
    bucket_range_init(&map->range);
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
    bucket_range_include(&map->range, &a->histogram, (size_t)map->q->buckets);
    size_t len = histogram_pack(&a->histogram, map->packed);
    *step = arena_copy(map->arena, slice_of((const char *)map->packed, len));
    return step->ptr != NULL;
}

/* --- The answer -------------------------------------------------------------------- */

static void write_range(struct json_writer *w, const struct bucket_range *range)
{
    json_write_name(w, "buckets");
    json_write_array(w);
    for (size_t i = 0; i < bucket_range_width(range); i++) {
        double lower, upper;
        bucket_range_bounds(range, i, &lower, &upper);
        json_write_object(w);
        metric_json_number(w, "lower", lower);
        metric_json_number(w, "upper", upper);
        json_write_end(w);
    }
    json_write_end(w);
}

static void write_counts(struct json_writer *w, const struct bucket_range *range,
                         const struct histogram *h)
{
    uint64_t counts[BUCKETS_MAX];
    bucket_range_count(range, h, counts);
    json_write_array(w);
    for (size_t i = 0; i < bucket_range_width(range); i++)
        json_write_integer(w, (int64_t)counts[i]);
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
        metric_json_instant(w, "timestamp", steps_start(&map->q->stepped.steps, (int64_t)i));
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
    metric_json_steps(&w, &map->q->stepped.window, &map->q->stepped.steps);
    json_write_name(&w, "scale");
    json_write_integer(&w, map->range.scale);
    write_range(&w, &map->range);
    enum err_code code = write_steps(&w, map, err);
    metric_json_report(&w, report);
    json_write_end(&w);
    return code;
}

static enum err_code make_heatmap(struct app *app, const struct request *req,
                                  const struct question *q, struct mono_time deadline,
                                  struct response *res, struct error *err)
{
    struct metric_report report;
    struct heatmap *map = arena_alloc(req->arena, sizeof *map);
    struct slice *steps =
        arena_alloc(req->arena, (size_t)(q->stepped.steps.count + 1) * sizeof *steps);
    if (!map || !steps)
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    map->q = q;
    map->arena = req->arena;
    map->steps = steps;
    begin_steps(map);
    const struct metric_steps_question question = {.type = q->type,
                                                   .from = q->stepped.window.from,
                                                   .to = q->stepped.window.to,
                                                   .steps = q->stepped.steps,
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
    struct question q;
    struct mono_time deadline = app_read_deadline();
    if (read_question(req, &q, err) != ERR_OK ||
        stepped_window_bound(req, app->store, &q.type, 1, deadline, &q.stepped, err) != ERR_OK ||
        make_heatmap(app, req, &q, deadline, res, err) != ERR_OK)
        return err->code;
    etag_answer(req, res);
    return ERR_OK;
}
