#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arena.h"
#include "error.h"
#include "hash.h"
#include "slice.h"
#include "strbuf.h"

static void strbuf_takes_exactly_its_maximum(void **state)
{
    (void)state;
    struct strbuf buf;
    strbuf_init(&buf, 8);
    strbuf_append_slice(&buf, SLICE("12345678"));
    assert_false(strbuf_failed(&buf));
    strbuf_append_char(&buf, '9');
    assert_true(strbuf_failed(&buf));
    assert_true(slice_equals(strbuf_slice(&buf), SLICE("12345678")));
    strbuf_release(&buf);
}

static void strbuf_failure_sticks_until_reset(void **state)
{
    (void)state;
    struct strbuf buf;
    strbuf_init(&buf, 4);
    strbuf_append_slice(&buf, SLICE("12345"));
    strbuf_append_char(&buf, '1');
    assert_true(strbuf_failed(&buf));
    assert_int_equal(buf.len, 0);
    strbuf_reset(&buf);
    strbuf_append_char(&buf, '1');
    assert_false(strbuf_failed(&buf));
    strbuf_release(&buf);
}

static void strbuf_gives_back_what_one_large_text_took(void **state)
{
    (void)state;
    struct strbuf buf;
    strbuf_init(&buf, 10000);
    for (int i = 0; i < 5000; i++)
        strbuf_append_char(&buf, 'x');
    strbuf_reset_keeping(&buf, 1000);
    assert_int_equal(buf.capacity, 0);
    strbuf_append_slice(&buf, SLICE("small"));
    size_t kept = buf.capacity;
    strbuf_reset_keeping(&buf, 1000);
    assert_int_equal(buf.capacity, kept);
    assert_int_equal(buf.len, 0);
    assert_int_equal(buf.max, 10000);
    strbuf_release(&buf);
}

static void slices_are_ordered_by_bytes(void **state)
{
    (void)state;
    static const char *const ordered[] = {"", "A", "AB", "B", "a", "\xc3\xa9", "\xff"};
    const size_t count = sizeof ordered / sizeof *ordered;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            int order = slice_compare(slice_from_string(ordered[i]), slice_from_string(ordered[j]));
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}

static void strbuf_formats(void **state)
{
    (void)state;
    struct strbuf buf;
    strbuf_init(&buf, 1000);
    for (int i = 0; i < 100; i++)
        strbuf_printf(&buf, "%d;", i);
    assert_false(strbuf_failed(&buf));
    assert_int_equal(buf.len, 10 * 2 + 90 * 3);
    strbuf_release(&buf);
}

static void strbuf_printf_takes_exactly_its_maximum(void **state)
{
    (void)state;
    struct strbuf buf;
    strbuf_init(&buf, 8);
    strbuf_printf(&buf, "%s", "1234");
    strbuf_printf(&buf, "%d", 5678);
    assert_false(strbuf_failed(&buf));
    assert_true(slice_equals(strbuf_slice(&buf), SLICE("12345678")));
    strbuf_printf(&buf, "%c", '9');
    assert_true(strbuf_failed(&buf));
    assert_true(slice_equals(strbuf_slice(&buf), SLICE("12345678")));
    strbuf_release(&buf);
}

static void strbuf_reserves_nothing_without_failing(void **state)
{
    (void)state;
    struct strbuf buf;
    strbuf_init(&buf, 4);
    assert_non_null(strbuf_reserve(&buf, 0));
    strbuf_commit(&buf, 0);
    char *room = strbuf_reserve(&buf, 4);
    memset(room, 'x', 4);
    strbuf_commit(&buf, 4);
    assert_non_null(strbuf_reserve(&buf, 0));
    assert_null(strbuf_reserve(&buf, 1));
    assert_int_equal(buf.len, 4);
    strbuf_release(&buf);
}

static void strbuf_truncate_keeps_a_failure(void **state)
{
    (void)state;
    struct strbuf buf;
    strbuf_init(&buf, 4);
    strbuf_append_slice(&buf, SLICE("1234"));
    strbuf_append_char(&buf, '5');
    strbuf_truncate(&buf, 1);
    assert_true(strbuf_failed(&buf));
    assert_true(slice_equals(strbuf_slice(&buf), SLICE("1")));
    strbuf_release(&buf);
}

static void arena_keeps_a_block_over_resets(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 100000);
    void *first = arena_alloc(&arena, 16);
    assert_non_null(arena_alloc(&arena, 50000)); /* a block of its own, the newest */
    arena_reset(&arena);
    assert_ptr_equal(arena_alloc(&arena, 16), first);
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_copy(&arena, SLICE("x")).ptr);
    arena_release(&arena);
    assert_non_null(arena_alloc(&arena, 16));
    arena_release(&arena);
}

static void arena_alignment_and_limit_hold(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 10000);
    for (int i = 0; i < 100; i++) {
        char *p = arena_alloc(&arena, 1);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        *p = 'x';
    }
    assert_null(arena_alloc(&arena, 10000));
    assert_null(arena_alloc(&arena, 1));
    arena_reset(&arena);
    assert_non_null(arena_alloc(&arena, 9000));
    arena_release(&arena);
}

static void arena_copies_bytes(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 100000);
    struct slice kept[500];
    for (size_t i = 0; i < 500; i++) {
        char text[8] = {(char)('a' + i % 26), (char)('a' + i / 26)};
        kept[i] = arena_copy(&arena, slice_of(text, 2));
    }
    for (size_t i = 0; i < 500; i++) {
        assert_int_equal(kept[i].ptr[0], 'a' + i % 26);
        assert_int_equal(kept[i].ptr[1], 'a' + i / 26);
    }
    arena_release(&arena);
}

static void the_first_error_wins(void **state)
{
    (void)state;
    struct error err;
    error_init(&err);
    assert_int_equal(error_set(&err, ERR_NOT_FOUND, "no %s", "thing"), ERR_NOT_FOUND);
    assert_int_equal(error_set(&err, ERR_INTERNAL, "other"), ERR_NOT_FOUND);
    assert_string_equal(err.detail, "no thing");
    assert_string_equal(err_name(err.code), "NOT_FOUND");
}

static void texts_of_errors_are_cut_to_their_room(void **state)
{
    (void)state;
    struct error err;
    error_init(&err);
    (void)error_set(&err, ERR_INTERNAL, "%0500d", 7);
    error_set_cause(&err, "%0500d", 7);
    error_set_cause(&err, "second");
    (void)error_add_field(&err, "body", "a_name_that_is_longer_than_its_room", "%0500d", 7);
    assert_int_equal(strlen(err.detail), ERROR_DETAIL_BYTES - 1);
    assert_int_equal(strlen(err.cause), ERROR_CAUSE_BYTES - 1);
    assert_int_equal(strlen(err.fields[0].name), sizeof err.fields[0].name - 1);
    assert_int_equal(strlen(err.fields[0].message), sizeof err.fields[0].message - 1);
    assert_int_equal(error_set(NULL, ERR_NOT_FOUND, "x"), ERR_NOT_FOUND);
    error_set_cause(NULL, "x");
}

static void every_code_has_a_name(void **state)
{
    (void)state;
    for (int code = 0; code < ERR_CODE_COUNT; code++)
        assert_true(err_name((enum err_code)code)[0] != '\0');
    assert_string_equal(err_name((enum err_code)999), "INTERNAL_ERROR");
}

static void slices_compare_and_trim(void **state)
{
    (void)state;
    assert_true(slice_equals_ignoring_case(SLICE("Content-TYPE"), SLICE("content-type")));
    assert_false(slice_equals_ignoring_case(SLICE("[a"), SLICE("{a")));
    assert_false(slice_equals_ignoring_case(SLICE("a"), SLICE("ab")));
    assert_true(slice_equals(slice_of(NULL, 0), SLICE("")));
    assert_true(slice_starts_with(SLICE("abc"), slice_of(NULL, 0)));
    assert_false(slice_starts_with(SLICE("ab"), SLICE("abc")));
    assert_true(slice_equals(slice_trim(SLICE(" \t\r\na b \n")), SLICE("a b")));
    assert_int_equal(slice_trim(SLICE(" \n ")).len, 0);
    assert_int_equal(slice_trim(slice_of(NULL, 0)).len, 0);
}

static void a_slice_is_cut_at_separators(void **state)
{
    (void)state;
    struct slice rest = SLICE("a,,bc");
    assert_true(slice_equals(slice_cut(&rest, ','), SLICE("a")));
    assert_true(slice_equals(slice_cut(&rest, ','), SLICE("")));
    assert_true(slice_equals(slice_cut(&rest, ','), SLICE("bc")));
    assert_int_equal(rest.len, 0);
    assert_int_equal(slice_cut(&rest, ',').len, 0);
    rest = SLICE("a,");
    assert_true(slice_equals(slice_cut(&rest, ','), SLICE("a")));
    assert_int_equal(rest.len, 0);
    rest = slice_of(NULL, 0);
    assert_int_equal(slice_cut(&rest, ',').len, 0);
}

static void field_errors_are_bounded(void **state)
{
    (void)state;
    struct error err;
    error_init(&err);
    for (int i = 0; i < 10; i++)
        assert_int_equal(error_add_field(&err, "body", "value", "wrong %d", i), ERR_VALIDATION);
    assert_int_equal(err.field_count, ERROR_FIELDS_MAX);
    assert_string_equal(err.fields[0].message, "wrong 0");
}

static void hashes_differ_by_length_and_content(void **state)
{
    (void)state;
    assert_true(hash_bytes(SLICE(""), 0) != hash_bytes(slice_of("\0", 1), 0));
    assert_true(hash_bytes(SLICE("12345678a"), 0) != hash_bytes(SLICE("12345678b"), 0));
    assert_true(hash_bytes(SLICE("a"), 0) != hash_bytes(SLICE("a"), 1));
    /* From the draft's table of test vectors. */
    assert_true(hash_stable(SLICE("")) == UINT64_C(0xcbf29ce484222325));
    assert_true(hash_stable(SLICE("foobar")) == UINT64_C(0x85944171f73967e8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strbuf_takes_exactly_its_maximum),
        cmocka_unit_test(strbuf_failure_sticks_until_reset),
        cmocka_unit_test(strbuf_gives_back_what_one_large_text_took),
        cmocka_unit_test(slices_are_ordered_by_bytes),
        cmocka_unit_test(strbuf_formats),
        cmocka_unit_test(strbuf_printf_takes_exactly_its_maximum),
        cmocka_unit_test(strbuf_reserves_nothing_without_failing),
        cmocka_unit_test(strbuf_truncate_keeps_a_failure),
        cmocka_unit_test(arena_alignment_and_limit_hold),
        cmocka_unit_test(arena_copies_bytes),
        cmocka_unit_test(arena_keeps_a_block_over_resets),
        cmocka_unit_test(the_first_error_wins),
        cmocka_unit_test(texts_of_errors_are_cut_to_their_room),
        cmocka_unit_test(every_code_has_a_name),
        cmocka_unit_test(slices_compare_and_trim),
        cmocka_unit_test(a_slice_is_cut_at_separators),
        cmocka_unit_test(field_errors_are_bounded),
        cmocka_unit_test(hashes_differ_by_length_and_content),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
