#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heap_slice.h"
#include "iso8601.h"
#include "list_cursor.h"
#include "tampering.h"

enum { TEXT_MAX = 590, HEAD_BYTES = 40 };

static struct arena arena;
static struct strbuf text;

static int fresh(void **state)
{
    (void)state;
    arena_init(&arena, 4096);
    strbuf_init(&text, TEXT_MAX);
    return 0;
}

static int done(void **state)
{
    (void)state;
    arena_release(&arena);
    strbuf_release(&text);
    return 0;
}

static bool read_cursor(struct slice from, struct list_cursor *cursor)
{
    struct slice copy = heap_slice_new(from.ptr, from.len);
    arena_reset(&arena);
    bool is_good = list_cursor_read(copy, &arena, cursor);
    heap_slice_free(copy);
    return is_good;
}

static void write_cursor(const struct list_cursor *cursor)
{
    strbuf_reset(&text);
    list_cursor_append(cursor, &text);
    assert_false(strbuf_failed(&text));
}

static const struct list_cursor an_example = {
    .is_backward = true,
    .parameters = 0x0123456789abcdefU,
    .place = {{1771675200000000}, {"cpu", 3}, 4095},
    .now = {1771675300000000},
};

static void reads_back_what_was_written(void **state)
{
    (void)state;
    char longest[TYPE_BYTES_MAX];
    for (size_t i = 0; i < sizeof longest; i++)
        longest[i] = "\xf0\x9f\x8c\xa1"[i % 4];
    const struct list_cursor cursors[] = {
        an_example,
        {false, 0, {{ISO8601_MIN_US}, SLICE(""), 0}, {0}},
        {true, UINT64_MAX, {{ISO8601_MAX_US}, {longest, sizeof longest}, UINT64_MAX}, {-1}},
    };
    for (size_t i = 0; i < sizeof cursors / sizeof *cursors; i++) {
        struct list_cursor back;
        write_cursor(&cursors[i]);
        assert_true(read_cursor(strbuf_slice(&text), &back));
        assert_int_equal(back.is_backward, cursors[i].is_backward);
        assert_true(back.parameters == cursors[i].parameters);
        assert_true(back.place.at.us == cursors[i].place.at.us);
        assert_true(back.place.rank == cursors[i].place.rank);
        assert_true(slice_equals(back.place.type, cursors[i].place.type));
        assert_true(back.now.us == cursors[i].now.us);
    }
}

static bool accepts(struct slice from)
{
    struct list_cursor cursor;
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
    unsigned char bytes[TEXT_MAX] = {LIST_CURSOR_VERSION, 1};
    assert_true(tampering_forge(bytes, HEAD_BYTES, accepts));
    assert_false(tampering_forge(bytes, HEAD_BYTES - 1, accepts));
    assert_false(tampering_forge(bytes, HEAD_BYTES + 1, accepts)); /* no type has such a name */
    memset(bytes + HEAD_BYTES, 'x', sizeof bytes - HEAD_BYTES);
    assert_true(tampering_forge(bytes, HEAD_BYTES + LONG_TYPE_BYTES_MAX, accepts));
    assert_false(tampering_forge(bytes, HEAD_BYTES + LONG_TYPE_BYTES_MAX + 1, accepts));
    assert_false(tampering_forge(bytes, sizeof bytes, accepts));
    static const struct {
        size_t at;
        unsigned char byte;
    } bad[] = {{0, 0}, {0, 2}, {1, 2}, {2, 1}, {3, 1}, {23, 0x7f}, {23, 0x80}, {39, 0x7f}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(tampering_forge_byte(bytes, HEAD_BYTES, bad[i].at, bad[i].byte, accepts));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(reads_back_what_was_written),
        TEST(every_changed_character_is_noticed),
        TEST(every_other_length_is_noticed),
        TEST(a_forged_cursor_stays_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
