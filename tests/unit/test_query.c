#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heap_slice.h"
#include "query.h"

enum { INVALID = 1, ABSENT = 2 };

static const struct row {
    const char *query, *name;
    int kind;
    const char *value;
    size_t len;
} rows[] = {
    {"type=cpu", "type", 0, "cpu", 3},
    {"type=a&type=b", "type", 0, "b", 1},
    {"type=a&type=", "type", 0, "", 0},
    {"type", "type", 0, "", 0},
    {"type=", "type", 0, "", 0},
    {"type=a=b", "type", 0, "a=b", 3},
    {"xtype=a&type2=b", "type", ABSENT, NULL, 0},
    {"", "type", ABSENT, NULL, 0},
    {"&&&", "type", ABSENT, NULL, 0},
    {"=a", "type", ABSENT, NULL, 0},
    {"type=a+b", "type", 0, "a b", 3},
    {"type=a%2Bb%20c", "type", 0, "a+b c", 5},
    {"t%79pe=a", "type", 0, "a", 1},
    {"type%00=a", "type", ABSENT, NULL, 0},
    {"type=%00", "type", 0, "\0", 1},
    {"type=%c3%a9", "type", 0, "\xc3\xa9", 2},
    {"type=%", "type", INVALID, NULL, 0},
    {"type=%4", "type", INVALID, NULL, 0},
    {"type=%zz", "type", INVALID, NULL, 0},
    {"type=%%31", "type", INVALID, NULL, 0},
    {"other=%zz&type=a", "type", 0, "a", 1},
    {"type=%zz&type=a", "type", 0, "a", 1},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct arena arena;
    arena_init(&arena, 4096);
    struct error err;
    error_init(&err);
    /* On the heap at exactly its length: a sanitizer sees a read beyond it. */
    size_t len = strlen(row->query);
    char *query = malloc(len + (len == 0));
    assert_non_null(query);
    memcpy(query, row->query, len);

    struct slice value;
    enum err_code code = query_get(slice_of(query, len), row->name, &arena, &value, &err);
    if (row->kind == INVALID) {
        assert_int_equal(code, ERR_VALIDATION);
        assert_string_equal(err.fields[0].location, "query");
        assert_string_equal(err.fields[0].name, row->name);
    } else {
        assert_int_equal(code, ERR_OK);
        assert_int_equal(value.ptr == NULL, row->kind == ABSENT);
        if (value.ptr)
            assert_true(slice_equals(value, slice_of(row->value, row->len)));
    }
    free(query);
    arena_release(&arena);
}

static const struct repeated_row {
    const char *query;
    const char *values[4];
    bool is_invalid; /* behind those */
} repeated_rows[] = {
    {"", {NULL}, false},
    {"type=a", {"a"}, false},
    {"type=a&x=1&type=&type=b%20c", {"a", "", "b c"}, false},
    {"&&type&xtype=1&t%79pe=a&&", {"", "a"}, false},
    {"type=a&type=a&type=a&type=a", {"a", "a", "a", "a"}, false},
    {"type=a&type=%zz&type=b", {"a"}, true},
};

static void values_of_a_repeated_parameter_come_one_by_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof repeated_rows / sizeof *repeated_rows; i++) {
        const struct repeated_row *row = &repeated_rows[i];
        struct slice query = heap_slice_new(row->query, strlen(row->query)), rest = query, value;
        struct arena arena;
        struct error err;
        arena_init(&arena, 4096);
        error_init(&err);
        for (size_t j = 0; j < 4 && row->values[j]; j++) {
            assert_int_equal(query_next(&rest, "type", &arena, &value, &err), ERR_OK);
            assert_true(value.ptr && slice_equals(value, slice_from_string(row->values[j])));
        }
        enum err_code code = query_next(&rest, "type", &arena, &value, &err);
        assert_int_equal(code, row->is_invalid ? ERR_VALIDATION : ERR_OK);
        assert_null(value.ptr);
        heap_slice_free(query);
        arena_release(&arena);
    }
}

static const struct known_row {
    const char *query, *known;
} known_rows[] = {
    {"", ""},
    {"cursor=x", ""},
    {"type=a", "type=a&"},
    {"types=a&atype=b&type", "type=&"},
    {"type=a&cursor=x&limit=3", "type=a&limit=3&"},
    {"limit=3&x=((((((&&t%79pe=a", "type=a&limit=3&"},
    {"limit=1&type=a&limit=2&type=b&limit=3", "type=b&limit=3&"},
    {"limit=now/d&type=a%20b%3e+c", "type=a%20b%3e+c&limit=now/d&"},
    {"type=>\"<,; \xc3\xa9\x01", "type=%3E%22%3C%2C%3B%20%C3%A9%01&"},
    {"type=%&limit=%4", "type=%25&limit=%254&"},
};

static void known_parameters_are_copied_as_a_uri_has_them(void **state)
{
    (void)state;
    static const char *const names[] = {"type", "limit", NULL};
    for (size_t i = 0; i < sizeof known_rows / sizeof *known_rows; i++) {
        const struct known_row *row = &known_rows[i];
        struct slice query = heap_slice_new(row->query, strlen(row->query));
        struct strbuf out;
        strbuf_init(&out, 200);
        query_append_known(query, names, &out);
        if (!slice_equals(strbuf_slice(&out), slice_from_string(row->known)))
            fail_msg("%s became %.*s", row->query, (int)out.len, strbuf_slice(&out).ptr);
        heap_slice_free(query);
        strbuf_release(&out);
    }
}

static const struct integer_row {
    const char *query;
    enum err_code code;
    int64_t value;
} integer_rows[] = {
    {"", ERR_OK, 7},
    {"n=2", ERR_OK, 2},
    {"n=-2", ERR_OK, -2},
    {"n=9&n=3", ERR_OK, 3},
    {"n=%33", ERR_OK, 3},
    {"n=00000000000000000003", ERR_OK, 3},
    {"n=000000000000000000003", ERR_VALIDATION, 7},
    {"n=-3", ERR_VALIDATION, 7},
    {"n=10", ERR_VALIDATION, 7},
    {"n=1.0", ERR_VALIDATION, 7},
    {"n=", ERR_VALIDATION, 7},
    {"n=%zz", ERR_VALIDATION, 7},
};

static void an_integer_lies_within_its_limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof integer_rows / sizeof *integer_rows; i++) {
        const struct integer_row *row = &integer_rows[i];
        struct slice query = heap_slice_new(row->query, strlen(row->query));
        struct arena arena;
        struct error err;
        int64_t value = 7;
        arena_init(&arena, 1 << 16);
        error_init(&err);
        enum err_code code = query_get_integer(query, "n", &arena, -2, 9, &value, &err);
        if (code != row->code || value != row->value)
            fail_msg("%s: %d, %lld", row->query, code, (long long)value);
        heap_slice_free(query);
        arena_release(&arena);
    }
}

static const struct type_row {
    const char *query;
    bool is_required;
    const char *type; /* NULL: refused */
} type_rows[] = {
    {"type=cpu", true, "cpu"},
    {"type=cpu", false, "cpu"},
    {"type=a&type=b", true, "b"},
    {"", true, NULL},
    {"", false, ""},
    {"type=", true, NULL},
    {"type=", false, ""},
    {"type=a%00", true, NULL},
    {"type=a%00", false, NULL},
    {"type=%zz", false, NULL},
    {"type=a+b", true, "a b"},
    {"types=a", true, NULL},
};

static void a_type_is_one_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof type_rows / sizeof *type_rows; i++) {
        const struct type_row *row = &type_rows[i];
        struct slice query = heap_slice_new(row->query, strlen(row->query)), type;
        struct arena arena;
        struct error err;
        arena_init(&arena, 1 << 16);
        error_init(&err);
        enum err_code code = query_get_type(query, row->is_required, &arena, &type, &err);
        if (code != (row->type ? ERR_OK : ERR_VALIDATION) ||
            (row->type && !slice_equals(type, slice_from_string(row->type))))
            fail_msg("%s: %d", row->query, code);
        assert_int_equal(err.field_count, row->type ? 0 : 1);
        heap_slice_free(query);
        arena_release(&arena);
    }
}

static const struct spelling {
    const char *raw, *text;
    bool is_one;
} spellings[] = {
    {"cpu", "cpu", true},
    {"%63p%75", "cpu", true},
    {"caf\xc3\xa9", "caf\xc3\xa9", true},
    {"caf%C3%a9", "caf\xc3\xa9", true},
    {"a+b", "a+b", true},
    {"a+b", "a b", false},
    {"a%20b", "a b", true},
    {"a b", "a b", true},
    {"100%", "100%", true},
    {"100%25", "100%", true},
    {"100%2", "100%2", true},
    {"%zz", "%zz", true},
    {"cp", "cpu", false},
    {"cpux", "cpu", false},
    {"", "cpu", false},
    {"", "", true},
    {"cpu%00", "cpu", false},
    {"CPU", "cpu", false},
};

static void a_text_may_be_spelt_as_it_is_or_percent_encoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        const struct spelling *row = &spellings[i];
        struct slice raw = heap_slice_new(row->raw, strlen(row->raw));
        struct slice text = heap_slice_new(row->text, strlen(row->text));
        if (query_spells(raw, text) != row->is_one)
            fail_msg("\"%s\" and \"%s\"", row->raw, row->text);
        heap_slice_free(raw);
        heap_slice_free(text);
    }
}

int main(void)
{
    enum { ROWS = sizeof rows / sizeof *rows };
    struct CMUnitTest tests[ROWS + 5] = {
        [ROWS + 4] = cmocka_unit_test(a_type_is_one_name),
        [ROWS + 3] = cmocka_unit_test(an_integer_lies_within_its_limits),
        [ROWS + 2] = cmocka_unit_test(a_text_may_be_spelt_as_it_is_or_percent_encoded),
        [ROWS] = cmocka_unit_test(values_of_a_repeated_parameter_come_one_by_one),
        [ROWS + 1] = cmocka_unit_test(known_parameters_are_copied_as_a_uri_has_them)};
    for (size_t i = 0; i < ROWS; i++) {
        tests[i] = (struct CMUnitTest){.name = *rows[i].query ? rows[i].query : "empty",
                                       .test_func = check_row,
                                       .initial_state = (void *)(uintptr_t)&rows[i]};
    }
    return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
