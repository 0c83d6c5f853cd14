#include "aggregate_keeper.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "bucket_reader.h"
#include "sample.h"

enum { JOBS_MAX = 128, PATIENCE_MS = 2000 };

struct job {
    char type[TYPE_BYTES_MAX];
    size_t type_len;
    int64_t bucket;
    uint64_t chunk;
};

struct aggregate_keeper {
    struct redis_client *client;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    bool is_stopping;
    size_t first, count;
    struct job jobs[JOBS_MAX];
};

static void make_aggregate(struct aggregate_keeper *keeper, const struct job *job)
{
    struct slice type = slice_of(job->type, job->type_len);
    struct bucket_reader reader;
    bucket_reader_init(&reader, keeper->client, type, mono_after_ms(clock_mono_now(), PATIENCE_MS));
    uint64_t from = job->chunk * CHUNK_BYTES;
    const struct byte_range whole = {from, from + CHUNK_BYTES};
    struct redisReply *reply;
    if (bucket_reader_bytes(&reader, job->bucket, &whole, 1, &reply, NULL) != ERR_OK)
        return;
    const unsigned char *records = bucket_reader_records(reply, 0);
    struct aggregate a;
    aggregate_init(&a);
    aggregate_add_records(&a, records, CHUNK_RECORDS, WALL_TIME_MIN, WALL_TIME_MAX);
    aggregate_keeper_offer(keeper, type, job->bucket, (int64_t)job->chunk, &a, CHUNK_BYTES,
                           records + CHUNK_BYTES - RECORD_BYTES);
    redis_reply_free(reply);
}

/* False: stop. */
static bool take_job(struct aggregate_keeper *keeper, struct job *job)
{
    (void)pthread_mutex_lock(&keeper->lock);
    while (keeper->count == 0 && !keeper->is_stopping)
        (void)pthread_cond_wait(&keeper->changed, &keeper->lock);
    bool is_taken = !keeper->is_stopping;
    if (is_taken) {
        *job = keeper->jobs[keeper->first];
        keeper->first = (keeper->first + 1) % JOBS_MAX;
        keeper->count--;
    }
    (void)pthread_mutex_unlock(&keeper->lock);
    return is_taken;
}

static void *run(void *argument)
{
    struct aggregate_keeper *keeper = argument;
    struct job job;
    while (take_job(keeper, &job))
        make_aggregate(keeper, &job);
    return NULL;
}

struct aggregate_keeper *aggregate_keeper_new(struct redis_client *client)
{
    struct aggregate_keeper *keeper = calloc(1, sizeof *keeper);
    if (!keeper)
        return NULL;
    keeper->client = client;
    (void)pthread_mutex_init(&keeper->lock, NULL);
    (void)pthread_cond_init(&keeper->changed, NULL);
    if (pthread_create(&keeper->thread, NULL, run, keeper) == 0)
        return keeper;
    (void)pthread_cond_destroy(&keeper->changed);
    (void)pthread_mutex_destroy(&keeper->lock);
    free(keeper);
    return NULL;
}

void aggregate_keeper_free(struct aggregate_keeper *keeper)
{
    if (!keeper)
        return;
    (void)pthread_mutex_lock(&keeper->lock);
    keeper->is_stopping = true;
    (void)pthread_cond_signal(&keeper->changed);
    (void)pthread_mutex_unlock(&keeper->lock);
    (void)pthread_join(keeper->thread, NULL);
    (void)pthread_cond_destroy(&keeper->changed);
    (void)pthread_mutex_destroy(&keeper->lock);
    free(keeper);
}

void aggregate_keeper_chunk_closed(struct aggregate_keeper *keeper, struct slice type,
                                   int64_t bucket, uint64_t chunk)
{
    (void)pthread_mutex_lock(&keeper->lock);
    if (keeper->count < JOBS_MAX && type.len <= TYPE_BYTES_MAX) {
        struct job *job = &keeper->jobs[(keeper->first + keeper->count++) % JOBS_MAX];
        memcpy(job->type, type.ptr, type.len);
        job->type_len = type.len;
        job->bucket = bucket;
        job->chunk = chunk;
        (void)pthread_cond_signal(&keeper->changed);
    }
    (void)pthread_mutex_unlock(&keeper->lock);
}

void aggregate_keeper_offer(struct aggregate_keeper *keeper, struct slice type, int64_t bucket,
                            int64_t chunk, const struct aggregate *a, uint64_t covered_bytes,
                            const unsigned char *last_record)
{
    struct redis_key stem;
    redis_key_metric_stem(&stem, redis_client_key_prefix(keeper->client), type);
    unsigned char packed[AGGREGATE_PACKED_BYTES];
    char bucket_text[24], chunk_text[24] = "";
    aggregate_pack(a, covered_bytes, packed);
    (void)snprintf(bucket_text, sizeof bucket_text, "%" PRId64, bucket);
    if (chunk != AGGREGATE_OF_BUCKET)
        (void)snprintf(chunk_text, sizeof chunk_text, "%" PRId64, chunk);
    const struct slice key = redis_key_slice(&stem);
    const struct slice args[] = {slice_from_string(bucket_text), slice_from_string(chunk_text),
                                 slice_of((const char *)packed, sizeof packed),
                                 slice_of((const char *)last_record, RECORD_BYTES)};
    redis_client_eval_detached(keeper->client, REDIS_LANE_WRITE, REDIS_SCRIPT_AGGREGATE_PUT, &key,
                               1, args, sizeof args / sizeof *args);
}
