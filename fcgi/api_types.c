/* GET /api/metrics/types: the types there are, in pages, and what each of them holds. */
#include <assert.h>

#include "etag.h"
#include "hash.h"
#include "json_write.h"
#include "metric_types.h"
#include "query.h"
#include "routes.h"
#include "type_cursor.h"
#include "utf8.h"

enum { LIMIT_DEFAULT = 100, MATCH_BYTES_MAX = 400 };

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

static bool read_match(const struct request *req, struct slice *match, struct error *err)
{
    struct slice text;
    if (query_get(req->query, "match", req->arena, &text, err) != ERR_OK)
        return false;
    if (!text.ptr)
        return true;
    *match = text;
    if (text.len >= 1 && text.len <= MATCH_BYTES_MAX && is_utf8(text))
        return true;
    (void)error_add_field(err, "query", "match", "must be 1 to %d bytes of UTF-8", MATCH_BYTES_MAX);
    return false;
}

/* One that is sound may belong to any pattern where `match` is none. */
static void read_cursor(const struct request *req, bool has_match, struct metric_types_question *q,
                        struct error *err)
{
    struct slice text;
    struct type_cursor cursor;
    if (query_get(req->query, "cursor", req->arena, &text, err) != ERR_OK || !text.ptr)
        return;
    if (type_cursor_read(text, req->arena, &cursor) &&
        (!has_match || cursor.match == hash_stable(q->match)))
        q->after = cursor.name;
    else
        (void)error_add_field(err, "query", "cursor",
                              "must be the `next` of an answer to the same `match`");
}

/* All that is wrong is told at once. */
static enum err_code read_question(const struct request *req, struct metric_types_question *q,
                                   struct error *err)
{
    int64_t limit = LIMIT_DEFAULT;
    *q = (struct metric_types_question){.match = SLICE("*")};
    bool has_match = read_match(req, &q->match, err);
    (void)query_get_integer(req->query, "limit", req->arena, 1, METRIC_TYPES_MAX, &limit, err);
    read_cursor(req, has_match, q, err);
    (void)query_get_boolean(req->query, "brief", req->arena, &q->is_brief, err);
    q->limit = (size_t)limit;
    return err->code;
}

static void write_type(struct json_writer *w, const struct metric_type *type, bool is_brief)
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
    if (!is_brief) {
        json_write_name(w, "bytes");
        json_write_integer(w, (int64_t)type->bytes);
        json_write_name(w, "samples_per_minute");
        json_write_number(w, (double)type->hour_count / 60.0);
    }
    json_write_end(w);
}

static void write_types(struct response *res, const struct metric_type *types, size_t count,
                        bool is_brief, struct slice cursor)
{
    struct json_writer w;
    json_write_begin(&w, &res->body);
    json_write_object(&w);
    json_write_name(&w, "types");
    json_write_array(&w);
    for (size_t i = 0; i < count; i++)
        write_type(&w, &types[i], is_brief);
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
static const char *const link_parameters[] = {"match", "limit", "brief", NULL};
enum {
    LINK_BYTES_MAX = 3 * (MATCH_BYTES_MAX + QUERY_INTEGER_BYTES_MAX) + TYPE_CURSOR_TEXT_MAX + 80
};
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
    strbuf_init(&cursor, TYPE_CURSOR_TEXT_MAX);
    if (next.ptr)
        type_cursor_append(&(struct type_cursor){hash_stable(q.match), next}, &cursor);
    write_types(res, types, count, q.is_brief, strbuf_slice(&cursor));
    if (next.ptr)
        add_link(res, req, strbuf_slice(&cursor));
    bool has_failed = strbuf_failed(&cursor);
    strbuf_release(&cursor);
    if (has_failed)
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    etag_answer(req, res);
    return ERR_OK;
}
