/*
 * recent_answers: what was answered a moment ago, for those who are content with it.
 *
 * A client says so by `Cache-Control: max-age=N` in its request (RFC 9111, 5.2.1.1), N seconds. So
 * any number of dashboards that look at the same cost as much as one. RECENT_ANSWERS_MAX of them at
 * most, of RECENT_ANSWER_BYTES_MAX each; one in the way of another is replaced. Thread-safe.
 */
#ifndef FCGI_RECENT_ANSWERS_H
#define FCGI_RECENT_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "http.h"

enum { RECENT_ANSWERS_MAX = 64, RECENT_ANSWER_BYTES_MAX = 128 * 1024 };

struct recent_answers;

struct recent_answers *recent_answers_new(void);
void recent_answers_free(struct recent_answers *recent);

/* How old an answer may be that the client takes; 0: not at all. */
int64_t recent_answers_age_us(struct slice cache_control);

/* What all depends on that is the same for whoever asks, in the request's arena. */
struct slice recent_answers_key(const struct request *req);

/* The answer to `key` into `res`, with its Age, if it is no older than that. */
bool recent_answers_find(struct recent_answers *recent, struct slice key, int64_t age_us,
                         struct mono_time now, struct response *res);

/* Keep a whole answer, status 200, that was asked for at `asked_at`; or not, where it is too large.
 */
void recent_answers_keep(struct recent_answers *recent, struct slice key, struct mono_time asked_at,
                         const struct response *res);

#endif
