/*
 * breaker_machine: the breaker's rules on one process's own counters, for when Redis
 * is away. Pure: `now` and tokens are arguments, the lock is the caller's.
 *
 *   state      asked                          success    failure              neutral
 *   CLOSED     admitted                       failures 0 failures + 1; at     -
 *                                                        threshold -> OPEN
 *   OPEN       refused until probe_at, then   ignored    ignored              ignored
 *              -> HALF_OPEN and a probe
 *   HALF_OPEN  refused while a lease runs;    -> CLOSED  -> OPEN              token back
 *              else a probe; the third lapsed
 *              lease in a row -> OPEN
 *
 * Reports of another generation, and in HALF_OPEN of another token, are ignored.
 * lib/redis/scripts/breaker_*.lua are the same rules for the fleet.
 */
#ifndef LIB_GUARD_BREAKER_MACHINE_H
#define LIB_GUARD_BREAKER_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "circuit_breaker.h"
#include "clock.h"

enum { BREAKER_LAPSES_MAX = 3 };

struct breaker_machine {
    enum breaker_state state;
    int64_t generation; /* + 1 at each transition */
    uint64_t failures;  /* consecutive */
    uint64_t successes; /* since it last closed */
    struct mono_time opened_at;
    struct mono_time probe_at; /* when OPEN */
    uint64_t token;            /* of the probe under way; 0: none */
    struct mono_time lease_end;
    unsigned lapses; /* in a row */
};

/* How long nobody will be admitted; 0: a call, or a probe, may be made. */
int64_t breaker_machine_wait_us(const struct breaker_machine *machine, struct mono_time now);

/* Fill all of `permit`; is_shared is false. `token` is not 0. */
void breaker_machine_allow(struct breaker_machine *machine, const struct breaker_options *options,
                           struct mono_time now, uint64_t token, struct breaker_permit *permit);

/* False when the report came too late to count. */
bool breaker_machine_record(struct breaker_machine *machine, const struct breaker_options *options,
                            struct mono_time now, const struct breaker_permit *permit,
                            enum breaker_outcome outcome);

#endif
