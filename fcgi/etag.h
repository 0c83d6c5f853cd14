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
 * Tag an answer by its body, to be kept by caches and asked for again each time. Where the
 * client has it, `res` is 304, and the body stays unsent.
 */
void etag_answer(const struct request *req, struct response *res);

/* The same where the hash of the body is known before the body is there. True: the client has
 * it, and no body is needed. */
bool etag_answer_hashed(const struct request *req, struct response *res, uint64_t body_hash);

/* Where the client has the answer `res`, which was tagged, it becomes 304. */
bool etag_is_had(const struct request *req, struct response *res);

uint64_t etag_hash(struct slice body);

#endif
