#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap_slice.h"
#include "json_read.h"
#include "json_write.h"
#include "test_random.h"

enum { MEMORY_MAX = 1 << 20 };

static struct json_document *parse(struct slice text, struct error *err)
{
    struct slice exact = heap_slice_new(text.ptr, text.len);
    error_init(err);
    struct json_document *document = json_document_new(exact, "body", err);
    heap_slice_free(exact);
    return document;
}

static struct json_document *parse_good(const char *text)
{
    struct error err;
    struct json_document *document = parse(slice_from_string(text), &err);
    assert_non_null(document);
    assert_int_equal(err.code, ERR_OK);
    return document;
}

/* A text that is refused, where, and words of the refusal. */
struct row {
    const char *text;
    const char *place;
    const char *reason;
};

static const struct row malformed[] = {
    {"", "line 1, column 0", "ends too early"},
    {" \n ", "line 2, column 1", "ends too early"},
    {"not json", "line 1, column 3", "not a JSON value"},
    {"{\"a\":1", "line 1, column 6", "ends too early"},
    {"{\"a\":", "line 1, column 5", "ends too early"},
    {"[1", "line 1, column 2", "ends too early"},
    {"\"abc", "line 1, column 4", "ends too early"},
    {"{} x", "line 1, column 4", "more text follows"},
    {"{}{}", "line 1, column 3", "more text follows"},
    {"[1,]", "line 1, column 4", "unexpected token"},
    {"[1 2]", "line 1, column 4", "']' expected"},
    {"[1}", "line 1, column 3", "']' expected"},
    {"{\"a\" 1}", "line 1, column 6", "':' expected"},
    {"{\"a\":1,}", "line 1, column 8", "string or '}' expected"},
    {"{a:1}", "line 1, column 2", "string or '}' expected"},
    {"{'a':1}", "line 1, column 2", "string or '}' expected"},
    {"\n\n  {\"a\":\n tru}", "line 4, column 4", "not a JSON value"},
    {"{\"\xc3\xbc\":x}", "line 1, column 6", "not a JSON value"},
    {"NaN", "line 1, column 3", "NaN and Infinity"},
    {"{\"a\":Infinity}", "line 1, column 13", "NaN and Infinity"},
    {"{\"a\":-Infinity}", "line 1, column 6", "NaN and Infinity"},
    {"1e999", "line 1", "too large"},
    {"[-1e999]", "line 1", "too large"},
    {"01", "line 1, column 1", "not a JSON value"},
    {"+1", "line 1, column 1", "not a JSON value"},
    {".5", "line 1, column 1", "not a JSON value"},
    {"5.", "line 1, column 2", "not a JSON value"},
    {"{\"a\":1,\"a\":2}", "line 1, column 10", "same member twice"},
    {"{\"value\":1,\"v\\u0061lue\":2}", "line 1, column 23", "same member twice"},
    {"[{\"b\":{\"a\":1,\"a\":1}}]", "line 1, column 16", "same member twice"},
    {"\"\\ud800\"", "line 1, column 8", "invalid \\u escape"},
    {"\"\\udc00\"", "line 1, column 8", "invalid \\u escape"},
    {"\"\\ud800\\u0041\"", "line 1, column 14", "invalid \\u escape"},
    {"{\"\\u0000\":1}", "line 1, column 9", "NUL"},
    {"\"\\x\"", "line 1, column 3", "invalid escape"},
    {"\"a\nb\"", "line 1, column 2", "unexpected newline"},
    {"\"a\tb\"", "line 1, column 2", "control character"},
    {"\"\xff\"", "line 1, column 1", "invalid UTF-8"},
    {"\"\xc0\xaf\"", "line 1, column 1", "invalid UTF-8"},
    {"\"\xed\xa0\x80\"", "line 1, column 1", "invalid UTF-8"},
    {"\xfe\xff", "line 1, column 0", "invalid UTF-8"},
};

enum { MALFORMED_COUNT = sizeof malformed / sizeof malformed[0] };

static void is_refused_with_place_and_reason(void **state)
{
    const struct row *row = *state;
    struct error err;
    assert_null(parse(slice_from_string(row->text), &err));
    assert_int_equal(err.code, ERR_VALIDATION);
    assert_int_equal(err.field_count, 1);
    assert_string_equal(err.fields[0].location, "body");
    if (!strstr(err.fields[0].message, row->place) || !strstr(err.fields[0].message, row->reason))
        fail_msg("said: %s", err.fields[0].message);
}

static void what_is_wrong_with_a_value_names_its_member(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name;
    } rows[] = {
        {"{\"timestamp\":1,\"value\":1e999,\"type\":\"x\"}", "value"},
        {"{\"value\" : [ {\"x\":NaN} ]}", "value"},
        {"{\"a,\\\":\":1,\"type\":\"\\ud800\"}", "type"},
        {"{\"type\":\"\xff\"}", "type"},
        {"{\"value\":1,}", ""},
        {"[1e999]", ""},
        {"1e999", ""},
        {"{\"<b>\":1e999}", ""},
        {"{\"v\\u0061lue\":1e999}", ""},
        {"{\"a234567890123456789012345678901\":1e999}", "a234567890123456789012345678901"},
        {"{\"a2345678901234567890123456789012\":1e999}", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error err;
        assert_null(parse(slice_from_string(rows[i].text), &err));
        if (strcmp(err.fields[0].name, rows[i].name) != 0)
            fail_msg("%s: named \"%s\"", rows[i].text, err.fields[0].name);
    }
}

static void a_text_may_hold_nul(void **state)
{
    (void)state;
    struct json_document *document = parse_good("\"a\\u0000b\"");
    struct slice text = SLICE("");
    assert_true(json_value_text(json_document_root(document), &text));
    assert_true(slice_equals(text, slice_of("a\0b", 3)));
    json_document_free(document);
}

static void a_nul_byte_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"a\":1?,\"b\":2}", "true?", "?", "\"?\"", "\"\\?\"", "[1]?"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[16] = {0};
        struct error err;
        size_t len = strlen(texts[i]), at = strcspn(texts[i], "?");
        memcpy(text, texts[i], len);
        text[at] = '\0';
        assert_null(parse(slice_of(text, len), &err));
        char expected[64];
        (void)snprintf(expected, sizeof expected,
                       "not acceptable JSON at line 1, column %zu: a NUL byte", at + 1);
        assert_string_equal(err.fields[0].message, expected);
    }
}

/* Part of a text that begins with it at line 7, column 5. */
static struct json_document *parse_part(const char *before, const char *text, struct error *err)
{
    struct slice exact = heap_slice_new(text, strlen(text));
    const struct json_part part = {slice_from_string(before), exact, 7, 5};
    error_init(err);
    struct json_document *document = json_document_new_part(&part, "body", err);
    heap_slice_free(exact);
    return document;
}

static void of_a_part_the_place_in_the_whole_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *before, *text, *place;
    } wrong[] = {
        {"", "x", "line 7, column 5: not"},
        {"", "1 2", "line 7, column 7: more text"},
        {"", "[\n 1 2]", "line 8, column 4: ']'"},
        {"", "", "line 7, column 4: the text ends"},
        {"",
         "\xef\xbb\xbf"
         "1",
         "line 7, column 5: not"},
        {"[0,", "", "line 7, column 4: the text ends"},
        {"[0,", "x", "line 7, column 5: not"},
        {"[0,", "\xc3\xbc", "line 7, column 5: not"},
        {"[0,", "{\"a\":1,\"a\":1}]", "line 7, column 14: the same"},
        {"[0,", "]", "line 7, column 5: unexpected"},
        {"[0 ", "0]", "line 7, column 5: ']'"},
        {"[0 ", "\n}", "line 8, column 1: ']'"},
        {"[]", " ,", "line 7, column 6: more text"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct error err;
        assert_null(parse_part(wrong[i].before, wrong[i].text, &err));
        assert_string_equal(err.fields[0].name, "");
        if (!strstr(err.fields[0].message, wrong[i].place))
            fail_msg("%s%s: %s", wrong[i].before, wrong[i].text, err.fields[0].message);
    }
}

static void a_part_is_read_behind_what_stands_before(void **state)
{
    (void)state;
    struct error err;
    struct json_document *document = parse_part("[0,", "[[1]]]", &err);
    assert_int_equal(json_value_kind(json_document_root(document)), JSON_KIND_ARRAY);
    json_document_free(document);
    char deep[JSON_DEPTH_MAX + 1] = {0};
    memset(deep, '[', JSON_DEPTH_MAX);
    assert_null(parse_part("", deep, &err));
    assert_non_null(strstr(err.fields[0].message, "ends too early"));
    assert_null(parse_part("[0,", deep, &err));
    assert_non_null(strstr(err.fields[0].message, "line 7, column 36: nested too deeply"));
}

static void a_value_is_measured_without_being_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
    } rows[] = {
        {"", 0},
        {"7", 1},
        {"-1.5e3,7", 6},
        {"true ]", 4},
        {"nul\n", 3},
        {"null}", 4},
        {",", 0},
        {"]", 0},
        {" 7", 0},
        {"\"a\\\"b\",", 6},
        {"\"a\\\\\"b\"", 5},
        {"\"a\\", 3},
        {"{}", 2},
        {"[1]]", 3},
        {"{\"}\":[]}x", 8},
        {"[[1],{}],", 8},
        {"[{\"a\":1],", 9},
        {"[[[1]]]", 0},
        {"[[\"[\"]]", 7},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice exact = heap_slice_new(rows[i].text, strlen(rows[i].text));
        if (json_measure_value(exact, 2) != rows[i].len)
            fail_msg("%s has %zu", rows[i].text, json_measure_value(exact, 2));
        heap_slice_free(exact);
    }
}

static void values_are_what_the_text_says(void **state)
{
    (void)state;
    struct json_document *document = parse_good(
        "\xef\xbb\xbf {\"n\":12345678901234567890123,\"t\":\"\\ud83d\\ude00\\n\",\"b\":true,"
        "\"z\":null,\"a\":[1,-0.5e1],\"o\":{}}\n");
    const struct json_value *root = json_document_root(document);
    double number = 0;
    struct slice text = SLICE("untouched");
    assert_int_equal(json_value_kind(root), JSON_KIND_OBJECT);
    assert_true(json_value_number(json_value_member(root, "n"), &number));
    assert_true(number == 12345678901234567890123.0);
    assert_false(json_value_number(json_value_member(root, "t"), &number));
    assert_false(json_value_text(json_value_member(root, "n"), &text));
    assert_true(slice_equals(text, SLICE("untouched")));
    assert_true(json_value_text(json_value_member(root, "t"), &text));
    assert_true(slice_equals(text, SLICE("\xf0\x9f\x98\x80\n")));
    assert_int_equal(json_value_kind(json_value_member(root, "b")), JSON_KIND_BOOLEAN);
    assert_int_equal(json_value_kind(json_value_member(root, "z")), JSON_KIND_NULL);
    assert_int_equal(json_value_kind(json_value_member(root, "a")), JSON_KIND_ARRAY);
    assert_int_equal(json_value_kind(json_value_member(root, "o")), JSON_KIND_OBJECT);
    assert_null(json_value_member(root, "absent"));
    assert_null(json_value_member(json_value_member(root, "a"), "n"));
    json_document_free(document);
    json_document_free(NULL);
}

static bool append_name(void *context, struct slice name, const struct json_value *value)
{
    double number = 0;
    (void)json_value_number(value, &number);
    strbuf_printf(context, "%.*s%g ", (int)name.len, name.ptr, number);
    return number < 3;
}

static void members_are_visited_in_order_until_told_to_stop(void **state)
{
    (void)state;
    static const char *const texts[] = {"{\"z\":1,\"a\":2,\"m\":3,\"b\":4}", "[1,2,3,4]", "7"};
    static const char *const expected[] = {"z1 a2 m3 ", "1 2 3 ", ""};
    for (size_t i = 0; i < 3; i++) {
        struct strbuf seen;
        strbuf_init(&seen, 100);
        struct json_document *document = parse_good(texts[i]);
        json_value_each(json_document_root(document), append_name, &seen);
        assert_true(slice_equals(strbuf_slice(&seen), slice_from_string(expected[i])));
        json_document_free(document);
        strbuf_release(&seen);
    }
}

static void nesting_ends_at_its_maximum(void **state)
{
    (void)state;
    static const size_t depths[] = {1, JSON_DEPTH_MAX, JSON_DEPTH_MAX + 1, 1000, 2048, 100000};
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        struct strbuf text;
        struct error err;
        strbuf_init(&text, 1000000);
        for (size_t d = 1; d < depths[i]; d++)
            strbuf_append_slice(&text, d % 2 ? SLICE("[") : SLICE("{\"[\\\"[\\\\\":"));
        strbuf_append_slice(&text, SLICE("[1]"));
        for (size_t d = depths[i] - 1; d > 0; d--)
            strbuf_append_char(&text, d % 2 ? ']' : '}');
        struct json_document *document = parse(strbuf_slice(&text), &err);
        assert_int_equal(document != NULL, depths[i] <= JSON_DEPTH_MAX);
        if (!document)
            assert_non_null(strstr(err.fields[0].message, "nested too deeply"));
        json_document_free(document);
        strbuf_release(&text);
    }
}

static void brackets_in_strings_are_no_nesting(void **state)
{
    (void)state;
    struct strbuf text;
    struct error err;
    strbuf_init(&text, 1000);
    strbuf_append_slice(&text, SLICE("[\"\\\""));
    for (int i = 0; i < 2 * JSON_DEPTH_MAX; i++)
        strbuf_append_slice(&text, SLICE("[{"));
    strbuf_append_slice(&text, SLICE("\\\\\"]"));
    struct json_document *document = parse(strbuf_slice(&text), &err);
    assert_non_null(document);
    json_document_free(document);
    strbuf_release(&text);
}

static void memory_ends_at_its_maximum_and_is_given_back(void **state)
{
    (void)state;
    struct strbuf text;
    struct error err;
    strbuf_init(&text, 1000000);
    strbuf_append_slice(&text, SLICE("[{}"));
    for (int i = 0; i < 50000; i++)
        strbuf_append_slice(&text, SLICE(",{}"));
    strbuf_append_char(&text, ']');
    for (int i = 0; i < 20; i++) {
        assert_null(parse(strbuf_slice(&text), &err));
        assert_int_equal(err.code, ERR_NO_MEMORY);
        json_document_free(parse_good("[1,2,3]"));
    }
    /* A hundred kilobytes of text fit, again and again. */
    strbuf_reset(&text);
    strbuf_append_char(&text, '"');
    for (int i = 0; i < 100000; i++)
        strbuf_append_char(&text, 'x');
    strbuf_append_char(&text, '"');
    for (int i = 0; i < 100; i++) {
        struct json_document *document = parse(strbuf_slice(&text), &err);
        assert_non_null(document);
        json_document_free(document);
    }
    strbuf_release(&text);
}

static void the_writer_owns_commas_and_escapes(void **state)
{
    (void)state;
    struct strbuf out;
    struct json_writer w;
    strbuf_init(&out, 1000);
    json_write_begin(&w, &out);
    json_write_object(&w);
    json_write_name(&w, "a");
    json_write_array(&w);
    json_write_integer(&w, INT64_MIN);
    json_write_number(&w, 75.3);
    json_write_number(&w, (double)NAN);
    json_write_number(&w, -(double)INFINITY);
    json_write_array(&w);
    json_write_end(&w);
    json_write_object(&w);
    json_write_end(&w);
    json_write_end(&w);
    json_write_name_slice(&w, SLICE("q\""));
    json_write_text(&w, SLICE("\"\\/\b\f\n\r\t\x01\x1f\x7f\xc3\xbc\xff\xc3|\xed\xa0\x80"));
    json_write_name(&w, "r");
    json_write_raw(&w, SLICE("{\"raw\":1}"));
    json_write_name(&w, "t");
    json_write_boolean(&w, true);
    json_write_name(&w, "n");
    json_write_null(&w);
    json_write_end(&w);
    static const char expected[] =
        "{\"a\":[-9223372036854775808,75.3,null,null,[],{}],"
        "\"q\\\"\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xc3\xbc\xef\xbf\xbd\xef\xbf\xbd|"
        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\",\"r\":{\"raw\":1},\"t\":true,\"n\":null}";
    assert_false(strbuf_failed(&out));
    assert_int_equal(out.len, strlen(expected));
    assert_memory_equal(out.bytes, expected, out.len);
    strbuf_release(&out);
}

/* Each misuse, by number, on a writer that has begun. */
static void misuse(int which)
{
    struct strbuf out;
    struct json_writer w;
    strbuf_init(&out, 1000);
    json_write_begin(&w, &out);
    if (which == 0) /* a value where a name belongs */
        json_write_object(&w), json_write_null(&w);
    if (which == 1) /* an end too many */
        json_write_array(&w), json_write_end(&w), json_write_end(&w);
    if (which == 2) /* a name in an array */
        json_write_array(&w), json_write_name(&w, "a");
    if (which == 3) /* a name without its value */
        json_write_object(&w), json_write_name(&w, "a"), json_write_end(&w);
    if (which == 4) /* two roots */
        json_write_null(&w), json_write_null(&w);
    for (int depth = 0; which == 5 && depth <= JSON_WRITE_DEPTH_MAX; depth++)
        json_write_array(&w);
}

static void misuse_of_the_writer_is_an_assertion(void **state)
{
    (void)state;
    for (int which = 0; which < 6; which++) {
        pid_t child = fork();
        if (child == 0) {
            (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
            (void)signal(SIGABRT, SIG_DFL);
            (void)close(STDERR_FILENO);
            misuse(which);
            _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

static void write_random_text(struct json_writer *w, struct test_random *random, bool as_name,
                              unsigned unique)
{
    static const char *const units[] = {
        "x", "\"", "\\", "\n", "\x7f", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "/", "\x01"};
    struct strbuf text;
    strbuf_init(&text, 64);
    if (as_name)
        strbuf_printf(&text, "%u", unique); /* no duplicates */
    for (size_t n = test_random_below(random, 10); n > 0; n--)
        strbuf_append_slice(&text, slice_from_string(units[test_random_below(random, 10)]));
    if (as_name)
        json_write_name_slice(w, strbuf_slice(&text));
    else
        json_write_text(w, strbuf_slice(&text));
    strbuf_release(&text);
}

static void write_random_tree(struct json_writer *w, struct test_random *random, int depth)
{
    size_t kind = test_random_below(random, depth < 6 ? 7 : 4);
    if (kind == 0) {
        write_random_text(w, random, false, 0);
    } else if (kind == 1) {
        uint64_t bits = test_random_u64(random);
        double number;
        memcpy(&number, &bits, sizeof number);
        json_write_number(w, number);
    } else if (kind == 2) {
        json_write_boolean(w, true);
    } else if (kind == 3) {
        json_write_null(w);
    } else {
        bool is_object = kind == 4;
        if (is_object)
            json_write_object(w);
        else
            json_write_array(w);
        for (unsigned n = (unsigned)test_random_below(random, 5); n > 0; n--) {
            if (is_object)
                write_random_text(w, random, true, n);
            write_random_tree(w, random, depth + 1);
        }
        json_write_end(w);
    }
}

static void copy_value(struct json_writer *w, const struct json_value *value);

static bool copy_member(void *context, struct slice name, const struct json_value *value)
{
    struct json_writer *w = context;
    if (w->scope[w->depth - 1] == '{')
        json_write_name_slice(w, name);
    copy_value(w, value);
    return true;
}

static void copy_value(struct json_writer *w, const struct json_value *value)
{
    double number;
    struct slice text;
    enum json_kind kind = json_value_kind(value);
    if (json_value_number(value, &number)) {
        json_write_number(w, number);
    } else if (json_value_text(value, &text)) {
        json_write_text(w, text);
    } else if (kind == JSON_KIND_BOOLEAN) {
        json_write_boolean(w, true); /* the only one written: none asks which */
    } else if (kind == JSON_KIND_NULL) {
        json_write_null(w);
    } else {
        if (kind == JSON_KIND_OBJECT)
            json_write_object(w);
        else
            json_write_array(w);
        json_value_each(value, copy_member, w);
        json_write_end(w);
    }
}

static void random_trees_are_read_as_they_were_written(void **state)
{
    (void)state;
    struct test_random random = test_random_start();
    struct strbuf first;
    struct strbuf second;
    strbuf_init(&first, 1 << 20);
    strbuf_init(&second, 1 << 20);
    for (int i = 0; i < 5000; i++) {
        struct json_writer w;
        struct error err;
        strbuf_reset(&first);
        strbuf_reset(&second);
        json_write_begin(&w, &first);
        write_random_tree(&w, &random, 0);
        struct json_document *document = parse(strbuf_slice(&first), &err);
        assert_non_null(document);
        json_write_begin(&w, &second);
        copy_value(&w, json_document_root(document));
        assert_true(slice_equals(strbuf_slice(&first), strbuf_slice(&second)));
        json_document_free(document);
    }
    strbuf_release(&first);
    strbuf_release(&second);
}

int main(void)
{
    enum { OTHER_COUNT = 14 };
    struct CMUnitTest tests[MALFORMED_COUNT + OTHER_COUNT] = {
        cmocka_unit_test(what_is_wrong_with_a_value_names_its_member),
        cmocka_unit_test(a_text_may_hold_nul),
        cmocka_unit_test(a_nul_byte_is_refused),
        cmocka_unit_test(of_a_part_the_place_in_the_whole_is_told),
        cmocka_unit_test(a_part_is_read_behind_what_stands_before),
        cmocka_unit_test(a_value_is_measured_without_being_read),
        cmocka_unit_test(values_are_what_the_text_says),
        cmocka_unit_test(members_are_visited_in_order_until_told_to_stop),
        cmocka_unit_test(nesting_ends_at_its_maximum),
        cmocka_unit_test(brackets_in_strings_are_no_nesting),
        cmocka_unit_test(memory_ends_at_its_maximum_and_is_given_back),
        cmocka_unit_test(the_writer_owns_commas_and_escapes),
        cmocka_unit_test(misuse_of_the_writer_is_an_assertion),
        cmocka_unit_test(random_trees_are_read_as_they_were_written),
    };
    /* The texts themselves are not fit to be printed. */
    static char names[MALFORMED_COUNT][80];
    for (size_t i = 0; i < MALFORMED_COUNT; i++) {
        (void)snprintf(names[i], sizeof names[i], "refuses_malformed_%zu: %s", i,
                       malformed[i].reason);
        tests[OTHER_COUNT + i] =
            (struct CMUnitTest){.name = names[i],
                                .test_func = is_refused_with_place_and_reason,
                                .initial_state = (void *)(uintptr_t)&malformed[i]};
    }
    json_read_init(MEMORY_MAX);
    return _cmocka_run_group_tests("json", tests, sizeof tests / sizeof tests[0], NULL, NULL);
}
