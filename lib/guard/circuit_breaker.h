/*
 * circuit_breaker: one breaker for the whole fleet, kept in Redis.
 *
 *   CLOSED    --failure_threshold consecutive failures--> OPEN
 *   OPEN      --reset_timeout over and somebody asks----> HALF_OPEN, the asker probes
 *   HALF_OPEN --the probe succeeds----------------------> CLOSED
 *             --the probe fails, or three leases lapse--> OPEN
 *
 * The protected call runs outside any lock. Every transition raises a generation,
 * seeded from Redis TIME; a report carries the generation of its permit and is ignored
 * when that is over. A probe is a token with a lease longer than the call's timeout;
 * when it lapses the next caller gets a new one. A refusal writes nothing and extends
 * nothing. Consecutive failures count in the order in which Redis saw them.
 *
 * Without Redis the same machine runs on this process's own counters, from the last
 * known state on; what Redis holds wins when it is back. So it does for a reset timeout
 * when Redis refuses a report (full, read-only), through an opening and its probe, unless
 * somebody's report is taken meanwhile. Thread-safe.
 */
#ifndef LIB_GUARD_CIRCUIT_BREAKER_H
#define LIB_GUARD_CIRCUIT_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "redis_client.h"

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN, BREAKER_STATE_COUNT };

const char *breaker_state_name(enum breaker_state state); /* "CLOSED", "OPEN", "HALF_OPEN" */

struct breaker_options {
    const char *name; /* static */
    uint32_t failure_threshold;
    uint32_t reset_timeout_ms;
    uint32_t probe_lease_ms; /* longer than the protected call may take */
};

/* Leave to make one call, or not. Belongs to the caller; report it exactly once. */
struct breaker_permit {
    bool is_admitted;
    bool is_probe;
    bool is_shared; /* decided by Redis, not by this process alone */
    int64_t generation;
    uint64_t token;         /* of a probe */
    int64_t retry_after_us; /* when refused */
};

enum breaker_outcome {
    BREAKER_SUCCESS,
    BREAKER_FAILURE,
    BREAKER_NEUTRAL /* no verdict on the dependency: the probe is handed back */
};

enum { BREAKER_TURNS_MAX = 32 };

struct breaker_turn {
    enum breaker_state to;
    struct wall_time at;
};

struct breaker_status {
    enum breaker_state state;
    uint64_t failure_count; /* consecutive */
    uint64_t success_count; /* since it last closed */
    int64_t generation;
    int64_t opened_at_us; /* wall time; 0: not open */
    int64_t probe_at_us;  /* wall time of the next probe when OPEN; 0: not open */
    bool is_probe_due;    /* OPEN, and the next who asks will probe */
    bool is_shared;       /* read from Redis just now */
    size_t turn_count;    /* the last transitions in the fleet, oldest first; none without Redis */
    struct breaker_turn turns[BREAKER_TURNS_MAX];
};

struct circuit_breaker;

struct circuit_breaker *circuit_breaker_new(struct redis_client *client,
                                            const struct breaker_options *options);
void circuit_breaker_free(struct circuit_breaker *breaker);

/* One round trip, or none while a refusal is known to stand (at most a second). */
void circuit_breaker_allow(struct circuit_breaker *breaker, struct breaker_permit *permit);

/* One round trip; nothing for a permit that was not admitted. */
void circuit_breaker_record(struct circuit_breaker *breaker, const struct breaker_permit *permit,
                            enum breaker_outcome outcome);

/* One round trip (read lane); without Redis the local view, is_shared false. */
void circuit_breaker_status(struct circuit_breaker *breaker, struct breaker_status *status);

#endif
