/*
 * GET /api/metrics/series against a real Redis: every figure against recomputation from a
 * plain array, and CSV against JSON.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "await.h"
#include "csv.h"
#include "iso8601.h"
#include "span.h"
#include "test_figures.h"

/* --- What a step must hold ----------------------------------------------------------- */

static void check_figures(const struct json_value *point, const struct selection *e)
{
    figures_assert_is(point, "count", (double)e->count);
    if (e->count == 0) {
        static const char *const names[] = {"sum", "average", "min", "max", "first", "latest"};
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            figures_assert_is(point, names[i], NAN);
        return;
    }
    long double n = (long double)e->count, tolerance = 1e-12L * e->sum_of_sizes;
    figures_assert_is_near(point, "sum", e->sum, tolerance);
    figures_assert_is_near(point, "average", e->sum / n, tolerance / n);
    figures_assert_is(point, "min", test_figures.selected[0]);
    figures_assert_is(point, "max", test_figures.selected[e->count - 1]);
    figures_assert_is(point, "first", e->first.value);
    figures_assert_is(point, "latest", e->last.value);
}

/* --- Series -------------------------------------------------------------------------- */

static const struct percentile_row {
    const char *query;
    const char *names[4];
    uint32_t per_mille[4];
} percentile_rows[] = {
    {"", {"p50", "p95", "p99"}, {500, 950, 990}},
    {"&percentiles=", {NULL}, {0}},
    {"&percentiles=0,99.9,100,12.5", {"p0", "p999", "p100", "p12.5"}, {0, 999, 1000, 125}},
};
enum { PERCENTILE_ROWS = sizeof percentile_rows / sizeof *percentile_rows };

/* Names that CSV must quote and a query must encode. */
static const struct {
    const char *name, *encoded;
} types[] = {{"cpu", "cpu"}, {"a \"b\", c", "a+%22b%22,+c"}, {"\xc3\xa9", "%C3%A9"}};
enum { TYPES = sizeof types / sizeof *types, ERROR_LINE_BYTES = 64 };

struct asked {
    bool wants[TYPES];
    bool has_from, has_to;
    int64_t from_us, to_us; /* of the request; then of the data, where it left them open */
    int64_t step_seconds;   /* 0: auto */
    const struct percentile_row *percentiles;
    char query[512];
};

static void write_query(struct asked *asked)
{
    char text[ISO8601_BYTES];
    struct strbuf query;
    strbuf_init(&query, sizeof asked->query - 1);
    strbuf_printf(&query, "format=json%s", asked->percentiles->query);
    for (size_t i = 0; i < TYPES; i++) {
        if (asked->wants[i])
            strbuf_printf(&query, "&type=%s", types[i].encoded);
    }
    if (asked->has_from) {
        strbuf_append_slice(&query, SLICE("&from="));
        strbuf_append_slice(&query, iso8601_format((struct wall_time){asked->from_us}, text));
    }
    if (asked->has_to) {
        strbuf_append_slice(&query, SLICE("&to="));
        strbuf_append_slice(&query, iso8601_format((struct wall_time){asked->to_us}, text));
    }
    if (asked->step_seconds > 0)
        strbuf_printf(&query, "&step=%" PRId64, asked->step_seconds);
    assert_false(strbuf_failed(&query));
    (void)snprintf(asked->query, sizeof asked->query, "%.*s", (int)query.len, query.bytes);
    strbuf_release(&query);
}

/* False: there is nothing, and no window. */
static bool bound_by_data(struct asked *asked)
{
    int64_t from_us = asked->has_from ? asked->from_us : INT64_MIN;
    int64_t to_us = asked->has_to ? asked->to_us : INT64_MAX;
    int64_t first_us = INT64_MAX, last_us = INT64_MIN;
    for (size_t i = 0; i < TYPES; i++) {
        struct selection e = {0};
        if (asked->wants[i])
            e = figures_select(types[i].name, from_us, to_us);
        if (e.count > 0) {
            first_us = e.first.at.us < first_us ? e.first.at.us : first_us;
            last_us = e.last.at.us > last_us ? e.last.at.us : last_us;
        }
    }
    bool has_data = first_us <= last_us;
    if (has_data && !asked->has_from)
        asked->from_us = first_us;
    if (has_data && !asked->has_to)
        asked->to_us = last_us + 1;
    return has_data || (asked->has_from && asked->has_to);
}

struct points_check {
    const struct asked *asked;
    const char *type;
    int64_t step_us, step; /* the number of the step, counted from 1970 */
    double error;
    struct csv_writer *csv;
};

static void check_percentiles(const struct points_check *check, const struct json_value *point,
                              const struct selection *e)
{
    const struct percentile_row *row = check->asked->percentiles;
    for (size_t i = 0; i < 4 && row->names[i]; i++) {
        if (e->count == 0) {
            figures_assert_is(point, row->names[i], NAN);
            continue;
        }
        double value = test_figures.selected[row->per_mille[i] * (e->count - 1) / 1000];
        figures_assert_is_near(point, row->names[i], (long double)value,
                               (long double)(check->error * 1.0000001 * fabs(value)));
    }
}

/* As the CSV answer must have it. */
static void write_row(const struct points_check *check, const struct json_value *point)
{
    static const char *const names[] = {"sum", "average", "min", "max", "first", "latest"};
    struct csv_writer *w = check->csv;
    csv_text(w, slice_from_string(check->type));
    csv_instant(w, (struct wall_time){figures_instant(point, "timestamp")});
    csv_integer(w, (int64_t)figures_number(point, "count"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        csv_number(w, figures_number(point, names[i]));
    for (size_t i = 0; i < 4 && check->asked->percentiles->names[i]; i++)
        csv_number(w, figures_number(point, check->asked->percentiles->names[i]));
    csv_end_row(w);
}

static bool check_point(void *context, struct slice name, const struct json_value *point)
{
    (void)name;
    struct points_check *check = context;
    int64_t start_us = check->step++ * check->step_us, end_us = start_us + check->step_us;
    int64_t from_us = check->asked->from_us, to_us = check->asked->to_us;
    assert_true(figures_instant(point, "timestamp") == start_us);
    struct selection e = figures_select(check->type, start_us < from_us ? from_us : start_us,
                                        end_us > to_us ? to_us : end_us);
    check_figures(point, &e);
    check_percentiles(check, point, &e);
    write_row(check, point);
    return true;
}

struct series_check {
    struct points_check points;
    size_t next; /* of the types */
};

static bool check_one_series(void *context, struct slice name, const struct json_value *series)
{
    (void)name;
    struct series_check *check = context;
    const struct asked *asked = check->points.asked;
    struct slice type;
    while (check->next < TYPES && !asked->wants[check->next])
        check->next++;
    assert_true(check->next < TYPES);
    check->points.type = types[check->next++].name;
    assert_true(json_value_text(json_value_member(series, "type"), &type));
    assert_true(slice_equals(type, slice_from_string(check->points.type)));
    check->points.step = floor_divide(asked->from_us, check->points.step_us);
    json_value_each(json_value_member(series, "points"), check_point, &check->points);
    assert_true(check->points.step == floor_divide(asked->to_us - 1, check->points.step_us) + 1);
    assert_null(json_value_member(series, "widened"));
    assert_null(json_value_member(series, "damaged"));
    return true;
}

static void write_csv_header(const struct asked *asked, struct csv_writer *w)
{
    static const char *const names[] = {"type", "timestamp", "count", "sum",   "average",
                                        "min",  "max",       "first", "latest"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        csv_text(w, slice_from_string(names[i]));
    for (size_t i = 0; i < 4 && asked->percentiles->names[i]; i++)
        csv_text(w, slice_from_string(asked->percentiles->names[i]));
    csv_end_row(w);
}

/* As a header line what the last answer, in JSON, says of it; empty for nothing. */
static void take_error(char line[static ERROR_LINE_BYTES])
{
    static const char name[] = "\"percentile_error\":";
    const char *at = strstr(test_app.body, name);
    *line = '\0';
    if (!at || strncmp(at + strlen(name), "null", 4) == 0)
        return;
    at += strlen(name);
    (void)snprintf(line, ERROR_LINE_BYTES, "X-Percentile-Error: %.*s\r\n", (int)strcspn(at, "}"),
                   at);
}

static void check_csv(struct asked *asked, struct slice expected, const char *error_line)
{
    memcpy(strstr(asked->query, "format=json"), "format=csv&", 11);
    assert_int_equal(test_app_get("/api/metrics/series", asked->query), 200);
    assert_string_equal(test_app.res.content_type, "text/csv; charset=utf-8; header=present");
    assert_true(slice_equals(strbuf_slice(&test_app.res.body), expected));
    assert_false(test_app_has_header("X-Widened") || test_app_has_header("X-Folded") ||
                 test_app_has_header("X-Expired") || test_app_has_header("X-Damaged") ||
                 test_app_has_header("X-Unavailable"));
    assert_true(*error_line ? test_app_has_header(error_line)
                            : !test_app_has_header("X-Percentile-Error"));
}

static void check_root(const struct asked *asked, const struct json_value *root,
                       struct csv_writer *csv)
{
    struct series_check check = {.points = {.asked = asked, .csv = csv}};
    assert_true(figures_instant(root, "from") == asked->from_us);
    assert_true(figures_instant(root, "to") == asked->to_us);
    check.points.step_us = (int64_t)figures_number(root, "step_seconds") * FIGURES_SECOND_US;
    if (asked->step_seconds > 0)
        assert_true(check.points.step_us == asked->step_seconds * FIGURES_SECOND_US);
    if (asked->percentiles->names[0])
        check.points.error = figures_number(root, "percentile_error");
    else
        assert_null(json_value_member(root, "percentile_error"));
    json_value_each(json_value_member(root, "series"), check_one_series, &check);
    while (check.next < TYPES && !asked->wants[check.next])
        check.next++;
    assert_int_equal(check.next, TYPES);
}

static void check_series(struct asked *asked)
{
    char error_line[ERROR_LINE_BYTES];
    struct strbuf expected;
    struct csv_writer csv;
    write_query(asked);
    assert_int_equal(test_app_get("/api/metrics/series", asked->query), 200);
    assert_string_equal(test_app.res.content_type, "application/json");
    strbuf_init(&expected, HTTP_BODY_BYTES_MAX);
    csv_begin(&csv, &expected);
    write_csv_header(asked, &csv);
    struct json_document *document = test_app_parse_body();
    if (bound_by_data(asked))
        check_root(asked, json_document_root(document), &csv);
    else
        assert_true(test_app_body_has("\"step_seconds\":null") &&
                    test_app_body_has("\"points\":[]"));
    json_document_free(document);
    take_error(error_line);
    check_csv(asked, strbuf_slice(&expected), error_line);
    strbuf_release(&expected);
}

static void post_random(size_t count)
{
    for (size_t i = 0; i < count; i++)
        figures_post(types[test_random_below(&test_figures.chance, TYPES - 1)].name,
                     figures_random_instant(), figures_random_value());
}

static struct asked random_question(void)
{
    static const int64_t steps[] = {1,     7,     60,    300,    3600,       8640,
                                    10800, 43200, 86400, 604800, 32 * 86400, 0};
    struct asked asked = {
        .has_from = test_random_below(&test_figures.chance, 3) > 0,
        .has_to = test_random_below(&test_figures.chance, 3) > 0,
        .percentiles = &percentile_rows[test_random_below(&test_figures.chance, PERCENTILE_ROWS)],
        .step_seconds =
            steps[test_random_below(&test_figures.chance, sizeof steps / sizeof *steps)]};
    size_t one = test_random_below(&test_figures.chance, TYPES);
    for (size_t i = 0; i < TYPES; i++)
        asked.wants[i] = i == one || test_random_below(&test_figures.chance, 3) == 0;
    asked.from_us = figures_random_instant();
    asked.to_us = figures_random_instant();
    if (asked.to_us < asked.from_us) {
        int64_t us = asked.from_us;
        asked.from_us = asked.to_us;
        asked.to_us = us;
    }
    asked.to_us++;
    if (asked.step_seconds > 0 && (asked.step_seconds < 3600)) { /* few enough of them */
        asked.has_from = asked.has_to = true;
        int64_t longest_us = 700 * asked.step_seconds * FIGURES_SECOND_US;
        if (asked.to_us - asked.from_us > longest_us)
            asked.to_us = asked.from_us + longest_us;
    }
    return asked;
}

static void check_random_series(int count)
{
    for (int i = 0; i < count; i++) {
        struct asked asked = random_question();
        check_series(&asked);
    }
}

static void every_figure_is_that_of_a_plain_array(void **state)
{
    (void)state;
    post_random(4000);
    for (int i = 0; i < CHUNK_RECORDS + 50; i++)
        figures_post("cpu",
                     FIGURES_START_US + HOUR_US +
                         (int64_t)test_random_below(&test_figures.chance, HOUR_US),
                     i);
    check_random_series(25);
    test_app_tend("cpu", 0);
    test_app_tend(types[1].name, 0);
    check_random_series(25);
    post_random(1000);
    check_random_series(25);
    test_app_tend("cpu", 0);
    check_random_series(25);
}

static void a_step_at_an_edge_counts_what_lies_in_the_window(void **state)
{
    (void)state;
    for (int64_t second = 0; second < 30; second++)
        figures_post("cpu", FIGURES_START_US + second * FIGURES_SECOND_US, (double)second);
    assert_int_equal(test_app_get("/api/metrics/series",
                                  "type=cpu&percentiles=&step=10&from=2024-10-04T00:00:05Z"
                                  "&to=2024-10-04T00:00:21.000001Z"),
                     200);
    assert_string_equal(
        test_app.body,
        "{\"from\":\"2024-10-04T00:00:05Z\",\"to\":\"2024-10-04T00:00:21.000001Z\","
        "\"step_seconds\":10,\"series\":[{\"type\":\"cpu\",\"points\":["
        "{\"timestamp\":\"2024-10-04T00:00:00Z\",\"count\":5,\"sum\":35.0,\"average\":7.0,"
        "\"min\":5.0,\"max\":9.0,\"first\":5.0,\"latest\":9.0},"
        "{\"timestamp\":\"2024-10-04T00:00:10Z\",\"count\":10,\"sum\":145.0,"
        "\"average\":14.5,\"min\":10.0,\"max\":19.0,\"first\":10.0,\"latest\":19.0},"
        "{\"timestamp\":\"2024-10-04T00:00:20Z\",\"count\":2,\"sum\":41.0,\"average\":20.5,"
        "\"min\":20.0,\"max\":21.0,\"first\":20.0,\"latest\":21.0}]}]}");
}

static void what_is_open_is_bounded_by_all_types(void **state)
{
    (void)state;
    figures_post("cpu", FIGURES_START_US, 1.0);
    figures_post("\xc3\xa9", FIGURES_START_US + 3 * HOUR_US, 2.0);
    assert_int_equal(test_app_get("/api/metrics/series", "type=cpu&type=%C3%A9&type=none&step=1h"),
                     200);
    assert_true(test_app_body_has(
        "{\"from\":\"2024-10-04T00:00:00Z\",\"to\":\"2024-10-04T03:00:00.000001Z\""
        ",\"step_seconds\":3600,"));
    assert_int_equal(test_app_get("/api/metrics/series", "type=cpu&from=2024-10-05&step=1h"), 200);
    assert_true(
        test_app_body_has("{\"from\":\"2024-10-05T00:00:00Z\",\"to\":null,\"step_seconds\":null,"
                          "\"series\":[{\"type\":\"cpu\",\"points\":[]}],"
                          "\"percentile_error\":null}"));
    assert_int_equal(test_app_get("/api/metrics/series", "type=none&format=csv"), 200);
    assert_string_equal(test_app.body, "type,timestamp,count,sum,average,min,max,first,latest,"
                                       "p50,p95,p99\n");
    /* The last instant there is: what comes after it has no text. */
    figures_post("cpu", ISO8601_MAX_US, 1.0);
    figures_post("cpu", ISO8601_MIN_US, 1.0);
    assert_int_equal(test_app_get("/api/metrics/series", "type=cpu&points=2"), 200);
    assert_true(
        test_app_body_has("{\"from\":\"0001-01-01T00:00:00Z\",\"to\":null,\"step_seconds\":"));
    assert_true(
        test_app_body_has("\"points\":[{\"timestamp\":\"0001-01-01T00:00:00Z\",\"count\":1,"));
}

static void what_overflows_is_null(void **state)
{
    (void)state;
    figures_post("cpu", FIGURES_START_US, 1e308);
    figures_post("cpu", FIGURES_START_US + 1, 1.5e308);
    figures_post("same", FIGURES_START_US, 1e308);
    figures_post("same", FIGURES_START_US + 1, 1e308);
    assert_int_equal(test_app_get("/api/metrics/series", "type=cpu&type=same&percentiles="), 200);
    assert_true(
        test_app_body_has("\"count\":2,\"sum\":null,\"average\":null,\"min\":1e+308,"
                          "\"max\":1.5e+308,\"first\":1e+308,\"latest\":1.5e+308,"
                          "\"unavailable\":{\"sum\":\"adding up the values exceeds the largest "
                          "double, 1.8e308\",\"average\":\"adding up "));
    assert_true(
        test_app_body_has("\"count\":2,\"sum\":null,\"average\":1e+308,\"min\":1e+308,"
                          "\"max\":1e+308,\"first\":1e+308,\"latest\":1e+308,"
                          "\"unavailable\":{\"sum\":\"adding up the values exceeds the largest "
                          "double, 1.8e308\"}}"));
    assert_int_equal(test_app_get("/api/metrics/series", "type=cpu&percentiles=&format=csv"), 200);
    assert_true(test_app_body_has(",2,,,1e+308,1.5e+308,1e+308,1.5e+308\n"));
    assert_true(test_app_has_header("X-Unavailable: sum, average\r\n"));
    assert_int_equal(test_app_get("/api/metrics/series", "type=same&percentiles=&format=csv"), 200);
    assert_true(test_app_has_header("X-Unavailable: sum\r\n"));
    assert_false(test_app_has_header("X-Percentile-Error"));
}

/* In their own order, whatever that of the question is. */
static void figures_are_those_asked_for(void **state)
{
    (void)state;
    static const struct {
        const char *figures, *json, *csv;
    } rows[] = {
        {"", "\"count\":2}", "timestamp,count\ncpu,2024-10-04T00:00:00Z,2\n"},
        {"max", "\"count\":2,\"max\":3.0}", "count,max\ncpu,2024-10-04T00:00:00Z,2,3.0\n"},
        {"latest,sum", "\"count\":2,\"sum\":4.0,\"latest\":1.0}",
         "count,sum,latest\ncpu,2024-10-04T00:00:00Z,2,4.0,1.0\n"},
        {"sum,average,min,max,first,latest",
         "\"count\":2,\"sum\":4.0,\"average\":2.0,\"min\":1.0,\"max\":3.0,\"first\":3.0,\"latest\":"
         "1.0}",
         "count,sum,average,min,max,first,latest\ncpu,2024-10-04T00:00:00Z,2,4.0,2.0,1.0,3.0,3.0,1."
         "0\n"},
    };
    figures_post("cpu", FIGURES_START_US, 3);
    figures_post("cpu", FIGURES_START_US + 1, 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char query[128];
        (void)snprintf(query, sizeof query, "type=cpu&step=1h&percentiles=&figures=%s",
                       rows[i].figures);
        assert_int_equal(test_app_get("/api/metrics/series", query), 200);
        assert_true(test_app_body_has(rows[i].json));
        (void)snprintf(query + strlen(query), sizeof query - strlen(query), "&format=csv");
        assert_int_equal(test_app_get("/api/metrics/series", query), 200);
        assert_true(test_app_body_has(rows[i].csv));
    }
    figures_post("huge", FIGURES_START_US, 1e308);
    figures_post("huge", FIGURES_START_US + 1, 1.5e308);
    assert_int_equal(
        test_app_get("/api/metrics/series", "type=huge&percentiles=&figures=min,average"), 200);
    assert_true(
        test_app_body_has("\"average\":null,\"min\":1e+308,\"unavailable\":{\"average\":\"adding"));
    assert_int_equal(test_app_get("/api/metrics/series",
                                  "type=huge&percentiles=&figures=min,average&format=csv"),
                     200);
    assert_true(test_app_has_header("X-Unavailable: average\r\n"));
}

/* --- Forms of an answer -------------------------------------------------------------- */

static void the_format_is_that_of_the_query_or_else_of_accept(void **state)
{
    (void)state;
    static const struct {
        const char *accept, *query;
        bool is_csv;
    } rows[] = {
        {"", "type=cpu", false},
        {"text/csv", "type=cpu", true},
        {"text/csv", "type=cpu&format=json", false},
        {"application/json", "type=cpu&format=csv", true},
        {"*/*", "type=cpu", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_app.accept = rows[i].accept;
        assert_int_equal(test_app_get("/api/metrics/series", rows[i].query), 200);
        assert_int_equal(strncmp(test_app.res.content_type, "text/csv", 8) == 0, rows[i].is_csv);
        assert_true(test_app_has_header("Vary: Accept\r\n"));
    }
}

static void an_answer_that_the_client_has_is_not_sent_again(void **state)
{
    (void)state;
    static const char *const paths[] = {"/api/metrics/series", "/api/metrics/histogram",
                                        "/api/metrics/heatmap"};
    figures_post("cpu", FIGURES_START_US, 1.0);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        test_app.if_none_match = "";
        assert_int_equal(test_app_get(paths[i], "type=cpu"), 200);
        assert_string_equal(test_app.res.cache_control, "no-cache");
        char etag[TEST_APP_TAG_BYTES];
        test_app_take_tag(etag);
        test_app.if_none_match = etag;
        assert_int_equal(test_app_get(paths[i], "type=cpu"), 304);
        assert_false(test_app.res.has_body);
        figures_post("cpu", FIGURES_START_US + 1, 1.0);
        assert_int_equal(test_app_get(paths[i], "type=cpu"), 200);
    }
}

static void an_answer_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char query[600];
    int len = snprintf(query, sizeof query,
                       "type=cpu&step=1&from=2024-10-04&to=2024-10-04T03:03:20Z&percentiles=");
    for (int i = 0; i < 20; i++)
        len += snprintf(query + len, sizeof query - (size_t)len, "%d.123456,", i + 10);
    query[len - 1] = '\0';
    assert_int_equal(test_app_get("/api/metrics/series", query), 422);
    assert_true(test_app_body_has("\"code\":\"LIMIT_REACHED\""));
    assert_true(
        test_app_body_has("longer than 4194304 bytes: ask for fewer types or percentiles, or for a "
                          "longer step"));
    (void)snprintf(query + len - 1, sizeof query - (size_t)len, "&format=csv");
    assert_int_equal(test_app_get("/api/metrics/series", query), 200); /* empty cells are short */
}

/* A first type that fills the answer, and a second that cannot be read at all. */
static void a_full_answer_reads_no_further_type(void **state)
{
    (void)state;
    enum { POINTS = 5500 };
    static char type[TYPE_BYTES_MAX + 1], query[3 * TYPE_BYTES_MAX + 600];
    for (size_t i = 0; i < TYPE_BYTES_MAX; i += 4)
        memcpy(type + i, "\xf0\x9f\x93\x88", 5); /* and NUL */
    for (int64_t i = 0; i < POINTS; i++)
        figures_post(type, i * FIGURES_SECOND_US, 1.0 / 3.0);
    figures_post("cpu", 0, 1.0);
    test_app_command("DEL ra:m:{cpu}:chunks");
    test_app_command("SET ra:m:{cpu}:chunks x");
    assert_int_not_equal(test_app_get("/api/metrics/series", "type=cpu&from=0&to=1"), 200);

    size_t len = (size_t)snprintf(query, sizeof query, "from=0&to=%d&step=1&type=", POINTS);
    for (size_t i = 0; i < TYPE_BYTES_MAX; i += 4)
        len += (size_t)snprintf(query + len, sizeof query - len, "%%f0%%9f%%93%%88");
    len += (size_t)snprintf(query + len, sizeof query - len, "&type=cpu&percentiles=10");
    for (int i = 1; i < 20; i++)
        len += (size_t)snprintf(query + len, sizeof query - len, ",%d.123456", i + 10);
    assert_int_equal(test_app_get("/api/metrics/series", query), 422);
    assert_true(test_app_body_has("\"code\":\"LIMIT_REACHED\""));
    (void)snprintf(query + len, sizeof query - len, "&format=csv");
    assert_int_equal(test_app_get("/api/metrics/series", query), 422);
    assert_true(test_app_body_has("\"code\":\"LIMIT_REACHED\""));
}

/* --- What is not there any more, and what cannot be read ------------------------------ */

struct total {
    double count;
    size_t points;
};

static bool add_point(void *context, struct slice name, const struct json_value *point)
{
    (void)name;
    struct total *total = context;
    total->count += figures_number(point, "count");
    total->points++;
    return true;
}

static bool add_series(void *context, struct slice name, const struct json_value *series)
{
    (void)name;
    json_value_each(json_value_member(series, "points"), add_point, context);
    return true;
}

static struct total total_of_series(void)
{
    struct total total = {0, 0};
    struct json_document *document = test_app_parse_body();
    json_value_each(json_value_member(json_document_root(document), "series"), add_series, &total);
    json_document_free(document);
    return total;
}

static struct total total_of(const char *query)
{
    assert_int_equal(test_app_get("/api/metrics/series", query), 200);
    return total_of_series();
}

static void post_a_day(void)
{
    for (int64_t i = 0; i < 1440; i++)
        figures_post("cpu", FIGURES_START_US + i * 60 * FIGURES_SECOND_US, (double)i);
}

/* Across many groups of steps. */
static void expired_samples_are_told_once_and_as_widened(void **state)
{
    (void)state;
    static const char query[] = "type=cpu&from=2024-10-04T06:00:00Z&to=2024-10-04T22:00:00Z";
    char longer[200];
    post_a_day();
    test_app_tend("cpu", 0);
    assert_true(total_of(query).count == 960);
    assert_false(test_app_body_has("widened"));
    AWAIT((test_app_tend("cpu", 1), (void)test_app_get("/api/metrics/series", query),
           test_app_body_has("\"widened\"")));
    assert_true(test_app_body_has("\"widened\":{\"from\":\"2024-10-04T00:00:00Z\","
                                  "\"to\":\"2024-10-04T23:59:00.000001Z\"}"));
    assert_true(total_of(query).count == 1440);
    (void)snprintf(longer, sizeof longer, "%s&step=60", query);
    struct total total = total_of(longer);
    assert_true(total.count == 1440);
    assert_int_equal(total.points, 960);
    (void)snprintf(longer, sizeof longer, "%s&format=csv", query);
    assert_int_equal(test_app_get("/api/metrics/series", longer), 200);
    assert_true(
        test_app_has_header("X-Widened: 2024-10-04T00:00:00Z/2024-10-04T23:59:00.000001Z\r\n"));
    assert_false(test_app_has_header("X-Folded") || test_app_has_header("X-Damaged"));
}

static long long scripts_run(void)
{
    char stats[16384];
    assert_true(test_redis_command(&test_app.redis, stats, sizeof stats, "INFO commandstats"));
    const char *calls = strstr(stats, "cmdstat_evalsha:calls=");
    return calls ? strtoll(strchr(calls, '=') + 1, NULL, 10) : 0;
}

static _Atomic bool is_answered;
static atomic_llong asked_at; /* as many scripts had been run */

/* All samples expire when some groups of steps have been read. */
static void *expire_meanwhile(void *argument)
{
    enum { GROUPS = 4 };
    long long seen = 0;
    while (!atomic_load(&is_answered) && seen < atomic_load(&asked_at) + GROUPS)
        seen = scripts_run();
    if (!atomic_load(&is_answered))
        test_app_tend(argument, 1);
    return NULL;
}

static struct total total_of_csv(void)
{
    struct total total = {0, 0};
    struct slice body = strbuf_slice(&test_app.res.body);
    const char *at = body.ptr, *end = body.ptr + body.len;
    for (; (at = memchr(at, '\n', (size_t)(end - at))) && ++at < end; total.points++) {
        const char *time = memchr(at, ',', (size_t)(end - at));
        const char *count = time ? memchr(time + 1, ',', (size_t)(end - time - 1)) : NULL;
        total.count += count ? strtod(count + 1, NULL) : NAN;
    }
    return total;
}

static bool add_count(void *context, struct slice name, const struct json_value *value)
{
    (void)name;
    double count;
    assert_true(json_value_number(value, &count));
    *(double *)context += count;
    return true;
}

static bool add_heatmap_row(void *context, struct slice name, const struct json_value *row)
{
    (void)name;
    struct total *total = context;
    const struct json_value *counts = json_value_member(row, "counts");
    total->points++;
    if (json_value_kind(counts) != JSON_KIND_NULL)
        json_value_each(counts, add_count, &total->count);
    return true;
}

static struct total total_of_heatmap(void)
{
    struct total total = {0, 0};
    struct json_document *document = test_app_parse_body();
    json_value_each(json_value_member(json_document_root(document), "rows"), add_heatmap_row,
                    &total);
    json_document_free(document);
    return total;
}

static const struct form {
    const char *path, *query;
    struct total (*total)(void);
} forms[] = {{"/api/metrics/series", "", total_of_series},
             {"/api/metrics/series", "&format=csv", total_of_csv},
             {"/api/metrics/heatmap", "&buckets=10", total_of_heatmap}};
enum { FORMS = sizeof forms / sizeof *forms };

/* A type of a day, which is sealed; false: it expired only after the answer. */
static bool expires_within_answer(const struct form *form, const char *type)
{
    char query[200];
    pthread_t thread;
    for (int64_t i = 0; i < 1440; i++)
        figures_post(type, FIGURES_START_US + i * 60 * FIGURES_SECOND_US, (double)i);
    test_app_tend(type, 0);
    (void)snprintf(query, sizeof query, "type=%s&from=2024-10-04&to=2024-10-05&step=20%s", type,
                   form->query);
    atomic_store(&is_answered, false);
    atomic_store(&asked_at, scripts_run());
    assert_int_equal(pthread_create(&thread, NULL, expire_meanwhile, (char *)(uintptr_t)type), 0);
    int status = test_app_get(form->path, query);
    atomic_store(&is_answered, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(status, 200);
    return test_app_body_has("\"widened\":{") || test_app_has_header("X-Widened: ");
}

/* Otherwise the groups read before had a part of the day, and those behind it nothing. */
static void samples_that_expire_within_an_answer_are_told_once(void **state)
{
    (void)state;
    enum { TRIES_MAX = 8 };
    static const char *const names[FORMS][TRIES_MAX] = {
        {"a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"},
        {"b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7"},
        {"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"}};
    for (size_t i = 0; i < FORMS; i++) {
        bool is_met = false;
        for (size_t tries = 0; !is_met; tries++) {
            assert_in_range(tries, 0, TRIES_MAX - 1);
            is_met = expires_within_answer(&forms[i], names[i][tries]);
            struct total total = forms[i].total();
            assert_int_equal(total.points, 4320);
            assert_true(total.count == 1440);
        }
    }
}

static void what_is_damaged_is_told_and_the_rest_served(void **state)
{
    (void)state;
    post_a_day();
    test_app_tend("cpu", 0);
    figures_post("cpu", FIGURES_START_US + FIGURES_DAY_US, 1.0);
    test_app_command("SETRANGE ra:m:{cpu}:blk:d20000:0 50 damage");
    test_app_command("SETRANGE ra:m:{cpu}:blk:d20000:0 700 damage");
    struct total total = total_of("type=cpu&from=2024-10-04&to=2024-10-06&step=60");
    assert_true(total.count == 1);
    assert_int_equal(total.points, 2880);
    assert_true(test_app_body_has("\"damaged\":[{\"from\":\"2024-10-04T00:00:00Z\","
                                  "\"to\":\"2024-10-05T00:00:00Z\"}]}"));
    assert_int_equal(test_app_get("/api/metrics/series", "type=cpu&from=2024-10-04&format=csv"),
                     200);
    assert_true(test_app_has_header("X-Damaged: 2024-10-04T00:00:00Z/2024-10-05T00:00:00Z\r\n"));
    assert_int_equal(
        test_app_get("/api/metrics/series", "type=cpu&type=gpu&from=2024-10-04&step=1d&format=csv"),
        200);
    assert_true(test_app_has_header("X-Damaged: 2024-10-04T00:00:00Z/2024-10-05T00:00:00Z\r\n"));
}

/* --- Bad input ------------------------------------------------------------------------- */

#define TWENTY_TYPES                                                                               \
    "type=1&type=2&type=3&type=4&type=5&type=6&type=7&type=8&type=9&type=10&type=11&type=12&"      \
    "type=13&type=14&type=15&type=16&type=17&type=18&type=19&type=20"
#define TWENTY_PERCENTILES "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20"

static const struct answer_row input_rows[] = {
    {"", 422, "[\"query\",\"type\"],\"msg\":\"Field required\""},
    {"type=", 422, "[\"query\",\"type\"]"},
    {"type=a&type=", 422, "[\"query\",\"type\"]"},
    {"type=a%0ab", 422, "[\"query\",\"type\"]"},
    {"type=%zz", 422, "invalid percent-encoding"},
    {"type=a&type=b&type=a", 422, "must name each type once"},
    {TWENTY_TYPES, 200, "\"type\":\"20\""},
    {TWENTY_TYPES "&type=21", 422, "must be given 20 times at most"},
    {"type=a&from=soon", 422, "[\"query\",\"from\"]"},
    {"type=a&to=now-", 422, "[\"query\",\"to\"]"},
    {"type=a&from=7&to=7", 422, "must be after from"},
    {"type=a&from=8&to=7", 422, "must be after from"},
    {"type=a&from=7&to=7.000001&step=1", 200, "\"count\":0,\"sum\":null"},
    {"type=a&from=1900-01-01&to=1901-01-01", 200, "\"1900-01-01T00:00:00Z\""},
    {"type=a&from=1000-01-01&to=2000-01-01", 200, "\"step_seconds\":176947200,"},
    {"type=a&from=0000-01-01", 422, "[\"query\",\"from\"]"},
    {"type=a&step=0", 422, "[\"query\",\"step\"]"},
    {"type=a&step=-1", 422, "[\"query\",\"step\"]"},
    {"type=a&step=1.5", 422, "[\"query\",\"step\"]"},
    {"type=a&points=0", 422, "must be an integer from 1 to 11000"},
    {"type=a&points=11000", 200, "\"points\":[]"},
    {"type=a&points=11001", 422, "must be an integer from 1 to 11000"},
    {"type=a&from=0&to=11000&step=1&percentiles=", 200, "\"1970-01-01T03:03:19Z\""},
    {"type=a&from=0&to=11001&step=1", 422,
     "makes 11001 steps where there may be 11000: the smallest that does is 2s"},
    {"type=a&type=b&from=0&to=5500&step=1&percentiles=", 200, "T01:31:39Z"},
    {"type=a&type=b&from=0&to=5501&step=1", 422,
     "makes 5501 steps where there may be 5500 (11000 are shared by the types asked for): the "
     "smallest that does is 2s"},
    {TWENTY_TYPES "&points=550", 200, "\"points\":[]"},
    {TWENTY_TYPES "&points=551", 422,
     "must be an integer from 1 to 550 (11000 are shared by the types asked for)"},
    {TWENTY_TYPES "&from=0001-01-01&to=9999-12-31T23:59:59.999999Z&step=1", 422,
     "makes 315537897600 steps where there may be 550 (11000 are shared by the types asked for): "
     "the smallest that does is 574608392s\""},
    {"type=a&percentiles=0,100", 200, "\"points\":[]"},
    {"type=a&percentiles=100.000001", 422, "[\"query\",\"percentiles\"]"},
    {"type=a&percentiles=-0.000001", 422, "[\"query\",\"percentiles\"]"},
    {"type=a&percentiles=50,50", 422, "[\"query\",\"percentiles\"]"},
    {"type=a&percentiles=" TWENTY_PERCENTILES, 200, "\"points\":[]"},
    {"type=a&percentiles=" TWENTY_PERCENTILES ",21", 422, "must be 20 numbers at most"},
    {"type=a&figures=", 200, "\"points\":[]"},
    {"type=a&figures=sum,sum", 422,
     "must be some of sum, average, min, max, first, latest, each once"},
    {"type=a&figures=count", 422, "[\"query\",\"figures\"]"},
    {"type=a&figures=sum,,max", 422, "[\"query\",\"figures\"]"},
    {"type=a&figures=%2C", 422, "[\"query\",\"figures\"]"},
    {"type=a&format=xml", 422, "must be json or csv"},
    {"type=a&format=", 422, "must be json or csv"},
    {"from=x&to=x&step=x&points=x&percentiles=x&format=x", 422, "[\"query\",\"type\"]"},
    {"from=x&to=x&step=x&points=x&percentiles=x&format=x", 422, "[\"query\",\"from\"]"},
    {"from=x&to=x&step=x&points=x&percentiles=x&format=x", 422, "[\"query\",\"to\"]"},
    {"from=x&to=x&step=x&points=x&percentiles=x&format=x", 422, "[\"query\",\"step\"]"},
    {"from=x&to=x&step=x&points=x&percentiles=x&format=x", 422, "[\"query\",\"points\"]"},
    {"from=x&to=x&step=x&points=x&percentiles=x&format=x", 422, "[\"query\",\"percentiles\"]"},
    {"from=x&to=x&step=x&points=x&percentiles=x&format=x", 422, "[\"query\",\"format\"]"},
    {"from=0&to=11001&step=1&percentiles=x", 422, "makes 11001 steps"},
};

static void input_is_checked_and_all_mistakes_are_told(void **state)
{
    (void)state;
    test_app_check_rows("/api/metrics/series", input_rows, sizeof input_rows / sizeof *input_rows);
}

static void without_redis_it_is_503(void **state)
{
    (void)state;
    test_redis_kill(&test_app.redis);
    AWAIT(!redis_client_is_connected(test_app.app->redis));
    assert_int_equal(test_app_get("/api/metrics/series", "type=cpu"), 503);
    assert_int_equal(test_app_get("/api/metrics/series", "type=cpu&format=csv"), 503);
    assert_string_equal(test_app.res.content_type, "application/problem+json");
    assert_int_equal(test_app_get("/api/metrics/histogram", "type=cpu"), 503);
    assert_int_equal(test_app_get("/api/metrics/heatmap", "type=cpu&from=0&to=5"), 503);
    test_redis_restart(&test_app.redis);
    AWAIT(redis_client_is_connected(test_app.app->redis));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, figures_open, figures_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_figure_is_that_of_a_plain_array),
        TEST(a_step_at_an_edge_counts_what_lies_in_the_window),
        TEST(what_is_open_is_bounded_by_all_types),
        TEST(what_overflows_is_null),
        TEST(figures_are_those_asked_for),
        TEST(the_format_is_that_of_the_query_or_else_of_accept),
        TEST(an_answer_that_the_client_has_is_not_sent_again),
        TEST(an_answer_that_is_too_long_is_refused),
        TEST(a_full_answer_reads_no_further_type),
        TEST(expired_samples_are_told_once_and_as_widened),
        TEST(samples_that_expire_within_an_answer_are_told_once),
        TEST(what_is_damaged_is_told_and_the_rest_served),
        TEST(input_is_checked_and_all_mistakes_are_told),
        TEST(without_redis_it_is_503),
    };
    return cmocka_run_group_tests_name("api_series", tests, figures_begin, figures_end);
}
