/*
 * sample: one measurement as it was posted, and what a type's name may be. Pure.
 */
#ifndef LIB_METRICS_SAMPLE_H
#define LIB_METRICS_SAMPLE_H

#include "clock.h"
#include "slice.h"

enum {
    TYPE_CODE_POINTS_MAX = 100,
    TYPE_BYTES_MAX = 4 * TYPE_CODE_POINTS_MAX,
    LONG_TYPE_BYTES_MAX = 255
};

struct sample {
    struct wall_time at; /* years 1 to 9999 */
    double value;        /* finite */
    struct slice type;   /* checked by sample_check_type */
};

/*
 * A name that a type can have: valid UTF-8 without control characters (C0, DEL, C1), of 1 to
 * 100 code points or up to 255 bytes, as names with labels have. Returns NULL, or a static text
 * that says what is wrong and what would be right.
 */
const char *sample_check_type(struct slice type);

/* The same of 100 code points at most, whatever their bytes: what the original takes. */
const char *sample_check_short_type(struct slice type);

#endif
