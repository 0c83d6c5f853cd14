/*
 * sink_log: a sample_sink that writes down what it is handed, a line each, so that two readings
 * are compared as texts:
 *
 *   cpu;job=a 1700000000000000 1.5              name, microseconds, value
 *   refused 3: labels: a label is there twice   and further fields after semicolons
 *   skipped 2
 *   OK                                          as sink_log_end was told
 *
 * What no reader may hand over (a name, a value or a time that no sample can have) ends the
 * program.
 */
#ifndef TESTS_SUPPORT_SINK_LOG_H
#define TESTS_SUPPORT_SINK_LOG_H

#include "sample_sink.h"
#include "strbuf.h"

struct sink_log {
    struct strbuf text;
    struct sample_sink sink; /* for the reader */
    int wanted;              /* takes and refusals before it says that it is enough; -1: all */
    uint64_t samples;
};

void sink_log_init(struct sink_log *log);
void sink_log_release(struct sink_log *log);
void sink_log_reset(struct sink_log *log);

/* For those who have no sink. */
void sink_log_sample(struct sink_log *log, struct slice name, int64_t at_us, double value);
void sink_log_refusal(struct sink_log *log, int64_t index, const char *field, const char *why);

/* The last lines; the whole text, borrowed until the reset. */
const char *sink_log_end(struct sink_log *log, enum err_code code);

#endif
