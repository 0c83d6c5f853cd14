#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "heap_slice.h"
#include "sample.h"
#include "series_name.h"
#include "test_random.h"

/* Labels as name=value, separated by blanks; the first `=` counts. */
static void add_labels(struct series_labels *labels, const char *words)
{
    struct slice rest = slice_from_string(words);
    labels->count = 0;
    while (rest.len > 0) {
        struct slice value = slice_cut(&rest, ' ');
        struct slice name = slice_cut(&value, '=');
        assert_true(series_labels_add(labels, name, value));
    }
}

static const char *spell(struct slice metric, struct slice field,
                         const struct series_labels *labels, struct slice *name)
{
    static char buffer[SERIES_NAME_BYTES_MAX];
    *name = SLICE("");
    return series_name_spell(metric, field, labels, buffer, name);
}

struct row {
    const char *metric, *field, *labels, *name;
};

static const struct row rows[] = {
    {"cpu", NULL, "", "cpu"},
    {"cpu", "user", "", "cpu.user"},
    {"cpu", "", "", "cpu."},
    {"cpu", NULL, "host=a", "cpu;host=a"},
    {"cpu", "user", "host=a", "cpu.user;host=a"},
    {"cpu", NULL, "z=1 a=2 m=3", "cpu;a=2;m=3;z=1"},
    {"cpu", NULL, "b=1 a=2 ab=3 B=4", "cpu;B=4;a=2;ab=3;b=1"},
    {"cpu", NULL, "\xc3\xa9=1 z=2", "cpu;z=2;\xc3\xa9=1"},
    {"cpu", NULL, "a= b=1 c=", "cpu;b=1"},
    {"cpu", NULL, "a=", "cpu"},
    {"cpu", NULL, "a=b=c", "cpu;a=b=c"},
    {"a=b", "c=d", "", "a=b.c=d"},
    {"a;b", "c;d", "e;f=g;h", "a%3Bb.c%3Bd;e%3Bf=g%3Bh"},
    {";", NULL, "", "%3B"},
    {"100%", "5%3", "a%=%b", "100%.5%3;a%=%b"},
    {"%3B", "%3D", "%25=%253B", "%253B.%253D;%2525=%25253B"},
    {"%%3B", NULL, "", "%%253B"},
    {"%3b", NULL, "", "%3b"},
};

enum { ROW_COUNT = sizeof rows / sizeof *rows };

static void is_spelled_as_its_row_says(void **state)
{
    const struct row *row = *state;
    struct series_labels labels;
    struct slice name;
    add_labels(&labels, row->labels);
    assert_null(series_labels_sort(&labels));
    assert_null(
        spell(slice_from_string(row->metric), slice_from_string(row->field), &labels, &name));
    if (!slice_equals(name, slice_from_string(row->name)))
        fail_msg("%.*s", (int)name.len, name.ptr);
}

static void an_equals_sign_in_a_name_is_escaped(void **state)
{
    (void)state;
    struct series_labels labels = {.count = 0};
    struct slice name;
    assert_true(series_labels_add(&labels, SLICE("a=b"), SLICE("c=d")));
    assert_null(spell(SLICE("m"), slice_from_string(NULL), &labels, &name));
    assert_true(slice_equals(name, SLICE("m;a%3Db=c=d")));
}

static void a_label_that_is_there_twice_or_has_no_name_is_refused(void **state)
{
    (void)state;
    static const char *const words[] = {"a=1 a=2", "a=1 b=2 a=1", "b=1 a=2 c=3 b=4",
                                        "a= a=1",  "a= a=",       "a=1 a="};
    struct series_labels labels;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        add_labels(&labels, words[i]);
        assert_string_equal(series_labels_sort(&labels), "a label is there twice");
    }
    add_labels(&labels, "a=1 =2");
    assert_string_equal(series_labels_sort(&labels), "a label has an empty name");
}

static void there_is_room_for_so_many_labels(void **state)
{
    (void)state;
    struct series_labels labels = {.count = 0};
    static char names[SERIES_LABELS_MAX][8];
    for (size_t i = 0; i < SERIES_LABELS_MAX; i++) {
        (void)snprintf(names[i], sizeof names[i], "l%02zu", SERIES_LABELS_MAX - i);
        assert_true(series_labels_add(&labels, slice_from_string(names[i]), SLICE("v")));
    }
    assert_false(series_labels_add(&labels, SLICE("x"), SLICE("v")));
    assert_int_equal(labels.count, SERIES_LABELS_MAX);
    assert_null(series_labels_sort(&labels));
    assert_int_equal(labels.count, SERIES_LABELS_MAX);
    assert_true(slice_equals(labels.at[0].name, SLICE("l01")));
    assert_true(slice_equals(labels.at[SERIES_LABELS_MAX - 1].name, SLICE("l64")));
}

static void assert_fits(bool fits, struct slice metric, struct slice field,
                        const struct series_labels *labels)
{
    struct slice name;
    const char *wrong = spell(metric, field, labels, &name);
    if (fits)
        assert_null(wrong);
    else
        assert_string_equal(wrong, "must have at most 255 bytes, with its labels");
    assert_int_equal(name.len, fits ? SERIES_NAME_BYTES_MAX : 0);
}

/* Whichever part it is that has them; an escape is three. */
static void a_name_has_so_many_bytes_at_most(void **state)
{
    (void)state;
    static char text[SERIES_NAME_BYTES_MAX + 1];
    const struct slice x = SLICE("x"), none = slice_from_string(NULL);
    memset(text, 'x', sizeof text);
    for (size_t more = 0; more < 2; more++) {
        struct series_labels labels = {.count = 0};
        assert_fits(!more, slice_of(text, 255 + more), none, &labels);
        assert_fits(!more, x, slice_of(text, 253 + more), &labels);
        assert_true(series_labels_add(&labels, x, slice_of(text, 251 + more)));
        assert_fits(!more, x, none, &labels);
        labels.at[0] = (struct series_label){slice_of(text, 251 + more), x};
        assert_fits(!more, x, none, &labels);
        labels.at[0] = (struct series_label){x, SLICE(";")};
        assert_fits(!more, slice_of(text, 249 + more), none, &labels);
    }
}

static void what_no_name_may_hold_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *metric, *label, *wrong;
    } bad[] = {
        {"", "b", "must not be empty"},
        {"a\n", "b", "must not contain control characters"},
        {"a", "\x7f", "must not contain control characters"},
        {"a", "\xc2\x85", "must not contain control characters"},
        {"a", "\xff", "must be valid UTF-8"},
        {"a\xc3", "b", "must be valid UTF-8"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct series_labels labels = {.count = 0};
        struct slice name, metric = heap_slice_new(bad[i].metric, strlen(bad[i].metric));
        assert_true(series_labels_add(&labels, SLICE("n"), slice_from_string(bad[i].label)));
        assert_string_equal(spell(metric, slice_from_string(NULL), &labels, &name), bad[i].wrong);
        heap_slice_free(metric);
    }
}

/* Up to four pieces of what has to be escaped, and what looks as if it had been. */
static struct slice random_part(struct test_random *chance, char *buffer)
{
    static const struct slice pieces[] = {{";", 1},  {"=", 1},  {"%", 1}, {"3B", 2},
                                          {"3D", 2}, {"25", 2}, {"3", 1}, {"a", 1}};
    size_t len = 0;
    for (size_t i = 1 + test_random_below(chance, 4); i > 0; i--) {
        struct slice piece = pieces[test_random_below(chance, sizeof pieces / sizeof *pieces)];
        memcpy(buffer + len, piece.ptr, piece.len);
        len += piece.len;
    }
    return slice_of(buffer, len);
}

static size_t unescape(struct slice part, char *out)
{
    size_t len = 0;
    for (size_t i = 0; i < part.len; i++) {
        struct slice rest = slice_of(part.ptr + i, part.len - i);
        bool is_escape = true;
        if (slice_starts_with(rest, SLICE("%3B")))
            out[len++] = ';';
        else if (slice_starts_with(rest, SLICE("%3D")))
            out[len++] = '=';
        else if (slice_starts_with(rest, SLICE("%25")))
            out[len++] = '%';
        else
            is_escape = false;
        if (is_escape)
            i += 2;
        else
            out[len++] = part.ptr[i];
    }
    return len;
}

/* So different ones have different names. */
static void metric_and_labels_can_be_read_out_of_a_name(void **state)
{
    (void)state;
    struct test_random chance = test_random_start();
    for (int i = 0; i < 100000; i++) {
        char buffers[3][16], back[64];
        struct series_labels labels = {.count = 0};
        struct slice rest, metric = random_part(&chance, buffers[0]);
        struct slice name = random_part(&chance, buffers[1]);
        struct slice value = random_part(&chance, buffers[2]);
        assert_true(series_labels_add(&labels, name, value));
        assert_null(spell(metric, slice_from_string(NULL), &labels, &rest));
        struct slice found = slice_cut(&rest, ';');
        assert_true(slice_equals(slice_of(back, unescape(found, back)), metric));
        found = slice_cut(&rest, '=');
        assert_true(slice_equals(slice_of(back, unescape(found, back)), name));
        assert_null(rest.len ? memchr(rest.ptr, ';', rest.len) : NULL);
        assert_true(slice_equals(slice_of(back, unescape(rest, back)), value));
    }
}

int main(void)
{
    struct CMUnitTest tests[ROW_COUNT + 6] = {
        cmocka_unit_test(an_equals_sign_in_a_name_is_escaped),
        cmocka_unit_test(a_label_that_is_there_twice_or_has_no_name_is_refused),
        cmocka_unit_test(there_is_room_for_so_many_labels),
        cmocka_unit_test(a_name_has_so_many_bytes_at_most),
        cmocka_unit_test(what_no_name_may_hold_is_refused),
        cmocka_unit_test(metric_and_labels_can_be_read_out_of_a_name),
    };
    for (size_t i = 0; i < ROW_COUNT; i++) {
        tests[6 + i] = (struct CMUnitTest){.name = rows[i].name,
                                           .test_func = is_spelled_as_its_row_says,
                                           .initial_state = (void *)(uintptr_t)&rows[i]};
    }
    return _cmocka_run_group_tests("series_name", tests, sizeof tests / sizeof *tests, NULL, NULL);
}
