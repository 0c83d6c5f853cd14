#include "json_samples.h"

#include "json_read.h"
#include "sample_json.h"
#include "sample_scan.h"

/* --- An element that is not plain ---------------------------------------------------- */

static void begin_error(struct error *wrong, int64_t index)
{
    error_init(wrong);
    wrong->element = index;
}

static bool refuse_length(int64_t index, struct sample_sink *sink)
{
    struct error wrong;
    begin_error(&wrong, index);
    (void)error_add_field(&wrong, "body", "", "must have at most %d bytes", JSON_SAMPLE_BYTES_MAX);
    return sink->refuse(sink->context, index, &wrong);
}

/* Frees the document; of NULL `wrong` says already why there is none. */
static bool hand_over(struct json_document *document, int64_t index, struct error *wrong,
                      struct sample_sink *sink)
{
    struct sample sample = {0};
    bool goes_on;
    if (document && sample_json_read(json_document_root(document), &sample, wrong) == ERR_OK)
        goes_on = sink->take(sink->context, &sample);
    else
        goes_on = sink->refuse(sink->context, index, wrong);
    json_document_free(document);
    return goes_on;
}

/* --- An array ------------------------------------------------------------------------ */

struct array {
    struct slice text;
    size_t at;
    int64_t index;
    struct sample_sink *sink;
};

static struct slice rest_of(const struct array *a)
{
    return slice_of(a->text.ptr + a->at, a->text.len - a->at);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct array *a)
{
    while (a->at < a->text.len && is_blank(a->text.ptr[a->at]))
        a->at++;
}

/* With the blanks before it. */
static bool take_char(struct array *a, char wanted)
{
    skip_blanks(a);
    if (a->at == a->text.len || a->text.ptr[a->at] != wanted)
        return false;
    a->at++;
    return true;
}

/* The array cannot be read on behind what reads like `before`: say why, and end. */
static bool refuse_array(const struct array *a, struct slice before)
{
    struct error wrong;
    error_init(&wrong);
    struct json_part part = {before, rest_of(a), 1, 1};
    for (size_t i = 0; i < a->at; i++) {
        bool is_line_end = a->text.ptr[i] == '\n';
        part.line += is_line_end;
        part.column = is_line_end ? 1 : part.column + ((a->text.ptr[i] & 0xc0) != 0x80);
    }
    json_document_free(json_document_new_part(&part, "body", &wrong));
    (void)error_set(&wrong, ERR_INTERNAL, "What is wrong with the array was not found");
    (void)a->sink->refuse(a->sink->context, a->index, &wrong);
    return false;
}

static bool read_element(struct array *a)
{
    struct sample sample = {0};
    a->sink->index = a->index;
    skip_blanks(a);
    struct slice rest = rest_of(a);
    size_t len = sample_scan(rest, &sample);
    if (len > 0) {
        a->at += len;
        return a->sink->take(a->sink->context, &sample);
    }
    len = json_measure_value(rest, JSON_DEPTH_MAX - 1);
    if (len > JSON_SAMPLE_BYTES_MAX) {
        a->at += len;
        return refuse_length(a->index, a->sink);
    }
    struct error wrong;
    begin_error(&wrong, a->index);
    struct json_part part = {SLICE(""), slice_of(rest.ptr, len), 1, 1};
    struct json_document *document = json_document_new_part(&part, "body", &wrong);
    if (!document && wrong.code == ERR_VALIDATION)
        return refuse_array(a, a->index == 0 ? SLICE("[") : SLICE("[0,"));
    a->at += len;
    return hand_over(document, a->index, &wrong, a->sink);
}

bool json_samples_is_array(struct slice text)
{
    text = slice_trim(json_skip_byte_order_mark(text));
    return text.len > 0 && text.ptr[0] == '[';
}

void json_samples_read_array(struct slice text, struct sample_sink *sink)
{
    struct array a = {.text = json_skip_byte_order_mark(text), .sink = sink};
    if (!take_char(&a, '['))
        return;
    if (!take_char(&a, ']')) {
        do {
            if (!read_element(&a))
                return;
            a.index++;
        } while (take_char(&a, ','));
        if (!take_char(&a, ']')) {
            (void)refuse_array(&a, SLICE("[0 "));
            return;
        }
    }
    skip_blanks(&a);
    if (a.at < a.text.len)
        (void)refuse_array(&a, SLICE("[]"));
}

/* --- Lines --------------------------------------------------------------------------- */

static bool read_line(struct slice text, int line, int64_t index, struct sample_sink *sink)
{
    struct sample sample = {0};
    sink->index = index;
    if (sample_scan(text, &sample) == text.len)
        return sink->take(sink->context, &sample);
    if (text.len > JSON_SAMPLE_BYTES_MAX)
        return refuse_length(index, sink);
    struct error wrong;
    begin_error(&wrong, index);
    return hand_over(json_document_new_line(text, "body", line, &wrong), index, &wrong, sink);
}

void json_samples_read_lines(struct slice text, struct sample_sink *sink)
{
    int64_t index = 0;
    bool goes_on = true;
    for (int line = 1; text.len > 0 && goes_on; line++) {
        struct slice one = slice_trim(slice_cut(&text, '\n'));
        if (one.len > 0)
            goes_on = read_line(one, line, index++, sink);
    }
}
