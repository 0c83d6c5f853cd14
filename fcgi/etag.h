/*
 * etag: an answer that the client has already is not sent again (RFC 9110, 13).
 */
#ifndef FCGI_ETAG_H
#define FCGI_ETAG_H

#include <stdbool.h>
#include <stdint.h>

#include "http.h"
#include "slice.h"

/* Weak comparison of `etag` with any of the tags that If-None-Match lists. */
bool etag_matches(struct slice listed, struct slice etag);

/*
 * Tag an answer whose body has this hash, to be kept by caches and asked for again each
 * time. True: the client has it; `res` is 304 then, and its body stays unsent.
 */
bool etag_answer(const struct request *req, struct response *res, uint64_t body_hash);

#endif
