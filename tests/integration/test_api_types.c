/*
 * The types there are and the end of one, against a real Redis, through dispatch: GET
 * /api/metrics/types and DELETE /api/metrics.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "await.h"
#include "glob.h"
#include "iso8601.h"
#include "metric_types.h"
#include "span.h"
#include "test_app.h"
#include "test_random.h"

enum { TEXT_BYTES = 4096, TYPES_MAX = 400, CURSOR_BYTES = 1024 };

static struct test_random chance;
static char filler[2000]; /* of long names */

static int start(void **state)
{
    (void)state;
    chance = test_random_start();
    memset(filler, 'x', sizeof filler);
    return 0;
}

static const char *const with_admin[] = {"ADMIN_TOKEN", "root", NULL};

static int get_types(const char *query)
{
    return test_app_get("/api/metrics/types", query);
}

static int get_summary(const char *query)
{
    return test_app_get("/api/metrics/summary", query);
}

static int delete_type(const char *query, const char *confirmation)
{
    test_app.confirm = confirmation;
    test_app.authorization = "Bearer root";
    int status = test_app_ask("DELETE", "/api/metrics", query, "");
    test_app.authorization = test_app.confirm = "";
    return status;
}

static void assert_body(int status, int wanted, const char *text)
{
    if (status != wanted || !test_app_body_has(text))
        fail_msg("%d instead of %d with %s: %s", status, wanted, text, test_app.body);
}

static int post_now(const char *type)
{
    char body[256];
    (void)snprintf(body, sizeof body, "{\"timestamp\":%lld,\"value\":1,\"type\":\"%s\"}",
                   (long long)(clock_wall_now().us / 1000000), type);
    return test_app_post(body);
}

/* --- What a type tells ---------------------------------------------------------------- */

static void text_of(int64_t at_us, char out[static ISO8601_BYTES + 1])
{
    char buffer[ISO8601_BYTES];
    struct slice text = iso8601_format((struct wall_time){at_us}, buffer);
    (void)snprintf(out, ISO8601_BYTES + 1, "%.*s", (int)text.len, text.ptr);
}

static void a_type_tells_what_it_holds(void **state)
{
    (void)state;
    test_app_open(NULL);
    int64_t now = clock_wall_now().us;
    assert_int_equal(get_types(""), 200);
    assert_string_equal(test_app.body, "{\"types\":[],\"next\":null}");

    /* In, before and after the hour that ends now. */
    test_app_add("cpu", now - 30 * 60000000LL, 1);
    test_app_add("cpu", now - 59 * 60000000LL, 2);
    test_app_add("cpu", now - 61 * 60000000LL, 3);
    test_app_add("cpu", now + 600 * 60000000LL, -4.5);
    test_app_add("cpu", now - 500 * HOUR_US, 5);
    test_app_add("old", 0, 1e300);
    char first[ISO8601_BYTES + 1], last[ISO8601_BYTES + 1], expected[512];
    text_of(now - 500 * HOUR_US, first);
    text_of(now + 600 * 60000000LL, last);
    (void)snprintf(expected, sizeof expected,
                   "{\"types\":[{\"type\":\"cpu\",\"count\":5,\"first_timestamp\":\"%s\","
                   "\"latest_timestamp\":\"%s\",\"latest_value\":-4.5,\"bytes\":80,"
                   "\"samples_per_minute\":0.03333333333333333},"
                   "{\"type\":\"old\",\"count\":1,\"first_timestamp\":\"1970-01-01T00:00:00Z\","
                   "\"latest_timestamp\":\"1970-01-01T00:00:00Z\",\"latest_value\":1e+300,"
                   "\"bytes\":16,\"samples_per_minute\":0.0}],\"next\":null}",
                   first, last);
    assert_int_equal(get_types(""), 200);
    assert_string_equal(test_app.body, expected);
    assert_false(test_app_has_header("Link"));
    assert_string_equal(test_app.res.cache_control, "no-cache");
}

/* Of timestamps beyond what a Lua number holds, too. */
static void the_earliest_sample_is_known_whatever_the_order_of_arrival(void **state)
{
    (void)state;
    test_app_open(NULL);
    static const int64_t edges[] = {ISO8601_MIN_US, ISO8601_MAX_US, -1, 0, 4294967296};
    for (int round = 0; round < 200; round++) {
        char type[16], first[ISO8601_BYTES + 1], expected[128], query[32];
        (void)snprintf(type, sizeof type, "t%d", round);
        int64_t earliest = INT64_MAX;
        for (size_t n = 1 + test_random_below(&chance, 6); n > 0; n--) {
            int64_t at = edges[test_random_below(&chance, 5)];
            int64_t by = (int64_t)test_random_below(&chance, 5);
            at += at == ISO8601_MAX_US ? -by : by;
            test_app_add(type, at, 1);
            earliest = at < earliest ? at : earliest;
        }
        text_of(earliest, first);
        (void)snprintf(query, sizeof query, "match=%s", type);
        (void)snprintf(expected, sizeof expected, "\"first_timestamp\":\"%s\",", first);
        assert_body(get_types(query), 200, expected);
    }
}

/* By the keys themselves. */
static long bytes_of(const char *pattern)
{
    struct redisReply *reply;
    const struct slice argv[] = {SLICE("KEYS"), slice_from_string(pattern)};
    long bytes = 0;
    assert_int_equal(redis_client_call(test_app.app->redis, REDIS_LANE_READ, argv, 2, &reply, NULL),
                     ERR_OK);
    struct slice key;
    for (size_t i = 0; redis_reply_bytes_at(reply, i, &key); i++) {
        char text[TEXT_BYTES];
        (void)snprintf(text, sizeof text, "STRLEN %.*s", (int)key.len, key.ptr);
        bytes += test_app_number(text);
    }
    redis_reply_free(reply);
    return bytes;
}

static bool bytes_are_right(void)
{
    char expected[64];
    (void)snprintf(expected, sizeof expected, "\"bytes\":%ld,",
                   bytes_of("ra:m:{cpu}:blk:*") + bytes_of("ra:m:{cpu}:agg:*") +
                       bytes_of("ra:m:{cpu}:raw:*"));
    return get_types("") == 200 && test_app_body_has(expected);
}

static void bytes_are_those_of_chunks_and_rollups(void **state)
{
    (void)state;
    test_app_open(NULL);
    int64_t start = hour_start(hour_of(clock_wall_now())).us;
    for (int round = 0; round < 4; round++) {
        for (int64_t i = 0; i < 5000; i++)
            test_app_add("cpu", start - 50 * HOUR_US + i * 700000, (double)i);
        for (int day = 0; day < 40; day++)
            test_app_add("cpu", start - day * 24 * HOUR_US, day);
        assert_int_equal(get_summary("type=cpu"), 200);
        AWAIT(test_app_number("SCARD ra:m:{cpu}:unsealed") == 0);
        AWAIT(bytes_are_right()); /* a rollup is not waited for */
        test_app_tend("cpu", 0);
        assert_int_equal(get_summary("type=cpu"), 200);
        AWAIT(bytes_are_right());
    }
    assert_true(test_app_number("EXISTS ra:m:{cpu}:agg:m647 ra:m:{cpu}:spans") > 0);
}

static void bytes_count_what_is_not_sealed_and_the_newest_of_what_is_open(void **state)
{
    (void)state;
    test_app_open(NULL);
    for (int hour = 0; hour < 100; hour++)
        test_app_add("cpu", hour * HOUR_US, 1);
    test_app_add("cpu", 0, 1);
    assert_body(get_types(""), 200, "\"bytes\":1024,");
    test_app_add("cpu", 99 * HOUR_US, 1);
    assert_body(get_types(""), 200, "\"bytes\":1040,");
    test_app_command("SADD ra:m:{cpu}:unsealed 1:0 2:0");
    assert_body(get_types(""), 200, "\"bytes\":132112,");
}

/* --- Pages ------------------------------------------------------------------------------ */

struct names {
    size_t count;
    char texts[TYPES_MAX][64];
};

static int compare_names(const void *a, const void *b)
{
    return slice_compare(slice_from_string(a), slice_from_string(b));
}

static size_t random_text(const char *const *pieces, size_t piece_count, size_t most, char *out)
{
    size_t len = 0;
    for (size_t n = 1 + test_random_below(&chance, most); n > 0; n--) {
        const char *piece = pieces[test_random_below(&chance, piece_count)];
        memcpy(out + len, piece, strlen(piece) + 1);
        len += strlen(piece);
    }
    return len;
}

static bool is_known(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->texts[i], name) == 0)
            return true;
    }
    return false;
}

static void make_names(struct names *names)
{
    static const char *const pieces[] = {
        "a", "b", ".", "{", "}", "%", "\"", "\xc3\xa9", "\xf0\x9f\x8c\xa1", "*", "?", " "};
    names->count = 0;
    while (names->count < TYPES_MAX) {
        char *name = names->texts[names->count];
        (void)random_text(pieces, sizeof pieces / sizeof *pieces, 6, name);
        if (is_known(names, name))
            continue;
        test_app_add(name, 0, 1);
        names->count++;
    }
    qsort(names->texts, names->count, sizeof *names->texts, compare_names);
}

static void append_encoded(char *query, const char *text)
{
    for (; *text; text++)
        (void)snprintf(query + strlen(query), 4, "%%%02X", (unsigned char)*text);
}

struct page_check {
    const struct names *names;
    struct slice match;
    size_t at, count; /* in all names; in this page */
};

/* The next one that matches is the one that is told. */
static bool check_type(void *context, struct slice ignored, const struct json_value *type)
{
    (void)ignored;
    struct page_check *check = context;
    struct slice name = {NULL, 0};
    assert_true(json_value_text(json_value_member(type, "type"), &name));
    while (check->at < check->names->count &&
           !glob_matches(check->match, slice_from_string(check->names->texts[check->at])))
        check->at++;
    assert_true(check->at < check->names->count);
    assert_true(slice_equals(name, slice_from_string(check->names->texts[check->at])));
    check->at++;
    check->count++;
    return true;
}

/* Reads `next` of the answer; false: there is none. And Link says the same. */
static bool read_next(const char *query, char cursor[static CURSOR_BYTES])
{
    struct json_document *document = test_app_parse_body();
    const struct json_value *next = json_value_member(json_document_root(document), "next");
    struct slice text = {NULL, 0};
    bool has_next = json_value_text(next, &text);
    char link[2 * TEXT_BYTES];
    (void)snprintf(cursor, CURSOR_BYTES, "%.*s", (int)text.len, has_next ? text.ptr : "");
    (void)snprintf(link, sizeof link, "Link: <?%s&cursor=%s>; rel=\"next\"\r\n", query, cursor);
    assert_int_equal(test_app_has_header("Link: "), has_next);
    if (has_next && !test_app_has_header(link))
        fail_msg("no %s", link);
    json_document_free(document);
    return has_next;
}

static void check_all_pages(const struct names *names, const char *match, size_t limit)
{
    char query[TEXT_BYTES] = "match=", cursor[CURSOR_BYTES] = "", full[2 * TEXT_BYTES];
    append_encoded(query, match);
    (void)snprintf(query + strlen(query), 32, "&limit=%zu", limit);
    struct page_check check = {.names = names, .match = slice_from_string(match)};
    bool has_next = true;
    while (has_next) {
        (void)snprintf(full, sizeof full, "%s%s%s", query, *cursor ? "&cursor=" : "", cursor);
        if (get_types(full) != 200)
            fail_msg("%s: %s", full, test_app.body);
        struct json_document *document = test_app_parse_body();
        check.count = 0;
        json_value_each(json_value_member(json_document_root(document), "types"), check_type,
                        &check);
        json_document_free(document);
        has_next = read_next(query, cursor);
        assert_true(has_next ? check.count == limit : check.count <= limit);
    }
    for (; check.at < names->count; check.at++)
        assert_false(glob_matches(check.match, slice_from_string(names->texts[check.at])));
}

static void types_come_page_by_page_in_order_of_bytes(void **state)
{
    (void)state;
    static const char *const pieces[] = {"*", "?", "a", "\xc3\xa9", "*", "{"};
    static struct names names;
    test_app_open(NULL);
    make_names(&names);
    check_all_pages(&names, "*", 1000);
    check_all_pages(&names, "*", 7);
    check_all_pages(&names, "nothing", 10);
    for (int round = 0; round < 60; round++) {
        char match[64];
        (void)random_text(pieces, sizeof pieces / sizeof *pieces, 5, match);
        check_all_pages(&names, match, 1 + test_random_below(&chance, 40));
    }
}

/* The same but for two members, of more types than are asked about at once. */
static void in_brief_a_type_tells_less(void **state)
{
    (void)state;
    enum { TYPES = 150 };
    static char whole[HTTP_BODY_BYTES_MAX], cut[sizeof whole];
    test_app_open(NULL);
    for (int i = 0; i < TYPES; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "t%03d", i);
        test_app_add(name, i, i);
        test_app_add(name, i + 1, -i);
    }
    assert_int_equal(get_types("limit=1000"), 200);
    (void)snprintf(whole, sizeof whole, "%s", test_app.body);
    cut[0] = '\0';
    for (const char *at = whole; at;) {
        const char *from = strstr(at, ",\"bytes\":"), *end = from ? strchr(from, '}') : NULL;
        (void)snprintf(cut + strlen(cut), sizeof cut - strlen(cut), "%.*s",
                       from ? (int)(from - at) : (int)strlen(at), at);
        at = end;
    }
    assert_int_equal(get_types("limit=1000&brief=true"), 200);
    assert_string_equal(test_app.body, cut);
    assert_int_equal(get_types("limit=1000&brief=false"), 200);
    assert_string_equal(test_app.body, whole);
    assert_int_equal(get_types("limit=10&brief=true"), 200);
    assert_non_null(strstr(test_app.headers, "Link: <?limit=10&brief=true&cursor="));
}

/* A pattern that matches next to nothing does not read all names for one answer. */
static void a_page_ends_when_it_has_looked_at_ten_thousand_names(void **state)
{
    (void)state;
    char text[TEXT_BYTES], cursor[CURSOR_BYTES] = "", query[2 * TEXT_BYTES];
    test_app_open(NULL);
    test_app_add("z.end", 0, 1);
    for (int i = 0; i < 25000; i += 100) {
        (void)snprintf(text, sizeof text, "ZADD ra:types");
        for (int n = i; n < i + 100; n++)
            (void)snprintf(text + strlen(text), 16, " 0 n%05d", n);
        test_app_command(text);
    }
    int pages = 0, found = 0;
    do {
        (void)snprintf(query, sizeof query, "match=%%2A.end%s%s", *cursor ? "&cursor=" : "",
                       cursor);
        assert_int_equal(get_types(query), 200);
        found += test_app_body_has("z.end");
        pages++;
    } while (read_next("match=%2A.end", cursor));
    assert_int_equal(pages, 3);
    assert_int_equal(found, 1);
    /* Where the pattern says how names begin, the others are not looked at. */
    assert_body(get_types("match=z%2A"), 200, "z.end");
    assert_body(get_types("match=z%2A"), 200, "\"next\":null");
}

/* One type at least, so that whoever goes on comes to the end. */
static void a_page_ends_when_its_time_is_over(void **state)
{
    (void)state;
    static struct metric_type types[METRIC_TYPES_MAX];
    test_app_open(NULL);
    for (int i = 0; i < 40; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "t%02d", i);
        test_app_add(name, i, 1);
    }
    struct metric_types_question question = {.match = SLICE("*"), .limit = METRIC_TYPES_MAX};
    struct slice next = {NULL, 0};
    int64_t told = 0;
    do {
        size_t count = 0;
        question.after = next;
        assert_int_equal(metric_types_list(test_app.app->store, &question, clock_mono_now(),
                                           &test_app.arena, types, &count, &next, NULL),
                         ERR_OK);
        assert_int_equal(count, 1);
        assert_int_equal(types[0].first_at.us, told);
        told++;
    } while (next.ptr);
    assert_int_equal(told, 40);
}

/* --- What others wrote among the names ---------------------------------------------------- */

static void add_foreign(const char *name, int length, const char *end)
{
    char text[2 * TEXT_BYTES];
    (void)snprintf(text, sizeof text, "ZADD ra:types 0 %s%.*s%s", name,
                   length - (int)strlen(name) - (int)strlen(end), filler, end);
    test_app_command(text);
}

/* Type by type; each page has the next one of `wanted`. */
static void check_pages_of_one(const char *const *wanted, size_t count)
{
    char cursor[CURSOR_BYTES] = "", query[2 * TEXT_BYTES], expected[2 * TEXT_BYTES];
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(query, sizeof query, "limit=1%s%s", *cursor ? "&cursor=" : "", cursor);
        (void)snprintf(expected, sizeof expected, "{\"types\":[{\"type\":\"%s\",", wanted[i]);
        assert_body(get_types(query), 200, expected);
        assert_int_equal(read_next("limit=1", cursor), i + 1 < count);
    }
}

static void names_that_are_too_long_are_passed_over(void **state)
{
    (void)state;
    char longest[401] = "", behind[401];
    test_app_open(NULL);
    for (int i = 0; i < 100; i++)
        memcpy(longest + 4 * i, "\xf0\x9f\x8c\xa1", 5);
    memcpy(behind, longest, sizeof behind);
    behind[399]++; /* right behind all that begin with the longest name */
    const char *const wanted[] = {"aaa", "ccc", longest, behind};
    for (size_t i = 0; i < 4; i++)
        test_app_add(wanted[i], 0, 1);
    static const int lengths[] = {400, 401, 903, 1021, 2000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        add_foreign("bbb", lengths[i], "");
        add_foreign("bbb", lengths[i], "\xff");
        if (lengths[i] > 400)
            add_foreign(longest, lengths[i], "");
        check_pages_of_one(wanted, 4);
    }
}

/* More than are read at once, and all alike in what a place keeps of them. */
static void a_page_goes_on_behind_many_names_that_are_too_long(void **state)
{
    (void)state;
    static const char *const wanted[] = {"aaa", "ccc"};
    test_app_open(NULL);
    test_app_add("aaa", 0, 1);
    test_app_add("ccc", 0, 1);
    for (int i = 0; i < 2500; i++) {
        char end[16];
        (void)snprintf(end, sizeof end, "%05d", i);
        add_foreign("bbb", 500, end);
    }
    check_pages_of_one(wanted, 2);
    assert_body(get_types("match=%2Ac"), 200, "\"type\":\"ccc\"");
}

/* --- What is refused -------------------------------------------------------------------- */

static void a_cursor_that_was_tampered_with_is_refused(void **state)
{
    (void)state;
    char cursor[CURSOR_BYTES], query[2 * TEXT_BYTES];
    test_app_open(NULL);
    test_app_add("a", 0, 1);
    test_app_add("b", 0, 1);
    assert_int_equal(get_types("match=%2A&limit=1"), 200);
    assert_true(read_next("match=%2A&limit=1", cursor));
    for (size_t i = 0; cursor[i]; i++) {
        for (int n = 0; n < 4; n++) {
            static const char letters[] = "Ax0_";
            char before = cursor[i];
            cursor[i] = letters[n];
            (void)snprintf(query, sizeof query, "limit=1&cursor=%s", cursor);
            assert_int_equal(get_types(query), letters[n] == before ? 200 : 422);
            cursor[i] = before;
        }
    }
    (void)snprintf(query, sizeof query, "cursor=%s", cursor);
    assert_body(get_types(query), 200, "{\"types\":[{\"type\":\"b\",");
    (void)snprintf(query, sizeof query, "match=b&cursor=%s", cursor);
    assert_body(get_types(query), 422, "\"loc\":[\"query\",\"cursor\"]");
    (void)snprintf(query, sizeof query, "cursor=%.*s", (int)strlen(cursor) - 1, cursor);
    assert_int_equal(get_types(query), 422);
    static const char *const wrong[] = {"cursor=", "cursor=AAAAAAAAAAA", "cursor=AAAAAAAAAAAA",
                                        "cursor=%00", "cursor=a%20b"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(get_types(wrong[i]), 422);
    (void)snprintf(query, sizeof query, "cursor=%0*d", 4000, 0);
    assert_int_equal(get_types(query), 422);
}

static void all_mistakes_are_told_at_once(void **state)
{
    (void)state;
    static const char *const names[] = {"match", "limit", "cursor"};
    char cursor[CURSOR_BYTES], query[2 * TEXT_BYTES];
    test_app_open(NULL);
    for (size_t i = 0; i < 3; i++) {
        char expected[64];
        (void)snprintf(expected, sizeof expected, "\"loc\":[\"query\",\"%s\"]", names[i]);
        assert_body(get_types("match=&limit=0&cursor=x"), 422, expected);
        assert_body(get_types("match=%zz&limit=%zz&cursor=%zz"), 422, expected);
    }
    /* Nothing is known to be wrong with a cursor whose pattern is not told. */
    test_app_add("a", 0, 1);
    test_app_add("b", 0, 1);
    assert_int_equal(get_types("limit=1"), 200);
    assert_true(read_next("limit=1", cursor));
    (void)snprintf(query, sizeof query, "match=&cursor=%s", cursor);
    assert_body(get_types(query), 422, "\"loc\":[\"query\",\"match\"]");
    assert_false(test_app_body_has("\"cursor\"]"));
}

static void patterns_and_limits_are_checked(void **state)
{
    (void)state;
    static const char *const wrong[] = {"match=",  "match=%ff",  "match=a%C3", "match=%zz",
                                        "limit=0", "limit=1001", "limit=",     "limit=x",
                                        "brief=",  "brief=1",    "brief=True"};
    char query[TEXT_BYTES];
    test_app_open(NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char expected[64];
        (void)snprintf(expected, sizeof expected, "\"loc\":[\"query\",\"%.5s\"]", wrong[i]);
        assert_body(get_types(wrong[i]), 422, expected);
    }
    (void)snprintf(query, sizeof query, "match=%0*d", 400, 0);
    assert_int_equal(get_types(query), 200);
    (void)snprintf(query, sizeof query, "match=%0*d", 401, 0);
    assert_int_equal(get_types(query), 422);
    assert_int_equal(get_types("limit=1000&match=%2A"), 200);
}

/* --- The end of a type ------------------------------------------------------------------- */

static void a_deletion_asks_for_its_token_and_a_confirmation(void **state)
{
    (void)state;
    test_app_open(with_admin);
    test_app_add("cpu", 0, 1);
    static const char missing[] = "This endpoint asks for ADMIN_TOKEN as a bearer token";
    assert_body(test_app_ask("DELETE", "/api/metrics", "type=cpu", ""), 401, missing);
    test_app.authorization = "Bearer guess";
    test_app.confirm = "cpu";
    assert_body(test_app_ask("DELETE", "/api/metrics", "type=cpu", ""), 401, missing);
    assert_int_equal(delete_type("", ""), 422);
    assert_int_equal(delete_type("type=", ""), 422);
    assert_int_equal(delete_type("type=a%00", "a"), 422);
    static const char *const wrong[] = {"", "cp", "cpux", "CPU", "true", "%63p", "cpu%"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_body(delete_type("type=cpu", wrong[i]), 428, "\"code\":\"CONFIRMATION_REQUIRED\"");
    assert_true(test_app_body_has("X-Confirm-Delete"));
    assert_body(get_summary("type=cpu"), 200, "\"count\":1,");
    assert_body(delete_type("type=gpu", "gpu"), 404, "There is no such type");

    assert_body(delete_type("type=cpu", "cpu"), 200,
                "{\"message\":\"Type deleted\",\"type\":\"cpu\",\"timestamp\":\"20");
    assert_int_equal(delete_type("type=cpu", "cpu"), 404);
    assert_body(get_types(""), 200, "{\"types\":[],\"next\":null}");
    assert_int_equal(post_now("cpu"), 201);
    assert_body(get_types(""), 200, "\"count\":1,");
}

static void without_its_token_nothing_can_be_deleted(void **state)
{
    (void)state;
    test_app_open(NULL);
    test_app_add("cpu", 0, 1);
    assert_int_equal(delete_type("type=cpu", "cpu"), 404);
    assert_body(get_summary("type=cpu"), 200, "\"count\":1,");
}

static void a_name_is_confirmed_as_it_is_or_percent_encoded(void **state)
{
    (void)state;
    static const struct {
        const char *name, *query, *raw, *encoded;
    } rows[] = {
        {"caf\xc3\xa9 {1}", "type=caf%C3%A9+%7B1%7D", "caf\xc3\xa9 {1}", "caf%C3%A9%20%7B1%7D"},
        {"100%", "type=100%25", "100%", "100%25"},
        {"%25", "type=%2525", "%25", "%2525"},
        {" a+b ", "type=+a%2Bb+", " a+b ", "%20a+b%20"},
    };
    test_app_open(with_admin);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int is_encoded = 0; is_encoded < 2; is_encoded++) {
            test_app_add(rows[i].name, 0, 1);
            int status = delete_type(rows[i].query, is_encoded ? rows[i].encoded : rows[i].raw);
            if (status != 200)
                fail_msg("%s: %d", rows[i].query, status);
        }
    }
    assert_int_equal(test_app_number("ZCARD ra:types"), 0);
}

static void a_near_cache_forgets_what_was_deleted_elsewhere(void **state)
{
    (void)state;
    test_app_open(with_admin);
    test_app_open_second(with_admin);
    for (int round = 1; round < 50; round++) {
        test_app_choose(0);
        test_app_add("cpu", round, 1);
        test_app_choose(1);
        assert_body(get_summary("type=cpu"), 200, "\"count\":1,");
        AWAIT(get_summary("type=cpu") == 200 && test_app_has_header("X-Cache: HIT\r\n"));
        test_app_choose(0);
        assert_int_equal(delete_type("type=cpu", "cpu"), 200);
        test_app_choose(1);
        assert_body(get_summary("type=cpu"), 200, "\"count\":0,");
        assert_body(get_summary("type=cpu&period=hourly"), 200, "\"external\":null");
    }
}

/* A key of the wrong kind keeps the steps from being taken; then it is gone. */
static void what_takes_longer_goes_by_itself(void **state)
{
    (void)state;
    test_app_open(with_admin);
    test_app_add("cpu", 0, 1);
    assert_int_equal(get_summary("type=cpu"), 200);
    test_app_command("SET ra:m:{cpu}:gone:spans x");
    assert_body(delete_type("type=cpu", "cpu"), 202, "\"message\":\"Type deleted; ");
    assert_body(get_types(""), 200, "{\"types\":[],\"next\":null}");
    assert_body(get_summary("type=cpu"), 200, "\"count\":0,");
    assert_body(test_app_get("/api/metrics/list", "type=cpu"), 200, "[]");
    assert_body(test_app_get("/api/metrics/list", ""), 200, "[]");
    assert_body(post_now("cpu"), 503, "This type is being deleted");
    assert_true(test_app_has_header("Retry-After: 1\r\n"));
    assert_int_equal(post_now("gpu"), 201);
    assert_int_equal(delete_type("type=cpu", "cpu"), 202);
    test_app_command("DEL ra:m:{cpu}:gone:spans");
    AWAIT(test_app_number("EXISTS ra:meta:{cpu}") == 0);
    AWAIT(test_app_number("EXISTS ra:m:{cpu}:gone:chunks ra:ext:{cpu} ra:m:{cpu}:sum:all") == 0);
    assert_int_equal(post_now("cpu"), 201);
    assert_body(get_summary("type=cpu"), 200, "\"count\":1,");
}

/* --- Limits ----------------------------------------------------------------------------- */

static void one_type_too_many_is_refused_and_the_others_go_on(void **state)
{
    (void)state;
    static const char *const settings[] = {"MAX_TYPES", "2", "ADMIN_TOKEN", "root", NULL};
    test_app_open(settings);
    assert_int_equal(post_now("a"), 201);
    assert_int_equal(post_now("b"), 201);
    assert_body(post_now("c"), 422, "\"code\":\"LIMIT_REACHED\"");
    assert_true(
        test_app_body_has("There are 2 types already, and no more may be made (MAX_TYPES)"));
    assert_true(
        test_app_body_has("\"errors\":[{\"loc\":[\"body\",\"type\"],\"msg\":\"must be one of the 2 "
                          "types that there are\",\"pointer\":\"/type\"}]"));
    assert_int_equal(post_now("a"), 201);
    assert_int_equal(post_now("b"), 201);
    assert_int_equal(delete_type("type=a", "a"), 200);
    assert_int_equal(post_now("c"), 201);
    assert_int_equal(post_now("a"), 422);
}

static void one_hour_too_many_is_refused_and_the_others_go_on(void **state)
{
    (void)state;
    static const char *const settings[] = {"MAX_BUCKETS", "2", NULL};
    static const char hour_0[] = "{\"timestamp\":0,\"value\":1,\"type\":\"a\"}",
                      hour_1[] = "{\"timestamp\":3600,\"value\":1,\"type\":\"a\"}",
                      hour_2[] = "{\"timestamp\":7200,\"value\":1,\"type\":\"a\"}";
    test_app_open(settings);
    assert_int_equal(test_app_post(hour_0), 201);
    assert_int_equal(test_app_post(hour_1), 201);
    assert_body(test_app_post(hour_2), 422, "\"code\":\"LIMIT_REACHED\"");
    assert_true(
        test_app_body_has("Samples of this type lie in 2 hours, days and months already, and may "
                          "not spread over more (MAX_BUCKETS)"));
    assert_true(test_app_body_has("\"errors\":[{\"loc\":[\"body\",\"timestamp\"],"));
    assert_int_equal(test_app_post(hour_0), 201);
    assert_int_equal(post_now("b"), 201);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, test_app_begin, test_app_end)
    const struct CMUnitTest tests[] = {
        TEST(a_type_tells_what_it_holds),
        TEST(the_earliest_sample_is_known_whatever_the_order_of_arrival),
        TEST(bytes_are_those_of_chunks_and_rollups),
        TEST(bytes_count_what_is_not_sealed_and_the_newest_of_what_is_open),
        TEST(types_come_page_by_page_in_order_of_bytes),
        TEST(in_brief_a_type_tells_less),
        TEST(a_page_ends_when_it_has_looked_at_ten_thousand_names),
        TEST(a_page_ends_when_its_time_is_over),
        TEST(names_that_are_too_long_are_passed_over),
        TEST(a_page_goes_on_behind_many_names_that_are_too_long),
        TEST(a_cursor_that_was_tampered_with_is_refused),
        TEST(all_mistakes_are_told_at_once),
        TEST(patterns_and_limits_are_checked),
        TEST(a_deletion_asks_for_its_token_and_a_confirmation),
        TEST(without_its_token_nothing_can_be_deleted),
        TEST(a_name_is_confirmed_as_it_is_or_percent_encoded),
        TEST(a_near_cache_forgets_what_was_deleted_elsewhere),
        TEST(what_takes_longer_goes_by_itself),
        TEST(one_type_too_many_is_refused_and_the_others_go_on),
        TEST(one_hour_too_many_is_refused_and_the_others_go_on),
    };
    return cmocka_run_group_tests_name("api_types", tests, start, NULL);
}
