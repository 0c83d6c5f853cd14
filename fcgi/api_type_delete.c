/* DELETE /api/metrics: the end of a type, with all of its samples. */
#include "json_write.h"
#include "log.h"
#include "metric_delete.h"
#include "query.h"
#include "routes.h"

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
    if (query_get_type(req->query, true, req->arena, &type, err) != ERR_OK ||
        check_confirmation(req, type, err) != ERR_OK)
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
