/*
 * redis_pipeline: one lane's queue of commands, the connection that carries them, and the calls
 * that wait: group commit.
 *
 * Callers push jobs under the lane's mutex and sleep, each on a semaphore of its own: who
 * is woken never meets the others at a lock. The I/O thread takes the whole
 * queue, writes it in one go and completes jobs in the order of the replies. A job is
 * on the heap; it belongs to the caller until pushed, then to the lane, and to the
 * caller again once done, unless the caller gave up waiting, which makes it the
 * lane's to free. Not for other rooms.
 */
#ifndef LIB_REDIS_REDIS_PIPELINE_H
#define LIB_REDIS_REDIS_PIPELINE_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "redis_conn.h"

/*
 *   QUEUED --sent--> IN_FLIGHT --reply, or the connection's end--> DONE
 *      |  |______________|___________________________________________^   never sent
 *      |_________________|__the caller gave up--> ABANDONED
 *
 * The state decides whose the job is, so every change of it is one atomic step.
 */
enum redis_job_state { REDIS_JOB_QUEUED, REDIS_JOB_IN_FLIGHT, REDIS_JOB_DONE, REDIS_JOB_ABANDONED };

struct redis_job {
    struct redis_job *next;
    char *command; /* hiredis's allocation */
    size_t command_bytes;
    struct mono_time deadline;
    uint64_t start_offset; /* in the bytes of the connection */
    struct mono_time sent_at;
    bool is_heartbeat; /* the lane's own PING */
    bool is_detached;  /* nobody waits: freed when done */

    atomic_int state;
    enum err_code code; /* with the reply, valid once DONE */
    struct redisReply *reply;
    sem_t done; /* posted once, after DONE */
};

struct redis_job_list {
    struct redis_job *head;
    struct redis_job *tail;
};

struct redis_pipeline {
    struct redis_conn conn; /* the I/O thread's alone */
    uint32_t timeout_ms;
    size_t queue_max;

    pthread_mutex_t mutex;       /* guards the queue */
    struct redis_job_list queue; /* waiting to be sent */
    atomic_size_t count;         /* queued and in flight */

    struct redis_job_list in_flight; /* the I/O thread's alone */
    struct mono_time heartbeat_due;
    struct mono_time heartbeat_deadline; /* of the PING at the head of in_flight */

    atomic_bool is_accepting; /* jobs may wait here; else they fail at once */
    atomic_bool is_ready;
};

bool redis_pipeline_init(struct redis_pipeline *line, enum redis_role role,
                         const struct redis_options *options, atomic_int *durability, int wake_fd);
void redis_pipeline_release(struct redis_pipeline *line);

/* --- calling threads --- */

/* Queue `job`. False, and the job stays the caller's, when the lane takes none. */
bool redis_pipeline_push(struct redis_pipeline *line, struct redis_job *job);

/* Wait until `job` is done; true: it is the caller's again. False: the I/O thread did not
 * even notice the deadline (a bug, or a machine that stood still); `*code` is then
 * what is known, and the job is gone. */
bool redis_pipeline_wait(struct redis_job *job, enum err_code *code);

/* Nobody will wait for `job`: it is gone. What was not sent yet never is. */
void redis_pipeline_abandon(struct redis_job *job);

struct redis_job *redis_job_new(const struct slice *argv, size_t argc, struct mono_time deadline);
void redis_job_free(struct redis_job *job);

/* --- the I/O thread --- */

/* Move on: connection attempts, deadlines, heartbeat, the queue onto the wire. */
void redis_pipeline_tick(struct redis_pipeline *line, struct mono_time now);
void redis_pipeline_handle(struct redis_pipeline *line, short revents, struct mono_time now);
struct mono_time redis_pipeline_wakeup(struct redis_pipeline *line);
bool redis_pipeline_has_queue(struct redis_pipeline *line);

#endif
