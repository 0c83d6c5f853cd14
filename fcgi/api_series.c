/* GET /api/metrics/series: figures of one or several types, step by step, as JSON or CSV. */
#include <math.h>

#include "accept.h"
#include "csv.h"
#include "etag.h"
#include "json_write.h"
#include "metric_json.h"
#include "metric_steps.h"
#include "number.h"
#include "percentiles.h"
#include "query.h"
#include "report_headers.h"
#include "routes.h"
#include "stepped_window.h"

enum { SERIES_TYPES_MAX = 20 };

static const struct metric_figure figure_kinds[] = {
    {"sum", METRIC_JSON_SUM_TOO_LARGE},
    {"average", METRIC_JSON_SUM_TOO_LARGE},
    {"min", NULL},
    {"max", NULL},
    {"first", NULL},
    {"latest", NULL},
};
enum { FIGURES = sizeof figure_kinds / sizeof *figure_kinds };

struct question {
    struct slice types[SERIES_TYPES_MAX];
    size_t type_count;
    struct stepped_window stepped;
    struct percentiles percentiles;
    size_t figure_count;
    struct metric_figure figures[FIGURES]; /* those asked for, in the order of figure_kinds */
    size_t kinds[FIGURES];                 /* of each its place there */
    bool is_csv;
};

/* --- The question ------------------------------------------------------------------ */

static enum err_code add_type(struct question *q, struct slice type, struct error *err)
{
    const char *wrong = sample_check_type(type);
    if (wrong)
        return error_add_field(err, "query", "type", "%s", wrong);
    if (q->type_count == SERIES_TYPES_MAX)
        return error_add_field(err, "query", "type", "must be given %d times at most",
                               SERIES_TYPES_MAX);
    for (size_t i = 0; i < q->type_count; i++) {
        if (slice_equals(q->types[i], type))
            return error_add_field(err, "query", "type", "must name each type once");
    }
    q->types[q->type_count++] = type;
    return ERR_OK;
}

static void read_types(const struct request *req, struct question *q, struct error *err)
{
    struct slice rest = req->query, type;
    enum err_code code;
    q->type_count = 0;
    do {
        code = query_next(&rest, "type", req->arena, &type, err);
        if (code == ERR_OK && type.ptr)
            code = add_type(q, type, err);
    } while (code == ERR_OK && type.ptr);
    if (code == ERR_OK && q->type_count == 0)
        (void)error_add_field(err, "query", "type", "Field required");
}

static void read_format(const struct request *req, struct question *q, struct error *err)
{
    struct slice format;
    q->is_csv = accept_prefers(req->accept, SLICE("text/csv"), SLICE("application/json"));
    if (query_get(req->query, "format", req->arena, &format, err) != ERR_OK || !format.ptr)
        return;
    q->is_csv = slice_equals(format, SLICE("csv"));
    if (!q->is_csv && !slice_equals(format, SLICE("json")))
        (void)error_add_field(err, "query", "format", "must be json or csv");
}

/* One of the names that `list` has, a comma between them; it goes on behind it. */
static bool take_figure(struct slice *list, bool wanted[static FIGURES])
{
    struct slice name = slice_cut(list, ',');
    for (size_t i = 0; i < FIGURES; i++) {
        if (!wanted[i] && slice_equals(name, slice_from_string(figure_kinds[i].name)))
            return wanted[i] = true;
    }
    return false;
}

static void read_figures(const struct request *req, struct question *q, struct error *err)
{
    struct slice list;
    bool wanted[FIGURES] = {false}, is_sound = true;
    if (query_get(req->query, "figures", req->arena, &list, err) != ERR_OK)
        return;
    bool is_given = list.ptr;
    while (is_sound && list.len > 0)
        is_sound = take_figure(&list, wanted);
    if (!is_sound)
        (void)error_add_field(err, "query", "figures",
                              "must be some of sum, average, min, max, first, latest, each once, a "
                              "comma between them");
    q->figure_count = 0;
    for (size_t i = 0; i < FIGURES; i++) {
        if (is_given && !wanted[i])
            continue;
        q->kinds[q->figure_count] = i;
        q->figures[q->figure_count++] = figure_kinds[i];
    }
}

/* All types together have as many points as one could. */
static struct step_limits limits_for(size_t type_count)
{
    int64_t points_max = SERIES_POINTS_MAX / (int64_t)(type_count > 0 ? type_count : 1);
    _Static_assert(SERIES_POINTS_MAX == 11000, "the note says so");
    const char *note = type_count > 1 ? " (11000 are shared by the types asked for)" : "";
    return (struct step_limits){points_max, SERIES_POINTS_DEFAULT, note};
}

static enum err_code read_question(const struct request *req, struct question *q, struct error *err)
{
    read_types(req, q, err);
    read_format(req, q, err);
    read_figures(req, q, err);
    const struct step_limits limits = limits_for(q->type_count);
    enum err_code steps_code = stepped_window_read(req, &limits, &q->stepped, err);
    enum err_code code = percentiles_read(req, "50,95,99", &q->percentiles, err);
    return steps_code == ERR_OK ? code : err->code;
}

/* --- The answer -------------------------------------------------------------------- */

/* None is NAN, a sum that overflowed infinite: neither is written as a number. */
static void find_figures(const struct question *q, const struct moments *m,
                         double figures[static FIGURES])
{
    const double values[FIGURES] = {moments_sum(m), moments_average(m), m->min,
                                    m->max,         m->first.value,     m->last.value};
    for (size_t i = 0; i < q->figure_count; i++)
        figures[i] = m->count > 0 ? values[q->kinds[i]] : NAN;
}

struct answer {
    const struct question *q;
    struct response *res;
    struct slice type; /* of the series in hand */
    struct {
        size_t body_len;
        struct json_writer json;
        double percentile_error;
        bool is_too_large[FIGURES];
    } before; /* its first point */
    struct json_writer json;
    struct csv_writer csv;
    double percentile_error; /* the largest so far, NAN for none */
    struct metric_report reports[SERIES_TYPES_MAX];
    bool is_too_large[FIGURES]; /* in any row */
};

static void note_error(struct answer *answer, const struct aggregate *a)
{
    if (a->moments.count > 0 && answer->q->percentiles.count > 0)
        answer->percentile_error = fmax(answer->percentile_error, histogram_error(&a->histogram));
}

static bool write_point(void *context, struct wall_time start, struct aggregate *a)
{
    struct answer *answer = context;
    struct json_writer *w = &answer->json;
    double figures[FIGURES] = {0};
    find_figures(answer->q, &a->moments, figures);
    json_write_object(w);
    metric_json_instant(w, "timestamp", start);
    json_write_name(w, "count");
    json_write_integer(w, (int64_t)a->moments.count);
    for (size_t i = 0; i < answer->q->figure_count; i++)
        metric_json_number(w, answer->q->figures[i].name, figures[i]);
    metric_json_percentiles(w, &answer->q->percentiles, a);
    metric_json_unavailable(w, answer->q->figures, figures, answer->q->figure_count);
    json_write_end(w);
    note_error(answer, a);
    return !strbuf_failed(&answer->res->body);
}

static bool write_row(void *context, struct wall_time start, struct aggregate *a)
{
    struct answer *answer = context;
    struct csv_writer *w = &answer->csv;
    double figures[FIGURES] = {0};
    find_figures(answer->q, &a->moments, figures);
    csv_text(w, answer->type);
    csv_instant(w, start);
    csv_integer(w, (int64_t)a->moments.count);
    for (size_t i = 0; i < answer->q->figure_count; i++) {
        csv_number(w, figures[i]);
        answer->is_too_large[i] = answer->is_too_large[i] || isinf(figures[i]);
    }
    for (size_t i = 0; i < answer->q->percentiles.count; i++)
        csv_number(w, metric_json_quantile(a, answer->q->percentiles.entries[i].q));
    csv_end_row(w);
    note_error(answer, a);
    return !strbuf_failed(&answer->res->body);
}

static void begin_series(struct answer *answer, struct slice type)
{
    answer->type = type;
    answer->before.body_len = answer->res->body.len;
    answer->before.json = answer->json;
    answer->before.percentile_error = answer->percentile_error;
    memcpy(answer->before.is_too_large, answer->is_too_large, sizeof answer->is_too_large);
}

static void restart_series(void *context)
{
    struct answer *answer = context;
    strbuf_truncate(&answer->res->body, answer->before.body_len);
    answer->json = answer->before.json;
    answer->percentile_error = answer->before.percentile_error;
    memcpy(answer->is_too_large, answer->before.is_too_large, sizeof answer->is_too_large);
}

static enum err_code walk_series(struct app *app, struct answer *answer, size_t i,
                                 struct mono_time deadline, struct error *err)
{
    const struct question *q = answer->q;
    const struct metric_steps_question question = {.type = q->types[i],
                                                   .from = q->stepped.window.from,
                                                   .to = q->stepped.window.to,
                                                   .steps = q->stepped.steps,
                                                   .has_histograms = q->percentiles.count > 0};
    const struct metric_steps_visitor visitor = {
        .context = answer, .show = q->is_csv ? write_row : write_point, .restart = restart_series};
    begin_series(answer, q->types[i]);
    return metric_steps_walk(app->store, &question, deadline, &visitor, &answer->reports[i], err);
}

/* Of a type whose points have no room nothing needs to be read. */
static bool goes_on(const struct answer *answer, enum err_code code)
{
    return code == ERR_OK && !strbuf_failed(&answer->res->body);
}

static enum err_code write_json(struct app *app, struct answer *answer, struct mono_time deadline,
                                struct error *err)
{
    const struct question *q = answer->q;
    struct json_writer *w = &answer->json;
    enum err_code code = ERR_OK;
    json_write_begin(w, &answer->res->body);
    json_write_object(w);
    metric_json_steps(w, &q->stepped.window, &q->stepped.steps);
    json_write_name(w, "series");
    json_write_array(w);
    for (size_t i = 0; goes_on(answer, code) && i < q->type_count; i++) {
        json_write_object(w);
        json_write_name(w, "type");
        json_write_text(w, q->types[i]);
        json_write_name(w, "points");
        json_write_array(w);
        code = walk_series(app, answer, i, deadline, err);
        json_write_end(w);
        metric_json_report(w, &answer->reports[i]);
        json_write_end(w);
    }
    json_write_end(w);
    if (q->percentiles.count > 0)
        metric_json_number(w, "percentile_error", answer->percentile_error);
    json_write_end(w);
    return code;
}

static void write_header(struct answer *answer)
{
    const struct percentiles *percentiles = &answer->q->percentiles;
    struct csv_writer *w = &answer->csv;
    csv_begin(w, &answer->res->body);
    csv_plain(w, SLICE("type"));
    csv_plain(w, SLICE("timestamp"));
    csv_plain(w, SLICE("count"));
    for (size_t i = 0; i < answer->q->figure_count; i++)
        csv_plain(w, slice_from_string(answer->q->figures[i].name));
    for (size_t i = 0; i < percentiles->count; i++)
        csv_plain(w, slice_from_string(percentiles->entries[i].name));
    csv_end_row(w);
}

static enum err_code write_csv(struct app *app, struct answer *answer, struct mono_time deadline,
                               struct error *err)
{
    enum err_code code = ERR_OK;
    answer->res->content_type = CSV_CONTENT_TYPE;
    write_header(answer);
    for (size_t i = 0; goes_on(answer, code) && i < answer->q->type_count; i++)
        code = walk_series(app, answer, i, deadline, err);
    return code;
}

/* The columns with a cell that is empty as its figure would be infinite. */
static void add_unavailable(const struct answer *answer, struct strbuf *headers)
{
    const char *before = "X-Unavailable: ";
    for (size_t i = 0; i < FIGURES; i++) {
        if (!answer->is_too_large[i])
            continue;
        strbuf_printf(headers, "%s%s", before, answer->q->figures[i].name);
        before = ", ";
    }
    if (*before == ',')
        strbuf_append_slice(headers, SLICE("\r\n"));
}

/* What rows have no place for; JSON says it where it belongs. */
static void add_headers(const struct answer *answer)
{
    struct response *res = answer->res;
    char digits[NUMBER_BYTES];
    report_headers_add(answer->reports, answer->q->type_count, res);
    add_unavailable(answer, &res->headers);
    if (!isfinite(answer->percentile_error))
        return;
    strbuf_append_slice(&res->headers, SLICE("X-Percentile-Error: "));
    strbuf_append_slice(&res->headers, number_format_double(answer->percentile_error, digits));
    strbuf_append_slice(&res->headers, SLICE("\r\n"));
}

enum err_code api_series(struct app *app, const struct request *req, struct response *res,
                         struct error *err)
{
    struct question q;
    struct mono_time deadline = app_read_deadline();
    if (read_question(req, &q, err) != ERR_OK ||
        stepped_window_bound(req, app->store, q.types, q.type_count, deadline, &q.stepped, err) !=
            ERR_OK)
        return err->code;
    struct answer answer = {.q = &q, .res = res, .percentile_error = NAN};
    enum err_code code = (q.is_csv ? write_csv : write_json)(app, &answer, deadline, err);
    if (code != ERR_OK)
        return code;
    if (res->body.is_full)
        return error_set(err, ERR_LIMIT_REACHED,
                         "The answer would be longer than %d bytes: ask for fewer types or "
                         "percentiles, or for a longer step",
                         HTTP_BODY_BYTES_MAX);
    response_header(res, "Vary", "Accept");
    if (q.is_csv)
        add_headers(&answer);
    etag_answer(req, res);
    return ERR_OK;
}
