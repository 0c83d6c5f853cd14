/*
 * line_log: a sample sink that writes down what it is handed, as text, a line each:
 *
 *   cpu.value;host=a 12.5 1700000000000000    a sample: name, value (%.17g), microseconds
 *   ! 6 line 7, column 13: a tag has no key…  a refusal: index, its one message
 *
 * Aborts at what no reader may hand over: a value that is not finite, an instant out of range, a
 * name that no type can have, a refusal that is not ERR_VALIDATION of the body, or is cut off.
 */
#ifndef TESTS_SUPPORT_LINE_LOG_H
#define TESTS_SUPPORT_LINE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "sample_sink.h"

struct line_log {
    struct sample_sink sink; /* for the reader */
    size_t calls_left;       /* the last one says to read no further */
    bool has_places_alone;   /* messages are written up to their colon */
    char *text;              /* ends in NUL */
    size_t len, room;
};

/* An empty one; it must not be moved while a reader has its sink. */
void line_log_init(struct line_log *log);
void line_log_release(struct line_log *log);

/* The same text, and as much skipped. */
bool line_log_equals(const struct line_log *a, const struct line_log *b);

#endif
