/* How the caller stands with the limit of POST, and how any answer tells so. */
#include "json_write.h"
#include "rate_headers.h"
#include "routes.h"

int64_t rate_seconds(int64_t us)
{
    return us <= 0 ? 0 : (us + 999999) / 1000000;
}

void rate_headers_add(struct response *res, const struct rate_policy *policy,
                      const struct rate_verdict *verdict)
{
    if (policy->limit == 0)
        return;
    response_header(res, "RateLimit-Policy", "\"%s\";q=%llu;w=%u", policy->name,
                    (unsigned long long)policy->limit, policy->window_seconds);
    int64_t wait_us = verdict->is_admitted ? verdict->next_us : verdict->retry_after_us;
    response_header(res, "RateLimit", "\"%s\";r=%llu;t=%lld", policy->name,
                    (unsigned long long)verdict->remaining, (long long)rate_seconds(wait_us));
}

static void write_count(struct json_writer *w, const char *name, bool is_limited, uint64_t count)
{
    json_write_name(w, name);
    if (is_limited)
        json_write_integer(w, (int64_t)count);
    else
        json_write_null(w);
}

enum err_code api_rate_limit(struct app *app, const struct request *req, struct response *res,
                             struct error *err)
{
    const struct rate_policy *policy = &app->policies[req->route->policy];
    bool is_limited = policy->limit > 0;
    struct rate_subject subject;
    rate_subject_from_address(req->remote_address, &subject);
    struct rate_verdict verdict = {.policy = policy, .is_admitted = true};
    if (is_limited && rate_limiter_peek(app->limiter, policy, &subject, &verdict, err) != ERR_OK)
        return err->code;

    struct json_writer w;
    json_write_begin(&w, &res->body);
    json_write_object(&w);
    json_write_name(&w, "policy");
    json_write_string(&w, policy->name);
    write_count(&w, "limit", is_limited, policy->limit);
    write_count(&w, "remaining", is_limited, verdict.remaining);
    json_write_name(&w, "window_seconds");
    json_write_integer(&w, policy->window_seconds);
    json_write_name(&w, "next_seconds");
    json_write_integer(&w, rate_seconds(verdict.next_us));
    json_write_name(&w, "retry_after_seconds");
    json_write_integer(&w, rate_seconds(verdict.retry_after_us));
    json_write_name(&w, "subject");
    json_write_text(&w, slice_of(subject.bytes, subject.len));
    json_write_end(&w);
    rate_headers_add(res, policy, &verdict);
    return ERR_OK;
}
