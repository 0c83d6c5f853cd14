/*
 * fcgi_client: the web server's side of FastCGI, one request a connection, for tests.
 */
#ifndef TESTS_SUPPORT_FCGI_CLIENT_H
#define TESTS_SUPPORT_FCGI_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "slice.h"
#include "strbuf.h"

struct fcgi_param {
    const char *name, *value;
};

struct fcgi_answer {
    bool is_complete; /* END_REQUEST came, and as much body as Content-Length says */
    int status;
    struct strbuf bytes; /* headers and body */
    size_t body_at;
};

/* A connected socket with a time limit of 20 s for each read and write, or -1. */
int fcgi_connect(const char *socket_path);

/* BEGIN_REQUEST, PARAMS and STDIN in one write, as web servers send it. */
bool fcgi_send(int fd, const struct fcgi_param *params, size_t count, struct slice body);

/* Read STDOUT to the end. False when no complete answer came; release it in any case. */
bool fcgi_receive(int fd, struct fcgi_answer *answer);

/* Wait until the peer has read all that was sent: it is at work. */
bool fcgi_await_taken(int fd);

/*
 * One request and its answer. `target` is path and query; a body that is not NULL is
 * sent with its length unless `params` names another CONTENT_LENGTH.
 */
bool fcgi_request(const char *socket_path, const char *method, const char *target, const char *body,
                  const struct fcgi_param *params, size_t count, struct fcgi_answer *answer);

/* Its status, or 0 when no complete answer came. */
int fcgi_get_status(const char *socket_path, const char *target);

struct slice fcgi_answer_body(const struct fcgi_answer *answer);

/* Does a header line "name: value" stand there? Case counts. */
bool fcgi_answer_has_header(const struct fcgi_answer *answer, const char *line);
bool fcgi_answer_contains(const struct fcgi_answer *answer, const char *text);
void fcgi_answer_release(struct fcgi_answer *answer);

#endif
