#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <time.h>

#include "heap_slice.h"
#include "json_read.h"
#include "json_samples.h"
#include "random_json.h"
#include "slow_json_samples.h"

enum { JSON_MEMORY_MAX = 1 << 20, MEGABYTE = 1 << 20 };

#define A      "{\"timestamp\":1,\"value\":1.5,\"type\":\"a\"}"
#define A_ODD  "{\"timestamp\":1,\"value\":\"1.5\",\"typ\\u0065\":\"a\",\"host\":{\"n\":[1,\"]}\"]}}"
#define TAKE_A "a 1000000 1.5\n"
#define BAD    "{\"timestamp\":\"noon\",\"value\":null,\"type\":\"a\"}"
#define REFUSE_BAD(i)                                                                              \
    "refused " #i ": timestamp: must begin with a date such as 2026-02-21, or be Unix seconds; "   \
    "value: must be a finite number, or a string that holds one\n"
#define AT(i, line, column)                                                                        \
    "broken at " #i ": not acceptable JSON at line " #line ", column " #column ": "

struct row {
    const char *text;
    const char *heard;
};

static void assert_heard(samples_reader *read, struct slice text, const char *expected)
{
    struct slice exact = heap_slice_new(text.ptr, text.len);
    struct sink_log log;
    json_log_read(&log, read, exact, SIZE_MAX);
    heap_slice_free(exact);
    assert_string_equal(sink_log_text(&log), expected);
    sink_log_release(&log);
}

/* --- Arrays -------------------------------------------------------------------------- */

static const struct row arrays[] = {
    {"[]", ""},
    {" [ \r\n]\t", ""},
    {"[" A "]", TAKE_A},
    {"\xef\xbb\xbf [ " A " , " A_ODD "\n]\n", TAKE_A TAKE_A},
    {"[" A_ODD "," BAD "," A "]", TAKE_A REFUSE_BAD(1) TAKE_A},
    {"[7,null,\"x\",[" A "],{}]",
     "refused 0: must be a JSON object\n"
     "refused 1: must be a JSON object\n"
     "refused 2: must be a JSON object\n"
     "refused 3: must be a JSON object\n"
     "refused 4: timestamp: Field required; value: Field required; type: Field required\n"},
    /* What is wrong with the array. */
    {"[", AT(0, 1, 1) "the text ends too early\n"},
    {"[" A, TAKE_A AT(1, 1, 39) "the text ends too early\n"},
    {"[" A " \n ", TAKE_A AT(1, 2, 1) "the text ends too early\n"},
    {"[" A ",", TAKE_A AT(1, 1, 40) "the text ends too early\n"},
    {"[" A ",]", TAKE_A AT(1, 1, 41) "unexpected token\n"},
    {"[,", AT(0, 1, 2) "unexpected token\n"},
    {"[" A A "]", TAKE_A AT(1, 1, 40) "']' expected\n"},
    {"[" A "}", TAKE_A AT(1, 1, 40) "']' expected\n"},
    {"[" A ": \"text\"]", TAKE_A AT(1, 1, 40) "']' expected\n"},
    {"[\n" A "\n \"text\"]", TAKE_A AT(1, 3, 7) "']' expected\n"},
    {"[" A "] x", TAKE_A AT(1, 1, 42) "more text follows after the value\n"},
    {"[]]", AT(0, 1, 3) "more text follows after the value\n"},
    {"[]\xff", AT(0, 1, 2) "invalid UTF-8\n"},
    {"[\xef\xbb\xbf" A "]", AT(0, 1, 2) "not a JSON value (text needs quotes; NaN and Infinity do "
                                        "not exist)\n"},
    {"[\xef\xbb\xbf"
     "7]",
     AT(0, 1, 2) "not a JSON value (text needs quotes; NaN and Infinity do not exist)\n"},
    /* What is no JSON in an element, told alike. */
    {"[" A ",\n {\"m\xc3\xbc\":1e999}," A "]",
     TAKE_A AT(1, 2, 12) "a number too large for a double (1.8e308)\n"},
    {"[" A ",{\"a\":1,\"a\":1}]", TAKE_A AT(1, 1, 50) "the same member twice in an object\n"},
    {"[" BAD ",{\"a\":1]]", REFUSE_BAD(0) AT(1, 1, 53) "'}' expected\n"},
    {"[{\"a\":1", AT(0, 1, 7) "the text ends too early\n"},
    {"[\"abc", AT(0, 1, 5) "the text ends too early\n"},
    {"[1\"abc\"]", AT(0, 1, 7) "']' expected\n"},
    {"[nul,1]",
     AT(0, 1, 4) "not a JSON value (text needs quotes; NaN and Infinity do not exist)\n"},
};

static void an_array_is_heard_as_its_row_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        struct slice text = slice_from_string(arrays[i].text);
        assert_true(json_samples_is_array(text));
        assert_heard(json_samples_read_array, text, arrays[i].heard);
        assert_true(slow_json_agrees_on_array(text));
    }
}

static void an_array_begins_with_a_bracket(void **state)
{
    (void)state;
    static const char *const others[] = {"", " ", "{}", "7", "\xef\xbb\xbf", "\"[\"", "\v[]"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_false(json_samples_is_array(slice_from_string(others[i])));
        assert_heard(json_samples_read_array, slice_from_string(others[i]), "");
    }
}

/* --- Lines --------------------------------------------------------------------------- */

static const struct row lines[] = {
    {"", ""},
    {"\n \r\n\t\n", ""},
    {A, TAKE_A},
    {A "\n" A "\r\n\n  " A_ODD " \n", TAKE_A TAKE_A TAKE_A},
    {"\xef\xbb\xbf" A "\n\xef\xbb\xbf" A, TAKE_A TAKE_A},
    {"\n" BAD "\n\n7\n" A, REFUSE_BAD(0) "refused 1: must be a JSON object\n" TAKE_A},
    {A "\n\n" A " x\n" A,
     TAKE_A "refused 1: not acceptable JSON at line 3, column 40: more text follows after the "
            "value\n" TAKE_A},
    {"[" A "]\n", "refused 0: must be a JSON object\n"},
    {"{\"timestamp\":1,\n\"value\":1.5,\"type\":\"a\"}\n",
     "refused 0: not acceptable JSON at line 1, column 15: the text ends too early\n"
     "refused 1: not acceptable JSON at line 2, column 8: more text follows after the value\n"},
};

static void lines_are_heard_as_their_row_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct slice text = slice_from_string(lines[i].text);
        assert_heard(json_samples_read_lines, text, lines[i].heard);
        assert_true(slow_json_agrees_on_lines(text));
    }
}

/* --- Bounds -------------------------------------------------------------------------- */

static void every_beginning_is_heard_as_the_slow_way_hears_it(void **state)
{
    (void)state;
    static const char text[] = " [" A ",\n" BAD ",\"a\\\"]\",[[]],-1.5e3,true, " A_ODD "," A "]\n";
    for (size_t len = 0; len < sizeof text; len++) {
        struct slice exact = heap_slice_new(text, len);
        if (json_samples_is_array(exact))
            assert_true(slow_json_agrees_on_array(exact));
        assert_true(slow_json_agrees_on_lines(exact));
        assert_true(slow_json_agrees_on_plain(exact));
        heap_slice_free(exact);
    }
}

static void nothing_is_heard_behind_a_no(void **state)
{
    (void)state;
    const struct slice array = SLICE("[" A "," BAD "," A_ODD ",7," A "\n");
    static const char *const heard_of_array[] = {TAKE_A, TAKE_A REFUSE_BAD(1),
                                                 TAKE_A REFUSE_BAD(1) TAKE_A};
    for (size_t calls = 1; calls <= 3; calls++) {
        struct sink_log log;
        json_log_read(&log, json_samples_read_array, array, calls);
        assert_true(
            slice_equals(strbuf_slice(&log.text), slice_from_string(heard_of_array[calls - 1])));
        sink_log_release(&log);
        json_log_read(&log, json_samples_read_lines, SLICE(A "\n" BAD "\n" A_ODD "\n7\n"), calls);
        assert_true(
            slice_equals(strbuf_slice(&log.text), slice_from_string(heard_of_array[calls - 1])));
        sink_log_release(&log);
    }
}

/* `before`, a sample of exactly that many bytes that is not plain, `behind`. */
static struct slice with_long_sample(struct strbuf *text, const char *before, size_t len,
                                     const char *behind)
{
    strbuf_reset(text);
    strbuf_append_slice(text, slice_from_string(before));
    size_t start = text->len;
    strbuf_append_slice(text, SLICE("{\"timestamp\":1,\"value\":1.5,\"type\":\"a\",\"pad\":\""));
    while (text->len - start < len - 2)
        strbuf_append_char(text, ',');
    strbuf_append_slice(text, SLICE("\"}"));
    strbuf_append_slice(text, slice_from_string(behind));
    return strbuf_slice(text);
}

static void an_element_that_is_too_long_is_passed_over(void **state)
{
    (void)state;
#define TOO_LONG(i) "refused " #i ": must have at most 16384 bytes\n"
    const size_t max = JSON_SAMPLE_BYTES_MAX;
    struct strbuf text;
    strbuf_init(&text, MEGABYTE);
    assert_heard(json_samples_read_array, with_long_sample(&text, "[" A ",", max, "," A "]"),
                 TAKE_A TAKE_A TAKE_A);
    assert_heard(json_samples_read_array, with_long_sample(&text, "[" A ",", max + 1, "," A "]"),
                 TAKE_A TOO_LONG(1) TAKE_A);
    assert_heard(json_samples_read_array, with_long_sample(&text, "[" A ",\n", max + 1, ""),
                 TAKE_A TOO_LONG(1) AT(2, 2, 16385) "the text ends too early\n");
    assert_heard(json_samples_read_array, with_long_sample(&text, "[", 2 * max, " x]"),
                 TOO_LONG(0) AT(1, 1, 32771) "']' expected\n");
    assert_heard(json_samples_read_lines, with_long_sample(&text, "\n", max, "\n" A),
                 TAKE_A TAKE_A);
    assert_heard(json_samples_read_lines, with_long_sample(&text, "\n" A "\n", max + 1, "\n" A),
                 TAKE_A TOO_LONG(1) TAKE_A);
    strbuf_release(&text);
}

static void an_array_may_nest_as_deep_as_any_text(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text, 1000);
    for (int depth = JSON_DEPTH_MAX - 3; depth < JSON_DEPTH_MAX + 3; depth++) {
        strbuf_reset(&text);
        strbuf_append_slice(&text, SLICE("[" A ","));
        for (int i = 1; i < depth; i++)
            strbuf_append_slice(&text, i % 2 ? SLICE("{\"[\\\"\":") : SLICE("["));
        strbuf_append_char(&text, '7');
        for (int i = depth - 1; i > 0; i--)
            strbuf_append_char(&text, i % 2 ? '}' : ']');
        strbuf_append_slice(&text, SLICE("," A "]"));
        assert_true(slow_json_agrees_on_array(strbuf_slice(&text)));
        struct sink_log log;
        json_log_read(&log, json_samples_read_array, strbuf_slice(&text), SIZE_MAX);
        assert_int_equal(log.calls, depth > JSON_DEPTH_MAX ? 2 : 3);
        sink_log_release(&log);
    }
    strbuf_release(&text);
}

/* --- Memory and time ----------------------------------------------------------------- */

static void repeat(struct strbuf *text, const char *piece, size_t len)
{
    while (text->len + strlen(piece) <= len)
        strbuf_append_slice(text, slice_from_string(piece));
}

static void an_array_takes_the_memory_of_one_element(void **state)
{
    (void)state;
    struct strbuf text;
    struct sink_log log;
    struct error err;
    strbuf_init(&text, 2 * MEGABYTE);
    strbuf_append_slice(&text, SLICE("[" A));
    repeat(&text, "," A_ODD, MEGABYTE);
    strbuf_append_char(&text, ']');
    error_init(&err);
    assert_null(json_document_new(strbuf_slice(&text), "body", &err));
    assert_int_equal(err.code, ERR_NO_MEMORY);
    json_log_read(&log, json_samples_read_array, strbuf_slice(&text), SIZE_MAX);
    assert_null(memmem(log.text.bytes, log.text.len, "refused", 7));
    assert_null(memmem(log.text.bytes, log.text.len, " at ", 4));
    assert_in_range(log.calls, 10000, 20000);
    sink_log_release(&log);
    strbuf_release(&text);
}

static void an_element_for_which_memory_lacks_is_passed_over(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text, MEGABYTE);
    strbuf_append_slice(&text, SLICE("[" A ",[0"));
    repeat(&text, ",{}", JSON_SAMPLE_BYTES_MAX);
    strbuf_append_slice(&text, SLICE("]," A "]"));
    assert_heard(json_samples_read_array, strbuf_slice(&text),
                 TAKE_A "failed at 1: OUT_OF_MEMORY\n" TAKE_A);
    strbuf_release(&text);
}

static double cpu_seconds(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* What is quadratic takes minutes of these. */
static void a_hostile_megabyte_takes_linear_time(void **state)
{
    (void)state;
    static const struct {
        const char *begin, *piece;
    } rows[] = {
        {"[", "["},
        {"[", "{"},
        {"[", "{\"a\":"},
        {"[", ","},
        {"[", "1,"},
        {"[", "\"\","},
        {"[", "[],"},
        {"[", "{},"},
        {"[", "\""},
        {"[", "\\\""},
        {"[\"", "\\"},
        {"[\"", "\\\\"},
        {"[{\"type\":\"", "x"},
        {"[{\"type\":\"", "{\"type\":"},
        {"[" A ",{", " "},
        {"[" A, " "},
        {"[" A "]", "]"},
        {"[", A ","},
        {"[", "[[[[]]]],"},
        {"[", "{\"timestamp\":1,\"value\":1,"},
        {"[", "{\"timestamp\":1,\"value\":1,\"type\":1},"},
        {"", "[\n"},
        {"", "{\"a\":\n"},
        {"", "\"\n"},
        {"", "1\n"},
        {"", "\n"},
    };
    struct strbuf text;
    strbuf_init(&text, MEGABYTE);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sink_log log;
        strbuf_reset(&text);
        strbuf_append_slice(&text, slice_from_string(rows[i].begin));
        repeat(&text, rows[i].piece, MEGABYTE);
        double start = cpu_seconds();
        json_log_read(&log, json_samples_read_array, strbuf_slice(&text), SIZE_MAX);
        sink_log_release(&log);
        json_log_read(&log, json_samples_read_lines, strbuf_slice(&text), SIZE_MAX);
        sink_log_release(&log);
        if (cpu_seconds() - start > 20)
            fail_msg("%s %s", rows[i].begin, rows[i].piece);
    }
    strbuf_release(&text);
}

/* --- By chance ----------------------------------------------------------------------- */

static void random_bodies_are_heard_as_the_slow_way_hears_them(void **state)
{
    (void)state;
    struct test_random random = test_random_start();
    struct strbuf text;
    strbuf_init(&text, 1 << 20);
    for (int i = 0; i < 120000; i++) {
        strbuf_reset(&text);
        bool has_lines = test_random_below(&random, 3) == 0;
        if (has_lines)
            random_json_lines(&random, &text, 4);
        else
            random_json_array(&random, &text, 4);
        for (size_t damages = test_random_below(&random, 3); damages > 0; damages--)
            random_json_damage(&random, &text);
        struct slice exact = heap_slice_new(text.bytes, text.len);
        assert_true(slow_json_agrees_on_lines(exact));
        if (json_samples_is_array(exact))
            assert_true(slow_json_agrees_on_array(exact));
        heap_slice_free(exact);
    }
    strbuf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_array_is_heard_as_its_row_says),
        cmocka_unit_test(an_array_begins_with_a_bracket),
        cmocka_unit_test(lines_are_heard_as_their_row_says),
        cmocka_unit_test(every_beginning_is_heard_as_the_slow_way_hears_it),
        cmocka_unit_test(nothing_is_heard_behind_a_no),
        cmocka_unit_test(an_element_that_is_too_long_is_passed_over),
        cmocka_unit_test(an_array_may_nest_as_deep_as_any_text),
        cmocka_unit_test(an_array_takes_the_memory_of_one_element),
        cmocka_unit_test(an_element_for_which_memory_lacks_is_passed_over),
        cmocka_unit_test(a_hostile_megabyte_takes_linear_time),
        cmocka_unit_test(random_bodies_are_heard_as_the_slow_way_hears_them),
    };
    json_read_init(JSON_MEMORY_MAX);
    return cmocka_run_group_tests_name("json_samples", tests, NULL, NULL);
}
