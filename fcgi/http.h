/*
 * http: one request and its response as plain data. No sockets, no libfcgi.
 *
 * Slices of a request are borrowed from whoever filled it and from its arena; both
 * live until the response has been sent.
 */
#ifndef FCGI_HTTP_H
#define FCGI_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "error.h"
#include "slice.h"
#include "strbuf.h"

struct route;

enum {
    HTTP_HEADER_BYTES_MAX = 56 * 1024,
    HTTP_BODY_BYTES_MAX = 4 << 20,
    HTTP_KEPT_BYTES_MAX = 128 * 1024 /* of a buffer, from one request to the next */
};

/* Where a body comes from; read when the route is known and has said how much it takes. */
struct body_source {
    void *context;
    /* Up to `room` bytes into `bytes`; less only at the end of the body. Negative: broken. */
    int (*read)(void *context, char *bytes, size_t room);
};

struct request {
    struct slice method;
    struct slice path; /* decoded by the web server */
    struct slice query;
    struct slice remote_address;
    struct slice request_id;
    struct slice authorization;
    struct slice if_none_match;
    struct slice accept, accept_encoding;
    struct slice cache_control;
    struct slice confirm;         /* X-Confirm-Delete */
    struct slice idempotency_key; /* {NULL, 0}: none */
    struct slice content_type, content_encoding;
    struct slice content_length; /* as it came; empty: not told */
    struct body_source source;
    struct slice body;         /* filled by dispatch, before the handler */
    const struct route *route; /* filled by dispatch */
    struct arena *arena;       /* memory until the response has been sent */
};

/* The type of the body, as it came, without blanks; `*parameters` is what follows its semicolon. */
struct slice request_media_type(const struct request *req, struct slice *parameters);

struct response {
    int status;
    const char *content_type;  /* static */
    const char *cache_control; /* static */
    bool has_body;             /* false: neither body nor Content-Length (304) */
    char etag[24];             /* the header of that name, without W/; "": none */
    struct strbuf headers;     /* further header lines, each ending in CR LF */
    struct strbuf body;
};

void response_init(struct response *res);
void response_release(struct response *res);

/* 200, JSON, no-store, nothing in it. Memory of ordinary size is kept. */
void response_reset(struct response *res);

/* Add a header line. CR, LF and other control characters of the value are dropped. */
void response_header(struct response *res, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Write status line, headers and, unless `is_head`, the body into `out`, as CGI (RFC
 * 3875) wants them. Content-Length is that of the body in either case.
 */
void response_serialize(const struct response *res, struct slice request_id, bool is_head,
                        struct strbuf *out);

#endif
