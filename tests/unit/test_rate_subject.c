/* rate_subject: who an address counts as. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "rate_limiter.h"

static const struct row {
    const char *address;
    const char *subject;
} rows[] = {
    {"203.0.113.7", "4:203.0.113.7"},
    {"255.255.255.255", "4:255.255.255.255"},
    {"::ffff:203.0.113.7", "4:203.0.113.7"},
    {"::FFFF:cb00:7107", "4:203.0.113.7"},
    {"2001:db8:1:2:3:4:5:6", "6:2001:db8:1:2"},
    {"2001:db8:1:2::", "6:2001:db8:1:2"},
    {"2001:0DB8:0001:0002:ffff:ffff:ffff:ffff", "6:2001:db8:1:2"},
    {"2001:db8:1:3::1", "6:2001:db8:1:3"},
    {"::1", "6:0:0:0:0"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "6:ffff:ffff:ffff:ffff"},
    {"", "?:cbf29ce484222325"},
    {"a", "?:af63dc4c8601ec8c"},
    {"203.0.113.007", "?:"},
    {"203.0.113.7:80", "?:"},
    {"203.0.113.7 ", "?:"},
    {"fe80::1%eth0", "?:"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "?:"},
};

static struct rate_subject subject_of(const char *text, size_t len)
{
    struct rate_subject subject;
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    rate_subject_from_address(slice_of(copy, len), &subject);
    free(copy);
    return subject;
}

static void addresses_count_as_their_subject(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rate_subject subject = subject_of(rows[i].address, strlen(rows[i].address));
        struct slice got = slice_of(subject.bytes, subject.len);
        struct slice wanted = slice_from_string(rows[i].subject);
        bool is_right = wanted.len == 2 ? subject.len == 18 && slice_starts_with(got, wanted)
                                        : slice_equals(got, wanted);
        if (!is_right)
            fail_msg("%s counts as %.*s", rows[i].address, (int)got.len, got.ptr);
    }
}

static void a_zero_byte_does_not_end_an_address(void **state)
{
    (void)state;
    struct rate_subject subject = subject_of("203.0.113.7\0x", 13);
    assert_int_equal(subject.bytes[0], '?');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_count_as_their_subject),
        cmocka_unit_test(a_zero_byte_does_not_end_an_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
