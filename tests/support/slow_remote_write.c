#include "slow_remote_write.h"

#include <math.h>
#include <stdlib.h>

struct field {
    uint64_t number;
    unsigned wire;
    uint64_t scalar;
    struct slice bytes;
};

struct fields {
    struct field *at;
    size_t count;
    bool is_broken; /* behind those */
};

/* Bit by bit; the number of bytes, 0: none begins there. */
static size_t varint_at(struct slice s, size_t at, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < 10 && at + i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[at + i];
        for (size_t bit = 0; bit < 7; bit++) {
            if (!(c & 1U << bit))
                continue;
            if (7 * i + bit > 63)
                return 0;
            *value += UINT64_C(1) << (7 * i + bit);
        }
        if (!(c & 0x80))
            return i + 1;
    }
    return 0;
}

/* The number of bytes, 0: the field is broken. */
static size_t field_at(struct slice s, size_t at, struct field *field)
{
    uint64_t tag;
    size_t tag_bytes = varint_at(s, at, &tag), bytes = 0;
    if (tag_bytes == 0 || tag / 8 < 1 || tag / 8 >= 1 << 29)
        return 0;
    *field = (struct field){.number = tag / 8, .wire = (unsigned)(tag % 8), .bytes = SLICE("")};
    at += tag_bytes;
    if (field->wire == 0)
        bytes = varint_at(s, at, &field->scalar);
    if (field->wire == 1 || field->wire == 5) {
        bytes = field->wire == 1 ? 8 : 4;
        for (size_t i = 0; i < bytes && at + i < s.len; i++)
            field->scalar += (uint64_t)(unsigned char)s.ptr[at + i] << (8 * i);
    }
    if (field->wire == 2) {
        bytes = varint_at(s, at, &field->scalar);
        if (bytes == 0 || field->scalar > s.len)
            return 0;
        if (at + bytes + field->scalar <= s.len)
            field->bytes = slice_of(s.ptr + at + bytes, field->scalar);
        bytes += field->scalar;
    }
    return bytes > 0 && at + bytes <= s.len ? tag_bytes + bytes : 0;
}

/* `wires` says which wire type the fields of numbers 1, 2, … must have. */
static struct fields fields_of(struct slice message, const char *wires)
{
    struct fields fields = {calloc(message.len + 1, sizeof *fields.at), 0, false};
    if (!fields.at)
        abort();
    for (size_t at = 0; at < message.len && !fields.is_broken;) {
        struct field *field = &fields.at[fields.count];
        size_t bytes = field_at(message, at, field);
        bool is_known = bytes > 0 && field->number <= strlen(wires);
        fields.is_broken =
            bytes == 0 || (is_known && (unsigned)(wires[field->number - 1] - '0') != field->wire);
        fields.count += !fields.is_broken;
        at += bytes;
    }
    return fields;
}

struct label {
    struct slice name, value;
    bool is_done;
};

struct series {
    struct label *labels; /* also the name */
    size_t count;
    bool is_broken;
};

static struct series labels_of(const struct fields *fields)
{
    struct series series = {calloc(fields->count + 1, sizeof *series.labels), 0, fields->is_broken};
    if (!series.labels)
        abort();
    for (size_t i = 0; i < fields->count; i++) {
        if (fields->at[i].number != 1)
            continue;
        struct label *label = &series.labels[series.count++];
        *label = (struct label){SLICE(""), SLICE(""), false};
        struct fields parts = fields_of(fields->at[i].bytes, "22");
        for (size_t j = 0; j < parts.count; j++) {
            if (parts.at[j].number == 1)
                label->name = parts.at[j].bytes;
            if (parts.at[j].number == 2)
                label->value = parts.at[j].bytes;
        }
        series.is_broken = series.is_broken || parts.is_broken;
        free(parts.at);
    }
    return series;
}

static bool is_name(const struct label *label)
{
    return slice_equals(label->name, SLICE("__name__"));
}

static const char *wrong_of_labels(const struct series *series)
{
    size_t names = 0, others = 0, value_bytes = 0;
    for (size_t i = 0; i < series->count; i++) {
        if (is_name(&series->labels[i])) {
            names++;
            value_bytes = series->labels[i].value.len;
        } else {
            others++;
        }
        if (names == 2)
            return "a label is there twice";
        if (others == 65)
            return "a series may have 64 at most";
    }
    for (size_t i = 0; i < series->count; i++) {
        if (series->labels[i].name.len == 0)
            return "a label has an empty name";
        for (size_t j = 0; j < i; j++) {
            if (slice_equals(series->labels[i].name, series->labels[j].name))
                return "a label is there twice";
        }
    }
    return value_bytes == 0 ? "there is no __name__" : NULL;
}

static void put_escaped(struct strbuf *out, struct slice part, const char *special)
{
    for (size_t i = 0; i < part.len; i++) {
        struct slice rest = slice_of(part.ptr + i, part.len - i);
        bool looks_escaped = slice_starts_with(rest, SLICE("%25")) ||
                             slice_starts_with(rest, SLICE("%3B")) ||
                             slice_starts_with(rest, SLICE("%3D"));
        if (looks_escaped || (part.ptr[i] != '\0' && strchr(special, part.ptr[i])))
            strbuf_printf(out, "%%%02X", (unsigned)part.ptr[i]);
        else
            strbuf_append_char(out, part.ptr[i]);
    }
}

/* The least of those that were not taken yet; NULL when all were. */
static struct label *least_label(struct series *series)
{
    struct label *least = NULL;
    for (size_t i = 0; i < series->count; i++) {
        struct label *label = &series->labels[i];
        if (!label->is_done && (!least || slice_compare(label->name, least->name) < 0))
            least = label;
    }
    if (least)
        least->is_done = true;
    return least;
}

static void put_name(struct strbuf *out, struct series *series)
{
    for (size_t i = 0; i < series->count; i++) {
        if (is_name(&series->labels[i]))
            put_escaped(out, series->labels[i].value, ";");
    }
    for (struct label *label; (label = least_label(series));) {
        if (is_name(label) || label->value.len == 0)
            continue;
        strbuf_append_char(out, ';');
        put_escaped(out, label->name, ";=");
        strbuf_append_char(out, '=');
        put_escaped(out, label->value, ";");
    }
}

static void log_sample(struct sink_log *log, int64_t index, struct slice name, uint64_t bits,
                       int64_t at_ms)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    if (bits == UINT64_C(0x7ff0000000000002))
        return;
    if (!isfinite(value))
        log->sink.skipped++;
    else if (at_ms < INT64_C(-62135596800000) || at_ms > INT64_C(253402300799999))
        sink_log_refusal(log, index, "timestamp", "must lie within years 1 to 9999");
    else
        sink_log_sample(log, name, at_ms * 1000, value);
}

static enum err_code log_samples(struct sink_log *log, int64_t index, struct slice name,
                                 const struct fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        log->sink.skipped += fields->at[i].number == 3 || fields->at[i].number == 4;
        if (fields->at[i].number != 2)
            continue;
        struct fields parts = fields_of(fields->at[i].bytes, "10");
        uint64_t bits = 0, at_ms = 0;
        for (size_t j = 0; j < parts.count; j++) {
            if (parts.at[j].number == 1)
                bits = parts.at[j].scalar;
            if (parts.at[j].number == 2)
                at_ms = parts.at[j].scalar;
        }
        free(parts.at);
        if (parts.is_broken)
            return ERR_BAD_REQUEST;
        log_sample(log, index, name, bits, (int64_t)at_ms);
    }
    return ERR_OK;
}

static enum err_code log_series(struct sink_log *log, int64_t index, struct slice message)
{
    struct strbuf name;
    strbuf_init(&name, 1 << 20);
    struct fields fields = fields_of(message, "2222");
    struct series series = labels_of(&fields);
    enum err_code code = series.is_broken ? ERR_BAD_REQUEST : ERR_OK;
    const char *wrong = wrong_of_labels(&series);
    if (code == ERR_OK && wrong) {
        sink_log_refusal(log, index, "labels", wrong);
    } else if (code == ERR_OK) {
        put_name(&name, &series);
        wrong = name.len > 255 ? "must have at most 255 bytes, with its labels"
                               : sample_check_type(strbuf_slice(&name));
        if (wrong)
            sink_log_refusal(log, index, "name", wrong);
        else
            code = log_samples(log, index, strbuf_slice(&name), &fields);
    }
    free(series.labels);
    free(fields.at);
    strbuf_release(&name);
    return code;
}

enum err_code slow_remote_write(struct slice message, struct sink_log *log)
{
    int64_t index = 0;
    struct fields fields = fields_of(message, "2");
    enum err_code code = ERR_OK;
    for (size_t i = 0; i < fields.count && code == ERR_OK; i++) {
        if (fields.at[i].number == 1)
            code = log_series(log, index++, fields.at[i].bytes);
    }
    free(fields.at);
    return code == ERR_OK && fields.is_broken ? ERR_BAD_REQUEST : code;
}
