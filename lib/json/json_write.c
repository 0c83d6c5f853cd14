#include "json_write.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "iso8601.h"
#include "number.h"
#include "utf8.h"

void json_write_begin(struct json_writer *w, struct strbuf *out)
{
    *w = (struct json_writer){.out = out};
}

static bool is_in_object(const struct json_writer *w)
{
    return w->depth > 0 && w->scope[w->depth - 1] == '{';
}

/* What precedes a value: a comma between elements; after a name nothing. */
static void begin_value(struct json_writer *w)
{
    if (is_in_object(w)) {
        assert(w->has_name);
    } else if (w->needs_comma) {
        assert(w->depth > 0); /* a text has one root */
        strbuf_append_char(w->out, ',');
    }
    w->has_name = false;
    w->needs_comma = true;
}

static void open_scope(struct json_writer *w, char bracket)
{
    begin_value(w);
    assert(w->depth < JSON_WRITE_DEPTH_MAX);
    w->scope[w->depth++] = bracket;
    w->needs_comma = false;
    strbuf_append_char(w->out, bracket);
}

void json_write_object(struct json_writer *w)
{
    open_scope(w, '{');
}

void json_write_array(struct json_writer *w)
{
    open_scope(w, '[');
}

void json_write_end(struct json_writer *w)
{
    assert(w->depth > 0 && !w->has_name);
    strbuf_append_char(w->out, is_in_object(w) ? '}' : ']');
    w->depth--;
    w->needs_comma = true;
}

static void append_escaped(struct strbuf *out, unsigned char c)
{
    static const char short_forms[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* what, and its letter */
    for (const char *form = short_forms; *form; form += 2) {
        if ((unsigned char)*form == c) {
            char pair[2] = {'\\', form[1]};
            strbuf_append(out, pair, sizeof pair);
            return;
        }
    }
    char text[8];
    (void)snprintf(text, sizeof text, "\\u%04x", (unsigned)c);
    strbuf_append(out, text, 6);
}

/* Bytes from `i` on that may be copied as they are: printable ASCII, valid UTF-8. */
static size_t plain_run(struct slice text, size_t i)
{
    size_t start = i;
    while (i < text.len) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c == '"' || c == '\\')
            break;
        uint32_t code_point;
        size_t len = c < 0x80 ? 1 : utf8_decode(slice_of(text.ptr + i, text.len - i), &code_point);
        if (len == 0)
            break;
        i += len;
    }
    return i - start;
}

static void append_quoted(struct strbuf *out, struct slice text)
{
    strbuf_append_char(out, '"');
    for (size_t i = 0; i < text.len;) {
        size_t run = plain_run(text, i);
        strbuf_append(out, text.ptr + i, run);
        i += run;
        if (i == text.len)
            break;
        unsigned char c = (unsigned char)text.ptr[i++];
        if (c < 0x80)
            append_escaped(out, c);
        else
            strbuf_append_slice(out, SLICE("\xef\xbf\xbd"));
    }
    strbuf_append_char(out, '"');
}

void json_write_name_slice(struct json_writer *w, struct slice name)
{
    assert(is_in_object(w) && !w->has_name);
    if (w->needs_comma)
        strbuf_append_char(w->out, ',');
    append_quoted(w->out, name);
    strbuf_append_char(w->out, ':');
    w->has_name = true;
}

void json_write_name(struct json_writer *w, const char *name)
{
    json_write_name_slice(w, slice_from_string(name));
}

void json_write_text(struct json_writer *w, struct slice text)
{
    begin_value(w);
    append_quoted(w->out, text);
}

void json_write_string(struct json_writer *w, const char *text)
{
    json_write_text(w, slice_from_string(text));
}

void json_write_raw(struct json_writer *w, struct slice json)
{
    begin_value(w);
    strbuf_append_slice(w->out, json);
}

void json_write_integer(struct json_writer *w, int64_t value)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)value);
    json_write_raw(w, slice_of(digits, (size_t)len));
}

void json_write_number(struct json_writer *w, double value)
{
    char digits[NUMBER_BYTES];
    json_write_raw(w, isfinite(value) ? number_format_double(value, digits) : SLICE("null"));
}

void json_write_boolean(struct json_writer *w, bool value)
{
    json_write_raw(w, value ? SLICE("true") : SLICE("false"));
}

void json_write_instant(struct json_writer *w, struct wall_time t)
{
    char text[ISO8601_BYTES];
    json_write_text(w, iso8601_format(t, text));
}

void json_write_null(struct json_writer *w)
{
    json_write_raw(w, SLICE("null"));
}
