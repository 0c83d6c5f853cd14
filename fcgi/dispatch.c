#include "dispatch.h"

#include <assert.h>

#include "accept.h"
#include "agent_token.h"
#include "content_coding.h"
#include "etag.h"
#include "log.h"
#include "number.h"
#include "problem.h"
#include "recent_answers.h"
#include "routes.h"

static bool has_control_character(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
            return true;
    }
    return false;
}

static bool has_dot_segment(struct slice path)
{
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] != '/')
            continue;
        struct slice rest = slice_of(path.ptr + i, path.len - i);
        if (slice_starts_with(rest, SLICE("/..")) && (rest.len == 3 || rest.ptr[3] == '/'))
            return true;
    }
    return false;
}

static enum err_code check_target(const struct request *req, struct error *err)
{
    if (req->path.len == 0 || req->path.ptr[0] != '/' || has_control_character(req->path) ||
        has_control_character(req->query) || has_dot_segment(req->path))
        return error_set(err, ERR_BAD_REQUEST, "The request target is not acceptable");
    return ERR_OK;
}

static void set_allow(struct response *res, const struct route_table *table, struct slice path)
{
    strbuf_append_slice(&res->headers, SLICE("Allow: "));
    route_list_methods(table, path, &res->headers);
    strbuf_append_slice(&res->headers, SLICE("\r\n"));
}

/* 307 keeps method and body, as the original's framework does it. */
static void redirect(const struct request *req, const struct route *known, struct response *res)
{
    res->status = 307;
    strbuf_append_slice(&res->headers, SLICE("Location: "));
    strbuf_append_slice(&res->headers, slice_from_string(known->path));
    if (req->query.len > 0)
        strbuf_append_char(&res->headers, '?');
    strbuf_append_slice(&res->headers, req->query);
    strbuf_append_slice(&res->headers, SLICE("\r\n"));
}

/* A browser at the front door is sent to the dashboard, also one without a token: it asks for it.
 */
static bool send_to_dashboard(const struct request *req, struct response *res)
{
    if (!slice_equals(req->path, SLICE("/")))
        return false;
    response_header(res, "Vary", "Accept");
    if (!accept_prefers(req->accept, SLICE("text/html"), SLICE("application/json")))
        return false;
    res->status = 307;
    response_header(res, "Location", "/dashboard/");
    return true;
}

/* Takes as long for any guess of one length, whichever byte is wrong. */
static bool equals_secret(struct slice given, struct slice secret)
{
    unsigned difference = given.len != secret.len;
    for (size_t i = 0; i < given.len; i++)
        difference |= (unsigned char)given.ptr[i] ^ (unsigned char)secret.ptr[i % secret.len];
    return difference == 0;
}

static struct slice admin_token(const struct app *app)
{
    return slice_from_string(app->config->admin_token);
}

static enum err_code check_token(const struct app *app, const struct request *req,
                                 struct response *res, struct error *err)
{
    enum route_scope scope = req->route->scope;
    struct slice token =
        scope == ROUTE_ADMIN ? admin_token(app) : slice_from_string(app->config->api_token);
    if (scope == ROUTE_OPEN || (scope != ROUTE_ADMIN && token.len == 0))
        return ERR_OK;
    assert(token.len > 0); /* or the route was not found */
    struct slice given =
        scope == ROUTE_AGENT ? agent_token_find(req) : agent_token_bearer(req->authorization);
    if (given.len > 0 && equals_secret(given, token))
        return ERR_OK;
    response_header(res, "WWW-Authenticate", "Bearer");
    return error_set(err, ERR_UNAUTHORIZED, "This endpoint asks for %s as a bearer token",
                     scope == ROUTE_ADMIN ? "ADMIN_TOKEN" : "API_TOKEN");
}

static enum err_code too_large(size_t limit, struct error *err)
{
    return error_set(err, ERR_PAYLOAD_TOO_LARGE, "The body may have %zu bytes at most", limit);
}

/* The length that was announced is a claim: it bounds nothing until it was read. */
static enum err_code read_body(struct request *req, size_t limit, struct error *err)
{
    int64_t announced = -1;
    if (req->content_length.len > 0 &&
        !number_parse_int64(req->content_length, 0, INT64_MAX, &announced)) {
        /* Digits beyond 64 bits are a length all the same, and too large. */
        for (size_t i = 0; i < req->content_length.len; i++) {
            if (req->content_length.ptr[i] < '0' || req->content_length.ptr[i] > '9')
                return error_set(err, ERR_BAD_REQUEST, "Content-Length is no number");
        }
        return too_large(limit, err);
    }
    if (announced > (int64_t)limit)
        return too_large(limit, err);

    size_t room = (announced >= 0 ? (size_t)announced : limit) + 1;
    char *bytes = arena_alloc(req->arena, room);
    if (!bytes)
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    int len = req->source.read(req->source.context, bytes, room);
    if (len < 0 || (announced >= 0 && len != announced))
        return error_set(err, ERR_BAD_REQUEST, "The body does not have its announced length");
    if ((size_t)len > limit)
        return too_large(limit, err);
    req->body = slice_of(bytes, (size_t)len);
    return ERR_OK;
}

static enum err_code take_body(const struct app *app, struct request *req, struct response *res,
                               struct error *err)
{
    size_t limit = (size_t)app->config->ingest_body_limit_bytes;
    enum err_code code = read_body(req, limit, err);
    if (code == ERR_OK)
        code = content_decode(req->content_encoding, limit, req->arena, &req->body, err);
    if (code == ERR_UNSUPPORTED_CODING)
        response_header(res, "Accept-Encoding", CONTENT_CODINGS);
    return code;
}

/* What is shorter fits into a packet or two in any case. */
enum { COMPRESS_BYTES_MIN = 1024 };

static void compress(const struct request *req, struct response *res)
{
    if (!res->has_body || res->body.len < COMPRESS_BYTES_MIN || strbuf_failed(&res->body))
        return;
    response_header(res, "Vary", "Accept-Encoding");
    if (accept_takes(req->accept_encoding, SLICE("gzip")) && content_encode_gzip(&res->body))
        response_header(res, "Content-Encoding", "gzip");
}

static enum err_code answer_afresh(struct app *app, const struct request *req, struct response *res,
                                   struct error *err)
{
    enum err_code code = req->route->handler(app, req, res, err);
    if (code == ERR_OK)
        compress(req, res);
    return code;
}

/* For who is content with an answer of a moment ago. */
static enum err_code answer_in_common(struct app *app, const struct request *req, int64_t age_us,
                                      struct response *res, struct error *err)
{
    struct mono_time now = clock_mono_now();
    struct slice key = recent_answers_key(req);
    if (!recent_answers_find(app->recent, key, age_us, now, res)) {
        struct request whole = *req; /* others may not have what this client has */
        whole.if_none_match = SLICE("");
        enum err_code code = answer_afresh(app, &whole, res, err);
        if (code != ERR_OK)
            return code;
        if (res->status == 200)
            recent_answers_keep(app->recent, key, now, res);
    }
    (void)etag_is_had(req, res);
    return ERR_OK;
}

static enum err_code answer(const struct route_table *table, struct app *app, struct request *req,
                            struct response *res, struct error *err)
{
    if (req->arena->failed) /* already for the path */
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    if (check_target(req, err) != ERR_OK)
        return err->code;
    const struct route *route;
    switch (route_find(table, req->method, req->path, &route)) {
    case ROUTE_UNKNOWN_PATH:
        return error_set(err, ERR_NOT_FOUND, "Not Found");
    case ROUTE_WRONG_METHOD:
        set_allow(res, table, req->path);
        return error_set(err, ERR_METHOD_NOT_ALLOWED, "Method Not Allowed");
    case ROUTE_TRAILING_SLASH:
        redirect(req, route, res);
        return ERR_OK;
    case ROUTE_FOUND:
        break;
    }
    req->route = route;
    if (send_to_dashboard(req, res))
        return ERR_OK;
    if (check_token(app, req, res, err) != ERR_OK)
        return err->code;
    if (route->takes_body && take_body(app, req, res, err) != ERR_OK)
        return err->code;
    int64_t age_us = route->is_common ? recent_answers_age_us(req->cache_control) : 0;
    return age_us > 0 ? answer_in_common(app, req, age_us, res, err)
                      : answer_afresh(app, req, res, err);
}

static void log_failure(struct app *app, const struct request *req, const struct error *err)
{
    if (err->code == ERR_INTERNAL) {
        LOG_EVENT(LOG_ERROR, "request_failed", LOG_SLICE("request_id", req->request_id),
                  LOG_SLICE("path", req->path), LOG_TEXT("code", err_name(err->code)),
                  LOG_TEXT("detail", err->detail), LOG_TEXT("cause", err->cause));
        return;
    }
    int64_t suppressed;
    bool is_ours = problem_kind_of(err->code)->status >= 500;
    if (!is_ours || !log_gate_passes(&app->dependency_gate, clock_mono_now(), &suppressed))
        return;
    LOG_EVENT(LOG_WARNING, "dependency_failed", LOG_SLICE("request_id", req->request_id),
              LOG_SLICE("path", req->path), LOG_TEXT("code", err_name(err->code)),
              LOG_TEXT("detail", err->detail), LOG_TEXT("cause", err->cause),
              LOG_INT("suppressed", suppressed));
}

void dispatch(struct app *app, struct request *req, struct response *res)
{
    dispatch_among(routes, route_count, app, req, res);
}

void dispatch_among(const struct route *among, size_t count, struct app *app, struct request *req,
                    struct response *res)
{
    const struct route_table table = {among, count, .has_admin = admin_token(app).len > 0};
    struct error err;
    error_init(&err);
    enum err_code code = answer(&table, app, req, res, &err);
    if (code == ERR_OK &&
        (strbuf_failed(&res->body) || strbuf_failed(&res->headers) || req->arena->failed)) {
        strbuf_reset(&res->headers);
        error_init(&err);
        code = error_set(&err, ERR_NO_MEMORY, "Out of memory");
    }
    if (code == ERR_OK)
        return;
    err.code = code;
    log_failure(app, req, &err);
    problem_write(&err, req, res);
}
