#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

int main(void)
{
    struct CMUnitTest tests[sizeof rows / sizeof *rows];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tests[i] = (struct CMUnitTest){.name = *rows[i].query ? rows[i].query : "empty",
                                       .test_func = check_row,
                                       .initial_state = (void *)(uintptr_t)&rows[i]};
    }
    return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
