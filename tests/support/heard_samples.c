#include "heard_samples.h"

#include <inttypes.h>
#include <stdio.h>

#include "json_read.h"
#include "json_samples.h"
#include "sample_json.h"
#include "sample_scan.h"

enum { HEARD_BYTES_MAX = 1 << 26 };

static bool write_sample(void *context, const struct sample *sample)
{
    struct heard *heard = context;
    strbuf_printf(&heard->text, "take %" PRId64 " %.17g ", sample->at.us, sample->value);
    strbuf_append_slice(&heard->text, sample->type);
    strbuf_append_char(&heard->text, '\n');
    return ++heard->calls < heard->calls_max;
}

static bool write_refusal(void *context, int64_t index, const struct error *wrong)
{
    struct heard *heard = context;
    if (wrong->code != ERR_VALIDATION)
        strbuf_printf(&heard->text, "failed at %" PRId64 ": %s\n", index, err_name(wrong->code));
    for (size_t i = 0; i < wrong->field_count; i++) {
        const struct field_error *field = &wrong->fields[i];
        if (field->element < 0)
            strbuf_printf(&heard->text, "broken at %" PRId64 ": %s\n", index, field->message);
        else if (field->element == index)
            strbuf_printf(&heard->text, "refuse %" PRId64 " %s: %s\n", index, field->name,
                          field->message);
        else
            strbuf_printf(&heard->text, "a field of %" PRId64 " with index %" PRId64 "\n",
                          field->element, index);
    }
    return ++heard->calls < heard->calls_max;
}

void heard_read(struct heard *heard, samples_reader *read, struct slice text, size_t calls_max)
{
    struct sample_sink sink = {.context = heard, .take = write_sample, .refuse = write_refusal};
    heard->calls = 0;
    heard->calls_max = calls_max;
    strbuf_init(&heard->text, HEARD_BYTES_MAX);
    read(text, &sink);
    if (heard->calls > calls_max)
        strbuf_append_slice(&heard->text, SLICE("called after it had said: no further\n"));
}

void heard_release(struct heard *heard)
{
    strbuf_release(&heard->text);
}

/* --- The slow way -------------------------------------------------------------------- */

struct slow {
    struct sample_sink *sink;
    int64_t index;
};

static bool read_value(void *context, struct slice name, const struct json_value *value)
{
    struct slow *slow = context;
    struct sample sample = {0};
    struct error wrong;
    (void)name;
    error_init(&wrong);
    wrong.element = slow->index;
    if (sample_json_read(value, &sample, &wrong) == ERR_OK)
        (void)slow->sink->take(slow->sink->context, &sample);
    else
        (void)slow->sink->refuse(slow->sink->context, slow->index, &wrong);
    slow->index++;
    return true;
}

static void read_array_whole(struct slice text, struct sample_sink *sink)
{
    struct slow slow = {sink, 0};
    struct error wrong;
    error_init(&wrong);
    struct json_document *document = json_document_new(text, "body", &wrong);
    if (document)
        json_value_each(json_document_root(document), read_value, &slow);
    else
        (void)sink->refuse(sink->context, 0, &wrong);
    json_document_free(document);
}

static void read_object_whole(struct slice text, struct sample_sink *sink)
{
    struct slow slow = {sink, 0};
    struct error wrong;
    error_init(&wrong);
    struct json_document *document = json_document_new(text, "body", &wrong);
    if (document)
        (void)read_value(&slow, SLICE(""), json_document_root(document));
    json_document_free(document);
}

static void read_lines_whole(struct slice text, struct sample_sink *sink)
{
    struct slow slow = {sink, 0};
    for (int line = 1; text.len > 0; line++) {
        struct slice one = slice_trim(slice_cut(&text, '\n'));
        struct error wrong;
        error_init(&wrong);
        wrong.element = slow.index;
        if (one.len == 0)
            continue;
        struct json_document *document = json_document_new_line(one, "body", line, &wrong);
        if (document)
            (void)read_value(&slow, SLICE(""), json_document_root(document));
        else
            (void)sink->refuse(sink->context, slow.index++, &wrong);
        json_document_free(document);
    }
}

/* --- Both ---------------------------------------------------------------------------- */

/* The last line but for its index, if that tells of a broken array; else empty. */
static struct slice breakage(struct slice heard)
{
    struct slice line = SLICE("");
    while (heard.len > 0)
        line = slice_cut(&heard, '\n');
    if (!slice_starts_with(line, SLICE("broken at ")))
        return SLICE("");
    (void)slice_cut(&line, ':');
    return line;
}

/* What stands before the break has been handed over by the one that reads in parts. */
static bool is_same(struct slice heard, struct slice heard_whole)
{
    if (breakage(heard_whole).len > 0)
        return slice_equals(breakage(heard), breakage(heard_whole));
    return slice_equals(heard, heard_whole);
}

static bool reads_as(samples_reader *read, samples_reader *read_whole, struct slice text)
{
    struct heard heard, heard_whole;
    heard_read(&heard, read, text, SIZE_MAX);
    heard_read(&heard_whole, read_whole, text, SIZE_MAX);
    struct slice parts = strbuf_slice(&heard.text), whole = strbuf_slice(&heard_whole.text);
    bool same = is_same(parts, whole);
    if (!same)
        (void)fprintf(stderr, "--- of\n%.*s\n--- is heard\n%.*s--- the slow way\n%.*s---\n",
                      (int)text.len, text.ptr, (int)parts.len, parts.ptr, (int)whole.len,
                      whole.ptr);
    heard_release(&heard);
    heard_release(&heard_whole);
    return same;
}

bool heard_same_of_array(struct slice text)
{
    return reads_as(json_samples_read_array, read_array_whole, text);
}

bool heard_same_of_lines(struct slice text)
{
    return reads_as(json_samples_read_lines, read_lines_whole, text);
}

/* The object that a text begins with, if it is plain, as either reader of it finds it. */
static void scan_plain(struct slice text, struct sample_sink *sink)
{
    struct sample sample = {0};
    if (sample_scan(text, &sample) > 0)
        (void)sink->take(sink->context, &sample);
}

bool heard_same_of_plain(struct slice text)
{
    struct sample sample = {0};
    size_t len = sample_scan(text, &sample);
    return len == 0 || (len <= text.len && text.ptr[0] == '{' && text.ptr[len - 1] == '}' &&
                        reads_as(scan_plain, read_object_whole, slice_of(text.ptr, len)));
}
