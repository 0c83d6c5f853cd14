#include "remote_write.h"

#include <math.h>

#include "iso8601.h"
#include "protobuf_read.h"
#include "series_name.h"

/* Numbers of the fields that are read, or counted. */
enum { REQUEST_SERIES = 1 };
enum { SERIES_LABEL = 1, SERIES_SAMPLE, SERIES_EXEMPLAR, SERIES_HISTOGRAM };
enum { LABEL_NAME = 1, LABEL_VALUE };
enum { SAMPLE_VALUE = 1, SAMPLE_TIMESTAMP };

#define STALE_MARKER UINT64_C(0x7ff0000000000002)

enum { US_PER_MS = 1000 };

/* A request while it is read. */
struct reading {
    struct sample_sink *sink;
    int64_t series; /* from 0 */
    struct slice name;
    char name_bytes[SERIES_NAME_BYTES_MAX];
    bool is_enough; /* for the sink */
};

static void refuse(struct reading *r, const char *field, const char *why)
{
    struct error wrong;
    error_init(&wrong);
    wrong.element = r->series;
    (void)error_add_field(&wrong, "body", field, "%s", why);
    r->is_enough = !r->sink->refuse(r->sink->context, r->series, &wrong);
}

static bool read_label(struct slice message, struct series_label *label)
{
    struct protobuf_reader reader = protobuf_reader_of(message);
    struct protobuf_field field;
    *label = (struct series_label){SLICE(""), SLICE("")};
    while (protobuf_next(&reader, &field)) {
        if (field.number != LABEL_NAME && field.number != LABEL_VALUE)
            continue;
        if (protobuf_expect(&reader, &field, PROTOBUF_BYTES))
            *(field.number == LABEL_NAME ? &label->name : &label->value) = field.bytes;
    }
    return !reader.is_broken;
}

static const char *add_label(struct series_labels *labels, struct slice *metric,
                             const struct series_label *label)
{
    if (!slice_equals(label->name, SLICE("__name__")))
        return series_labels_add(labels, label->name, label->value)
                   ? NULL
                   : "a series may have 64 at most";
    if (metric->ptr)
        return "a label is there twice";
    *metric = label->value;
    return NULL;
}

/* All labels of a series, wherever they stand; false: broken. */
static bool read_labels(struct slice series, struct series_labels *labels, struct slice *metric,
                        const char **wrong)
{
    struct protobuf_reader reader = protobuf_reader_of(series);
    struct protobuf_field field;
    struct series_label label;
    labels->count = 0;
    *metric = (struct slice){NULL, 0};
    *wrong = NULL;
    while (protobuf_next(&reader, &field)) {
        if (field.number < SERIES_LABEL || field.number > SERIES_HISTOGRAM ||
            !protobuf_expect(&reader, &field, PROTOBUF_BYTES) || field.number != SERIES_LABEL)
            continue;
        if (!read_label(field.bytes, &label))
            return false;
        if (!*wrong)
            *wrong = add_label(labels, metric, &label);
    }
    return !reader.is_broken;
}

/* False: there is no name, and the series was refused. */
static bool make_name(struct reading *r, struct series_labels *labels, struct slice metric,
                      const char *wrong)
{
    if (!wrong)
        wrong = series_labels_sort(labels);
    if (!wrong && metric.len == 0)
        wrong = "there is no __name__";
    if (wrong) {
        refuse(r, "labels", wrong);
        return false;
    }
    wrong = series_name_spell(metric, (struct slice){NULL, 0}, labels, r->name_bytes, &r->name);
    if (wrong)
        refuse(r, "name", wrong);
    return !wrong;
}

static bool read_sample(struct slice message, uint64_t *value_bits, int64_t *at_ms)
{
    struct protobuf_reader reader = protobuf_reader_of(message);
    struct protobuf_field field;
    *value_bits = 0;
    *at_ms = 0;
    while (protobuf_next(&reader, &field)) {
        if (field.number == SAMPLE_VALUE && protobuf_expect(&reader, &field, PROTOBUF_FIXED64))
            *value_bits = field.scalar;
        else if (field.number == SAMPLE_TIMESTAMP &&
                 protobuf_expect(&reader, &field, PROTOBUF_VARINT))
            *at_ms = (int64_t)field.scalar;
    }
    return !reader.is_broken;
}

static void hand_over(struct reading *r, uint64_t value_bits, int64_t at_ms)
{
    if (value_bits == STALE_MARKER)
        return;
    double value;
    memcpy(&value, &value_bits, sizeof value);
    if (!isfinite(value)) {
        r->sink->skipped++;
    } else if (at_ms < ISO8601_MIN_US / US_PER_MS || at_ms > ISO8601_MAX_US / US_PER_MS) {
        refuse(r, "timestamp", "must lie within years 1 to 9999");
    } else {
        r->sink->index = r->series;
        const struct sample sample = {{at_ms * US_PER_MS}, value, r->name};
        r->is_enough = !r->sink->take(r->sink->context, &sample);
    }
}

/* A series that has its name, and whose fields are bytes; false: one of its samples is broken. */
static bool read_samples(struct reading *r, struct slice series)
{
    struct protobuf_reader reader = protobuf_reader_of(series);
    struct protobuf_field field;
    uint64_t value_bits;
    int64_t at_ms;
    while (!r->is_enough && protobuf_next(&reader, &field)) {
        if (field.number == SERIES_SAMPLE) {
            if (!read_sample(field.bytes, &value_bits, &at_ms))
                return false;
            hand_over(r, value_bits, at_ms);
        } else if (field.number == SERIES_EXEMPLAR || field.number == SERIES_HISTOGRAM) {
            r->sink->skipped++;
        }
    }
    return true;
}

static bool read_series(struct reading *r, struct slice series)
{
    struct series_labels labels;
    struct slice metric;
    const char *wrong;
    if (!read_labels(series, &labels, &metric, &wrong))
        return false;
    return !make_name(r, &labels, metric, wrong) || read_samples(r, series);
}

enum err_code remote_write_read(struct slice message, struct sample_sink *sink, struct error *err)
{
    struct reading r = {.sink = sink};
    struct protobuf_reader reader = protobuf_reader_of(message);
    struct protobuf_field field;
    bool is_whole = true;
    while (is_whole && !r.is_enough && protobuf_next(&reader, &field)) {
        if (field.number != REQUEST_SERIES || !protobuf_expect(&reader, &field, PROTOBUF_BYTES))
            continue;
        is_whole = read_series(&r, field.bytes);
        r.series++;
    }
    if (is_whole && !reader.is_broken)
        return ERR_OK;
    return error_set(err, ERR_BAD_REQUEST,
                     "The body is no prometheus.WriteRequest (remote write 1.0) in protobuf, or is "
                     "damaged or cut off");
}
