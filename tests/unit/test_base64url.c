#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base64url.h"
#include "heap_slice.h"
#include "test_random.h"

enum { BYTES_MAX = 40, TEXT_MAX = 64 };

/* RFC 4648, section 10, without padding; and the two digits of its own. */
static const struct vector {
    const char *bytes, *text;
} vectors[] = {
    {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
    {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xfe", "-__-"},
};

static void writes_what_the_rfc_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct strbuf out;
        strbuf_init(&out, TEXT_MAX);
        base64url_append(&out, slice_from_string(vectors[i].bytes));
        assert_true(slice_equals(strbuf_slice(&out), slice_from_string(vectors[i].text)));
        strbuf_release(&out);
    }
}

static bool decode(const char *text, size_t text_len, unsigned char *out, size_t *len)
{
    struct slice copy = heap_slice_new(text, text_len);
    unsigned char *exact = malloc(text_len * 3 / 4 + 1); /* a NUL of the test's own */
    assert_non_null(exact);
    bool is_good = base64url_decode(copy, exact, len);
    if (is_good)
        memcpy(out, exact, *len);
    free(exact);
    heap_slice_free(copy);
    return is_good;
}

static void reads_back_any_bytes(void **state)
{
    (void)state;
    struct test_random chance = test_random_start();
    for (int round = 0; round < 2000; round++) {
        unsigned char bytes[BYTES_MAX], back[BYTES_MAX];
        size_t count = test_random_below(&chance, BYTES_MAX + 1), len;
        for (size_t i = 0; i < count; i++)
            bytes[i] = (unsigned char)test_random_u64(&chance);
        struct strbuf text;
        strbuf_init(&text, TEXT_MAX);
        base64url_append(&text, slice_of((const char *)bytes, count));
        assert_true(decode(text.bytes, text.len, back, &len));
        assert_int_equal(len, count);
        assert_memory_equal(back, bytes, count);
        strbuf_release(&text);
    }
}

static void refuses_all_other_texts(void **state)
{
    (void)state;
    static const char *const bad[] = {"Z",    "Zg==", "Zm8=", "Zm9vY", "Zh",   "Zm9",  "Zm+v",
                                      "Zm/v", " Zg",  "Zg\n", "Zm.v",  "\xff", "Z\xc3"};
    unsigned char out[BYTES_MAX];
    size_t len;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (decode(bad[i], strlen(bad[i]), out, &len))
            fail_msg("\"%s\" was taken", bad[i]);
    }
    assert_false(decode("Zg\0v", 4, out, &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_the_rfc_says),
        cmocka_unit_test(reads_back_any_bytes),
        cmocka_unit_test(refuses_all_other_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
