/*
 * query: parameters of a query string (application/x-www-form-urlencoded). Pure.
 */
#ifndef FCGI_QUERY_H
#define FCGI_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "error.h"
#include "slice.h"
#include "strbuf.h"

/*
 * Set `*value` to the decoded value of parameter `name`; of repeated ones the last
 * counts, '+' is a space. Absent: {NULL, 0} and ERR_OK. `*value` lives in `arena`.
 * ERR_VALIDATION: "%" is not followed by two hexadecimal digits. ERR_NO_MEMORY.
 */
enum err_code query_get(struct slice query, const char *name, struct arena *arena,
                        struct slice *value, struct error *err) __attribute__((warn_unused_result));

/*
 * The same for each value of a parameter that may be repeated: `*rest`, the query string
 * at first, moves behind the value. {NULL, 0} and ERR_OK: there is no further one.
 */
enum err_code query_next(struct slice *rest, const char *name, struct arena *arena,
                         struct slice *value, struct error *err)
    __attribute__((warn_unused_result));

/*
 * The parameter `type`, one name (sample_check_type). ERR_VALIDATION: no such name; absent,
 * where it is required. Else absent and empty are the same. ERR_NO_MEMORY.
 */
enum err_code query_get_type(struct slice query, bool is_required, struct arena *arena,
                             struct slice *type, struct error *err);

enum { QUERY_INTEGER_BYTES_MAX = 20 };

/*
 * A parameter that is an integer from `min` to `max`, of at most QUERY_INTEGER_BYTES_MAX
 * bytes; absent: `*value` stays. ERR_VALIDATION says what it must be. ERR_NO_MEMORY.
 */
enum err_code query_get_integer(struct slice query, const char *name, struct arena *arena,
                                int64_t min, int64_t max, int64_t *value, struct error *err);

/* A parameter that is `true` or `false`; absent: `*value` stays. ERR_VALIDATION, ERR_NO_MEMORY. */
enum err_code query_get_boolean(struct slice query, const char *name, struct arena *arena,
                                bool *value, struct error *err);

/*
 * Append those parameters of a query string that are among `names`, which a NULL ends, in
 * that order, each once (the last counts) with an '&' behind it. Whatever may not stand in
 * a URI, or would end one in the header Link, is percent-encoded; they decode to the same.
 * At most three bytes for each of the decoded value, the names, and two more for each.
 */
void query_append_known(struct slice query, const char *const *names, struct strbuf *out);

/* Whether `raw` is `text`, percent-encoded where it likes to be. A '+' is one, and a '%'
 * without two hexadecimal digits is itself. */
bool query_spells(struct slice raw, struct slice text);

#endif
