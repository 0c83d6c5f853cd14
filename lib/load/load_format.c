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

/*
 * As InfluxDB's own scanner does it: quotes count in a field's value alone, that is behind the
 * first blank, and where there were more equals signs than commas since.
 */
enum { IN_SERIES, IN_FIELDS, IN_QUOTES, IN_COMMENT, ESCAPED = 16 };

static void step_line(struct load_scan *scan, char c)
{
    if (scan->state & ESCAPED) {
        scan->state &= (unsigned char)~ESCAPED;
    } else if (scan->seen == 0 && c == '#') {
        scan->state = IN_COMMENT;
    } else if (c == '\\' && scan->state != IN_COMMENT) {
        scan->state |= ESCAPED;
    } else if (scan->state == IN_SERIES) {
        if (c == ' ' && scan->seen > 0)
            scan->state = IN_FIELDS;
    } else if (scan->state == IN_FIELDS) {
        scan->equals += c == '=';
        scan->commas += c == ',';
        if (c == '"' && scan->equals > scan->commas)
            scan->state = IN_QUOTES;
    } else if (scan->state == IN_QUOTES && c == '"') {
        scan->state = IN_FIELDS;
    }
}

static bool find_point_end(struct load_scan *scan, struct slice text)
{
    for (; scan->seen < text.len; scan->seen++) {
        char c = text.ptr[scan->seen];
        if (c == '\n' && scan->state != IN_QUOTES && scan->state != (IN_QUOTES | ESCAPED))
            return true;
        step_line(scan, c);
    }
    return false;
}

bool load_format_find_end(enum load_format format, struct load_scan *scan, struct slice text)
{
    switch (format) {
    case LOAD_CSV:
        return find_row_end(scan, text);
    case LOAD_INFLUX:
        return find_point_end(scan, text);
    default:
        return find_line_break(scan, text);
    }
}
