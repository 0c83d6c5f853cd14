#include "life_model.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store_content.h"
#include "test_life.h"

struct fate {
    int64_t arrived_us; /* not after its arrival */
    bool has_expired;
};

static struct fate *fates; /* of test_store.model.samples */
static size_t capacity;

static void note(const char *type, struct record record, int64_t arrived_us)
{
    sample_model_add(&test_store.model, type, record);
    if (capacity < test_store.model.capacity) {
        capacity = test_store.model.capacity;
        struct fate *more = realloc(fates, capacity * sizeof *fates);
        assert_non_null(more);
        fates = more;
    }
    fates[test_store.model.count - 1] = (struct fate){arrived_us, false};
}

void life_model_note(const char *type, struct record record)
{
    note(type, record, clock_wall_now().us);
}

static bool is_full(const char *type)
{
    const char *const open[] = {"ZCARD", "open", NULL}, *const spans[] = {"ZCARD", "spans", NULL};
    int64_t a = 0, b = 0;
    struct redisReply *reply = store_content_call(test_store.client, type, open);
    assert_true(redis_reply_integer(reply, &a));
    redis_reply_free(reply);
    reply = store_content_call(test_store.client, type, spans);
    assert_true(redis_reply_integer(reply, &b));
    redis_reply_free(reply);
    return a + b >= TEST_STORE_SPANS_MAX;
}

void life_model_post(const char *type, int64_t at_us, double value)
{
    struct rate_verdict verdict;
    int64_t now_us = clock_wall_now().us;
    enum err_code code = test_store_add(type, at_us, value, &test_store_no_limit, &verdict);
    if (code == ERR_LIMIT_REACHED && is_full(type))
        return;
    assert_int_equal(code, ERR_OK);
    note(type, (struct record){{at_us}, value}, now_us);
}

void life_model_post_hour(const char *type, int64_t hour, int count)
{
    for (int i = 0; i < count; i++)
        life_model_post(type, hour_start(hour).us + (int64_t)i * 100000, i % 17 - 4.25);
}

void life_model_forget(const char *type)
{
    struct sample_model *model = &test_store.model;
    size_t kept = 0;
    for (size_t i = 0; i < model->count; i++) {
        if (sample_model_is_of(&model->samples[i], type))
            continue;
        model->samples[kept] = model->samples[i];
        fates[kept++] = fates[i];
    }
    model->count = kept;
}

void life_model_release(void)
{
    free(fates);
    fates = NULL;
    capacity = 0;
}

static bool is_of(size_t i, const char *type)
{
    return sample_model_is_of(&test_store.model.samples[i], type);
}

size_t life_model_count(const char *type)
{
    size_t count = 0;
    for (size_t i = 0; i < test_store.model.count; i++)
        count += is_of(i, type);
    return count;
}

void life_model_age(const char *type, int64_t by_us)
{
    for (size_t i = 0; i < test_store.model.count; i++) {
        if (is_of(i, type))
            fates[i].arrived_us -= by_us;
    }
}

/* --- What has expired -------------------------------------------------------------- */

struct numbered {
    struct record record;
    size_t index;
};

/* By time and bits, the latest to arrive first. */
static int compare_numbered(const void *left, const void *right)
{
    const struct numbered *a = left, *b = right;
    if (a->record.at.us != b->record.at.us)
        return a->record.at.us < b->record.at.us ? -1 : 1;
    int order = memcmp(&a->record.value, &b->record.value, sizeof a->record.value);
    return order != 0 ? order : (a->index < b->index) - (a->index > b->index);
}

static struct numbered *number_posted(const char *type, size_t *count)
{
    struct numbered *posted = calloc(test_store.model.count + 1, sizeof *posted);
    assert_non_null(posted);
    *count = 0;
    for (size_t i = 0; i < test_store.model.count; i++) {
        if (is_of(i, type))
            posted[(*count)++] = (struct numbered){test_store.model.samples[i].record, i};
    }
    qsort(posted, *count, sizeof *posted, compare_numbered);
    return posted;
}

static struct numbered *number_stored(const struct store_content *content)
{
    struct numbered *stored = calloc(content->record_count + 1, sizeof *stored);
    assert_non_null(stored);
    for (size_t i = 0; i < content->record_count; i++)
        stored[i] = (struct numbered){content->records[i], 0};
    qsort(stored, content->record_count, sizeof *stored, compare_numbered);
    return stored;
}

static bool is_same(const struct numbered *a, const struct numbered *b)
{
    return a->record.at.us == b->record.at.us &&
           memcmp(&a->record.value, &b->record.value, sizeof a->record.value) == 0;
}

static void note_fate(size_t index, bool is_there, int64_t expired_before_us)
{
    struct fate *fate = &fates[index];
    if (is_there && fate->has_expired)
        fail_msg("what had expired is back");
    if (!is_there && !fate->has_expired && fate->arrived_us > expired_before_us)
        fail_msg("a sample expired %lld us too early",
                 (long long)(fate->arrived_us - expired_before_us));
    fate->has_expired = !is_there;
}

void life_model_learn(const char *type, const struct metric_retention *retention)
{
    struct store_content content;
    store_content_read(&content, test_store.client, type);
    int64_t before_us =
        retention->samples_us > 0 ? clock_wall_now().us - retention->samples_us : INT64_MIN;
    size_t posted_count, at = 0;
    struct numbered *posted = number_posted(type, &posted_count);
    struct numbered *stored = number_stored(&content);
    assert_int_equal(content.count, posted_count);
    for (size_t i = 0; i < posted_count; i++) {
        bool is_there = at < content.record_count && is_same(&posted[i], &stored[at]);
        at += is_there;
        note_fate(posted[i].index, is_there, before_us);
    }
    if (at < content.record_count)
        fail_msg("what was never posted is there");
    free(posted);
    free(stored);
    store_content_release(&content);
}

/* --- Answers ----------------------------------------------------------------------- */

/* What the answer is to hold, as far as it is known. */
struct expectation {
    struct wall_time from, to;
    const struct metric_report *report;
    uint64_t least, most; /* of samples, by the model */
    uint64_t count;       /* by what is left in Redis */
    struct moments left;  /* of that */
};

static void expect_sample(struct expectation *e, size_t i)
{
    struct record r = test_store.model.samples[i].record;
    const struct metric_report *report = e->report;
    bool is_within = sample_model_is_within(r.at, e->from, e->to),
         has_expired = fates[i].has_expired;
    bool may_be_folded =
        report->is_folded && sample_model_is_within(r.at, report->folded_from, report->folded_to);
    bool may_be_widened =
        report->is_widened && sample_model_is_within(r.at, report->from, report->to);
    if (is_within && !has_expired)
        moments_add(&e->left, r);
    e->least += is_within && !(has_expired && may_be_folded);
    e->most += is_within || (has_expired && may_be_widened);
}

static void expect_all(struct expectation *e, const char *type, int64_t step_us)
{
    struct store_content content;
    moments_init(&e->left);
    for (size_t i = 0; i < test_store.model.count; i++) {
        if (is_of(i, type))
            expect_sample(e, i);
    }
    store_content_read(&content, test_store.client, type);
    for (size_t i = 0; i < content.frozen_count; i++) {
        const struct moments *m = &content.frozen[i];
        if (m->last.at.us >= e->from.us && (m->first.at.us < e->to.us || e->to.us == INT64_MAX))
            moments_merge(&e->left, m);
    }
    const struct moments *base = &content.base;
    if (base->count > 0 && sample_model_is_within(base->first.at, e->from, e->to) &&
        sample_model_is_within(base->last.at, e->from, e->to) &&
        (step_us == 0 ||
         floor_divide(base->first.at.us, step_us) == floor_divide(base->last.at.us, step_us)))
        moments_merge(&e->left, base);
    store_content_release(&content);
}

static void compare(const struct expectation *e, const struct moments *m)
{
    if (m->count < e->least || m->count > e->most)
        fail_msg("%llu samples are not from %llu to %llu", (unsigned long long)m->count,
                 (unsigned long long)e->least, (unsigned long long)e->most);
    assert_int_equal(m->count, e->left.count);
    if (m->count == 0)
        return;
    assert_memory_equal(&m->min, &e->left.min, sizeof m->min);
    assert_memory_equal(&m->max, &e->left.max, sizeof m->max);
    double scale = (double)m->count * fmax(fabs(m->min), fabs(m->max));
    assert_true(fabs(moments_sum(m) - moments_sum(&e->left)) <= 1e-12 * scale);
    struct wall_time from = e->from, to = e->to;
    if (e->report->is_widened) {
        from.us = e->report->from.us < from.us ? e->report->from.us : from.us;
        to.us = e->report->to.us > to.us ? e->report->to.us : to.us;
    }
    assert_true(sample_model_is_within(m->first.at, from, to));
    assert_true(sample_model_is_within(m->last.at, from, to));
}

void life_model_check_window(const char *type, struct wall_time from, struct wall_time to)
{
    struct aggregate point;
    struct metric_report report;
    aggregate_init(&point, true);
    const struct metric_question question = {
        .type = slice_from_string(type), .from = from, .to = to};
    sample_model_ask(test_store.store, &question, &point, 1, &report);
    if (report.is_widened || report.is_folded) {
        struct expectation e = {.from = from, .to = to, .report = &report};
        expect_all(&e, type, 0);
        compare(&e, &point.moments);
    } else {
        sample_model_check_window(&test_store.model, test_store.store, type, from, to);
    }
    aggregate_release(&point);
}

static bool overlaps(struct wall_time from, int64_t step_us, struct wall_time a, struct wall_time b)
{
    return a.us < from.us + step_us && b.us > from.us;
}

static bool is_touched(const struct metric_report *report, struct wall_time from, int64_t step_us)
{
    return (report->is_widened && overlaps(from, step_us, report->from, report->to)) ||
           (report->is_folded && overlaps(from, step_us, report->folded_from, report->folded_to));
}

void life_model_check_series(const char *type, struct wall_time from, int64_t step_us, size_t count)
{
    struct aggregate *points = calloc(count, sizeof *points);
    struct metric_report report;
    struct moments sum;
    assert_non_null(points);
    for (size_t i = 0; i < count; i++)
        aggregate_init(&points[i], true);
    struct wall_time to = {from.us + step_us * (int64_t)count};
    const struct metric_question question = {
        .type = slice_from_string(type), .from = from, .to = to, .step_us = step_us};
    sample_model_ask(test_store.store, &question, points, count, &report);
    moments_init(&sum);
    for (size_t i = 0; i < count; i++) {
        struct wall_time at = {from.us + step_us * (int64_t)i};
        moments_merge(&sum, &points[i].moments);
        if (!is_touched(&report, at, step_us)) {
            size_t exact;
            free(sample_model_select(&test_store.model, type, at,
                                     (struct wall_time){at.us + step_us}, &exact));
            assert_int_equal(points[i].moments.count, exact);
        }
        aggregate_release(&points[i]);
    }
    free(points);
    struct expectation e = {.from = from, .to = to, .report = &report};
    if (report.is_widened || report.is_folded) {
        expect_all(&e, type, step_us);
        compare(&e, &sum);
    } else {
        sample_model_check_series(&test_store.model, test_store.store, type, from, step_us, count);
    }
}

void life_model_check_all(const char *type)
{
    sample_model_check_window(&test_store.model, test_store.store, type, WALL_TIME_MIN,
                              WALL_TIME_MAX);
}

static int newest_first(const void *a, const void *b)
{
    const struct modelled_sample *x = a, *y = b;
    return (x->record.at.us < y->record.at.us) - (x->record.at.us > y->record.at.us);
}

/* The oldest instant that a list of the newest `limit` of them reaches. */
static int64_t reach_of(const struct sample_model *model, const char *type, size_t limit)
{
    qsort(model->samples, model->count, sizeof *model->samples, newest_first);
    for (size_t i = 0; i < model->count; i++) {
        if (sample_model_is_of(&model->samples[i], type) && --limit == 0)
            return model->samples[i].record.at.us;
    }
    return INT64_MIN;
}

void life_model_check_list(const char *type, size_t limit)
{
    struct sample_model left = {0};
    bool may_have_expired = false;
    for (size_t i = 0; i < test_store.model.count; i++) {
        const struct modelled_sample *sample = &test_store.model.samples[i];
        if (!fates[i].has_expired)
            sample_model_add(&left, sample->type, sample->record);
        else if (sample_model_is_of(sample, type))
            may_have_expired = true;
    }
    struct metric_report report = sample_model_check_list(&left, test_store.store, type, limit);
    assert_true(may_have_expired || !report.has_expired);
    int64_t reach = left.count > 0 ? reach_of(&left, type, limit) : INT64_MIN;
    for (size_t i = 0; i < test_store.model.count; i++) {
        const struct modelled_sample *sample = &test_store.model.samples[i];
        if (fates[i].has_expired && sample_model_is_of(sample, type) &&
            sample->record.at.us >= reach)
            assert_true(
                report.has_expired &&
                sample_model_is_within(sample->record.at, report.expired_from, report.expired_to));
    }
    sample_model_release(&left);
}

void life_model_check(const char *type)
{
    life_model_learn(type, &test_life_for_ever);
    life_model_check_all(type);
    life_model_check_list(type, 1000);
}
