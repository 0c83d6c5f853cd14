#include "random_json.h"

enum { DAMAGED_BYTES_MAX = 16384 };

#define PICK(random, list) (list)[test_random_below(random, sizeof(list) / sizeof *(list))]
#define APPEND_ONE_OF(random, ...)                                                                 \
    append_one_of(random, out, (const char *const[]){__VA_ARGS__, NULL})

static bool one_in(struct test_random *random, size_t n)
{
    return test_random_below(random, n) == 0;
}

static void append_one_of(struct test_random *random, struct strbuf *out, const char *const *words)
{
    size_t count = 0;
    while (words[count])
        count++;
    strbuf_append_slice(out, slice_from_string(words[test_random_below(random, count)]));
}

static void append_blanks(struct test_random *random, struct strbuf *out)
{
    if (one_in(random, 6))
        APPEND_ONE_OF(random, " ", "  ", "\t", "\n", "\r\n", " \r\n\t ");
}

/* By chance digits, or digits where JSON has none. */
static void append_number(struct test_random *random, struct strbuf *out)
{
    if (one_in(random, 10)) {
        APPEND_ONE_OF(random, "0", "-0", "0.0", "85.5", "1e3", "1E-2", "2.5e+7", "-12.25",
                      "9007199254740993", "123456789012345678901234567890", "5e-324", "1e-400",
                      "1e308", "1e999", "-1e999", "1.7976931348623159e308", "0.1e1", "01", "-01",
                      "+1", ".5", "5.", "-.5", "5.e1", "1e", "1e+", "-", "0x1F", "1.0.0", "1_0",
                      "00", "-0.0", "0e0", "1e5.0", "0.30000000000000000000000000000000004");
        return;
    }
    if (one_in(random, 4))
        strbuf_append_char(out, '-');
    strbuf_printf(out, "%zu", test_random_below(random, 1000000));
    if (one_in(random, 2))
        strbuf_printf(out, ".%0*zu", 1 + (int)test_random_below(random, 12),
                      test_random_below(random, 1000));
    if (one_in(random, 8))
        strbuf_printf(out, "e%d", (int)test_random_below(random, 80) - 40);
}

static void append_other_value(struct test_random *random, struct strbuf *out)
{
    APPEND_ONE_OF(random, "null", "true", "false", "{}", "[]", "\"\"", "\"x\"", "[1,{\"a\":\"]\"}]",
                  "{\"b\":[[],{}]}", "NaN", "tru", "7", "\"\\u00e9\\n\"", "\"12.5\"", "\" 3 \"",
                  "\"1e999\"", "{\"a\":1,\"a\":2}", "\"\\\"\"", "\"\\\\\"", "[1,]");
}

static void append_timestamp(struct test_random *random, struct strbuf *out)
{
    switch (test_random_below(random, 6)) {
    case 0:
        strbuf_printf(out, "%zu", test_random_below(random, 2000000000));
        break;
    case 1:
        append_number(random, out);
        break;
    case 2:
        APPEND_ONE_OF(random, "\"2026-02-21\"", "\"2026-02-21 12:00\"", "\"1700000000\"",
                      "\"1700000000.5\"", "\"2026-02-21T12:00:00+02:00\"", "\"2026-02-30T12:00Z\"",
                      "\"noon\"", "\"\"", "\"2026-02-21T12:00:00\\u005a\"",
                      "\"2026-02-21T12:00:00\342\210\22201:00\"", "\"2026-02-21T12:00:00Z\n\"",
                      "253402300799", "253402300800000", "1700000000123");
        break;
    default:
        strbuf_printf(out, "\"20%02zu-%02zu-%02zuT%02zu:%02zu:%02zuZ\"",
                      test_random_below(random, 100), 1 + test_random_below(random, 12),
                      1 + test_random_below(random, 28), test_random_below(random, 24),
                      test_random_below(random, 60), test_random_below(random, 60));
    }
}

static void append_type(struct test_random *random, struct strbuf *out)
{
    if (one_in(random, 8)) {
        size_t len = 90 + test_random_below(random, 20);
        strbuf_append_char(out, '"');
        for (size_t i = 0; i < len; i++)
            strbuf_append_slice(out, i % 3 ? SLICE("x") : SLICE("\xc3\xbc"));
        strbuf_append_char(out, '"');
        return;
    }
    if (one_in(random, 8))
        APPEND_ONE_OF(random, "\"\"", "\"a\tb\"", "\"\xff\"", "\"\xc3\"", "\"\xed\xa0\x80\"",
                      "\"\xc0\xaf\"", "\"\x7f\"", "\"\xc2\x85\"", "\"\\ud800\"", "\"\\u0000\"",
                      "\"a\nb\"", "\"unended");
    else
        APPEND_ONE_OF(random, "\"cpu_usage\"", "\"mem\"", "\"m\xc3\xbc\"", "\"\xf0\x9f\x98\x80\"",
                      "\"a{b}[c],\"", "\"\\u0061\"", "\"a\\\"b\"", "\"\\\\\"");
}

static void append_member(struct test_random *random, struct strbuf *out, size_t which)
{
    static const char *const names[] = {"\"timestamp\"", "\"value\"", "\"type\"", "\"host\""};
    if (one_in(random, 60))
        APPEND_ONE_OF(random, "\"typ\\u0065\"", "\"Value\"", "\"\"", "timestamp",
                      "\"type\\u0000\"");
    else
        strbuf_append_slice(out, slice_from_string(names[which]));
    append_blanks(random, out);
    strbuf_append_char(out, ':');
    append_blanks(random, out);
    if (which == 3 || one_in(random, 40))
        append_other_value(random, out);
    else if (which == 0)
        append_timestamp(random, out);
    else if (which == 1)
        append_number(random, out);
    else
        append_type(random, out);
}

void random_json_object(struct test_random *random, struct strbuf *out)
{
    size_t first = test_random_below(random, 3), step = 1 + test_random_below(random, 2);
    size_t count = one_in(random, 30) ? test_random_below(random, 6) : 3;
    strbuf_append_char(out, '{');
    append_blanks(random, out);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            strbuf_append_char(out, ',');
        append_blanks(random, out);
        append_member(random, out, (first + i * step) % 3);
        append_blanks(random, out);
        if (one_in(random, 30)) {
            strbuf_append_char(out, ',');
            append_member(random, out, 3);
        }
    }
    strbuf_append_char(out, '}');
}

static void append_element(struct test_random *random, struct strbuf *out)
{
    if (one_in(random, 20))
        append_other_value(random, out);
    else
        random_json_object(random, out);
}

void random_json_array(struct test_random *random, struct strbuf *out, size_t count_max)
{
    size_t count = test_random_below(random, count_max + 1);
    append_blanks(random, out);
    strbuf_append_char(out, '[');
    append_blanks(random, out);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            strbuf_append_char(out, ',');
        append_blanks(random, out);
        append_element(random, out);
        append_blanks(random, out);
    }
    strbuf_append_char(out, ']');
    append_blanks(random, out);
}

void random_json_lines(struct test_random *random, struct strbuf *out, size_t count_max)
{
    for (size_t count = test_random_below(random, count_max + 1); count > 0; count--) {
        append_blanks(random, out);
        append_element(random, out);
        APPEND_ONE_OF(random, "\n", "\r\n", "\n\n", " \n");
    }
}

void random_json_damage(struct test_random *random, struct strbuf *text)
{
    static const char *const words[] = {"{",      "}",         "[",           "]",
                                        ",",      ":",         "\"",          "\\",
                                        "\n",     " ",         "0",           "-",
                                        "e",      ".",         "null",        "\xef\xbb\xbf",
                                        "\xff",   "\"type\":", "\"value\":1", "[[[[[[[[[[[[[[[[",
                                        "\\u0000"};
    static char before[DAMAGED_BYTES_MAX];
    if (text->len == 0 || text->len > sizeof before)
        return;
    size_t len = text->len, at = test_random_below(random, len);
    size_t piece = 1 + test_random_below(random, len - at < 40 ? len - at : 40);
    size_t kind = test_random_below(random, 6), kept = at;
    memcpy(before, text->bytes, len);
    strbuf_truncate(text, at);
    if (kind == 0)
        strbuf_append_char(text, (char)test_random_below(random, 256));
    else if (kind == 1)
        strbuf_append_slice(text, slice_from_string(PICK(random, words)));
    else if (kind == 2)
        strbuf_append(text, before + at, piece);
    else if (kind == 3)
        kept = at + 1;
    else if (kind == 4)
        kept = at + piece;
    else
        kept = len;
    strbuf_append(text, before + kept, len - kept);
}
