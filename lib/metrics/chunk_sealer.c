#include "chunk_sealer.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "chunk.h"
#include "counters.h"
#include "damage_log.h"
#include "redis_keys.h"
#include "sample.h"
#include "span.h"

/* As many as the samples that wait fill 256 MB. */
enum { JOBS_MAX = 4096, NICENESS = 10, ATTEMPTS_MAX = 5 };

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
    struct workspace *workspace; /* the thread's own, as is the encoder */
    struct column_encoder *encoder;
    pthread_mutex_t lock; /* of all below */
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

/* False: the type's layout is another one by now. */
static bool put(struct chunk_sealer *sealer, struct slice stem, const struct job *job,
                struct slice layout, struct slice sealed)
{
    char hour[24], number[24];
    struct redisReply *reply;
    int64_t is_put = 1;
    (void)snprintf(hour, sizeof hour, "%" PRId64, job->hour);
    (void)snprintf(number, sizeof number, "%" PRId64, job->number);
    const struct slice args[] = {slice_from_string(hour), slice_from_string(number), sealed,
                                 layout};
    if (redis_client_eval(sealer->client, REDIS_LANE_WRITE, REDIS_SCRIPT_CHUNK_SEAL, &stem, 1, args,
                          sizeof args / sizeof *args, &reply, NULL) == ERR_OK)
        (void)redis_reply_integer(reply, &is_put);
    redis_reply_free(reply);
    return is_put != 0;
}

/* False: try again. */
static bool seal(struct chunk_sealer *sealer, struct slice stem, const struct job *job,
                 struct slice layout, struct slice raw)
{
    struct workspace *w = sealer->workspace;
    records_unpack((const unsigned char *)raw.ptr, CHUNK_RECORDS, w->records);
    if (!records_are_sound(w->records, CHUNK_RECORDS, hour_start(job->hour),
                           hour_start(job->hour + 1))) {
        say_damaged(job);
        return true;
    }
    records_sort(w->records, CHUNK_RECORDS, w->spare);
    size_t len = chunk_seal(sealer->encoder, w->records, CHUNK_RECORDS, w->sealed);
    if (len == 0)
        return true;
    if (!put(sealer, stem, job, layout, slice_of((const char *)w->sealed, len)))
        return false;
    counter_add(COUNTER_SEALED_CHUNKS, 1);
    counter_add(COUNTER_SEALED_BYTES_BEFORE, CHUNK_BYTES);
    counter_add(COUNTER_SEALED_BYTES_AFTER, len);
    return true;
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

/* False: try again. */
static bool try_job(struct chunk_sealer *sealer, const struct job *job)
{
    struct slice type = slice_of(job->type, job->type_len), layout, raw;
    struct redis_key stem, key;
    struct redisReply *layout_reply, *raw_reply;
    struct slice prefix = redis_client_key_prefix(sealer->client);
    bool is_done = true;
    redis_key_metric_stem(&stem, prefix, type);
    redis_key_raw_chunk(&key, prefix, type, job->hour, job->number);
    if (read_chunk(sealer->client, redis_key_slice(&stem), &key, &layout_reply, &raw_reply) ==
            ERR_OK &&
        redis_reply_bytes(layout_reply, &layout) && redis_reply_bytes(raw_reply, &raw) &&
        raw.len == CHUNK_BYTES)
        is_done = seal(sealer, redis_key_slice(&stem), job, layout, raw);
    redis_reply_free(layout_reply);
    redis_reply_free(raw_reply);
    return is_done;
}

static void do_job(struct chunk_sealer *sealer, const struct job *job)
{
    for (int attempt = 0; attempt < ATTEMPTS_MAX && !try_job(sealer, job); attempt++)
        ;
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
        sealer->count--;
        /* From the beginning again when there are none: a short queue stays in few pages. */
        sealer->first = sealer->count > 0 ? (sealer->first + 1) % JOBS_MAX : 0;
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
    sealer->encoder = column_encoder_new();
    (void)pthread_mutex_init(&sealer->lock, NULL);
    (void)pthread_cond_init(&sealer->changed, NULL);
    if (sealer->workspace && sealer->encoder &&
        pthread_create(&sealer->thread, NULL, run, sealer) == 0)
        return sealer;
    (void)pthread_cond_destroy(&sealer->changed);
    (void)pthread_mutex_destroy(&sealer->lock);
    column_encoder_free(sealer->encoder);
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
    column_encoder_free(sealer->encoder);
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
