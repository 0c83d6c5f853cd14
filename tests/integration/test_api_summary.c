/* GET /api/metrics/summary against a real Redis, with figures computed by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "await.h"
#include "clock.h"
#include "lane_gate.h"
#include "test_app.h"

/* (b - 1) / (b + 1) of b = 2^(1/32) */
#define LEAST_ERROR "0.010830001253373666"

static const char PATH[] = "/api/metrics/summary";

static void ask(const char *query)
{
    if (test_app_get(PATH, query) != 200)
        fail_msg("%s: %d %s", query, test_app.res.status, test_app.body);
}

static void assert_body(const char *expected)
{
    assert_string_equal(test_app.body, expected);
}

/* Seconds since 1970, with microseconds, from now. */
static void store_from_now(const char *type, double seconds, const char *value)
{
    char at[32];
    int64_t us = clock_wall_now().us + (int64_t)(seconds * 1e6);
    (void)snprintf(at, sizeof at, "\"%lld.%06lld\"", (long long)(us / 1000000),
                   (long long)(us % 1000000));
    test_app_store(type, at, value);
}

/* External data that are there already do not change an answer later. */
static void begin(const char *const settings[])
{
    test_app_open(settings);
    test_app_command("SET ra:ext:{a} {}");
}

/* The number at a path of members ("previous.count"); NAN for null. */
static double number_at(const char *path)
{
    struct json_document *document = test_app_parse_body();
    const struct json_value *value = json_document_root(document);
    char name[64];
    for (const char *rest = path; rest; rest = strchr(rest, '.')) {
        rest += *rest == '.';
        (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(rest, "."), rest);
        value = json_value_member(value, name);
    }
    double number = NAN;
    if (!value || (json_value_kind(value) != JSON_KIND_NULL && !json_value_number(value, &number)))
        fail_msg("no number %s in %s", path, test_app.body);
    json_document_free(document);
    return number;
}

static void assert_number(const char *path, double expected)
{
    double actual = number_at(path);
    if (!(actual == expected || (isnan(actual) && isnan(expected))))
        fail_msg("%s is %.17g instead of %.17g in %s", path, actual, expected, test_app.body);
}

/* --- Members ------------------------------------------------------------------------ */

static void a_single_sample_is_told_in_full(void **state)
{
    (void)state;
    begin(NULL);
    test_app_store("a", "\"2026-02-21T12:00:00.25Z\"", "85.5");
    ask("type=a");
    assert_body("{\"type\":\"a\",\"period\":\"all\",\"count\":1,\"average_value\":85.5,"
                "\"min_value\":85.5,\"max_value\":85.5,\"latest_value\":85.5,\"sum\":85.5,"
                "\"stddev\":0.0,\"first_value\":85.5,"
                "\"first_timestamp\":\"2026-02-21T12:00:00.250Z\","
                "\"latest_timestamp\":\"2026-02-21T12:00:00.250Z\",\"samples_per_second\":null,"
                "\"percentiles\":{\"p50\":85.5,\"p90\":85.5,\"p95\":85.5,\"p99\":85.5,"
                "\"p999\":85.5},\"percentile_error\":" LEAST_ERROR ",\"external\":{}}");
}

static void nothing_is_zeros_and_nulls(void **state)
{
    (void)state;
    begin(NULL);
    ask("type=none&period=hourly&percentiles=50,99.9");
    assert_body("{\"type\":\"none\",\"period\":\"hourly\",\"count\":0,\"average_value\":0.0,"
                "\"min_value\":0.0,\"max_value\":0.0,\"latest_value\":0.0,\"sum\":0.0,"
                "\"stddev\":null,\"first_value\":null,\"first_timestamp\":null,"
                "\"latest_timestamp\":null,\"samples_per_second\":null,"
                "\"percentiles\":{\"p50\":null,\"p999\":null},"
                "\"percentile_error\":" LEAST_ERROR ",\"external\":null}");
}

/* By arrival 40, 10, 30, 20; by time 10, 20, 40, 30. */
static void four_samples_have_the_figures_of_the_hand(void **state)
{
    (void)state;
    begin(NULL);
    test_app_store("a", "1003", "40");
    test_app_store("a", "1000", "10");
    test_app_store("a", "1004.5", "30");
    test_app_store("a", "1001", "20");
    ask("type=a&period=all");
    assert_number("count", 4);
    assert_number("average_value", 25);
    assert_number("min_value", 10);
    assert_number("max_value", 40);
    assert_number("latest_value", 30);
    assert_number("sum", 100);
    assert_number("stddev", sqrt(125)); /* (225 + 25 + 225 + 25) / 4 */
    assert_number("first_value", 10);
    assert_number("samples_per_second", 3 / 4.5);
    assert_true(test_app_body_has("\"first_timestamp\":\"1970-01-01T00:16:40Z\","
                                  "\"latest_timestamp\":\"1970-01-01T00:16:44.500Z\""));
}

static void percentiles_are_within_their_error(void **state)
{
    (void)state;
    begin(NULL);
    char at[16], value[16], path[32];
    for (int i = 0; i < 101; i++) { /* 0 to 100, in a mixed order */
        (void)snprintf(at, sizeof at, "%d", i);
        (void)snprintf(value, sizeof value, "%d", i * 37 % 101);
        test_app_store("a", at, value);
    }
    ask("type=a&percentiles=0,0.000001,1,25,50,66.6,99,99.9,100");
    static const double expected[][2] = {{1, 1}, {25, 25}, {50, 50}, {99, 99}};
    double error = number_at("percentile_error");
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(path, sizeof path, "percentiles.p%g", expected[i][0]);
        double actual = number_at(path);
        if (fabs(actual - expected[i][1]) > error * expected[i][1])
            fail_msg("%s is %g", path, actual);
    }
    assert_number("percentiles.p0", 0);
    assert_true(test_app_body_has("\"p0.000001\":0.0,"));
    assert_number("percentiles.p100", 100);
    assert_true(fabs(number_at("percentiles.p999") - 99) <= error * 99); /* rank floor(99.9) */
    assert_true(error > 0 && error < 0.01084);
    ask("type=a&percentiles=");
    assert_true(test_app_body_has("\"percentiles\":{},\"percentile_error\":"));
}

/* That of 1.1^0 to 1.1^100 at p is 1.1^p, also where p / 100 * 100 is less than p in doubles. */
static void a_percentile_has_the_rank_of_whole_numbers(void **state)
{
    (void)state;
    begin(NULL);
    for (int i = 0; i <= 100; i++)
        test_app_add("a", i * INT64_C(1000000), pow(1.1, i));
    for (int p = 0; p <= 100; p++) {
        char query[64], path[32];
        (void)snprintf(query, sizeof query, "type=a&percentiles=%d", p);
        (void)snprintf(path, sizeof path, "percentiles.p%d", p);
        ask(query);
        double actual = number_at(path), expected = pow(1.1, p);
        if (fabs(actual - expected) > number_at("percentile_error") * 1.0000001 * expected)
            fail_msg("%s is %g instead of %g", path, actual, expected);
    }
}

/* --- Windows ------------------------------------------------------------------------ */

static void check_count(const char *from, const char *to, int expected)
{
    char query[256];
    (void)snprintf(query, sizeof query, "type=a&from=%s&to=%s", from, to);
    ask(query);
    if (number_at("count") != expected)
        fail_msg("%s: not %d: %s", query, expected, test_app.body);
}

static void windows_hold_their_beginning_and_not_their_end(void **state)
{
    (void)state;
    begin(NULL);
    test_app_store("a", "\"2026-02-21T12:00:00.000000Z\"", "1");
    test_app_store("a", "\"2026-02-21T12:00:00.000001Z\"", "2");
    test_app_store("a", "\"2026-02-21T12:59:59.999999Z\"", "3");
    test_app_store("a", "\"2026-02-21T13:00:00Z\"", "4");
    check_count("2026-02-21T12:00:00Z", "2026-02-21T13:00:00Z", 3);
    check_count("2026-02-21T12:00:00Z", "2026-02-21T13:00:00.000001Z", 4);
    check_count("2026-02-21T12:00:00Z", "2026-02-21T12:59:59.999999Z", 2);
    check_count("2026-02-21T12:00:00.000001Z", "2026-02-21T13:00:00Z", 2);
    check_count("2026-02-21T12:00:00.000002Z", "2026-02-21T13:00:00Z", 1);
    check_count("2026-02-21T12:00:00Z", "2026-02-21T12:00:00.000001Z", 1);
    check_count("2026-02-21T11:59:59.999999Z", "2026-02-21T12:00:00Z", 0);
    check_count("2026-02-21T13:00:00Z", "9999-12-31", 1);
    ask("type=a&from=2026-02-21T12:00:00.000002Z");
    assert_number("count", 2);
    ask("type=a&to=2026-02-21T12:59:59.999999Z");
    assert_number("count", 2);
    assert_number("latest_value", 2);
}

static void a_window_is_told_in_place_of_the_period(void **state)
{
    (void)state;
    begin(NULL);
    test_app_store("a", "1000", "10");
    test_app_store("a", "1001.5", "20");
    test_app_store("a", "2000", "99");
    ask("type=a&from=1000&to=1970-01-01T00:20:00Z&percentiles=50,100");
    assert_body("{\"type\":\"a\",\"period\":null,\"from\":\"1970-01-01T00:16:40Z\","
                "\"to\":\"1970-01-01T00:20:00Z\",\"count\":2,\"average_value\":15.0,"
                "\"min_value\":10.0,\"max_value\":20.0,\"latest_value\":20.0,\"sum\":30.0,"
                "\"stddev\":5.0,\"first_value\":10.0,"
                "\"first_timestamp\":\"1970-01-01T00:16:40Z\","
                "\"latest_timestamp\":\"1970-01-01T00:16:41.500Z\","
                "\"samples_per_second\":0.6666666666666666,"
                "\"percentiles\":{\"p50\":10.0,\"p100\":20.0},"
                "\"percentile_error\":" LEAST_ERROR ",\"external\":{}}");
    ask("type=a&from=1002&to=1003");
    assert_true(test_app_body_has("\"count\":0,\"average_value\":0.0,\"min_value\":0.0,"));
    assert_true(test_app_body_has("\"stddev\":null,\"first_value\":null,"));
    ask("type=a&to=1001");
    assert_true(test_app_body_has("\"from\":null,\"to\":\"1970-01-01T00:16:41Z\",\"count\":1,"));
    ask("type=a&from=1001");
    assert_true(test_app_body_has("\"from\":\"1970-01-01T00:16:41Z\",\"to\":null,\"count\":2,"));
}

static void windows_reach_over_the_ages(void **state)
{
    (void)state;
    begin(NULL);
    test_app_store("a", "\"0001-01-01\"", "1");
    test_app_store("a", "\"1066-10-14\"", "2");
    test_app_store("a", "\"1969-12-31T23:59:59.999999Z\"", "3");
    test_app_store("a", "\"9999-12-31T23:59:59.999999Z\"", "4");
    check_count("1000-01-01", "2000-01-01", 2);
    check_count("0001-01-01", "9999-12-31T23:59:59.999999Z", 3);
    check_count("1966-01-01", "1970-01-01", 1);
    check_count("-1", "0", 1);
    check_count("1969-12-31T23:59:59.999999Z", "0", 1);
    check_count("0", "1", 0);
    ask("type=a&from=0001-01-01&percentiles=0,100");
    assert_number("count", 4);
    assert_number("percentiles.p100", 4);
    assert_number("samples_per_second", 3e6 / (253402300799999999.0 + 62135596800000000.0));
}

static void a_relative_window_moves_with_now(void **state)
{
    (void)state;
    begin(NULL);
    store_from_now("a", -7200, "1");
    store_from_now("a", -1800, "2");
    store_from_now("a", 1800, "3");
    ask("type=a&from=now-1h&to=now");
    assert_number("count", 1);
    assert_number("latest_value", 2);
    ask("type=a&from=-1h");
    assert_number("count", 2);
    ask("type=a&from=-3h&to=now-1h");
    assert_number("sum", 1);
    ask("type=a&to=now%2B1h");
    assert_number("sum", 6);
}

/* --- Bad input ---------------------------------------------------------------------- */

static const struct answer_row refusals[] = {
    {"type=a&period=weekly", 400, "Invalid period"},
    {"type=a&period=weekly&from=0", 400, "Invalid period"},
    {"type=a&period=daily&from=0", 422,
     "\"period\"],\"msg\":\"cannot be together with from or to: "
     "give one of them\""},
    {"type=a&period=all&to=0", 422, "give one of them"},
    {"from=0", 422, "[\"query\",\"type\"],\"msg\":\"Field required\""},
    {"type=a&from=", 422, "[\"query\",\"from\"]"},
    {"type=a&from=soon", 422, "[\"query\",\"from\"]"},
    {"type=a&to=2026-02-30", 422, "[\"query\",\"to\"]"},
    {"type=a&from=0&to=0", 422, "must be after from"},
    {"type=a&from=1&to=0", 422, "must be after from"},
    {"type=a&from=now&to=-1h", 422, "must be after from"},
    {"type=a&from=%zz", 422, "percent-encoding"},
    {"type=a&percentiles=101", 422, "numbers from 0 to 100"},
    {"type=a&percentiles=-1", 422, "[\"query\",\"percentiles\"]"},
    {"type=a&percentiles=50,", 422, "[\"query\",\"percentiles\"]"},
    {"type=a&percentiles=50,50.0", 422, "must have p50 once"},
    {"type=a&percentiles=nan", 422, "[\"query\",\"percentiles\"]"},
    {"type=a&percentiles=0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1.1,1.2,1.3,1.4,1.5,1.6,1.7,1.8,1.9,"
     "2.1,2.2,2.3,2.4,2.5,2.6,2.7,2.8,2.9,3.1,3.2,3.3,3.4,3.5,3.6,3.7,3.8,3.9,4.1,4.2,4.3,4.4",
     422, "must be 20 numbers at most"},
    {"type=a&compare=", 422, "[\"query\",\"compare\"],\"msg\":\"must be previous\""},
    {"type=a&compare=next&from=0", 422, "must be previous"},
    {"type=a&compare=previous", 422, "has nothing before it"},
    {"type=a&compare=previous&period=all", 422, "has nothing before it"},
    {"type=a&compare=previous&to=now", 422, "has nothing before it"},
    {"type=a&compare=previous&from=now%2B1h", 422, "begins after now"},
    {"type=a&compare=previous&from=0001-01-02&to=0001-01-04", 422, "before the year 1"},
    {"from=x&percentiles=x&compare=x", 422, "[\"query\",\"compare\"]"},
    {"from=x&percentiles=x&compare=x", 422, "[\"query\",\"percentiles\"]"},
    {"from=x&percentiles=x&compare=x", 422, "[\"query\",\"from\"]"},
    {"from=x&percentiles=x&compare=x", 422, "[\"query\",\"type\"]"},
};

static void what_is_wrong_with_a_question_is_told(void **state)
{
    (void)state;
    begin(NULL);
    test_app_check_rows(PATH, refusals, sizeof refusals / sizeof *refusals);
    ask("type=a&compare=previous&from=0001-01-02&to=0001-01-03");
    assert_true(test_app_body_has("\"previous\":{\"from\":\"0001-01-01T00:00:00Z\","));
}

/* --- Comparison --------------------------------------------------------------------- */

static void a_window_is_compared_with_the_one_before(void **state)
{
    (void)state;
    begin(NULL);
    test_app_store("a", "899.999999", "1000"); /* before both */
    test_app_store("a", "900", "-4");
    test_app_store("a", "999.999999", "-4");
    test_app_store("a", "1000", "2");
    test_app_store("a", "1001", "6");
    test_app_store("a", "1099.999999", "4");
    test_app_store("a", "1100", "1000"); /* after both */
    ask("type=a&from=1000&to=1100&compare=previous&percentiles=0,100");
    assert_true(test_app_body_has("\"percentiles\":{\"p0\":2.0,\"p100\":6.0},"));
    assert_true(test_app_body_has(
        "\"previous\":{\"from\":\"1970-01-01T00:15:00Z\",\"to\":\"1970-01-01T00:16:40Z\","
        "\"count\":2,\"average_value\":-4.0,\"min_value\":-4.0,\"max_value\":-4.0,"
        "\"latest_value\":-4.0,\"sum\":-8.0,\"stddev\":0.0,\"first_value\":-4.0,"
        "\"first_timestamp\":\"1970-01-01T00:15:00Z\","
        "\"latest_timestamp\":\"1970-01-01T00:16:39.999999Z\","
        "\"samples_per_second\":0.010000000100000002,"
        "\"percentiles\":{\"p0\":-4.0,\"p100\":-4.0},\"percentile_error\":" LEAST_ERROR "},"
        "\"change\":{\"count\":{\"absolute\":1,\"relative\":0.5},"
        "\"average_value\":{\"absolute\":8.0,\"relative\":2.0},"
        "\"min_value\":{\"absolute\":6.0,\"relative\":1.5},"
        "\"max_value\":{\"absolute\":10.0,\"relative\":2.5},"
        "\"latest_value\":{\"absolute\":8.0,\"relative\":2.0},"
        "\"sum\":{\"absolute\":20.0,\"relative\":2.5},"
        "\"stddev\":{\"absolute\":1.632993161855452,\"relative\":null},"
        "\"first_value\":{\"absolute\":6.0,\"relative\":1.5},"
        "\"samples_per_second\":{\"absolute\":0.010000000100000002,\"relative\":1.0},"
        "\"percentiles\":{\"p0\":{\"absolute\":6.0,\"relative\":1.5},"
        "\"p100\":{\"absolute\":10.0,\"relative\":2.5}}},\"external\":{}}"));
}

static void a_change_from_nothing_or_zero_has_no_ratio(void **state)
{
    (void)state;
    begin(NULL);
    test_app_store("a", "1000", "0");
    test_app_store("a", "1100", "-3");
    ask("type=a&from=1100&to=1200&compare=previous&percentiles=50");
    assert_true(test_app_body_has("\"average_value\":{\"absolute\":-3.0,\"relative\":null}"));
    assert_true(test_app_body_has("\"percentiles\":{\"p50\":{\"absolute\":-3.0,\"relative\":null"));
    ask("type=a&from=1000&to=1100&compare=previous&percentiles=50");
    assert_true(
        test_app_body_has("\"change\":{\"count\":{\"absolute\":1,\"relative\":null},"
                          "\"average_value\":{\"absolute\":null,\"relative\":null},"
                          "\"min_value\":{\"absolute\":null,\"relative\":null},"
                          "\"max_value\":{\"absolute\":null,\"relative\":null},"
                          "\"latest_value\":{\"absolute\":null,\"relative\":null},"
                          "\"sum\":{\"absolute\":0.0,\"relative\":null},"
                          "\"stddev\":{\"absolute\":null,\"relative\":null},"
                          "\"first_value\":{\"absolute\":null,\"relative\":null},"
                          "\"samples_per_second\":{\"absolute\":null,\"relative\":null},"
                          "\"percentiles\":{\"p50\":{\"absolute\":null,\"relative\":null}}}"));
    ask("type=a&from=1200&to=1300&compare=previous&percentiles=");
    assert_true(test_app_body_has("\"change\":{\"count\":{\"absolute\":-1,\"relative\":-1.0},"));
    assert_true(test_app_body_has("\"sum\":{\"absolute\":3.0,\"relative\":1.0},"));
    ask("type=none&period=daily&compare=previous");
    assert_number("previous.count", 0);
    assert_number("change.count.absolute", 0);
}

static void check_last_hour_against_the_one_before(const char *query)
{
    ask(query);
    assert_number("count", 2);
    assert_number("average_value", 30);
    assert_number("previous.count", 1);
    assert_number("previous.average_value", 10);
    assert_number("change.average_value.absolute", 20);
    assert_number("change.average_value.relative", 2);
    assert_number("change.count.relative", 1);
    assert_true(test_app_has_header("X-Cache: MISS\r\n"));
}

static void what_ends_now_is_compared_with_what_ended_then(void **state)
{
    (void)state;
    char query[128];
    begin(NULL);
    store_from_now("a", -2.1 * 3600, "5000");
    store_from_now("a", -1.5 * 3600, "10");
    store_from_now("a", -1800, "20");
    store_from_now("a", -1200, "40");
    check_last_hour_against_the_one_before("type=a&period=hourly&compare=previous");
    check_last_hour_against_the_one_before("type=a&from=-1h&compare=previous");
    check_last_hour_against_the_one_before("type=a&from=-1h&to=now&compare=previous");
    (void)snprintf(query, sizeof query, "type=a&from=%lld&compare=previous",
                   (long long)(clock_wall_now().us / 1000000 - 3600));
    check_last_hour_against_the_one_before(query);
    /* The hour that is kept is compared as well. */
    AWAIT(test_app_get(PATH, "type=a&period=hourly") == 200 &&
          test_app_has_header("X-Cache: HIT\r\n"));
    check_last_hour_against_the_one_before("type=a&period=hourly&compare=previous");

    store_from_now("a", -25 * 3600.0, "7");
    store_from_now("a", -49 * 3600.0, "5000");
    ask("type=a&period=daily&compare=previous");
    assert_number("count", 4);
    assert_number("previous.count", 1);
    assert_number("previous.latest_value", 7);
}

/* --- Values at the limits ----------------------------------------------------------- */

#define SUM_REASON "\"adding up the values exceeds the largest double, 1.8e308\""

static void a_sum_beyond_the_doubles_is_null_with_a_reason(void **state)
{
    (void)state;
    begin(NULL);
    test_app_store("a", "1000", "1e308");
    test_app_store("a", "1001", "1e308");
    ask("type=a&percentiles=50");
    assert_true(test_app_body_has(
        "\"count\":2,\"average_value\":1e+308,\"min_value\":1e+308,\"max_value\":1e+308,"
        "\"latest_value\":1e+308,\"sum\":null,\"stddev\":0.0,\"first_value\":1e+308,"));
    assert_true(test_app_body_has("\"percentiles\":{\"p50\":1e+308},"));
    assert_true(test_app_body_has("\"unavailable\":{\"sum\":" SUM_REASON "},\"external\":"));

    test_app_store("a", "1002", "-1e308");
    ask("type=a&percentiles=50&from=1000&to=1003&compare=previous");
    assert_true(test_app_body_has(
        "\"count\":3,\"average_value\":null,\"min_value\":-1e+308,\"max_value\":1e+308,"
        "\"latest_value\":-1e+308,\"sum\":null,\"stddev\":null,\"first_value\":1e+308,"));
    assert_true(test_app_body_has(
        "\"unavailable\":{\"average_value\":" SUM_REASON ",\"sum\":" SUM_REASON ","
        "\"stddev\":\"adding up the squared deviations exceeds the largest double, 1.8e308\"},"));
    assert_true(test_app_body_has("\"sum\":{\"absolute\":null,\"relative\":null}"));
    ask("type=a&from=1003&to=1006&compare=previous");
    assert_true(test_app_body_has("\"change\":{\"count\":{\"absolute\":-3,\"relative\":-1.0},"));
    assert_true(test_app_body_has("\"sum\":{\"absolute\":null,\"relative\":null}"));
    assert_true(test_app_body_has("\"unavailable\":{\"average_value\":"));
}

static void deviations_may_leave_the_doubles_alone(void **state)
{
    (void)state;
    begin(NULL);
    test_app_store("a", "1000", "1e200");
    test_app_store("a", "1001", "-1e200");
    ask("type=a&percentiles=");
    assert_true(test_app_body_has("\"average_value\":0.0,"));
    assert_true(test_app_body_has("\"sum\":0.0,\"stddev\":null,"));
    assert_true(test_app_body_has("\"unavailable\":{\"stddev\":\"adding up the squared"));
}

static void deviations_do_not_cancel(void **state)
{
    (void)state;
    begin(NULL);
    for (int i = 0; i < 10; i++)
        test_app_store("a", "1000", i % 2 ? "1000000001" : "999999999");
    ask("type=a");
    assert_number("stddev", 1);
    assert_number("average_value", 1e9);
    test_app_store("b", "1000", "-1000000001");
    test_app_store("b", "1000", "-999999999");
    ask("type=b");
    assert_number("stddev", 1);
}

static void small_and_signed_values_are_kept(void **state)
{
    (void)state;
    begin(NULL);
    test_app_store("a", "1000", "-0.0");
    ask("type=a&percentiles=50");
    assert_true(test_app_body_has("\"min_value\":-0.0,\"max_value\":-0.0,\"latest_value\":-0.0,"
                                  "\"sum\":0.0,\"stddev\":0.0,\"first_value\":-0.0,"));
    test_app_store("a", "1001", "0.0");
    ask("type=a&percentiles=50");
    assert_true(test_app_body_has("\"average_value\":0.0,\"min_value\":-0.0,\"max_value\":0.0,"));
    test_app_store("tiny", "1000", "5e-324");
    test_app_store("tiny", "1001", "1e-323");
    ask("type=tiny&percentiles=0,100");
    assert_true(test_app_body_has("\"min_value\":5e-324,\"max_value\":1e-323,"
                                  "\"latest_value\":1e-323,\"sum\":1.5e-323,"));
    assert_true(test_app_body_has("\"percentiles\":{\"p0\":5e-324,\"p100\":1e-323}"));
    test_app_store("wide", "1000", "1e-300");
    for (int i = 0; i < 3; i++)
        test_app_store("wide", "1001", "1e300");
    ask("type=wide&percentiles=50");
    assert_true(fabs(number_at("percentiles.p50") - 1e300) <=
                1e300 * number_at("percentile_error"));
}

/* --- Caches ------------------------------------------------------------------------- */

static void ask_and_expect(const char *query, const char *cache, int count)
{
    char header[32];
    (void)snprintf(header, sizeof header, "X-Cache: %s\r\n", cache);
    ask(query);
    if (!test_app_has_header(header) || number_at("count") != count)
        fail_msg("%s: not %s and %d: %s%s", query, cache, count, test_app.headers, test_app.body);
}

static const char *const standing[] = {
    "type=a",
    "type=a&percentiles=1",
    "type=a&percentiles=1,2",
    "type=a&from=1000",
    "type=a&to=2000",
    "type=a&from=1000&to=2000",
    "type=a&from=1000&to=2000&percentiles=1",
    "type=a&from=1000&to=2000&compare=previous",
    "type=a&from=1000&to=2000&compare=previous&percentiles=1",
};

enum { STANDING_COUNT = sizeof standing / sizeof *standing };

/* Each has its own answer, which the others do not replace. */
static void what_stands_still_is_kept_near_until_a_write(void **state)
{
    (void)state;
    static char bodies[STANDING_COUNT][4096];
    begin(NULL);
    for (int count = 1; count <= 3; count++) {
        test_app_store("a", "1000", "1");
        for (size_t i = 0; i < STANDING_COUNT; i++) {
            ask(standing[i]); /* of the whole time the next ones have what Redis keeps */
            assert_number("count", count);
            assert_true(i == 1 || i == 2 || test_app_has_header("X-Cache: MISS\r\n"));
            assert_true(strlen(test_app.body) < sizeof bodies[i]);
            memcpy(bodies[i], test_app.body, strlen(test_app.body) + 1);
        }
        for (size_t i = 0; i < STANDING_COUNT; i++) {
            ask_and_expect(standing[i], "HIT", count);
            assert_body(bodies[i]);
            for (size_t j = 0; j < i; j++)
                assert_string_not_equal(bodies[i], bodies[j]);
        }
    }
}

static const char *const moving[] = {
    "type=a&from=-1h",
    "type=a&to=now",
    "type=a&from=-1h&to=now%2B1h",
    "type=a&period=hourly&compare=previous",
    "type=a&period=daily&compare=previous",
};

static void what_moves_is_computed_each_time(void **state)
{
    (void)state;
    char query[128];
    begin(NULL);
    store_from_now("a", -10, "1");
    for (size_t i = 0; i < sizeof moving / sizeof *moving; i++) {
        ask_and_expect(moving[i], "MISS", 1);
        ask_and_expect(moving[i], "MISS", 1);
    }
    (void)snprintf(query, sizeof query, "type=a&from=%lld&compare=previous",
                   (long long)(clock_wall_now().us / 1000000 - 3600));
    ask_and_expect(query, "MISS", 1);
    ask_and_expect(query, "MISS", 1);
}

static void what_moves_may_be_as_old_as_CACHE_FRESH_MS(void **state)
{
    (void)state;
    const char *const relaxed[] = {"CACHE_FRESH_MS", "3600000", NULL};
    begin(relaxed);
    store_from_now("a", -10, "1");
    ask_and_expect("type=a&from=-1h&compare=previous", "MISS", 1);
    store_from_now("a", -10, "1");
    ask_and_expect("type=a&from=-1h&compare=previous", "HIT", 1);
    ask_and_expect("type=a&from=-2h&compare=previous", "MISS", 2);
    ask_and_expect("type=a&from=-1h", "MISS", 2);
}

static void start_asker(struct test_asker *asker)
{
    test_asker_start(asker, PATH, "type=a&from=-1h&to=now", "\"count\":1,");
    AWAIT(test_asker_is_waiting(asker));
}

/* Many wait for a flight when a sample is stored; one more comes, and shares the next. */
static void a_shared_window_ends_when_it_is_computed(void **state)
{
    (void)state;
    enum { EARLIER = 12, ASKERS };
    static struct test_asker askers[ASKERS];
    struct lane_gate gate;
    const char *const patient[] = {"REDIS_TIMEOUT_MS", "20000", NULL};
    begin(patient);
    test_app_store("a", "1000", "1");
    lane_gate_close(&gate, &test_app.redis, test_app.app->redis, REDIS_LANE_READ);
    for (int i = 0; i < EARLIER; i++)
        start_asker(&askers[i]);
    store_from_now("a", 0, "2");
    start_asker(&askers[EARLIER]);
    lane_gate_open(&gate);
    for (int i = 0; i < ASKERS; i++)
        test_asker_join(&askers[i]);
    assert_true(askers[EARLIER].has_wanted);
}

static void any_percentile_is_answered_from_what_redis_keeps(void **state)
{
    (void)state;
    begin(NULL);
    test_app_store("a", "1000", "1");
    test_app_store("a", "1001", "3");
    ask_and_expect("type=a", "MISS", 2);
    test_app_open(NULL);
    AWAIT(test_app_get(PATH, "type=a") == 200 && test_app_has_header("X-Cache: HIT\r\n"));
    ask_and_expect("type=a&percentiles=0,12.5,100", "HIT", 2);
    assert_true(test_app_body_has("\"percentiles\":{\"p0\":1.0,\"p12.5\":1.0,\"p100\":3.0}"));
}

static void an_unchanged_window_is_304(void **state)
{
    (void)state;
    char tag[TEST_APP_TAG_BYTES];
    begin(NULL);
    test_app_store("a", "1000", "1");
    ask("type=a&from=1000&to=2000");
    test_app_take_tag(tag);
    test_app.if_none_match = tag;
    assert_int_equal(test_app_get(PATH, "type=a&from=1000&to=2000"), 304);
    assert_false(test_app.res.has_body);
    assert_int_equal(test_app_get(PATH, "type=a&from=1000&to=2001"), 200);
    test_app_store("a", "3000", "1"); /* outside: the answer is the same */
    assert_int_equal(test_app_get(PATH, "type=a&from=1000&to=2000"), 304);
    test_app_store("a", "1999.999999", "1");
    assert_int_equal(test_app_get(PATH, "type=a&from=1000&to=2000"), 200);
}

static void without_redis_the_last_window_is_given_with_its_age(void **state)
{
    (void)state;
    begin(NULL);
    store_from_now("a", -10, "1");
    ask("type=a&from=-1h");
    test_redis_kill(&test_app.redis);
    AWAIT(test_app_get(PATH, "type=a&from=-1h") == 200 &&
          test_app_has_header("X-Cache: STALE\r\n"));
    assert_number("count", 1);
    assert_true(test_app_has_header("Cache-Status: \"analytics\"; fwd=stale"));
    assert_int_equal(test_app_get(PATH, "type=a&from=-2h"), 503);
    assert_int_equal(test_app_get(PATH, "type=a&from=x"), 422);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, test_app_begin, test_app_end)
    const struct CMUnitTest tests[] = {
        TEST(a_single_sample_is_told_in_full),
        TEST(nothing_is_zeros_and_nulls),
        TEST(four_samples_have_the_figures_of_the_hand),
        TEST(percentiles_are_within_their_error),
        TEST(a_percentile_has_the_rank_of_whole_numbers),
        TEST(windows_hold_their_beginning_and_not_their_end),
        TEST(a_window_is_told_in_place_of_the_period),
        TEST(windows_reach_over_the_ages),
        TEST(a_relative_window_moves_with_now),
        TEST(what_is_wrong_with_a_question_is_told),
        TEST(a_window_is_compared_with_the_one_before),
        TEST(a_change_from_nothing_or_zero_has_no_ratio),
        TEST(what_ends_now_is_compared_with_what_ended_then),
        TEST(a_sum_beyond_the_doubles_is_null_with_a_reason),
        TEST(deviations_may_leave_the_doubles_alone),
        TEST(deviations_do_not_cancel),
        TEST(small_and_signed_values_are_kept),
        TEST(what_stands_still_is_kept_near_until_a_write),
        TEST(what_moves_is_computed_each_time),
        TEST(what_moves_may_be_as_old_as_CACHE_FRESH_MS),
        TEST(a_shared_window_ends_when_it_is_computed),
        TEST(any_percentile_is_answered_from_what_redis_keeps),
        TEST(an_unchanged_window_is_304),
        TEST(without_redis_the_last_window_is_given_with_its_age),
    };
    return cmocka_run_group_tests_name("api_summary", tests, NULL, NULL);
}
