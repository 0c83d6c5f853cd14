/*
 * number: strict numbers from text, and doubles to text. Pure; no locale.
 */
#ifndef LIB_BASE_NUMBER_H
#define LIB_BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

enum { NUMBER_BYTES = 32, NUMBER_TEXT_MAX = 1024 };

/* Decimal digits with an optional leading '-'; the whole slice; within min..max. */
bool number_parse_int64(struct slice text, int64_t min, int64_t max, int64_t *out);

/* Decimal digits alone, the whole slice, of 64 bits. */
bool number_parse_uint64(struct slice text, uint64_t *out);

/*
 * A finite decimal number as the original's parser takes it in a string: optional
 * sign, digits, point, exponent; blanks around it allowed; no hexadecimal, no
 * "inf" or "nan". False also for what overflows to infinity, and beyond
 * NUMBER_TEXT_MAX bytes. What is too small for a double becomes 0.
 */
bool number_parse_double(struct slice text, double *out);

/*
 * The length of the decimal number, as above but without blanks, that `text` begins with, as
 * long as can be; 0: it begins with none, or one beyond NUMBER_TEXT_MAX bytes. `*out` is correctly
 * rounded, infinite on overflow. Up to 19 digits with few decimals take 10 ns or so (exact powers
 * of ten: Clinger, "How to read floating point numbers accurately", 1990); others are strtod's.
 */
size_t number_scan_double(struct slice text, double *out);

/*
 * The shortest text that reads back as exactly `value` (finite), always with a point
 * or an exponent ("85.0", "1e+22"), as the original prints floats.
 * Returns a slice of `buffer`.
 */
struct slice number_format_double(double value, char buffer[static NUMBER_BYTES]);

#endif
