#include "load_input.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* CR, LF, and so one byte more than the longest line needs. */
enum { LINE_ROOM_BYTES = LOAD_LINE_BYTES_MAX + 2 };

static const struct slice byte_order_mark = {"\xef\xbb\xbf", 3};

bool load_input_init(struct load_input *input, enum load_format format)
{
    *input = (struct load_input){.format = format, .place = {.offset = 0, .line = 1}};
    strbuf_init(&input->scratch, LOAD_LINE_BYTES_MAX + 1);
    input->bytes = malloc(LINE_ROOM_BYTES + LOAD_BLOCK_BYTES);
    return input->bytes;
}

void load_input_release(struct load_input *input)
{
    free(input->bytes);
    input->bytes = NULL;
    strbuf_release(&input->scratch);
}

void load_input_resume(struct load_input *input, struct load_place place,
                       struct load_columns columns)
{
    input->begin = input->end = 0;
    input->scan = (struct load_scan){0};
    input->is_ended = false;
    input->place = place;
    input->columns = columns;
    input->has_columns = place.offset > 0;
}

char *load_input_room(struct load_input *input)
{
    size_t len = input->end - input->begin;
    assert(len < LINE_ROOM_BYTES);
    memmove(input->bytes, input->bytes + input->begin, len);
    input->begin = 0;
    input->end = len;
    return input->bytes + len;
}

void load_input_fed(struct load_input *input, size_t count)
{
    input->end += count;
    input->is_ended = count == 0;
}

static struct slice unread(const struct load_input *input)
{
    return slice_of(input->bytes + input->begin, input->end - input->begin);
}

static void breaks(struct load_input *input, const char *reason)
{
    (void)snprintf(input->wrong, sizeof input->wrong, "%" PRIu64 ": %s", input->place.line, reason);
}

/* --- Records ------------------------------------------------------------------------ */

/* Its bytes, and how many the line break has behind them. */
struct record {
    struct slice text;
    size_t break_bytes;
};

static void too_long(struct load_input *input)
{
    breaks(input, input->format == LOAD_NDJSON
                      ? "the line is longer than 1 MiB"
                      : "the line is longer than 1 MiB; is a quote not closed?");
}

static struct slice without_mark(const struct load_input *input, struct slice text)
{
    bool has_mark = input->place.offset == 0 && slice_starts_with(text, byte_order_mark);
    return has_mark ? slice_of(text.ptr + byte_order_mark.len, text.len - byte_order_mark.len)
                    : text;
}

/* From the first line that is not blank. False: it is not there yet, or tells nothing. */
static bool learn_format(struct load_input *input)
{
    struct slice rest = without_mark(input, unread(input));
    while (rest.len > 0) {
        bool is_whole = input->is_ended || memchr(rest.ptr, '\n', rest.len);
        struct slice line = slice_cut(&rest, '\n');
        if (slice_trim(line).len == 0)
            continue;
        if (!is_whole)
            break;
        input->format = load_format_of_line(line);
        if (input->format == LOAD_UNKNOWN)
            breaks(input, "the format cannot be told from the name or this line; give --format");
        return input->format != LOAD_UNKNOWN;
    }
    if (unread(input).len >= LINE_ROOM_BYTES)
        breaks(input, "the first 1 MiB does not tell the format; give --format");
    return false;
}

/* The next one whole. False: it is not there yet, or cannot be had, or there is none. */
static bool find_record(struct load_input *input, struct record *record)
{
    if (input->format == LOAD_UNKNOWN && !learn_format(input))
        return false;
    struct slice text = unread(input);
    bool has_break = load_format_find_end(input->format, &input->scan, text, input->is_ended);
    size_t len = input->scan.seen;
    if (!has_break && !input->is_ended) {
        if (len >= LINE_ROOM_BYTES)
            too_long(input);
        return false;
    }
    bool has_return = len > 0 && text.ptr[len - 1] == '\r';
    *record = (struct record){slice_of(text.ptr, len - has_return), (size_t)has_break + has_return};
    if (record->text.len > LOAD_LINE_BYTES_MAX)
        too_long(input);
    return record->text.len <= LOAD_LINE_BYTES_MAX && len + has_break > 0;
}

static void consume(struct load_input *input, const struct record *record)
{
    size_t bytes = record->text.len + record->break_bytes;
    input->place.offset += bytes;
    input->place.line += 1 + load_count_breaks(record->text);
    input->begin += bytes;
    input->scan = (struct load_scan){0};
}

/* --- What a record is --------------------------------------------------------------- */

static bool is_for_nobody(const struct load_input *input, struct slice line)
{
    struct slice text = slice_trim(line);
    return text.len == 0 || (input->format == LOAD_INFLUX && text.ptr[0] == '#');
}

static bool read_header(struct load_input *input, struct slice row)
{
    const char *wrong = load_csv_read_header(row, &input->columns);
    input->has_columns = !wrong;
    if (wrong)
        breaks(input, wrong);
    return !wrong;
}

/* False: it is for the next batch. */
static bool take_record(struct load_input *input, struct slice text, struct load_batch *batch)
{
    uint64_t number = input->place.line;
    const char *wrong = NULL;
    if (input->format == LOAD_CSV) {
        wrong = load_csv_append_json(text, &input->columns, &input->scratch, &batch->body);
    } else if (input->scan.is_given_up) {
        wrong = "a string is not closed, must end with a double quote";
    } else {
        strbuf_append_slice(&batch->body, text);
        strbuf_append_char(&batch->body, '\n');
    }
    if (strbuf_failed(&batch->body)) {
        breaks(input, "out of memory");
        return false;
    }
    if (!wrong)
        return load_batch_take_line(batch, number);
    load_batch_refuse_line(batch, number, wrong);
    return true;
}

static bool is_header(const struct load_input *input)
{
    return input->format == LOAD_CSV && !input->has_columns;
}

/* False: the record stays where it is. */
static bool handle(struct load_input *input, const struct record *record, struct load_batch *batch)
{
    struct slice text = without_mark(input, record->text);
    if (is_for_nobody(input, text) ||
        (is_header(input) ? read_header(input, text) : take_record(input, text, batch))) {
        consume(input, record);
        batch->end = input->place;
        return true;
    }
    return false;
}

enum load_pull load_input_pull(struct load_input *input, struct load_batch *batch)
{
    struct record record;
    while (!input->wrong[0] && !load_batch_is_full(batch) && input->place.offset < batch->border) {
        if (find_record(input, &record)) {
            if (!handle(input, &record, batch))
                break;
        } else if (input->is_ended) {
            break;
        } else if (!input->wrong[0]) {
            return LOAD_HUNGRY;
        }
    }
    bool is_empty = batch->line_count + batch->refusal_count == 0;
    if (input->wrong[0] && (is_empty || strbuf_failed(&batch->body)))
        return LOAD_BROKEN;
    return is_empty && input->place.offset < batch->border ? LOAD_OVER : LOAD_READY;
}
