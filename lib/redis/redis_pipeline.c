#include "redis_pipeline.h"

#include <assert.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "counters.h"

enum {
    HEARTBEAT_EVERY_MS = 250,
    HEARTBEAT_WITHIN_MS = 1000,
    BACKSTOP_MS = 500, /* how late the I/O thread may be before a caller gives up on it */
};

static void list_push(struct redis_job_list *list, struct redis_job *job)
{
    job->next = NULL;
    if (list->tail)
        list->tail->next = job;
    else
        list->head = job;
    list->tail = job;
}

static struct redis_job *list_pop(struct redis_job_list *list)
{
    struct redis_job *job = list->head;
    if (job) {
        list->head = job->next;
        if (!list->head)
            list->tail = NULL;
    }
    return job;
}

struct redis_job *redis_job_new(const struct slice *argv, size_t argc, struct mono_time deadline)
{
    const char *texts[REDIS_WORDS_MAX];
    size_t lengths[REDIS_WORDS_MAX];
    assert(argc >= 1 && argc <= REDIS_WORDS_MAX);
    for (size_t i = 0; i < argc; i++) {
        texts[i] = argv[i].ptr;
        lengths[i] = argv[i].len;
    }
    struct redis_job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    int len = redisFormatCommandArgv(&job->command, (int)argc, texts, lengths);
    if (len <= 0) {
        free(job);
        return NULL;
    }
    job->command_bytes = (size_t)len;
    job->deadline = deadline;
    (void)sem_init(&job->done, 0, 0);
    return job;
}

void redis_job_free(struct redis_job *job)
{
    if (!job)
        return;
    if (job->command)
        redisFreeCommand(job->command);
    redis_reply_free(job->reply);
    (void)sem_destroy(&job->done);
    free(job);
}

bool redis_pipeline_init(struct redis_pipeline *line, enum redis_role role,
                         const struct redis_options *options, atomic_int *durability, int wake_fd)
{
    *line = (struct redis_pipeline){
        .timeout_ms =
            role == REDIS_ROLE_WRITE ? options->write_timeout_ms : options->read_timeout_ms,
        .queue_max = options->queue_max,
    };
    redis_conn_init(&line->conn, role, options, durability, wake_fd);
    atomic_init(&line->is_accepting, true);
    atomic_init(&line->is_ready, false);
    return pthread_mutex_init(&line->mutex, NULL) == 0;
}

/* --- calling threads ------------------------------------------------------------ */

bool redis_pipeline_push(struct redis_pipeline *line, struct redis_job *job)
{
    if (!atomic_load_explicit(&line->is_accepting, memory_order_relaxed))
        return false;
    if (atomic_fetch_add(&line->count, 1) >= line->queue_max) {
        atomic_fetch_sub(&line->count, 1);
        return false;
    }
    (void)pthread_mutex_lock(&line->mutex);
    list_push(&line->queue, job);
    (void)pthread_mutex_unlock(&line->mutex);
    return true;
}

bool redis_pipeline_wait(struct redis_job *job, enum err_code *code)
{
    struct mono_time end = mono_after_ms(job->deadline, BACKSTOP_MS);
    const struct timespec until = {.tv_sec = end.us / 1000000,
                                   .tv_nsec = (end.us % 1000000) * 1000};
    int waited;
    do
        waited = sem_clockwait(&job->done, CLOCK_MONOTONIC, &until);
    while (waited != 0 && errno == EINTR);
    int state = atomic_load(&job->state);
    while (state != REDIS_JOB_DONE) {
        if (atomic_compare_exchange_weak(&job->state, &state, REDIS_JOB_ABANDONED)) {
            /* A job that is still queued is dropped unsent when its turn comes. */
            *code = state == REDIS_JOB_QUEUED ? ERR_STORE_UNAVAILABLE : ERR_STORE_UNKNOWN;
            return false;
        }
    }
    while (waited != 0) /* done at the last moment: what is about to be posted is ours */
        waited = sem_wait(&job->done);
    return true;
}

void redis_pipeline_abandon(struct redis_job *job)
{
    int state = atomic_load(&job->state);
    while (state != REDIS_JOB_DONE) {
        if (atomic_compare_exchange_weak(&job->state, &state, REDIS_JOB_ABANDONED))
            return;
    }
    while (sem_wait(&job->done) != 0)
        continue;
    redis_job_free(job);
}

/* --- the I/O thread --------------------------------------------------------------- */

static void complete(struct redis_pipeline *line, struct redis_job *job, enum err_code code,
                     struct redisReply *reply)
{
    atomic_fetch_sub(&line->count, 1);
    job->code = code;
    job->reply = reply;
    if (job->is_detached || atomic_exchange(&job->state, REDIS_JOB_DONE) == REDIS_JOB_ABANDONED)
        redis_job_free(job);
    else
        (void)sem_post(&job->done);
}

static struct redis_job_list take_queue(struct redis_pipeline *line)
{
    (void)pthread_mutex_lock(&line->mutex);
    struct redis_job_list taken = line->queue;
    line->queue = (struct redis_job_list){NULL, NULL};
    (void)pthread_mutex_unlock(&line->mutex);
    return taken;
}

static void fail_queue(struct redis_pipeline *line)
{
    struct redis_job_list taken = take_queue(line);
    for (struct redis_job *job = list_pop(&taken); job; job = list_pop(&taken))
        complete(line, job, ERR_STORE_UNAVAILABLE, NULL);
}

/* The connection is gone: what never left is unexecuted, the rest is unknown. */
static void fail_in_flight(struct redis_pipeline *line)
{
    uint64_t written = line->conn.written_bytes;
    for (struct redis_job *job = list_pop(&line->in_flight); job;
         job = list_pop(&line->in_flight)) {
        bool was_sent = job->start_offset < written;
        complete(line, job, was_sent ? ERR_STORE_UNKNOWN : ERR_STORE_UNAVAILABLE, NULL);
    }
}

/* Take the queue as it stands and put it on the wire; what is over its time or abandoned
 * is not sent. */
static void send_queue(struct redis_pipeline *line, struct mono_time now)
{
    struct redis_conn *conn = &line->conn;
    struct redis_job_list taken = take_queue(line);
    uint64_t sent = 0;
    for (struct redis_job *job = list_pop(&taken); job; job = list_pop(&taken)) {
        int queued = REDIS_JOB_QUEUED;
        if (!mono_is_before(now, job->deadline) ||
            !atomic_compare_exchange_strong(&job->state, &queued, REDIS_JOB_IN_FLIGHT)) {
            complete(line, job, ERR_STORE_UNAVAILABLE, NULL);
            continue;
        }
        job->start_offset = conn->queued_bytes;
        job->sent_at = now;
        redis_conn_queue(conn, job->command, job->command_bytes);
        list_push(&line->in_flight, job);
        sent++;
    }
    if (sent > 0) {
        counter_add(COUNTER_REDIS_COMMANDS, sent);
        distribution_add(DISTRIBUTION_REDIS_BATCH, sent);
    }
    redis_conn_flush(conn, now);
}

static void send_heartbeat(struct redis_pipeline *line, struct mono_time now)
{
    const struct slice ping = SLICE("PING");
    struct redis_job *job = redis_job_new(&ping, 1, (struct mono_time){INT64_MAX});
    if (!job)
        return;
    job->is_heartbeat = true;
    job->is_detached = true;
    atomic_init(&job->state, REDIS_JOB_IN_FLIGHT);
    atomic_fetch_add(&line->count, 1);
    job->start_offset = line->conn.queued_bytes;
    redis_conn_queue(&line->conn, job->command, job->command_bytes);
    list_push(&line->in_flight, job);
    line->heartbeat_deadline = mono_after_ms(now, HEARTBEAT_WITHIN_MS);
    redis_conn_flush(&line->conn, now);
}

/* The earliest end of what is in flight. All jobs of a lane have the same time, so the
 * oldest ends first; but for one that is sent again after NOSCRIPT, whose end is then
 * noticed with that of the oldest. A heartbeat is sent when nothing else is, so before all. */
static struct mono_time earliest_deadline(const struct redis_pipeline *line)
{
    const struct redis_job *job = line->in_flight.head;
    struct mono_time earliest = {INT64_MAX};
    if (job && job->is_heartbeat) {
        job = job->next;
        if (!job) /* else the call behind it has its own time, which may be longer */
            earliest = line->heartbeat_deadline;
    }
    if (job && mono_is_before(job->deadline, earliest))
        earliest = job->deadline;
    return earliest;
}

/* After anything that may have changed the connection's state. */
static void follow_state(struct redis_pipeline *line)
{
    bool is_ready = line->conn.state == REDIS_CONN_READY;
    if (!is_ready && atomic_load(&line->is_ready))
        atomic_store(&line->is_ready, false);
    /* Jobs may wait for the first attempt after a start or a clean end, no longer. */
    bool is_accepting = is_ready || line->conn.failures == 0;
    atomic_store(&line->is_accepting, is_accepting);
    if (!is_ready)
        fail_in_flight(line);
    if (!is_accepting)
        fail_queue(line);
    if (is_ready)
        atomic_store(&line->is_ready, true);
}

static void expire_queue(struct redis_pipeline *line, struct mono_time now)
{
    struct redis_job_list expired = {NULL, NULL};
    (void)pthread_mutex_lock(&line->mutex);
    while (line->queue.head && !mono_is_before(now, line->queue.head->deadline))
        list_push(&expired, list_pop(&line->queue));
    (void)pthread_mutex_unlock(&line->mutex);
    for (struct redis_job *job = list_pop(&expired); job; job = list_pop(&expired))
        complete(line, job, ERR_STORE_UNAVAILABLE, NULL);
}

void redis_pipeline_tick(struct redis_pipeline *line, struct mono_time now)
{
    redis_conn_tick(&line->conn, now);
    if (line->conn.state == REDIS_CONN_READY && !mono_is_before(now, earliest_deadline(line))) {
        counter_add(COUNTER_REDIS_TIMEOUTS, 1);
        redis_conn_fail(&line->conn, now, true, "no reply within the deadline");
    }
    if (line->conn.state == REDIS_CONN_READY) {
        send_queue(line, now);
        if (!line->in_flight.head && !mono_is_before(now, line->heartbeat_due))
            send_heartbeat(line, now);
    } else {
        expire_queue(line, now);
    }
    follow_state(line);
}

/* Replies come in the order of the commands. */
static void take_replies(struct redis_pipeline *line, struct mono_time now)
{
    while (line->conn.state == REDIS_CONN_READY) {
        struct redisReply *reply = redis_conn_next(&line->conn, now);
        if (!reply)
            return;
        struct redis_job *job = list_pop(&line->in_flight);
        if (!job) {
            redis_reply_free(reply);
            redis_conn_fail(&line->conn, now, true, "a reply that nobody asked for");
            return;
        }
        redis_conn_worked(&line->conn);
        line->heartbeat_due = mono_after_ms(now, HEARTBEAT_EVERY_MS);
        if (!job->is_heartbeat)
            distribution_add(DISTRIBUTION_REDIS_ROUND_TRIP,
                             (uint64_t)mono_us_between(job->sent_at, now));
        complete(line, job, ERR_OK, reply);
    }
}

void redis_pipeline_handle(struct redis_pipeline *line, short revents, struct mono_time now)
{
    (void)redis_conn_handle(&line->conn, revents, now);
    if (line->conn.state == REDIS_CONN_READY)
        take_replies(line, now);
    /* Before a new attempt forgets how much of the old connection was written. */
    follow_state(line);
}

struct mono_time redis_pipeline_wakeup(struct redis_pipeline *line)
{
    if (line->conn.state == REDIS_CONN_READY)
        return line->in_flight.head ? earliest_deadline(line) : line->heartbeat_due;
    struct mono_time first = redis_conn_wakeup(&line->conn);
    (void)pthread_mutex_lock(&line->mutex);
    if (line->queue.head && mono_is_before(line->queue.head->deadline, first))
        first = line->queue.head->deadline;
    (void)pthread_mutex_unlock(&line->mutex);
    return first;
}

bool redis_pipeline_has_queue(struct redis_pipeline *line)
{
    (void)pthread_mutex_lock(&line->mutex);
    bool has = line->queue.head != NULL;
    (void)pthread_mutex_unlock(&line->mutex);
    return has;
}

void redis_pipeline_release(struct redis_pipeline *line)
{
    fail_in_flight(line);
    fail_queue(line);
    redis_conn_release(&line->conn);
    (void)pthread_mutex_destroy(&line->mutex);
}
