#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heap_slice.h"
#include "sample.h"

struct row {
    const char *type;
    const char *refusal; /* words of it; NULL: taken */
};

static const struct row rows[] = {
    {"a", NULL},
    {"cpu_usage", NULL},
    {" ", NULL},
    {"{\"%00\"}", NULL},
    {"gr\xc3\xbc\xc3\x9f", NULL},
    {"\xf0\x9f\x98\x80", NULL},
    {"\xc2\xa0", NULL},         /* U+00A0, the first after C1 */
    {"\xed\x9f\xbf", NULL},     /* U+D7FF, the last before the surrogates */
    {"\xee\x80\x80", NULL},     /* U+E000, the first after them */
    {"\xf4\x8f\xbf\xbf", NULL}, /* U+10FFFF, the last */
    {"", "1 to 100"},
    {"a\x01", "control"},
    {"a\nb", "control"},
    {"\x1f", "control"},
    {"\x7f", "control"},
    {"\xc2\x80", "control"},
    {"\xc2\x9f", "control"},
    {"\xff", "UTF-8"},
    {"\x80", "UTF-8"},
    {"a\xbf", "UTF-8"},
    {"\xc3", "UTF-8"},
    {"\xe2\x82", "UTF-8"},
    {"\xf0\x9f\x98", "UTF-8"},
    {"\xc3(", "UTF-8"},
    {"\xc0\xaf", "UTF-8"},         /* overlong */
    {"\xe0\x80\xaf", "UTF-8"},     /* overlong */
    {"\xf0\x80\x80\xaf", "UTF-8"}, /* overlong */
    {"\xed\xa0\x80", "UTF-8"},     /* a surrogate */
    {"\xf4\x90\x80\x80", "UTF-8"}, /* beyond U+10FFFF */
    {"\xf8\x88\x80\x80\x80", "UTF-8"},
};

static void assert_verdict(struct slice type, const char *refusal)
{
    struct slice exact = heap_slice_new(type.ptr, type.len);
    const char *wrong = sample_check_short_type(exact), *wrong_if_long = sample_check_type(exact);
    heap_slice_free(exact);
    if (refusal) {
        assert_non_null(wrong);
        assert_non_null(strstr(wrong, refusal));
    } else {
        assert_null(wrong);
        assert_null(wrong_if_long);
    }
}

static void each_row_is_judged_as_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_verdict(slice_from_string(rows[i].type), rows[i].refusal);
}

static void a_nul_is_a_control_character(void **state)
{
    (void)state;
    assert_verdict(slice_of("a\0b", 3), "control");
}

static void characters_are_counted_not_bytes(void **state)
{
    (void)state;
    static const char *const units[] = {"x", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
        char type[TYPE_BYTES_MAX + 4];
        size_t len = strlen(units[u]);
        for (size_t i = 0; i <= TYPE_CODE_POINTS_MAX; i++)
            memcpy(type + i * len, units[u], len);
        assert_verdict(slice_of(type, TYPE_CODE_POINTS_MAX * len), NULL);
        assert_verdict(slice_of(type, (TYPE_CODE_POINTS_MAX + 1) * len), "at most 100");
    }
}

static void a_long_name_has_up_to_255_bytes_or_100_characters(void **state)
{
    (void)state;
    char type[TYPE_BYTES_MAX + 4];
    memset(type, 'x', sizeof type);
    assert_null(sample_check_type(slice_of(type, LONG_TYPE_BYTES_MAX)));
    assert_non_null(sample_check_short_type(slice_of(type, LONG_TYPE_BYTES_MAX)));
    assert_non_null(sample_check_type(slice_of(type, LONG_TYPE_BYTES_MAX + 1)));
    static const char face[4] = {'\xf0', '\x9f', '\x98', '\x80'};
    for (size_t i = 0; i < sizeof type / sizeof face; i++)
        memcpy(type + i * sizeof face, face, sizeof face);
    assert_null(sample_check_type(slice_of(type, TYPE_BYTES_MAX)));
    assert_non_null(sample_check_type(slice_of(type, TYPE_BYTES_MAX + 4)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_is_judged_as_it_says),
        cmocka_unit_test(a_nul_is_a_control_character),
        cmocka_unit_test(characters_are_counted_not_bytes),
        cmocka_unit_test(a_long_name_has_up_to_255_bytes_or_100_characters),
    };
    return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}
