#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "clock.h"
#include "glob.h"
#include "heap_slice.h"
#include "test_random.h"
#include "utf8.h"

static const struct row {
    const char *pattern, *text;
    bool matches;
} rows[] = {
    {"cpu", "cpu", true},
    {"cpu", "cpu2", false},
    {"cpu", "cp", false},
    {"cpu*", "cpu", true},
    {"cpu*", "cpu.load", true},
    {"cpu*", "xcpu", false},
    {"*cpu", "xcpu", true},
    {"*cpu", "cpucpu", true},
    {"*cpu", "cpux", false},
    {"*", "", true},
    {"**", "a", true},
    {"", "", true},
    {"", "a", false},
    {"?", "", false},
    {"?", "a", true},
    {"?", "\xc3\xa9", true},
    {"?", "\xf0\x9f\x8c\xa1", true},
    {"??", "\xc3\xa9", false},
    {"?*?", "a", false},
    {"?*?", "\xc3\xa9\xe2\x82\xac", true},
    {"*\xc3\xa9", "caf\xc3\xa9", true},
    {"*\xc3\xa9*", "caf\xc3\xa8", false},
    {"a*b*c", "a-b-b-c", true},
    {"a*b*c", "a-c-b", false},
    {"*ab*ab", "abab", true},
    {"*ab*ab", "aab", false},
    {"a?c", "a*c", true},
    {"a*", "A", false},
    {"[a]", "a", false},
    {"[a]\\", "[a]\\", true},
};

static bool matches(const char *pattern, const char *text)
{
    struct slice p = heap_slice_new(pattern, strlen(pattern));
    struct slice t = heap_slice_new(text, strlen(text));
    bool result = glob_matches(p, t);
    heap_slice_free(p);
    heap_slice_free(t);
    return result;
}

static void a_star_is_any_run_and_a_question_mark_one_code_point(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (matches(rows[i].pattern, rows[i].text) != rows[i].matches)
            fail_msg("\"%s\" and \"%s\"", rows[i].pattern, rows[i].text);
    }
}

static struct slice behind(struct slice s)
{
    uint32_t c;
    size_t len = utf8_decode(s, &c);
    return slice_of(s.ptr + len, s.len - len);
}

/* Slow and obvious: every run that a star may stand for is tried. */
static bool model_matches(struct slice pattern, struct slice text)
{
    if (pattern.len == 0)
        return text.len == 0;
    if (pattern.ptr[0] == '*')
        return model_matches(behind(pattern), text) ||
               (text.len > 0 && model_matches(pattern, behind(text)));
    if (text.len == 0)
        return false;
    size_t len = text.len - behind(text).len;
    bool is_same = pattern.len >= len && memcmp(pattern.ptr, text.ptr, len) == 0;
    return (pattern.ptr[0] == '?' || is_same) && model_matches(behind(pattern), behind(text));
}

static size_t random_text(struct test_random *chance, const char *const *pieces, size_t piece_count,
                          char *out)
{
    size_t len = 0;
    for (size_t n = test_random_below(chance, 9); n > 0; n--) {
        const char *piece = pieces[test_random_below(chance, piece_count)];
        memcpy(out + len, piece, strlen(piece) + 1);
        len += strlen(piece);
    }
    return len;
}

static void random_patterns_match_what_a_simple_model_matches(void **state)
{
    (void)state;
    static const char *const pieces[] = {"a", "b", "\xc3\xa9", "\xe2\x82\xac", "*", "?"};
    struct test_random chance = test_random_start();
    size_t matched = 0;
    for (int i = 0; i < 200000; i++) {
        char pattern[64], text[64];
        struct slice p = heap_slice_new(pattern, random_text(&chance, pieces, 6, pattern));
        struct slice t = heap_slice_new(text, random_text(&chance, pieces, 3, text));
        bool expected = model_matches(p, t);
        matched += expected;
        if (glob_matches(p, t) != expected)
            fail_msg("\"%.*s\" and \"%.*s\"", (int)p.len, p.ptr, (int)t.len, t.ptr);
        struct slice prefix = glob_prefix(p);
        assert_true(!expected || slice_starts_with(t, prefix));
        heap_slice_free(p);
        heap_slice_free(t);
    }
    assert_in_range(matched, 10000, 150000);
}

static void a_hostile_pattern_takes_no_longer_than_its_length_and_the_texts(void **state)
{
    (void)state;
    char pattern[400], text[400];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = i % 2 ? 'a' : '*';
    pattern[sizeof pattern - 1] = 'b';
    struct mono_time start = clock_mono_now();
    for (int i = 0; i < 100; i++)
        assert_false(glob_matches(slice_of(pattern, 400), slice_of(text, 400)));
    memset(pattern, 'a', sizeof pattern);
    pattern[0] = '*';
    pattern[200] = 'b';
    for (int i = 0; i < 100; i++)
        assert_false(glob_matches(slice_of(pattern, 201), slice_of(text, 400)));
    assert_in_range(mono_us_between(start, clock_mono_now()), 0, 5000000);
}

static void the_prefix_ends_where_anything_may_stand(void **state)
{
    (void)state;
    assert_true(slice_equals(glob_prefix(SLICE("cpu*x")), SLICE("cpu")));
    assert_true(slice_equals(glob_prefix(SLICE("cp?")), SLICE("cp")));
    assert_true(slice_equals(glob_prefix(SLICE("cpu")), SLICE("cpu")));
    assert_int_equal(glob_prefix(SLICE("*")).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_star_is_any_run_and_a_question_mark_one_code_point),
        cmocka_unit_test(random_patterns_match_what_a_simple_model_matches),
        cmocka_unit_test(a_hostile_pattern_takes_no_longer_than_its_length_and_the_texts),
        cmocka_unit_test(the_prefix_ends_where_anything_may_stand),
    };
    return cmocka_run_group_tests_name("glob", tests, NULL, NULL);
}
