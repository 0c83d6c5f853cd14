/*
 * query: parameters of a query string (application/x-www-form-urlencoded). Pure.
 */
#ifndef FCGI_QUERY_H
#define FCGI_QUERY_H

#include "arena.h"
#include "error.h"
#include "slice.h"

/*
 * Set `*value` to the decoded value of parameter `name`; of repeated ones the last
 * counts, '+' is a space. Absent: {NULL, 0} and ERR_OK. `*value` lives in `arena`.
 * ERR_VALIDATION: "%" is not followed by two hexadecimal digits. ERR_NO_MEMORY.
 */
enum err_code query_get(struct slice query, const char *name, struct arena *arena,
                        struct slice *value, struct error *err) __attribute__((warn_unused_result));

#endif
