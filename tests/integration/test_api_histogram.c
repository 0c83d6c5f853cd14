/*
 * GET /api/metrics/histogram and heatmap against a real Redis: every value must be counted in
 * the bucket that holds it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "histogram.h"
#include "span.h"
#include "test_figures.h"

static void post_random(size_t count)
{
    for (size_t i = 0; i < count; i++)
        figures_post("cpu", figures_random_instant(), figures_random_value());
}

/* --- Histogram and heat map ------------------------------------------------------------ */

enum { BUCKETS_MAX = 2100 };

static struct bucket {
    double lower, upper, count;
} buckets[BUCKETS_MAX];
static size_t bucket_count;

static bool take_bucket(void *context, struct slice name, const struct json_value *bucket)
{
    (void)name, (void)context;
    assert_true(bucket_count < BUCKETS_MAX);
    buckets[bucket_count++] =
        (struct bucket){figures_number(bucket, "lower"), figures_number(bucket, "upper"),
                        json_value_member(bucket, "count") ? figures_number(bucket, "count") : 0.0};
    return true;
}

static void take_buckets(const struct json_value *root)
{
    bucket_count = 0;
    json_value_each(json_value_member(root, "buckets"), take_bucket, NULL);
}

/* The one of zero includes both its bounds, others the one of the greater magnitude. */
static double count_between(const struct bucket *b, bool is_zero, size_t count)
{
    double found = 0.0;
    for (size_t i = 0; i < count; i++) {
        double v = test_figures.selected[i];
        if (is_zero)
            found += v >= b->lower && v <= b->upper;
        else if (b->upper <= 0.0)
            found += v >= b->lower && v < b->upper;
        else
            found += v > b->lower && v <= b->upper;
    }
    return found;
}

static void check_histogram(const char *query, int64_t from_us, int64_t to_us)
{
    assert_int_equal(test_app_get("/api/metrics/histogram", query), 200);
    struct json_document *document = test_app_parse_body();
    const struct json_value *root = json_document_root(document);
    struct selection e = figures_select("cpu", from_us, to_us);
    take_buckets(root);
    figures_assert_is(root, "count", (double)e.count);
    double total = 0, zeros = 0;
    for (size_t i = 0; i < bucket_count; i++) {
        const struct bucket *b = &buckets[i];
        bool is_zero = b->lower == 0.0 && b->upper == 0.0;
        assert_true(is_zero || b->lower < b->upper);
        assert_true(i == 0 || buckets[i - 1].upper <= b->lower);
        assert_true(b->count > 0 && b->count == count_between(b, is_zero, e.count));
        assert_true(is_zero || b->lower == 0.0 || b->upper == 0.0 ||
                    fabs(b->upper - b->lower) / fabs(b->upper + b->lower) <=
                        figures_number(root, "percentile_error") * 1.0000001);
        total += b->count;
        zeros += is_zero ? b->count : 0;
    }
    assert_true(total == (double)e.count);
    figures_assert_is(root, "zero_count", zeros);
    json_document_free(document);
}

static void a_histogram_holds_every_value_in_its_bucket(void **state)
{
    (void)state;
    post_random(3000);
    check_histogram("type=cpu", INT64_MIN, INT64_MAX);
    assert_true(test_app_body_has("{\"type\":\"cpu\",\"from\":null,\"to\":null,\"count\":"));
    check_histogram("type=cpu&from=2024-10-04&to=2024-10-04T00:00:01Z", FIGURES_START_US,
                    FIGURES_START_US + FIGURES_SECOND_US);
    test_app_tend("cpu", 0);
    check_histogram("type=cpu&from=2024-10-04T01:30:00.5Z",
                    FIGURES_START_US + 3 * HOUR_US / 2 + FIGURES_SECOND_US / 2, INT64_MAX);
    figures_post("cpu", FIGURES_START_US, 1e-300);
    figures_post("cpu", FIGURES_START_US, -1e300);
    figures_post("cpu", FIGURES_START_US, 0x1p-1074);
    figures_post("cpu", FIGURES_START_US, -0x1.fffffffffffffp1023);
    check_histogram("type=cpu", INT64_MIN, INT64_MAX);
}

static void a_histogram_of_nothing_has_no_shares(void **state)
{
    (void)state;
    assert_int_equal(test_app_get("/api/metrics/histogram", "type=cpu&below=-0.5"), 200);
    assert_string_equal(
        test_app.body,
        "{\"type\":\"cpu\",\"from\":null,\"to\":null,\"count\":0,\"zero_count\":0,"
        "\"scale\":5,\"percentile_error\":0.010830001253373666,\"buckets\":[],\"below\":{"
        "\"value\":-0.5,\"share\":null,\"share_at_least\":null,\"share_at_most\":null,"
        "\"count_at_least\":0,\"count_at_most\":0}}");
}

static void check_below(double limit, size_t count)
{
    char query[400];
    double true_count = 0;
    for (size_t i = 0; i < count; i++)
        true_count += test_figures.selected[i] < limit;
    (void)snprintf(query, sizeof query, "type=cpu&below=%.0f", limit);
    if (fabs(limit) < 1e6) /* no exponent, whose '+' would be a blank */
        (void)snprintf(query, sizeof query, "type=cpu&below=%.17g", limit);
    assert_int_equal(test_app_get("/api/metrics/histogram", query), 200);
    struct json_document *document = test_app_parse_body();
    const struct json_value *below = json_value_member(json_document_root(document), "below");
    figures_assert_is(below, "value", limit);
    double least = figures_number(below, "count_at_least"),
           most = figures_number(below, "count_at_most");
    double share = figures_number(below, "share");
    assert_true(least <= true_count && true_count <= most);
    figures_assert_is(below, "share_at_least", least / (double)count);
    figures_assert_is(below, "share_at_most", most / (double)count);
    assert_true(share >= least / (double)count && share <= most / (double)count);
    if (limit <= test_figures.selected[0] || limit > test_figures.selected[count - 1])
        assert_true(least == true_count && most == true_count);
    json_document_free(document);
}

static void what_lies_below_is_bounded_from_both_sides(void **state)
{
    (void)state;
    post_random(2000);
    struct selection e = figures_select("cpu", INT64_MIN, INT64_MAX);
    for (int i = 0; i < 100; i++)
        check_below(figures_random_value() +
                        (test_random_below(&test_figures.chance, 2) ? 0.01 : 0.0),
                    e.count);
    const double special[] = {0.0,
                              -0.0,
                              test_figures.selected[0],
                              test_figures.selected[e.count - 1],
                              1e308,
                              -1e308,
                              0x1p-1074,
                              nextafter(test_figures.selected[e.count - 1], INFINITY)};
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        check_below(special[i], e.count);
}

/* Values that are spread evenly in a bucket: a quarter lies below a quarter of it. */
static void a_share_is_linear_within_a_bucket(void **state)
{
    (void)state;
    double upper = 1024.0, lower = 1024.0 * exp2(-1.0 / 32), width = upper - lower;
    for (int i = 0; i < 1000; i++) {
        figures_post("cpu", FIGURES_START_US + i, lower + width * ((double)i + 0.5) / 1000.0);
        figures_post("minus", FIGURES_START_US + i, -lower - width * ((double)i + 0.5) / 1000.0);
    }
    for (size_t i = 0; i < 2; i++) {
        char query[80];
        double limit = i == 0 ? lower + width / 4 : -lower - 3 * width / 4;
        (void)snprintf(query, sizeof query, "type=%s&below=%.17g", i == 0 ? "cpu" : "minus", limit);
        assert_int_equal(test_app_get("/api/metrics/histogram", query), 200);
        struct json_document *document = test_app_parse_body();
        const struct json_value *below = json_value_member(json_document_root(document), "below");
        figures_assert_is_near(below, "share", 0.25L, 1e-6L);
        figures_assert_is(below, "share_at_least", 0.0);
        figures_assert_is(below, "share_at_most", 1.0);
        json_document_free(document);
    }
}

struct rows_check {
    int64_t step_us, step, from_us, to_us;
    size_t zero_at; /* the bucket that holds zero; bucket_count for none */
    size_t at;      /* of a row's counts */
    size_t count;   /* of a row's samples */
};

static bool check_cell(void *context, struct slice name, const struct json_value *cell)
{
    (void)name;
    struct rows_check *check = context;
    double count;
    assert_true(json_value_number(cell, &count));
    assert_true(check->at < bucket_count);
    const struct bucket *b = &buckets[check->at];
    assert_true(count == count_between(b, check->at == check->zero_at, check->count));
    buckets[check->at++].count += count;
    return true;
}

static bool check_row(void *context, struct slice name, const struct json_value *row)
{
    (void)name;
    struct rows_check *check = context;
    int64_t start_us = check->step++ * check->step_us, end_us = start_us + check->step_us;
    assert_true(figures_instant(row, "timestamp") == start_us);
    struct selection e =
        figures_select("cpu", start_us < check->from_us ? check->from_us : start_us,
                       end_us > check->to_us ? check->to_us : end_us);
    const struct json_value *counts = json_value_member(row, "counts");
    check->at = 0;
    check->count = e.count;
    if (e.count == 0) {
        assert_int_equal(json_value_kind(counts), JSON_KIND_NULL);
        assert_non_null(counts);
        return true;
    }
    json_value_each(counts, check_cell, check);
    assert_int_equal(check->at, bucket_count);
    return true;
}

/* Contiguous; the outermost ones hold something, but for that around zero. */
static void check_buckets(size_t most, double total)
{
    double found = 0;
    for (size_t i = 0; i < bucket_count; i++) {
        assert_true(i == 0 || buckets[i - 1].upper == buckets[i].lower);
        found += buckets[i].count;
    }
    assert_true(found == total);
    assert_true(bucket_count <= most && bucket_count > 0);
    assert_true(buckets[0].count > 0 && buckets[bucket_count - 1].count > 0);
}

/* How many buckets the test_figures.selected values would take, contiguous, at a scale. */
static size_t width_at(int scale, size_t count)
{
    int32_t least[2] = {INT32_MAX, INT32_MAX}, greatest[2] = {INT32_MIN, INT32_MIN};
    bool has_zero = false;
    for (size_t i = 0; i < count; i++) {
        double v = test_figures.selected[i];
        if (v == 0.0) {
            has_zero = true;
            continue;
        }
        int32_t index = log2_bucket_index(fabs(v), scale);
        least[v < 0] = index < least[v < 0] ? index : least[v < 0];
        greatest[v < 0] = index > greatest[v < 0] ? index : greatest[v < 0];
    }
    size_t width = 0;
    for (int side = 0; side < 2; side++)
        width += least[side] == INT32_MAX ? 0 : (size_t)(greatest[side] - least[side]) + 1;
    return width + (has_zero || (least[0] != INT32_MAX && least[1] != INT32_MAX));
}

/* Which of the buckets holds zero; bucket_count: none. */
static size_t find_zero(size_t count)
{
    bool has_negative =
        test_figures.selected[0]<0.0, has_positive = test_figures.selected[count - 1]> 0.0;
    bool has_zero = false;
    size_t at = 0;
    for (size_t i = 0; i < count; i++)
        has_zero = has_zero || test_figures.selected[i] == 0.0;
    while (at < bucket_count && buckets[at].upper < 0.0)
        at++;
    return has_zero || (has_negative && has_positive) ? at : bucket_count;
}

static void check_heatmap(const char *query, size_t most)
{
    assert_int_equal(test_app_get("/api/metrics/heatmap", query), 200);
    struct json_document *document = test_app_parse_body();
    const struct json_value *root = json_document_root(document);
    struct rows_check check = {.step_us = (int64_t)figures_number(root, "step_seconds") *
                                          FIGURES_SECOND_US,
                               .from_us = figures_instant(root, "from"),
                               .to_us = figures_instant(root, "to")};
    check.step = floor_divide(check.from_us, check.step_us);
    struct selection e = figures_select("cpu", check.from_us, check.to_us);
    int scale = (int)figures_number(root, "scale");
    assert_true(width_at(scale, e.count) <= most);
    assert_true(scale == HISTOGRAM_SCALE || width_at(scale + 1, e.count) > most);
    take_buckets(root);
    assert_int_equal(bucket_count, width_at(scale, e.count));
    check.zero_at = find_zero(e.count);
    json_value_each(json_value_member(root, "rows"), check_row, &check);
    assert_true(check.step == floor_divide(check.to_us - 1, check.step_us) + 1);
    check_buckets(most, (double)e.count);
    json_document_free(document);
}

static void a_heat_map_holds_every_value_in_its_bucket(void **state)
{
    (void)state;
    figures_post("cpu", FIGURES_START_US, 3.0);
    check_heatmap("type=cpu", 60);
    figures_post("cpu", FIGURES_START_US + HOUR_US, 0.0);
    check_heatmap("type=cpu", 60);
    post_random(3000);
    check_heatmap("type=cpu", 60);
    check_heatmap("type=cpu&buckets=10&step=1h&to=2024-10-05", 10);
    test_app_tend("cpu", 0);
    check_heatmap("type=cpu&buckets=200&from=2024-10-04T00:10:11.5Z&to=2024-10-04T02:10:00Z", 200);
    check_heatmap("type=cpu&points=400&from=2024-10-04", 60);
}

static void a_heat_map_of_one_sign_has_no_other(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++)
        figures_post("cpu", FIGURES_START_US + i * FIGURES_SECOND_US, -1.0 - i);
    check_heatmap("type=cpu", 60);
    assert_true(buckets[bucket_count - 1].upper < 0.0);
    for (int i = 0; i < 100; i++)
        figures_post("cpu", FIGURES_START_US + i * FIGURES_SECOND_US, 0.0);
    check_heatmap("type=cpu", 60);
    assert_true(buckets[bucket_count - 1].upper == 0.0);
}

/* More than a histogram has at its finest scale, beside a step that is finer. */
static void a_step_of_very_many_buckets_is_drawn_with_the_others(void **state)
{
    (void)state;
    figures_post("cpu", FIGURES_START_US, 3.0);
    for (int i = -1100; i < 1100; i++)
        figures_post("cpu", FIGURES_START_US + HOUR_US, exp2((double)i / 32 + 0.01));
    figures_post("cpu", FIGURES_START_US + 2 * HOUR_US, 5.0);
    check_heatmap("type=cpu&step=1h&buckets=200", 200);
    check_histogram("type=cpu", INT64_MIN, INT64_MAX);
}

static void seven_buckets_hold_all_doubles(void **state)
{
    (void)state;
    static const double values[] = {0x1p-1074, -0x1p-1074, 1e308, -1e308, 0.0, 1.0, -1.0, 1e-300};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        figures_post("cpu", FIGURES_START_US + (int64_t)i * HOUR_US, values[i]);
    assert_int_equal(test_app_get("/api/metrics/heatmap", "type=cpu&buckets=11&step=1h"), 200);
    assert_true(test_app_body_has("\"scale\":-9,"));
    assert_int_equal(test_app_get("/api/metrics/heatmap", "type=cpu&buckets=7&step=1h"), 200);
    assert_true(test_app_body_has("\"scale\":-10,"));
    assert_true(test_app_body_has("\"counts\":[0,0,0,0,0,0,1]")); /* seven, and no more */
    assert_true(test_app_body_has(
        "\"buckets\":[{\"lower\":-1.7976931348623157e+308,\"upper\":-1.0},{\"lower\":-1.0,"));
    assert_true(test_app_body_has("\"upper\":0.0},{\"lower\":0.0,\"upper\":0.0},{\"lower\":0.0,"));
    assert_true(test_app_body_has("{\"lower\":1.0,\"upper\":1.7976931348623157e+308}],\"rows\":["));
    assert_false(test_app_body_has("null"));
}

static void a_heat_map_of_nothing_is_empty(void **state)
{
    (void)state;
    assert_int_equal(test_app_get("/api/metrics/heatmap", "type=cpu"), 200);
    assert_string_equal(test_app.body, "{\"type\":\"cpu\",\"from\":null,\"to\":null,"
                                       "\"step_seconds\":null,\"scale\":5,\"buckets\":[],"
                                       "\"rows\":[]}");
    assert_int_equal(test_app_get("/api/metrics/heatmap",
                                  "type=cpu&from=2024-10-04&to=2024-10-04T00:00:02Z&step=1"),
                     200);
    assert_true(
        test_app_body_has("\"buckets\":[],\"rows\":[{\"timestamp\":\"2024-10-04T00:00:00Z\","
                          "\"counts\":null},{\"timestamp\":\"2024-10-04T00:00:01Z\",\"counts\":"
                          "null}]}"));
}

static void what_is_damaged_is_told_and_the_rest_counted(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 1440; i++)
        figures_post("cpu", FIGURES_START_US + i * 60 * FIGURES_SECOND_US, (double)i);
    test_app_tend("cpu", 0);
    figures_post("cpu", FIGURES_START_US + FIGURES_DAY_US, 1.0);
    test_app_command("SETRANGE ra:m:{cpu}:blk:d20000:0 50 damage");
    test_app_command("SETRANGE ra:m:{cpu}:blk:d20000:0 700 damage");
    assert_int_equal(test_app_get("/api/metrics/histogram", "type=cpu&from=2024-10-04"), 200);
    assert_true(test_app_body_has("\"damaged\":[{") && test_app_body_has("\"count\":1,"));
    assert_int_equal(test_app_get("/api/metrics/heatmap", "type=cpu&from=2024-10-04"), 200);
    assert_true(test_app_body_has("\"damaged\":[{") && test_app_body_has("\"counts\":[1]"));
}

/* --- Bad input ------------------------------------------------------------------------- */

static const struct answer_row
    histogram_rows[] =
        {
            {"", 422, "[\"query\",\"type\"],\"msg\":\"Field required\""},
            {"type=", 422, "[\"query\",\"type\"]"},
            {"type=a&from=8&to=8", 422, "must be after from"},
            {"type=a&below=inf", 422, "must be a finite number"},
            {"type=a&below=nan", 422, "must be a finite number"},
            {"type=a&below=1e309", 422, "must be a finite number"},
            {"type=a&below=", 422, "must be a finite number"},
            {"type=a&below=-1.7e308", 200, "\"value\":-1.7e+308,"},
            {"below=x&from=x&to=x", 422, "[\"query\",\"type\"]"},
            {"below=x&from=x&to=x", 422, "[\"query\",\"below\"]"},
            {"below=x&from=x&to=x", 422, "[\"query\",\"from\"]"},
            {"below=x&from=x&to=x", 422, "[\"query\",\"to\"]"},
},
    heatmap_rows[] = {
        {"", 422, "[\"query\",\"type\"],\"msg\":\"Field required\""},
        {"type=a&buckets=6", 422, "must be an integer from 7 to 200"},
        {"type=a&buckets=7", 200, "\"rows\":[]"},
        {"type=a&buckets=200", 200, "\"rows\":[]"},
        {"type=a&buckets=201", 422, "must be an integer from 7 to 200"},
        {"type=a&buckets=x&from=x&step=x&points=x", 422, "[\"query\",\"from\"]"},
        {"type=a&buckets=x&from=x&step=x&points=x", 422, "[\"query\",\"step\"]"},
        {"type=a&buckets=x&from=x&step=x&points=x", 422, "[\"query\",\"points\"]"},
        {"type=a&buckets=x&from=x&step=x&points=x", 422, "[\"query\",\"buckets\"]"},
        {"type=a&from=0&to=2500&step=1", 200, "\"1970-01-01T00:41:39Z\""},
        {"type=a&from=0&to=2501&step=1", 422,
         "makes 2501 steps where there may be 2500 (150000 / buckets): the smallest that does is "
         "2s"},
        {"type=a&points=2501", 422, "must be an integer from 1 to 2500 (150000 / buckets)\""},
        {"type=a&buckets=200&from=0&to=750&step=1", 200, "\"1970-01-01T00:12:29Z\""},
        {"type=a&buckets=200&from=0&to=751&step=1", 422, "the smallest that does is 2s"},
        {"type=a&buckets=10&points=11000", 200, "\"rows\":[]"},
        {"type=a&buckets=10&points=11001", 422, "must be an integer from 1 to 11000\""},
        {"type=a&from=0&to=86400", 200, "\"step_seconds\":900,"},
};

static void input_is_checked_and_all_mistakes_are_told(void **state)
{
    (void)state;
    test_app_check_rows("/api/metrics/histogram", histogram_rows,
                        sizeof histogram_rows / sizeof *histogram_rows);
    test_app_check_rows("/api/metrics/heatmap", heatmap_rows,
                        sizeof heatmap_rows / sizeof *heatmap_rows);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, figures_open, figures_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_histogram_holds_every_value_in_its_bucket),
        TEST(a_histogram_of_nothing_has_no_shares),
        TEST(what_lies_below_is_bounded_from_both_sides),
        TEST(a_share_is_linear_within_a_bucket),
        TEST(a_heat_map_holds_every_value_in_its_bucket),
        TEST(a_heat_map_of_one_sign_has_no_other),
        TEST(a_step_of_very_many_buckets_is_drawn_with_the_others),
        TEST(seven_buckets_hold_all_doubles),
        TEST(a_heat_map_of_nothing_is_empty),
        TEST(what_is_damaged_is_told_and_the_rest_counted),
        TEST(input_is_checked_and_all_mistakes_are_told),
    };
    return cmocka_run_group_tests_name("api_histogram", tests, figures_begin, figures_end);
}
