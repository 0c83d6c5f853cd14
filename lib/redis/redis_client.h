/*
 * redis_client: the process's way to Redis, shared by all its threads.
 *
 * One I/O thread owns the connections: one for writes, one for reads (so that a
 * large read never delays a write) and one that hears which keys changed
 * (near_cache.h). Calling threads queue a command and sleep; the I/O thread takes
 * the whole queue, writes it in one go and wakes whoever's reply came in: group
 * commit, which shares one fsync among all that wait (`appendfsync always`).
 *
 * Deadlines are absolute and include the queueing. A connection that misses one is
 * thrown away, for it may hold the reply to somebody else's question; until it is
 * back, calls fail at once, and the I/O thread alone pays for trying again (pauses
 * grow from 20 ms to 1 s, jittered). No call ever waits for a name to resolve.
 *
 * Three ends of a call, by the code that it returns:
 *   ERR_OK                 the reply
 *   ERR_STORE_UNAVAILABLE  certainly not executed (never sent, or refused by Redis)
 *   ERR_STORE_FULL         certainly not executed (OOM, MISCONF: full or failing disk)
 *   ERR_STORE_UNKNOWN      sent, no reply: executed or not. Never retry it blindly.
 *                          Not for the read lane, whose commands only read: unavailable
 *   ERR_INTERNAL           Redis says that our command is wrong
 *
 * Thread-safe between redis_client_start and redis_client_free.
 */
#ifndef LIB_REDIS_REDIS_CLIENT_H
#define LIB_REDIS_REDIS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "error.h"
#include "redis_reply.h"
#include "redis_scripts.h"
#include "slice.h"

struct redis_client;
struct near_cache;

enum redis_lane { REDIS_LANE_WRITE, REDIS_LANE_READ, REDIS_LANE_COUNT };

/* Texts are copied. */
struct redis_options {
    const char *socket_path; /* unix socket; NULL or "": host and port */
    const char *host;
    uint16_t port;
    unsigned db;
    const char *username; /* NULL or "": the default user */
    const char *password; /* NULL or "": no AUTH */
    const char *key_prefix;
    uint32_t read_timeout_ms;
    uint32_t write_timeout_ms;
    size_t queue_max; /* commands waiting or in flight per lane; beyond: unavailable */
};

struct redis_client *redis_client_new(const struct redis_options *options);

/* Start the I/O thread; after the fork. Does not wait for Redis. False: no thread. */
bool redis_client_start(struct redis_client *client);

/* Stop the I/O thread. No call may be under way; detached ones are dropped. NULL is fine. */
void redis_client_free(struct redis_client *client);

/* What is known without asking: every lane ready and heard from within a second. */
bool redis_client_is_connected(const struct redis_client *client);

/*
 * What an acknowledged write survives, as Redis was set when it was last connected
 * (CONFIG GET appendonly, appendfsync). UNKNOWN also where CONFIG is forbidden.
 */
enum redis_durability {
    REDIS_DURABILITY_UNKNOWN,
    REDIS_DURABILITY_NONE,     /* no append-only file, or appendfsync no */
    REDIS_DURABILITY_EVERYSEC, /* may lose what a stalled fsync had not written */
    REDIS_DURABILITY_ALWAYS    /* on disk before the answer */
};
enum redis_durability redis_client_durability(const struct redis_client *client);

/* The prefix of every key; lives as long as the client. */
struct slice redis_client_key_prefix(const struct redis_client *client);

/*
 * Run one command and wait for its reply until the lane's deadline at most.
 *
 * `argv` is copied; at most REDIS_WORDS_MAX words. On ERR_OK `*reply` is the caller's to free; an
 * error reply of Redis never arrives here but as a code. `err` gets detail, cause and
 * retry_after_ms.
 */
enum { REDIS_WORDS_MAX = 2060 };
enum err_code redis_client_call(struct redis_client *client, enum redis_lane lane,
                                const struct slice *argv, size_t argc, struct redisReply **reply,
                                struct error *err) __attribute__((warn_unused_result));

/*
 * The same in two steps, for what only reads: ask, do something else, then wait until the
 * lane's deadline, which runs from the asking. A job that was begun is finished or abandoned,
 * either of which ends it.
 */
struct redis_job;
enum err_code redis_client_begin_read(struct redis_client *client, const struct slice *argv,
                                      size_t argc, struct redis_job **job, struct error *err)
    __attribute__((warn_unused_result));
enum err_code redis_client_finish_read(struct redis_job *job, struct redisReply **reply,
                                       struct error *err) __attribute__((warn_unused_result));
void redis_client_abandon_read(struct redis_job *job); /* NULL is fine */

/*
 * The same as redis_client_call for an embedded script, by its digest. A server that lost it
 * (NOSCRIPT: not executed) is given it again, once. At most REDIS_EVAL_ARGS_MAX keys and arguments
 * together.
 */
enum { REDIS_EVAL_ARGS_MAX = REDIS_WORDS_MAX - 3 };
enum err_code redis_client_eval(struct redis_client *client, enum redis_lane lane,
                                enum redis_script script, const struct slice *keys,
                                size_t key_count, const struct slice *args, size_t arg_count,
                                struct redisReply **reply, struct error *err)
    __attribute__((warn_unused_result));

/*
 * The same in two steps, for several that go one behind the other in one pipeline. The deadline
 * runs from the asking. Finished, `*reply` may be NULL with ERR_OK: the server did not know the
 * script and executed nothing; redis_client_eval then makes it known.
 */
enum err_code redis_client_begin_eval(struct redis_client *client, enum redis_lane lane,
                                      enum redis_script script, const struct slice *keys,
                                      size_t key_count, const struct slice *args, size_t arg_count,
                                      struct redis_job **job, struct error *err)
    __attribute__((warn_unused_result));
enum err_code redis_client_finish_eval(struct redis_job *job, enum redis_lane lane,
                                       struct redisReply **reply, struct error *err)
    __attribute__((warn_unused_result));

/*
 * The same without waiting: for writes to a cache, which may be lost without notice. Costs
 * the caller a queue entry, whatever the disk does.
 */
void redis_client_eval_detached(struct redis_client *client, enum redis_lane lane,
                                enum redis_script script, const struct slice *keys,
                                size_t key_count, const struct slice *args, size_t arg_count);

#endif
