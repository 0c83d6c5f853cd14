/*
 * http_server: a tiny HTTP server on loopback that answers every request alike, as told.
 *
 * One thread serves all connections. It reads requests without a body and writes the
 * scripted bytes as they are, so that a test can also send what no server should.
 */
#ifndef TESTS_SUPPORT_HTTP_SERVER_H
#define TESTS_SUPPORT_HTTP_SERVER_H

#include <stddef.h>

struct http_server;

/* Listen on a free port of 127.0.0.1. Ends the test program when it cannot. */
struct http_server *http_server_new(void);
void http_server_free(struct http_server *server);

/* "http://127.0.0.1:PORT", valid as long as the server. */
const char *http_server_url(const struct http_server *server);

/* From now on: `status` and `body`; the connection stays. */
void http_server_answer(struct http_server *server, int status, const char *body);
/* From now on: these bytes; then the connection is cut, what comes at once left unread. */
void http_server_answer_raw(struct http_server *server, const char *bytes);
/* From now on: nothing, and the connection stays. */
void http_server_be_silent(struct http_server *server);

/* From now on answers wait until they are released. */
void http_server_hold(struct http_server *server);
void http_server_release(struct http_server *server);

/* So far. */
int http_server_connections(struct http_server *server);
int http_server_requests(struct http_server *server);

/* The first line of the latest request. */
void http_server_request_line(struct http_server *server, char *out, size_t out_bytes);

#endif
