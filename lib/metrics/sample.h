/*
 * sample: one measurement as it was posted, and what a type's name may be. Pure.
 */
#ifndef LIB_METRICS_SAMPLE_H
#define LIB_METRICS_SAMPLE_H

#include "clock.h"
#include "slice.h"

enum { TYPE_CODE_POINTS_MAX = 100, TYPE_BYTES_MAX = 4 * TYPE_CODE_POINTS_MAX };

struct sample {
    struct wall_time at; /* years 1 to 9999 */
    double value;        /* finite */
    struct slice type;   /* checked by sample_check_type */
};

/*
 * A name of 1 to 100 code points of valid UTF-8 without control characters (C0, DEL,
 * C1). Returns NULL, or a static text that says what is wrong and what would be right.
 */
const char *sample_check_type(struct slice type);

#endif
