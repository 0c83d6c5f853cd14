/*
 * json_write: JSON into a strbuf; the writer owns commas, quotes and nesting.
 *
 *   struct json_writer w;
 *   json_write_begin(&w, &buf);
 *   json_write_object(&w);
 *   json_write_name(&w, "count");
 *   json_write_integer(&w, 3);
 *   json_write_end(&w);
 *
 * Misuse (a value where a name belongs, an end too many) is a bug of ours and an
 * assertion. Bytes that are no UTF-8 become U+FFFD. Failure is the buffer's:
 * strbuf_failed(), once, at the end. Writes no spaces.
 */
#ifndef LIB_JSON_JSON_WRITE_H
#define LIB_JSON_JSON_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "slice.h"
#include "strbuf.h"

enum { JSON_WRITE_DEPTH_MAX = 16 };

struct json_writer {
    struct strbuf *out;
    unsigned depth;
    char scope[JSON_WRITE_DEPTH_MAX]; /* '{' or '[' */
    bool needs_comma;
    bool has_name; /* a name was written, its value is due */
};

void json_write_begin(struct json_writer *w, struct strbuf *out);

void json_write_object(struct json_writer *w);
void json_write_array(struct json_writer *w);
void json_write_end(struct json_writer *w); /* the innermost of either */

void json_write_name(struct json_writer *w, const char *name); /* a fixed ASCII name */
void json_write_name_slice(struct json_writer *w, struct slice name);

void json_write_text(struct json_writer *w, struct slice text);
void json_write_string(struct json_writer *w, const char *text);
void json_write_integer(struct json_writer *w, int64_t value);
void json_write_number(struct json_writer *w, double value); /* not finite: null */
void json_write_boolean(struct json_writer *w, bool value);
void json_write_instant(struct json_writer *w, struct wall_time t); /* as iso8601_format */
void json_write_null(struct json_writer *w);

/* `json` is a complete JSON value, written by this module or checked before. */
void json_write_raw(struct json_writer *w, struct slice json);

#endif
