#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "heap_slice.h"
#include "json_write.h"
#include "load_input.h"
#include "test_random.h"

static const struct load_limits plenty = {1000, 1 << 20};
static struct test_random chance;

/* --- What comes of an input, as text ------------------------------------------------- */

static void describe(const struct load_batch *batch, struct strbuf *out)
{
    strbuf_printf(out, "[%llu:%llu-%llu:%llu", (unsigned long long)batch->begin.offset,
                  (unsigned long long)batch->begin.line, (unsigned long long)batch->end.offset,
                  (unsigned long long)batch->end.line);
    for (size_t i = 0; i < batch->line_count; i++) {
        strbuf_printf(out, " %llu=", (unsigned long long)batch->lines[i].number);
        strbuf_append_slice(out, load_batch_body(batch, i, 1));
    }
    for (size_t i = 0; i < batch->refusal_count; i++)
        strbuf_printf(out, " %llu!%s", (unsigned long long)batch->refusals[i].number,
                      batch->refusals[i].reason);
    strbuf_append_slice(out, SLICE("]\n"));
}

static void feed(struct load_input *input, struct slice *rest, size_t block)
{
    size_t len = block < rest->len ? block : rest->len;
    memcpy(load_input_room(input), rest->ptr, len);
    load_input_fed(input, len);
    *rest = slice_of(rest->ptr + len, rest->len - len);
}

/* All batches of `rest`, read `block` bytes at a time. */
static void cut_on(struct load_input *input, struct slice rest, struct load_limits limits,
                   size_t block, struct strbuf *out)
{
    struct load_batch batch;
    enum load_pull pull;
    assert_true(load_batch_init(&batch, limits));
    do {
        load_batch_reset(&batch, input->place, UINT64_MAX);
        while ((pull = load_input_pull(input, &batch)) == LOAD_HUNGRY)
            feed(input, &rest, block);
        if (pull == LOAD_READY)
            describe(&batch, out);
    } while (pull == LOAD_READY);
    if (pull == LOAD_BROKEN)
        strbuf_printf(out, "broken %s\n", input->wrong);
    load_batch_release(&batch);
    assert_false(strbuf_failed(out));
}

static void cut(enum load_format format, struct slice text, struct load_limits limits, size_t block,
                struct strbuf *out)
{
    struct load_input input;
    strbuf_reset(out);
    assert_true(load_input_init(&input, format));
    cut_on(&input, text, limits, block, out);
    load_input_release(&input);
}

static void assert_cuts(enum load_format format, const char *text, const char *expected)
{
    struct strbuf out;
    strbuf_init(&out, 1 << 20);
    cut(format, slice_from_string(text), plenty, LOAD_BLOCK_BYTES, &out);
    strbuf_append_char(&out, '\0');
    assert_string_equal(out.bytes, expected);
    strbuf_release(&out);
}

/* --- Cuts --------------------------------------------------------------------------- */

static const char *const texts[] = {
    "timestamp,value,type\n1,2,a\n2,3,b\n\n3,4,\"c,\n\"\"d\"\"\"\n4,5,e\n5,6,f",
    "\xef\xbb\xbftype,x,value,timestamp\r\na,,1,2026-01-01\r\n\r\nb,\"\r\n\",2,3\r\nc\r\n",
    "{\"a\":1}\n\n  \n{\"b\":2}\r\n{\"c\":\"\\n\"}\n{}",
    "\n\n{\"a\":1}\n",
    "# comment\ncpu,host=a v=1 1\n\nlog,h=\"x m=\"a\nb\",v=2 2\nlog m=\"\\\"\n\",v=3\nz v=1",
    "a m=\"x\nb v=1,w=\"\n\"\nc m=\"\\\"\nd v=1",
    "timestamp,value,type\n1,\"2\"x,a\n1,2,\xff\n1,2,\"a\n",
    "\n \n",
    "",
    "no format\n",
    "value,type\n1,a\n",
};
enum { INPUT_COUNT = sizeof texts / sizeof *texts };

static struct slice inputs[INPUT_COUNT];

static int start(void **state)
{
    (void)state;
    chance = test_random_start();
    for (size_t i = 0; i < INPUT_COUNT; i++)
        inputs[i] = slice_from_string(texts[i]);
    return 0;
}

static void any_size_of_blocks_gives_the_same_batches(void **state)
{
    (void)state;
    struct strbuf once, now;
    strbuf_init(&once, 1 << 20);
    strbuf_init(&now, 1 << 20);
    for (size_t i = 0; i < INPUT_COUNT; i++) {
        for (size_t samples = 1; samples < 4; samples++) {
            const struct load_limits limits = {samples, 64};
            cut(LOAD_UNKNOWN, inputs[i], limits, LOAD_BLOCK_BYTES, &once);
            for (size_t block = 1; block <= inputs[i].len; block++) {
                cut(LOAD_UNKNOWN, inputs[i], limits, block, &now);
                assert_true(slice_equals(strbuf_slice(&now), strbuf_slice(&once)));
            }
        }
    }
    strbuf_release(&once);
    strbuf_release(&now);
}

/* The batch that ends at `place` was the last one that is known to be stored. */
static void assert_goes_on_alike(struct slice text, const struct load_input *was,
                                 struct load_limits limits, struct strbuf *out)
{
    struct load_input input;
    struct strbuf again;
    strbuf_init(&again, 1 << 20);
    assert_true(load_input_init(&input, was->format));
    load_input_resume(&input, was->place, was->columns);
    cut_on(&input, slice_of(text.ptr + was->place.offset, text.len - was->place.offset), limits, 7,
           &again);
    struct slice all = strbuf_slice(out), end = strbuf_slice(&again);
    assert_true(end.len <= all.len);
    assert_true(slice_equals(slice_of(all.ptr + all.len - end.len, end.len), end));
    load_input_release(&input);
    strbuf_release(&again);
}

static void a_later_run_cuts_the_rest_alike(void **state)
{
    (void)state;
    struct strbuf all;
    strbuf_init(&all, 1 << 20);
    for (size_t i = 0; i < INPUT_COUNT; i++) {
        const struct load_limits limits = {2, 60};
        struct load_input input;
        struct load_batch batch;
        struct slice rest = inputs[i];
        enum load_pull pull = LOAD_READY;
        cut(LOAD_UNKNOWN, inputs[i], limits, LOAD_BLOCK_BYTES, &all);
        assert_true(load_input_init(&input, LOAD_UNKNOWN));
        assert_true(load_batch_init(&batch, limits));
        while (pull == LOAD_READY) {
            load_batch_reset(&batch, input.place, UINT64_MAX);
            while ((pull = load_input_pull(&input, &batch)) == LOAD_HUNGRY)
                feed(&input, &rest, LOAD_BLOCK_BYTES);
            if (pull == LOAD_READY)
                assert_goes_on_alike(inputs[i], &input, limits, &all);
        }
        load_batch_release(&batch);
        load_input_release(&input);
    }
    strbuf_release(&all);
}

static void lines_keep_their_numbers(void **state)
{
    (void)state;
    assert_cuts(LOAD_UNKNOWN, "timestamp,value,type\n1,2,a\n\n3,4,\"b\nc\"\n5,6,d\n",
                "[0:1-44:7"
                " 2={\"timestamp\":\"1\",\"value\":2,\"type\":\"a\"}\n"
                " 4={\"timestamp\":\"3\",\"value\":4,\"type\":\"b\\nc\"}\n"
                " 6={\"timestamp\":\"5\",\"value\":6,\"type\":\"d\"}\n]\n");
    assert_cuts(LOAD_UNKNOWN, "\r\n{\"a\":1}\r\n\n{\"b\":2}",
                "[0:1-19:5 2={\"a\":1}\n 4={\"b\":2}\n]\n");
    assert_cuts(LOAD_UNKNOWN, "# x\ncpu v=1 1\na m=\"x\ny\" 2\ncpu v=2 3",
                "[0:1-35:6 2=cpu v=1 1\n 3=a m=\"x\ny\" 2\n 5=cpu v=2 3\n]\n");
}

static void quotes_of_line_protocol_count_in_values_alone(void **state)
{
    (void)state;
    assert_cuts(LOAD_INFLUX, "a,t=\" v=1\nb\" v=2\nc v=1,\"d=2\n",
                "[0:1-28:4 1=a,t=\" v=1\n 2=b\" v=2\n 3=c v=1,\"d=2\n]\n");
    assert_cuts(LOAD_INFLUX, "a m=\"\\\"\n\" 1\nb m=\"\\\\\" 2\n#\"\nc v=1\n",
                "[0:1-32:6 1=a m=\"\\\"\n\" 1\n 3=b m=\"\\\\\" 2\n 5=c v=1\n]\n");
}

/* In a body the service could take what follows for the rest of it. */
static void a_string_that_nothing_closes_is_refused_with_its_line(void **state)
{
    (void)state;
    assert_cuts(LOAD_INFLUX, "a m=\"x\nb v=1\nc v=2",
                "[0:1-18:4 2=b v=1\n 3=c v=2\n "
                "1!a string is not closed, must end with a double quote]\n");
    assert_cuts(LOAD_INFLUX, "a m=1\"x\nb v=\"\\\"\n\" 1\n\\ a=\" v=1\nc v=2\n",
                "[0:1-36:6 1=a m=1\"x\n 2=b v=\"\\\"\n\" 1\n 4=\\ a=\" v=1\n 5=c v=2\n]\n");
}

static void a_string_is_closed_within_a_bound(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct load_input input;
        struct load_batch batch;
        struct strbuf text;
        strbuf_init(&text, 1 << 20);
        strbuf_append_slice(&text, SLICE("a m=\"\n"));
        while (text.len < 4 + LOAD_STRING_BYTES_MAX + i)
            strbuf_append_char(&text, 'x');
        strbuf_append_slice(&text, SLICE("\" 1\nb v=1\n"));
        struct slice rest = strbuf_slice(&text);
        assert_true(load_input_init(&input, LOAD_INFLUX));
        assert_true(load_batch_init(&batch, (struct load_limits){1000, 1 << 20}));
        load_batch_reset(&batch, input.place, UINT64_MAX);
        while (load_input_pull(&input, &batch) == LOAD_HUNGRY)
            feed(&input, &rest, 1000);
        assert_int_equal(batch.line_count, 2);
        assert_int_equal(batch.refusal_count, i);
        assert_int_equal(batch.body_lines, 3 - i);
        load_batch_release(&batch);
        load_input_release(&input);
        strbuf_release(&text);
    }
}

/* --- CSV ---------------------------------------------------------------------------- */

static void assert_row(const char *row, const char *expected)
{
    static const struct load_columns columns = {0, 1, 2};
    struct slice in = heap_slice_new(row, strlen(row));
    struct strbuf scratch, out;
    strbuf_init(&scratch, 1000);
    strbuf_init(&out, 1000);
    const char *wrong = load_csv_append_json(in, &columns, &scratch, &out);
    if (wrong) {
        assert_int_equal(out.len, 0);
        assert_string_equal(wrong, expected);
    } else {
        strbuf_append_char(&out, '\0');
        assert_string_equal(out.bytes, expected);
    }
    strbuf_release(&scratch);
    strbuf_release(&out);
    heap_slice_free(in);
}

static void a_row_becomes_an_object(void **state)
{
    (void)state;
    assert_row("1,2,cpu", "{\"timestamp\":\"1\",\"value\":2,\"type\":\"cpu\"}\n");
    assert_row("1,2,cpu,more", "{\"timestamp\":\"1\",\"value\":2,\"type\":\"cpu\"}\n");
    assert_row(" 1,,\"\"", "{\"timestamp\":\" 1\",\"value\":\"\",\"type\":\"\"}\n");
    assert_row("\"1\",\"2\",\"a,\"\"b\"\"\"",
               "{\"timestamp\":\"1\",\"value\":2,\"type\":\"a,\\\"b\\\"\"}\n");
    assert_row("1,2,5\" pipe", "{\"timestamp\":\"1\",\"value\":2,\"type\":\"5\\\" pipe\"}\n");
    assert_row("1,2", "{\"timestamp\":\"1\",\"value\":2}\n");
    assert_row("", "{\"timestamp\":\"\"}\n");
}

static void a_plain_number_is_a_number(void **state)
{
    (void)state;
    static const char *const plain[] = {
        "0", "-0", "7", "-12.50", "0.0", "10", "1234567890123456789012345678901234567.25"};
    static const char *const others[] = {
        "",    "-",    "01",  "-01",
        "1.",  ".5",   "1e3", "+1",
        "1 ",  "0x10", "NaN", "1.2.3",
        "--1", "1,",   "1-",  "1234567890123456789012345678901234567.250"};
    char row[100], expected[120];
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        (void)snprintf(row, sizeof row, "1,%s,c", plain[i]);
        (void)snprintf(expected, sizeof expected,
                       "{\"timestamp\":\"1\",\"value\":%s,\"type\":\"c\"}\n", plain[i]);
        assert_row(row, expected);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        (void)snprintf(row, sizeof row, "1,\"%s\",c", others[i]);
        (void)snprintf(expected, sizeof expected,
                       "{\"timestamp\":\"1\",\"value\":\"%s\",\"type\":\"c\"}\n", others[i]);
        assert_row(row, expected);
    }
}

static void a_row_that_is_none_says_why(void **state)
{
    (void)state;
    assert_row("1,2,\"cpu", "a quote is never closed");
    assert_row("1,2,\"cpu\"\"", "a quote is never closed");
    assert_row("1,2,\"cpu\" ", "there is text behind a closing quote");
    assert_row("\"1\"2,3,cpu", "there is text behind a closing quote");
    assert_row("1,2,cpu,\"x\"y", "there is text behind a closing quote");
    assert_row("1,2,c\xc3", "type: is no valid UTF-8");
}

static void the_apostrophe_before_a_formula_is_taken_away(void **state)
{
    (void)state;
    static const char *const formulas[] = {"=", "+", "-", "@", "\\t", "\\r"};
    static const char *const escaped[] = {"=", "+", "-", "@", "\t", "\r"};
    for (size_t i = 0; i < 6; i++) {
        char row[40], expected[100];
        (void)snprintf(row, sizeof row, "'-1,'-2,\"'%sx\"", escaped[i]);
        (void)snprintf(expected, sizeof expected,
                       "{\"timestamp\":\"'-1\",\"value\":\"'-2\",\"type\":\"%sx\"}\n", formulas[i]);
        assert_row(row, expected);
    }
    assert_row("1,2,'x", "{\"timestamp\":\"1\",\"value\":2,\"type\":\"'x\"}\n");
    assert_row("1,2,'", "{\"timestamp\":\"1\",\"value\":2,\"type\":\"'\"}\n");
}

static void assert_header(const char *row, const char *wrong, int timestamp, int value, int type)
{
    struct load_columns columns;
    struct slice in = heap_slice_new(row, strlen(row));
    const char *said = load_csv_read_header(in, &columns);
    heap_slice_free(in);
    if (wrong) {
        assert_non_null(strstr(said ? said : "", wrong));
        return;
    }
    assert_null(said);
    assert_int_equal(columns.timestamp, timestamp);
    assert_int_equal(columns.value, value);
    assert_int_equal(columns.type, type);
}

static void a_header_names_the_columns(void **state)
{
    (void)state;
    assert_header("timestamp,value,type", NULL, 0, 1, 2);
    assert_header("id,Type,x,\"VALUE\",timestamp,", NULL, 4, 3, 1);
    assert_header("timestamp,value", "no column type", 0, 0, 0);
    assert_header("timestamp, value,type", "no column value", 0, 0, 0);
    assert_header("value,type", "no column timestamp", 0, 0, 0);
    assert_header("timestamp,value,type,value", "value twice", 0, 0, 0);
    assert_header("timestamp,value,\"type", "never closed", 0, 0, 0);
    assert_header("", "no column", 0, 0, 0);
}

/* Of what may be in a cell: all that has a meaning somewhere. */
static struct slice random_cell(char cell[static 8])
{
    size_t len = test_random_below(&chance, 8);
    for (size_t i = 0; i < len; i++)
        cell[i] = "\"\",,\n\r'ab="[test_random_below(&chance, 10)];
    return slice_of(cell, len);
}

static void append_quoted(struct strbuf *out, struct slice cell)
{
    strbuf_append_char(out, '"');
    for (size_t i = 0; i < cell.len; i++) {
        if (cell.ptr[i] == '"')
            strbuf_append_char(out, '"');
        strbuf_append_char(out, cell.ptr[i]);
    }
    strbuf_append_char(out, '"');
}

static void write_expected(struct strbuf *out, struct slice timestamp, struct slice value,
                           struct slice type)
{
    struct json_writer w;
    bool is_formula =
        type.len > 1 && type.ptr[0] == '\'' && (type.ptr[1] == '=' || type.ptr[1] == '\r');
    json_write_begin(&w, out);
    json_write_object(&w);
    json_write_name(&w, "timestamp");
    json_write_text(&w, timestamp);
    json_write_name(&w, "value");
    json_write_text(&w, value);
    json_write_name(&w, "type");
    json_write_text(&w, is_formula ? slice_of(type.ptr + 1, type.len - 1) : type);
    json_write_end(&w);
    strbuf_append_char(out, '\n');
}

static void quoted_cells_of_any_bytes_come_through(void **state)
{
    (void)state;
    struct strbuf csv, expected;
    struct load_input input;
    struct load_batch batch;
    strbuf_init(&csv, 1 << 20);
    strbuf_init(&expected, 1 << 20);
    strbuf_append_slice(&csv, SLICE("type,other,timestamp,value\r\n"));
    for (int i = 0; i < 500; i++) {
        char bytes[4][8];
        struct slice cells[4];
        for (size_t j = 0; j < 4; j++) {
            cells[j] = random_cell(bytes[j]);
            append_quoted(&csv, cells[j]);
            strbuf_append_slice(&csv, j < 3 ? SLICE(",") : SLICE("\r\n"));
        }
        write_expected(&expected, cells[2], cells[3], cells[0]);
    }
    struct slice rest = strbuf_slice(&csv);
    assert_true(load_input_init(&input, LOAD_CSV));
    assert_true(load_batch_init(&batch, plenty));
    load_batch_reset(&batch, input.place, UINT64_MAX);
    while (load_input_pull(&input, &batch) == LOAD_HUNGRY)
        feed(&input, &rest, 1 + test_random_below(&chance, 100));
    assert_int_equal(batch.line_count, 500);
    assert_true(slice_equals(strbuf_slice(&batch.body), strbuf_slice(&expected)));
    load_batch_release(&batch);
    load_input_release(&input);
    strbuf_release(&csv);
    strbuf_release(&expected);
}

/* --- Limits ------------------------------------------------------------------------- */

static void a_batch_has_as_many_lines_as_it_may(void **state)
{
    (void)state;
    struct strbuf out;
    strbuf_init(&out, 1000);
    const struct load_limits limits = {2, 1000};
    cut(LOAD_NDJSON, SLICE("{1}\n{2}\n\n{3}\n"), limits, 100, &out);
    assert_true(
        slice_equals(strbuf_slice(&out), SLICE("[0:1-8:3 1={1}\n 2={2}\n]\n[8:3-13:5 4={3}\n]\n")));
    strbuf_release(&out);
}

static void a_batch_has_as_many_bytes_as_it_may(void **state)
{
    (void)state;
    static const char two[] = "[0:1-9:3 1={1}\n 2={22}\n]\n",
                      one[] = "[0:1-4:2 1={1}\n]\n[4:2-9:3 2={22}\n]\n";
    struct strbuf out;
    strbuf_init(&out, 1000);
    for (size_t bytes = 3; bytes <= 10; bytes++) {
        const struct load_limits limits = {10, bytes};
        cut(LOAD_NDJSON, SLICE("{1}\n{22}\n"), limits, 100, &out);
        assert_true(slice_equals(strbuf_slice(&out), slice_from_string(bytes < 9 ? one : two)));
    }
    strbuf_release(&out);
}

/* Of `len` bytes, the line break behind it not counted; on the heap, to its end. */
static struct slice long_line(const char *begin, const char *end, size_t len, const char *line_end)
{
    struct strbuf text;
    size_t fill = len - strlen(begin) - strlen(end);
    strbuf_init(&text, len + 2);
    strbuf_append_slice(&text, slice_from_string(begin));
    char *filling = strbuf_reserve(&text, fill);
    assert_non_null(filling);
    memset(filling, 'x', fill);
    strbuf_commit(&text, fill);
    strbuf_append_slice(&text, slice_from_string(end));
    strbuf_append_slice(&text, slice_from_string(line_end));
    struct slice line = heap_slice_new(text.bytes, text.len);
    strbuf_release(&text);
    return line;
}

static const char *pull_long_line(enum load_format format, struct slice text, size_t block)
{
    static char said[160];
    struct load_input input;
    struct load_batch batch;
    enum load_pull pull;
    assert_true(load_input_init(&input, format));
    assert_true(load_batch_init(&batch, plenty));
    if (format == LOAD_CSV)
        load_input_resume(&input, (struct load_place){100, 7}, (struct load_columns){0, 1, 2});
    load_batch_reset(&batch, input.place, UINT64_MAX);
    while ((pull = load_input_pull(&input, &batch)) == LOAD_HUNGRY)
        feed(&input, &text, block);
    (void)snprintf(said, sizeof said, "%s", pull == LOAD_BROKEN ? input.wrong : "fine");
    assert_int_equal(pull == LOAD_BROKEN, batch.line_count == 0);
    load_batch_release(&batch);
    load_input_release(&input);
    return said;
}

static void assert_longest(enum load_format format, const char *begin, const char *end,
                           const char *wrong)
{
    static const char *const line_ends[] = {"", "\n", "\r\n"};
    for (size_t i = 0; i < 3; i++) {
        for (size_t block = LOAD_BLOCK_BYTES - 1; block <= LOAD_BLOCK_BYTES; block++) {
            struct slice fits = long_line(begin, end, LOAD_LINE_BYTES_MAX, line_ends[i]);
            assert_string_equal(pull_long_line(format, fits, block), "fine");
            heap_slice_free(fits);
            struct slice longer = long_line(begin, end, LOAD_LINE_BYTES_MAX + 1, line_ends[i]);
            assert_string_equal(pull_long_line(format, longer, block), wrong);
            heap_slice_free(longer);
        }
    }
}

static void a_line_has_a_mebibyte_at_most(void **state)
{
    (void)state;
    assert_longest(LOAD_NDJSON, "{\"", "\"}", "1: the line is longer than 1 MiB");
    assert_longest(LOAD_CSV, "1,2,\"", "\"",
                   "7: the line is longer than 1 MiB; is a quote not closed?");
    assert_longest(LOAD_INFLUX, "a m=\"", "\" 1",
                   "1: the line is longer than 1 MiB; is a quote not closed?");
}

static void an_endless_first_line_tells_no_format(void **state)
{
    (void)state;
    struct slice line = long_line("x", "x", 3 * LOAD_LINE_BYTES_MAX, "");
    assert_string_equal(pull_long_line(LOAD_UNKNOWN, line, LOAD_BLOCK_BYTES),
                        "1: the first 1 MiB does not tell the format; give --format");
    heap_slice_free(line);
}

static void lines_of_a_batch_can_be_had_in_parts(void **state)
{
    (void)state;
    struct load_batch batch;
    assert_true(load_batch_init(&batch, plenty));
    load_batch_reset(&batch, (struct load_place){0, 1}, UINT64_MAX);
    for (uint64_t i = 1; i <= 3; i++) {
        strbuf_printf(&batch.body, "line %u\n", (unsigned)i);
        assert_true(load_batch_take_line(&batch, i));
    }
    assert_true(slice_equals(load_batch_body(&batch, 0, 1), SLICE("line 1\n")));
    assert_true(slice_equals(load_batch_body(&batch, 1, 2), SLICE("line 2\nline 3\n")));
    assert_int_equal(load_batch_body(&batch, 3, 0).len, 0);
    load_batch_release(&batch);
}

static void lines_of_a_body_are_found_in_the_input(void **state)
{
    (void)state;
    static const uint64_t expected[][5] = {
        {10, 11, 13, 20, 0}, {13, 20, 0, 0, 0}, {20, 0, 0, 0, 0}};
    struct load_batch batch;
    assert_true(load_batch_init(&batch, plenty));
    load_batch_reset(&batch, (struct load_place){0, 1}, UINT64_MAX);
    strbuf_append_slice(&batch.body, SLICE("two\nlines\n"));
    assert_true(load_batch_take_line(&batch, 10));
    strbuf_append_slice(&batch.body, SLICE("one\n"));
    assert_true(load_batch_take_line(&batch, 13));
    strbuf_append_slice(&batch.body, SLICE("one\n"));
    assert_true(load_batch_take_line(&batch, 20));
    for (size_t first = 0; first < 3; first++) {
        for (size_t index = 0; index < 5; index++)
            assert_int_equal(load_batch_number_of(&batch, first, index), expected[first][index]);
    }
    assert_int_equal(load_batch_number_of(&batch, 3, 0), 0);
    load_batch_release(&batch);
}

/* --- Formats ------------------------------------------------------------------------ */

static void formats_are_told_from_names(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        enum load_format format;
    } paths[] = {{"a.csv", LOAD_CSV},       {"A.CSV", LOAD_CSV},    {"x/y.ndjson", LOAD_NDJSON},
                 {"b.jsonl", LOAD_NDJSON},  {"c.lp", LOAD_INFLUX},  {"d.influx", LOAD_INFLUX},
                 {"csv", LOAD_UNKNOWN},     {".csv", LOAD_UNKNOWN}, {"-", LOAD_UNKNOWN},
                 {"a.csv.gz", LOAD_UNKNOWN}};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_int_equal(load_format_of_path(slice_from_string(paths[i].path)), paths[i].format);
}

static void formats_are_told_from_first_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum load_format format;
    } lines[] = {{" {\"timestamp\":1}", LOAD_NDJSON},
                 {"type,timestamp,value\r", LOAD_CSV},
                 {"cpu value=1", LOAD_INFLUX},
                 {"# a comment", LOAD_INFLUX},
                 {"timestamp,value", LOAD_UNKNOWN},
                 {"a=b c", LOAD_UNKNOWN},
                 {"[{}]", LOAD_UNKNOWN},
                 {"x", LOAD_UNKNOWN}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_int_equal(load_format_of_line(slice_from_string(lines[i].line)), lines[i].format);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_size_of_blocks_gives_the_same_batches),
        cmocka_unit_test(a_later_run_cuts_the_rest_alike),
        cmocka_unit_test(lines_keep_their_numbers),
        cmocka_unit_test(quotes_of_line_protocol_count_in_values_alone),
        cmocka_unit_test(a_string_that_nothing_closes_is_refused_with_its_line),
        cmocka_unit_test(a_string_is_closed_within_a_bound),
        cmocka_unit_test(a_row_becomes_an_object),
        cmocka_unit_test(a_plain_number_is_a_number),
        cmocka_unit_test(a_row_that_is_none_says_why),
        cmocka_unit_test(the_apostrophe_before_a_formula_is_taken_away),
        cmocka_unit_test(a_header_names_the_columns),
        cmocka_unit_test(quoted_cells_of_any_bytes_come_through),
        cmocka_unit_test(a_batch_has_as_many_lines_as_it_may),
        cmocka_unit_test(a_batch_has_as_many_bytes_as_it_may),
        cmocka_unit_test(a_line_has_a_mebibyte_at_most),
        cmocka_unit_test(an_endless_first_line_tells_no_format),
        cmocka_unit_test(lines_of_a_batch_can_be_had_in_parts),
        cmocka_unit_test(lines_of_a_body_are_found_in_the_input),
        cmocka_unit_test(formats_are_told_from_names),
        cmocka_unit_test(formats_are_told_from_first_lines),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
