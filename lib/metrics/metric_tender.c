#include "metric_tender.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "chunk_sealer.h"
#include "log.h"
#include "metric_delete.h"
#include "number.h"
#include "sample.h"
#include "tending.h"

#define UNSEALED_TEXT "128"
enum {
    PASS_MS = 1000,
    TYPES_PER_PASS = 64,
    CLAIM_SECONDS = 60,   /* nobody else is given a type meanwhile */
    SWEEP_SECONDS = 3600, /* between two looks for what has expired */
    REST_SECONDS = 86400  /* between two looks where nothing expires */
};

/* --- One type ---------------------------------------------------------------------- */

/* "<hour>:<number>", as it was written. */
static bool parse_closed(struct slice name, struct span *hour, int64_t *number)
{
    struct slice rest = name, span = slice_cut(&rest, ':');
    return span_parse(span, hour) && hour->level == SPAN_HOUR &&
           number_parse_int64(rest, 0, INT64_MAX, number) && (rest.len == 1 || rest.ptr[0] > '0');
}

/* A few of the chunks that nobody has sealed, as chance has it: the others' turn comes. */
static enum err_code hand_unsealed(struct tending *t, struct error *err)
{
    struct redis_key key = t->stem;
    redis_key_append(&key, SLICE("unsealed"));
    const struct slice argv[] = {SLICE("SRANDMEMBER"), redis_key_slice(&key), SLICE(UNSEALED_TEXT)};
    struct redisReply *reply;
    enum err_code code = redis_client_call(t->client, REDIS_LANE_READ, argv, 3, &reply, err);
    struct slice name;
    for (size_t i = 0; code == ERR_OK && redis_reply_bytes_at(reply, i, &name); i++) {
        struct span hour;
        int64_t number;
        if (parse_closed(name, &hour, &number))
            chunk_sealer_chunk_closed(t->sealer, t->type, hour.number, number);
    }
    redis_reply_free(reply);
    return code;
}

static enum err_code finish(struct tending *t, struct error *err)
{
    struct redis_key due;
    redis_key_global(&due, redis_client_key_prefix(t->client), "due");
    const struct slice keys[] = {redis_key_slice(&t->stem), redis_key_slice(&due)};
    struct arguments a = {0};
    arguments_add_bytes(&a, t->type);
    arguments_add_integer(&a, t->grace_seconds);
    arguments_add_integer(&a, t->now_hour);
    arguments_add_integer(&a, t->is_behind);
    arguments_add_integer(&a, t->retention->samples_us > 0 ? SWEEP_SECONDS : REST_SECONDS);
    if (t->retention->samples_us > 0 && !t->is_behind) {
        arguments_add_integer(&a, t->oldest_samples.us);
        arguments_add_integer(&a, t->oldest.us);
    }
    struct redisReply *reply;
    enum err_code code = redis_client_eval(t->client, REDIS_LANE_WRITE, REDIS_SCRIPT_TEND_DONE,
                                           keys, 2, a.args, a.count, &reply, err);
    redis_reply_free(reply);
    return code;
}

static bool must_stop(const struct tending *t)
{
    return t->is_stopping && atomic_load(t->is_stopping);
}

static enum err_code go_on_deleting(struct tending *t, bool *is_deleting, struct error *err)
{
    bool is_done;
    enum err_code code;
    do {
        code = metric_delete_go_on(t->client, t->type, is_deleting, &is_done, err);
    } while (code == ERR_OK && *is_deleting && !is_done && !must_stop(t) && !tending_must_yield(t));
    return code;
}

static enum err_code tend(struct tending *t, struct slice type, struct error *err)
{
    tending_begin(t, type);
    bool is_deleting;
    enum err_code code = go_on_deleting(t, &is_deleting, err);
    if (code != ERR_OK || is_deleting)
        return code;
    code = hand_unsealed(t, err);
    if (code == ERR_OK)
        code = tending_settle_open(t, err);
    if (code == ERR_OK)
        code =
            t->retention->samples_us > 0 ? tending_expire(t, err) : tending_gather_months(t, err);
    if (code == ERR_OK)
        code = finish(t, err);
    return code;
}

/* --- All types, by one thread ------------------------------------------------------ */

struct metric_tender {
    struct metric_retention retention;
    struct tending *tending;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stopped;
    atomic_bool is_stopping;        /* set under the lock */
    char types_from[INTEGER_BYTES]; /* where the walk over all types stands: once at the start */
};

/* Names of types are behind the reply's first element. */
static enum err_code find_due(struct metric_tender *tender, struct redisReply **reply,
                              struct error *err)
{
    struct redis_client *client = tender->tending->client;
    struct redis_key lease, due, types;
    redis_key_global(&lease, redis_client_key_prefix(client), "tender");
    redis_key_global(&due, redis_client_key_prefix(client), "due");
    redis_key_global(&types, redis_client_key_prefix(client), "types");
    const struct slice keys[] = {redis_key_slice(&lease), redis_key_slice(&due),
                                 redis_key_slice(&types)};
    struct arguments a = {0};
    arguments_add_integer(&a, PASS_MS);
    arguments_add_integer(&a, TYPES_PER_PASS);
    arguments_add_integer(&a, CLAIM_SECONDS);
    arguments_add_bytes(&a, slice_from_string(tender->types_from));
    enum err_code code = redis_client_eval(client, REDIS_LANE_WRITE, REDIS_SCRIPT_TEND_DUE, keys, 3,
                                           a.args, a.count, reply, err);
    struct slice from;
    if (code != ERR_OK)
        return code;
    if (!redis_reply_bytes_at(*reply, 0, &from) || from.len >= INTEGER_BYTES)
        return tending_say_unexpected(err, "tend_due");
    memcpy(tender->types_from, from.ptr, from.len);
    tender->types_from[from.len] = '\0';
    return ERR_OK;
}

static void say_failed(struct slice type, const struct error *err)
{
    LOG_EVENT(LOG_WARNING, "tending_failed", LOG_SLICE("metric_type", type),
              LOG_TEXT("reason", err->detail), LOG_TEXT("cause", err->cause));
}

/* What fails is due again later. A store that is away fails all types: that is one line. */
static void pass(struct metric_tender *tender)
{
    struct tending *t = tender->tending;
    struct redisReply *reply;
    struct error err;
    error_init(&err);
    enum err_code code = find_due(tender, &reply, &err);
    if (code == ERR_INTERNAL)
        say_failed(SLICE(""), &err);
    bool is_away = false;
    struct slice type;
    for (size_t i = 1; redis_reply_bytes_at(reply, i, &type) && !must_stop(t); i++) {
        error_init(&err);
        code = sample_check_type(type) ? ERR_OK : tend(t, type, &err);
        bool is_known = is_away && code == ERR_STORE_UNAVAILABLE;
        if (code != ERR_OK && !is_known && !must_stop(t))
            say_failed(type, &err);
        is_away = is_away || code == ERR_STORE_UNAVAILABLE;
    }
    redis_reply_free(reply);
}

/* False: stop. */
static bool wait_for_pass(struct metric_tender *tender)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PASS_MS / 1000;
    (void)pthread_mutex_lock(&tender->lock);
    while (!atomic_load(&tender->is_stopping) &&
           pthread_cond_timedwait(&tender->stopped, &tender->lock, &until) == 0)
        ;
    bool goes_on = !atomic_load(&tender->is_stopping);
    (void)pthread_mutex_unlock(&tender->lock);
    return goes_on;
}

static void *run_thread(void *argument)
{
    struct metric_tender *tender = argument;
    while (wait_for_pass(tender))
        pass(tender);
    return NULL;
}

static struct tending *tending_new(struct redis_client *client, struct chunk_sealer *sealer,
                                   const struct metric_retention *retention,
                                   const atomic_bool *is_stopping, int64_t grace_seconds)
{
    struct tending *t = malloc(sizeof *t);
    if (!t)
        return NULL;
    t->decoder = column_decoder_new();
    if (!t->decoder) {
        free(t);
        return NULL;
    }
    t->client = client;
    t->sealer = sealer;
    t->retention = retention;
    t->is_stopping = is_stopping;
    t->grace_seconds = grace_seconds;
    return t;
}

static void tending_free(struct tending *t)
{
    if (!t)
        return;
    column_decoder_free(t->decoder);
    free(t);
}

struct metric_tender *metric_tender_new(struct redis_client *client, struct chunk_sealer *sealer,
                                        const struct metric_retention *retention)
{
    struct metric_tender *tender = calloc(1, sizeof *tender);
    if (!tender)
        return NULL;
    tender->retention = *retention;
    tender->types_from[0] = '0';
    tender->tending =
        tending_new(client, sealer, &tender->retention, &tender->is_stopping, TENDER_GRACE_SECONDS);
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&tender->lock, NULL);
    (void)pthread_cond_init(&tender->stopped, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    if (tender->tending && pthread_create(&tender->thread, NULL, run_thread, tender) == 0)
        return tender;
    (void)pthread_cond_destroy(&tender->stopped);
    (void)pthread_mutex_destroy(&tender->lock);
    tending_free(tender->tending);
    free(tender);
    return NULL;
}

void metric_tender_free(struct metric_tender *tender)
{
    if (!tender)
        return;
    (void)pthread_mutex_lock(&tender->lock);
    atomic_store(&tender->is_stopping, true);
    (void)pthread_cond_signal(&tender->stopped);
    (void)pthread_mutex_unlock(&tender->lock);
    (void)pthread_join(tender->thread, NULL);
    (void)pthread_cond_destroy(&tender->stopped);
    (void)pthread_mutex_destroy(&tender->lock);
    tending_free(tender->tending);
    free(tender);
}

enum err_code metric_tender_tend(struct redis_client *client, struct chunk_sealer *sealer,
                                 const struct metric_retention *retention, struct slice type,
                                 struct error *err)
{
    return metric_tender_tend_at(client, sealer, retention, type, clock_wall_now(), err);
}

enum err_code metric_tender_tend_at(struct redis_client *client, struct chunk_sealer *sealer,
                                    const struct metric_retention *retention, struct slice type,
                                    struct wall_time now, struct error *err)
{
    int64_t grace_seconds = (clock_wall_now().us - now.us) / 1000000;
    struct tending *t = tending_new(client, sealer, retention, NULL, grace_seconds);
    if (!t)
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    enum err_code code = tend(t, type, err);
    tending_free(t);
    return code;
}
