/*
 * heard_samples: what a reader of JSON tells its sink, written down; and the slow, obvious
 * reading, by the whole of a text, to hold it against.
 */
#ifndef TESTS_SUPPORT_HEARD_SAMPLES_H
#define TESTS_SUPPORT_HEARD_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>

#include "sample_sink.h"
#include "slice.h"
#include "strbuf.h"

typedef void samples_reader(struct slice text, struct sample_sink *sink);

/*
 * A line for each call:
 *   take 1000000 1.5 cpu
 *   refuse 2 timestamp: must …       for each field, of that element
 *   broken at 2: not acceptable …    a field of no element
 *   failed at 2: OUT_OF_MEMORY
 */
struct heard {
    struct strbuf text;
    size_t calls, calls_max; /* the last one is answered: no further */
};

/* Have a text read. Released by the caller. */
void heard_read(struct heard *heard, samples_reader *read, struct slice text, size_t calls_max);
void heard_release(struct heard *heard);

/* Whether json_samples.h and sample_scan.h read a text as they should: as the slow way does. If
 * not, both are printed. No element may be longer than JSON_SAMPLE_BYTES_MAX. */
bool heard_same_of_array(struct slice text);
bool heard_same_of_lines(struct slice text);
bool heard_same_of_plain(struct slice text);

#endif
