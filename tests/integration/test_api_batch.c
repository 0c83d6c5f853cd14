/* POST /api/metrics with many samples: arrays, lines, all or nothing, and part of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "sample_batch.h"
#include "test_app.h"

#define GOOD(at, type) "{\"timestamp\":" at ",\"value\":1.5,\"type\":\"" type "\"}"
#define BAD            "{\"timestamp\":\"noon\",\"value\":1,\"type\":\"a\"}"

static const char *const limited[] = {"RATE_LIMIT_REQUESTS", "2", NULL};

static int post(const char *query, const char *body)
{
    return test_app_ask("POST", "/api/metrics", query, body);
}

static void assert_listed(const char *type, size_t count)
{
    char query[64];
    (void)snprintf(query, sizeof query, "limit=1000&type=%s", type);
    assert_int_equal(test_app_get("/api/metrics/list", query), 200);
    size_t listed = 0;
    for (const char *at = test_app.body; (at = strstr(at, "\"id\"")); at++)
        listed++;
    assert_int_equal(listed, count);
}

static void an_array_is_stored_in_one_step(void **state)
{
    (void)state;
    test_app_open(limited);
    assert_int_equal(post("", "[" GOOD("1", "a") "," GOOD("\"2026-02-21T12:00:00Z\"",
                                                          "b") "," GOOD("2", "a") "]"),
                     201);
    assert_true(test_app_body_has("{\"message\":\"Metrics received\",\"timestamp\":\"20"));
    assert_true(test_app_body_has("\"accepted\":3}"));
    assert_true(test_app_has_header("RateLimit: \"post\";r=1;t=60\r\n"));
    assert_listed("a", 2);
    assert_listed("b", 1);
    assert_int_equal(post("", "[" GOOD("3", "a") "]"), 201);
    assert_int_equal(post("", "[" GOOD("4", "a") "]"), 429);
    assert_true(test_app_body_has("\"detail\":\"Rate limit exceeded\""));
    assert_listed("a", 3);
}

static void lines_are_stored_like_an_array(void **state)
{
    (void)state;
    static const char *const types[] = {"application/x-ndjson", "application/jsonl",
                                        "Application/NDJSON; charset=utf-8"};
    test_app_open(NULL);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        test_app.content_type = types[i];
        assert_int_equal(post("", GOOD("1", "a") "\r\n\n" GOOD("2", "b") "\n  " GOOD("3", "a")),
                         201);
        assert_true(test_app_body_has("\"accepted\":3}"));
    }
    assert_listed("a", 2 * sizeof types / sizeof *types);
    assert_listed("b", sizeof types / sizeof *types);
}

static void all_that_is_wrong_is_told_and_nothing_is_stored(void **state)
{
    (void)state;
    test_app_open(limited);
    assert_int_equal(post("", "[" GOOD("1", "a") "," BAD ",7,{\"timestamp\":1,\"value\":\"x\"}]"),
                     422);
    assert_true(
        test_app_body_has("\"errors\":[{\"loc\":[\"body\",1,\"timestamp\"],\"msg\":\"must"));
    assert_true(test_app_body_has("\"pointer\":\"/1/timestamp\"}"));
    assert_true(test_app_body_has("{\"loc\":[\"body\",2],\"msg\":\"must be a JSON object\","
                                  "\"pointer\":\"/2\"}"));
    assert_true(test_app_body_has("\"loc\":[\"body\",3,\"value\"]"));
    assert_true(test_app_body_has("\"loc\":[\"body\",3,\"type\"],\"msg\":\"Field required\""));
    assert_listed("a", 0);

    test_app.content_type = "application/x-ndjson";
    assert_int_equal(post("", GOOD("1", "a") "\n\n{\"timestamp\":1,\"value\":,}\n"), 422);
    assert_true(test_app_body_has(
        "\"loc\":[\"body\",1],\"msg\":\"not acceptable JSON at line 3, column 24: "));
    assert_listed("a", 0);
    test_app.content_type = "";
    assert_int_equal(post("", "[" GOOD("1", "a") "]"), 201); /* nothing was spent */
    assert_true(test_app_has_header("RateLimit: \"post\";r=1;t=60\r\n"));
}

/* Of 400 hours the first 256 go in one step, and the others meet the limit behind them. */
static void what_a_limit_leaves_out_of_a_large_request_is_told(void **state)
{
    (void)state;
    enum { HOURS = 400 };
    const char *const few[] = {"MAX_BUCKETS", "300", NULL};
    static char body[HOURS * 64];
    int len = 0;
    for (int i = 0; i < HOURS; i++)
        len += snprintf(body + len, sizeof body - (size_t)len,
                        "%c{\"timestamp\":%d,\"value\":1,\"type\":\"a\"}", i ? ',' : '[', i * 3600);
    (void)snprintf(body + len, sizeof body - (size_t)len, "]");
    test_app_open(few);
    assert_int_equal(post("", body), 201);
    assert_true(test_app_body_has("\"accepted\":256,\"rejected\":[{\"index\":256,"));
    assert_true(test_app_body_has("\"rejected_count\":144}"));
}

static void of_a_partial_request_what_is_good_is_stored(void **state)
{
    (void)state;
    test_app_open(NULL);
    assert_int_equal(
        post("partial=true", "[" BAD "," GOOD("1", "a") "," BAD "," GOOD("2", "a") "]"), 201);
    assert_true(test_app_body_has("\"accepted\":2,\"rejected\":[{\"index\":0,\"errors\":[{\"loc\":["
                                  "\"body\",0,\"timestamp\"]"));
    assert_true(
        test_app_body_has("},{\"index\":2,\"errors\":[{\"loc\":[\"body\",2,\"timestamp\"]"));
    assert_listed("a", 2);
    assert_int_equal(post("partial=true", "[" GOOD("3", "a") "]"), 201);
    assert_true(test_app_body_has("\"accepted\":1,\"rejected\":[],\"rejected_count\":0}"));
    assert_int_equal(post("partial=false", "[" BAD "," GOOD("4", "a") "]"), 422);
    assert_int_equal(post("partial=maybe", "[" GOOD("4", "a") "]"), 422);
    assert_true(
        test_app_body_has("\"loc\":[\"query\",\"partial\"],\"msg\":\"must be true or false\""));
    assert_listed("a", 3);

    test_app.content_type = "application/x-ndjson";
    assert_int_equal(post("partial=true", "{\n" GOOD("5", "a") "\n]\n"), 201);
    assert_true(test_app_body_has("\"accepted\":1,\"rejected\":[{\"index\":0,"));
    assert_true(test_app_body_has("{\"index\":2,"));
    assert_int_equal(post("partial=true", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n" GOOD("6", "a")), 201);
    assert_true(test_app_body_has("\"index\":9,"));
    assert_listed("a", 5);
}

static void of_an_array_that_is_no_json_nothing_is_stored(void **state)
{
    (void)state;
    test_app_open(NULL);
    static const char *const bodies[] = {
        "[" GOOD("1", "a") ",\n" BAD ",{\"timestamp\":2 \"value\"]",
        "[" GOOD("1", "a") ",\n" BAD ",{\"timestamp\":2 \"value\":1}," GOOD("3", "a") "]",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        for (int partial = 0; partial < 2; partial++) {
            assert_int_equal(post(partial ? "partial=true" : "", bodies[i]), 422);
            assert_true(
                test_app_body_has("\"errors\":[{\"loc\":[\"body\"],\"msg\":\"not acceptable "
                                  "JSON at line 2, column 64: '}' expected\","));
        }
    }
    assert_listed("a", 0);
}

static void a_request_without_a_good_sample_is_refused(void **state)
{
    (void)state;
    static const char *const bodies[] = {"[]", "[" BAD "," BAD "]"};
    test_app_open(NULL);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_int_equal(post("", bodies[i]), 422);
        assert_int_equal(post("partial=true", bodies[i]), 422);
    }
    assert_true(test_app_body_has("\"pointer\":\"/1/timestamp\""));
    assert_int_equal(post("", "[]"), 422);
    assert_true(test_app_body_has("\"msg\":\"must hold at least one sample\""));
    test_app.content_type = "application/x-ndjson";
    assert_int_equal(post("", ""), 422);
    assert_int_equal(post("", "\n \r\n"), 422);
    assert_true(test_app_body_has("\"msg\":\"must hold at least one sample\""));
}

/* `count` samples, each of an hour of its own. */
static const char *hours(char *text, size_t count)
{
    char *end = text;
    for (size_t i = 0; i < count; i++)
        end += snprintf(end, 64, "%s{\"timestamp\":%zu,\"value\":1,\"type\":\"h\"}",
                        i > 0 ? "," : "[", i * 3600);
    (void)snprintf(end, 2, "]");
    return text;
}

/* More than one step of Redis takes. */
static void any_number_of_hours_goes_into_one_request(void **state)
{
    (void)state;
    enum { HOURS = 2 * BATCH_PART_GROUPS + 1 };
    char *text = malloc(64 * (HOURS + 1));
    assert_non_null(text);
    test_app_open(NULL);
    assert_int_equal(post("", hours(text, HOURS)), 201);
    assert_true(test_app_body_has("\"accepted\":513}"));
    assert_listed("h", HOURS);
    free(text);
}

/* The smallest sample there is. */
static const char *smallest(char *text, size_t count)
{
    static const char sample[] = "{\"timestamp\":0,\"value\":0,\"type\":\"s\"},";
    size_t len = sizeof sample - 1;
    text[0] = '[';
    for (size_t i = 0; i < count; i++)
        memcpy(text + 1 + i * len, sample, len);
    text[count * len] = ']';
    text[1 + count * len] = '\0';
    return text;
}

static void as_many_samples_as_there_may_be(void **state)
{
    (void)state;
    char *text = malloc(4 << 20);
    assert_non_null(text);
    test_app_open(NULL);
    assert_int_equal(post("", smallest(text, BATCH_SAMPLES_MAX + 1)), 413);
    assert_true(test_app_body_has("A request may hold 65536 samples at most"));
    assert_int_equal(post("", smallest(text, BATCH_SAMPLES_MAX)), 201);
    assert_true(test_app_body_has("\"accepted\":65536}"));
    assert_int_equal(test_app_get("/api/metrics/summary", "type=s"), 200);
    assert_true(test_app_body_has("\"count\":65536,"));
    free(text);
}

static void one_type_too_many_refuses_all(void **state)
{
    (void)state;
    static const char *const two[] = {"MAX_TYPES", "2", NULL};
    test_app_open(two);
    assert_int_equal(post("", "[" GOOD("1", "a") "," GOOD("1", "b") "," GOOD("1", "c") "]"), 422);
    assert_true(test_app_body_has("There are 2 types already"));
    assert_listed("", 0);
    assert_int_equal(post("", "[" GOOD("1", "a") "," GOOD("1", "b") "]"), 201);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, test_app_begin, test_app_end)
    const struct CMUnitTest tests[] = {
        TEST(an_array_is_stored_in_one_step),
        TEST(lines_are_stored_like_an_array),
        TEST(all_that_is_wrong_is_told_and_nothing_is_stored),
        TEST(of_a_partial_request_what_is_good_is_stored),
        TEST(of_an_array_that_is_no_json_nothing_is_stored),
        TEST(a_request_without_a_good_sample_is_refused),
        TEST(any_number_of_hours_goes_into_one_request),
        TEST(as_many_samples_as_there_may_be),
        TEST(what_a_limit_leaves_out_of_a_large_request_is_told),
        TEST(one_type_too_many_refuses_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
