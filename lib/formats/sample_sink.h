/*
 * sample_sink: where a reader of a format hands what it finds, sample by sample.
 *
 * A reader holds no more than the text it was given and one sample, whatever the length of
 * the text, and says of what it cannot take where that is and why.
 */
#ifndef LIB_FORMATS_SAMPLE_SINK_H
#define LIB_FORMATS_SAMPLE_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "sample.h"

struct sample_sink {
    void *context;
    /* A sample. Its type is borrowed for the call. False: read no further. */
    bool (*take)(void *context, const struct sample *sample);
    /*
     * Something is no sample: element or line `index`, from 0, of which nothing is taken. `wrong`
     * is ERR_VALIDATION with fields of that element, or of none where the text cannot be read
     * further; or ERR_NO_MEMORY. False: read no further.
     */
    bool (*refuse)(void *context, int64_t index, const struct error *wrong);
    int64_t index;    /* kept by the reader: element or line of the sample that is handed over */
    uint64_t skipped; /* counted by the reader: what is well-formed and not for us */
};

#endif
