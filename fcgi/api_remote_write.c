/* POST /api/v1/write: Prometheus remote write 1.0. */
#include "intake.h"
#include "remote_write.h"
#include "routes.h"

/* A sender of 2.0 names its message, and falls back to 1.0 when told so. */
static enum err_code check_media_type(const struct request *req, struct error *err)
{
    struct slice parameters, type = request_media_type(req, &parameters);
    bool is_first =
        parameters.len == 0 || slice_equals(parameters, SLICE("proto=prometheus.WriteRequest"));
    if (is_first &&
        (type.len == 0 || slice_equals_ignoring_case(type, SLICE("application/x-protobuf"))))
        return ERR_OK;
    return error_set(err, ERR_UNSUPPORTED_MEDIA_TYPE,
                     "Remote write is taken in version 1.0, Content-Type: application/x-protobuf");
}

enum err_code api_remote_write(struct app *app, const struct request *req, struct response *res,
                               struct error *err)
{
    struct intake in;
    if (check_media_type(req, err) != ERR_OK)
        return err->code;
    enum err_code code = intake_begin(&in, app, req, err);
    if (code == ERR_OK) {
        in.is_partial = true; /* good series are kept, and the answer says 400 */
        code = remote_write_read(req->body, &in.sink, err);
    }
    if (code == ERR_OK)
        code = intake_store(&in, res);
    if (code == ERR_OK && in.refused_count > 0)
        code = intake_tell_left_out(&in);
    if (code == ERR_OK) {
        res->status = 204;
        res->has_body = false;
    }
    intake_release(&in);
    return code;
}
