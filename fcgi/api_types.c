/* The types there are: GET /api/metrics/types; and the end of one: DELETE /api/metrics. */
#include <assert.h>

#include "base64url.h"
#include "hash.h"
#include "json_write.h"
#include "log.h"
#include "metric_delete.h"
#include "metric_types.h"
#include "packed.h"
#include "query.h"
#include "routes.h"
#include "utf8.h"

enum {
    LIMIT_DEFAULT = 100,
    MATCH_BYTES_MAX = 400,
    CHECK_BYTES = 8,
    CURSOR_BYTES_MAX = CHECK_BYTES + TYPE_BYTES_MAX,
    CURSOR_TEXT_MAX = 4 * (CURSOR_BYTES_MAX / 3 + 1)
};

/*
 * A cursor is, as base64url, CHECK_BYTES over the pattern and the last name, and that name.
 * No name holds a NUL.
 */
static uint64_t check_of(struct slice match, struct slice name)
{
    char bytes[MATCH_BYTES_MAX + 1 + TYPE_BYTES_MAX];
    memcpy(bytes, match.ptr, match.len);
    bytes[match.len] = '\0';
    memcpy(bytes + match.len + 1, name.ptr, name.len);
    return hash_stable(slice_of(bytes, match.len + 1 + name.len));
}

static void write_cursor(struct slice match, struct slice name, struct strbuf *out)
{
    char bytes[CURSOR_BYTES_MAX];
    assert(name.len <= TYPE_BYTES_MAX);
    packed_put_u64((unsigned char *)bytes, check_of(match, name));
    memcpy(bytes + CHECK_BYTES, name.ptr, name.len);
    base64url_append(out, slice_of(bytes, CHECK_BYTES + name.len));
}

/* The name, in memory of the arena. */
static bool read_cursor(struct slice text, struct slice match, struct arena *arena,
                        struct slice *name)
{
    size_t len;
    unsigned char *bytes = arena_alloc(arena, text.len + 1);
    if (!bytes || !base64url_decode(text, bytes, &len) || len <= CHECK_BYTES ||
        len > CURSOR_BYTES_MAX)
        return false;
    *name = slice_of((const char *)bytes + CHECK_BYTES, len - CHECK_BYTES);
    return packed_u64(bytes) == check_of(match, *name);
}

static bool is_utf8(struct slice text)
{
    while (text.len > 0) {
        uint32_t c;
        size_t len = utf8_decode(text, &c);
        if (len == 0)
            return false;
        text = slice_of(text.ptr + len, text.len - len);
    }
    return true;
}

static enum err_code read_question(const struct request *req, struct metric_types_question *q,
                                   struct error *err)
{
    struct slice text;
    int64_t limit = LIMIT_DEFAULT;
    *q = (struct metric_types_question){.match = SLICE("*")};
    if (query_get(req->query, "match", req->arena, &text, err) == ERR_OK && text.ptr) {
        q->match = text;
        if (text.len < 1 || text.len > MATCH_BYTES_MAX || !is_utf8(text))
            return error_add_field(err, "query", "match", "must be 1 to %d bytes of UTF-8",
                                   MATCH_BYTES_MAX);
    }
    (void)query_get_integer(req->query, "limit", req->arena, 1, METRIC_TYPES_MAX, &limit, err);
    if (query_get(req->query, "cursor", req->arena, &text, err) == ERR_OK && text.ptr &&
        !read_cursor(text, q->match, req->arena, &q->after))
        (void)error_add_field(err, "query", "cursor",
                              "must be the `next` of an answer to the same `match`");
    q->limit = (size_t)limit;
    return err->code;
}

static void write_type(struct json_writer *w, const struct metric_type *type)
{
    json_write_object(w);
    json_write_name(w, "type");
    json_write_text(w, type->name);
    json_write_name(w, "count");
    json_write_integer(w, (int64_t)type->count);
    json_write_name(w, "first_timestamp");
    json_write_instant(w, type->first_at);
    json_write_name(w, "latest_timestamp");
    json_write_instant(w, type->newest.at);
    json_write_name(w, "latest_value");
    json_write_number(w, type->newest.value);
    json_write_name(w, "bytes");
    json_write_integer(w, (int64_t)type->bytes);
    json_write_name(w, "samples_per_minute");
    json_write_number(w, (double)type->hour_count / 60.0);
    json_write_end(w);
}

static void write_types(struct response *res, const struct metric_type *types, size_t count,
                        struct slice cursor)
{
    struct json_writer w;
    json_write_begin(&w, &res->body);
    json_write_object(&w);
    json_write_name(&w, "types");
    json_write_array(&w);
    for (size_t i = 0; i < count; i++)
        write_type(&w, &types[i]);
    json_write_end(&w);
    json_write_name(&w, "next");
    if (cursor.len > 0)
        json_write_text(&w, cursor);
    else
        json_write_null(&w);
    json_write_end(&w);
}

/* What a Link keeps, as its values are bounded, and all that it may take: far less than nginx
 * reads of an answer's headers (fastcgi_buffer_size 16k in conf/nginx.conf). */
static const char *const link_parameters[] = {"match", "limit", NULL};
enum { LINK_BYTES_MAX = 3 * (MATCH_BYTES_MAX + QUERY_INTEGER_BYTES_MAX) + CURSOR_TEXT_MAX + 64 };
static_assert(LINK_BYTES_MAX < 4096, "a Link and the other headers fit into any buffer");

static void add_link(struct response *res, const struct request *req, struct slice cursor)
{
    strbuf_append_slice(&res->headers, SLICE("Link: <?"));
    query_append_known(req->query, link_parameters, &res->headers);
    strbuf_printf(&res->headers, "cursor=%.*s>; rel=\"next\"\r\n", (int)cursor.len, cursor.ptr);
}

enum err_code api_types(struct app *app, const struct request *req, struct response *res,
                        struct error *err)
{
    struct metric_types_question q;
    if (read_question(req, &q, err) != ERR_OK)
        return err->code;
    struct metric_type *types = arena_alloc(req->arena, q.limit * sizeof *types);
    if (!types)
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    size_t count = 0;
    struct slice next;
    enum err_code code = metric_types_list(app->store, &q, app_read_deadline(), req->arena, types,
                                           &count, &next, err);
    if (code != ERR_OK)
        return code;
    struct strbuf cursor;
    strbuf_init(&cursor, CURSOR_TEXT_MAX);
    if (next.ptr)
        write_cursor(q.match, next, &cursor);
    write_types(res, types, count, strbuf_slice(&cursor));
    if (next.ptr)
        add_link(res, req, strbuf_slice(&cursor));
    bool has_failed = strbuf_failed(&cursor);
    strbuf_release(&cursor);
    return has_failed ? error_set(err, ERR_NO_MEMORY, "Out of memory") : ERR_OK;
}

static enum err_code read_type(const struct request *req, struct slice *type, struct error *err)
{
    if (query_get(req->query, "type", req->arena, type, err) != ERR_OK)
        return err->code;
    const char *wrong = type->ptr ? sample_check_type(*type) : "Field required";
    return wrong ? error_add_field(err, "query", "type", "%s", wrong) : ERR_OK;
}

static enum err_code check_confirmation(const struct request *req, struct slice type,
                                        struct error *err)
{
    if (slice_equals(req->confirm, type) || query_spells(req->confirm, type))
        return ERR_OK;
    return error_set(err, ERR_CONFIRMATION_REQUIRED,
                     "To delete this type for good, send its name in the header "
                     "X-Confirm-Delete, as it is or percent-encoded");
}

static void write_deletion(struct response *res, struct slice type, bool is_done)
{
    struct json_writer w;
    json_write_begin(&w, &res->body);
    json_write_object(&w);
    json_write_name(&w, "message");
    json_write_string(&w, is_done ? "Type deleted" : "Type deleted; what it held goes by itself");
    json_write_name(&w, "type");
    json_write_text(&w, type);
    json_write_name(&w, "timestamp");
    json_write_instant(&w, clock_wall_now());
    json_write_end(&w);
    res->status = is_done ? 200 : 202;
}

enum err_code api_type_delete(struct app *app, const struct request *req, struct response *res,
                              struct error *err)
{
    struct slice type;
    if (read_type(req, &type, err) != ERR_OK || check_confirmation(req, type, err) != ERR_OK)
        return err->code;
    bool is_known, is_done;
    enum err_code code =
        metric_delete(app->redis, type, app_read_deadline(), &is_known, &is_done, err);
    if (code != ERR_OK)
        return code;
    if (!is_known)
        return error_set(err, ERR_NOT_FOUND, "There is no such type");
    LOG_EVENT(LOG_INFO, "type_deleted", LOG_SLICE("metric_type", type),
              LOG_SLICE("request_id", req->request_id), LOG_SLICE("client", req->remote_address),
              LOG_TEXT("done", is_done ? "yes" : "no"));
    write_deletion(res, type, is_done);
    return ERR_OK;
}
