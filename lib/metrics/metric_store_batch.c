#include <stdlib.h>

#include "batch_call.h"
#include "metric_delete.h"
#include "packed.h"

enum {
    PARTS_MAX = BATCH_SAMPLES_MAX / BATCH_PART_GROUPS,
    ARRIVAL_AT = POST_STATUS_AT + 1,
    REFUSED_AT,
    LISTS_AT, /* of what was refused, then of chunks that were closed; both in pairs */
    DELETION_WAIT_MS = 1000
};

static const struct rate_policy no_limit = {.name = "none"};

/* --- What a part had to say ---------------------------------------------------------- */

static enum err_code say_wrong_shape(struct error *err)
{
    /* The script ran, so samples may be stored: the client must not be told otherwise. */
    return error_set(err, ERR_STORE_UNKNOWN, "The store gave an answer of the wrong shape");
}

/* Pair `at` of a reply: a group, and the number beside it. False: there is none such. */
static bool pair_at(const struct shipment *s, size_t part, const struct redisReply *reply,
                    size_t at, size_t *group, int64_t *number)
{
    int64_t index;
    size_t from = shipment_part_begin(part);
    if (!redis_reply_integer_at(reply, at, &index) ||
        !redis_reply_integer_at(reply, at + 1, number) || index < 0 ||
        (size_t)index >= shipment_part_end(s, part) - from)
        return false;
    *group = from + (size_t)index;
    return true;
}

/* Status 0: it is not left out. */
static void leave_out(struct shipment *s, size_t index, int64_t status)
{
    const struct batch_group *group = sample_batch_group(s->batch, index);
    if (group->status != 0)
        s->receipt->left_out -= group->count;
    if (status != 0)
        s->receipt->left_out += group->count;
    sample_batch_set_status(s->batch, index, (int)status);
}

static bool part_waits(const struct shipment *s, size_t part)
{
    for (size_t i = shipment_part_begin(part); i < shipment_part_end(s, part); i++) {
        if (sample_batch_group(s->batch, i)->status == POST_DELETING)
            return true;
    }
    return false;
}

static void wait_no_more(struct shipment *s, size_t part)
{
    for (size_t i = shipment_part_begin(part); i < shipment_part_end(s, part); i++) {
        if (sample_batch_group(s->batch, i)->status == POST_DELETING)
            leave_out(s, i, 0);
    }
}

static bool note_refused(struct shipment *s, size_t part, const struct redisReply *reply,
                         size_t end)
{
    for (size_t at = LISTS_AT; at < end; at += 2) {
        size_t group;
        int64_t why;
        if (!pair_at(s, part, reply, at, &group, &why))
            return false;
        leave_out(s, group, why);
    }
    return true;
}

/* Chunks that were closed; what is lost here the tender finds. */
static void hand_closed(const struct shipment *s, size_t part, const struct redisReply *reply,
                        size_t from)
{
    for (size_t at = from; at + 2 <= redis_reply_count(reply); at += 2) {
        size_t index;
        int64_t number;
        if (!pair_at(s, part, reply, at, &index, &number))
            continue;
        const struct batch_group *group = sample_batch_group(s->batch, index);
        chunk_sealer_chunk_closed(s->store->sealer, group->name, group->hour, number);
    }
}

/* The part was refused as a whole: by its first group that cannot be stored, or as a request. */
static enum err_code refuse_part(struct shipment *s, size_t part, int64_t status,
                                 const struct redisReply *reply, struct error *err)
{
    switch (status) {
    case POST_KEY_REUSED:
        return request_mark_refuse(err);
    case POST_UNDER_WAY:
        if (err)
            err->retry_after_ms = 1000;
        return error_set(err, ERR_STORE_UNAVAILABLE,
                         "Another request with this Idempotency-Key is under way");
    case POST_NOT_ADMITTED:
    case POST_MUST_COUNT:
        return ERR_OK; /* part 0 says it */
    default:
        break;
    }
    size_t group;
    int64_t why;
    if (!pair_at(s, part, reply, LISTS_AT, &group, &why))
        return say_wrong_shape(err);
    if (part == 0)
        return metric_store_refuse(s->store, (enum post_status)why,
                                   sample_batch_group(s->batch, group)->name, err);
    for (size_t i = shipment_part_begin(part); i < shipment_part_end(s, part); i++)
        leave_out(s, i, why);
    return ERR_OK;
}

static enum err_code conclude_part(struct shipment *s, size_t part, const struct redisReply *reply,
                                   int64_t *status, struct error *err)
{
    int64_t refused;
    struct slice arrival;
    size_t count = redis_reply_count(reply);
    if (!redis_reply_bytes_at(reply, ARRIVAL_AT, &arrival) ||
        arrival.len != REQUEST_ARRIVAL_BYTES ||
        !redis_reply_integer_at(reply, POST_STATUS_AT, status) ||
        !redis_reply_integer_at(reply, REFUSED_AT, &refused) || refused < 0 ||
        (size_t)refused > count || LISTS_AT + 2 * (size_t)refused > count)
        return say_wrong_shape(err);
    wait_no_more(s, part);
    if (*status != POST_STORED && *status != POST_STORED_BEFORE)
        return refuse_part(s, part, *status, reply, err);
    size_t lists_end = LISTS_AT + 2 * (size_t)refused;
    if (!note_refused(s, part, reply, lists_end))
        return say_wrong_shape(err);
    s->receipt->arrival.us = (int64_t)packed_u64((const unsigned char *)arrival.ptr);
    if (*status == POST_STORED_BEFORE)
        return ERR_OK;
    s->receipt->is_replay = false;
    s->stored_count++;
    hand_closed(s, part, reply, lists_end);
    return ERR_OK;
}

/* --- All parts ----------------------------------------------------------------------- */

static enum err_code begin_part(struct shipment *s, struct batch_call *call, size_t part,
                                struct redis_job **job, struct error *err)
{
    batch_call_spell(call, s, part);
    if (call->texts.failed)
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    return redis_client_begin_eval(s->store->client, REDIS_LANE_WRITE, batch_call_script(s, part),
                                   call->keys, BATCH_CALL_KEYS, call->args, call->arg_count, job,
                                   err);
}

static enum err_code finish_part(struct shipment *s, struct batch_call *call, size_t part,
                                 struct redis_job *job, struct redisReply **reply,
                                 struct error *err)
{
    enum err_code code = redis_client_finish_eval(job, REDIS_LANE_WRITE, reply, err);
    if (code != ERR_OK || *reply)
        return code;
    batch_call_spell(call, s, part);
    if (call->texts.failed)
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    return redis_client_eval(s->store->client, REDIS_LANE_WRITE, batch_call_script(s, part),
                             call->keys, BATCH_CALL_KEYS, call->args, call->arg_count, reply, err);
}

/* `*status` is that of part 0. */
static enum err_code read_part(struct shipment *s, size_t part, const struct redisReply *reply,
                               int64_t *status, struct error *err)
{
    int64_t here = POST_NOT_ADMITTED;
    bool is_first = part == 0;
    if (is_first && !rate_limiter_end(s->store->limiter, &s->rate, reply, &s->receipt->verdict))
        return say_wrong_shape(err);
    enum err_code code = conclude_part(s, part, reply, &here, err);
    if (is_first)
        *status = here;
    else if (here == POST_NOT_ADMITTED && (*status == POST_STORED || *status == POST_STORED_BEFORE))
        return error_set(err, ERR_STORE_UNAVAILABLE, "The mark of the request is gone");
    return code;
}

/* The first error wins, but for one of which nobody knows what became of its part. */
static void note_error(const struct error *mine, struct error *err)
{
    if (err->code == ERR_OK || (mine->code == ERR_STORE_UNKNOWN && err->code != ERR_STORE_UNKNOWN))
        *err = *mine;
}

static void finish_all(struct shipment *s, struct batch_call *call, struct redis_job **jobs,
                       int64_t *status, struct error *err)
{
    for (size_t part = 0; part < s->part_count; part++) {
        struct redisReply *reply = NULL;
        struct error mine;
        error_init(&mine);
        if (!jobs[part])
            continue;
        enum err_code code = finish_part(s, call, part, jobs[part], &reply, &mine);
        if (code == ERR_OK)
            code = read_part(s, part, reply, status, &mine);
        if (code != ERR_OK)
            note_error(&mine, err);
        redis_reply_free(reply);
    }
}

/* All of them, one behind the other. A part that cannot be sent keeps those behind it. */
static void run(struct shipment *s, int64_t *status, struct error *err)
{
    struct redis_job *jobs[PARTS_MAX] = {NULL};
    struct batch_call *call = malloc(sizeof *call);
    if (!call) {
        (void)error_set(err, ERR_NO_MEMORY, "Out of memory");
        return;
    }
    arena_init(&call->texts, BATCH_CALL_TEXTS_MAX);
    for (size_t part = 0; part < s->part_count; part++) {
        if (s->is_rest && !part_waits(s, part))
            continue;
        if (begin_part(s, call, part, &jobs[part], err) != ERR_OK)
            break;
    }
    finish_all(s, call, jobs, status, err);
    arena_release(&call->texts);
    free(call);
}

/* Where some is stored, the others have to follow. */
static enum err_code say_in_part(const struct shipment *s, struct error *err)
{
    struct error whole = {.element = -1};
    uint32_t retry_after_ms = err->retry_after_ms;
    (void)error_set(&whole, ERR_STORE_UNKNOWN, "The store failed midway: some of it is stored. %s",
                    s->terms->mark->key.len > 0 ? "The same request with the same Idempotency-Key "
                                                  "completes it"
                                                : "With an Idempotency-Key it could be completed");
    error_set_cause(&whole, "%s: %.100s", err_name(err->code), err->cause);
    whole.retry_after_ms = retry_after_ms;
    *err = whole;
    return err->code;
}

/* How many types of the batch there are not yet, for certain. */
static enum err_code count_new_types(struct shipment *s, struct error *err)
{
    enum { NAMES_MAX = REDIS_WORDS_MAX - 2 };
    struct redis_key types;
    redis_key_global(&types, redis_client_key_prefix(s->store->client), "types");
    struct slice argv[REDIS_WORDS_MAX] = {SLICE("ZMSCORE"), redis_key_slice(&types)};
    size_t groups = sample_batch_group_count(s->batch), at = 0, seen = 0, new_types = 0;
    while (at < groups) {
        size_t count = 0;
        for (; at < groups && count < NAMES_MAX; at++) {
            const struct batch_group *group = sample_batch_group(s->batch, at);
            if (group->type == seen) {
                argv[2 + count++] = group->name;
                seen++;
            }
        }
        struct redisReply *reply;
        enum err_code code =
            redis_client_call(s->store->client, REDIS_LANE_READ, argv, 2 + count, &reply, err);
        if (code != ERR_OK)
            return code;
        for (size_t i = 0; i < count; i++)
            new_types += redis_reply_is_nil(redis_reply_at(reply, i));
        redis_reply_free(reply);
    }
    s->new_types_max = new_types;
    return ERR_OK;
}

static enum err_code ship(struct shipment *s, struct error *err)
{
    int64_t status = POST_STORED;
    run(s, &status, err);
    if (err->code == ERR_OK && status == POST_MUST_COUNT && count_new_types(s, err) == ERR_OK) {
        run(s, &status, err);
        if (err->code == ERR_OK && status == POST_MUST_COUNT)
            (void)metric_store_refuse(s->store, POST_TYPES_FULL, SLICE("a batch"), err);
    }
    if (err->code != ERR_OK)
        return s->stored_count > 0 ? say_in_part(s, err) : err->code;
    return s->receipt->verdict.is_admitted ? ERR_OK
                                           : rate_verdict_refuse(&s->receipt->verdict, err);
}

/* --- What had to wait ----------------------------------------------------------------- */

/* The first group that does; NULL: none. */
static const struct batch_group *find_waiting(const struct shipment *s)
{
    for (size_t i = 0; i < sample_batch_group_count(s->batch); i++) {
        const struct batch_group *group = sample_batch_group(s->batch, i);
        if (group->status == POST_DELETING)
            return group;
    }
    return NULL;
}

/* The types that are being deleted take samples again when nothing of them is left. */
static enum err_code finish_deletions(const struct shipment *s, struct error *err)
{
    struct mono_time deadline = mono_after_ms(clock_mono_now(), DELETION_WAIT_MS);
    enum err_code code = ERR_OK;
    bool is_done = true;
    for (size_t i = 0; i < sample_batch_group_count(s->batch) && code == ERR_OK && is_done; i++) {
        const struct batch_group *group = sample_batch_group(s->batch, i);
        if (group->status == POST_DELETING)
            code = metric_delete_finish(s->store->client, group->name, deadline, &is_done, err);
    }
    return code;
}

static enum err_code ship_rest(struct shipment *s, struct error *err)
{
    struct rate_verdict unused;
    int64_t status = POST_STORED;
    s->is_rest = true;
    (void)rate_limiter_begin(s->store->limiter, &no_limit, s->terms->subject, clock_mono_now(),
                             &s->rate, &unused);
    struct rate_verdict verdict = s->receipt->verdict;
    if (finish_deletions(s, err) == ERR_OK)
        run(s, &status, err);
    s->receipt->verdict = verdict;
    const struct batch_group *waiting = find_waiting(s);
    if (err->code == ERR_OK && waiting && s->terms->mark->key.len > 0)
        (void)metric_store_refuse(s->store, POST_DELETING, waiting->name, err);
    return err->code == ERR_OK ? ERR_OK : say_in_part(s, err);
}

enum err_code metric_store_explain(const struct metric_store *store,
                                   const struct batch_group *group, struct error *err)
{
    return metric_store_refuse(store, (enum post_status)group->status, group->name, err);
}

static enum err_code add_batch(struct metric_store *store, struct sample_batch *batch,
                               const struct batch_terms *terms, struct batch_receipt *receipt,
                               struct error *err)
{
    struct shipment s = {.store = store,
                         .batch = batch,
                         .terms = terms,
                         .mark = *terms->mark,
                         .part_count = (sample_batch_group_count(batch) + BATCH_PART_GROUPS - 1) /
                                       BATCH_PART_GROUPS,
                         .new_types_max = sample_batch_type_count(batch),
                         .receipt = receipt};
    /* What was admitted before is not counted again, nor refused. */
    const struct rate_policy *policy = terms->mark->is_known ? &no_limit : terms->policy;
    *receipt = (struct batch_receipt){.is_replay = true, .arrival = terms->mark->arrival};
    if (!rate_limiter_begin(store->limiter, policy, terms->subject, clock_mono_now(), &s.rate,
                            &receipt->verdict))
        return rate_verdict_refuse(&receipt->verdict, err);
    if (!sample_batch_pack(batch, &s.records))
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    if (s.mark.key.len == 0 && s.part_count > 1)
        request_mark_name(&s.mark, redis_client_key_prefix(store->client));
    enum err_code code = ship(&s, err);
    if (code == ERR_OK && find_waiting(&s))
        code = ship_rest(&s, err);
    return code;
}

enum err_code metric_store_add_batch(struct metric_store *store, struct sample_batch *batch,
                                     const struct batch_terms *terms, struct batch_receipt *receipt,
                                     struct error *err)
{
    enum err_code code = add_batch(store, batch, terms, receipt, err);
    if (code == ERR_OK && receipt->is_replay)
        return ERR_OK;
    counter_add(COUNTER_SAMPLES_OVER_LIMIT, receipt->left_out);
    counter_add(metric_store_counter(code), sample_batch_count(batch) - receipt->left_out);
    return code;
}
