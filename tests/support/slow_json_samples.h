/*
 * slow_json_samples: the slow, obvious reading of samples in JSON, by the whole of a text, to hold
 * json_samples.h and sample_scan.h against.
 *
 * Whether these read a text as they should: as the slow way does. If not, both are printed. No
 * element may be longer than JSON_SAMPLE_BYTES_MAX.
 */
#ifndef TESTS_SUPPORT_SLOW_JSON_SAMPLES_H
#define TESTS_SUPPORT_SLOW_JSON_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>

#include "sink_log.h"
#include "slice.h"

typedef void samples_reader(struct slice text, struct sample_sink *sink);

/* Begin a log with a reading of so many calls at most. Released by the caller. */
void json_log_read(struct sink_log *log, samples_reader *read, struct slice text, size_t calls_max);

bool slow_json_agrees_on_array(struct slice text);
bool slow_json_agrees_on_lines(struct slice text);
bool slow_json_agrees_on_plain(struct slice text);

#endif
