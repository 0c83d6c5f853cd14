/* What a client would rather have, and what it has already: accept, etag. And csv. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "accept.h"
#include "csv.h"
#include "etag.h"
#include "heap_slice.h"
#include "iso8601.h"

static const struct accept_row {
    const char *accept;
    bool prefers_csv;
} accept_rows[] = {
    {"", false},
    {"text/csv", true},
    {"TEXT/CSV", true},
    {"text/csv; header=present", true},
    {"text/*", true},
    {"*/*", false},
    {"application/json", false},
    {"text/csv, application/json", false},
    {"text/csv, application/json;q=0.9", true},
    {"text/csv;q=0.5, application/json;q=0.9", false},
    {"text/csv ; q=0.5 , */*;q=0.4", true},
    {"*/*;q=0.4,text/csv;Q=0.5", true},
    {"text/csv;q=0, */*", false},
    {"application/json;q=0, */*", true},
    {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false},
    {"text/csv;q=1.5", false},
    {"text/csv;q=-1", false},
    {"text/csv;q=x", false},
    {"text/csv;q=", false},
    {"text/csv;q", false},
    {"text", false},
    {"text/csvx", false},
    {"text/", false},
    {"/csv", false},
    {",;,/;q=1,text/csv;;,", true},
};

static void means_what_its_row_says(void **state)
{
    const struct accept_row *row = *state;
    struct slice accept = heap_slice_new(row->accept, strlen(row->accept));
    assert_int_equal(accept_prefers(accept, SLICE("text/csv"), SLICE("application/json")),
                     row->prefers_csv);
    heap_slice_free(accept);
}

static void absent_prefers_nothing(void **state)
{
    (void)state;
    assert_false(accept_prefers((struct slice){NULL, 0}, SLICE("a/b"), SLICE("c/d")));
}

static void a_tag_matches_where_it_is_listed(void **state)
{
    (void)state;
    static const char *const matching[] = {"\"a\"",           "W/\"a\"", "\"b\", \"a\"",
                                           " \"b\",W/\"a\" ", "*",       ",,\"a\""};
    static const char *const other[] = {"",    "\"b\"", "a",      "\"A\"",
                                        "W/a", "\"a",   "\"a\"b", "W/W/\"a\""};
    for (size_t i = 0; i < sizeof matching / sizeof *matching; i++) {
        struct slice listed = heap_slice_new(matching[i], strlen(matching[i]));
        assert_true(etag_matches(listed, SLICE("\"a\"")));
        heap_slice_free(listed);
    }
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        struct slice listed = heap_slice_new(other[i], strlen(other[i]));
        assert_false(etag_matches(listed, SLICE("\"a\"")));
        heap_slice_free(listed);
    }
}

static void an_answer_that_the_client_has_is_304(void **state)
{
    (void)state;
    struct response res;
    response_init(&res);
    struct request req = {.if_none_match = SLICE("\"00000000000000ff\"")};
    assert_false(etag_answer_hashed(&req, &res, 254));
    assert_int_equal(res.status, 200);
    assert_true(slice_equals(strbuf_slice(&res.headers), SLICE("ETag: \"00000000000000fe\"\r\n")));
    assert_string_equal(res.cache_control, "no-cache");
    response_reset(&res);
    assert_true(etag_answer_hashed(&req, &res, 255));
    assert_int_equal(res.status, 304);
    assert_false(res.has_body);
    assert_true(slice_equals(strbuf_slice(&res.headers), SLICE("ETag: \"00000000000000ff\"\r\n")));
    response_release(&res);
}

static void an_answer_is_tagged_by_its_body(void **state)
{
    (void)state;
    struct response res;
    response_init(&res);
    for (int round = 0; round < 3; round++) {
        char tag[24], line[48];
        struct slice body = round == 2 ? SLICE("other") : SLICE("body");
        (void)snprintf(tag, sizeof tag, "\"%016llx\"",
                       (unsigned long long)etag_hash(SLICE("body")));
        struct request req = {.if_none_match = round == 0 ? SLICE("") : slice_from_string(tag)};
        response_reset(&res);
        strbuf_append_slice(&res.body, body);
        etag_answer(&req, &res);
        assert_int_equal(res.status, round == 1 ? 304 : 200);
        assert_int_equal(res.has_body, round != 1);
        (void)snprintf(line, sizeof line, "ETag: %s\r\n", tag);
        assert_int_equal(slice_equals(strbuf_slice(&res.headers), slice_from_string(line)),
                         round != 2);
    }
    response_release(&res);
}

static void rows_are_quoted_where_they_must_be(void **state)
{
    (void)state;
    struct strbuf out;
    struct csv_writer w;
    strbuf_init(&out, 1000);
    csv_begin(&w, &out);
    csv_text(&w, SLICE("plain text"));
    csv_text(&w, SLICE("a,b"));
    csv_text(&w, SLICE("say \"x\""));
    csv_text(&w, SLICE("\""));
    csv_text(&w, SLICE("two\nlines"));
    csv_text(&w, SLICE("a\rb"));
    csv_text(&w, SLICE(""));
    csv_end_row(&w);
    csv_integer(&w, INT64_MIN);
    csv_number(&w, 85.0);
    csv_number(&w, NAN);
    csv_number(&w, -INFINITY);
    csv_number(&w, -0.5);
    csv_instant(&w, (struct wall_time){1500000});
    csv_end_row(&w);
    csv_end_row(&w);
    static const char expected[] =
        "plain text,\"a,b\",\"say \"\"x\"\"\",\"\"\"\",\"two\nlines\",\"a\rb\",\n"
        "-9223372036854775808,85.0,,,-0.5,1970-01-01T00:00:01.500Z\n\n";
    assert_true(slice_equals(strbuf_slice(&out), slice_from_string(expected)));
    strbuf_release(&out);
}

static void a_text_that_a_spreadsheet_would_run_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *text, *cell;
    } cells[] = {
        {"=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\""},
        {"=1+1", "'=1+1"},
        {"+1", "'+1"},
        {"-1", "'-1"},
        {"@SUM(A1)", "'@SUM(A1)"},
        {"\t=1", "'\t=1"},
        {"\r=1", "\"'\r=1\""},
        {"=", "'="},
        {"a=1", "a=1"},
        {"'=1", "'=1"},
        {" =1", " =1"},
        {"", ""},
    };
    struct strbuf out;
    struct csv_writer w;
    strbuf_init(&out, 1000);
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        strbuf_reset(&out);
        csv_begin(&w, &out);
        csv_text(&w, slice_from_string(cells[i].text));
        if (!slice_equals(strbuf_slice(&out), slice_from_string(cells[i].cell)))
            fail_msg("%s became %.*s", cells[i].text, (int)out.len, strbuf_slice(&out).ptr);
    }
    strbuf_reset(&out);
    csv_begin(&w, &out);
    csv_plain(&w, SLICE("-5-0-ff"));
    csv_text(&w, slice_of("\0=", 2));
    csv_integer(&w, -1);
    csv_number(&w, -0.5);
    csv_instant(&w, (struct wall_time){ISO8601_MIN_US});
    assert_true(
        slice_equals(strbuf_slice(&out), SLICE("-5-0-ff,\0=,-1,-0.5,0001-01-01T00:00:00Z")));
    strbuf_release(&out);
}

int main(void)
{
    enum { ROWS = sizeof accept_rows / sizeof *accept_rows, OTHERS = 6 };
    struct CMUnitTest tests[ROWS + OTHERS] = {
        cmocka_unit_test(absent_prefers_nothing),
        cmocka_unit_test(a_tag_matches_where_it_is_listed),
        cmocka_unit_test(an_answer_that_the_client_has_is_304),
        cmocka_unit_test(an_answer_is_tagged_by_its_body),
        cmocka_unit_test(rows_are_quoted_where_they_must_be),
        cmocka_unit_test(a_text_that_a_spreadsheet_would_run_is_none),
    };
    for (size_t i = 0; i < ROWS; i++)
        tests[OTHERS + i] =
            (struct CMUnitTest){.name = *accept_rows[i].accept ? accept_rows[i].accept : "empty",
                                .test_func = means_what_its_row_says,
                                .initial_state = (void *)(uintptr_t)&accept_rows[i]};
    return cmocka_run_group_tests_name("negotiation", tests, NULL, NULL);
}
