/*
 * GET /api/metrics/summary: near cache, then one flight per question, then the cache in
 * Redis, which computes. Says which it was: Cache-Status (RFC 9211), X-Cache, Age, ETag.
 */
#include <stdio.h>

#include "counters.h"
#include "etag.h"
#include "external_service.h"
#include "integer.h"
#include "near_cache.h"
#include "redis_keys.h"
#include "routes.h"
#include "single_flight.h"
#include "summary_json.h"
#include "summary_question.h"

enum { FETCH_AGAIN_US = 1000000 };

/* What precedes the body in a flight's result and in the near cache. */
struct entry_head {
    int64_t made_us; /* monotonic: when the figures were true */
    uint64_t etag;
    bool is_hit;
};

enum freshness { FRESHNESS_HIT, FRESHNESS_MISS, FRESHNESS_STALE };

struct inquiry {
    struct app *app;
    const struct request *req;
    struct summary_question question;
};

/* What the store says. */
struct findings {
    struct summary_answer answer;
    struct aggregate previous;
    struct metric_report previous_report;
    struct wall_time previous_from, previous_to;
    struct strbuf external;
};

static void findings_init(struct findings *f)
{
    aggregate_init(&f->answer.aggregate, true);
    aggregate_init(&f->previous, true);
    strbuf_init(&f->external, EXTERNAL_DATA_BYTES_MAX);
}

static void findings_release(struct findings *f)
{
    aggregate_release(&f->answer.aggregate);
    aggregate_release(&f->previous);
    strbuf_release(&f->external);
}

/* The stretch before a period is known when the period is. */
static void place_previous(const struct summary_question *q, struct findings *f)
{
    if (q->window.is_given) {
        f->previous_from = q->previous_from;
        f->previous_to = q->window.from;
        return;
    }
    const struct summary_answer *answer = &f->answer;
    int64_t span_us = period_span_us(q->period);
    int64_t end_us = answer->valid_us > 0 ? answer->now_us : answer->now_us - answer->age_us;
    f->previous_to.us = end_us - span_us;
    f->previous_from.us = f->previous_to.us - span_us;
}

static enum err_code find_previous(struct app *app, const struct summary_question *q,
                                   struct mono_time deadline, struct findings *f, struct error *err)
{
    place_previous(q, f);
    const struct metric_question question = {
        .type = q->type, .from = f->previous_from, .to = f->previous_to};
    return metric_store_series(app->store, &question, deadline, &f->previous, 1,
                               &f->previous_report, err);
}

static enum err_code find_all(struct app *app, const struct summary_question *q, struct findings *f,
                              struct error *err)
{
    enum err_code code;
    struct mono_time deadline = app_read_deadline();
    if (q->window.is_given)
        code = summary_cache_get_window(app->summaries, q->type, q->window.from, q->window.to,
                                        deadline, &f->answer, &f->external, err);
    else
        code = summary_cache_get(app->summaries, q->type, q->period,
                                 app->config->cache_fresh_ms * 1000, deadline, &f->answer,
                                 &f->external, err);
    if (code == ERR_OK && q->is_compared)
        code = find_previous(app, q, deadline, f, err);
    return code;
}

static void write_body(const struct summary_question *q, const struct findings *f,
                       struct strbuf *out)
{
    const struct summary_part previous = {f->previous_from, f->previous_to, &f->previous,
                                          &f->previous_report};
    const struct summary_view view = {
        .type = q->type,
        .period = q->window.is_given ? SLICE("") : period_name(q->period),
        .percentiles = q->percentiles,
        .current = {q->window.from, q->window.to, &f->answer.aggregate, &f->answer.report},
        .previous = q->is_compared ? &previous : NULL,
        .external = strbuf_slice(&f->external),
    };
    summary_json_write(&view, out);
}

/* Append head and body to `out`. */
static void write_entry(const struct summary_question *q, const struct findings *f,
                        struct mono_time asked_at, struct strbuf *out)
{
    struct entry_head head = {.made_us = asked_at.us - f->answer.age_us,
                              .is_hit = f->answer.is_hit && !q->is_compared};
    size_t at = out->len;
    strbuf_append(out, &head, sizeof head);
    write_body(q, f, out);
    if (strbuf_failed(out))
        return;
    struct slice body = slice_of(out->bytes + at + sizeof head, out->len - at - sizeof head);
    head.etag = etag_hash(body);
    memcpy(out->bytes + at, &head, sizeof head);
}

static bool is_whole(const struct metric_report *report)
{
    return !report->is_widened && report->damage_count == 0;
}

/*
 * Until when what was found by a question of `asked_at` stays as it is by itself. An answer
 * that lacks its external data is soon asked for again: fetching them may have failed, and
 * nothing would tell. Nothing would tell either when what is missing can be read again.
 */
static struct mono_time end_of(const struct app *app, const struct summary_question *q,
                               const struct findings *f, struct mono_time asked_at)
{
    const struct summary_answer *answer = &f->answer;
    if (q->is_moving || !is_whole(&answer->report) ||
        (q->is_compared && !is_whole(&f->previous_report)))
        return asked_at;
    int64_t us = lesser(answer->valid_us, app->config->cache_ttl_seconds * 1000000);
    if (f->external.len > 0)
        us = lesser(us, answer->external_ttl_us);
    else if (answer->aggregate.moments.count > 0)
        us = lesser(us, FETCH_AGAIN_US);
    return mono_after_us(asked_at, us);
}

/* Ask Redis, keep the answer near. */
static enum err_code fetch(struct inquiry *inquiry, const struct near_ticket *ticket,
                           struct mono_time asked_at, struct strbuf *result, struct error *err)
{
    struct app *app = inquiry->app;
    struct summary_question *q = &inquiry->question;
    struct findings f;
    findings_init(&f);
    enum err_code code = find_all(app, q, &f, err);
    if (code == ERR_OK) {
        /* A type without samples asks nothing of others, or anybody could fill Redis. */
        if (f.external.len == 0 && f.answer.aggregate.moments.count > 0)
            external_service_refresh(app->external, q->type);
        write_entry(q, &f, asked_at, result);
        if (!strbuf_failed(result)) /* else it holds a part */
            near_cache_put(app->near_cache, ticket, q->tag, q->name, strbuf_slice(result),
                           (struct mono_time){asked_at.us - f.answer.age_us},
                           end_of(app, q, &f, asked_at));
    }
    findings_release(&f);
    return code;
}

/*
 * A flight. What another thread has fetched since we looked is as good. The present of a
 * window that moves with it is that of the flight: whoever shares it asked before.
 */
static enum err_code fly(void *context, struct strbuf *result, struct error *err)
{
    struct inquiry *inquiry = context;
    struct summary_question *q = &inquiry->question;
    struct near_ticket ticket;
    struct mono_time asked_at = clock_mono_now();
    if (near_cache_get(inquiry->app->near_cache, q->tag, q->name, asked_at, result, &ticket))
        return ERR_OK;
    if (q->is_moving && summary_question_move(inquiry->req, clock_wall_now(), q, err) != ERR_OK)
        return err->code;
    return fetch(inquiry, &ticket, asked_at, result, err);
}

static bool find_not_older_than(const struct inquiry *inquiry, int64_t age_max_us,
                                struct strbuf *out)
{
    int64_t age_us;
    if (!near_cache_get_stale(inquiry->app->near_cache, inquiry->question.tag,
                              inquiry->question.name, clock_mono_now(), out, &age_us))
        return false;
    if (age_us <= age_max_us)
        return true;
    strbuf_reset(out);
    return false;
}

/* One at a time for each question. */
static enum err_code share_flight(struct inquiry *inquiry, struct strbuf *out, struct error *err)
{
    struct strbuf key;
    bool is_shared;
    strbuf_init(&key, REDIS_TAG_BYTES + SUMMARY_NAME_BYTES_MAX);
    strbuf_append_slice(&key, inquiry->question.name);
    strbuf_append_slice(&key, inquiry->question.tag);
    enum err_code code = strbuf_failed(&key)
                             ? error_set(err, ERR_NO_MEMORY, "Out of memory")
                             : single_flight_do(inquiry->app->flights, strbuf_slice(&key), fly,
                                                inquiry, out, &is_shared, err);
    strbuf_release(&key);
    if (code == ERR_OK && out->len < sizeof(struct entry_head))
        code = error_set(err, ERR_NO_MEMORY, "Out of memory");
    return code;
}

/* An entry of head and body into `out`, by the cheapest way that is right. */
static enum err_code find_entry(struct inquiry *inquiry, struct strbuf *out,
                                enum freshness *freshness, struct error *err)
{
    struct app *app = inquiry->app;
    const struct summary_question *q = &inquiry->question;
    struct near_ticket ticket;
    int64_t fresh_us = app->config->cache_fresh_ms * 1000;
    *freshness = FRESHNESS_HIT;
    if (near_cache_get(app->near_cache, q->tag, q->name, clock_mono_now(), out, &ticket) ||
        (fresh_us > 0 && find_not_older_than(inquiry, fresh_us, out)))
        return ERR_OK;

    enum err_code code = share_flight(inquiry, out, err);
    if (code == ERR_OK) {
        struct entry_head head;
        memcpy(&head, out->bytes, sizeof head);
        *freshness = head.is_hit ? FRESHNESS_HIT : FRESHNESS_MISS;
        return ERR_OK;
    }
    /* The last answer, with its age, beats none. */
    strbuf_reset(out);
    if (!err_counts_as_failure(code) || !find_not_older_than(inquiry, INT64_MAX, out))
        return code;
    *freshness = FRESHNESS_STALE;
    error_init(err);
    return ERR_OK;
}

static void respond(const struct request *req, struct response *res, struct slice entry,
                    enum freshness freshness)
{
    static const char *const statuses[] = {[FRESHNESS_HIT] = "hit",
                                           [FRESHNESS_MISS] = "fwd=miss",
                                           [FRESHNESS_STALE] =
                                               "fwd=stale; detail=store-unavailable"};
    static const char *const names[] = {
        [FRESHNESS_HIT] = "HIT", [FRESHNESS_MISS] = "MISS", [FRESHNESS_STALE] = "STALE"};
    static const enum counter counters[] = {[FRESHNESS_HIT] = COUNTER_CACHE_HIT,
                                            [FRESHNESS_MISS] = COUNTER_CACHE_MISS,
                                            [FRESHNESS_STALE] = COUNTER_CACHE_STALE};
    struct entry_head head;
    memcpy(&head, entry.ptr, sizeof head);
    counter_add(counters[freshness], 1);
    int64_t age_us = clock_mono_now().us - head.made_us;

    response_header(res, "Cache-Status", "\"analytics\"; %s", statuses[freshness]);
    response_header(res, "X-Cache", "%s", names[freshness]);
    response_header(res, "Age", "%lld", age_us > 0 ? (long long)(age_us / 1000000) : 0LL);
    if (!etag_answer_hashed(req, res, head.etag))
        strbuf_append(&res->body, entry.ptr + sizeof head, entry.len - sizeof head);
}

enum err_code api_summary(struct app *app, const struct request *req, struct response *res,
                          struct error *err)
{
    struct inquiry inquiry = {.app = app, .req = req};
    if (summary_question_read(req, clock_wall_now(), &inquiry.question, err) != ERR_OK)
        return err->code;
    struct strbuf entry;
    strbuf_init(&entry, SUMMARY_BYTES_MAX);
    enum freshness freshness;
    enum err_code code = find_entry(&inquiry, &entry, &freshness, err);
    if (code == ERR_OK)
        respond(req, res, strbuf_slice(&entry), freshness);
    strbuf_release(&entry);
    return code;
}
