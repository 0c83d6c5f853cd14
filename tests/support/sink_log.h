/*
 * sink_log: a sample_sink that writes down what it is handed, a line each, so that two readings
 * are compared as texts:
 *
 *   cpu;job=a 1700000000000000 1.5              name, microseconds, value (%.17g)
 *   refused 3: labels: a label is there twice   its field, if it is of one; further ones after
 *                                               semicolons
 *   broken at 3: not acceptable JSON at …       a refusal of no element: the text, not a sample
 *   failed at 3: OUT_OF_MEMORY                  if it may
 *   skipped 2
 *   OK                                          as sink_log_end was told
 *
 * What no reader may hand over ends the program: a name, a value or a time that no sample can have;
 * a refusal that is none of the body, tells of another element, or has no message or one that is
 * cut off; anything after it was told to read no further.
 */
#ifndef TESTS_SUPPORT_SINK_LOG_H
#define TESTS_SUPPORT_SINK_LOG_H

#include <stddef.h>

#include "sample_sink.h"
#include "strbuf.h"

struct sink_log {
    struct strbuf text;
    struct sample_sink sink; /* for the reader */
    size_t calls, calls_max; /* the last one is answered: no further; SIZE_MAX: all are wanted */
    uint64_t samples;
    bool has_places_alone; /* messages are written up to their colon */
    bool may_fail;         /* refusals may be for want of memory */
};

/* It must not be moved while a reader has its sink. */
void sink_log_init(struct sink_log *log);
void sink_log_release(struct sink_log *log);

/* As after the init, but for has_places_alone and may_fail. */
void sink_log_reset(struct sink_log *log);

/* For those who have no sink. */
void sink_log_sample(struct sink_log *log, struct slice name, int64_t at_us, double value);
void sink_log_refusal(struct sink_log *log, int64_t index, const char *field, const char *why);

/* So far, ended by NUL; borrowed until the next line. */
const char *sink_log_text(struct sink_log *log);

/* The last lines; the whole text, borrowed until the reset. */
const char *sink_log_end(struct sink_log *log, enum err_code code);

/* The same text, and as much skipped. */
bool sink_log_equals(const struct sink_log *a, const struct sink_log *b);

#endif
