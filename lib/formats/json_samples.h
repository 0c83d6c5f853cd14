/*
 * json_samples: samples as JSON, many of them: an array, or NDJSON, an object a line. Pure.
 *
 * The plain shape {"timestamp":…,"value":…,"type":…}, members in any order, is scanned in
 * place (sample_scan.h); any other element is read alone, with a tree (sample_json.h), which so
 * has the last word on what is right and how it is said. Neither holds more than one element.
 */
#ifndef LIB_FORMATS_JSON_SAMPLES_H
#define LIB_FORMATS_JSON_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>

#include "sample_sink.h"
#include "slice.h"

/* Longest element: its tree takes up to a hundred times that. */
enum { JSON_SAMPLE_BYTES_MAX = 16384 };

/* Whether a text is one for json_samples_read_array: its first character is [. */
bool json_samples_is_array(struct slice text);

/*
 * Hand over the elements of an array. What breaks the array itself (no end, no comma, something
 * behind it, a byte order mark is fine) is refused with line and column and ends the reading, as
 * index of the element it was met at.
 */
void json_samples_read_array(struct slice text, struct sample_sink *sink);

/* Hand over the lines that are not blank; the index counts those alone, the texts of errors count
 * all lines, from 1. */
void json_samples_read_lines(struct slice text, struct sample_sink *sink);

#endif
