#include "problem.h"

#include <inttypes.h>
#include <stdio.h>

#include "clock.h"
#include "routes.h"

static const struct problem_kind kinds[ERR_CODE_COUNT] = {
    [ERR_VALIDATION] = {422, "/problems/validation-error", "Unprocessable content"},
    [ERR_BAD_REQUEST] = {400, "/problems/bad-request", "Bad request"},
    [ERR_UNAUTHORIZED] = {401, "/problems/unauthorized", "Unauthorized"},
    [ERR_NOT_FOUND] = {404, "/problems/not-found", "Not found"},
    [ERR_METHOD_NOT_ALLOWED] = {405, "/problems/method-not-allowed", "Method not allowed"},
    [ERR_PAYLOAD_TOO_LARGE] = {413, "/problems/payload-too-large", "Content too large"},
    [ERR_UNSUPPORTED_CODING] = {415, "/problems/unsupported-content-coding",
                                "Unsupported content coding"},
    [ERR_UNSUPPORTED_MEDIA_TYPE] = {415, "/problems/unsupported-media-type",
                                    "Unsupported media type"},
    [ERR_CONFIRMATION_REQUIRED] = {428, "/problems/confirmation-required", "Confirmation required"},
    /* draft-ietf-httpapi-idempotency-key-header */
    [ERR_KEY_REUSED] = {422, "/problems/idempotency-key-reused", "Idempotency-Key is already used"},
    /* draft-ietf-httpapi-ratelimit-headers */
    [ERR_RATE_LIMITED] = {429, "https://iana.org/assignments/http-problem-types#quota-exceeded",
                          "Too many requests"},
    [ERR_LIMIT_REACHED] = {422, "/problems/limit-reached", "A limit of this service is reached"},
    [ERR_CIRCUIT_OPEN] = {503, "/problems/circuit-breaker-open", "Circuit breaker open"},
    [ERR_BULKHEAD_FULL] = {503, "/problems/bulkhead-full", "Too many calls under way"},
    [ERR_UPSTREAM_FAILED] = {503, "/problems/external-service-unavailable",
                             "External service unavailable"},
    [ERR_STORE_UNAVAILABLE] = {503, "/problems/store-unavailable", "Store unavailable"},
    [ERR_STORE_UNKNOWN] = {503, "/problems/store-outcome-unknown", "Outcome unknown"},
    [ERR_STORE_FULL] = {507, "/problems/store-full", "Store full"},
    [ERR_NO_MEMORY] = {503, "/problems/out-of-memory", "Out of memory"},
    [ERR_INTERNAL] = {500, "/problems/internal-error", "Internal error"},
};

const struct problem_kind *problem_kind_of(enum err_code code)
{
    return &kinds[(unsigned)code < ERR_CODE_COUNT ? code : ERR_INTERNAL];
}

/*
 * Agents drop what they are told to be 429 (InfluxDB's, Prometheus) or 500 (OTLP), and some what
 * is 507: of all that is temporary they hear 503. What is wrong is 400 in their protocols.
 */
static int status_of(enum err_code code, const struct problem_kind *kind, const struct request *req)
{
    if (!req->route || req->route->scope != ROUTE_AGENT)
        return kind->status;
    if (code == ERR_VALIDATION || code == ERR_LIMIT_REACHED)
        return 400;
    return kind->status == 429 || kind->status >= 500 ? 503 : kind->status;
}

static bool wants_retry_after(int status)
{
    return status == 429 || status == 503 || status == 507;
}

/* "/3/value", "/value", "/3" or "". */
static void write_pointer(struct json_writer *w, const struct field_error *field)
{
    char pointer[sizeof field->name + 24], element[24] = "";
    if (field->element >= 0)
        (void)snprintf(element, sizeof element, "/%" PRId64, field->element);
    (void)snprintf(pointer, sizeof pointer, "%s%s%s", element, field->name[0] ? "/" : "",
                   field->name);
    json_write_name(w, "pointer");
    json_write_string(w, pointer);
}

/* `loc` and `msg` are the names of the original's parser, `pointer` that of RFC 9457. */
static void write_field(struct json_writer *w, const struct field_error *field)
{
    bool is_body = strcmp(field->location, "body") == 0;
    json_write_object(w);
    json_write_name(w, "loc");
    json_write_array(w);
    json_write_string(w, field->location);
    if (field->element >= 0)
        json_write_integer(w, field->element);
    if (field->name[0] != '\0')
        json_write_string(w, field->name);
    json_write_end(w);
    json_write_name(w, "msg");
    json_write_string(w, field->message);
    if (is_body)
        write_pointer(w, field);
    json_write_end(w);
}

void problem_write_fields(struct json_writer *w, const struct error *err)
{
    json_write_name(w, "errors");
    json_write_array(w);
    for (size_t i = 0; i < err->field_count; i++)
        write_field(w, &err->fields[i]);
    json_write_end(w);
}

static void write_body(const struct error *err, const struct problem_kind *kind, int status,
                       const struct request *req, struct strbuf *body)
{
    const char *detail = err->detail[0] ? err->detail : kind->title;
    struct json_writer w;
    json_write_begin(&w, body);
    json_write_object(&w);
    json_write_name(&w, "type");
    json_write_string(&w, kind->type);
    json_write_name(&w, "title");
    json_write_string(&w, kind->title);
    json_write_name(&w, "status");
    json_write_integer(&w, status);
    json_write_name(&w, "detail");
    json_write_string(&w, detail);
    json_write_name(&w, "code");
    json_write_string(&w, err_name(err->code));
    json_write_name(&w, "message");
    json_write_string(&w, detail);
    if (err->field_count > 0)
        problem_write_fields(&w, err);
    json_write_name(&w, "timestamp");
    json_write_instant(&w, clock_wall_now());
    json_write_name(&w, "request_id");
    json_write_text(&w, req->request_id);
    json_write_end(&w);
}

void problem_write(const struct error *err, const struct request *req, struct response *res)
{
    const struct problem_kind *kind = problem_kind_of(err->code);
    res->status = status_of(err->code, kind, req);
    res->content_type = "application/problem+json";
    res->cache_control = "no-store";
    res->has_body = true;
    strbuf_reset(&res->body);
    write_body(err, kind, res->status, req, &res->body);
    if (wants_retry_after(res->status)) {
        uint32_t seconds = err->retry_after_ms / 1000 + (err->retry_after_ms % 1000 != 0);
        response_header(res, "Retry-After", "%u", seconds > 0 ? seconds : 1);
    }
}
