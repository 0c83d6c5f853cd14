/*
 * series_name: the name of a series that has labels: `metric;label=value;…`, labels in order
 * of their names (bytes), as Graphite writes tags. Pure.
 *
 * A `;` within a part, and a `=` within a label's name, are written %3B and %3D, and a `%` in
 * front of 3B, 3D or 25 is written %25, so that different labels never make one name.
 */
#ifndef LIB_FORMATS_SERIES_NAME_H
#define LIB_FORMATS_SERIES_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "slice.h"

enum { SERIES_NAME_BYTES_MAX = 255, SERIES_LABELS_MAX = 64 };

struct series_labels {
    size_t count;
    struct series_label {
        struct slice name, value;
    } at[SERIES_LABELS_MAX];
};

/* Borrows both; begin with `count` 0, the rest needs no value. False: there are
 * SERIES_LABELS_MAX already. */
bool series_labels_add(struct series_labels *labels, struct slice name, struct slice value);

/*
 * In order of names, for series_name_spell; a label whose value is empty is dropped, for it is
 * the same as none (twice it is wrong all the same). NULL, or a static text: what is wrong (a
 * name twice, an empty name); the labels are then no longer good for anything. By insertion: a
 * step for each label that comes in order.
 */
const char *series_labels_sort(struct series_labels *labels);

/*
 * `metric`, behind it `field` (of {NULL, 0}: nothing) after a point, then the sorted labels,
 * into `name`, whose bytes are `buffer`'s. NULL, or a static text that reads well behind "name: "
 * (longer than SERIES_NAME_BYTES_MAX; an empty metric; no UTF-8; control characters). What it makes
 * is right for sample_check_type.
 */
const char *series_name_spell(struct slice metric, struct slice field,
                              const struct series_labels *labels,
                              char buffer[static SERIES_NAME_BYTES_MAX], struct slice *name);

#endif
