/* GET /api/metrics/list against a real Redis, through dispatch: pages, links, formats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "await.h"
#include "csv.h"
#include "json_read.h"
#include "record.h"
#include "span.h"
#include "test_app.h"

enum { MEGABYTE = 1000000, QUERY_BYTES = 4096, IDS_BYTES = 1 << 20, START = 1771675200 };

static const char ODD[] = "a,b \"c\"&d>%;\xc3\xa9";
static const char ODD_QUERY[] = "a%2Cb+%22c%22%26d>%25;%C3%A9";

static int open_app(void **state)
{
    if (test_app_begin(state) != 0)
        return -1;
    test_app_open(NULL);
    return 0;
}

static int get(const char *query)
{
    return test_app_get("/api/metrics/list", query);
}

static void assert_refused(const char *query, const char *name, const char *why)
{
    char expected[256];
    (void)snprintf(expected, sizeof expected, "\"loc\":[\"query\",\"%s\"]", name);
    if (get(query) != 422 || !test_app_body_has(expected) || !test_app_body_has(why))
        fail_msg("%s: %d %s", query, test_app.res.status, test_app.body);
}

static int64_t second(int64_t n)
{
    return (START + n) * 1000000;
}

/* The query that a relation of Link leads to; false where there is none. */
static bool find_link(const char *relation, char query[static QUERY_BYTES])
{
    char end[32];
    (void)snprintf(end, sizeof end, ">; rel=\"%s\"", relation);
    const char *line = strstr(test_app.headers, "Link: <?");
    const char *at = line ? strstr(line, end) : NULL;
    if (!at || at > strstr(line, "\r\n"))
        return false;
    const char *begin = at;
    while (begin[-1] != '<')
        begin--;
    assert_true(*begin == '?' && at - begin < QUERY_BYTES);
    (void)snprintf(query, QUERY_BYTES, "%.*s", (int)(at - begin - 1), begin + 1);
    return true;
}

/* --- Answers parsed back ----------------------------------------------------------- */

static size_t body_lines(void)
{
    size_t lines = 0;
    for (size_t i = 0; i < test_app.res.body.len; i++)
        lines += test_app.body[i] == '\n';
    return lines;
}

static bool append_row(void *context, struct slice name, const struct json_value *element)
{
    static const char *const texts[] = {"id", "timestamp", "type"};
    struct strbuf *rows = context;
    (void)name;
    for (size_t i = 0; i < 3; i++) {
        struct slice text;
        assert_true(json_value_text(json_value_member(element, texts[i]), &text));
        strbuf_append_slice(rows, text);
        strbuf_append_char(rows, '|');
    }
    double value;
    assert_true(json_value_number(json_value_member(element, "value"), &value));
    strbuf_printf(rows, "%.17g\n", value);
    return true;
}

static void parse_json(struct strbuf *rows)
{
    struct json_document *document = test_app_parse_body();
    assert_int_equal(json_value_kind(json_document_root(document)), JSON_KIND_ARRAY);
    json_value_each(json_document_root(document), append_row, rows);
    json_document_free(document);
}

static void parse_ndjson(struct strbuf *rows)
{
    struct slice rest = strbuf_slice(&test_app.res.body);
    assert_true(rest.len == 0 || rest.ptr[rest.len - 1] == '\n');
    while (rest.len > 0) {
        struct error err;
        error_init(&err);
        struct json_document *document = json_document_new(slice_cut(&rest, '\n'), "line", &err);
        assert_non_null(document);
        (void)append_row(rows, SLICE(""), json_document_root(document));
        json_document_free(document);
    }
}

/* As RFC 4180 has it: quotes only around a whole field, doubled within. */
static struct slice take_field(struct slice *rest, char *buffer)
{
    size_t len = 0, i = 0;
    bool is_quoted = rest->len > 0 && rest->ptr[0] == '"';
    for (i = is_quoted; i < rest->len; i++) {
        char c = rest->ptr[i];
        bool is_double = is_quoted && c == '"' && i + 1 < rest->len && rest->ptr[i + 1] == '"';
        if (is_double)
            i++;
        else if (is_quoted ? c == '"' : c == ',' || c == '\n')
            break;
        assert_true(is_quoted || c != '"');
        buffer[len++] = c;
    }
    i += is_quoted;
    assert_true(i < rest->len && (rest->ptr[i] == ',' || rest->ptr[i] == '\n'));
    *rest = slice_of(rest->ptr + i + 1, rest->len - i - 1);
    return slice_of(buffer, len);
}

static void parse_csv(struct strbuf *rows)
{
    struct slice rest = strbuf_slice(&test_app.res.body), head = SLICE("id,timestamp,value,type\n");
    assert_true(slice_starts_with(rest, head));
    rest = slice_of(rest.ptr + head.len, rest.len - head.len);
    while (rest.len > 0) {
        char buffers[4][512] = {{0}};
        struct slice id = take_field(&rest, buffers[0]), at = take_field(&rest, buffers[1]),
                     value = take_field(&rest, buffers[2]), type = take_field(&rest, buffers[3]);
        strbuf_printf(rows, "%.*s|%.*s|%.*s|", (int)id.len, id.ptr, (int)at.len, at.ptr,
                      (int)type.len, type.ptr);
        strbuf_printf(rows, "%.17g\n", strtod(value.ptr, NULL));
    }
}

/* --- Walks ------------------------------------------------------------------------- */

static void append_ids(struct strbuf *ids)
{
    for (const char *at = test_app.body; (at = strstr(at, "\"id\":\"")); at++)
        strbuf_append(ids, at + 6, strcspn(at + 6, "\"") + 1);
}

/* The ids of each page behind those of the page before it (`is_after`), or before them. */
static size_t follow(const char *relation, bool is_after, struct strbuf *ids)
{
    char next[QUERY_BYTES];
    size_t pages = 0;
    while (find_link(relation, next)) {
        struct strbuf page;
        assert_int_equal(get(next), 200);
        strbuf_init(&page, IDS_BYTES);
        append_ids(&page);
        assert_true(page.len > 0);
        if (!is_after) {
            strbuf_append_slice(&page, strbuf_slice(ids));
            strbuf_reset(ids);
        }
        strbuf_append_slice(ids, strbuf_slice(&page));
        strbuf_release(&page);
        pages++;
    }
    return pages;
}

static void assert_same(const struct strbuf *a, const struct strbuf *b)
{
    assert_false(strbuf_failed(a) || strbuf_failed(b));
    assert_true(a->len > 0);
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->bytes, b->bytes, a->len);
}

static void check_walk(const char *query, size_t pages)
{
    char paged[QUERY_BYTES], other[QUERY_BYTES];
    bool is_forward = strstr(query, "oldest") != NULL;
    struct strbuf all, there, back;
    strbuf_init(&all, IDS_BYTES);
    strbuf_init(&there, IDS_BYTES);
    strbuf_init(&back, IDS_BYTES);
    (void)snprintf(paged, sizeof paged, "%s&limit=1000", query);
    assert_int_equal(get(paged), 200);
    append_ids(&all);
    assert_false(find_link("next", other) || find_link("prev", other));

    (void)snprintf(paged, sizeof paged, "%s&limit=7", query);
    assert_int_equal(get(paged), 200);
    assert_false(find_link("prev", other));
    append_ids(&there);
    assert_int_equal(follow("next", is_forward, &there), pages - 1);
    assert_same(&there, &all);

    append_ids(&back);
    assert_int_equal(follow("prev", !is_forward, &back), pages - 1);
    assert_same(&back, &all);
    strbuf_release(&all);
    strbuf_release(&there);
    strbuf_release(&back);
}

/* --- Tests ------------------------------------------------------------------------- */

static void the_usual_list_is_as_it_ever_was(void **state)
{
    (void)state;
    char next[QUERY_BYTES];
    assert_int_equal(get(""), 200);
    assert_string_equal(test_app.body, "[]");
    assert_false(find_link("next", next));
    for (int i = 0; i < 101; i++)
        test_app_add("cpu", second(i / 2), i);
    assert_int_equal(get("type=cpu&limit=2"), 200);
    assert_string_equal(
        test_app.body,
        "[{\"id\":\"1771675249000000-1-f5a8fa190cb314c9\",\"timestamp\":\"2026-02-21T12:00:49Z\","
        "\"value\":99.0,\"type\":\"cpu\"},{\"id\":\"1771675250000000-0-f5a8fa190cb314c9\","
        "\"timestamp\":\"2026-02-21T12:00:50Z\",\"value\":100.0,\"type\":\"cpu\"}]");
    assert_string_equal(test_app.res.content_type, "application/json");
    struct strbuf ids;
    strbuf_init(&ids, IDS_BYTES);
    assert_int_equal(get(""), 200);
    append_ids(&ids);
    assert_true(slice_starts_with(strbuf_slice(&ids), SLICE("1771675200000000-1-")));
    assert_true(find_link("next", next));
    strbuf_release(&ids);
}

static void links_lead_through_everything_and_back(void **state)
{
    (void)state;
    char query[QUERY_BYTES];
    for (int i = 0; i < 50; i++) {
        test_app_add(ODD, second(i / 9), i);
        test_app_add("cpu", second(i / 3), i);
    }
    check_walk("", 15);
    check_walk("order=newest&type=", 15);
    check_walk("order=oldest", 15);
    check_walk("order=oldest&type=cpu", 8);
    check_walk("from=2026-02-21T12:00:02Z&to=1771675204", 4);
    check_walk("order=oldest&from=1771675202&to=2026-02-21T12:00:04%2b00:00", 4);
    (void)snprintf(query, sizeof query, "type=%s&x=%%<&from=-9999d", ODD_QUERY);
    check_walk(query, 8);
}

static void a_link_carries_the_parameters_and_one_cursor(void **state)
{
    (void)state;
    char next[QUERY_BYTES], expected[QUERY_BYTES];
    for (int i = 0; i < 30; i++)
        test_app_add(ODD, second(i), i);
    (void)snprintf(expected, sizeof expected, "limit=5&type=%s&%%", ODD_QUERY);
    assert_int_equal(get(expected), 200);
    const char wanted[] = "type=a%2Cb+%22c%22%26d%3E%25%3B%C3%A9&limit=5&cursor=";
    for (int i = 0; i < 3; i++) {
        assert_true(find_link("next", next));
        assert_memory_equal(next, wanted, sizeof wanted - 1);
        const char *cursor = next + sizeof wanted - 1;
        assert_int_equal(strlen(cursor), 54); /* 40 bytes: the type is in the query */
        for (; *cursor; cursor++)
            assert_true(isalnum((unsigned char)*cursor) || *cursor == '-' || *cursor == '_');
        assert_int_equal(get(next), 200);
    }
}

/* Whatever a client puts into its query: the next page is there, and is found in 16 KiB. */
static void what_the_list_does_not_know_is_in_no_link(void **state)
{
    (void)state;
    static char blown_up[QUERY_BYTES + 16384], others[12001];
    char query[QUERY_BYTES], next[QUERY_BYTES], name[401] = "";
    memset(others, '(', sizeof others - 1);
    for (int i = 0; i < 100; i++)
        memcpy(name + 4 * i, "\xf0\x9f\x8c\xa1", 5);
    for (int i = 0; i < 3; i++)
        test_app_add(name, second(i), i);
    (void)snprintf(query, sizeof query,
                   "limit=1&type=%s&order=oldest&format=ndjson&limit=00000000000000000001&"
                   "from=0000000000000000000000000000000000000000000000000000000000000001&"
                   "to=2099-01-01T00:00:00Z",
                   name);
    assert_int_equal(get(query), 200);
    assert_true(find_link("next", next));
    (void)snprintf(blown_up, sizeof blown_up, "%s&x=%s", next, others);
    assert_int_equal(get(blown_up), 200);
    assert_true(test_app_body_has("\"value\":1.0"));
    assert_true(test_app.res.headers.len < 8192);
    assert_true(find_link("next", next));
    assert_null(strchr(next, '('));
    assert_int_equal(get(next), 200);
    assert_true(test_app_body_has("\"value\":2.0"));
}

static void a_cursor_is_good_for_its_own_list_alone(void **state)
{
    (void)state;
    static const char altered[] = "altered or cut off";
    static const char foreign[] = "belongs to a list with other type, from, to or order";
    char next[QUERY_BYTES], query[2 * QUERY_BYTES];
    for (int i = 0; i < 30; i++)
        test_app_add("cpu", second(i), i);
    assert_int_equal(get("type=cpu&from=1771675201&limit=5"), 200);
    assert_true(find_link("next", next));
    const char *cursor = strstr(next, "cursor=");
    static const char *const others[] = {
        "from=1771675201",
        "type=cp&from=1771675201",
        "type=cpu",
        "type=cpu&from=1771675201.0",
        "type=cpu&from=1771675201&to=1771679999",
        "type=cpu&from=1771675201&order=oldest",
        "type=cpu&to=1771675201",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        (void)snprintf(query, sizeof query, "%s&%s", others[i], cursor);
        assert_refused(query, "cursor", foreign);
    }
    /* These do not matter. */
    (void)snprintf(query, sizeof query,
                   "order=newest&limit=9&format=csv&from=1771675201&type=cpu&%s", cursor);
    assert_int_equal(get(query), 200);
    (void)snprintf(query, sizeof query, "%s", next);
    for (size_t i = strlen(next); i-- > (size_t)(cursor - next) + strlen("cursor=");) {
        query[i] = query[i] == 'A' ? 'B' : 'A';
        assert_refused(query, "cursor", altered);
        (void)snprintf(query, sizeof query, "%.*s", (int)i, next);
        assert_refused(query, "cursor", altered);
        (void)snprintf(query, sizeof query, "%s", next);
    }
}

static void what_is_wrong_is_told(void **state)
{
    (void)state;
    assert_refused("limit=1001", "limit", "from 1 to 1000");
    assert_refused("limit=0&format=csv", "limit", "from 1 to 100000");
    assert_refused("limit=100001&format=ndjson", "limit", "from 1 to 100000");
    assert_refused("format=xml", "format", "must be json, ndjson or csv");
    assert_refused("format=", "format", "must be json, ndjson or csv");
    assert_refused("order=Oldest", "order", "must be newest or oldest");
    assert_refused("from=soon", "from", "must be a date");
    assert_refused("from=2&to=2", "to", "must be after from");
    assert_refused("type=%00", "type", "control characters");
    assert_refused("cursor=%zz", "cursor", "percent-encoding");
    assert_refused("cursor=", "cursor", "altered");
    assert_refused("limit=x&order=x&format=x&cursor=x&from=x&to=x&type=%01", "to", "\"from\"");
    assert_true(test_app_body_has("[\"query\",\"cursor\"]"));
    assert_true(test_app_body_has("[\"query\",\"type\"]"));
    assert_int_equal(get("limit=100000&format=csv"), 200);
}

static void every_format_says_the_same(void **state)
{
    (void)state;
    static const double values[] = {0.0, -0.0, 5e-324, 1.7976931348623157e308, 1.0 / 3, -1e9, 85.5};
    struct strbuf json, ndjson, csv;
    strbuf_init(&json, IDS_BYTES);
    strbuf_init(&ndjson, IDS_BYTES);
    strbuf_init(&csv, IDS_BYTES);
    for (int i = 0; i < 70; i++)
        test_app_add(i % 3 ? "cpu" : ODD, second(i / 4) + i % 2 * 1001, values[i % 7]);
    for (int order = 0; order < 2; order++) {
        char query[64];
        strbuf_reset(&json);
        strbuf_reset(&ndjson);
        strbuf_reset(&csv);
        (void)snprintf(query, sizeof query, "limit=50&order=%s", order ? "oldest" : "newest");
        assert_int_equal(get(query), 200);
        parse_json(&json);
        (void)snprintf(query, sizeof query, "limit=50&order=%s&format=ndjson",
                       order ? "oldest" : "newest");
        assert_int_equal(get(query), 200);
        parse_ndjson(&ndjson);
        (void)snprintf(query, sizeof query, "limit=50&order=%s&format=csv",
                       order ? "oldest" : "newest");
        assert_int_equal(get(query), 200);
        parse_csv(&csv);
        assert_same(&ndjson, &json);
        assert_same(&csv, &json);
    }
    strbuf_release(&json);
    strbuf_release(&ndjson);
    strbuf_release(&csv);
}

static void a_format_is_asked_for_by_name_or_by_accept(void **state)
{
    (void)state;
    static const struct {
        const char *accept, *query, *content_type;
    } rows[] = {
        {"", "", "application/json"},
        {"*/*", "", "application/json"},
        {"text/csv", "", CSV_CONTENT_TYPE},
        {"application/x-ndjson", "", "application/x-ndjson"},
        {"text/csv;q=0.5, application/x-ndjson", "", "application/x-ndjson"},
        {"application/json, text/csv;q=0.9", "", "application/json"},
        {"text/html,*/*;q=0.8", "", "application/json"},
        {"text/csv", "format=json", "application/json"},
        {"application/json", "format=csv", CSV_CONTENT_TYPE},
        {"", "format=ndjson", "application/x-ndjson"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_app.accept = rows[i].accept;
        assert_int_equal(get(rows[i].query), 200);
        assert_string_equal(test_app.res.content_type, rows[i].content_type);
    }
}

static void an_empty_export_has_a_head_at_most(void **state)
{
    (void)state;
    assert_int_equal(get("format=csv"), 200);
    assert_string_equal(test_app.body, "id,timestamp,value,type\n");
    assert_int_equal(get("format=ndjson&order=oldest"), 200);
    assert_int_equal(test_app.res.body.len, 0);
    assert_true(test_app.res.has_body);
}

/*
 * Records of 125 bytes: 8,000 of them are 1 MB. In CSV the head takes 24 bytes, so one
 * record is that much shorter. `value` is that of this one; 0.25 is a byte too much.
 */
static void add_a_megabyte(const char *format, double value)
{
    char name[101], shorter[101];
    int is_csv = strcmp(format, "csv") == 0, len = is_csv ? 63 : 23;
    (void)snprintf(name, sizeof name, "%0*d", len, 0);
    (void)snprintf(shorter, sizeof shorter, "%0*d", is_csv ? len - 24 : len, 0);
    for (int i = 0; i < 8000; i++)
        test_app_add(i == 4000 ? shorter : name, second(i), i == 4000 ? value : 0.5);
}

static void check_export(const char *order, const char *format, size_t records, bool has_next)
{
    char query[QUERY_BYTES];
    (void)snprintf(query, sizeof query, "limit=100000&order=%s&format=%s", order, format);
    assert_int_equal(get(query), 200);
    assert_int_equal(body_lines(), records + (*format == 'c'));
    assert_in_range(test_app.res.body.len, MEGABYTE - 200, MEGABYTE);
    assert_int_equal(find_link("next", query), has_next);
}

static void an_export_page_ends_at_a_megabyte(const char *format)
{
    static const char *const orders[] = {"newest", "oldest"};
    char query[QUERY_BYTES];
    add_a_megabyte(format, 0.5);
    for (size_t i = 0; i < 2; i++) {
        check_export(orders[i], format, 8000, false);
        assert_int_equal(test_app.res.body.len, MEGABYTE);
    }
    test_app_command("FLUSHALL");
    add_a_megabyte(format, 0.25);
    for (size_t i = 0; i < 2; i++) {
        check_export(orders[i], format, 7999, true);
        assert_true(find_link("next", query));
        assert_int_equal(get(query), 200);
        assert_int_equal(body_lines(), 1 + (*format == 'c'));
        assert_false(find_link("next", query));
    }
}

static void an_ndjson_page_ends_at_a_megabyte(void **state)
{
    (void)state;
    an_export_page_ends_at_a_megabyte("ndjson");
}

static void a_csv_page_ends_at_a_megabyte(void **state)
{
    (void)state;
    an_export_page_ends_at_a_megabyte("csv");
}

static void an_export_is_all_of_it_page_by_page(void **state)
{
    (void)state;
    enum { COUNT = 25000 };
    static const char *const starts[] = {"format=ndjson&limit=100000", "format=ndjson",
                                         "format=csv&order=oldest&limit=100000"};
    for (int i = 0; i < COUNT; i++)
        test_app_add("cpu", second(i / 3), i);
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        char next[QUERY_BYTES];
        size_t records = 0;
        (void)snprintf(next, sizeof next, "%s", starts[i]);
        do {
            assert_int_equal(get(next), 200);
            assert_true(test_app.res.body.len <= MEGABYTE);
            records += body_lines() - (test_app.res.content_type[0] == 't');
        } while (find_link("next", next));
        assert_int_equal(records, COUNT);
    }
}

static void a_name_that_would_be_a_formula_is_none(void **state)
{
    (void)state;
    static const char query[] = "type=%3DHYPERLINK(%22http://x%22)&format=csv";
    test_app_add("=HYPERLINK(\"http://x\")", -5000000, -2.5);
    assert_int_equal(get(query), 200);
    assert_true(test_app_body_has("\n-5000000-0-"));
    assert_true(
        test_app_body_has(",1969-12-31T23:59:55Z,-2.5,\"'=HYPERLINK(\"\"http://x\"\")\"\n"));
    assert_int_equal(test_app_get("/api/metrics/series", query), 200);
    assert_true(
        test_app_body_has("\n\"'=HYPERLINK(\"\"http://x\"\")\",1969-12-31T23:59:55Z,1,-2.5,-2.5,"));
    assert_int_equal(get("format=json"), 200);
    assert_true(test_app_body_has("\"type\":\"=HYPERLINK(\\\"http://x\\\")\""));
}

static void now_stays_what_it_was_from_page_to_page(void **state)
{
    (void)state;
    enum { REACH_MS = 2000 };
    char next[QUERY_BYTES];
    int64_t now_us = clock_wall_now().us;
    test_app_add("cpu", now_us - 3600000000 + REACH_MS * 1000, 1.0);
    test_app_add("cpu", now_us, 2.0);
    assert_int_equal(get("type=cpu&from=now-1h&limit=1"), 200);
    assert_true(find_link("next", next));
    AWAIT(get("type=cpu&from=now-1h") == 200 && !test_app_body_has("\"value\":1.0"));
    assert_int_equal(get(next), 200);
    assert_true(test_app_body_has("\"value\":1.0"));
}

static void a_page_whose_samples_are_gone_leads_back(void **state)
{
    (void)state;
    char next[QUERY_BYTES];
    for (int i = 0; i < 30; i++)
        test_app_add("cpu", second(i), i);
    assert_int_equal(get("type=cpu&limit=10"), 200);
    assert_true(find_link("next", next));
    test_app_command("FLUSHALL");
    assert_int_equal(get(next), 200);
    assert_string_equal(test_app.body, "[]");
    assert_false(find_link("next", next));
    assert_true(find_link("prev", next));
    for (int i = 19; i < 22; i++)
        test_app_add("cpu", second(i), i);
    assert_int_equal(get(next), 200);
    assert_false(test_app_body_has("\"value\":19.0"));
    assert_true(test_app_body_has("\"value\":20.0"));
    assert_true(test_app_body_has("\"value\":21.0"));
}

static void a_damaged_chunk_is_told_in_a_header(void **state)
{
    (void)state;
    char text[128];
    for (int i = 0; i < CHUNK_RECORDS; i++)
        test_app_add("cpu", second(0) + i % 7, i);
    test_app_add("cpu", second(7200), 1.0);
    (void)snprintf(text, sizeof text, "EXISTS ra:m:{cpu}:blk:%d:0", START / 3600);
    AWAIT(test_app_number(text) == 1);
    (void)snprintf(text, sizeof text, "SET ra:m:{cpu}:blk:%d:0 x", START / 3600);
    test_app_command(text);
    assert_int_equal(get("type=cpu"), 200);
    assert_true(test_app_has_header("X-Damaged: 2026-02-21T12:00:00Z/2026-02-21T13:00:00Z\r\n"));
    assert_true(test_app_body_has("\"value\":1.0"));
    assert_int_equal(get("type=cpu&limit=1&from=1771678800"), 200);
    assert_false(test_app_has_header("X-Damaged"));
}

/* Whichever way one goes, by each type and by all. */
static void samples_that_have_expired_are_told_in_a_header(void **state)
{
    (void)state;
    static const char *const queries[] = {"type=cpu", "type=cpu&order=oldest", "",
                                          "order=oldest&format=csv"};
    static const char expired[] = "X-Expired: 2026-02-21T12:00:00Z/2026-02-21T12:00:09.000001Z\r\n";
    for (int i = 0; i < 10; i++)
        test_app_add("cpu", second(i), i);
    test_app_tend("cpu", 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(get(queries[i]), 200);
        assert_false(test_app_has_header("X-Expired"));
    }
    AWAIT((test_app_tend("cpu", 1), get("type=cpu") == 200 && test_app_has_header(expired)));
    assert_string_equal(test_app.body, "[]");
    test_app_add("cpu", second(7200), 1.0);
    test_app_add("cpu", second(7201), 1.0);
    for (size_t i = 0; i < 4; i++) {
        if (get(queries[i]) != 200 || !test_app_has_header(expired))
            fail_msg("%s: %s", queries[i], test_app.headers);
    }
    assert_int_equal(get("from=1771675202&to=1771675204"), 200);
    assert_true(test_app_has_header("X-Expired: 2026-02-21T12:00:02Z/2026-02-21T12:00:04Z\r\n"));
    /* Out of reach of a page that is full, and of a window. */
    assert_int_equal(get("type=cpu&limit=1"), 200);
    assert_false(test_app_has_header("X-Expired"));
    assert_int_equal(get("type=cpu&from=1771675210"), 200);
    assert_false(test_app_has_header("X-Expired"));
    assert_int_equal(get("type=gpu"), 200);
    assert_false(test_app_has_header("X-Expired"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_app, test_app_end)
    const struct CMUnitTest tests[] = {
        TEST(the_usual_list_is_as_it_ever_was),
        TEST(links_lead_through_everything_and_back),
        TEST(a_link_carries_the_parameters_and_one_cursor),
        TEST(what_the_list_does_not_know_is_in_no_link),
        TEST(a_cursor_is_good_for_its_own_list_alone),
        TEST(what_is_wrong_is_told),
        TEST(every_format_says_the_same),
        TEST(a_format_is_asked_for_by_name_or_by_accept),
        TEST(an_empty_export_has_a_head_at_most),
        TEST(an_ndjson_page_ends_at_a_megabyte),
        TEST(a_csv_page_ends_at_a_megabyte),
        TEST(an_export_is_all_of_it_page_by_page),
        TEST(a_name_that_would_be_a_formula_is_none),
        TEST(now_stays_what_it_was_from_page_to_page),
        TEST(a_page_whose_samples_are_gone_leads_back),
        TEST(a_damaged_chunk_is_told_in_a_header),
        TEST(samples_that_have_expired_are_told_in_a_header),
    };
    return cmocka_run_group_tests_name("api list", tests, NULL, NULL);
}
