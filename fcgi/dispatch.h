/*
 * dispatch: from a request to its response, in this order: limits, route, token,
 * body, handler; whatever fails becomes a problem (problem.h).
 */
#ifndef FCGI_DISPATCH_H
#define FCGI_DISPATCH_H

#include "app.h"
#include "http.h"

/*
 * Answer `req` into `res` (response_reset). Fills req->route and req->body; the body is
 * read only when the route takes one and its length is within BODY_LIMIT_BYTES.
 * A fault of the client makes no line in the log, a dependency's at most one a second.
 */
void dispatch(struct app *app, struct request *req, struct response *res);

/* The same among other routes than those of routes.c. */
void dispatch_among(const struct route *among, size_t count, struct app *app, struct request *req,
                    struct response *res);

#endif
