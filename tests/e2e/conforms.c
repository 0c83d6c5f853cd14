/*
 * conforms: whether an answer is as openapi.json says.
 *
 *   conforms OPENAPI METHOD TARGET HEAD BODY   the files that curl -D and -o wrote
 *   conforms OPENAPI                           print each answer that is described: GET /x 200;
 *                                              and its examples must be as their schemas say
 *
 * Status, media type, length, headers, and a JSON body with all its members: one that is not
 * described is a mistake, too. What does not conform is told; exit code 1 then. Of JSON
 * Schema it knows what openapi.json uses, and refuses the rest.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iso8601.h"
#include "json_read.h"
#include "number.h"
#include "slice.h"
#include "utf8.h"

enum { PATH_BYTES = 200, NAME_BYTES = 80, FILE_BYTES_MAX = 8 << 20 };

/* What the web server adds to all answers, and what belongs to HTTP. */
static const char *const usual_headers[] = {
    "cache-control",
    "content-length",
    "content-encoding",
    "vary",
    "age",
    "content-security-policy",
    "content-type",
    "connection",
    "date",
    "keep-alive",
    "referrer-policy",
    "x-frame-options",
    "expires",
    "pragma",
    "accept-ranges",
    "last-modified",
    "server",
    "cross-origin-resource-policy",
    "x-content-type-options",
};

static const struct json_value *root;
static long mistakes;

static struct slice text_of(const struct json_value *value)
{
    struct slice text = SLICE("");
    (void)json_value_text(value, &text);
    return text;
}

static bool is_text(const struct json_value *value, const char *text)
{
    return slice_equals(text_of(value), slice_from_string(text));
}

static void complain(const char *where, const char *what, struct slice which)
{
    mistakes++;
    (void)printf("# %s: %s%.*s\n", where[0] ? where : "the answer", what, (int)which.len,
                 which.ptr);
}

static const struct json_value *member_of(const struct json_value *object, struct slice name)
{
    char copy[PATH_BYTES];
    (void)snprintf(copy, sizeof copy, "%.*s", (int)name.len, name.ptr);
    return json_value_member(object, copy);
}

/* Follow "#/components/schemas/Summary". */
static const struct json_value *resolve(const struct json_value *value)
{
    const struct json_value *reference;
    while ((reference = json_value_member(value, "$ref"))) {
        struct slice path = text_of(reference);
        (void)slice_cut(&path, '/');
        value = root;
        while (path.len > 0)
            value = member_of(value, slice_cut(&path, '/'));
    }
    return value;
}

/* --- Schemas ------------------------------------------------------------------------- */

struct visit {
    const char *where;
    const struct json_value *schema, *value;
    bool has_found, is_strict;
    size_t count;
};

static void check_schema(const char *where, const struct json_value *schema,
                         const struct json_value *value);

static bool is_of_type(const struct json_value *value, struct slice type)
{
    static const char *const names[] = {
        [JSON_KIND_NULL] = "null",   [JSON_KIND_BOOLEAN] = "boolean", [JSON_KIND_NUMBER] = "number",
        [JSON_KIND_TEXT] = "string", [JSON_KIND_ARRAY] = "array",     [JSON_KIND_OBJECT] = "object",
    };
    double number;
    if (slice_equals(type, SLICE("integer")))
        return json_value_number(value, &number) && floor(number) == number;
    return slice_equals(type, slice_from_string(names[json_value_kind(value)]));
}

static bool visit_type(void *context, struct slice name, const struct json_value *type)
{
    (void)name;
    struct visit *v = context;
    v->has_found = v->has_found || is_of_type(v->value, text_of(type));
    return true;
}

static bool visit_choice(void *context, struct slice name, const struct json_value *choice)
{
    (void)name;
    struct visit *v = context;
    v->has_found = v->has_found || slice_equals(text_of(choice), text_of(v->value));
    return true;
}

static bool visit_lacking(void *context, struct slice name, const struct json_value *required)
{
    (void)name;
    struct visit *v = context;
    v->has_found = v->has_found || !member_of(v->value, text_of(required));
    return true;
}

static bool may_be_meant(const struct json_value *schema, const struct json_value *value,
                         bool is_strict)
{
    struct visit of_type = {.value = value}, lacking = {.value = value};
    (void)visit_type(&of_type, SLICE(""), json_value_member(schema, "type"));
    if (is_strict)
        json_value_each(json_value_member(schema, "required"), visit_lacking, &lacking);
    return of_type.has_found && !lacking.has_found;
}

static bool visit_alternative(void *context, struct slice name,
                              const struct json_value *alternative)
{
    (void)name;
    struct visit *v = context;
    const struct json_value *schema = resolve(alternative);
    if (!v->has_found && may_be_meant(schema, v->value, v->is_strict)) {
        v->has_found = true;
        check_schema(v->where, schema, v->value);
    }
    return true;
}

/* Meant is the first that has the value's type and all whose members are there; else the first
 * that has its type. */
static void check_alternatives(struct visit *v, const struct json_value *alternatives)
{
    v->is_strict = true;
    json_value_each(alternatives, visit_alternative, v);
    v->is_strict = false;
    json_value_each(alternatives, visit_alternative, v);
}

static bool visit_required(void *context, struct slice name, const struct json_value *required)
{
    (void)name;
    const struct visit *v = context;
    if (!member_of(v->value, text_of(required)))
        complain(v->where, "lacks ", text_of(required));
    return true;
}

static bool visit_member(void *context, struct slice name, const struct json_value *value)
{
    const struct visit *v = context;
    char where[PATH_BYTES];
    (void)snprintf(where, sizeof where, "%s/%.*s", v->where, (int)name.len, name.ptr);
    const struct json_value *schema = member_of(json_value_member(v->schema, "properties"), name);
    if (!schema)
        schema = json_value_member(v->schema, "additionalProperties");
    if (schema)
        check_schema(where, schema, value);
    else
        complain(where, "is not described", SLICE(""));
    return true;
}

static bool visit_element(void *context, struct slice name, const struct json_value *value)
{
    (void)name;
    struct visit *v = context;
    char where[PATH_BYTES];
    (void)snprintf(where, sizeof where, "%s/%zu", v->where, v->count++);
    check_schema(where, json_value_member(v->schema, "items"), value);
    return true;
}

static size_t code_points(struct slice text)
{
    size_t count = 0;
    uint32_t c;
    for (size_t len; text.len > 0; count++) {
        len = utf8_decode(text, &c);
        text = slice_of(text.ptr + len, text.len - len);
    }
    return count;
}

/* A bound of a number, or of the length of a text or an array. */
static bool is_beyond(const struct json_value *bound, double value, bool is_upper)
{
    double limit;
    return json_value_number(bound, &limit) && (is_upper ? value > limit : value < limit);
}

/* RFC 3339 in UTC, with 0, 3 or 6 digits of fraction. */
static bool is_instant(struct slice text)
{
    struct wall_time at;
    char copy[ISO8601_BYTES];
    return !iso8601_parse(text, &at) && slice_equals(iso8601_format(at, copy), text);
}

/* Keywords one by one; what is said of all of them. */
static bool visit_keyword(void *context, struct slice keyword, const struct json_value *is)
{
    static const char *const elsewhere[] = {
        "description", "example", "default", "properties", "additionalProperties", "items"};
    struct visit *v = context;
    double number = 0;
    struct slice text = text_of(v->value);
    bool is_number = json_value_number(v->value, &number), is_wrong = false;
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++) {
        if (slice_equals(keyword, slice_from_string(elsewhere[i])))
            return true;
    }
    v->has_found = false;
    if (slice_equals(keyword, SLICE("type"))) {
        if (json_value_kind(is) == JSON_KIND_TEXT)
            (void)visit_type(v, SLICE(""), is);
        json_value_each(is, visit_type, v);
        is_wrong = !v->has_found;
    } else if (slice_equals(keyword, SLICE("enum"))) {
        json_value_each(is, visit_choice, v);
        is_wrong = !v->has_found;
    } else if (slice_equals(keyword, SLICE("const"))) {
        is_wrong = !slice_equals(text, text_of(is));
    } else if (slice_equals(keyword, SLICE("anyOf"))) {
        check_alternatives(v, is);
        is_wrong = !v->has_found;
    } else if (slice_equals(keyword, SLICE("required"))) {
        json_value_each(is, visit_required, v);
    } else if (slice_equals(keyword, SLICE("minimum"))) {
        is_wrong = is_number && is_beyond(is, number, false);
    } else if (slice_equals(keyword, SLICE("minLength"))) {
        is_wrong = is_beyond(is, (double)code_points(text), false);
    } else if (slice_equals(keyword, SLICE("maxLength"))) {
        is_wrong = is_beyond(is, (double)code_points(text), true);
    } else if (slice_equals(keyword, SLICE("minItems"))) {
        is_wrong = is_beyond(is, (double)v->count, false);
    } else if (slice_equals(keyword, SLICE("maxItems"))) {
        is_wrong = is_beyond(is, (double)v->count, true);
    } else if (slice_equals(keyword, SLICE("format")) && is_text(is, "date-time")) {
        is_wrong = text.ptr && text.len > 0 && !is_instant(text);
    } else if (!slice_equals(keyword, SLICE("format"))) {
        complain(v->where, "its schema has a word that conforms.c does not know: ", keyword);
    }
    if (is_wrong)
        complain(v->where, "is not as its schema says: ", keyword);
    return true;
}

static void check_schema(const char *where, const struct json_value *schema,
                         const struct json_value *value)
{
    struct visit v = {.where = where, .schema = resolve(schema), .value = value};
    if (json_value_kind(v.schema) != JSON_KIND_OBJECT) {
        complain(where, "has no schema", SLICE(""));
        return;
    }
    bool has_members = json_value_member(v.schema, "properties") ||
                       json_value_member(v.schema, "additionalProperties");
    if (json_value_kind(value) == JSON_KIND_ARRAY)
        json_value_each(value, visit_element, &v);
    else if (json_value_kind(value) == JSON_KIND_OBJECT && has_members)
        json_value_each(value, visit_member, &v);
    json_value_each(v.schema, visit_keyword, &v);
}

/* --- The answer ---------------------------------------------------------------------- */

struct answer {
    struct slice head, body;
    bool is_head;
    char status[4];
};

/* Of a header of the answer, {NULL, 0} for none. */
static struct slice header_of(const struct answer *answer, struct slice name)
{
    struct slice lines = answer->head;
    while (lines.len > 0) {
        struct slice value = slice_cut(&lines, '\n');
        if (slice_equals_ignoring_case(slice_cut(&value, ':'), name))
            return slice_trim(value);
    }
    return (struct slice){NULL, 0};
}

static bool visit_described(void *context, struct slice name, const struct json_value *header)
{
    bool is_required = false;
    (void)json_value_boolean(json_value_member(resolve(header), "required"), &is_required);
    if (is_required && !header_of(context, name).ptr)
        complain("", "lacks the header ", name);
    return true;
}

static bool visit_same(void *context, struct slice name, const struct json_value *header)
{
    (void)header;
    struct visit *v = context;
    v->has_found = v->has_found || slice_equals_ignoring_case(name, slice_from_string(v->where));
    return true;
}

static void check_headers(const struct answer *answer, const struct json_value *described)
{
    struct slice lines = answer->head;
    (void)slice_cut(&lines, '\n');
    while (lines.len > 0) {
        struct slice line = slice_cut(&lines, '\n'), name = slice_cut(&line, ':');
        char copy[NAME_BYTES];
        (void)snprintf(copy, sizeof copy, "%.*s", (int)name.len, name.ptr);
        struct visit v = {.where = copy};
        for (size_t i = 0; i < sizeof usual_headers / sizeof *usual_headers; i++)
            (void)visit_same(&v, slice_from_string(usual_headers[i]), NULL);
        json_value_each(described, visit_same, &v);
        if (!v.has_found && slice_trim(name).len > 0)
            complain("", "has a header that is not described: ", name);
    }
    json_value_each(described, visit_described, (void *)(uintptr_t)answer);
}

static void check_json(struct slice text, const struct json_value *schema)
{
    struct error err;
    error_init(&err);
    struct json_document *document = json_document_new(text, "body", &err);
    if (document)
        check_schema("", schema, json_document_root(document));
    else
        complain("", "is no JSON: ", slice_from_string(err.fields[0].message));
    json_document_free(document);
}

static void check_length(const struct answer *answer)
{
    int64_t length = -1;
    if (!number_parse_int64(header_of(answer, SLICE("Content-Length")), 0, INT64_MAX, &length))
        complain("", "has no Content-Length", SLICE(""));
    else if (!answer->is_head && (int64_t)answer->body.len != length)
        complain("", "is not as long as it says", SLICE(""));
}

static void check_content(const struct answer *answer, const struct json_value *contents)
{
    struct slice media = header_of(answer, SLICE("Content-Type")), body = answer->body;
    struct slice type = slice_trim(slice_cut(&media, ';'));
    if (!contents) {
        if (body.len > 0)
            complain("", "has a body where none is described", SLICE(""));
        return;
    }
    check_length(answer);
    const struct json_value *schema = json_value_member(member_of(contents, type), "schema");
    const struct json_value *schemas =
        json_value_member(json_value_member(root, "components"), "schemas");
    if (!schema) {
        complain("", "is of a type that is not described: ", type);
    } else if (answer->is_head) {
        return;
    } else if (slice_equals(type, SLICE("application/x-ndjson"))) {
        while (body.len > 0)
            check_json(slice_cut(&body, '\n'), json_value_member(schemas, "StoredMetric"));
    } else if (!slice_starts_with(type, SLICE("text/"))) {
        check_json(body, schema);
    }
}

/* One that there is not is refused as the others of that path refuse theirs. */
static const struct json_value *find_operation(const char *method, const char *target)
{
    static const char *const names[][2] = {{"POST", "post"}, {"DELETE", "delete"}};
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%.*s", (int)strcspn(target, "?"), target);
    const struct json_value *operations = json_value_member(json_value_member(root, "paths"), path);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(method, names[i][0]) == 0)
            return json_value_member(operations, names[i][1]);
    }
    const struct json_value *get = json_value_member(operations, "get");
    return get ? get : json_value_member(operations, "post");
}

static void check_answer(const char *method, const char *target, struct answer *answer)
{
    struct slice line = answer->head;
    (void)slice_cut(&line, ' ');
    answer->is_head = strcmp(method, "HEAD") == 0;
    (void)snprintf(answer->status, sizeof answer->status, "%.3s", line.len >= 3 ? line.ptr : "");
    const struct json_value *responses =
        json_value_member(find_operation(method, target), "responses");
    const struct json_value *response = resolve(json_value_member(responses, answer->status));
    if (!response) {
        complain("", "has a status that is not described: ", slice_from_string(answer->status));
        return;
    }
    check_headers(answer, json_value_member(response, "headers"));
    check_content(answer, json_value_member(response, "content"));
}

/* --- All that is described ------------------------------------------------------------ */

struct listing {
    struct slice path, method;
};

/* Of a response's content of one media type. */
struct example {
    const struct json_value *schema;
    char where[PATH_BYTES];
};

static bool check_named_example(void *context, struct slice name, const struct json_value *example)
{
    (void)name;
    const struct example *e = context;
    check_schema(e->where, e->schema, json_value_member(example, "value"));
    return true;
}

static bool check_examples(void *context, struct slice media, const struct json_value *content)
{
    struct example *e = context;
    e->schema = json_value_member(content, "schema");
    const struct json_value *example = json_value_member(content, "example");
    const struct json_value *examples = json_value_member(content, "examples");
    if (example && !slice_equals(media, SLICE("application/x-ndjson")))
        check_schema(e->where, e->schema, example);
    if (examples)
        json_value_each(examples, check_named_example, e);
    return true;
}

static bool print_status(void *context, struct slice status, const struct json_value *response)
{
    const struct listing *l = context;
    const struct json_value *contents = json_value_member(resolve(response), "content");
    struct example e;
    (void)snprintf(e.where, sizeof e.where, "the example of %.*s %.*s %.*s", (int)l->method.len,
                   l->method.ptr, (int)l->path.len, l->path.ptr, (int)status.len, status.ptr);
    if (contents)
        json_value_each(contents, check_examples, &e);
    for (size_t i = 0; i < l->method.len; i++)
        (void)putchar(l->method.ptr[i] - 'a' + 'A');
    (void)printf(" %.*s %.*s\n", (int)l->path.len, l->path.ptr, (int)status.len, status.ptr);
    return true;
}

static bool print_operation(void *context, struct slice method, const struct json_value *operation)
{
    ((struct listing *)context)->method = method;
    json_value_each(json_value_member(operation, "responses"), print_status, context);
    return true;
}

static bool print_path(void *context, struct slice path, const struct json_value *operations)
{
    ((struct listing *)context)->path = path;
    json_value_each(operations, print_operation, context);
    return true;
}

static struct slice read_file(const char *path, char bytes[static FILE_BYTES_MAX])
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(2);
    }
    size_t len = fread(bytes, 1, FILE_BYTES_MAX, file);
    (void)fclose(file);
    return slice_of(bytes, len);
}

int main(int argc, char **argv)
{
    static char openapi[FILE_BYTES_MAX], head[FILE_BYTES_MAX], body[FILE_BYTES_MAX];
    if (argc != 2 && argc != 6) {
        (void)fputs("usage: conforms OPENAPI [METHOD TARGET HEAD BODY]\n", stderr);
        return 2;
    }
    struct error err;
    error_init(&err);
    struct json_document *document =
        json_document_new(read_file(argv[1], openapi), "openapi.json", &err);
    if (!document) {
        (void)fprintf(stderr, "%s: %s\n", argv[1], err.fields[0].message);
        return 2;
    }
    root = json_document_root(document);
    if (argc == 2) {
        struct listing listing;
        json_value_each(json_value_member(root, "paths"), print_path, &listing);
    } else {
        struct answer answer = {.head = read_file(argv[4], head), .body = read_file(argv[5], body)};
        check_answer(argv[2], argv[3], &answer);
    }
    json_document_free(document);
    return mistakes == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
