#include "csv.h"

#include <math.h>
#include <string.h>

#include "iso8601.h"
#include "number.h"

void csv_begin(struct csv_writer *w, struct strbuf *out)
{
    *w = (struct csv_writer){.out = out};
}

static void begin_cell(struct csv_writer *w)
{
    if (w->needs_comma)
        strbuf_append_char(w->out, ',');
    w->needs_comma = true;
}

static bool needs_quotes(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == ',' || c == '"' || c == '\r' || c == '\n')
            return true;
    }
    return false;
}

static bool is_formula(struct slice text)
{
    return text.len > 0 && text.ptr[0] != '\0' && strchr("=+-@\t\r", text.ptr[0]);
}

void csv_plain(struct csv_writer *w, struct slice text)
{
    begin_cell(w);
    strbuf_append_slice(w->out, text);
}

void csv_text(struct csv_writer *w, struct slice text)
{
    bool has_quotes = needs_quotes(text);
    begin_cell(w);
    if (has_quotes)
        strbuf_append_char(w->out, '"');
    if (is_formula(text))
        strbuf_append_char(w->out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            strbuf_append_char(w->out, '"');
        strbuf_append_char(w->out, text.ptr[i]);
    }
    if (has_quotes)
        strbuf_append_char(w->out, '"');
}

void csv_integer(struct csv_writer *w, int64_t value)
{
    begin_cell(w);
    strbuf_printf(w->out, "%lld", (long long)value);
}

void csv_number(struct csv_writer *w, double value)
{
    char digits[NUMBER_BYTES];
    begin_cell(w);
    if (isfinite(value))
        strbuf_append_slice(w->out, number_format_double(value, digits));
}

void csv_instant(struct csv_writer *w, struct wall_time t)
{
    char text[ISO8601_BYTES];
    begin_cell(w);
    strbuf_append_slice(w->out, iso8601_format(t, text));
}

void csv_end_row(struct csv_writer *w)
{
    strbuf_append_char(w->out, '\n');
    w->needs_comma = false;
}
