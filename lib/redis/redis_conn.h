/*
 * redis_conn: one non-blocking connection to Redis, from nothing to ready.
 *
 *   DOWN --time to try--> RESOLVING --> CONNECTING --> HANDSHAKE --> READY
 *     ^______________________|______________|_____________|___________|   any failure
 *
 * hiredis formats and parses; sockets, deadlines and recovery are here. The handshake
 * is one pipeline: AUTH, SELECT, the scripts, what the server promises; for
 * tracking, CLIENT ID first. Never waits. Not thread-safe. Not for other rooms.
 */
#ifndef LIB_REDIS_REDIS_CONN_H
#define LIB_REDIS_REDIS_CONN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "redis_client.h"
#include "redis_resolver.h"
#include "strbuf.h"

struct redisReader;

enum redis_role { REDIS_ROLE_WRITE, REDIS_ROLE_READ, REDIS_ROLE_TRACKING };

enum redis_conn_state {
    REDIS_CONN_DOWN,
    REDIS_CONN_RESOLVING,
    REDIS_CONN_CONNECTING,
    REDIS_CONN_HANDSHAKE,
    REDIS_CONN_READY
};

struct redis_conn {
    enum redis_role role;
    const struct redis_options *options; /* borrowed */
    atomic_int *durability;              /* set by the role WRITE; may be NULL */
    int wake_fd;

    enum redis_conn_state state;
    int fd;
    struct redisReader *reader;
    struct strbuf out;
    size_t out_sent;        /* of `out` */
    uint64_t queued_bytes;  /* ever, on this connection */
    uint64_t written_bytes; /* ever, on this connection */
    struct mono_time heard_at;

    struct redis_resolver *resolver;
    struct redis_addresses addresses;
    size_t next_address;
    struct mono_time retry_at; /* when DOWN */
    struct mono_time ready_by; /* while not DOWN and not READY */
    unsigned failures;         /* in a row, for the pause */
    unsigned expected_replies; /* of the handshake's present part */
    unsigned reply_index;
    bool was_lost;   /* the loss has been logged */
    bool has_worked; /* has answered since it was READY */
};

void redis_conn_init(struct redis_conn *conn, enum redis_role role,
                     const struct redis_options *options, atomic_int *durability, int wake_fd);
void redis_conn_release(struct redis_conn *conn);

/* Start an attempt that is due, end one that takes too long. */
void redis_conn_tick(struct redis_conn *conn, struct mono_time now);

/* When tick must be called at the latest. */
struct mono_time redis_conn_wakeup(const struct redis_conn *conn);

/* What to poll `fd` for; 0 with fd -1. */
short redis_conn_events(const struct redis_conn *conn);

/*
 * Act on what poll(2) said: finish connecting, write, read, go on with the handshake.
 * When READY, replies are then to be taken by redis_conn_next. Returns the bytes read.
 */
size_t redis_conn_handle(struct redis_conn *conn, short revents, struct mono_time now);

/* Read what is there without waiting; returns the bytes read. May end in DOWN. */
size_t redis_conn_read(struct redis_conn *conn, struct mono_time now);

/* The next whole reply, the caller's to free; NULL when there is none (or now DOWN). */
struct redisReply *redis_conn_next(struct redis_conn *conn, struct mono_time now);

/* Queue bytes of a command; redis_conn_flush writes as much as the socket takes. */
void redis_conn_queue(struct redis_conn *conn, const char *bytes, size_t len);
void redis_conn_flush(struct redis_conn *conn, struct mono_time now);

/* Close, and try again after a pause that grows with each failure in a row; at once
 * (`pause` false) only what has worked. */
void redis_conn_fail(struct redis_conn *conn, struct mono_time now, bool pause, const char *cause);

/* It has answered, more than its handshake: forget earlier failures. */
static inline void redis_conn_worked(struct redis_conn *conn)
{
    conn->failures = 0;
    conn->has_worked = true;
}

#endif
