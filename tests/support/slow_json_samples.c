#include "slow_json_samples.h"

#include <stdio.h>

#include "json_read.h"
#include "json_samples.h"
#include "sample_json.h"
#include "sample_scan.h"

void json_log_read(struct sink_log *log, samples_reader *read, struct slice text, size_t calls_max)
{
    sink_log_init(log);
    log->may_fail = true;
    log->calls_max = calls_max;
    read(text, &log->sink);
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
static struct slice breakage(struct slice text)
{
    struct slice line = SLICE("");
    while (text.len > 0)
        line = slice_cut(&text, '\n');
    if (!slice_starts_with(line, SLICE("broken at ")))
        return SLICE("");
    (void)slice_cut(&line, ':');
    return line;
}

/* What stands before the break has been handed over by the one that reads in parts. */
static bool is_same(struct slice parts, struct slice whole)
{
    if (breakage(whole).len > 0)
        return slice_equals(breakage(parts), breakage(whole));
    return slice_equals(parts, whole);
}

static bool reads_as(samples_reader *read, samples_reader *read_whole, struct slice text)
{
    struct sink_log log, log_whole;
    json_log_read(&log, read, text, SIZE_MAX);
    json_log_read(&log_whole, read_whole, text, SIZE_MAX);
    struct slice parts = strbuf_slice(&log.text), whole = strbuf_slice(&log_whole.text);
    bool same = is_same(parts, whole);
    if (!same)
        (void)fprintf(stderr, "--- of\n%.*s\n--- is read as\n%.*s--- the slow way\n%.*s---\n",
                      (int)text.len, text.ptr, (int)parts.len, parts.ptr, (int)whole.len,
                      whole.ptr);
    sink_log_release(&log);
    sink_log_release(&log_whole);
    return same;
}

bool slow_json_agrees_on_array(struct slice text)
{
    return reads_as(json_samples_read_array, read_array_whole, text);
}

bool slow_json_agrees_on_lines(struct slice text)
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

bool slow_json_agrees_on_plain(struct slice text)
{
    struct sample sample = {0};
    size_t len = sample_scan(text, &sample);
    return len == 0 || (len <= text.len && text.ptr[0] == '{' && text.ptr[len - 1] == '}' &&
                        reads_as(scan_plain, read_object_whole, slice_of(text.ptr, len)));
}
