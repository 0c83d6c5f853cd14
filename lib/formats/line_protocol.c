#include "line_protocol.h"

#include <inttypes.h>
#include <math.h>

#include "integer.h"
#include "iso8601.h"
#include "number.h"
#include "series_name.h"

/* The series of the line before: what names of its fields are made of, and the last one made,
 * for most lines have one field. */
struct series {
    struct slice raw;         /* as it stands in the text; of no bytes: none yet */
    struct slice head, tail;  /* `measurement.` and `;tag=value…`, in `parts` */
    struct slice field, name; /* a field's key as it stands, and its name, in `whole` */
    char parts[SERIES_NAME_BYTES_MAX], whole[SERIES_NAME_BYTES_MAX];
};

/* A text as far as it was read, the line at hand, and the first thing that is wrong with it. */
struct line_reader {
    const char *text_end;
    enum line_unit unit;
    struct wall_time now;
    struct sample_sink *sink;
    struct series series;

    int64_t index; /* of the line at hand */
    const char *line;
    const char *line_break; /* behind it, or the text's end */
    const char *end;        /* the same without a CR */
    int64_t inner_breaks;   /* within its strings */
    const char *at;         /* judged up to here */

    const char *wrong_at, *subject, *wrong;
    struct wall_time time;
    size_t string_count, field_count;
    struct line_field {
        struct slice key; /* as it stands */
        double value;
    } fields[LINE_FIELDS_MAX]; /* but for strings */
};

static struct slice slice_between(const char *from, const char *to)
{
    return slice_of(from, (size_t)(to - from));
}

/* False, for callers to return. The texts are static: what is wrong, what would be right. */
static bool reject(struct line_reader *r, const char *at, const char *subject, const char *wrong)
{
    r->wrong_at = at;
    r->subject = subject;
    r->wrong = wrong;
    return false;
}

/* --- Lines --------------------------------------------------------------------------- */

/* Where the line ends that goes on at `from`, which is not within a string. */
static void find_line_end(struct line_reader *r, const char *from)
{
    const char *found = memchr(from, '\n', (size_t)(r->text_end - from));
    r->line_break = found ? found : r->text_end;
    r->end = r->line_break;
    if (r->end > from && r->end[-1] == '\r')
        r->end--;
}

/*
 * Behind the string whose opening quote is at `at`; the line may end further on then. NULL: it is
 * not closed. That costs the rest of the text, but once: it has no opening quote any more.
 */
static const char *pass_string(struct line_reader *r, const char *at)
{
    const char *close = at + 1;
    while (close < r->text_end && *close != '"')
        close += *close == '\\' && close + 1 < r->text_end ? 2 : 1;
    if (close == r->text_end)
        return NULL;
    if (close > r->line_break) {
        for (const char *p = r->line_break; (p = memchr(p, '\n', (size_t)(close - p))); p++)
            r->inner_breaks++;
        find_line_end(r, close);
    }
    return close + 1;
}

static void begin_line(struct line_reader *r)
{
    r->inner_breaks = 0;
    find_line_end(r, r->line);
    r->at = r->line;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void skip_blanks(struct line_reader *r)
{
    while (r->at < r->end && is_blank(*r->at))
        r->at++;
}

/* --- Names --------------------------------------------------------------------------- */

/* Bytes that end a measurement, and those that end another name or a tag's value. */
enum { MEASUREMENT_ENDS = 1, PART_ENDS = 2 };

static bool is_end(char c, int ends)
{
    static const unsigned char ends_of[256] = {
        [','] = MEASUREMENT_ENDS | PART_ENDS,
        [' '] = MEASUREMENT_ENDS | PART_ENDS,
        ['='] = PART_ENDS,
    };
    return (ends_of[(unsigned char)c] & ends) != 0;
}

/* What a backslash stands before does not end a name, be that one behind another backslash. */
static struct slice scan_name(struct line_reader *r, int ends)
{
    const char *start = r->at;
    const char *at = start;
    while (at < r->end && (!is_end(*at, ends) || (at > start && at[-1] == '\\')))
        at++;
    r->at = at;
    return slice_between(start, at);
}

/* Of names that cannot stay in the text. */
struct name_room {
    size_t used;
    char bytes[SERIES_NAME_BYTES_MAX];
};

/* Without the backslashes that escape something. False: there is not room for it. */
static bool unescape(struct slice *name, int ends, struct name_room *room)
{
    if (!memchr(name->ptr, '\\', name->len))
        return true;
    const char *copy = room->bytes + room->used;
    size_t used = room->used;
    for (size_t i = 0; i < name->len; i++) {
        if (name->ptr[i] == '\\' && i + 1 < name->len && is_end(name->ptr[i + 1], ends))
            i++;
        if (used == sizeof room->bytes)
            return false;
        room->bytes[used++] = name->ptr[i];
    }
    *name = slice_of(copy, used - room->used);
    room->used = used;
    return true;
}

static bool unescape_all(struct slice *measurement, struct series_labels *tags,
                         struct name_room *room)
{
    bool fits = unescape(measurement, MEASUREMENT_ENDS, room);
    for (size_t i = 0; fits && i < tags->count; i++)
        fits = unescape(&tags->at[i].name, PART_ENDS, room) &&
               unescape(&tags->at[i].value, PART_ENDS, room);
    return fits;
}

static const char TOO_LONG[] = "must have at most 255 bytes, with its labels";

/* Remember a series; NULL, or what is wrong with it. */
static const char *remember_series(struct series *series, struct slice raw,
                                   struct slice measurement, struct series_labels *tags)
{
    struct name_room room;
    struct slice parts;
    room.used = 0;
    series->raw = series->field = slice_of(NULL, 0);
    if (!unescape_all(&measurement, tags, &room))
        return TOO_LONG;
    if (series_labels_sort(tags))
        return "must have each tag once";
    /* Spelled with a field of no bytes; a `;` within the measurement would be %3B. */
    const char *wrong = series_name_spell(measurement, SLICE(""), tags, series->parts, &parts);
    if (wrong)
        return wrong;
    const char *tail = memchr(parts.ptr, ';', parts.len);
    size_t head_len = tail ? (size_t)(tail - parts.ptr) : parts.len;
    series->head = slice_of(parts.ptr, head_len);
    series->tail = slice_of(parts.ptr + head_len, parts.len - head_len);
    series->raw = raw;
    return NULL;
}

static bool is_plain(struct slice key)
{
    for (size_t i = 0; i < key.len; i++) {
        unsigned char c = (unsigned char)key.ptr[i];
        if (c < ' ' || c > '~' || c == '\\' || c == ';' || c == '%')
            return false;
    }
    return true;
}

static char *put(char *to, struct slice part)
{
    memcpy(to, part.ptr, part.len);
    return to + part.len;
}

/* Make the name of a field, unless it is the last one made; NULL, or what is wrong with it. */
static const char *make_name(struct series *series, struct slice key)
{
    static const struct series_labels no_labels;
    struct name_room room;
    char buffer[SERIES_NAME_BYTES_MAX];
    struct slice part = key;
    const char *wrong;
    if (slice_equals(key, series->field))
        return NULL;
    room.used = 0;
    if (!is_plain(key)) {
        if (!unescape(&part, PART_ENDS, &room))
            return TOO_LONG;
        if ((wrong = series_name_spell(part, slice_of(NULL, 0), &no_labels, buffer, &part)))
            return wrong;
    }
    if (series->head.len + part.len + series->tail.len > SERIES_NAME_BYTES_MAX)
        return TOO_LONG;
    char *end = put(put(put(series->whole, series->head), part), series->tail);
    series->name = slice_between(series->whole, end);
    series->field = key;
    return NULL;
}

/* --- Sections of a line ---------------------------------------------------------------- */

static bool scan_tags(struct line_reader *r, struct series_labels *tags)
{
    while (r->at < r->end && *r->at == ',') {
        const char *start = ++r->at;
        struct slice key = scan_name(r, PART_ENDS);
        if (key.len == 0)
            return reject(r, start, "a tag", "has no key, must be key=value");
        if (r->at == r->end || *r->at != '=')
            return reject(r, r->at, "a tag", "has no value, must be key=value");
        r->at++;
        struct slice value = scan_name(r, PART_ENDS);
        if (value.len == 0)
            return reject(r, r->at, "a tag", "has no value, must be key=value");
        if (r->at < r->end && *r->at == '=')
            return reject(r, r->at, "a tag's value", "has a = in it, must be written \\=");
        if (!series_labels_add(tags, key, value))
            return reject(r, start, "a line", "has too many tags, must have at most 64");
    }
    return true;
}

/* Up to the space that ends it. */
static bool scan_series(struct line_reader *r)
{
    const char *start = r->at;
    const struct slice before = r->series.raw;
    if (before.len > 0 && before.len < (size_t)(r->end - start) && start[before.len] == ' ' &&
        memcmp(start, before.ptr, before.len) == 0) {
        r->at = start + before.len;
        return true;
    }
    struct series_labels tags;
    tags.count = 0;
    struct slice measurement = scan_name(r, MEASUREMENT_ENDS);
    if (measurement.len == 0)
        return reject(r, start, "the measurement", "is missing, must be what a line begins with");
    if (!scan_tags(r, &tags))
        return false;
    if (r->at == r->end)
        return reject(r, r->at, "the fields", "are missing, must follow a space");
    const char *wrong =
        remember_series(&r->series, slice_between(start, r->at), measurement, &tags);
    return !wrong || reject(r, start, "the series' name", wrong);
}

static bool is_value_end(const struct line_reader *r, const char *at)
{
    return at >= r->end || *at == ',' || is_blank(*at);
}

/* A decimal that stands before i or u, so that it must be an integer. */
static bool scan_integer(struct line_reader *r, struct slice text, double *value)
{
    int64_t exact;
    uint64_t digits;
    const char *start = text.ptr;
    if (start[text.len] == 'u') {
        if (!number_parse_uint64(text, &digits))
            return reject(r, start, "a field's value",
                          "is no such integer, must be 0u to 18446744073709551615u");
    } else {
        if (!number_parse_int64(text, INT64_MIN, INT64_MAX, &exact))
            return reject(
                r, start, "a field's value",
                "is no such integer, must be -9223372036854775808i to 9223372036854775807i");
        *value = (double)exact; /* no -0 */
    }
    r->at += text.len + 1;
    return true;
}

static bool scan_number(struct line_reader *r, double *value)
{
    const char *start = r->at;
    size_t len = number_scan_double(slice_between(start, r->end), value);
    if (len > 0 && !is_value_end(r, start + len) && is_value_end(r, start + len + 1) &&
        (start[len] == 'i' || start[len] == 'u'))
        return scan_integer(r, slice_of(start, len), value);
    if (len == 0 || !is_value_end(r, start + len))
        return reject(r, start, "a field's value", "is no number, must be as 1.5, -2e3, 42i, 42u");
    if (!isfinite(*value))
        return reject(r, start, "a field's value", "is too large, must be a finite double");
    r->at += len;
    return true;
}

static bool scan_boolean(struct line_reader *r, double *value)
{
    enum { WORDS = 5 };
    static const char *const words[2][WORDS] = {{"f", "F", "false", "False", "FALSE"},
                                                {"t", "T", "true", "True", "TRUE"}};
    struct slice rest = slice_between(r->at, r->end);
    for (size_t i = 0; i < 2 * WORDS; i++) {
        struct slice word = slice_from_string(words[i / WORDS][i % WORDS]);
        if (slice_starts_with(rest, word) && is_value_end(r, rest.ptr + word.len)) {
            *value = (double)(i / WORDS);
            r->at += word.len;
            return true;
        }
    }
    return reject(r, r->at, "a field's value",
                  "is of no kind, must be a number, true, false, or in double quotes");
}

static bool scan_string(struct line_reader *r)
{
    const char *behind = pass_string(r, r->at);
    if (!behind)
        return reject(r, r->at, "a string", "is not closed, must end with a double quote");
    if (!is_value_end(r, behind))
        return reject(r, behind, "a string", "goes on, must have \\\" for quotes within");
    r->at = behind;
    r->string_count++;
    return true;
}

static bool scan_value(struct line_reader *r, struct slice key)
{
    struct line_field *field = &r->fields[r->field_count];
    char first = *r->at;
    if (first == '"')
        return scan_string(r);
    bool is_number = (first >= '0' && first <= '9') || first == '-' || first == '.';
    if (!(is_number ? scan_number(r, &field->value) : scan_boolean(r, &field->value)))
        return false;
    field->key = key;
    r->field_count++;
    return true;
}

static bool scan_field(struct line_reader *r)
{
    const char *start = r->at;
    if (r->field_count + r->string_count == LINE_FIELDS_MAX)
        return reject(r, start, "a line", "has too many fields, must have at most 1024");
    struct slice key = scan_name(r, PART_ENDS);
    if (key.len == 0)
        return reject(r, start, "a field", "has no key, must be key=value");
    if (r->at == r->end || *r->at != '=' || is_value_end(r, r->at + 1))
        return reject(r, r->at, "a field", "has no value, must be key=value");
    const char *wrong = make_name(&r->series, key);
    if (wrong)
        return reject(r, start, "the series' name", wrong);
    r->at++;
    return scan_value(r, key);
}

static bool scan_fields(struct line_reader *r)
{
    r->field_count = r->string_count = 0;
    skip_blanks(r);
    if (r->at == r->end)
        return reject(r, r->at, "the fields", "are missing, must follow a space");
    for (;;) {
        if (!scan_field(r))
            return false;
        if (r->at == r->end || *r->at != ',')
            return true;
        r->at++;
    }
}

/* In microseconds, rounded down. False: out of the years that there are. */
static bool time_of(int64_t count, enum line_unit unit, struct wall_time *time)
{
    if (unit == LINE_NANOSECONDS)
        time->us = floor_divide(count, LINE_NANOSECONDS / LINE_MICROSECONDS);
    else if (__builtin_mul_overflow(count, (int64_t)(LINE_MICROSECONDS / unit), &time->us))
        return false;
    return iso8601_has_text(*time);
}

static unsigned digit_of(char c)
{
    return (unsigned)(unsigned char)c - '0';
}

/* Behind the digits at `at`, whose number, modulo 2^64, is `*value` then. In threes: one by one
 * each would wait for the one before. */
static const char *scan_digits(const char *at, const char *end, uint64_t *value)
{
    uint64_t number = 0;
    for (; end - at >= 3; at += 3) {
        unsigned a = digit_of(at[0]), b = digit_of(at[1]), c = digit_of(at[2]);
        if (a > 9 || b > 9 || c > 9)
            break;
        number = number * 1000 + (a * 100 + b * 10 + c);
    }
    for (; at < end && digit_of(*at) <= 9; at++)
        number = number * 10 + digit_of(*at);
    *value = number;
    return at;
}

/* A timestamp, up to a blank or the line's end. False: it is no integer of 64 bits. */
static bool scan_count(struct line_reader *r, int64_t *count)
{
    enum { UINT64_DIGITS_SAFE = 19 };
    const char *start = r->at;
    bool is_negative = *start == '-';
    const char *digits = start + is_negative;
    uint64_t magnitude;
    const char *at = r->at = scan_digits(digits, r->end, &magnitude);
    if (at == digits || (at < r->end && !is_blank(*at)))
        return false;
    if (at - digits > UINT64_DIGITS_SAFE || magnitude > INT64_MAX)
        return number_parse_int64(slice_between(start, at), INT64_MIN, INT64_MAX, count);
    *count = is_negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return true;
}

/* The optional timestamp, and the line's end. */
static bool scan_time(struct line_reader *r)
{
    int64_t count;
    skip_blanks(r);
    const char *start = r->at;
    r->time = r->now;
    if (start == r->end)
        return true;
    if (!scan_count(r, &count))
        return reject(r, start, "the timestamp", "is no integer, must be one of 64 bits");
    if (!time_of(count, r->unit, &r->time))
        return reject(r, start, "the timestamp", "must lie within the years 1 to 9999 (UTC)");
    skip_blanks(r);
    return r->at == r->end || reject(r, r->at, "a line", "goes on, must end behind its timestamp");
}

/* --- Readings -------------------------------------------------------------------------- */

static bool hand_over(struct line_reader *r)
{
    struct sample sample = {.at = r->time};
    r->sink->skipped += r->string_count;
    r->sink->index = r->index;
    for (size_t i = 0; i < r->field_count; i++) {
        (void)make_name(&r->series, r->fields[i].key); /* was found right before */
        sample.value = r->fields[i].value;
        sample.type = r->series.name;
        if (!r->sink->take(r->sink->context, &sample))
            return false;
    }
    return true;
}

static bool refuse(struct line_reader *r)
{
    struct error err;
    const char *line = r->line;
    int64_t number = r->index + 1;
    for (const char *p; (p = memchr(line, '\n', (size_t)(r->wrong_at - line))); line = p + 1)
        number++;
    error_init(&err);
    err.element = r->index;
    (void)error_add_field(&err, "body", "", "line %" PRId64 ", column %zu: %s %s", number,
                          (size_t)(r->wrong_at - line) + 1, r->subject, r->wrong);
    return r->sink->refuse(r->sink->context, r->index, &err);
}

/* Of a line that was refused: strings are what begins with =" behind the series. */
static void find_refused_line_end(struct line_reader *r)
{
    begin_line(r);
    skip_blanks(r);
    do {
        (void)scan_name(r, MEASUREMENT_ENDS);
    } while (r->at < r->end && *r->at++ == ',');
    while (r->at + 1 < r->end) {
        bool is_string = r->at[0] == '=' && r->at[1] == '"' && r->at[-1] != '\\';
        r->at++;
        if (is_string && !(r->at = pass_string(r, r->at)))
            return;
    }
}

static bool read_line(struct line_reader *r)
{
    begin_line(r);
    skip_blanks(r);
    if (r->at == r->end || *r->at == '#')
        return true;
    if (scan_series(r) && scan_fields(r) && scan_time(r))
        return hand_over(r);
    bool go_on = refuse(r);
    find_refused_line_end(r);
    return go_on;
}

void line_protocol_read(struct slice text, enum line_unit unit, struct wall_time now,
                        struct sample_sink *sink)
{
    struct line_reader r; /* large, and mostly unused */
    if (text.len == 0)
        return;
    r.line = text.ptr;
    r.text_end = text.ptr + text.len;
    r.index = 0;
    r.unit = unit;
    r.now = now;
    r.sink = sink;
    r.series.raw = slice_of(NULL, 0);
    while (r.line < r.text_end && read_line(&r)) {
        r.index += 1 + r.inner_breaks;
        r.line = r.line_break + (r.line_break < r.text_end);
    }
}
