#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "json_read.h"
#include "problem.h"
#include "rate_limiter.h"

static struct response res;
static const struct request req = {.request_id = {"id-1", 4}};

static int fresh(void **state)
{
    (void)state;
    response_init(&res);
    return 0;
}

static int done(void **state)
{
    (void)state;
    response_release(&res);
    return 0;
}

static bool has_header(const char *line)
{
    struct slice all = strbuf_slice(&res.headers);
    return memmem(all.ptr, all.len, line, strlen(line)) != NULL;
}

static struct slice text_member(const struct json_value *object, const char *name)
{
    struct slice text = {NULL, 0};
    assert_true(json_value_text(json_value_member(object, name), &text));
    return text;
}

static void every_error_code_has_status_type_and_title(void **state)
{
    (void)state;
    for (int code = ERR_OK + 1; code < ERR_CODE_COUNT; code++) {
        const struct problem_kind *kind = problem_kind_of((enum err_code)code);
        if (!kind->type || !kind->title || kind->status < 400 || kind->status > 599)
            fail_msg("%s is not in the table", err_name((enum err_code)code));
    }
}

static void no_two_codes_share_a_type(void **state)
{
    (void)state;
    for (int a = ERR_OK + 1; a < ERR_CODE_COUNT; a++) {
        for (int b = a + 1; b < ERR_CODE_COUNT; b++) {
            assert_string_not_equal(problem_kind_of((enum err_code)a)->type,
                                    problem_kind_of((enum err_code)b)->type);
        }
    }
}

static void members_serve_both_kinds_of_client(void **state)
{
    (void)state;
    struct error err;
    error_init(&err);
    (void)error_add_field(&err, "body", "value", "must be a number");
    (void)error_add_field(&err, "query", "limit", "must be small");
    (void)error_add_field(&err, "body", "", "must be an object");
    error_set_cause(&err, "for the log alone");
    problem_write(&err, &req, &res);
    assert_int_equal(res.status, 422);
    assert_string_equal(res.content_type, "application/problem+json");

    struct error parse_error;
    error_init(&parse_error);
    struct json_document *document =
        json_document_new(strbuf_slice(&res.body), "body", &parse_error);
    assert_non_null(document);
    const struct json_value *root = json_document_root(document);
    double status = 0;
    assert_true(json_value_number(json_value_member(root, "status"), &status));
    assert_true(status == 422);
    assert_true(slice_equals(text_member(root, "code"), SLICE("VALIDATION_ERROR")));
    assert_true(slice_equals(text_member(root, "message"), text_member(root, "detail")));
    assert_true(slice_equals(text_member(root, "request_id"), SLICE("id-1")));
    assert_true(text_member(root, "type").len > 0 && text_member(root, "title").len > 0);
    assert_true(text_member(root, "timestamp").len > 0);
    assert_non_null(json_value_member(root, "errors"));
    json_document_free(document);

    static const char expected[] =
        "\"errors\":[{\"loc\":[\"body\",\"value\"],\"msg\":\"must be a number\",\"pointer\":"
        "\"/value\"},{\"loc\":[\"query\",\"limit\"],\"msg\":\"must be small\"},{\"loc\":[\"body\"],"
        "\"msg\":\"must be an object\",\"pointer\":\"\"}]";
    struct slice body = strbuf_slice(&res.body);
    assert_non_null(memmem(body.ptr, body.len, expected, sizeof expected - 1));
    assert_null(memmem(body.ptr, body.len, "log alone", 9));
}

static void retry_after_is_in_seconds_rounded_up(void **state)
{
    (void)state;
    static const struct {
        uint32_t ms;
        const char *line;
    } cases[] = {{0, "Retry-After: 1\r\n"},
                 {1, "Retry-After: 1\r\n"},
                 {1000, "Retry-After: 1\r\n"},
                 {1001, "Retry-After: 2\r\n"},
                 {UINT32_MAX, "Retry-After: 4294968\r\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err;
        error_init(&err);
        (void)error_set(&err, ERR_RATE_LIMITED, "Rate limit exceeded");
        err.retry_after_ms = cases[i].ms;
        response_reset(&res);
        problem_write(&err, &req, &res);
        assert_true(has_header(cases[i].line));
    }
}

/* Who comes back a part of a second early is refused again. */
static void a_limiters_wait_is_never_told_shorter(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        uint32_t ms;
        const char *line;
    } cases[] = {{1, 1, "Retry-After: 1\r\n"},
                 {1000000, 1000, "Retry-After: 1\r\n"},
                 {1000001, 1001, "Retry-After: 2\r\n"},
                 {2000000, 2000, "Retry-After: 2\r\n"},
                 {2000400, 2001, "Retry-After: 3\r\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct rate_verdict verdict = {.retry_after_us = cases[i].us};
        struct error err;
        error_init(&err);
        assert_int_equal(rate_verdict_refuse(&verdict, &err), ERR_RATE_LIMITED);
        assert_int_equal(err.retry_after_ms, cases[i].ms);
        response_reset(&res);
        problem_write(&err, &req, &res);
        assert_int_equal(res.status, 429);
        assert_true(has_header(cases[i].line));
    }
}

static void only_429_503_and_507_say_when_to_retry(void **state)
{
    (void)state;
    for (int code = ERR_OK + 1; code < ERR_CODE_COUNT; code++) {
        struct error err;
        error_init(&err);
        (void)error_set(&err, (enum err_code)code, "x");
        response_reset(&res);
        problem_write(&err, &req, &res);
        bool is_expected = res.status == 429 || res.status == 503 || res.status == 507;
        assert_int_equal(has_header("Retry-After: "), is_expected);
    }
}

static void a_problem_replaces_what_the_handler_wrote(void **state)
{
    (void)state;
    strbuf_append_slice(&res.body, SLICE("half an answer"));
    res.cache_control = "no-cache";
    res.has_body = false;
    struct error err;
    error_init(&err);
    (void)error_set(&err, ERR_INTERNAL, "broken");
    problem_write(&err, &req, &res);
    assert_int_equal(res.body.bytes[0], '{');
    assert_true(res.has_body);
    assert_string_equal(res.cache_control, "no-store");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(every_error_code_has_status_type_and_title),
        TEST(no_two_codes_share_a_type),
        TEST(members_serve_both_kinds_of_client),
        TEST(retry_after_is_in_seconds_rounded_up),
        TEST(a_limiters_wait_is_never_told_shorter),
        TEST(only_429_503_and_507_say_when_to_retry),
        TEST(a_problem_replaces_what_the_handler_wrote),
    };
    return cmocka_run_group_tests_name("problem", tests, NULL, NULL);
}
