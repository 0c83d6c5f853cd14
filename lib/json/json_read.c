#include "json_read.h"

#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>

/*
 * What jansson holds in this thread. A refusal is remembered, because jansson calls
 * some of them a syntax error.
 */
static size_t held_bytes_max = SIZE_MAX;
static _Thread_local size_t held_bytes;
static _Thread_local bool memory_refused;

static void *counted_malloc(size_t bytes)
{
    void *block = NULL;
    if (held_bytes <= held_bytes_max && bytes <= held_bytes_max - held_bytes)
        block = malloc(bytes);
    if (!block) {
        memory_refused = true;
        return NULL;
    }
    held_bytes += malloc_usable_size(block);
    return block;
}

static void counted_free(void *block)
{
    held_bytes -= malloc_usable_size(block); /* of NULL: 0 */
    free(block);
}

void json_read_init(size_t bytes_max_per_thread)
{
    held_bytes_max = bytes_max_per_thread;
    json_set_alloc_funcs(counted_malloc, counted_free);
}

/* A document and its values are jansson's, under names that show none of it. */
static const json_t *jansson_of(const struct json_value *value)
{
    return (const json_t *)(const void *)value;
}

static const struct json_value *value_of(const json_t *json)
{
    return (const struct json_value *)(const void *)json;
}

enum { NAME_BYTES = 32 };

struct place {
    int line;
    int column; /* in code points, from 1 */
};

struct preview {
    struct place place;
    int depth;
    bool in_string;
};

/*
 * Read on through `text` in search of what jansson must not see: nesting deeper than
 * JSON_DEPTH_MAX, for it recurses, and NUL, which it drops behind a number. Returns what is
 * there, at the preview's place then, or NULL. Agrees with jansson about what is a string as
 * far as the text is JSON; further jansson does not read.
 */
static const char *preview_text(struct preview *p, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        p->place.column += (c & 0xc0) != 0x80;
        if (c == '\0') {
            return "a NUL byte";
        } else if (c == '\n') {
            p->place.line++;
            p->place.column = 0;
        } else if (c == '"') {
            p->in_string = !p->in_string;
        } else if (p->in_string) {
            if (c == '\\' && i + 1 < text.len &&
                (text.ptr[i + 1] == '"' || text.ptr[i + 1] == '\\')) {
                i++;
                p->place.column++;
            }
        } else if (c == '[' || c == '{') {
            if (++p->depth > JSON_DEPTH_MAX)
                return "nested too deeply";
        } else if (c == ']' || c == '}') {
            p->depth--;
        }
    }
    return NULL;
}

struct slice json_skip_byte_order_mark(struct slice text)
{
    struct slice mark = SLICE("\xef\xbb\xbf");
    return slice_starts_with(text, mark) ? slice_of(text.ptr + mark.len, text.len - mark.len)
                                         : text;
}

/* Behind the string that begins at `at`. */
static size_t skip_string(struct slice text, size_t at)
{
    for (at++; at < text.len && text.ptr[at] != '"'; at++)
        at += text.ptr[at] == '\\';
    return at < text.len ? at + 1 : text.len;
}

/* Behind the brackets that begin a text; 0: they nest deeper than that. */
static size_t skip_brackets(struct slice text, int depth_max)
{
    int depth = 0;
    size_t at = 0;
    do {
        char c = text.ptr[at];
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (depth > depth_max)
            return 0;
        at = c == '"' ? skip_string(text, at) : at + 1;
    } while (depth > 0 && at < text.len);
    return at;
}

static size_t skip_word(struct slice text)
{
    size_t at = 0;
    while (at < text.len && !strchr(" \t\n\r,]}", text.ptr[at]))
        at++;
    return at;
}

size_t json_measure_value(struct slice text, int depth_max)
{
    char first = text.len > 0 ? text.ptr[0] : '\0';
    if (first == '"')
        return skip_string(text, 0);
    return first == '{' || first == '[' ? skip_brackets(text, depth_max) : skip_word(text);
}

/* Name of the outermost object's member whose value the byte before `end` is part of; as it
 * stands, perhaps with escapes; empty when there is none. */
static struct slice member_at(struct slice text, size_t end)
{
    struct slice string = SLICE(""), member = SLICE("");
    int depth = 0;
    for (size_t i = 0; i < end && i < text.len;) {
        char c = text.ptr[i];
        size_t next = c == '"' ? skip_string(text, i) : i + 1;
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (depth == 1 && c == '"' && next - i >= 2)
            string = slice_of(text.ptr + i + 1, next - i - 2);
        else if (depth == 1 && (c == ':' || c == ','))
            member = c == ':' ? string : SLICE("");
        i = next;
    }
    return member;
}

/* A name that can be told as it stands; else empty. */
static const char *plain_name(struct slice name, char buffer[static NAME_BYTES])
{
    buffer[0] = '\0';
    if (name.len >= NAME_BYTES)
        return buffer;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '_')
            return buffer;
    }
    memcpy(buffer, name.ptr, name.len);
    buffer[name.len] = '\0';
    return buffer;
}

/* Plain words for what jansson found; its own where they are plain and not the client's. */
static const char *reason(json_error_t *failure)
{
    switch (json_error_code(failure)) {
    case json_error_invalid_utf8:
        return "invalid UTF-8";
    case json_error_premature_end_of_input:
        return "the text ends too early";
    case json_error_end_of_input_expected:
        return "more text follows after the value";
    case json_error_null_byte_in_key:
        return "NUL (\\u0000) in a name";
    case json_error_duplicate_key:
        return "the same member twice in an object";
    case json_error_numeric_overflow:
        return "a number too large for a double (1.8e308)";
    default:
        break;
    }
    char *words_of_client = strstr(failure->text, " near ");
    if (words_of_client)
        *words_of_client = '\0';
    if (strcmp(failure->text, "invalid token") == 0)
        return "not a JSON value (text needs quotes; NaN and Infinity do not exist)";
    if (strncmp(failure->text, "invalid Unicode", 15) == 0)
        return "an invalid \\u escape in a string";
    return failure->text;
}

static void refuse(struct error *err, const char *location, const char *name, struct place place,
                   const char *why)
{
    (void)error_add_field(err, location, name, "not acceptable JSON at line %d, column %d: %s",
                          place.line, place.column, why);
}

/* The member's name is told of a text that stands alone. */
static void refuse_as_jansson_says(struct error *err, const char *location,
                                   const struct json_part *part, struct place place,
                                   json_error_t *failure)
{
    if (memory_refused) {
        (void)error_set(err, ERR_NO_MEMORY, "The JSON text needs too much memory");
        return;
    }
    enum json_error_code code = json_error_code(failure);
    bool is_a_value = code == json_error_numeric_overflow || code == json_error_invalid_syntax ||
                      code == json_error_invalid_utf8;
    size_t end = is_a_value && part->before.len == 0 && failure->position > 0
                     ? (size_t)failure->position
                     : 0;
    char name[NAME_BYTES];
    refuse(err, location, plain_name(member_at(part->text, end), name), place, reason(failure));
}

/* What jansson has not read yet. */
struct unread {
    struct slice before, text;
};

static size_t feed(void *buffer, size_t size, void *context)
{
    struct unread *unread = context;
    struct slice *next = unread->before.len > 0 ? &unread->before : &unread->text;
    size_t len = next->len < size ? next->len : size;
    if (len > 0)
        memcpy(buffer, next->ptr, len);
    *next = slice_of(next->ptr + len, next->len - len);
    return len;
}

struct json_document *json_document_new_part(const struct json_part *part, const char *location,
                                             struct error *err)
{
    /* Where `before` would begin, if it were there; jansson counts from it. */
    struct place start = {part->line, part->column - 1 - (int)part->before.len};
    struct preview preview = {.place = start};
    const char *wrong = preview_text(&preview, part->before);
    if (!wrong)
        wrong = preview_text(&preview, part->text);
    if (wrong) {
        refuse(err, location, "", preview.place, wrong);
        return NULL;
    }
    struct unread unread = {part->before, part->text};
    json_error_t failure;
    memory_refused = false;
    json_t *root = json_load_callback(feed, &unread,
                                      JSON_REJECT_DUPLICATES | JSON_DECODE_ANY |
                                          JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL,
                                      &failure);
    if (!root) {
        struct place place = {start.line + failure.line - 1,
                              failure.column + (failure.line == 1 ? start.column : 0)};
        refuse_as_jansson_says(err, location, part, place, &failure);
    }
    return (struct json_document *)(void *)root;
}

struct json_document *json_document_new(struct slice text, const char *location, struct error *err)
{
    return json_document_new_line(text, location, 1, err);
}

struct json_document *json_document_new_line(struct slice text, const char *location, int line,
                                             struct error *err)
{
    struct json_part part = {SLICE(""), json_skip_byte_order_mark(text), line, 1};
    return json_document_new_part(&part, location, err);
}

void json_document_free(struct json_document *document)
{
    json_decref((json_t *)(void *)document);
}

const struct json_value *json_document_root(const struct json_document *document)
{
    return (const struct json_value *)(const void *)document;
}

enum json_kind json_value_kind(const struct json_value *value)
{
    if (!value)
        return JSON_KIND_NULL;
    switch (json_typeof(jansson_of(value))) {
    case JSON_OBJECT:
        return JSON_KIND_OBJECT;
    case JSON_ARRAY:
        return JSON_KIND_ARRAY;
    case JSON_STRING:
        return JSON_KIND_TEXT;
    case JSON_INTEGER:
    case JSON_REAL:
        return JSON_KIND_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_KIND_BOOLEAN;
    case JSON_NULL:
        break;
    }
    return JSON_KIND_NULL;
}

bool json_value_boolean(const struct json_value *value, bool *out)
{
    if (json_value_kind(value) != JSON_KIND_BOOLEAN)
        return false;
    *out = json_is_true(jansson_of(value));
    return true;
}

bool json_value_number(const struct json_value *value, double *out)
{
    if (json_value_kind(value) != JSON_KIND_NUMBER)
        return false;
    *out = json_number_value(jansson_of(value));
    return true;
}

bool json_value_text(const struct json_value *value, struct slice *out)
{
    if (json_value_kind(value) != JSON_KIND_TEXT)
        return false;
    *out = slice_of(json_string_value(jansson_of(value)), json_string_length(jansson_of(value)));
    return true;
}

const struct json_value *json_value_member(const struct json_value *object, const char *name)
{
    return value_of(json_object_get(jansson_of(object), name));
}

static void each_member(json_t *object,
                        bool (*visit)(void *context, struct slice name,
                                      const struct json_value *value),
                        void *context)
{
    for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
        struct slice name = slice_of(json_object_iter_key(i), json_object_iter_key_len(i));
        if (!visit(context, name, value_of(json_object_iter_value(i))))
            return;
    }
}

void json_value_each(const struct json_value *container,
                     bool (*visit)(void *context, struct slice name,
                                   const struct json_value *value),
                     void *context)
{
    const json_t *json = jansson_of(container);
    if (json_is_object(json)) {
        /* Its iterators are not const; walking changes nothing. */
        each_member((json_t *)(uintptr_t)json, visit, context);
        return;
    }
    for (size_t i = 0; i < json_array_size(json); i++) {
        if (!visit(context, SLICE(""), value_of(json_array_get(json, i))))
            return;
    }
}
