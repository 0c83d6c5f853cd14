/*
 * GET /api/metrics/list: samples in pages, as JSON, or for export as NDJSON or CSV. Each
 * page says in the header Link (RFC 8288) where the next and the previous one are.
 */
#include <assert.h>
#include <stdio.h>

#include "accept.h"
#include "csv.h"
#include "hash.h"
#include "json_write.h"
#include "list_cursor.h"
#include "metric_store.h"
#include "packed.h"
#include "query.h"
#include "report_headers.h"
#include "routes.h"
#include "window.h"

enum list_format { LIST_JSON, LIST_NDJSON, LIST_CSV, LIST_FORMAT_COUNT };

/* EXPORT_BYTES_MAX: of a page of records, whose samples (40 bytes each) take less. */
enum { EXPORT_BYTES_MAX = 1000000, ID_BYTES_MAX = 64 };

static const struct {
    const char *name;
    const char *media_type, *content_type;
    int limit_default, limit_max;
    size_t record_bytes_min; /* without the type's name; 0: pages have no limit in bytes */
} formats[LIST_FORMAT_COUNT] = {
    [LIST_JSON] = {"json", "application/json", "application/json", 100, 1000, 0},
    [LIST_NDJSON] = {"ndjson", "application/x-ndjson", "application/x-ndjson", 10000, 100000, 87},
    [LIST_CSV] = {"csv", "text/csv", CSV_CONTENT_TYPE, 10000, 100000, 47},
};

struct list_request {
    const struct request *req;
    struct slice type;
    enum list_format format;
    int64_t limit;
    bool is_newest_first;
    bool has_cursor;
    struct list_cursor cursor; /* without one: where the first page begins, no place */
    struct window window;
};

/* --- What is asked ----------------------------------------------------------------- */

static enum list_format accepted_format(struct slice accept)
{
    enum list_format best = LIST_JSON;
    for (enum list_format format = LIST_JSON; format < LIST_FORMAT_COUNT; format++) {
        if (accept_prefers(accept, slice_from_string(formats[format].media_type),
                           slice_from_string(formats[best].media_type)))
            best = format;
    }
    return best;
}

static void read_format(struct list_request *list, struct error *err)
{
    const struct request *req = list->req;
    struct slice text;
    list->format = accepted_format(req->accept);
    if (query_get(req->query, "format", req->arena, &text, err) != ERR_OK || !text.ptr)
        return;
    for (list->format = LIST_JSON; list->format < LIST_FORMAT_COUNT; list->format++) {
        if (slice_equals(text, slice_from_string(formats[list->format].name)))
            return;
    }
    list->format = LIST_JSON;
    (void)error_add_field(err, "query", "format", "must be json, ndjson or csv");
}

static void read_limit(struct list_request *list, struct error *err)
{
    const struct request *req = list->req;
    list->limit = formats[list->format].limit_default;
    (void)query_get_integer(req->query, "limit", req->arena, 1, formats[list->format].limit_max,
                            &list->limit, err);
}

static void read_order(struct list_request *list, struct error *err)
{
    const struct request *req = list->req;
    struct slice text;
    list->is_newest_first = true;
    if (query_get(req->query, "order", req->arena, &text, err) != ERR_OK || !text.ptr)
        return;
    list->is_newest_first = slice_equals(text, SLICE("newest"));
    if (!list->is_newest_first && !slice_equals(text, SLICE("oldest")))
        (void)error_add_field(err, "query", "order", "must be newest or oldest");
}

static void read_cursor(struct list_request *list, struct error *err)
{
    const struct request *req = list->req;
    struct slice text;
    list->cursor.is_backward = list->is_newest_first;
    if (query_get(req->query, "cursor", req->arena, &text, err) != ERR_OK || !text.ptr)
        return;
    list->has_cursor = true;
    if (!list_cursor_read(text, req->arena, &list->cursor))
        (void)error_add_field(err, "query", "cursor",
                              "must be as a Link gave it: this one was altered or cut off");
}

/* Of what decides which samples there are, and in which order: as given, not as understood. */
static uint64_t hash_parameters(const struct list_request *list, struct error *err)
{
    static const char *const names[] = {"type", "from", "to"};
    enum { COUNT = sizeof names / sizeof *names };
    const struct request *req = list->req;
    unsigned char hashes[8 * COUNT + 1] = {[8 * COUNT] = list->is_newest_first};
    for (size_t i = 0; i < COUNT; i++) {
        struct slice text;
        if (query_get(req->query, names[i], req->arena, &text, err) == ERR_OK)
            packed_put_u64(hashes + 8 * i, hash_stable(text));
    }
    return hash_stable(slice_of((const char *)hashes, sizeof hashes));
}

/* From page to page `now` stays what it was, and so does what is relative to it. */
static enum err_code read_window(struct list_request *list, struct error *err)
{
    bool has_now = list->has_cursor && list->cursor.now.us != 0;
    struct wall_time now = has_now ? list->cursor.now : clock_wall_now();
    if (window_read(list->req, now, &list->window, err) != ERR_OK)
        return err->code;
    uint64_t parameters = hash_parameters(list, err);
    if (list->has_cursor && list->cursor.parameters != parameters)
        (void)error_add_field(err, "query", "cursor",
                              "belongs to a list with other type, from, to or order");
    list->cursor.parameters = parameters;
    if (list->window.is_relative)
        list->cursor.now = now;
    if (list->type.len > 0)
        list->cursor.place.type = list->type;
    return err->code;
}

/* All that is wrong is told at once. */
static enum err_code read_request(struct list_request *list, struct error *err)
{
    (void)query_get_type(list->req->query, false, list->req->arena, &list->type, err);
    read_format(list, err);
    read_limit(list, err);
    read_order(list, err);
    read_cursor(list, err);
    return read_window(list, err);
}

/* --- What is answered -------------------------------------------------------------- */

/* Samples as found, oldest first, and how many of them are told: those nearest to where
 * the page begins. */
struct found {
    const struct listed_sample *samples;
    size_t count, told;
};

static const struct listed_sample *nearest(const struct list_request *list,
                                           const struct found *found, size_t n)
{
    return &found->samples[list->cursor.is_backward ? found->count - 1 - n : n];
}

static const struct listed_sample *first_told(const struct list_request *list,
                                              const struct found *found)
{
    return found->samples + (list->cursor.is_backward ? found->count - found->told : 0);
}

/* Timestamp and rank name a sample among those of its type; then the type, in short. */
static struct slice format_id(const struct listed_sample *sample, char id[static ID_BYTES_MAX])
{
    int len =
        snprintf(id, ID_BYTES_MAX, "%lld-%llu-%016llx", (long long)sample->record.at.us,
                 (unsigned long long)sample->rank, (unsigned long long)hash_stable(sample->type));
    return slice_of(id, (size_t)len);
}

static void write_object(struct json_writer *w, const struct listed_sample *sample)
{
    char id[ID_BYTES_MAX];
    json_write_object(w);
    json_write_name(w, "id");
    json_write_text(w, format_id(sample, id));
    json_write_name(w, "timestamp");
    json_write_instant(w, sample->record.at);
    json_write_name(w, "value");
    json_write_number(w, sample->record.value);
    json_write_name(w, "type");
    json_write_text(w, sample->type);
    json_write_end(w);
}

static void write_array(const struct list_request *list, struct found *found, struct strbuf *body)
{
    struct json_writer w;
    found->told = found->count < (size_t)list->limit ? found->count : (size_t)list->limit;
    json_write_begin(&w, body);
    json_write_array(&w);
    for (size_t i = 0; i < found->told; i++)
        write_object(&w, first_told(list, found) + i);
    json_write_end(&w);
}

static void write_record(enum list_format format, const struct listed_sample *sample,
                         struct strbuf *out)
{
    if (format == LIST_CSV) {
        char id[ID_BYTES_MAX];
        struct csv_writer w;
        csv_begin(&w, out);
        csv_plain(&w, format_id(sample, id));
        csv_instant(&w, sample->record.at);
        csv_number(&w, sample->record.value);
        csv_text(&w, sample->type);
        csv_end_row(&w);
    } else {
        struct json_writer w;
        json_write_begin(&w, out);
        write_object(&w, sample);
        strbuf_append_char(out, '\n');
    }
}

/*
 * As many records as fit. They are written from the nearest one on, since it is the
 * farthest that have to wait for the next page: backward, that is from the end of the room.
 */
static void write_records(const struct list_request *list, struct found *found, struct strbuf *body)
{
    if (list->format == LIST_CSV)
        strbuf_append_slice(body, SLICE("id,timestamp,value,type\n"));
    size_t used = 0, room_bytes = EXPORT_BYTES_MAX - body->len;
    char *room = strbuf_reserve(body, room_bytes);
    struct strbuf record;
    strbuf_init(&record, EXPORT_BYTES_MAX);
    for (; room && found->told < found->count && found->told < (size_t)list->limit; found->told++) {
        strbuf_reset(&record);
        write_record(list->format, nearest(list, found, found->told), &record);
        if (strbuf_failed(&record))
            body->failed = true;
        if (strbuf_failed(&record) || record.len > room_bytes - used)
            break;
        used += record.len;
        size_t at = list->cursor.is_backward ? room_bytes - used : used - record.len;
        memcpy(room + at, record.bytes, record.len);
    }
    strbuf_release(&record);
    if (room && list->cursor.is_backward)
        memmove(room, room + room_bytes - used, used);
    strbuf_commit(body, used);
}

/*
 * What a Link keeps, as its values are bounded: an instant has 64 bytes (window.c), what of
 * the rest is no number has six. Two of them and the other headers fit into what nginx reads
 * of an answer first (fastcgi_buffer_size 16k in conf/nginx.conf).
 */
static const char *const link_parameters[] = {"type",  "from",   "to", "order",
                                              "limit", "format", NULL};
enum {
    LINK_VALUES_MAX = TYPE_BYTES_MAX + 2 * 64 + 2 * 6 + QUERY_INTEGER_BYTES_MAX,
    LINK_BYTES_MAX = 3 * LINK_VALUES_MAX + LIST_CURSOR_TEXT_MAX + 96
};
static_assert(2 * LINK_BYTES_MAX < 8192, "two Links and the other headers fit into any buffer");

static void append_link(const struct list_request *list, const struct list_cursor *to,
                        const char *relation, struct strbuf *out)
{
    struct list_cursor cursor = *to;
    if (list->type.len > 0)
        cursor.place.type = SLICE("");
    strbuf_append_slice(out, SLICE("<?"));
    query_append_known(list->req->query, link_parameters, out);
    strbuf_append_slice(out, SLICE("cursor="));
    list_cursor_append(&cursor, out);
    strbuf_printf(out, ">; rel=\"%s\"", relation);
}

/* Where this page begins and where it ends. One without samples is itself such a place. */
static void find_ends(const struct list_request *list, const struct found *found,
                      struct list_cursor *older, struct list_cursor *newer)
{
    *older = *newer = list->cursor;
    older->is_backward = true;
    newer->is_backward = false;
    if (found->told == 0)
        return;
    const struct listed_sample *first = first_told(list, found), *last = first + found->told - 1;
    older->place = (struct list_place){first->record.at, first->type, first->rank};
    newer->place = (struct list_place){last->record.at, last->type, last->rank + 1};
}

static void add_links(const struct list_request *list, const struct found *found,
                      struct response *res)
{
    bool has_more = found->told < found->count, is_backward = list->cursor.is_backward;
    bool has_older = is_backward ? has_more : list->has_cursor;
    bool has_newer = is_backward ? list->has_cursor : has_more;
    struct list_cursor older, newer;
    if (!has_older && !has_newer)
        return;
    find_ends(list, found, &older, &newer);
    strbuf_append_slice(&res->headers, SLICE("Link: "));
    if (has_older)
        append_link(list, &older, list->is_newest_first ? "next" : "prev", &res->headers);
    if (has_older && has_newer)
        strbuf_append_slice(&res->headers, SLICE(", "));
    if (has_newer)
        append_link(list, &newer, list->is_newest_first ? "prev" : "next", &res->headers);
    strbuf_append_slice(&res->headers, SLICE("\r\n"));
}

/* One more than can be told, to know whether there is a further page. */
static size_t samples_wanted(const struct list_request *list)
{
    size_t limit = (size_t)list->limit, record_min = formats[list->format].record_bytes_min;
    size_t fitting = record_min ? EXPORT_BYTES_MAX / (record_min + list->type.len) : limit;
    return 1 + (limit < fitting ? limit : fitting);
}

enum err_code api_metrics_list(struct app *app, const struct request *req, struct response *res,
                               struct error *err)
{
    struct list_request list = {.req = req};
    if (read_request(&list, err) != ERR_OK)
        return err->code;
    const struct list_question question = {.type = list.type,
                                           .from = list.window.from,
                                           .to = list.window.to,
                                           .is_backward = list.cursor.is_backward,
                                           .place = list.has_cursor ? &list.cursor.place : NULL,
                                           .limit = samples_wanted(&list)};
    struct listed_sample *samples = arena_alloc(req->arena, question.limit * sizeof *samples);
    if (!samples)
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    struct found found = {.samples = samples};
    struct metric_report report;
    enum err_code code = metric_store_list(app->store, &question, app_read_deadline(), req->arena,
                                           samples, &found.count, &report, err);
    if (code != ERR_OK)
        return code;
    res->content_type = formats[list.format].content_type;
    response_header(res, "Vary", "Accept");
    if (list.format == LIST_JSON)
        write_array(&list, &found, &res->body);
    else
        write_records(&list, &found, &res->body);
    add_links(&list, &found, res);
    report_headers_add(&report, 1, res);
    return ERR_OK;
}
