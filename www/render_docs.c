/*
 * render_docs: openapi.json as a page that needs no script.
 *
 *   render_docs openapi.json >redoc.html
 *
 * Runs at build time. Knows the parts of OpenAPI 3.1 that openapi.json uses: paths,
 * parameters, bodies, responses, headers, schemas, examples, and references within
 * the file. A reference that leads nowhere fails the build.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "json_read.h"
#include "number.h"
#include "strbuf.h"

enum { FILE_BYTES_MAX = 1 << 20, PAGE_BYTES_MAX = 4 << 20, REFERENCE_BYTES = 128 };

struct page {
    struct strbuf out;
    const struct json_value *root;
    struct slice path; /* of the operations being written */
};

static void fail(const char *what, struct slice which)
{
    fprintf(stderr, "render_docs: %s %.*s\n", what, (int)which.len, which.ptr);
    exit(1);
}

/* --- Values ------------------------------------------------------------------- */

/* The text of a member; empty when it has none. */
static struct slice text_of(const struct json_value *object, const char *name)
{
    struct slice text = SLICE("");
    (void)json_value_text(json_value_member(object, name), &text);
    return text;
}

/* `value`, or what its "$ref" names: "#/components/KIND/NAME". */
static const struct json_value *resolve(const struct page *page, const struct json_value *value)
{
    struct slice reference = text_of(value, "$ref");
    if (reference.len == 0)
        return value;
    char text[REFERENCE_BYTES];
    if (reference.len >= sizeof text || !slice_starts_with(reference, SLICE("#/")))
        fail("cannot follow", reference);
    memcpy(text, reference.ptr, reference.len);
    text[reference.len] = '\0';

    const struct json_value *at = page->root;
    for (char *name = text + 2; at && name;) {
        char *slash = strchr(name, '/');
        if (slash)
            *slash++ = '\0';
        at = json_value_member(at, name);
        name = slash;
    }
    if (!at)
        fail("nothing at", reference);
    return at;
}

/* The last part of a "$ref"; empty when `value` is none. */
static struct slice reference_name(const struct json_value *value)
{
    struct slice reference = text_of(value, "$ref");
    size_t begin = reference.len;
    while (begin > 0 && reference.ptr[begin - 1] != '/')
        begin--;
    return slice_of(reference.ptr + begin, reference.len - begin);
}

/* --- Text --------------------------------------------------------------------- */

static void put(struct page *page, const char *html)
{
    strbuf_append_slice(&page->out, slice_from_string(html));
}

static void put_text(struct page *page, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '<')
            put(page, "&lt;");
        else if (c == '&')
            put(page, "&amp;");
        else if (c == '"')
            put(page, "&quot;");
        else
            strbuf_append_char(&page->out, c);
    }
}

/* Text in which `this` is code. */
static void put_prose(struct page *page, struct slice text)
{
    bool is_code = false;
    while (text.len > 0) {
        const char *tick = memchr(text.ptr, '`', text.len);
        size_t len = tick ? (size_t)(tick - text.ptr) : text.len;
        put_text(page, slice_of(text.ptr, len));
        if (!tick)
            return;
        put(page, is_code ? "</code>" : "<code>");
        is_code = !is_code;
        text = slice_of(tick + 1, text.len - len - 1);
    }
}

static void put_code(struct page *page, struct slice text)
{
    put(page, "<code>");
    put_text(page, text);
    put(page, "</code>");
}

/* --- JSON, indented ------------------------------------------------------------- */

struct listing {
    struct page *page;
    int depth;
    bool is_object;
    bool has_items;
};

static void put_json(struct page *page, const struct json_value *value, int depth);

static void put_line(struct page *page, int depth)
{
    strbuf_printf(&page->out, "\n%*s", depth * 2, "");
}

static bool put_item(void *context, struct slice name, const struct json_value *value)
{
    struct listing *listing = context;
    if (listing->has_items)
        put(listing->page, ",");
    listing->has_items = true;
    put_line(listing->page, listing->depth);
    if (listing->is_object) {
        put(listing->page, "&quot;");
        put_text(listing->page, name);
        put(listing->page, "&quot;: ");
    }
    put_json(listing->page, value, listing->depth);
    return true;
}

static void put_number(struct page *page, double number)
{
    char buffer[NUMBER_BYTES];
    if (floor(number) == number && fabs(number) < 1e15)
        strbuf_printf(&page->out, "%.0f", number);
    else
        strbuf_append_slice(&page->out, number_format_double(number, buffer));
}

static void put_container(struct page *page, const struct json_value *value, int depth,
                          bool is_object)
{
    struct listing listing = {page, depth + 1, is_object, false};
    put(page, is_object ? "{" : "[");
    json_value_each(value, put_item, &listing);
    if (listing.has_items)
        put_line(page, depth);
    put(page, is_object ? "}" : "]");
}

/* Texts of the examples hold nothing that JSON escapes but quotes. */
static void put_json_text(struct page *page, struct slice text)
{
    put(page, "&quot;");
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\')
            put(page, "\\");
        put_text(page, slice_of(text.ptr + i, 1));
    }
    put(page, "&quot;");
}

static void put_json(struct page *page, const struct json_value *value, int depth)
{
    bool boolean = false;
    double number = 0;
    struct slice text = SLICE("");
    switch (json_value_kind(value)) {
    case JSON_KIND_NULL:
        put(page, "null");
        break;
    case JSON_KIND_BOOLEAN:
        (void)json_value_boolean(value, &boolean);
        put(page, boolean ? "true" : "false");
        break;
    case JSON_KIND_NUMBER:
        (void)json_value_number(value, &number);
        put_number(page, number);
        break;
    case JSON_KIND_TEXT:
        (void)json_value_text(value, &text);
        put_json_text(page, text);
        break;
    case JSON_KIND_ARRAY:
    case JSON_KIND_OBJECT:
        put_container(page, value, depth, json_value_kind(value) == JSON_KIND_OBJECT);
        break;
    }
}

/* --- Schemas -------------------------------------------------------------------- */

static void put_type(struct page *page, const struct json_value *schema);

struct alternatives {
    struct page *page;
    bool has_one;
};

static bool put_alternative(void *context, struct slice name, const struct json_value *value)
{
    (void)name;
    struct alternatives *list = context;
    if (list->has_one)
        put(list->page, " or ");
    list->has_one = true;
    struct slice text;
    if (json_value_text(value, &text))
        put_text(list->page, text);
    else if (json_value_kind(value) == JSON_KIND_OBJECT)
        put_type(list->page, value);
    else
        put_json(list->page, value, 0);
    return true;
}

static void put_alternatives(struct page *page, const struct json_value *list)
{
    struct alternatives alternatives = {page, false};
    json_value_each(list, put_alternative, &alternatives);
}

static void put_bound(struct page *page, const struct json_value *schema, const char *name,
                      const char *words)
{
    double bound;
    if (!json_value_number(json_value_member(schema, name), &bound))
        return;
    put(page, words);
    put_number(page, bound);
}

static void put_type(struct page *page, const struct json_value *schema)
{
    struct slice name = reference_name(schema);
    if (name.len > 0) {
        (void)resolve(page, schema);
        put(page, "<a href=\"#schema-");
        put_text(page, name);
        put(page, "\">");
        put_text(page, name);
        put(page, "</a>");
        return;
    }
    const struct json_value *alternatives = json_value_member(schema, "anyOf");
    const struct json_value *values = json_value_member(schema, "enum");
    const struct json_value *constant = json_value_member(schema, "const");
    const struct json_value *items = json_value_member(schema, "items");
    const struct json_value *type = json_value_member(schema, "type");
    if (alternatives) {
        put_alternatives(page, alternatives);
    } else if (values) {
        put_alternatives(page, values);
    } else if (constant) {
        put_json(page, constant, 0);
    } else if (items) {
        put(page, "array of ");
        put_type(page, items);
    } else if (json_value_kind(type) == JSON_KIND_ARRAY) {
        put_alternatives(page, type);
    } else {
        put_text(page, text_of(schema, "type"));
    }
    put_bound(page, schema, "minLength", ", length from ");
    put_bound(page, schema, "maxLength", ", length to ");
    put_bound(page, schema, "minimum", ", from ");
    put_bound(page, schema, "maximum", ", to ");
    const struct json_value *usual = json_value_member(schema, "default");
    if (usual) {
        put(page, ", default ");
        put_json(page, usual, 0);
    }
}

static bool put_property(void *context, struct slice name, const struct json_value *schema)
{
    struct page *page = context;
    put(page, "<tr><td>");
    put_code(page, name);
    put(page, "<td>");
    put_type(page, schema);
    put(page, "<td>");
    put_prose(page, text_of(schema, "description"));
    put(page, "\n");
    const struct json_value *nested =
        json_value_member(json_value_member(schema, "items"), "properties");
    if (nested)
        json_value_each(nested, put_property, page);
    return true;
}

static bool put_schema(void *context, struct slice name, const struct json_value *schema)
{
    struct page *page = context;
    put(page, "<h3 id=\"schema-");
    put_text(page, name);
    put(page, "\">");
    put_text(page, name);
    put(page, "</h3>\n<p>");
    put_prose(page, text_of(schema, "description"));
    const struct json_value *properties = json_value_member(schema, "properties");
    if (properties) {
        put(page, "\n<table><tr><th>Member<th>Type<th>Meaning\n");
        json_value_each(properties, put_property, page);
        put(page, "</table>\n");
    } else {
        put(page, " Type: ");
        put_type(page, schema);
        put(page, ".\n");
    }
    return true;
}

/* --- Operations ------------------------------------------------------------------- */

static bool put_parameter(void *context, struct slice unused, const struct json_value *parameter)
{
    (void)unused;
    struct page *page = context;
    bool is_required = false;
    (void)json_value_boolean(json_value_member(parameter, "required"), &is_required);
    put(page, "<tr><td>");
    put_code(page, text_of(parameter, "name"));
    put(page, "<td>");
    put_text(page, text_of(parameter, "in"));
    put(page, is_required ? ", required<td>" : "<td>");
    put_type(page, json_value_member(parameter, "schema"));
    put(page, "<td>");
    put_prose(page, text_of(parameter, "description"));
    put(page, "\n");
    return true;
}

/* A body that is JSON, or another text as it is. */
static void put_example(struct page *page, const struct json_value *example)
{
    struct slice text;
    /* What is too wide is scrolled, also by keyboard. */
    put(page, "<pre tabindex=\"0\">");
    if (json_value_text(example, &text))
        put_text(page, text);
    else
        put_json(page, example, 0);
    put(page, "</pre>\n");
}

static bool put_named_example(void *context, struct slice name, const struct json_value *example)
{
    (void)name;
    put_example(context, json_value_member(example, "value"));
    return true;
}

static bool put_content(void *context, struct slice media, const struct json_value *content)
{
    struct page *page = context;
    put(page, "<p>");
    put_code(page, media);
    put(page, ": ");
    put_type(page, json_value_member(content, "schema"));
    put(page, "\n");
    const struct json_value *example = json_value_member(content, "example");
    if (example)
        put_example(page, example);
    const struct json_value *examples = json_value_member(content, "examples");
    if (examples)
        json_value_each(examples, put_named_example, page);
    return true;
}

static bool put_header(void *context, struct slice name, const struct json_value *reference)
{
    struct page *page = context;
    const struct json_value *header = resolve(page, reference);
    put(page, "<li>");
    put_code(page, name);
    put(page, ": ");
    put_prose(page, text_of(header, "description"));
    const struct json_value *example = json_value_member(header, "example");
    struct slice text;
    put(page, " <code>");
    if (json_value_text(example, &text))
        put_text(page, text);
    else if (example)
        put_json(page, example, 0);
    put(page, "</code>\n");
    return true;
}

static bool put_response(void *context, struct slice status, const struct json_value *reference)
{
    struct page *page = context;
    const struct json_value *response = resolve(page, reference);
    put(page, "<h4>");
    put_text(page, status);
    put(page, "</h4>\n<p>");
    put_prose(page, text_of(response, "description"));
    put(page, "\n");
    const struct json_value *headers = json_value_member(response, "headers");
    if (headers) {
        put(page, "<ul>\n");
        json_value_each(headers, put_header, page);
        put(page, "</ul>\n");
    }
    const struct json_value *content = json_value_member(response, "content");
    if (content)
        json_value_each(content, put_content, page);
    return true;
}

static void put_method(struct page *page, struct slice method)
{
    for (size_t i = 0; i < method.len; i++)
        strbuf_append_char(&page->out, (char)(method.ptr[i] - 'a' + 'A'));
    put(page, " ");
    put_text(page, page->path);
}

static bool put_operation(void *context, struct slice method, const struct json_value *operation)
{
    struct page *page = context;
    put(page, "<h2 id=\"");
    put_text(page, text_of(operation, "operationId"));
    put(page, "\"><code>");
    put_method(page, method);
    put(page, "</code></h2>\n<p><strong>");
    put_text(page, text_of(operation, "summary"));
    put(page, ".</strong> ");
    put_prose(page, text_of(operation, "description"));
    put(page, "\n");
    const struct json_value *parameters = json_value_member(operation, "parameters");
    if (parameters) {
        put(page, "<h3>Parameters</h3>\n<table><tr><th>Name<th>In<th>Type<th>Meaning\n");
        json_value_each(parameters, put_parameter, page);
        put(page, "</table>\n");
    }
    const struct json_value *body = json_value_member(operation, "requestBody");
    if (body) {
        put(page, "<h3>Body</h3>\n");
        json_value_each(json_value_member(body, "content"), put_content, page);
    }
    put(page, "<h3>Answers</h3>\n");
    json_value_each(json_value_member(operation, "responses"), put_response, page);
    return true;
}

static bool put_link(void *context, struct slice method, const struct json_value *operation)
{
    struct page *page = context;
    put(page, "<li><a href=\"#");
    put_text(page, text_of(operation, "operationId"));
    put(page, "\"><code>");
    put_method(page, method);
    put(page, "</code></a> ");
    put_text(page, text_of(operation, "summary"));
    put(page, "\n");
    return true;
}

static bool put_links_of_path(void *context, struct slice path, const struct json_value *operations)
{
    ((struct page *)context)->path = path;
    json_value_each(operations, put_link, context);
    return true;
}

static bool put_path(void *context, struct slice path, const struct json_value *operations)
{
    ((struct page *)context)->path = path;
    json_value_each(operations, put_operation, context);
    return true;
}

static void put_page(struct page *page)
{
    const struct json_value *info = json_value_member(page->root, "info");
    const struct json_value *paths = json_value_member(page->root, "paths");
    const struct json_value *components = json_value_member(page->root, "components");
    put(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
              "<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
    put_text(page, text_of(info, "title"));
    put(page,
        "</title>\n<link rel=\"icon\" href=\"@STATIC@/icon.svg\" type=\"image/svg+xml\">\n<link "
        "rel=\"stylesheet\" href=\"@STATIC@/reference.css\">\n<main>\n<h1>");
    put_text(page, text_of(info, "title"));
    put(page, "</h1>\n<p>");
    put_prose(page, text_of(info, "summary"));
    put(page, "\n<p>");
    put_prose(page, text_of(info, "description"));
    put(page, " For programs: <a href=\"/openapi.json\">openapi.json</a>.\n<nav><ul>\n");
    json_value_each(paths, put_links_of_path, page);
    put(page, "</ul></nav>\n");
    json_value_each(paths, put_path, page);
    put(page, "<h2>Schemas</h2>\n");
    json_value_each(json_value_member(components, "schemas"), put_schema, page);
    put(page, "</main>\n</html>\n");
}

static void read_file(const char *path, struct strbuf *text)
{
    FILE *file = fopen(path, "rb");
    char bytes[4096];
    size_t len;
    if (!file)
        fail("cannot read", slice_from_string(path));
    while ((len = fread(bytes, 1, sizeof bytes, file)) > 0)
        strbuf_append(text, bytes, len);
    (void)fclose(file);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        fail("usage: render_docs", SLICE("openapi.json >redoc.html"));
    struct strbuf text;
    strbuf_init(&text, FILE_BYTES_MAX);
    read_file(argv[1], &text);

    struct error err;
    error_init(&err);
    struct json_document *document = json_document_new(strbuf_slice(&text), "file", &err);
    if (!document)
        fail(argv[1], slice_from_string(err.field_count ? err.fields[0].message : err.detail));
    struct page page = {.root = json_document_root(document)};
    strbuf_init(&page.out, PAGE_BYTES_MAX);
    put_page(&page);

    bool is_written = !strbuf_failed(&page.out) &&
                      fwrite(page.out.bytes, 1, page.out.len, stdout) == page.out.len &&
                      fflush(stdout) == 0;
    strbuf_release(&page.out);
    json_document_free(document);
    strbuf_release(&text);
    return is_written ? 0 : 1;
}
