#include "load_format.h"

#include "load_csv.h"

static const char *const names[LOAD_FORMAT_COUNT] = {"", "csv", "ndjson", "influx"};

const char *load_format_name(enum load_format format)
{
    return names[format];
}

enum load_format load_format_of_name(struct slice name)
{
    for (enum load_format format = LOAD_CSV; format < LOAD_FORMAT_COUNT; format++) {
        if (slice_equals(name, slice_from_string(names[format])))
            return format;
    }
    return LOAD_UNKNOWN;
}

enum load_format load_format_of_path(struct slice path)
{
    static const struct {
        const char *ending;
        enum load_format format;
    } endings[] = {{".csv", LOAD_CSV},
                   {".ndjson", LOAD_NDJSON},
                   {".jsonl", LOAD_NDJSON},
                   {".lp", LOAD_INFLUX},
                   {".influx", LOAD_INFLUX}};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        struct slice ending = slice_from_string(endings[i].ending);
        if (path.len > ending.len &&
            slice_equals_ignoring_case(slice_of(path.ptr + path.len - ending.len, ending.len),
                                       ending))
            return endings[i].format;
    }
    return LOAD_UNKNOWN;
}

enum load_format load_format_of_line(struct slice line)
{
    struct load_columns columns;
    line = slice_trim(line);
    if (slice_starts_with(line, SLICE("{")))
        return LOAD_NDJSON;
    if (!load_csv_read_header(line, &columns))
        return LOAD_CSV;
    if (slice_starts_with(line, SLICE("#")))
        return LOAD_INFLUX;
    const char *blank = memchr(line.ptr, ' ', line.len);
    bool has_field = blank && memchr(blank, '=', line.len - (size_t)(blank - line.ptr));
    return has_field ? LOAD_INFLUX : LOAD_UNKNOWN;
}

static bool find_line_break(struct load_scan *scan, struct slice text)
{
    const char *end = memchr(text.ptr + scan->seen, '\n', text.len - scan->seen);
    scan->seen = end ? (size_t)(end - text.ptr) : text.len;
    return end;
}

static bool find_row_end(struct load_scan *scan, struct slice text)
{
    for (; scan->seen < text.len; scan->seen++) {
        char c = text.ptr[scan->seen];
        if (c == '\n' && scan->state != LOAD_CSV_QUOTED)
            return true;
        scan->state = (unsigned char)load_csv_step((enum load_csv_state)scan->state, c);
    }
    return false;
}

/* --- Line protocol ------------------------------------------------------------------ */

enum { AT_START, IN_SERIES, IN_FIELDS, AT_VALUE, IN_STRING, IN_COMMENT, ESCAPED = 16 };

/* A string is what begins with =" behind the series. */
static unsigned step_point(unsigned state, char c)
{
    bool is_escaped = state & ESCAPED;
    unsigned place = state & ~(unsigned)ESCAPED;
    if (place == IN_COMMENT || (place == AT_START && (c == ' ' || c == '\t')))
        return place;
    if (place == AT_START && c == '#')
        return IN_COMMENT;
    if (place == AT_VALUE && c == '"')
        return IN_STRING;
    if (place == AT_START || place == AT_VALUE)
        place = place == AT_START ? IN_SERIES : IN_FIELDS;
    if (c == '\\' && !(is_escaped && place == IN_STRING))
        return place | ESCAPED;
    if (is_escaped)
        return place;
    if (place == IN_SERIES && c == ' ')
        return IN_FIELDS;
    if (place == IN_FIELDS && c == '=')
        return AT_VALUE;
    return place == IN_STRING && c == '"' ? IN_FIELDS : place;
}

static bool find_point_end(struct load_scan *scan, struct slice text, bool is_last)
{
    for (; scan->seen < text.len; scan->seen++) {
        char c = text.ptr[scan->seen];
        bool is_in_string = (scan->state & ~ESCAPED) == IN_STRING;
        if (!is_in_string)
            scan->first_break = 0;
        if (c == '\n' && !is_in_string)
            return true;
        if (c == '\n' && scan->first_break == 0)
            scan->first_break = scan->seen;
        if (scan->first_break > 0 && scan->seen - scan->first_break >= LOAD_STRING_BYTES_MAX)
            break;
        scan->state = (unsigned char)step_point(scan->state, c);
    }
    bool is_open = (scan->state & ~ESCAPED) == IN_STRING && scan->first_break > 0;
    bool is_given_up = is_open && (is_last || scan->seen < text.len);
    if (is_given_up)
        scan->seen = scan->first_break;
    scan->is_given_up = is_given_up;
    return is_given_up;
}

bool load_format_find_end(enum load_format format, struct load_scan *scan, struct slice text,
                          bool is_last)
{
    switch (format) {
    case LOAD_CSV:
        return find_row_end(scan, text);
    case LOAD_INFLUX:
        return find_point_end(scan, text, is_last);
    default:
        return find_line_break(scan, text);
    }
}
