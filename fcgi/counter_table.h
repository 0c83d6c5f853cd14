/*
 * counter_table: how the plain counters (counters.h) are called, in one table for both of their
 * faces, GET /api/stats and GET /metrics.
 */
#ifndef FCGI_COUNTER_TABLE_H
#define FCGI_COUNTER_TABLE_H

#include <stddef.h>

struct counter_row {
    size_t cell;
    const char *group, *name; /* where it stands in /api/stats: group.name */
    const char *family;       /* in /metrics; rows of one family follow each other */
    const char *labels;       /* as they stand there; "": none */
    const char *help;         /* of the family, in its first row; else NULL */
};

extern const struct counter_row counter_table[];
extern const size_t counter_table_count;

#endif
