#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "heap_slice.h"
#include "otlp_metrics.h"
#include "series_name.h"
#include "sink_log.h"

static struct sink_log found;
static struct error err;

static int fresh(void **state)
{
    (void)state;
    sink_log_init(&found);
    return 0;
}

static int done(void **state)
{
    (void)state;
    sink_log_release(&found);
    return 0;
}

/* A text that is no JSON is no request either. */
static enum err_code read_text(struct slice text)
{
    struct slice exact = heap_slice_new(text.ptr, text.len);
    error_init(&err);
    enum err_code code = ERR_VALIDATION;
    struct json_document *document = json_document_new(exact, "body", &err);
    heap_slice_free(exact);
    if (document)
        code = otlp_metrics_read(json_document_root(document), &found.sink, &err);
    json_document_free(document);
    assert_int_equal(code, err.code);
    return code;
}

static const char *reading_of(const char *text)
{
    sink_log_reset(&found);
    return sink_log_end(&found, read_text(slice_from_string(text)));
}

struct row {
    const char *fact, *json, *log; /* the log without its end */
};

/* A request around metrics; a gauge around points; a point around its value. */
#define REQUEST(metrics)     "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[" metrics "]}]}]}"
#define METRIC(kind, points) REQUEST("{\"name\":\"m\",\"" kind "\":{\"dataPoints\":[" points "]}}")
#define GAUGE(points)        METRIC("gauge", points)
#define T                    "\"timeUnixNano\":\"1700000000123456789\""
#define AT                   "1700000000123456"
#define VALUE(value)         GAUGE("{" T "," value "}")
#define LABELS(list)         GAUGE("{" T ",\"asInt\":1,\"attributes\":[" list "]}")
#define LABEL(key, value)    "{\"key\":\"" key "\",\"value\":{" value "}}"
#define TIME(time)           GAUGE("{\"asInt\":1,\"timeUnixNano\":" time "}")
#define POINT                "{" T ",\"asInt\":1}"
#define TEXT(text)           "\"stringValue\":\"" text "\""
#define HOST                 LABEL("host.name", TEXT("h"))
#define RESOURCE(value)      "\"resource\":{\"attributes\":[" HOST "," LABEL("service.name", value) "]}"
#define METRICS_OF(attributes)                                                                     \
    "\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\",\"gauge\":{\"dataPoints\":["                  \
    "{" T ",\"asInt\":1,\"attributes\":[" attributes "]}]}}]}]"
#define SERVICE(value, attributes)                                                                 \
    "{\"resourceMetrics\":[{" RESOURCE(value) "," METRICS_OF(attributes) "}]}"
#define NOT_FINITE(member)  "refused 0: " member ": must be a finite number\n"
#define NOT_INTEGER(member) "refused 0: " member ": must be an integer of 64 bits\n"
#define NO_TIME             "refused 0: timeUnixNano: must be nanoseconds since 1970, more than 0\n"
#define VALUE_OF(text)      "m " AT " " text "\n"

static const struct row rows[] = {
    {"nothing", "{}", ""},
    {"an empty list", "{\"resourceMetrics\":[]}", ""},
    {"empty objects", "{\"resourceMetrics\":[{},{\"scopeMetrics\":[{},{\"metrics\":[{}]}]}]}", ""},
    {"null is no member",
     "{\"resourceMetrics\":[{\"resource\":null,\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\","
     "\"sum\":null,\"gauge\":{\"dataPoints\":[{" T ",\"asDouble\":null,\"asInt\":1,"
     "\"attributes\":null,\"flags\":null}]}}]}]}]}",
     VALUE_OF("1")},
    {"unknown members", REQUEST("{\"name\":\"m\",\"unit\":\"s\",\"x\":{\"dataPoints\":[1]}}"), ""},

    {"a gauge", GAUGE(POINT), VALUE_OF("1")},
    {"a sum", METRIC("sum", POINT "," POINT), VALUE_OF("1") VALUE_OF("1")},
    {"a histogram", METRIC("histogram", "{" T ",\"count\":\"3\",\"sum\":4.5}"),
     "m.count " AT " 3\nm.sum " AT " 4.5\n"},
    {"an exponential histogram",
     METRIC("exponentialHistogram", "{" T ",\"count\":3,\"sum\":\"4.5\"}"),
     "m.count " AT " 3\nm.sum " AT " 4.5\n"},
    {"a summary", METRIC("summary", "{" T ",\"count\":\"2\",\"sum\":0}"),
     "m.count " AT " 2\nm.sum " AT " 0\n"},
    {"a histogram without a sum", METRIC("histogram", "{" T ",\"count\":\"3\"}"),
     "m.count " AT " 3\n"},
    {"a histogram without a count has counted none", METRIC("histogram", "{" T "}"),
     "m.count " AT " 0\n"},
    {"a histogram of which one value is wrong gives nothing",
     METRIC("histogram", "{" T ",\"count\":\"3\",\"sum\":\"NaN\"}"), NOT_FINITE("sum")},
    {"a count beyond 64 bits", METRIC("summary", "{" T ",\"count\":18446744073709551616}"),
     NOT_INTEGER("count")},
    {"the greatest count", METRIC("summary", "{" T ",\"count\":\"18446744073709551615\"}"),
     "m.count " AT " 1.8446744073709552e+19\n"},
    {"an empty count", METRIC("summary", "{" T ",\"count\":\"\"}"), NOT_INTEGER("count")},
    {"a count that is none", METRIC("summary", "{" T ",\"count\":-1,\"sum\":1}"),
     NOT_INTEGER("count")},

    {"a double", VALUE("\"asDouble\":-1.5e3"), VALUE_OF("-1500")},
    {"a double as a text", VALUE("\"asDouble\":\"0.25\""), VALUE_OF("0.25")},
    {"a double that is an integer", VALUE("\"asDouble\":7"), VALUE_OF("7")},
    {"a double rather than an integer", VALUE("\"asDouble\":7,\"asInt\":8"), VALUE_OF("7")},
    {"an integer", VALUE("\"asInt\":-7"), VALUE_OF("-7")},
    {"an integer as a text", VALUE("\"asInt\":\"9007199254740992\""), VALUE_OF("9007199254740992")},
    {"the greatest integer", VALUE("\"asInt\":\"9223372036854775807\""),
     VALUE_OF("9.2233720368547758e+18")},
    {"the least integer", VALUE("\"asInt\":-9223372036854775808"),
     VALUE_OF("-9.2233720368547758e+18")},
    {"an integer beyond 64 bits", VALUE("\"asInt\":\"9223372036854775808\""), NOT_INTEGER("asInt")},
    {"a number beyond 64 bits", VALUE("\"asInt\":9223372036854775808"), NOT_INTEGER("asInt")},
    {"a fraction is no integer", VALUE("\"asInt\":1.5"), NOT_INTEGER("asInt")},
    {"a text is no integer", VALUE("\"asInt\":\"1e3\""), NOT_INTEGER("asInt")},
    {"NaN", VALUE("\"asDouble\":\"NaN\""), NOT_FINITE("asDouble")},
    {"Infinity", VALUE("\"asDouble\":\"Infinity\""), NOT_FINITE("asDouble")},
    {"-Infinity", VALUE("\"asDouble\":\"-Infinity\""), NOT_FINITE("asDouble")},
    {"a boolean is no double", VALUE("\"asDouble\":true"), NOT_FINITE("asDouble")},
    {"no value", VALUE("\"x\":1"), "refused 0: asInt: must be there, or asDouble\n"},
    {"no recorded value", VALUE("\"asInt\":1,\"flags\":3"),
     "refused 0: flags: no value was recorded\n"},
    {"a flag that means nothing here", VALUE("\"asInt\":1,\"flags\":\"2\""), VALUE_OF("1")},
    {"flags that are none", VALUE("\"asInt\":1,\"flags\":\"x\""),
     "refused 0: flags: must be an integer\n"},

    {"no time", GAUGE("{\"asInt\":1}"), NO_TIME},
    {"time 0", TIME("\"0\""), NO_TIME},
    {"a time before 1970", TIME("\"-1000\""), NO_TIME},
    {"an empty time", TIME("\"\""), NO_TIME},
    {"a time that is none", TIME("\"2023-11-14T22:13:20Z\""), NO_TIME},
    {"a negative number", TIME("-1"), NO_TIME},
    {"a fraction of a nanosecond", TIME("1000.5"), NO_TIME},
    {"a boolean is no time", TIME("true"), NO_TIME},
    {"a time as a number", TIME("1700000000000000000"), "m 1700000000000000 1\n"},
    {"nanoseconds are rounded down", TIME("\"1999\""), "m 1 1\n"},
    {"the last time", TIME("\"18446744073709551615\""), "m 18446744073709551 1\n"},
    {"a time beyond 64 bits", TIME("\"18446744073709551616\""), NO_TIME},
    {"a number beyond those", TIME("18446744073709551616"), NO_TIME},

    {"labels are sorted", LABELS(LABEL("b", TEXT("2")) "," LABEL("a", TEXT("1"))),
     "m;a=1;b=2 " AT " 1\n"},
    {"a label that is true", LABELS(LABEL("a", "\"boolValue\":true")), "m;a=true " AT " 1\n"},
    {"a label that is false", LABELS(LABEL("a", "\"boolValue\":false")), "m;a=false " AT " 1\n"},
    {"an integer as a label", LABELS(LABEL("a", "\"intValue\":\"-42\"")), "m;a=-42 " AT " 1\n"},
    {"a number as a label", LABELS(LABEL("a", "\"intValue\":200")), "m;a=200 " AT " 1\n"},
    {"a long number as a label", LABELS(LABEL("a", "\"intValue\":-9223372036854775808")),
     "m;a=-9223372036854775808 " AT " 1\n"},
    {"a double as a label", LABELS(LABEL("a", "\"doubleValue\":0.1")), "m;a=0.1 " AT " 1\n"},
    {"a label that is not finite", LABELS(LABEL("a", "\"doubleValue\":\"NaN\"")),
     "m;a=NaN " AT " 1\n"},
    {"other labels are left out",
     LABELS(LABEL("a", "\"arrayValue\":{}") "," LABEL("b", "\"kvlistValue\":{}")), VALUE_OF("1")},
    {"bytes as a label are left out", LABELS(LABEL("a", "\"bytesValue\":\"AA==\"")), VALUE_OF("1")},
    {"a fraction as an integer is left out", LABELS(LABEL("a", "\"intValue\":1.5")), VALUE_OF("1")},
    {"labels without a value are left out", LABELS(LABEL("a", "") ",{\"key\":\"a\"},7"),
     VALUE_OF("1")},
    {"an empty label is none", LABELS(LABEL("a", TEXT(""))), VALUE_OF("1")},
    {"a label twice", LABELS(LABEL("a", TEXT("1")) "," LABEL("a", TEXT("2"))),
     "refused 0: attributes: a label is there twice\n"},
    {"a label without a name", LABELS("{\"value\":{\"intValue\":1}}"),
     "refused 0: attributes: a label has an empty name\n"},
    {"a label with a control character", LABELS(LABEL("a", TEXT("\\u0000"))),
     "refused 0: name: must not contain control characters\n"},
    {"labels that are no list", VALUE("\"asInt\":1,\"attributes\":{}"),
     "refused 0: attributes: must be an array\n"},

    {"the service is a label", SERVICE(TEXT("s"), ""), "m;service.name=s " AT " 1\n"},
    {"the service may be a number", SERVICE("\"intValue\":7", LABEL("z", "\"intValue\":8")),
     "m;service.name=7;z=8 " AT " 1\n"},
    {"a point's own service comes first", SERVICE(TEXT("s"), LABEL("service.name", TEXT("own"))),
     "m;service.name=own " AT " 1\n"},
    {"a service that is a list is none", SERVICE("\"arrayValue\":{}", ""), VALUE_OF("1")},
    {"the next resource has another service",
     "{\"resourceMetrics\":[{" RESOURCE(TEXT("s")) "},{" METRICS_OF("") "}]}", VALUE_OF("1")},

    {"a metric without a name", REQUEST("{\"sum\":{\"dataPoints\":[" POINT "]}}"),
     "refused 0: name: must not be empty\n"},
    {"points are counted over all metrics, also those that were taken",
     REQUEST("{\"name\":\"a\",\"sum\":{\"dataPoints\":[" POINT ",{},3]}},"
             "{\"name\":\"b\",\"gauge\":{\"dataPoints\":[" POINT ",{" T "}]}}"),
     "a " AT " 1\n"
     "refused 1: timeUnixNano: must be nanoseconds since 1970, more than 0;"
     " asInt: must be there, or asDouble\n"
     "refused 2: dataPoints: a point must be an object\n"
     "b " AT " 1\n"
     "refused 4: asInt: must be there, or asDouble\n"},
};

enum { ROW_COUNT = sizeof rows / sizeof *rows };

static void is_read_as_its_row_says(void **state)
{
    const struct row *row = *state;
    char expected[1024];
    (void)fresh(NULL);
    (void)snprintf(expected, sizeof expected, "%sskipped 0\nOK", row->log);
    assert_string_equal(reading_of(row->json), expected);
    (void)done(NULL);
}

static void a_skeleton_of_other_kinds_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json, *name, *message;
    } bad[] = {
        {"[]", "", "must be a JSON object"},
        {"null", "", "must be a JSON object"},
        {"7", "", "must be a JSON object"},
        {"{\"resourceMetrics\":{}}", "resourceMetrics", "must be an array"},
        {"{\"resourceMetrics\":[7]}", "resourceMetrics", "must be an object"},
        {"{\"resourceMetrics\":[{\"resource\":[]}]}", "resource", "must be an object"},
        {"{\"resourceMetrics\":[{\"resource\":{\"attributes\":7}}]}", "attributes",
         "must be an array"},
        {"{\"resourceMetrics\":[{\"scopeMetrics\":\"\"}]}", "scopeMetrics", "must be an array"},
        {"{\"resourceMetrics\":[{\"scopeMetrics\":[[]]}]}", "scopeMetrics", "must be an object"},
        {"{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":true}]}]}", "metrics",
         "must be an array"},
        {REQUEST("7"), "metrics", "must be an object"},
        {REQUEST("{\"name\":7}"), "name", "must be a string"},
        {REQUEST("{\"gauge\":[]}"), "gauge", "must be an object"},
        {REQUEST("{\"exponentialHistogram\":7}"), "exponentialHistogram", "must be an object"},
        {METRIC("summary\":{\"dataPoints\":7},\"gauge", ""), "dataPoints", "must be an array"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_string_equal(reading_of(bad[i].json), "skipped 0\nVALIDATION_ERROR");
        assert_int_equal(err.field_count, 1);
        assert_string_equal(err.fields[0].name, bad[i].name);
        assert_string_equal(err.fields[0].message, bad[i].message);
    }
}

static void what_stands_before_the_wrong_place_is_handed_over(void **state)
{
    (void)state;
    assert_string_equal(
        reading_of(REQUEST("{\"name\":\"m\",\"sum\":{\"dataPoints\":[" POINT
                           "]}},7,{\"name\":\"m\",\"sum\":{\"dataPoints\":[" POINT "]}}")),
        VALUE_OF("1") "skipped 0\nVALIDATION_ERROR");
}

/* A point of `service` with so many labels, and more attributes behind them. */
static void write_point(struct strbuf *json, size_t labels, const char *more, const char *service)
{
    strbuf_printf(json,
                  "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[" LABEL("service.name",
                                                                                TEXT("%s")) "]},",
                  service);
    strbuf_append_slice(json, SLICE("\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\",\"sum\":{"
                                    "\"dataPoints\":[{" T ",\"asInt\":1,\"attributes\":[{}"));
    for (size_t i = 0; i < labels; i++)
        strbuf_printf(json, "," LABEL("%zu", TEXT("")), i);
    strbuf_printf(json, "%s]}]}}]}]}]}%c", more, '\0');
}

#define TOO_MANY                                                                                   \
    "refused 0: attributes: a point may have 64 at most, with service.name\nskipped 0\nOK"

static void a_point_may_have_so_many_labels(void **state)
{
    (void)state;
    static const struct {
        size_t labels;
        const char *more, *service, *log;
    } counts[] = {
        {SERIES_LABELS_MAX, "," LABEL("a", "\"arrayValue\":{}"), "", "m " AT " 1\nskipped 0\nOK"},
        {SERIES_LABELS_MAX - 1, "", "s", "m;service.name=s " AT " 1\nskipped 0\nOK"},
        {SERIES_LABELS_MAX, "," LABEL("a", "\"doubleValue\":-1.2345678901234567"), "", TOO_MANY},
        {SERIES_LABELS_MAX + 9, "", "s", TOO_MANY},
        {SERIES_LABELS_MAX, "", "s", TOO_MANY},
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct strbuf json;
        strbuf_init(&json, 1 << 16);
        write_point(&json, counts[i].labels, counts[i].more, counts[i].service);
        assert_string_equal(reading_of(json.bytes), counts[i].log);
        strbuf_release(&json);
    }
}

static void a_name_has_so_many_bytes_with_what_is_put_behind_it(void **state)
{
    (void)state;
    char name[SERIES_NAME_BYTES_MAX + 1], json[1024];
    memset(name, 'x', sizeof name);
    for (int more = 0; more < 2; more++) {
        const int len = SERIES_NAME_BYTES_MAX - (int)strlen(".count") + more;
        (void)snprintf(json, sizeof json,
                       REQUEST("{\"name\":\"%.*s\",\"histogram\":{\"dataPoints\":[{" T
                               ",\"count\":1,\"sum\":2}]}}"),
                       len, name);
        (void)reading_of(json);
        assert_int_equal(found.samples, more ? 0 : 2);
        if (more)
            assert_string_equal(found.text.bytes,
                                "refused 0: name: must have at most 255 bytes, with its labels\n"
                                "skipped 0\nOK");
    }
}

/* As the specification gives it: opentelemetry-proto, examples/metrics.json, cut down. */
static const char example[] =
    "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
    "\"stringValue\":\"my.service\"}}]},\"scopeMetrics\":[{\"scope\":{\"name\":\"my.library\","
    "\"version\":\"1.0.0\",\"attributes\":[{\"key\":\"my.scope.attribute\",\"value\":{"
    "\"stringValue\":\"some scope attribute\"}}]},\"metrics\":[{\"name\":\"my.counter\",\"unit\":"
    "\"1\",\"description\":\"I am a Counter\",\"sum\":{\"aggregationTemporality\":1,"
    "\"isMonotonic\":true,\"dataPoints\":[{\"asDouble\":5,\"startTimeUnixNano\":"
    "\"1544712660300000000\",\"timeUnixNano\":\"1544712660300000000\",\"attributes\":[{\"key\":"
    "\"my.counter.attr\",\"value\":{\"stringValue\":\"some value\"}}]}]}},{\"name\":"
    "\"my.histogram\",\"unit\":\"1\",\"histogram\":{\"aggregationTemporality\":1,\"dataPoints\":[{"
    "\"startTimeUnixNano\":\"1544712660300000000\",\"timeUnixNano\":\"1544712660300000000\","
    "\"count\":2,\"sum\":2,\"bucketCounts\":[1,1],\"explicitBounds\":[1],\"min\":0,\"max\":2}]}}]}]"
    "}]}";

static void the_example_of_the_specification_is_read(void **state)
{
    (void)state;
    assert_string_equal(
        reading_of(example),
        "my.counter;my.counter.attr=some value;service.name=my.service 1544712660300000 5\n"
        "my.histogram.count;service.name=my.service 1544712660300000 2\n"
        "my.histogram.sum;service.name=my.service 1544712660300000 2\nskipped 0\nOK");
}

static void a_text_that_is_cut_off_is_refused(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof example - 1; len++) {
        sink_log_reset(&found);
        assert_int_equal(read_text(slice_of(example, len)), ERR_VALIDATION);
        assert_int_equal(found.text.len, 0);
    }
}

static void it_stops_when_the_sink_has_enough(void **state)
{
    (void)state;
    static const char *const lines[] = {"m.count " AT " 1\n", "m.sum " AT " 2\n",
                                        "refused 1: dataPoints: a point must be an object\n",
                                        "m.count " AT " 0\n"};
    static const char json[] = REQUEST("{\"name\":\"m\",\"histogram\":{\"dataPoints\":[{" T
                                       ",\"count\":1,\"sum\":2},7,{" T "}]},\"summary\":7},7");
    char log[256] = "";
    for (size_t wanted = 1; wanted <= 4; wanted++) {
        (void)strncat(log, lines[wanted - 1], sizeof log - strlen(log) - 1);
        sink_log_reset(&found);
        found.calls_max = wanted;
        assert_int_equal(read_text(slice_from_string(json)), ERR_OK);
        assert_true(slice_equals(strbuf_slice(&found.text), slice_from_string(log)));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    struct CMUnitTest tests[ROW_COUNT + 7] = {
        TEST(a_skeleton_of_other_kinds_is_refused),
        TEST(what_stands_before_the_wrong_place_is_handed_over),
        TEST(a_point_may_have_so_many_labels),
        TEST(a_name_has_so_many_bytes_with_what_is_put_behind_it),
        TEST(the_example_of_the_specification_is_read),
        TEST(a_text_that_is_cut_off_is_refused),
        TEST(it_stops_when_the_sink_has_enough),
    };
    for (size_t i = 0; i < ROW_COUNT; i++) {
        tests[7 + i] = (struct CMUnitTest){.name = rows[i].fact,
                                           .test_func = is_read_as_its_row_says,
                                           .initial_state = (void *)(uintptr_t)&rows[i]};
    }
    return _cmocka_run_group_tests("otlp_metrics", tests, sizeof tests / sizeof *tests, NULL, NULL);
}
