/*
 * json_samples: samples as JSON, many of them: an array, or NDJSON, an object a line. Pure.
 *
 * The plain shape {"timestamp":…,"value":…,"type":…}, members in any order, is scanned in
 * place (sample_scan.h); any other element is read alone, with a tree (sample_json.h), which so
 * has the last word on what is right and how it is said. Neither holds more than one element.
 *
 * Cost: about 90 ns for a plain element, 1.5 us for another.
 */
#ifndef LIB_FORMATS_JSON_SAMPLES_H
#define LIB_FORMATS_JSON_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>

#include "sample_sink.h"
#include "slice.h"

/* Longest element that is not plain, for its tree takes up to a hundred times that; a longer one
 * is refused unread. */
enum { JSON_SAMPLE_BYTES_MAX = 16384 };

/* Whether a text is one for json_samples_read_array: its first character is [. */
bool json_samples_is_array(struct slice text);

/*
 * Hand over the elements of an array. A byte order mark before it is ignored. What is no JSON, in
 * an element or between them or behind the array, is refused as json_document_new would refuse the
 * whole text: one field, of no element (-1), with line and column within the text. It ends the
 * reading; the index is that of the element it was met at.
 */
void json_samples_read_array(struct slice text, struct sample_sink *sink);

/* Hand over the lines that are not blank; the index counts those alone, the texts of errors count
 * all lines, from 1. Each line may have a byte order mark. */
void json_samples_read_lines(struct slice text, struct sample_sink *sink);

#endif
