#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "json_read.h"
#include "log.h"
#include "test_random.h"

enum { CAPTURE_BYTES = 8192 };

/* What LOG_EVENT writes while stderr is a pipe. */
struct capture {
    int saved;
    int reader;
    char text[CAPTURE_BYTES];
    size_t len;
};

static void capture_begin(struct capture *c)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    c->saved = dup(STDERR_FILENO);
    c->reader = ends[0];
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    (void)close(ends[1]);
}

static struct slice capture_end(struct capture *c)
{
    (void)dup2(c->saved, STDERR_FILENO);
    (void)close(c->saved);
    ssize_t len = read(c->reader, c->text, sizeof c->text);
    (void)close(c->reader);
    c->len = len > 0 ? (size_t)len : 0;
    return slice_of(c->text, c->len);
}

static struct slice log_value(struct capture *c, struct slice value)
{
    capture_begin(c);
    LOG_EVENT(LOG_INFO, "something_happened", LOG_INT("number", -7), LOG_SLICE("value", value));
    return capture_end(c);
}

static void assert_is_one_harmless_line(struct slice line)
{
    assert_in_range(line.len, 1, LOG_LINE_BYTES);
    assert_int_equal(line.ptr[line.len - 1], '\n');
    for (size_t i = 0; i + 1 < line.len; i++)
        assert_in_range((unsigned char)line.ptr[i], 0x20, 0x7e);
}

static bool contains(struct slice text, const char *part)
{
    return memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static void a_value_cannot_break_or_forge_a_line(void **state)
{
    (void)state;
    struct capture c;
    log_init(LOG_INFO, LOG_FORMAT_TEXT);
    struct slice line = log_value(&c, SLICE("a\nERROR forged\" x=\"\x1b[2J\\\x7f\xff"));
    assert_is_one_harmless_line(line);
    assert_true(contains(line, " INFO something_happened pid="));
    assert_true(contains(line, " number=-7 value=\"a\\u000aERROR forged\\\" x=\\\"\\u001b[2J\\\\"
                               "\\u007f\\ufffd\"\n"));
}

static struct json_document *assert_is_json(struct slice line)
{
    struct error err;
    error_init(&err);
    struct json_document *document = json_document_new(line, "line", &err);
    assert_non_null(document);
    return document;
}

static void assert_member(const struct json_document *document, const char *name, struct slice text)
{
    struct slice value = SLICE("");
    const struct json_value *member = json_value_member(json_document_root(document), name);
    assert_non_null(member);
    assert_true(json_value_text(member, &value));
    assert_int_equal(value.len, text.len);
    assert_memory_equal(value.ptr, text.ptr, text.len);
}

static void a_json_line_holds_the_value_unchanged(void **state)
{
    (void)state;
    static const char *const values[] = {
        "",
        "plain",
        "quote \" backslash \\ newline \n tab \t",
        "gr\xc3\xbc\xc3\x9f",
        "\xe2\x82\xac",
        "\xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf",
        "\x1b]0;title\x07",
        "{\"a\":1}",
    };
    log_init(LOG_INFO, LOG_FORMAT_JSON);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct capture c;
        struct slice line = log_value(&c, slice_from_string(values[i]));
        assert_is_one_harmless_line(line);
        struct json_document *document = assert_is_json(line);
        assert_member(document, "value", slice_from_string(values[i]));
        assert_member(document, "level", SLICE("INFO"));
        assert_member(document, "event", SLICE("something_happened"));
        json_document_free(document);
    }
}

static void a_line_too_long_is_cut_and_stays_whole(void **state)
{
    (void)state;
    static const char *const units[] = {"x", "\"", "\n", "\xc3\xbc", "\xf0\x9f\x98\x80", "\xff"};
    char text[4000];
    for (size_t unit = 0; unit < sizeof units / sizeof units[0]; unit++) {
        size_t unit_len = strlen(units[unit]);
        for (size_t len = 0; len + unit_len <= sizeof text; len += unit_len)
            memcpy(text + len, units[unit], unit_len);
        /* Every length around the edge, then one far beyond. */
        for (size_t count = 100; count <= 2100; count++) {
            struct capture c;
            size_t len = count * unit_len < sizeof text ? count * unit_len : sizeof text;
            struct slice line = log_value(&c, slice_of(text, len));
            assert_is_one_harmless_line(line);
            json_document_free(assert_is_json(line));
        }
    }
}

static void fields_without_room_are_left_out_whole(void **state)
{
    (void)state;
    char text[LOG_LINE_BYTES];
    memset(text, 'x', sizeof text);
    for (size_t len = LOG_LINE_BYTES - 300; len < LOG_LINE_BYTES; len++) {
        struct capture c;
        capture_begin(&c);
        LOG_EVENT(LOG_INFO, "e", LOG_SLICE("first", slice_of(text, len)), LOG_INT("a", INT64_MIN),
                  LOG_TEXT("second", "yes"), LOG_INT("b", INT64_MAX));
        struct slice line = capture_end(&c);
        assert_is_one_harmless_line(line);
        json_document_free(assert_is_json(line));
    }
}

static void random_bytes_never_break_a_line(void **state)
{
    (void)state;
    struct test_random random = test_random_start();
    for (int i = 0; i < 5000; i++) {
        char bytes[64];
        size_t len = test_random_below(&random, sizeof bytes);
        for (size_t k = 0; k < len; k++)
            bytes[k] = (char)(1 + test_random_below(&random, 255)); /* our reader takes no NUL */
        struct capture c;
        log_init(LOG_INFO, i % 2 ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
        struct slice line = log_value(&c, slice_of(bytes, len));
        assert_is_one_harmless_line(line);
        if (i % 2)
            json_document_free(assert_is_json(line));
    }
}

static void lower_levels_are_silent_and_errno_is_kept(void **state)
{
    (void)state;
    struct capture c;
    log_init(LOG_WARNING, LOG_FORMAT_TEXT);
    capture_begin(&c);
    LOG_EVENT(LOG_INFO, "unheard", LOG_INT("a", 1));
    errno = ENOENT;
    LOG_EVENT(LOG_ERROR, "heard", LOG_INT("a", 1));
    int errno_after = errno;
    struct slice text = capture_end(&c);
    assert_int_equal(errno_after, ENOENT);
    assert_is_one_harmless_line(text);
    assert_true(contains(text, " ERROR heard pid="));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_cannot_break_or_forge_a_line),
        cmocka_unit_test(a_json_line_holds_the_value_unchanged),
        cmocka_unit_test(a_line_too_long_is_cut_and_stays_whole),
        cmocka_unit_test(fields_without_room_are_left_out_whole),
        cmocka_unit_test(random_bytes_never_break_a_line),
        cmocka_unit_test(lower_levels_are_silent_and_errno_is_kept),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
