/*
 * GET /api/metrics/summary: near cache, then one flight per type and period, then the
 * cache in Redis. Says which it was: Cache-Status (RFC 9211), X-Cache, Age, ETag.
 */
#include <stdio.h>

#include "external_service.h"
#include "hash.h"
#include "json_write.h"
#include "near_cache.h"
#include "number.h"
#include "query.h"
#include "redis_keys.h"
#include "routes.h"
#include "single_flight.h"
#include "summary_cache.h"

enum { FETCH_AGAIN_US = 1000000 };

/* What precedes the body in a flight's result and in the near cache. */
struct entry_head {
    int64_t made_us; /* monotonic: when the figures were true */
    uint64_t etag;
    bool is_hit;
};

enum freshness { FRESHNESS_HIT, FRESHNESS_MISS, FRESHNESS_STALE };

struct question {
    struct app *app;
    struct slice type;
    enum period period;
    struct slice tag;  /* of the type, in the near cache */
    struct slice name; /* of the answer, in the near cache */
};

static enum err_code read_question(struct app *app, const struct request *req, struct question *q,
                                   struct error *err)
{
    struct slice period;
    q->app = app;
    q->period = PERIOD_ALL;
    if (query_get(req->query, "type", req->arena, &q->type, err) == ERR_OK) {
        const char *wrong = q->type.ptr ? sample_check_type(q->type) : "Field required";
        if (wrong)
            (void)error_add_field(err, "query", "type", "%s", wrong);
    }
    if (query_get(req->query, "period", req->arena, &period, err) != ERR_OK || err->code != ERR_OK)
        return err->code;
    if (period.ptr && !period_parse(period, &q->period))
        return error_set(err, ERR_BAD_REQUEST, "Invalid period. Use 'all', 'daily' or 'hourly'");

    static const char *const names[PERIOD_COUNT] = {[PERIOD_ALL] = "summary:all",
                                                    [PERIOD_DAILY] = "summary:daily",
                                                    [PERIOD_HOURLY] = "summary:hourly"};
    q->name = slice_from_string(names[q->period]);
    char *tag = arena_alloc(req->arena, REDIS_TAG_BYTES);
    if (!tag)
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    q->tag = redis_key_tag_of_type(q->type, tag);
    return ERR_OK;
}

static void write_body(const struct question *q, const struct summary *s, struct slice external,
                       struct strbuf *out)
{
    struct json_writer w;
    json_write_begin(&w, out);
    json_write_object(&w);
    json_write_name(&w, "type");
    json_write_text(&w, q->type);
    json_write_name(&w, "period");
    json_write_text(&w, period_name(q->period));
    json_write_name(&w, "count");
    json_write_integer(&w, (int64_t)s->count);
    json_write_name(&w, "average_value");
    json_write_number(&w, s->average);
    json_write_name(&w, "min_value");
    json_write_number(&w, s->min);
    json_write_name(&w, "max_value");
    json_write_number(&w, s->max);
    json_write_name(&w, "latest_value");
    json_write_number(&w, s->latest);
    json_write_name(&w, "external");
    if (external.len > 0)
        json_write_raw(&w, external);
    else
        json_write_null(&w);
    json_write_end(&w);
}

/* Append head and body to `out`. */
static void write_entry(const struct question *q, const struct summary_answer *answer,
                        struct slice external, struct mono_time asked_at, struct strbuf *out)
{
    struct entry_head head = {.made_us = asked_at.us - answer->age_us, .is_hit = answer->is_hit};
    size_t at = out->len;
    strbuf_append(out, &head, sizeof head);
    write_body(q, &answer->summary, external, out);
    if (strbuf_failed(out))
        return;
    struct slice body = slice_of(out->bytes + at + sizeof head, out->len - at - sizeof head);
    head.etag = hash_bytes(body, 0);
    memcpy(out->bytes + at, &head, sizeof head);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/*
 * Until when an answer made by a question of `asked_at` stays as it is by itself. One that
 * lacks its external data is soon asked for again: fetching them may have failed, and
 * nothing would tell.
 */
static struct mono_time end_of(const struct app *app, const struct summary_answer *answer,
                               bool has_external, struct mono_time asked_at)
{
    int64_t us = least(answer->valid_us, app->config->cache_ttl_seconds * 1000000);
    if (has_external)
        us = least(us, answer->external_ttl_us);
    else if (answer->summary.count > 0)
        us = least(us, FETCH_AGAIN_US);
    return mono_after_us(asked_at, us);
}

/* A flight: ask Redis, keep the answer near. What another thread has fetched since we
 * looked is as good. */
static enum err_code fetch(void *context, struct strbuf *result, struct error *err)
{
    const struct question *q = context;
    struct app *app = q->app;
    struct near_ticket ticket;
    struct mono_time asked_at = clock_mono_now();
    if (near_cache_get(app->near_cache, q->tag, q->name, asked_at, result, &ticket))
        return ERR_OK;

    struct strbuf external;
    strbuf_init(&external, EXTERNAL_DATA_BYTES_MAX);
    struct summary_answer answer;
    enum err_code code =
        summary_cache_get(app->summaries, q->type, q->period, app->config->cache_fresh_ms * 1000,
                          app_read_deadline(), &answer, &external, err);
    if (code == ERR_OK) {
        /* A type without samples asks nothing of others, or anybody could fill Redis. */
        bool has_external = external.len > 0;
        if (!has_external && answer.summary.count > 0)
            external_service_refresh(app->external, q->type);
        write_entry(q, &answer, strbuf_slice(&external), asked_at, result);
        if (!strbuf_failed(result)) /* else it holds a part */
            near_cache_put(app->near_cache, &ticket, q->tag, q->name, strbuf_slice(result),
                           (struct mono_time){asked_at.us - answer.age_us},
                           end_of(app, &answer, has_external, asked_at));
    }
    strbuf_release(&external);
    return code;
}

static bool find_not_older_than(const struct question *q, int64_t age_max_us, struct strbuf *out)
{
    int64_t age_us;
    if (!near_cache_get_stale(q->app->near_cache, q->tag, q->name, clock_mono_now(), out, &age_us))
        return false;
    if (age_us <= age_max_us)
        return true;
    strbuf_reset(out);
    return false;
}

/* An entry of head and body into `out`, by the cheapest way that is right. */
static enum err_code find_entry(struct question *q, struct strbuf *out, enum freshness *freshness,
                                struct error *err)
{
    struct app *app = q->app;
    struct near_ticket ticket;
    int64_t fresh_us = app->config->cache_fresh_ms * 1000;
    *freshness = FRESHNESS_HIT;
    if (near_cache_get(app->near_cache, q->tag, q->name, clock_mono_now(), out, &ticket) ||
        (fresh_us > 0 && find_not_older_than(q, fresh_us, out)))
        return ERR_OK;

    struct strbuf key;
    strbuf_init(&key, REDIS_TAG_BYTES + 32);
    strbuf_append_slice(&key, q->name);
    strbuf_append_slice(&key, q->tag);
    bool is_shared;
    enum err_code code =
        single_flight_do(app->flights, strbuf_slice(&key), fetch, q, out, &is_shared, err);
    strbuf_release(&key);
    if (code == ERR_OK) {
        struct entry_head head;
        if (out->len < sizeof head)
            return error_set(err, ERR_NO_MEMORY, "Out of memory");
        memcpy(&head, out->bytes, sizeof head);
        *freshness = head.is_hit ? FRESHNESS_HIT : FRESHNESS_MISS;
        return ERR_OK;
    }
    /* The last answer, with its age, beats none. */
    strbuf_reset(out);
    if (!err_counts_as_failure(code) || !find_not_older_than(q, INT64_MAX, out))
        return code;
    *freshness = FRESHNESS_STALE;
    error_init(err);
    return ERR_OK;
}

/* Weak comparison with any of the tags listed (RFC 9110, 13.1.2). */
static bool matches_etag(struct slice listed, struct slice etag)
{
    while (listed.len > 0) {
        const char *comma = memchr(listed.ptr, ',', listed.len);
        size_t len = comma ? (size_t)(comma - listed.ptr) : listed.len;
        struct slice tag = slice_trim(slice_of(listed.ptr, len));
        if (slice_starts_with(tag, SLICE("W/")))
            tag = slice_of(tag.ptr + 2, tag.len - 2);
        if (slice_equals(tag, etag) || slice_equals(tag, SLICE("*")))
            return true;
        size_t taken = comma ? len + 1 : len;
        listed = slice_of(listed.ptr + taken, listed.len - taken);
    }
    return false;
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
    struct entry_head head;
    memcpy(&head, entry.ptr, sizeof head);
    int64_t age_us = clock_mono_now().us - head.made_us;
    char etag[24];
    (void)snprintf(etag, sizeof etag, "\"%016llx\"", (unsigned long long)head.etag);

    res->cache_control = "no-cache";
    response_header(res, "Cache-Status", "\"analytics\"; %s", statuses[freshness]);
    response_header(res, "X-Cache", "%s", names[freshness]);
    response_header(res, "Age", "%lld", age_us > 0 ? (long long)(age_us / 1000000) : 0LL);
    response_header(res, "ETag", "%s", etag);
    if (matches_etag(req->if_none_match, slice_from_string(etag))) {
        res->status = 304;
        res->has_body = false;
        return;
    }
    strbuf_append(&res->body, entry.ptr + sizeof head, entry.len - sizeof head);
}

enum err_code api_summary(struct app *app, const struct request *req, struct response *res,
                          struct error *err)
{
    struct question q;
    if (read_question(app, req, &q, err) != ERR_OK)
        return err->code;
    struct strbuf entry;
    strbuf_init(&entry, SUMMARY_BYTES_MAX);
    enum freshness freshness;
    enum err_code code = find_entry(&q, &entry, &freshness, err);
    if (code == ERR_OK)
        respond(req, res, strbuf_slice(&entry), freshness);
    strbuf_release(&entry);
    return code;
}
