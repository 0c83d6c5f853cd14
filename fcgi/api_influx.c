/*
 * The HTTP interface of InfluxDB, as far as senders use it: /write (1.x), /api/v2/write (2.x),
 * /ping, and of /query the statements that clients send on connecting.
 */
#include "intake.h"
#include "json_write.h"
#include "line_protocol.h"
#include "query.h"
#include "routes.h"

/* --- Writing ------------------------------------------------------------------------ */

static enum err_code read_unit(const struct request *req, enum line_unit *unit, struct error *err)
{
    static const struct {
        struct slice name;
        enum line_unit unit;
    } units[] = {
        {{"ns", 2}, LINE_NANOSECONDS},
        {{"n", 1}, LINE_NANOSECONDS},
        {{"us", 2}, LINE_MICROSECONDS},
        {{"u", 1}, LINE_MICROSECONDS},
        {{"\xc2\xb5", 2}, LINE_MICROSECONDS},
        {{"ms", 2}, LINE_MILLISECONDS},
        {{"s", 1}, LINE_SECONDS},
    };
    struct slice text;
    enum err_code code = query_get(req->query, "precision", req->arena, &text, err);
    *unit = LINE_NANOSECONDS;
    if (code != ERR_OK || text.len == 0)
        return code;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (slice_equals(text, units[i].name)) {
            *unit = units[i].unit;
            return ERR_OK;
        }
    }
    return error_add_field(err, "query", "precision", "must be ns, us, ms or s");
}

/* Senders take 204 alone for success; whoever asked for a partial write wants to know. */
static void answer(struct intake *in, struct response *res)
{
    response_header(res, "X-Samples-Accepted", "%zu", intake_stored_count(in));
    response_header(res, "X-Fields-Skipped", "%llu", (unsigned long long)in->sink.skipped);
    if (!in->is_partial || in->refused_count == 0) {
        res->status = 204;
        res->has_body = false;
        return;
    }
    struct json_writer w;
    json_write_begin(&w, &res->body);
    json_write_object(&w);
    intake_write_counts(in, &w);
    json_write_end(&w);
}

enum err_code api_influx_write(struct app *app, const struct request *req, struct response *res,
                               struct error *err)
{
    enum line_unit unit;
    struct intake in;
    if (read_unit(req, &unit, err) != ERR_OK)
        return err->code;
    enum err_code code = intake_begin(&in, app, req, err);
    if (code == ERR_OK) {
        in.keeps_known_types = true;
        line_protocol_read(req->body, unit, in.mark.arrival, &in.sink);
        code = intake_store(&in, res);
    }
    /* As InfluxDB: what it had to leave out is an error, though the rest is stored. */
    if (code == ERR_OK && in.refused_count > 0)
        code = in.is_partial ? intake_require_some(&in) : intake_tell_left_out(&in);
    if (code == ERR_OK)
        answer(&in, res);
    intake_release(&in);
    return code;
}

/* --- Connecting --------------------------------------------------------------------- */

enum err_code api_influx_ping(struct app *app, const struct request *req, struct response *res,
                              struct error *err)
{
    (void)app, (void)req, (void)err;
    /* Clients compare it with what they need: it is the interface's version, not ours. */
    response_header(res, "X-Influxdb-Version", "1.8.10");
    res->status = 204;
    res->has_body = false;
    return ERR_OK;
}

static struct slice next_word(struct slice *rest)
{
    *rest = slice_trim(*rest);
    size_t len = 0;
    while (len < rest->len && rest->ptr[len] != ' ' && rest->ptr[len] != '\t' &&
           rest->ptr[len] != '\n' && rest->ptr[len] != '\r')
        len++;
    struct slice word = slice_of(rest->ptr, len);
    *rest = slice_of(rest->ptr + len, rest->len - len);
    return word;
}

static bool is_word(struct slice *rest, struct slice wanted)
{
    return slice_equals_ignoring_case(next_word(rest), wanted);
}

static void write_databases(struct json_writer *w)
{
    json_write_name(w, "series");
    json_write_array(w);
    json_write_object(w);
    json_write_name(w, "name");
    json_write_string(w, "databases");
    json_write_name(w, "columns");
    json_write_array(w);
    json_write_string(w, "name");
    json_write_end(w);
    json_write_name(w, "values");
    json_write_array(w);
    json_write_array(w);
    json_write_string(w, "analytics");
    json_write_end(w);
    json_write_end(w);
    json_write_end(w);
    json_write_end(w);
}

/* False: we do not know it. */
static bool write_result(struct slice statement, int64_t number, struct json_writer *w)
{
    struct slice rest = statement;
    struct slice verb = next_word(&rest);
    bool is_show = slice_equals_ignoring_case(verb, SLICE("SHOW"));
    bool is_known = is_show ? is_word(&rest, SLICE("DATABASES")) && next_word(&rest).len == 0
                            : slice_equals_ignoring_case(verb, SLICE("CREATE")) &&
                                  is_word(&rest, SLICE("DATABASE")) && slice_trim(rest).len > 0;
    if (!is_known)
        return false;
    json_write_object(w);
    json_write_name(w, "statement_id");
    json_write_integer(w, number);
    if (is_show)
        write_databases(w);
    json_write_end(w);
    return true;
}

static enum err_code answer_statements(struct slice statements, struct response *res,
                                       struct error *err)
{
    struct json_writer w;
    int64_t number = 0;
    json_write_begin(&w, &res->body);
    json_write_object(&w);
    json_write_name(&w, "results");
    json_write_array(&w);
    while (statements.len > 0) {
        struct slice statement = slice_trim(slice_cut(&statements, ';'));
        if (statement.len > 0 && !write_result(statement, number++, &w))
            return error_set(err, ERR_BAD_REQUEST,
                             "Of InfluxDB's statements CREATE DATABASE and SHOW DATABASES are "
                             "known here; samples are read at /api/metrics/summary and /series");
    }
    json_write_end(&w);
    json_write_end(&w);
    return ERR_OK;
}

enum err_code api_influx_query(struct app *app, const struct request *req, struct response *res,
                               struct error *err)
{
    (void)app;
    struct slice q;
    if (query_get(req->query, "q", req->arena, &q, err) != ERR_OK ||
        (!q.ptr && query_get(req->body, "q", req->arena, &q, err) != ERR_OK))
        return err->code;
    if (slice_trim(q).len == 0)
        return error_add_field(err, "query", "q", "Field required");
    return answer_statements(q, res, err);
}
