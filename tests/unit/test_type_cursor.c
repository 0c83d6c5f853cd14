#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heap_slice.h"
#include "list_cursor.h"
#include "sample.h"
#include "tampering.h"
#include "type_cursor.h"

enum { HEAD_BYTES = 16 };

static struct arena arena;
static struct strbuf text;

static int fresh(void **state)
{
    (void)state;
    arena_init(&arena, 4096);
    strbuf_init(&text, LIST_CURSOR_TEXT_MAX);
    return 0;
}

static int done(void **state)
{
    (void)state;
    arena_release(&arena);
    strbuf_release(&text);
    return 0;
}

static bool read_cursor(struct slice from, struct type_cursor *cursor)
{
    struct slice copy = heap_slice_new(from.ptr, from.len);
    arena_reset(&arena);
    bool is_good = type_cursor_read(copy, &arena, cursor);
    heap_slice_free(copy);
    return is_good;
}

static void write_cursor(const struct type_cursor *cursor)
{
    strbuf_reset(&text);
    type_cursor_append(cursor, &text);
    assert_false(strbuf_failed(&text));
}

static const struct type_cursor an_example = {.match = 0x0123456789abcdefU, .name = {"cpu", 3}};

static void reads_back_what_was_written(void **state)
{
    (void)state;
    char longest[TYPE_BYTES_MAX];
    memset(longest, 0xff, sizeof longest);
    const struct type_cursor cursors[] = {
        an_example,
        {0, {"\0", 1}},
        {UINT64_MAX, {longest, sizeof longest}},
    };
    for (size_t i = 0; i < sizeof cursors / sizeof *cursors; i++) {
        struct type_cursor back;
        write_cursor(&cursors[i]);
        assert_true(read_cursor(strbuf_slice(&text), &back));
        assert_true(back.match == cursors[i].match);
        assert_true(slice_equals(back.name, cursors[i].name));
    }
    assert_int_equal(text.len, TYPE_CURSOR_TEXT_MAX);
}

static bool accepts(struct slice from)
{
    struct type_cursor cursor;
    return read_cursor(from, &cursor);
}

static void every_changed_character_is_noticed(void **state)
{
    (void)state;
    write_cursor(&an_example);
    tampering_check_characters(&text, accepts);
}

static void every_other_length_is_noticed(void **state)
{
    (void)state;
    write_cursor(&an_example);
    tampering_check_lengths(&text, accepts);
}

static void a_forged_cursor_stays_within_bounds(void **state)
{
    (void)state;
    unsigned char bytes[TYPE_CURSOR_TEXT_MAX] = {TYPE_CURSOR_VERSION};
    assert_true(tampering_forge(bytes, HEAD_BYTES + 1, accepts));
    assert_false(tampering_forge(bytes, HEAD_BYTES, accepts)); /* no name is empty */
    assert_false(tampering_forge(bytes, HEAD_BYTES - 1, accepts));
    assert_true(tampering_forge(bytes, HEAD_BYTES + TYPE_BYTES_MAX, accepts));
    assert_false(tampering_forge(bytes, HEAD_BYTES + TYPE_BYTES_MAX + 1, accepts));
    assert_false(tampering_forge(bytes, sizeof bytes, accepts));
    static const struct {
        size_t at;
        unsigned char byte;
    } bad[] = {{0, 0}, {0, LIST_CURSOR_VERSION}, {1, 1}, {2, 1}, {3, 1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(tampering_forge_byte(bytes, HEAD_BYTES + 1, bad[i].at, bad[i].byte, accepts));
}

/* Each is refused where the other belongs, whatever it holds. */
static void a_cursor_of_a_list_is_another(void **state)
{
    (void)state;
    const struct list_cursor listed = {.place = {{0}, {"cpu", 3}, 0}};
    struct type_cursor back;
    struct list_cursor other;
    strbuf_reset(&text);
    list_cursor_append(&listed, &text);
    assert_false(read_cursor(strbuf_slice(&text), &back));
    write_cursor(&(struct type_cursor){0, SLICE("a name that is long enough for both of them")});
    assert_true(read_cursor(strbuf_slice(&text), &back));
    assert_false(list_cursor_read(strbuf_slice(&text), &arena, &other));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(reads_back_what_was_written),   TEST(every_changed_character_is_noticed),
        TEST(every_other_length_is_noticed), TEST(a_forged_cursor_stays_within_bounds),
        TEST(a_cursor_of_a_list_is_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
