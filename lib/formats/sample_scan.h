/*
 * sample_scan: a JSON object {"timestamp":…,"value":…,"type":…} in its plain shape, in place. Pure.
 *
 * Plain is: these three members, each once, in any order, with any white space between tokens;
 * texts without escapes; the timestamp a text or a number, the value a number. Whatever it takes
 * sample_json takes too, with the same result; what it does not take may be right all the same.
 * Cost: about 85 ns.
 */
#ifndef LIB_FORMATS_SAMPLE_SCAN_H
#define LIB_FORMATS_SAMPLE_SCAN_H

#include <stddef.h>

#include "sample.h"
#include "slice.h"

/* The length of the plain object that `text` begins with, and it as a sample whose type is
 * borrowed from `text`; 0: it begins with none. */
size_t sample_scan(struct slice text, struct sample *sample);

#endif
