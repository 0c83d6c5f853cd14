#include "chunk_sealer.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "chunk.h"
#include "damage_log.h"
#include "redis_keys.h"
#include "sample.h"
#include "span.h"

enum { JOBS_MAX = 128, NICENESS = 10 };

struct job {
    char type[TYPE_BYTES_MAX];
    size_t type_len;
    int64_t hour, number;
};

/* What one chunk takes. */
struct workspace {
    struct record records[CHUNK_RECORDS], spare[CHUNK_RECORDS];
    unsigned char sealed[CHUNK_SEALED_BYTES_MAX];
};

struct chunk_sealer {
    struct redis_client *client;
    pthread_t thread;
    struct workspace *workspace; /* the thread's own */
    pthread_mutex_t lock;        /* of all below */
    pthread_cond_t changed;
    bool is_stopping;
    size_t first, count;
    struct job jobs[JOBS_MAX];
};

static void say_damaged(const struct job *job)
{
    damage_log_say(slice_of(job->type, job->type_len), (struct span){SPAN_HOUR, job->hour},
                   job->number, clock_mono_now());
}

static void seal(struct chunk_sealer *sealer, const struct slice *stem, const struct job *job,
                 struct slice layout, struct slice raw)
{
    struct workspace *w = sealer->workspace;
    records_unpack((const unsigned char *)raw.ptr, CHUNK_RECORDS, w->records);
    if (!records_are_sound(w->records, CHUNK_RECORDS, hour_start(job->hour),
                           hour_start(job->hour + 1))) {
        say_damaged(job);
        return;
    }
    records_sort(w->records, CHUNK_RECORDS, w->spare);
    size_t len = chunk_seal(w->records, CHUNK_RECORDS, w->sealed);
    if (len == 0)
        return;
    char hour[24], number[24];
    (void)snprintf(hour, sizeof hour, "%" PRId64, job->hour);
    (void)snprintf(number, sizeof number, "%" PRId64, job->number);
    const struct slice args[] = {slice_from_string(hour), slice_from_string(number),
                                 slice_of((const char *)w->sealed, len), layout};
    redis_client_eval_detached(sealer->client, REDIS_LANE_WRITE, REDIS_SCRIPT_CHUNK_SEAL, stem, 1,
                               args, sizeof args / sizeof *args);
}

/* Of what is read one behind the other the layout comes first: the chunk is of this one or later.
 */
static enum err_code read_chunk(struct redis_client *client, struct slice stem,
                                const struct redis_key *raw_key, struct redisReply **layout,
                                struct redisReply **raw)
{
    struct redis_key chunks = {.len = 0};
    struct redis_job *job;
    redis_key_append(&chunks, stem);
    redis_key_append(&chunks, SLICE("chunks"));
    const struct slice hget[] = {SLICE("HGET"), redis_key_slice(&chunks), SLICE("layout")};
    const struct slice get[] = {SLICE("GET"), redis_key_slice(raw_key)};
    *raw = *layout = NULL;
    enum err_code code = redis_client_begin_read(client, hget, 3, &job, NULL);
    if (code != ERR_OK)
        return code;
    code = redis_client_call(client, REDIS_LANE_READ, get, 2, raw, NULL);
    enum err_code layout_code = redis_client_finish_read(job, layout, NULL);
    return code == ERR_OK ? layout_code : code;
}

static void do_job(struct chunk_sealer *sealer, const struct job *job)
{
    struct slice type = slice_of(job->type, job->type_len), layout, raw;
    struct redis_key stem, key;
    struct redisReply *layout_reply, *raw_reply;
    struct slice prefix = redis_client_key_prefix(sealer->client);
    redis_key_metric_stem(&stem, prefix, type);
    redis_key_raw_chunk(&key, prefix, type, job->hour, job->number);
    const struct slice stem_slice = redis_key_slice(&stem);
    if (read_chunk(sealer->client, stem_slice, &key, &layout_reply, &raw_reply) == ERR_OK) {
        if (redis_reply_bytes(layout_reply, &layout) && redis_reply_bytes(raw_reply, &raw) &&
            raw.len == CHUNK_BYTES)
            seal(sealer, &stem_slice, job, layout, raw);
    }
    redis_reply_free(layout_reply);
    redis_reply_free(raw_reply);
}

/* False: stop. */
static bool take_job(struct chunk_sealer *sealer, struct job *job)
{
    (void)pthread_mutex_lock(&sealer->lock);
    while (sealer->count == 0 && !sealer->is_stopping)
        (void)pthread_cond_wait(&sealer->changed, &sealer->lock);
    bool is_taken = !sealer->is_stopping;
    if (is_taken) {
        *job = sealer->jobs[sealer->first];
        sealer->first = (sealer->first + 1) % JOBS_MAX;
        sealer->count--;
    }
    (void)pthread_mutex_unlock(&sealer->lock);
    return is_taken;
}

static void *run(void *argument)
{
    struct chunk_sealer *sealer = argument;
    struct job job;
    /* Of this thread alone, as Linux has it: requests go first, and sealing lags behind a burst. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS);
    while (take_job(sealer, &job))
        do_job(sealer, &job);
    return NULL;
}

struct chunk_sealer *chunk_sealer_new(struct redis_client *client)
{
    struct chunk_sealer *sealer = calloc(1, sizeof *sealer);
    if (!sealer)
        return NULL;
    sealer->client = client;
    sealer->workspace = malloc(sizeof *sealer->workspace);
    (void)pthread_mutex_init(&sealer->lock, NULL);
    (void)pthread_cond_init(&sealer->changed, NULL);
    if (sealer->workspace && pthread_create(&sealer->thread, NULL, run, sealer) == 0)
        return sealer;
    (void)pthread_cond_destroy(&sealer->changed);
    (void)pthread_mutex_destroy(&sealer->lock);
    free(sealer->workspace);
    free(sealer);
    return NULL;
}

void chunk_sealer_free(struct chunk_sealer *sealer)
{
    if (!sealer)
        return;
    (void)pthread_mutex_lock(&sealer->lock);
    sealer->is_stopping = true;
    (void)pthread_cond_signal(&sealer->changed);
    (void)pthread_mutex_unlock(&sealer->lock);
    (void)pthread_join(sealer->thread, NULL);
    (void)pthread_cond_destroy(&sealer->changed);
    (void)pthread_mutex_destroy(&sealer->lock);
    free(sealer->workspace);
    free(sealer);
}

void chunk_sealer_chunk_closed(struct chunk_sealer *sealer, struct slice type, int64_t hour,
                               int64_t number)
{
    (void)pthread_mutex_lock(&sealer->lock);
    if (sealer->count < JOBS_MAX && type.len <= TYPE_BYTES_MAX) {
        struct job *job = &sealer->jobs[(sealer->first + sealer->count++) % JOBS_MAX];
        memcpy(job->type, type.ptr, type.len);
        job->type_len = type.len;
        job->hour = hour;
        job->number = number;
        (void)pthread_cond_signal(&sealer->changed);
    }
    (void)pthread_mutex_unlock(&sealer->lock);
}
