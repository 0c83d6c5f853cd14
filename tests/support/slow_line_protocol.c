#include "slow_line_protocol.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "iso8601.h"
#include "number.h"
#include "series_name.h"

struct slow_line {
    const char *text;
    size_t len, at;
    char *copies; /* of names, without backslashes: at most as long as the line */
    size_t copied;
    struct slice measurement;
    struct series_labels tags;
    size_t fields, strings;
    struct slice keys[LINE_FIELDS_MAX];
    double values[LINE_FIELDS_MAX];
    size_t samples;
    struct wall_time time;
    size_t wrong_at;
};

static bool wrong(struct slow_line *line, size_t at)
{
    line->wrong_at = at;
    return false;
}

static bool is_in(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool is_at_end(const struct slow_line *line)
{
    return line->at == line->len;
}

static bool is_next(const struct slow_line *line, const char *set)
{
    return !is_at_end(line) && is_in(line->text[line->at], set);
}

static void skip_blanks(struct slow_line *line)
{
    while (is_next(line, " \t"))
        line->at++;
}

/* --- Lines: what ends one is a break that is not within a string ------------------------- */

static size_t find(struct slice text, size_t from, char c)
{
    while (from < text.len && text.ptr[from] != c)
        from++;
    return from;
}

static size_t find_line_end(struct slice text, size_t start)
{
    enum { BEFORE, COMMENT, SERIES, FIELDS, STRING } state = BEFORE;
    size_t quote = start;
    for (size_t i = start; i < text.len; i++) {
        char c = text.ptr[i], last = i > start ? text.ptr[i - 1] : '\0';
        if (c == '\n' && state != STRING)
            return i;
        if (state == STRING && c == '\\') {
            i++;
        } else if (state == BEFORE && !is_in(c, " \t")) {
            state = c == '#' ? COMMENT : SERIES;
        } else if ((state == SERIES && c == ' ' && last != '\\') || (state == STRING && c == '"')) {
            state = FIELDS;
        } else if (state == FIELDS && c == '"' && last == '=' && text.ptr[i - 2] != '\\') {
            state = STRING;
            quote = i;
        }
    }
    return state == STRING ? find(text, quote, '\n') : text.len;
}

/* --- Sections ----------------------------------------------------------------------------- */

/* Up to one of `ends` without a backslash before it. */
static struct slice copy_name(struct slow_line *line, const char *ends)
{
    char *copy = line->copies + line->copied;
    size_t len = 0;
    while (!is_at_end(line) && !is_next(line, ends)) {
        if (line->text[line->at] == '\\' && line->at + 1 < line->len &&
            is_in(line->text[line->at + 1], ends))
            line->at++;
        copy[len++] = line->text[line->at++];
    }
    line->copied += len;
    return slice_of(copy, len);
}

static bool read_tag(struct slow_line *line)
{
    size_t start = line->at;
    struct slice key = copy_name(line, ",= ");
    if (key.len == 0)
        return wrong(line, start);
    if (!is_next(line, "="))
        return wrong(line, line->at);
    line->at++;
    struct slice value = copy_name(line, ",= ");
    if (value.len == 0 || is_next(line, "="))
        return wrong(line, line->at);
    return series_labels_add(&line->tags, key, value) || wrong(line, start);
}

static bool read_series(struct slow_line *line)
{
    char name_bytes[SERIES_NAME_BYTES_MAX];
    struct slice name;
    size_t start = line->at;
    line->measurement = copy_name(line, ", ");
    if (line->measurement.len == 0)
        return wrong(line, start);
    while (is_next(line, ",")) {
        line->at++;
        if (!read_tag(line))
            return false;
    }
    if (is_at_end(line))
        return wrong(line, line->at);
    if (series_labels_sort(&line->tags) ||
        series_name_spell(line->measurement, SLICE(""), &line->tags, name_bytes, &name))
        return wrong(line, start);
    return true;
}

static bool read_string(struct slow_line *line)
{
    size_t start = line->at++;
    while (!is_at_end(line) && !is_next(line, "\""))
        line->at += line->text[line->at] == '\\' && line->at + 1 < line->len ? 2 : 1;
    if (is_at_end(line))
        return wrong(line, start);
    line->at++;
    line->strings++;
    return is_at_end(line) || is_next(line, ", \t") || wrong(line, line->at);
}

static size_t count_digits(const char *text)
{
    return strspn(text, "0123456789");
}

static bool is_decimal(const char *text)
{
    if (strlen(text) > NUMBER_TEXT_MAX)
        return false;
    text += *text == '-';
    size_t whole = count_digits(text), fraction = 0;
    text += whole;
    if (*text == '.') {
        fraction = count_digits(++text);
        text += fraction;
    }
    if (whole + fraction == 0)
        return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '-' || *text == '+';
        size_t digits = count_digits(text);
        if (digits == 0)
            return false;
        text += digits;
    }
    return *text == '\0';
}

static bool is_integer(const char *text)
{
    text += *text == '-';
    return *text != '\0' && count_digits(text) == strlen(text);
}

static bool read_int64(const char *text, int64_t *value)
{
    errno = 0;
    *value = strtoll(text, NULL, 10);
    return is_integer(text) && errno == 0;
}

static bool read_word(const char *text, double *value)
{
    static const char *const yes[] = {"t", "T", "true", "True", "TRUE"};
    static const char *const no[] = {"f", "F", "false", "False", "FALSE"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        *value = strcmp(text, yes[i]) == 0;
        if (*value != 0 || strcmp(text, no[i]) == 0)
            return true;
    }
    return false;
}

/* Of a value that is no string; `text` is without its suffix, if it has one. */
static bool read_plain_value(const char *text, char suffix, double *value)
{
    int64_t integer;
    if (suffix == '\0') {
        if (read_word(text, value))
            return true;
        *value = strtod(text, NULL);
        return is_decimal(text) && isfinite(*value);
    }
    if (!is_decimal(text) || !is_integer(text))
        return false;
    if (suffix == 'i') {
        if (!read_int64(text, &integer))
            return false;
        *value = (double)integer;
        return true;
    }
    errno = 0;
    *value = (double)strtoull(text, NULL, 10);
    return *text != '-' && errno == 0;
}

/* Up to one of `ends`, to be freed. A NUL makes it one that is no value. */
static char *copy_token(struct slow_line *line, const char *ends)
{
    size_t len = 0;
    char *token = malloc(line->len - line->at + 1);
    if (!token)
        abort();
    for (; !is_at_end(line) && !is_next(line, ends); line->at++)
        token[len++] = line->text[line->at] ? line->text[line->at] : '?';
    token[len] = '\0';
    return token;
}

static bool read_value(struct slow_line *line, struct slice key)
{
    size_t start = line->at;
    double *value = &line->values[line->samples];
    if (is_next(line, "\""))
        return read_string(line);
    char *token = copy_token(line, ", \t");
    char *last = token + strlen(token) - 1, suffix = '\0';
    if (*last == 'i' || *last == 'u') {
        suffix = *last;
        *last = '\0';
    }
    bool is_value = read_plain_value(token, suffix, value);
    free(token);
    line->keys[line->samples++] = key;
    return is_value || wrong(line, start);
}

static bool read_field(struct slow_line *line)
{
    char name_bytes[SERIES_NAME_BYTES_MAX];
    struct slice name;
    size_t start = line->at;
    if (line->fields++ == LINE_FIELDS_MAX)
        return wrong(line, start);
    struct slice key = copy_name(line, ",= ");
    if (key.len == 0)
        return wrong(line, start);
    if (!is_next(line, "="))
        return wrong(line, line->at);
    line->at++;
    if (is_at_end(line) || is_next(line, ", \t"))
        return wrong(line, line->at - 1);
    if (series_name_spell(line->measurement, key, &line->tags, name_bytes, &name))
        return wrong(line, start);
    return read_value(line, key);
}

static bool read_fields(struct slow_line *line)
{
    skip_blanks(line);
    if (is_at_end(line))
        return wrong(line, line->at);
    while (read_field(line)) {
        if (!is_next(line, ","))
            return true;
        line->at++;
    }
    return false;
}

static bool to_microseconds(int64_t count, enum line_unit unit, int64_t *us)
{
    if (unit == LINE_NANOSECONDS) {
        *us = (count - ((count % 1000 + 1000) % 1000)) / 1000;
        return true;
    }
    int64_t each_us = 1000000 / (int64_t)unit;
    if (count > INT64_MAX / each_us || count < INT64_MIN / each_us)
        return false;
    *us = count * each_us;
    return true;
}

static bool read_time(struct slow_line *line, enum line_unit unit, struct wall_time now)
{
    int64_t count;
    line->time = now;
    skip_blanks(line);
    if (is_at_end(line))
        return true;
    size_t start = line->at;
    char *token = copy_token(line, " \t");
    bool is_time = read_int64(token, &count) && to_microseconds(count, unit, &line->time.us) &&
                   iso8601_has_text(line->time);
    free(token);
    if (!is_time)
        return wrong(line, start);
    skip_blanks(line);
    return is_at_end(line) || wrong(line, line->at);
}

/* --- Readings ----------------------------------------------------------------------------- */

static bool refuse(const struct slow_line *line, int64_t index, struct sample_sink *sink)
{
    struct error err;
    int64_t number = index + 1;
    size_t column = 1;
    for (size_t i = 0; i < line->wrong_at; i++) {
        column = line->text[i] == '\n' ? 1 : column + 1;
        number += line->text[i] == '\n';
    }
    error_init(&err);
    err.element = index;
    (void)error_add_field(&err, "body", "", "line %" PRId64 ", column %zu: wrong", number, column);
    return sink->refuse(sink->context, index, &err);
}

static bool take(const struct slow_line *line, struct sample_sink *sink)
{
    char name_bytes[SERIES_NAME_BYTES_MAX];
    struct sample sample = {.at = line->time};
    sink->skipped += line->strings;
    for (size_t i = 0; i < line->samples; i++) {
        sample.value = line->values[i];
        if (series_name_spell(line->measurement, line->keys[i], &line->tags, name_bytes,
                              &sample.type))
            abort();
        if (!sink->take(sink->context, &sample))
            return false;
    }
    return true;
}

static bool read_line(struct slow_line *line, int64_t index, enum line_unit unit,
                      struct wall_time now, struct sample_sink *sink)
{
    skip_blanks(line);
    if (is_at_end(line) || is_next(line, "#"))
        return true;
    if (read_series(line) && read_fields(line) && read_time(line, unit, now))
        return take(line, sink);
    return refuse(line, index, sink);
}

void slow_line_protocol_read(struct slice text, enum line_unit unit, struct wall_time now,
                             struct sample_sink *sink)
{
    int64_t index = 0;
    bool go_on = true;
    struct slow_line *line = malloc(sizeof *line);
    char *copies = malloc(text.len + 1);
    if (!line || !copies)
        abort();
    for (size_t start = 0; go_on && start < text.len;) {
        size_t end = find_line_end(text, start);
        bool has_return = end > start && text.ptr[end - 1] == '\r';
        memset(line, 0, sizeof *line);
        line->text = text.ptr + start;
        line->len = end - start - has_return;
        line->copies = copies;
        go_on = read_line(line, index, unit, now, sink);
        for (index++; start < end; start++)
            index += text.ptr[start] == '\n';
        start++;
    }
    free(copies);
    free(line);
}
