/*
 * http_client: one kept-alive HTTP/1.1 connection over a raw socket, for tests that must
 * not pause between two requests. Answers with Content-Length only.
 */
#ifndef TESTS_SUPPORT_HTTP_CLIENT_H
#define TESTS_SUPPORT_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "slice.h"

enum { HTTP_ANSWER_BYTES = 256 * 1024 };

struct http_client {
    char host[64];
    int port;
    int fd; /* -1: not connected */
    int timeout_ms;
    char *answer; /* head and body of the last answer, ended by NUL */
    size_t answer_len;
    const char *body; /* inside `answer` */
    size_t body_len;
};

/* Connects at the first request; `timeout_ms` bounds each read and write. */
void http_client_init(struct http_client *client, const char *host, int port, int timeout_ms);
void http_client_release(struct http_client *client);

/* Send one request (`body` NULL: none) and read its answer. The status, or -1 when there
 * was no whole answer; the connection is then closed and made anew for the next one. */
int http_client_request(struct http_client *client, const char *method, const char *target,
                        const char *body);

/* The same with any bytes as body, and with headers of the caller's ("Name: value\r\n" each). */
int http_client_send(struct http_client *client, const char *method, const char *target,
                     const char *headers, struct slice body);

/* Value of a header of the last answer into `out`; false when it is not there. */
bool http_client_header(const struct http_client *client, const char *name, char *out,
                        size_t out_bytes);

/* The number behind `"name":` in the last body; `fallback` when there is none. */
double http_client_number(const struct http_client *client, const char *name, double fallback);

#endif
