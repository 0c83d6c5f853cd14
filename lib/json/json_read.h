/*
 * json_read: bounded reading of JSON. With json_write the only users of jansson.
 *
 * Refused, each with its own words: nesting beyond JSON_DEPTH_MAX and NUL bytes (found
 * before jansson sees the text: it recurses, and drops some of those), duplicate members at any
 * depth, numbers that overflow, NaN and Infinity, invalid UTF-8, NUL in a name, trailing text. A
 * byte order mark is ignored. Any value may be the root. Numbers of any size become doubles.
 */
#ifndef LIB_JSON_JSON_READ_H
#define LIB_JSON_JSON_READ_H

#include <stdbool.h>

#include "error.h"
#include "slice.h"

enum { JSON_DEPTH_MAX = 32 };

struct json_document;
struct json_value; /* borrowed from its document */

enum json_kind {
    JSON_KIND_NULL,
    JSON_KIND_BOOLEAN,
    JSON_KIND_NUMBER,
    JSON_KIND_TEXT,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT
};

/*
 * Parse `text` whole. On failure NULL, and `err` is ERR_VALIDATION with one field of
 * location `location` that names line, column and reason, and the outermost member whose
 * value it is; or ERR_NO_MEMORY.
 */
struct json_document *json_document_new(struct slice text, const char *location, struct error *err);
void json_document_free(struct json_document *document);

/* The same of a text whose first line has this number in what it was taken from. */
struct json_document *json_document_new_line(struct slice text, const char *location, int line,
                                             struct error *err);

/*
 * A part of a longer text: its first character is at `line` and `column`, both from 1, columns in
 * code points. It is read as if `before` stood in front of it, ASCII of one line that takes no
 * place: behind "[0," it is the rest of an array.
 */
struct json_part {
    struct slice before;
    struct slice text;
    int line, column;
};

/* The same of a part. A byte order mark is refused, and behind something no member is named. */
struct json_document *json_document_new_part(const struct json_part *part, const char *location,
                                             struct error *err);

/*
 * The length of the value that `text` begins with, as far as it is JSON, which is not looked into;
 * all of the text, if the value does not end. 0: there is none, or it nests deeper than
 * `depth_max`.
 */
size_t json_measure_value(struct slice text, int depth_max);

/* Without the byte order mark that some editors leave, and the original's reader ignores. */
struct slice json_skip_byte_order_mark(struct slice text);

const struct json_value *json_document_root(const struct json_document *document);

/* Of a member that is absent (NULL): JSON_KIND_NULL. */
enum json_kind json_value_kind(const struct json_value *value);

/* Each false when the kind is another; `out` is then untouched. */
bool json_value_boolean(const struct json_value *value, bool *out);
bool json_value_number(const struct json_value *value, double *out);
bool json_value_text(const struct json_value *value, struct slice *out);

/* NULL when `object` is no object or has no such member. */
const struct json_value *json_value_member(const struct json_value *object, const char *name);

/*
 * Call `visit` for each member of an object (name, value) or element of an array
 * (empty name), in order, until it returns false.
 */
void json_value_each(const struct json_value *container,
                     bool (*visit)(void *context, struct slice name,
                                   const struct json_value *value),
                     void *context);

/*
 * Make jansson's memory count against one maximum per thread: from now on a parse
 * in this thread may hold `bytes_max_per_thread` at most; beyond it fails with
 * ERR_NO_MEMORY. A document is then freed by the thread that made it. Once per
 * process, before threads and before the first document.
 */
void json_read_init(size_t bytes_max_per_thread);

#endif
