/*
 * problem: errors as HTTP, application/problem+json (RFC 9457).
 *
 * One table says for every error code which status, problem type and title it has.
 */
#ifndef FCGI_PROBLEM_H
#define FCGI_PROBLEM_H

#include "error.h"
#include "http.h"
#include "json_write.h"

struct problem_kind {
    int status;
    const char *type; /* a URI reference; NULL: the table has forgotten this code */
    const char *title;
};

/* A member `errors`: what is wrong with each field. */
void problem_write_fields(struct json_writer *w, const struct error *err);

/* Never NULL for any code but ERR_OK. */
const struct problem_kind *problem_kind_of(enum err_code code);

/*
 * Turn `res` into the problem that `err` is: status, body, and Retry-After (whole seconds,
 * rounded up, at least one) on 429, 503 and 507. Headers that are there stay.
 */
void problem_write(const struct error *err, const struct request *req, struct response *res);

#endif
