/* What senders of other systems speak: InfluxDB, OTLP, Prometheus. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "await.h"
#include "test_app.h"

static void assert_summary(const char *type, const char *has)
{
    char query[400];
    (void)snprintf(query, sizeof query, "type=%s", type);
    assert_int_equal(test_app_get("/api/metrics/summary", query), 200);
    if (!test_app_body_has(has))
        fail_msg("%s: no %s in %s", type, has, test_app.body);
}

static void assert_body(const char *has)
{
    if (!test_app_body_has(has))
        fail_msg("no %s in %s", has, test_app.body);
}

/* --- InfluxDB ----------------------------------------------------------------------- */

static int write_lines(const char *query, const char *lines)
{
    return test_app_ask("POST", "/write", query, lines);
}

static void lines_are_stored_as_series_of_their_fields(void **state)
{
    (void)state;
    test_app_open(NULL);
    assert_int_equal(write_lines("db=x", "cpu,region=eu,host=a usage=12.5,idle=87i,note=\"n\" "
                                         "1771675200000000999\n"
                                         "cpu,host=a,region=eu usage=13.5 1771675201000000000\n"),
                     204);
    assert_string_equal(test_app.body, "");
    assert_true(test_app_has_header("X-Samples-Accepted: 3\r\n"));
    assert_true(test_app_has_header("X-Fields-Skipped: 1\r\n"));
    assert_false(test_app_has_header("RateLimit"));
    assert_summary("cpu.usage%3Bhost%3Da%3Bregion%3Deu",
                   "\"count\":2,\"average_value\":13.0,\"min_value\":12.5");
    assert_body("\"first_timestamp\":\"2026-02-21T12:00:00Z\"");
    assert_summary("cpu.idle%3Bhost%3Da%3Bregion%3Deu", "\"latest_value\":87.0");
    assert_int_equal(test_app_ask("POST", "/api/v2/write", "org=o&bucket=b&precision=s",
                                  "cpu usage=1 1771675200"),
                     204);
    assert_summary("cpu.usage", "\"first_timestamp\":\"2026-02-21T12:00:00Z\"");
}

/* Kept near, where nobody is told of each series. External data that are there already do not
 * change an answer later. */
static void a_summary_is_exact_after_lines_of_many_series(void **state)
{
    (void)state;
    test_app_open(NULL);
    test_app_command("SET ra:ext:{cpu.usage;host=a} {}");
    for (int count = 1; count < 150; count++) {
        char lines[200], expected[64];
        (void)snprintf(lines, sizeof lines, "cpu,host=a usage=%d %d\ncpu,host=b usage=1 %d\n",
                       count, 1771675200 + count, 1771675200 + count);
        assert_int_equal(write_lines("precision=s", lines), 204);
        (void)snprintf(expected, sizeof expected, "\"count\":%d,", count);
        for (int i = 0; i < 3; i++)
            assert_summary("cpu.usage%3Bhost%3Da", expected);
        assert_true(test_app_has_header("X-Cache: HIT\r\n"));
        (void)snprintf(expected, sizeof expected, "\"latest_value\":%d.0", count);
        assert_body(expected);
    }
}

static void each_precision_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *query, *time;
    } rows[] = {{"", "1771675200000001000"},
                {"precision=ns", "1771675200000001000"},
                {"precision=n", "1771675200000001000"},
                {"precision=us", "1771675200000001"},
                {"precision=u", "1771675200000001"},
                {"precision=%C2%B5", "1771675200000001"}};
    test_app_open(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[64], type[64];
        (void)snprintf(line, sizeof line, "m%zu v=1 %s", i, rows[i].time);
        (void)snprintf(type, sizeof type, "m%zu.v", i);
        assert_int_equal(write_lines(rows[i].query, line), 204);
        assert_summary(type, "\"first_timestamp\":\"2026-02-21T12:00:00.000001Z\"");
    }
    assert_int_equal(write_lines("precision=ms", "m v=1 1771675200001"), 204);
    assert_summary("m.v", "\"first_timestamp\":\"2026-02-21T12:00:00.001Z\"");
    assert_int_equal(write_lines("precision=h", "m v=1 1"), 400);
    assert_body("\"loc\":[\"query\",\"precision\"],\"msg\":\"must be ns, us, ms or s\"");
}

static void a_broken_line_is_named_and_nothing_is_stored(void **state)
{
    (void)state;
    enum { LINES = 1000, BROKEN = 7 };
    char *text = malloc(LINES * 32), *end = text;
    assert_non_null(text);
    for (int i = 1; i <= LINES; i++)
        end += snprintf(end, 32, i == BROKEN ? "m v=0x%d %d\n" : "m v=%d %d\n", i, i);
    test_app_open(NULL);
    assert_int_equal(write_lines("", text), 400);
    assert_body("\"status\":400,");
    assert_body("\"errors\":[{\"loc\":[\"body\",6],\"msg\":\"line 7, column 5: a field's value is "
                "no number, must be as 1.5, -2e3, 42i, 42u\",\"pointer\":\"/6\"}]");
    assert_summary("m.v", "\"count\":0");
    assert_int_equal(write_lines("partial=true", text), 200);
    assert_body("{\"accepted\":999,\"rejected\":[{\"index\":6,\"errors\":[{\"loc\":[\"body\",6]");
    assert_body("\"rejected_count\":1}");
    assert_summary("m.v", "\"count\":999");
    free(text);
}

static void what_holds_no_sample_is_fine(void **state)
{
    (void)state;
    test_app_open(NULL);
    assert_int_equal(write_lines("", ""), 204);
    assert_int_equal(write_lines("", "# nothing\n\n"), 204);
    assert_int_equal(write_lines("", "m v=\"text\"\n"), 204);
    assert_true(test_app_has_header("X-Samples-Accepted: 0\r\n"));
    assert_true(test_app_has_header("X-Fields-Skipped: 1\r\n"));
    assert_int_equal(test_app_get("/api/metrics/types", ""), 200);
    assert_body("{\"types\":[],");
}

static void lines_without_a_time_have_that_of_their_arrival(void **state)
{
    (void)state;
    test_app_open(NULL);
    int64_t before = clock_wall_now().us;
    assert_int_equal(write_lines("precision=s", "m v=1"), 204);
    assert_int_equal(test_app_get("/api/metrics/list", "type=m.v"), 200);
    int64_t at_us = strtoll(strstr(test_app.body, "\"id\":\"") + 6, NULL, 10);
    assert_in_range(at_us, before, clock_wall_now().us);
}

static void clients_of_influxdb_are_answered_what_they_ask_on_connecting(void **state)
{
    (void)state;
    test_app_open(NULL);
    assert_int_equal(test_app_get("/ping", ""), 204);
    assert_true(test_app_has_header("X-Influxdb-Version: 1."));
    assert_int_equal(test_app_ask("HEAD", "/ping", "", ""), 204);
    test_app.content_type = "application/x-www-form-urlencoded";
    assert_int_equal(test_app_ask("POST", "/query", "", "q=CREATE+DATABASE+%22metrics%22"), 200);
    assert_string_equal(test_app.body, "{\"results\":[{\"statement_id\":0}]}");
    assert_int_equal(test_app_get("/query", "q=show%20databases"), 200);
    assert_string_equal(test_app.body,
                        "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"databases\","
                        "\"columns\":[\"name\"],\"values\":[[\"analytics\"]]}]}]}");
    assert_int_equal(test_app_get("/query", "q=create+database+a;+show+databases;"), 200);
    assert_body("[{\"statement_id\":0},{\"statement_id\":1,\"series\":");
    assert_int_equal(test_app_get("/query", "q=SELECT+1"), 400);
    assert_int_equal(test_app_get("/query", "q=create+database"), 400);
    assert_int_equal(test_app_get("/query", "q=show+databases+x"), 400);
    assert_int_equal(test_app_get("/query", "q=+"), 400);
    assert_body("\"loc\":[\"query\",\"q\"],\"msg\":\"Field required\"");
    assert_int_equal(test_app_get("/query", ""), 400);
}

/* --- OTLP --------------------------------------------------------------------------- */

#define OTLP(points)                                                                               \
    "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"   \
    "\"stringValue\":\"shop\"}},{\"key\":\"host\",\"value\":{\"stringValue\":\"h\"}}]},"           \
    "\"scopeMetrics\":[{\"metrics\":[{\"name\":\"queue\",\"gauge\":{\"dataPoints\":[" points       \
    "]}}]}]}]}"
#define POINT(value) "{\"timeUnixNano\":\"1771675200000000000\",\"asDouble\":" value "}"

static int export_metrics(const char *body)
{
    test_app.content_type = "application/json";
    return test_app_ask("POST", "/v1/metrics", "", body);
}

static void points_are_stored_and_refused_as_the_protocol_has_it(void **state)
{
    (void)state;
    test_app_open(NULL);
    assert_int_equal(export_metrics(OTLP(POINT("1.5") "," POINT("2.5"))), 200);
    assert_string_equal(test_app.body, "{}");
    assert_summary("queue%3Bservice.name%3Dshop", "\"count\":2,\"average_value\":2.0");
    assert_int_equal(export_metrics(OTLP(POINT("\"NaN\"") "," POINT("3.5"))), 200);
    assert_string_equal(test_app.body, "{\"partialSuccess\":{\"rejectedDataPoints\":\"1\","
                                       "\"errorMessage\":\"must be a finite number\"}}");
    assert_summary("queue%3Bservice.name%3Dshop", "\"count\":3");
    assert_int_equal(export_metrics("{}"), 200);
    assert_int_equal(export_metrics("{\"resourceMetrics\":3}"), 400);
    assert_int_equal(export_metrics("{"), 400);
    test_app.content_type = "application/x-protobuf";
    assert_int_equal(test_app_ask("POST", "/v1/metrics", "", "x"), 415);
    assert_body("\"code\":\"UNSUPPORTED_MEDIA_TYPE\"");
}

static void a_request_of_which_no_point_is_good_is_a_success_of_none(void **state)
{
    (void)state;
    test_app_open(NULL);
    assert_int_equal(export_metrics(OTLP(POINT("\"NaN\""))), 200);
    assert_body("\"rejectedDataPoints\":\"1\"");
}

/* --- Prometheus --------------------------------------------------------------------- */

/* up{job="a"} 1 and 0 at 1 and 2 s, the stale marker at 3 s. */
static const char request_bytes[] = "\x0a\x44"
                                    "\x0a\x0e\x0a\x08__name__\x12\x02up"
                                    "\x0a\x08\x0a\x03job\x12\x01"
                                    "a"
                                    "\x12\x0c\x09\x00\x00\x00\x00\x00\x00\xf0\x3f\x10\xe8\x07"
                                    "\x12\x0c\x09\x00\x00\x00\x00\x00\x00\x00\x00\x10\xd0\x0f"
                                    "\x12\x0c\x09\x02\x00\x00\x00\x00\x00\xf0\x7f\x10\xb8\x17";

static int remote_write(const char *bytes, size_t len)
{
    test_app.body_len = len;
    int status = test_app_ask("POST", "/api/v1/write", "", bytes);
    test_app.body_len = 0;
    return status;
}

static void series_of_remote_write_are_stored(void **state)
{
    (void)state;
    const size_t len = sizeof request_bytes - 1;
    test_app_open(NULL);
    test_app.content_type = "application/x-protobuf";
    assert_int_equal(remote_write(request_bytes, len), 204);
    assert_string_equal(test_app.body, "");
    assert_summary("up%3Bjob%3Da", "\"count\":2,\"average_value\":0.5");
    assert_int_equal(remote_write(request_bytes, len - 1), 400);
    assert_body("\"code\":\"BAD_REQUEST\"");
    assert_summary("up%3Bjob%3Da", "\"count\":2");
    test_app.content_type = "application/x-protobuf;proto=prometheus.WriteRequest";
    assert_int_equal(remote_write(request_bytes, len), 204);
    test_app.content_type = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    assert_int_equal(remote_write(request_bytes, len), 415);
}

static void of_series_that_are_wrong_the_others_are_stored(void **state)
{
    (void)state;
    enum { GOOD = sizeof request_bytes - 1 };
    static const char nameless[] =
        "\x0a\x0e\x12\x0c\x09\x00\x00\x00\x00\x00\x00\xf0\x3f\x10\xe8\x07";
    char bytes[GOOD + sizeof nameless];
    memcpy(bytes, nameless, sizeof nameless - 1);
    memcpy(bytes + sizeof nameless - 1, request_bytes, GOOD);
    test_app_open(NULL);
    assert_int_equal(remote_write(bytes, sizeof bytes - 1), 400);
    assert_body("\"detail\":\"1 refused, 2 stored\"");
    assert_body("there is no __name__");
    assert_summary("up%3Bjob%3Da", "\"count\":2");
}

/* --- What all of them share --------------------------------------------------------- */

static void a_type_too_many_is_left_out_and_known_ones_go_on(void **state)
{
    (void)state;
    static const char *const settings[] = {"MAX_TYPES", "2", NULL};
    test_app_open(settings);
    assert_int_equal(write_lines("", "a v=1 1\nb v=1 1\n"), 204);
    assert_int_equal(write_lines("", "a v=2 2\nc v=2 2\nb v=2 2\n"), 400);
    assert_body("\"detail\":\"1 refused, 2 stored\"");
    assert_body(
        "\"loc\":[\"body\",1,\"type\"],\"msg\":\"There are 2 types already, and no more may be "
        "made (MAX_TYPES)\"");
    assert_summary("a.v", "\"count\":2");
    assert_summary("b.v", "\"count\":2");
    assert_int_equal(write_lines("partial=true", "a v=3 3\nc v=3 3\nb v=0x3 3\n"), 200);
    assert_body("{\"accepted\":1,\"rejected\":[{\"index\":2,");
    assert_body("},{\"index\":1,");
    assert_body("\"rejected_count\":2}");
    assert_int_equal(export_metrics(OTLP(POINT("1"))), 200);
    assert_body(
        "{\"partialSuccess\":{\"rejectedDataPoints\":\"1\",\"errorMessage\":\"There are 2 types");
}

static void over_their_limit_agents_are_told_to_come_again(void **state)
{
    (void)state;
    static const char *const settings[] = {"INGEST_RATE_LIMIT_REQUESTS", "1", NULL};
    test_app_open(settings);
    struct mono_time began = clock_mono_now();
    assert_int_equal(write_lines("", "m v=1 1"), 204);
    assert_true(test_app_has_header("RateLimit: \"ingest\";r=0;t=60\r\n"));
    assert_int_equal(write_lines("", "m v=1 1"), 503);
    assert_body(
        "\"status\":503,\"detail\":\"Rate limit exceeded\",\"code\":\"RATE_LIMIT_EXCEEDED\"");
    assert_in_range(test_app_number_in_header("Retry-After: "), 60 - ms_since(began) / 1000, 60);
    assert_int_equal(export_metrics(OTLP(POINT("1"))), 503);
    test_app.content_type = "";
    assert_int_equal(remote_write(request_bytes, sizeof request_bytes - 1), 503);
    assert_int_equal(test_app_post("{\"timestamp\":1,\"value\":1,\"type\":\"a\"}"),
                     201); /* another limit */
}

static void what_redis_cannot_take_is_503_with_retry_after(void **state)
{
    (void)state;
    static const char *const commands[] = {"CONFIG SET maxmemory 1", "SET ra:types stranger"};
    test_app_open(NULL);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        test_app_command(commands[i]);
        assert_int_equal(write_lines("", "m v=1 1"), i == 0 ? 503 : 400);
        assert_true(i > 0 || test_app_has_header("Retry-After: "));
        test_app_command("CONFIG SET maxmemory 0");
    }
    test_app_command("DEL ra:types");
    test_redis_pause(&test_app.redis);
    assert_int_equal(write_lines("", "m v=1 1"), 503);
    assert_true(test_app_has_header("Retry-After: "));
    test_redis_resume(&test_app.redis);
}

static void the_token_is_taken_in_every_form_that_agents_have(void **state)
{
    (void)state;
    static const char *const settings[] = {"API_TOKEN", "s3cret", NULL};
    static const char *const right[] = {"Bearer s3cret",      "Token s3cret",
                                        "token  s3cret ",     "Token me:s3cret",
                                        "Basic bWU6czNjcmV0", "basic dTpzM2NyZXQ="};
    static const char *const wrong[] = {
        "Bearer s3creT", "Token ", "Basic czNjcmV0OmI=", "Basic !", "Digest s3cret", "s3cret"};
    test_app_open(settings);
    assert_int_equal(write_lines("", "m v=1 1"), 401);
    assert_int_equal(write_lines("u=me&p=s3creT", "m v=1 1"), 401);
    assert_int_equal(write_lines("u=me&p=s3cret", "m v=1 1"), 204);
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        test_app.authorization = right[i];
        assert_int_equal(write_lines("", "m v=1 1"), 204);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        test_app.authorization = wrong[i];
        assert_int_equal(write_lines("p=s3cret", "m v=1 1"), 401);
    }
    test_app.authorization = "Token s3cret";
    assert_int_equal(test_app_get("/api/metrics/types", ""), 401);
    test_app.authorization = "";
    assert_int_equal(test_app_get("/ping", ""), 204);
}

#define AGENT_TEST(name) cmocka_unit_test_setup_teardown(name, test_app_begin, test_app_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AGENT_TEST(lines_are_stored_as_series_of_their_fields),
        AGENT_TEST(a_summary_is_exact_after_lines_of_many_series),
        AGENT_TEST(each_precision_is_read),
        AGENT_TEST(a_broken_line_is_named_and_nothing_is_stored),
        AGENT_TEST(what_holds_no_sample_is_fine),
        AGENT_TEST(lines_without_a_time_have_that_of_their_arrival),
        AGENT_TEST(clients_of_influxdb_are_answered_what_they_ask_on_connecting),
        AGENT_TEST(points_are_stored_and_refused_as_the_protocol_has_it),
        AGENT_TEST(a_request_of_which_no_point_is_good_is_a_success_of_none),
        AGENT_TEST(series_of_remote_write_are_stored),
        AGENT_TEST(of_series_that_are_wrong_the_others_are_stored),
        AGENT_TEST(a_type_too_many_is_left_out_and_known_ones_go_on),
        AGENT_TEST(over_their_limit_agents_are_told_to_come_again),
        AGENT_TEST(what_redis_cannot_take_is_503_with_retry_after),
        AGENT_TEST(the_token_is_taken_in_every_form_that_agents_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
