#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>
#include <snappy-c.h>

#include "content_coding.h"
#include "heap_slice.h"
#include "test_random.h"

enum { BYTES_MAX = 5000 };

static struct arena arena;
static struct libdeflate_compressor *compressor;
static struct error err;
static struct test_random chance;

typedef size_t compress_function(struct libdeflate_compressor *compressor, const void *in,
                                 size_t in_bytes, void *out, size_t out_bytes);

static size_t compress_snappy(struct libdeflate_compressor *none, const void *in, size_t in_bytes,
                              void *out, size_t out_bytes)
{
    (void)none;
    return snappy_compress(in, in_bytes, out, &out_bytes) == SNAPPY_OK ? out_bytes : 0;
}

static const struct {
    const char *name;
    compress_function *compress;
    bool has_check; /* a change of any byte is noticed */
} codings[] = {
    {"gzip", libdeflate_gzip_compress, true},    {" X-GZip ", libdeflate_gzip_compress, true},
    {"deflate", libdeflate_zlib_compress, true}, {"Deflate", libdeflate_deflate_compress, false},
    {"snappy", compress_snappy, false},          {" Snappy", compress_snappy, false},
};
enum { CODING_COUNT = sizeof codings / sizeof *codings };

static int fresh(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    compressor = libdeflate_alloc_compressor(6);
    return compressor ? 0 : -1;
}

static int done(void **state)
{
    (void)state;
    arena_release(&arena);
    libdeflate_free_compressor(compressor);
    return 0;
}

/* From memory that ends where the body does. */
static enum err_code decode(const char *coding, const void *bytes, size_t len, struct slice *body)
{
    struct slice in = heap_slice_new(bytes, len);
    *body = in;
    arena_reset(&arena);
    error_init(&err);
    enum err_code code = content_decode(slice_from_string(coding), BYTES_MAX, &arena, body, &err);
    if (body->ptr == in.ptr)
        *body = arena_copy(&arena, in);
    heap_slice_free(in);
    return code;
}

/* Text of which half repeats. */
static void fill(unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)(i % 64 < 32 ? 'a' : 'a' + test_random_below(&chance, 26));
}

static void what_was_coded_comes_back(void **state)
{
    (void)state;
    const size_t lengths[] = {0, 1, 100, BYTES_MAX - 1, BYTES_MAX};
    unsigned char text[BYTES_MAX], coded[2 * BYTES_MAX];
    for (size_t i = 0; i < CODING_COUNT; i++) {
        for (size_t j = 0; j < sizeof lengths / sizeof *lengths; j++) {
            struct slice body;
            fill(text, lengths[j]);
            size_t len = codings[i].compress(compressor, text, lengths[j], coded, sizeof coded);
            assert_int_equal(decode(codings[i].name, coded, len, &body), ERR_OK);
            assert_true(slice_equals(body, slice_of((const char *)text, lengths[j])));
        }
    }
}

static void what_is_not_coded_stays(void **state)
{
    (void)state;
    static const char *const names[] = {"", "identity", " Identity "};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct slice body;
        assert_int_equal(decode(names[i], "text", 4, &body), ERR_OK);
        assert_true(slice_equals(body, SLICE("text")));
    }
}

static void members_of_gzip_are_one_body(void **state)
{
    (void)state;
    unsigned char coded[2 * BYTES_MAX];
    struct slice body;
    size_t len = libdeflate_gzip_compress(compressor, "one ", 4, coded, sizeof coded);
    len += libdeflate_gzip_compress(compressor, "", 0, coded + len, sizeof coded - len);
    len += libdeflate_gzip_compress(compressor, "two", 3, coded + len, sizeof coded - len);
    assert_int_equal(decode("gzip", coded, len, &body), ERR_OK);
    assert_true(slice_equals(body, SLICE("one two")));
}

static void a_byte_too_many_is_too_large(void **state)
{
    (void)state;
    enum { BOMB_BYTES = 4 << 20, CODED_BYTES = 2 * BOMB_BYTES };
    unsigned char *bomb = calloc(1, BOMB_BYTES), *coded = malloc(CODED_BYTES);
    const size_t lengths[] = {BYTES_MAX + 1, BOMB_BYTES};
    assert_true(bomb && coded);
    for (size_t i = 0; i < CODING_COUNT; i++) {
        for (size_t j = 0; j < 2; j++) {
            struct slice body;
            size_t len = codings[i].compress(compressor, bomb, lengths[j], coded, CODED_BYTES);
            assert_true(len > 0);
            assert_int_equal(decode(codings[i].name, coded, len, &body), ERR_PAYLOAD_TOO_LARGE);
        }
    }
    struct slice body; /* in two members */
    size_t len = libdeflate_gzip_compress(compressor, bomb, BYTES_MAX, coded, CODED_BYTES);
    len += libdeflate_gzip_compress(compressor, bomb, 1, coded + len, CODED_BYTES - len);
    assert_int_equal(decode("gzip", coded, len, &body), ERR_PAYLOAD_TOO_LARGE);
    free(bomb);
    free(coded);
}

/* Snappy's length is a varint in front: believed, it would be allocated. */
static void a_claim_of_too_much_is_refused_before_anything_is_allocated(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        enum err_code code;
    } rows[] = {
        {"\x89\x27x", 3, ERR_PAYLOAD_TOO_LARGE},            /* BYTES_MAX + 1 */
        {"\xff\xff\xff\xff\x0f", 5, ERR_PAYLOAD_TOO_LARGE}, /* 4 GiB - 1 */
        {"\x80\x80\x80\x80\x10", 5, ERR_BAD_REQUEST},       /* 4 GiB: no length of snappy's */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, ERR_BAD_REQUEST},
        {"\xff\xff\xff", 3, ERR_BAD_REQUEST},
        {"", 0, ERR_BAD_REQUEST},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice in = heap_slice_new(rows[i].bytes, rows[i].len), body = in;
        error_init(&err);
        assert_int_equal(content_decode(SLICE("snappy"), BYTES_MAX, &arena, &body, &err),
                         rows[i].code);
        assert_int_equal(arena.used_bytes, 0);
        assert_ptr_equal(body.ptr, in.ptr);
        heap_slice_free(in);
    }
}

static void a_claim_is_made_good_to_the_byte(void **state)
{
    (void)state;
    struct slice body;
    assert_int_equal(decode("snappy",
                            "\x03\x08"
                            "abc",
                            5, &body),
                     ERR_OK);
    assert_true(slice_equals(body, SLICE("abc")));
    assert_int_equal(decode("snappy",
                            "\x04\x08"
                            "abc",
                            5, &body),
                     ERR_BAD_REQUEST);
    assert_int_equal(decode("snappy",
                            "\x02\x08"
                            "abc",
                            5, &body),
                     ERR_BAD_REQUEST);
    assert_int_equal(decode("snappy", "", 1, &body), ERR_OK); /* one byte, 0: nothing */
    assert_int_equal(body.len, 0);
}

static void without_memory_nothing_is_decoded(void **state)
{
    (void)state;
    unsigned char coded[2 * BYTES_MAX];
    for (size_t i = 0; i < CODING_COUNT; i++) {
        size_t len = codings[i].compress(compressor, "text", 4, coded, sizeof coded);
        struct slice body = slice_of((const char *)coded, len);
        struct arena none;
        arena_init(&none, 0);
        error_init(&err);
        assert_int_equal(
            content_decode(slice_from_string(codings[i].name), BYTES_MAX, &none, &body, &err),
            ERR_NO_MEMORY);
        assert_ptr_equal(body.ptr, coded);
        arena_release(&none);
    }
}

static void what_is_cut_off_or_goes_on_is_refused(void **state)
{
    (void)state;
    enum { GARBAGE = 22 };
    unsigned char text[200], coded[2 * BYTES_MAX];
    fill(text, sizeof text);
    for (size_t i = 0; i < CODING_COUNT; i++) {
        struct slice body;
        size_t len = codings[i].compress(compressor, text, sizeof text, coded, sizeof coded);
        for (size_t cut = 0; cut < len; cut++)
            assert_int_equal(decode(codings[i].name, coded, cut, &body), ERR_BAD_REQUEST);
        memset(coded + len, 'x', GARBAGE);
        for (size_t more = 1; more <= GARBAGE; more++)
            assert_int_equal(decode(codings[i].name, coded, len + more, &body), ERR_BAD_REQUEST);
    }
}

static void what_was_changed_is_refused(void **state)
{
    (void)state;
    unsigned char text[200], coded[2 * BYTES_MAX];
    fill(text, sizeof text);
    for (size_t i = 0; i < CODING_COUNT; i++) {
        size_t len = codings[i].compress(compressor, text, sizeof text, coded, sizeof coded);
        for (size_t at = 0; at < len; at++) {
            struct slice body;
            coded[at] ^= (unsigned char)(1 + test_random_below(&chance, 255));
            enum err_code code = decode(codings[i].name, coded, len, &body);
            bool is_same =
                code == ERR_OK && slice_equals(body, slice_of((const char *)text, sizeof text));
            /* A header has bytes that mean nothing here: its time, its system. */
            if (codings[i].has_check && code == ERR_OK && !is_same)
                fail_msg("%s, byte %zu", codings[i].name, at);
            len = codings[i].compress(compressor, text, sizeof text, coded, sizeof coded);
        }
    }
}

static void what_pretends_to_be_coded_is_refused(void **state)
{
    (void)state;
    struct slice body;
    for (size_t i = 0; i < CODING_COUNT; i++)
        assert_int_equal(decode(codings[i].name, "{\"value\":1}", 11, &body), ERR_BAD_REQUEST);
}

static void other_codings_and_several_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"br",  "zstd", "gzip, gzip", "gzip,identity",
                                        "gzi", "gzipp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct slice body;
        assert_int_equal(decode(names[i], "text", 4, &body), ERR_UNSUPPORTED_CODING);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    chance = test_random_start();
    const struct CMUnitTest tests[] = {
        TEST(what_was_coded_comes_back),
        TEST(what_is_not_coded_stays),
        TEST(members_of_gzip_are_one_body),
        TEST(a_byte_too_many_is_too_large),
        TEST(a_claim_of_too_much_is_refused_before_anything_is_allocated),
        TEST(a_claim_is_made_good_to_the_byte),
        TEST(without_memory_nothing_is_decoded),
        TEST(what_is_cut_off_or_goes_on_is_refused),
        TEST(what_was_changed_is_refused),
        TEST(what_pretends_to_be_coded_is_refused),
        TEST(other_codings_and_several_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
