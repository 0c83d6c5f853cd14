#include "load_csv.h"

#include "json_write.h"
#include "utf8.h"

enum load_csv_state load_csv_step(enum load_csv_state state, char c)
{
    if (state == LOAD_CSV_QUOTED)
        return c == '"' ? LOAD_CSV_UNQUOTED : LOAD_CSV_QUOTED;
    if (c == '"' && state != LOAD_CSV_PLAIN)
        return LOAD_CSV_QUOTED;
    return c == ',' ? LOAD_CSV_CELL : LOAD_CSV_PLAIN;
}

struct row_reader {
    struct slice rest;
    bool is_over;
    struct strbuf *scratch; /* has room for the whole row: what is in it does not move */
    const char *wrong;
};

static bool row_begin(struct row_reader *reader, struct slice row, struct strbuf *scratch)
{
    *reader = (struct row_reader){.rest = row, .scratch = scratch};
    strbuf_reset(scratch);
    return strbuf_reserve(scratch, row.len);
}

/* Without the quotes around it, and with one of each pair within. */
static struct slice unquote(struct row_reader *reader, struct slice quoted)
{
    size_t start = reader->scratch->len;
    for (size_t i = 1; i + 1 < quoted.len; i++) {
        strbuf_append_char(reader->scratch, quoted.ptr[i]);
        if (quoted.ptr[i] == '"')
            i++;
    }
    return slice_of(reader->scratch->bytes + start, reader->scratch->len - start);
}

/* The length of the cell that `rest` begins with, as it stands there. */
static size_t measure_cell(struct row_reader *reader)
{
    struct slice rest = reader->rest;
    enum load_csv_state state = LOAD_CSV_CELL;
    size_t len = 0;
    for (; len < rest.len && (rest.ptr[len] != ',' || state == LOAD_CSV_QUOTED); len++) {
        enum load_csv_state next = load_csv_step(state, rest.ptr[len]);
        if (state == LOAD_CSV_UNQUOTED && next == LOAD_CSV_PLAIN)
            reader->wrong = "there is text behind a closing quote";
        state = next;
    }
    if (state == LOAD_CSV_QUOTED)
        reader->wrong = "a quote is never closed";
    return len;
}

/* False: there is none any more, or it is wrong. */
static bool row_next(struct row_reader *reader, struct slice *cell)
{
    if (reader->is_over)
        return false;
    size_t len = measure_cell(reader);
    *cell = slice_of(reader->rest.ptr, len);
    reader->is_over = len == reader->rest.len;
    if (!reader->is_over)
        reader->rest = slice_of(reader->rest.ptr + len + 1, reader->rest.len - len - 1);
    if (reader->wrong)
        return false;
    if (slice_starts_with(*cell, SLICE("\"")))
        *cell = unquote(reader, *cell);
    return true;
}

/* --- The header --------------------------------------------------------------------- */

static const char *note_column(int *column, int index, const char *twice)
{
    if (*column >= 0)
        return twice;
    *column = index;
    return NULL;
}

static const char *read_names(struct row_reader *reader, struct load_columns *columns)
{
    struct slice cell;
    const char *wrong = NULL;
    for (int i = 0; !wrong && row_next(reader, &cell); i++) {
        if (slice_equals_ignoring_case(cell, SLICE("timestamp")))
            wrong = note_column(&columns->timestamp, i, "the header names timestamp twice");
        else if (slice_equals_ignoring_case(cell, SLICE("value")))
            wrong = note_column(&columns->value, i, "the header names value twice");
        else if (slice_equals_ignoring_case(cell, SLICE("type")))
            wrong = note_column(&columns->type, i, "the header names type twice");
    }
    return wrong ? wrong : reader->wrong;
}

const char *load_csv_read_header(struct slice row, struct load_columns *columns)
{
    struct row_reader reader;
    struct strbuf scratch;
    strbuf_init(&scratch, row.len + 1);
    *columns = (struct load_columns){-1, -1, -1};
    const char *wrong =
        row_begin(&reader, row, &scratch) ? read_names(&reader, columns) : "out of memory";
    strbuf_release(&scratch);
    if (wrong)
        return wrong;
    if (columns->timestamp < 0)
        return "the first line names no column timestamp (timestamp,value,type in any order)";
    if (columns->value < 0)
        return "the first line names no column value (timestamp,value,type in any order)";
    if (columns->type < 0)
        return "the first line names no column type (timestamp,value,type in any order)";
    return NULL;
}

/* --- A row -------------------------------------------------------------------------- */

struct cells {
    struct slice timestamp, value, type; /* of no cell: {NULL, 0} */
};

/* JSON would get replacement characters in its stead, and so another type. */
static bool is_utf8(struct slice text)
{
    uint32_t code_point;
    for (size_t i = 0; i < text.len;) {
        size_t len = (unsigned char)text.ptr[i] < 0x80
                         ? 1
                         : utf8_decode(slice_of(text.ptr + i, text.len - i), &code_point);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

static struct slice without_apostrophe(struct slice type)
{
    static const char formula_starts[] = {'=', '+', '-', '@', '\t', '\r'};
    bool is_escaped = type.len > 1 && type.ptr[0] == '\'' &&
                      memchr(formula_starts, type.ptr[1], sizeof formula_starts);
    return is_escaped ? slice_of(type.ptr + 1, type.len - 1) : type;
}

static const char *read_cells(struct row_reader *reader, const struct load_columns *columns,
                              struct cells *cells)
{
    struct slice cell;
    for (int i = 0; row_next(reader, &cell); i++) {
        if (i == columns->timestamp)
            cells->timestamp = cell;
        else if (i == columns->value)
            cells->value = cell;
        else if (i == columns->type)
            cells->type = without_apostrophe(cell);
    }
    if (reader->wrong)
        return reader->wrong;
    return is_utf8(cells->type) ? NULL : "type: is no valid UTF-8";
}

static size_t count_digits(struct slice text, size_t at)
{
    size_t count = 0;
    while (at + count < text.len && text.ptr[at + count] >= '0' && text.ptr[at + count] <= '9')
        count++;
    return count;
}

/* As JSON spells numbers, short and without an exponent: so it is finite. */
static bool is_plain_number(struct slice text)
{
    enum { PLAIN_BYTES_MAX = 40 };
    size_t at = slice_starts_with(text, SLICE("-"));
    size_t whole = count_digits(text, at);
    if (text.len > PLAIN_BYTES_MAX || whole == 0 || (whole > 1 && text.ptr[at] == '0'))
        return false;
    at += whole;
    if (at == text.len)
        return true;
    size_t decimals = text.ptr[at] == '.' ? count_digits(text, at + 1) : 0;
    return decimals > 0 && at + 1 + decimals == text.len;
}

static void write_member(struct json_writer *w, const char *name, struct slice cell, bool is_value)
{
    if (!cell.ptr)
        return;
    json_write_name(w, name);
    if (is_value && is_plain_number(cell))
        json_write_raw(w, cell);
    else
        json_write_text(w, cell);
}

const char *load_csv_append_json(struct slice row, const struct load_columns *columns,
                                 struct strbuf *scratch, struct strbuf *out)
{
    struct row_reader reader;
    struct cells cells = {0};
    if (!row_begin(&reader, row, scratch))
        return "out of memory";
    const char *wrong = read_cells(&reader, columns, &cells);
    if (wrong)
        return wrong;
    struct json_writer w;
    json_write_begin(&w, out);
    json_write_object(&w);
    write_member(&w, "timestamp", cells.timestamp, false);
    write_member(&w, "value", cells.value, true);
    write_member(&w, "type", cells.type, false);
    json_write_end(&w);
    strbuf_append_char(out, '\n');
    return NULL;
}
