#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "heap_slice.h"
#include "random_json.h"
#include "sample_scan.h"
#include "slow_json_samples.h"

#define T         "\"timestamp\":\"2026-02-21T12:00:00Z\""
#define T_US      INT64_C(1771675200000000)
#define V         "\"value\":85.5"
#define N         "\"type\":\"cpu\""
#define WITH_T(t) "{\"timestamp\":" t "," V "," N "}"
#define WITH_V(v) "{" T ",\"value\":" v "," N "}"
#define WITH_N(n) "{" T "," V ",\"type\":" n "}"

struct plain {
    const char *text;
    const char *rest; /* that stands behind it and is none of it */
    int64_t at_us;
    double value;
    const char *type;
};

static const struct plain plains[] = {
    {"{" T "," V "," N "}", "", T_US, 85.5, "cpu"},
    {"{" T "," N "," V "}", ",", T_US, 85.5, "cpu"},
    {"{" V "," T "," N "}", "]", T_US, 85.5, "cpu"},
    {"{" V "," N "," T "}", "}", T_US, 85.5, "cpu"},
    {"{" N "," T "," V "}", " x", T_US, 85.5, "cpu"},
    {"{" N "," V "," T "}", "\xff", T_US, 85.5, "cpu"},
    {"{ \t\r\n\"timestamp\" :\n1 , \"value\"\t: 2 ,\r\"type\": \"a\" }", " ", 1000000, 2, "a"},
    {WITH_T("0"), "", 0, 85.5, "cpu"},
    {WITH_T("-1.5"), "", -1500000, 85.5, "cpu"},
    {WITH_T("1700000000000"), "", INT64_C(1700000000000000), 85.5, "cpu"},
    {WITH_T("\"1700000000\""), "", INT64_C(1700000000000000), 85.5, "cpu"},
    {WITH_T("\"2026-02-21 13:00+01:00\""), "", T_US, 85.5, "cpu"},
    {WITH_V("0"), "", T_US, 0, "cpu"},
    {WITH_V("-0"), "", T_US, -0.0, "cpu"},
    {WITH_V("-0.25"), "", T_US, -0.25, "cpu"},
    {WITH_V("1e3"), "", T_US, 1000, "cpu"},
    {WITH_V("0e9"), "", T_US, 0, "cpu"},
    {WITH_V("0.5E+1"), "", T_US, 5, "cpu"},
    {WITH_V("1e-400"), "", T_US, 0, "cpu"},
    {WITH_V("0.30000000000000004441"), "", T_US, 0.30000000000000004441, "cpu"},
    {WITH_V("1.7976931348623157e308"), "", T_US, 1.7976931348623157e308, "cpu"},
    {WITH_N("\"a{\xc3\xbc}[/:,'\""), "", T_US, 85.5, "a{\xc3\xbc}[/:,'"},
};

static void the_plain_shape_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof plains / sizeof *plains; i++) {
        const struct plain *row = &plains[i];
        char text[256];
        (void)snprintf(text, sizeof text, "%s%s", row->text, row->rest);
        struct slice exact = heap_slice_new(text, strlen(text));
        struct sample sample = {0};
        assert_int_equal(sample_scan(exact, &sample), strlen(row->text));
        assert_true(sample.at.us == row->at_us);
        assert_memory_equal(&sample.value, &row->value, sizeof row->value);
        assert_true(slice_equals(sample.type, slice_from_string(row->type)));
        assert_true(slow_json_agrees_on_plain(exact));
        heap_slice_free(exact);
    }
}

static const char *const others[] = {
    "",
    "[",
    " {" T "," V "," N "}",
    "{}",
    "{" T "," V "}",
    "{" T "," V "," N ",}",
    "{" T "," V "," N ",\"host\":1}",
    "{" T "," V ",\"host\":1}",
    "{" T "," V "," V "}",
    "{" T "," V "," T "}",
    "{" N "," V "," N "}",
    "{," T "," V "," N "}",
    "{" T "," V " " N "}",
    "{" T "," V "," N "]",
    "{" T "," V ",\"type\" \"cpu\"}",
    "{" T "," V ",\"typ\\u0065\":\"cpu\"}",
    "{" T "," V ",\"Type\":\"cpu\"}",
    "{" T "," V ",\"types\":\"cpu\"}",
    "{" T "," V ",type:\"cpu\"}",
    "{" T ",\v" V "," N "}",
    WITH_T("\"noon\""),
    WITH_T("\"2026-02-21T12:00:00Z "),
    WITH_T("\"2026-02-21T12:00:00\\u005a\""),
    WITH_T("\" 1\""),
    WITH_T("01"),
    WITH_T("1e400"),
    WITH_T("1e300"),
    WITH_T("null"),
    WITH_V("\"85.5\""),
    WITH_V("true"),
    WITH_V(""),
    WITH_V("-"),
    WITH_V("+1"),
    WITH_V("01"),
    WITH_V("-01"),
    WITH_V("00"),
    WITH_V(".5"),
    WITH_V("-.5"),
    WITH_V("5."),
    WITH_V("5.e1"),
    WITH_V("1e"),
    WITH_V("1e+"),
    WITH_V("1.5.5"),
    WITH_V("0x1"),
    WITH_V("1e999"),
    WITH_V("-1e999"),
    WITH_V("NaN"),
    WITH_V("-Infinity"),
    WITH_N("1"),
    WITH_N("\"\""),
    WITH_N("\"a\\\"b\""),
    WITH_N("\"a\tb\""),
    WITH_N("\"a\nb\""),
    WITH_N("\"a\x7f\""),
    WITH_N("\"\xff\""),
    WITH_N("\"\xc3\""),
    WITH_N("\"\xc0\xaf\""),
    WITH_N("\"\xed\xa0\x80\""),
    WITH_N("\"\xc2\x80\""),
};

static bool is_plain(struct slice text)
{
    struct slice exact = heap_slice_new(text.ptr, text.len);
    struct sample sample = {0};
    size_t len = sample_scan(exact, &sample);
    heap_slice_free(exact);
    return len > 0;
}

static void any_other_shape_is_left(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (is_plain(slice_from_string(others[i])))
            fail_msg("took %s", others[i]);
    }
    assert_false(
        is_plain(slice_of("{" T "," V ",\"type\":\"a\0b\"}", sizeof WITH_N("\"a.b\"") - 1)));
}

static void names_have_up_to_100_characters(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text, 1000);
    for (int count = 99; count <= 102; count++) {
        strbuf_reset(&text);
        strbuf_append_slice(&text, SLICE("{" T "," V ",\"type\":\""));
        for (int i = 0; i < count; i++)
            strbuf_append_slice(&text, i % 2 ? SLICE("\xc3\xbc") : SLICE("x"));
        strbuf_append_slice(&text, SLICE("\"}"));
        assert_int_equal(is_plain(strbuf_slice(&text)), count <= 100);
    }
    strbuf_release(&text);
}

static void a_number_may_be_long(void **state)
{
    (void)state;
    for (int zeros = 900; zeros <= 1200; zeros += 100) {
        char text[2048];
        (void)snprintf(text, sizeof text, "{" T ",\"value\":0.%0*d," N "}", zeros, 7);
        struct slice exact = heap_slice_new(text, strlen(text));
        assert_true(slow_json_agrees_on_plain(exact));
        heap_slice_free(exact);
    }
}

static void nothing_but_the_whole_is_plain(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof plains / sizeof *plains; i++) {
        for (size_t len = 0; len < strlen(plains[i].text); len++)
            assert_false(is_plain(slice_of(plains[i].text, len)));
    }
}

/* Most begin as an object; damaged or not. */
static void what_is_taken_the_slow_way_takes_alike(void **state)
{
    (void)state;
    struct test_random random = test_random_start();
    struct strbuf text;
    size_t taken = 0;
    strbuf_init(&text, 1 << 20);
    for (int i = 0; i < 200000; i++) {
        strbuf_reset(&text);
        random_json_object(&random, &text);
        for (size_t damages = test_random_below(&random, 3); damages > 0; damages--)
            random_json_damage(&random, &text);
        struct slice exact = heap_slice_new(text.bytes, text.len);
        struct sample sample = {0};
        assert_true(slow_json_agrees_on_plain(exact));
        taken += sample_scan(exact, &sample) > 0;
        heap_slice_free(exact);
    }
    assert_in_range(taken, 20000, 180000);
    strbuf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plain_shape_is_taken),
        cmocka_unit_test(any_other_shape_is_left),
        cmocka_unit_test(names_have_up_to_100_characters),
        cmocka_unit_test(a_number_may_be_long),
        cmocka_unit_test(nothing_but_the_whole_is_plain),
        cmocka_unit_test(what_is_taken_the_slow_way_takes_alike),
    };
    return cmocka_run_group_tests_name("sample_scan", tests, NULL, NULL);
}
