#include "http.h"

#include <stdarg.h>
#include <stdio.h>

struct slice request_media_type(const struct request *req, struct slice *parameters)
{
    struct slice rest = req->content_type, type = slice_trim(slice_cut(&rest, ';'));
    *parameters = slice_trim(rest);
    return type;
}

void response_init(struct response *res)
{
    strbuf_init(&res->headers, HTTP_HEADER_BYTES_MAX);
    strbuf_init(&res->body, HTTP_BODY_BYTES_MAX);
    response_reset(res);
}

void response_release(struct response *res)
{
    strbuf_release(&res->headers);
    strbuf_release(&res->body);
}

void response_reset(struct response *res)
{
    res->status = 200;
    res->content_type = "application/json";
    res->cache_control = "no-store";
    res->has_body = true;
    res->etag[0] = '\0';
    strbuf_reset(&res->headers);
    strbuf_reset_keeping(&res->body, HTTP_KEPT_BYTES_MAX);
}

static const char control_characters[] =
    "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"
    "\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f";

void response_header(struct response *res, const char *name, const char *format, ...)
{
    char value[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(value, sizeof value, format, args);
    va_end(args);
    strbuf_append_slice(&res->headers, slice_from_string(name));
    strbuf_append_slice(&res->headers, SLICE(": "));
    const char *rest = value;
    while (*rest != '\0') {
        size_t clean = strcspn(rest, control_characters);
        strbuf_append(&res->headers, rest, clean);
        rest += clean + (rest[clean] != '\0');
    }
    strbuf_append_slice(&res->headers, SLICE("\r\n"));
}

/* Without one, nginx sends a status line that lacks its last blank. */
static const char *reason_of(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 304:
        return "Not Modified";
    case 307:
        return "Temporary Redirect";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 413:
        return "Content Too Large";
    case 422:
        return "Unprocessable Content";
    case 428:
        return "Precondition Required";
    case 429:
        return "Too Many Requests";
    case 503:
        return "Service Unavailable";
    case 507:
        return "Insufficient Storage";
    default:
        return "Internal Server Error";
    }
}

void response_serialize(const struct response *res, struct slice request_id, bool is_head,
                        struct strbuf *out)
{
    strbuf_printf(out, "Status: %d %s\r\n", res->status, reason_of(res->status));
    if (res->has_body) {
        strbuf_printf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", res->content_type,
                      res->body.len);
    }
    strbuf_printf(out,
                  "Cache-Control: %s\r\n"
                  "X-Request-Id: %.*s\r\n",
                  res->cache_control, (int)request_id.len, request_id.ptr);
    strbuf_append_slice(out, strbuf_slice(&res->headers));
    strbuf_append_slice(out, SLICE("\r\n"));
    if (res->has_body && !is_head)
        strbuf_append_slice(out, strbuf_slice(&res->body));
}
