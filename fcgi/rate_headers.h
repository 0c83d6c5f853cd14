/*
 * rate_headers: a limiter's verdict in header fields
 * (draft-ietf-httpapi-ratelimit-headers): RateLimit-Policy and RateLimit.
 */
#ifndef FCGI_RATE_HEADERS_H
#define FCGI_RATE_HEADERS_H

#include "http.h"
#include "rate_limiter.h"

/* Whole seconds, rounded up. */
int64_t rate_seconds(int64_t us);

/* Nothing when the policy is off. */
void rate_headers_add(struct response *res, const struct rate_policy *policy,
                      const struct rate_verdict *verdict);

#endif
