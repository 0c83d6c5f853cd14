#include "summary_question.h"

#include "query.h"
#include "redis_keys.h"

/* What percentiles_read makes of 50,90,95,99,99.9, without reading it each time. */
static const struct percentiles usual_percentiles = {
    .count = 5,
    .entries = {{50000000, "p50"},
                {90000000, "p90"},
                {95000000, "p95"},
                {99000000, "p99"},
                {99900000, "p999"}},
};

/* Most requests have none of these. */
enum detail { DETAIL_FROM, DETAIL_TO, DETAIL_PERCENTILES, DETAIL_COMPARE, DETAIL_COUNT };

static const char *const detail_names[DETAIL_COUNT] = {
    [DETAIL_FROM] = "from",
    [DETAIL_TO] = "to",
    [DETAIL_PERCENTILES] = "percentiles",
    [DETAIL_COMPARE] = "compare",
};

static bool is_open(struct wall_time bound)
{
    return bound.us == WALL_TIME_MIN.us || bound.us == WALL_TIME_MAX.us;
}

/* What lies right before a window, which ends now where its end is open. */
static enum err_code find_previous(struct wall_time now, struct summary_question *q,
                                   struct error *err)
{
    int64_t from_us = q->window.from.us;
    if (is_open(q->window.from))
        return error_add_field(err, "query", "compare",
                               "has nothing before it: give period=daily, period=hourly or from");
    int64_t to_us = is_open(q->window.to) ? now.us : q->window.to.us;
    if (to_us <= from_us)
        return error_add_field(err, "query", "compare",
                               "needs a window with an end, as this one begins after now: give to");
    q->previous_from.us = from_us - (to_us - from_us);
    if (q->previous_from.us < ISO8601_MIN_US)
        return error_add_field(err, "query", "compare", "would begin before the year 1");
    return ERR_OK;
}

enum err_code summary_question_move(const struct request *req, struct wall_time now,
                                    struct summary_question *q, struct error *err)
{
    enum err_code code = window_read(req, now, &q->window, err);
    if (code == ERR_OK && q->is_compared && (q->window.is_given || q->period == PERIOD_ALL))
        code = find_previous(now, q, err);
    return code;
}

static enum err_code read_percentiles(const struct request *req, struct summary_question *q,
                                      struct error *err)
{
    struct percentiles *percentiles = arena_alloc(req->arena, sizeof *percentiles);
    if (!percentiles)
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    q->percentiles = percentiles;
    return percentiles_read(req, "", percentiles, err);
}

static enum err_code name_answer(const struct request *req, const struct slice *details,
                                 struct summary_question *q, struct error *err)
{
    struct strbuf name;
    strbuf_init(&name, SUMMARY_NAME_BYTES_MAX);
    strbuf_append_slice(&name, q->name);
    if (q->window.is_given) {
        strbuf_append_char(&name, '&');
        strbuf_append_slice(&name, details[DETAIL_FROM]);
        strbuf_append_char(&name, '&');
        strbuf_append_slice(&name, details[DETAIL_TO]);
    }
    strbuf_printf(&name, "&%d", q->is_compared);
    for (size_t i = 0; i < q->percentiles->count; i++)
        strbuf_printf(&name, "&%s", q->percentiles->entries[i].name);
    q->name = arena_copy(req->arena, strbuf_slice(&name));
    bool has_failed = strbuf_failed(&name) || !q->name.ptr;
    strbuf_release(&name);
    return has_failed ? error_set(err, ERR_NO_MEMORY, "Out of memory") : ERR_OK;
}

static enum err_code read_details(const struct request *req, struct wall_time now, bool has_period,
                                  const struct slice *details, struct summary_question *q,
                                  struct error *err)
{
    struct slice compare = details[DETAIL_COMPARE];
    q->is_compared = slice_equals(compare, SLICE("previous"));
    if (compare.ptr && !q->is_compared)
        (void)error_add_field(err, "query", "compare", "must be previous");
    if (details[DETAIL_PERCENTILES].ptr && read_percentiles(req, q, err) == ERR_NO_MEMORY)
        return err->code;
    enum err_code code = summary_question_move(req, now, q, err);
    if (has_period && q->window.is_given)
        code = error_add_field(err, "query", "period",
                               "cannot be together with from or to: give one of them");
    if (code != ERR_OK)
        return code;
    bool ends_now = !q->window.is_given || is_open(q->window.to);
    q->is_moving = q->window.is_relative || (q->is_compared && ends_now);
    return name_answer(req, details, q, err);
}

static size_t count_pairs(struct slice query)
{
    size_t count = 1;
    for (size_t i = 0; i < query.len; i++)
        count += query.ptr[i] == '&';
    return count;
}

/* Two names in two pairs leave room for no other: then nothing else is looked for. */
static bool may_have_details(struct slice query, struct slice type, struct slice period)
{
    return count_pairs(query) > (size_t)(type.ptr != NULL) + (period.ptr != NULL);
}

static enum err_code get_details(const struct request *req, struct slice *details, bool *has_any,
                                 struct error *err)
{
    for (int i = 0; i < DETAIL_COUNT; i++) {
        if (query_get(req->query, detail_names[i], req->arena, &details[i], err) != ERR_OK)
            return err->code;
        *has_any = *has_any || details[i].ptr;
    }
    return ERR_OK;
}

enum err_code summary_question_read(const struct request *req, struct wall_time now,
                                    struct summary_question *q, struct error *err)
{
    static const char *const names[PERIOD_COUNT] = {[PERIOD_ALL] = "summary:all",
                                                    [PERIOD_DAILY] = "summary:daily",
                                                    [PERIOD_HOURLY] = "summary:hourly"};
    struct slice period, details[DETAIL_COUNT];
    bool has_details = false;
    *q = (struct summary_question){.period = PERIOD_ALL, .percentiles = &usual_percentiles};
    if (query_get_type(req->query, true, req->arena, &q->type, err) == ERR_NO_MEMORY ||
        query_get(req->query, "period", req->arena, &period, err) != ERR_OK)
        return err->code;
    if (err->code == ERR_OK && period.ptr && !period_parse(period, &q->period))
        return error_set(err, ERR_BAD_REQUEST, "Invalid period. Use 'all', 'daily' or 'hourly'");
    if (may_have_details(req->query, q->type, period) &&
        get_details(req, details, &has_details, err) != ERR_OK)
        return err->code;
    q->name = slice_from_string(names[q->period]);
    if (has_details)
        (void)read_details(req, now, period.ptr != NULL, details, q, err);
    if (err->code != ERR_OK)
        return err->code;
    char *tag = arena_alloc(req->arena, REDIS_TAG_BYTES);
    if (!tag)
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    q->tag = redis_key_tag_of_type(q->type, tag);
    return ERR_OK;
}
