#include "otlp_metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "number.h"
#include "series_name.h"

enum { SAMPLES_PER_POINT_MAX = 2, NO_RECORDED_VALUE = 1, NS_PER_US = 1000 };

#define SERVICE_NAME SLICE("service.name")

/* A point while it is read. */
struct point {
    struct wall_time at;
    size_t count;
    struct {
        struct slice field; /* behind the metric's name; {NULL, 0}: nothing */
        double value;
        struct slice name;
        char name_bytes[SERIES_NAME_BYTES_MAX];
    } samples[SAMPLES_PER_POINT_MAX];
    struct series_labels labels;
    bool has_too_many;                                      /* of them */
    char label_values[SERIES_LABELS_MAX + 1][NUMBER_BYTES]; /* of the one too many, too */
    struct error wrong;
};

/* A request while it is read: what is known of the resource and the metric around a point. */
struct reading {
    struct sample_sink *sink;
    struct error *err;
    struct slice service; /* empty: there is none */
    char service_bytes[NUMBER_BYTES];
    struct slice metric;
    void (*read_values)(const struct json_value *json, struct point *point);
    int64_t point; /* from 0 */
    bool is_over;
};

/* --- Numbers ------------------------------------------------------------------------ */

static bool read_double(const struct json_value *value, double *out)
{
    struct slice text;
    return json_value_number(value, out) ||
           (json_value_text(value, &text) && number_parse_double(text, out));
}

static bool read_int64(const struct json_value *value, int64_t *out)
{
    struct slice text;
    double number;
    if (json_value_text(value, &text))
        return number_parse_int64(text, INT64_MIN, INT64_MAX, out);
    if (!json_value_number(value, &number) || number < (double)INT64_MIN ||
        number >= -(double)INT64_MIN || number != floor(number))
        return false;
    *out = (int64_t)number;
    return true;
}

/* What is absent is 0, as protobuf has it. */
static bool read_uint64(const struct json_value *value, uint64_t *out)
{
    struct slice text;
    double number = 0;
    if (json_value_text(value, &text))
        return number_parse_uint64(text, out);
    if (json_value_kind(value) != JSON_KIND_NULL && !json_value_number(value, &number))
        return false;
    if (number < 0 || number >= 0x1p64 || number != floor(number))
        return false;
    *out = (uint64_t)number;
    return true;
}

/* --- Attributes --------------------------------------------------------------------- */

/* False: it is no text, number or boolean. */
static bool spell_value(const struct json_value *value, char buffer[static NUMBER_BYTES],
                        struct slice *text)
{
    bool is_true;
    double number;
    int64_t integer;
    const struct json_value *int_value = json_value_member(value, "intValue");
    const struct json_value *double_value = json_value_member(value, "doubleValue");
    if (json_value_text(json_value_member(value, "stringValue"), text) ||
        json_value_text(int_value, text) || json_value_text(double_value, text))
        return true;
    if (json_value_boolean(json_value_member(value, "boolValue"), &is_true))
        *text = is_true ? SLICE("true") : SLICE("false");
    else if (json_value_number(double_value, &number))
        *text = number_format_double(number, buffer);
    else if (read_int64(int_value, &integer))
        *text = slice_of(buffer, (size_t)snprintf(buffer, NUMBER_BYTES, "%" PRId64, integer));
    else
        return false;
    return true;
}

static struct slice key_of(const struct json_value *attribute)
{
    struct slice key = SLICE("");
    (void)json_value_text(json_value_member(attribute, "key"), &key);
    return key;
}

static bool find_service(void *context, struct slice none, const struct json_value *attribute)
{
    struct reading *r = context;
    (void)none;
    return !slice_equals(key_of(attribute), SERVICE_NAME) ||
           !spell_value(json_value_member(attribute, "value"), r->service_bytes, &r->service);
}

static bool add_attribute(void *context, struct slice none, const struct json_value *attribute)
{
    struct point *point = context;
    struct slice text;
    (void)none;
    if (spell_value(json_value_member(attribute, "value"), point->label_values[point->labels.count],
                    &text))
        point->has_too_many = !series_labels_add(&point->labels, key_of(attribute), text);
    return !point->has_too_many;
}

static bool has_label(const struct series_labels *labels, struct slice name)
{
    for (size_t i = 0; i < labels->count; i++) {
        if (slice_equals(labels->at[i].name, name))
            return true;
    }
    return false;
}

static void read_labels(const struct reading *r, const struct json_value *json, struct point *point)
{
    const struct json_value *attributes = json_value_member(json, "attributes");
    enum json_kind kind = json_value_kind(attributes);
    if (kind != JSON_KIND_NULL && kind != JSON_KIND_ARRAY)
        (void)error_add_field(&point->wrong, "body", "attributes", "must be an array");
    json_value_each(attributes, add_attribute, point);
    if (!point->has_too_many && r->service.len > 0 && !has_label(&point->labels, SERVICE_NAME))
        point->has_too_many = !series_labels_add(&point->labels, SERVICE_NAME, r->service);
    const char *wrong = point->has_too_many ? "a point may have 64 at most, with service.name"
                                            : series_labels_sort(&point->labels);
    if (wrong)
        (void)error_add_field(&point->wrong, "body", "attributes", "%s", wrong);
}

/* --- Points ------------------------------------------------------------------------- */

static void add_sample(struct point *point, struct slice field, double value)
{
    point->samples[point->count].field = field;
    point->samples[point->count++].value = value;
}

static void add_double(struct point *point, struct slice field, const struct json_value *value,
                       const char *member)
{
    double number;
    if (read_double(value, &number))
        add_sample(point, field, number);
    else
        (void)error_add_field(&point->wrong, "body", member, "must be a finite number");
}

/* Of a gauge or a sum. */
static void read_number(const struct json_value *json, struct point *point)
{
    const struct slice none = {NULL, 0};
    const struct json_value *as_double = json_value_member(json, "asDouble");
    const struct json_value *as_int = json_value_member(json, "asInt");
    int64_t integer;
    if (json_value_kind(as_double) != JSON_KIND_NULL)
        add_double(point, none, as_double, "asDouble");
    else if (read_int64(as_int, &integer))
        add_sample(point, none, (double)integer);
    else
        (void)error_add_field(&point->wrong, "body", "asInt",
                              json_value_kind(as_int) == JSON_KIND_NULL
                                  ? "must be there, or asDouble"
                                  : "must be an integer of 64 bits");
}

/* Of a histogram or a summary. */
static void read_distribution(const struct json_value *json, struct point *point)
{
    const struct json_value *sum = json_value_member(json, "sum");
    uint64_t count;
    if (read_uint64(json_value_member(json, "count"), &count))
        add_sample(point, SLICE("count"), (double)count);
    else
        (void)error_add_field(&point->wrong, "body", "count", "must be an integer of 64 bits");
    if (json_value_kind(sum) != JSON_KIND_NULL)
        add_double(point, SLICE("sum"), sum, "sum");
}

static void read_time(const struct json_value *json, struct point *point)
{
    uint64_t ns;
    if (read_uint64(json_value_member(json, "timeUnixNano"), &ns) && ns > 0)
        point->at.us = (int64_t)(ns / NS_PER_US);
    else
        (void)error_add_field(&point->wrong, "body", "timeUnixNano",
                              "must be nanoseconds since 1970, more than 0");
}

static void read_values(const struct reading *r, const struct json_value *json, struct point *point)
{
    uint64_t flags;
    if (!read_uint64(json_value_member(json, "flags"), &flags))
        (void)error_add_field(&point->wrong, "body", "flags", "must be an integer");
    else if (flags & NO_RECORDED_VALUE)
        (void)error_add_field(&point->wrong, "body", "flags", "no value was recorded");
    else
        r->read_values(json, point);
}

static void make_names(const struct reading *r, struct point *point)
{
    for (size_t i = 0; i < point->count; i++) {
        const char *wrong =
            series_name_spell(r->metric, point->samples[i].field, &point->labels,
                              point->samples[i].name_bytes, &point->samples[i].name);
        if (wrong) {
            (void)error_add_field(&point->wrong, "body", "name", "%s", wrong);
            return;
        }
    }
}

static void read_whole(const struct reading *r, const struct json_value *json, struct point *point)
{
    if (json_value_kind(json) != JSON_KIND_OBJECT) {
        (void)error_add_field(&point->wrong, "body", "dataPoints", "a point must be an object");
        return;
    }
    read_time(json, point);
    read_values(r, json, point);
    read_labels(r, json, point);
    if (point->wrong.code == ERR_OK)
        make_names(r, point);
}

static bool hand_over(const struct sample_sink *sink, const struct point *point)
{
    for (size_t i = 0; i < point->count; i++) {
        const struct sample sample = {point->at, point->samples[i].value, point->samples[i].name};
        if (!sink->take(sink->context, &sample))
            return false;
    }
    return true;
}

static bool read_point(void *context, struct slice none, const struct json_value *json)
{
    struct reading *r = context;
    struct point point;
    (void)none;
    point.count = point.labels.count = 0;
    point.has_too_many = false;
    error_init(&point.wrong);
    point.wrong.element = r->sink->index = r->point;
    read_whole(r, json, &point);
    bool goes_on = point.wrong.code == ERR_OK
                       ? hand_over(r->sink, &point)
                       : r->sink->refuse(r->sink->context, r->point, &point.wrong);
    r->point++;
    r->is_over = !goes_on;
    return goes_on;
}

/* --- The skeleton around them ------------------------------------------------------- */

/* Of this kind, or not there; else all is over. */
static bool is(struct reading *r, const struct json_value *value, enum json_kind kind,
               const char *name)
{
    enum json_kind found = json_value_kind(value);
    if (found == kind || found == JSON_KIND_NULL)
        return true;
    (void)error_add_field(r->err, "body", name, "must be %s",
                          kind == JSON_KIND_OBJECT  ? "an object"
                          : kind == JSON_KIND_ARRAY ? "an array"
                                                    : "a string");
    r->is_over = true;
    return false;
}

/* Elements of the array `list` of `object`, which is called `name`. False: all is over. */
static bool each_of(struct reading *r, const struct json_value *object, const char *name,
                    const char *list,
                    bool (*visit)(void *context, struct slice none, const struct json_value *value))
{
    const struct json_value *array = json_value_member(object, list);
    if (is(r, object, JSON_KIND_OBJECT, name) && is(r, array, JSON_KIND_ARRAY, list))
        json_value_each(array, visit, r);
    return !r->is_over;
}

static bool read_metric(void *context, struct slice none, const struct json_value *json)
{
    static const struct {
        const char *name;
        void (*read_values)(const struct json_value *json, struct point *point);
    } kinds[] = {
        {"gauge", read_number},           {"sum", read_number},
        {"histogram", read_distribution}, {"exponentialHistogram", read_distribution},
        {"summary", read_distribution},
    };
    struct reading *r = context;
    const struct json_value *name = json_value_member(json, "name");
    (void)none;
    r->metric = SLICE("");
    if (!is(r, json, JSON_KIND_OBJECT, "metrics") || !is(r, name, JSON_KIND_TEXT, "name"))
        return false;
    (void)json_value_text(name, &r->metric);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        r->read_values = kinds[i].read_values;
        if (!each_of(r, json_value_member(json, kinds[i].name), kinds[i].name, "dataPoints",
                     read_point))
            return false;
    }
    return true;
}

static bool read_scope(void *context, struct slice none, const struct json_value *json)
{
    (void)none;
    return each_of(context, json, "scopeMetrics", "metrics", read_metric);
}

static bool read_resource(void *context, struct slice none, const struct json_value *json)
{
    struct reading *r = context;
    (void)none;
    r->service = SLICE("");
    return is(r, json, JSON_KIND_OBJECT, "resourceMetrics") &&
           each_of(r, json_value_member(json, "resource"), "resource", "attributes",
                   find_service) &&
           each_of(r, json, "resourceMetrics", "scopeMetrics", read_scope);
}

enum err_code otlp_metrics_read(const struct json_value *request, struct sample_sink *sink,
                                struct error *err)
{
    struct reading r = {.sink = sink, .err = err};
    if (json_value_kind(request) != JSON_KIND_OBJECT)
        return error_add_field(err, "body", "", "must be a JSON object");
    (void)each_of(&r, request, "", "resourceMetrics", read_resource);
    return err->code;
}
