#include "sample_json.h"

#include "iso8601.h"
#include "number.h"

static void read_timestamp(const struct json_value *value, struct wall_time *at, struct error *err)
{
    struct slice text;
    double number;
    const char *wrong;
    if (json_value_number(value, &number))
        wrong = iso8601_from_number(number, at);
    else if (json_value_text(value, &text))
        wrong = iso8601_parse(text, at);
    else
        wrong = "must be an ISO 8601 date and time, or Unix seconds";
    if (wrong)
        (void)error_add_field(err, "body", "timestamp", "%s", wrong);
}

static void read_value(const struct json_value *value, double *out, struct error *err)
{
    struct slice text;
    if (json_value_number(value, out))
        return;
    if (!json_value_text(value, &text) || !number_parse_double(text, out))
        (void)error_add_field(err, "body", "value",
                              "must be a finite number, or a string that holds one");
}

static void read_type(const struct json_value *value, struct slice *type, struct error *err)
{
    const char *wrong = "must be a string";
    if (json_value_text(value, type))
        wrong = sample_check_short_type(*type);
    if (wrong)
        (void)error_add_field(err, "body", "type", "%s", wrong);
}

static const struct json_value *find_member(const struct json_value *root, const char *name,
                                            struct error *err)
{
    const struct json_value *value = json_value_member(root, name);
    if (!value)
        (void)error_add_field(err, "body", name, "Field required");
    return value;
}

enum err_code sample_json_read(const struct json_value *root, struct sample *sample,
                               struct error *err)
{
    if (json_value_kind(root) != JSON_KIND_OBJECT)
        return error_add_field(err, "body", "", "must be a JSON object");
    const struct json_value *value;
    if ((value = find_member(root, "timestamp", err)))
        read_timestamp(value, &sample->at, err);
    if ((value = find_member(root, "value", err)))
        read_value(value, &sample->value, err);
    if ((value = find_member(root, "type", err)))
        read_type(value, &sample->type, err);
    return err->code;
}
