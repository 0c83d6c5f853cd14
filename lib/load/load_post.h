/*
 * load_post: several POSTs under way at once, over connections that are kept (HTTP/1.1). With
 * external_http the only user of libcurl.
 *
 * Proxies are taken from the environment, as libcurl does; redirects are not followed. One
 * thread.
 */
#ifndef LIB_LOAD_LOAD_POST_H
#define LIB_LOAD_LOAD_POST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "load_target.h"
#include "slice.h"

enum { LOAD_KEY_BYTES = 65, LOAD_ANSWER_BYTES_MAX = 8 << 20 };

struct load_post_options {
    size_t jobs;
    const char *token; /* NULL: none */
    int64_t timeout_seconds;
};

struct load_post;

/* NULL: no memory, or libcurl does not initialize. Once per process. */
struct load_post *load_post_new(const struct load_post_options *options);
/* What is under way is cut off. */
void load_post_free(struct load_post *post);

/* Where all requests go from now on; borrowed. False: no memory. */
bool load_post_aim(struct load_post *post, const struct load_target *target);

/* Send `body`, which is borrowed until the job is finished, as job 0..jobs-1, which is not under
 * way; `key` is its Idempotency-Key. False: no memory. */
bool load_post_send(struct load_post *post, size_t job, struct slice body, const char *key);

struct load_post_result {
    size_t job;
    long status;                 /* 0: there is no answer, */
    const char *failure;         /* for this reason; borrowed until the job is sent again */
    bool passes;                 /* that may be another one the next time, */
    bool was_sent;               /* and the service may have got the request all the same */
    int64_t retry_after_seconds; /* 0: not told */
    struct slice body;           /* borrowed likewise */
};

/* A job that is finished. False: there is none more. */
bool load_post_next(struct load_post *post, struct load_post_result *result);

/* Block until something happens to a job or `fd` can be read (-1: not of interest), at most that
 * long. */
void load_post_wait(struct load_post *post, int fd, int64_t timeout_ms);

#endif
