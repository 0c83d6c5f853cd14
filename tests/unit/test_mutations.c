/*
 * Valid texts, mutated at random for a second each: whatever a parser says of them,
 * it must not read beyond them (a sanitizer's business) and must keep its word.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"
#include "heap_slice.h"
#include "iso8601.h"
#include "json_read.h"
#include "test_random.h"

enum { TEXT_MAX = 512, ROUNDS_PER_LOOK = 256, DURATION_MS = 1000 };

struct text {
    char bytes[TEXT_MAX];
    size_t len;
};

static void insert(struct text *t, size_t at, const char *bytes, size_t len)
{
    if (t->len + len > TEXT_MAX)
        return;
    memmove(t->bytes + at + len, t->bytes + at, t->len - at);
    memcpy(t->bytes + at, bytes, len);
    t->len += len;
}

static void erase(struct text *t, size_t at, size_t len)
{
    if (len > t->len - at)
        len = t->len - at;
    memmove(t->bytes + at, t->bytes + at + len, t->len - at - len);
    t->len -= len;
}

static void mutate_once(struct text *t, struct test_random *random)
{
    static const char *const tokens[] = {"\"",
                                         "\\",
                                         "\\u",
                                         "\\ud83d",
                                         "[",
                                         "]",
                                         "{",
                                         "}",
                                         ",",
                                         ":",
                                         "1e999",
                                         "-",
                                         "+",
                                         ".",
                                         "e",
                                         "NaN",
                                         "T",
                                         "Z",
                                         "0",
                                         "9",
                                         "\xff",
                                         "\xe2\x88\x92",
                                         "\xc3\xbc",
                                         "\xed\xa0\x80",
                                         "\n",
                                         " ",
                                         "99999999999999999999"};
    size_t at = test_random_below(random, t->len + 1);
    const char *token = tokens[test_random_below(random, sizeof tokens / sizeof tokens[0])];
    char any = (char)test_random_u64(random);
    switch (test_random_below(random, 6)) {
    case 0:
        if (at < t->len)
            t->bytes[at] = any;
        break;
    case 1:
        if (at < t->len)
            t->bytes[at] = (char)(t->bytes[at] ^ 1 << test_random_below(random, 8));
        break;
    case 2:
        insert(t, at, token, strlen(token));
        break;
    case 3:
        insert(t, at, &any, 1);
        break;
    case 4:
        erase(t, at, 1 + test_random_below(random, 8));
        break;
    default:
        t->len = at; /* cut off */
        break;
    }
}

static struct text mutant(const char *const *seeds, size_t count, struct test_random *random)
{
    struct text t = {.len = 0};
    const char *seed = seeds[test_random_below(random, count)];
    insert(&t, 0, seed, strlen(seed));
    for (size_t n = 1 + test_random_below(random, 4); n > 0; n--)
        mutate_once(&t, random);
    return t;
}

/* Returns whether the text was taken. */
static bool try_instant(struct slice text)
{
    struct wall_time at = {.us = 42};
    const char *wrong = iso8601_parse(text, &at);
    if (wrong) {
        assert_true(strlen(wrong) > 0 && at.us == 42);
        return false;
    }
    char buffer[ISO8601_BYTES];
    struct wall_time back;
    assert_in_range(at.us - ISO8601_MIN_US, 0, ISO8601_MAX_US - ISO8601_MIN_US);
    assert_null(iso8601_parse(iso8601_format(at, buffer), &back));
    assert_int_equal(back.us, at.us);
    return true;
}

static bool try_json(struct slice text)
{
    struct error err;
    error_init(&err);
    struct json_document *document = json_document_new(text, "body", &err);
    if (document) {
        assert_int_equal(err.code, ERR_OK);
        (void)json_value_kind(json_document_root(document));
        json_document_free(document);
        return true;
    }
    assert_int_equal(err.code, ERR_VALIDATION);
    assert_non_null(strstr(err.fields[0].message, "not acceptable JSON at line "));
    assert_null(strstr(err.fields[0].message, " near ")); /* no words of the client */
    return false;
}

static void try_mutants(const char *const *seeds, size_t count, bool (*try_text)(struct slice))
{
    struct test_random random = test_random_start();
    struct mono_time end = mono_after_ms(clock_mono_now(), DURATION_MS);
    long taken = 0;
    long refused = 0;
    while (mono_is_before(clock_mono_now(), end)) {
        for (int i = 0; i < ROUNDS_PER_LOOK; i++) {
            struct text t = mutant(seeds, count, &random);
            struct slice exact = heap_slice_new(t.bytes, t.len);
            if (try_text(exact))
                taken++;
            else
                refused++;
            heap_slice_free(exact);
        }
    }
    assert_true(taken > 0 && refused > 0); /* else the mutants miss the point */
}

static void mutated_instants_do_no_harm(void **state)
{
    (void)state;
    static const char *const seeds[] = {"2026-02-21T12:00:00Z",
                                        "2026-02-21_12:00",
                                        "2026-02-21",
                                        "2024-02-29T23:59:59.123456789+05:30",
                                        "1700000000.123",
                                        "-62135596800000",
                                        "253402300799",
                                        "9999-12-31T23:59:59.999999-0000",
                                        "0001-01-01T00:00:00\xe2\x88\x92\x32\x33:59"};
    try_mutants(seeds, sizeof seeds / sizeof seeds[0], try_instant);
}

static void mutated_json_does_no_harm(void **state)
{
    (void)state;
    static const char *const seeds[] = {
        "{\"timestamp\":\"2026-02-21T12:00:00Z\",\"value\":85.5,\"type\":\"cpu_usage\"}",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
        "{\"a\":{\"b\":[1,-2.5e-3,true,false,null,\"\\ud83d\\ude00\\n\\\"\\\\\"]},\"c\":{}}",
        "\xef\xbb\xbf\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\"", "-1.7976931348623157e308"};
    try_mutants(seeds, sizeof seeds / sizeof seeds[0], try_json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutated_instants_do_no_harm),
        cmocka_unit_test(mutated_json_does_no_harm),
    };
    return cmocka_run_group_tests_name("mutations", tests, NULL, NULL);
}
