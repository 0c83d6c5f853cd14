/*
 * rate_limiter: at most N admissions in any window, for the whole fleet.
 *
 * An exact sliding log in Redis (scripts/lib/rate_limit.lua): the admitted instants of
 * a subject, 8 bytes each. The window is half-open, (now - W, now]. A refusal writes
 * nothing, so refused requests do not extend the wait (one exception: stamps that lie
 * in the future because a clock stepped back are moved to now, once, so that no wait
 * ever exceeds the window). Above RATE_LOG_MAX the log becomes 60 sub-buckets of
 * which the oldest, partial one counts whole: it may refuse up to W/60 early, it
 * never admits N + 1. N = 0 switches a policy off.
 *
 * Near cache: a refused subject cannot become admissible before its wait is over, so
 * this process refuses it locally until then, with no call and no wrong answer.
 *
 * The decision and the write that it permits are one script: rate_limiter_begin
 * gives the limiter's share of that script's keys and arguments, rate_limiter_end
 * reads its share of the reply. Thread-safe.
 */
#ifndef LIB_GUARD_RATE_LIMITER_H
#define LIB_GUARD_RATE_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "error.h"
#include "redis_client.h"
#include "redis_keys.h"
#include "slice.h"

enum { RATE_LOG_MAX = 128 };

struct rate_policy {
    const char *name; /* static, for headers and keys: "post" */
    uint64_t limit;   /* N; 0: off; at most 1e9 */
    uint32_t window_seconds;
};

struct rate_verdict {
    const struct rate_policy *policy;
    bool is_admitted;
    uint64_t remaining;
    int64_t next_us;        /* until the allowance grows by one; 0: it is whole */
    int64_t retry_after_us; /* when refused: until one more is admitted */
};

/* Who is counted: an IPv4 address, an IPv6 /64, ("4:203.0.113.7", "6:2001:db8:1:2"). */
struct rate_subject {
    char bytes[48];
    size_t len;
};

/* v4-mapped IPv6 is unwrapped; text that is no address becomes "?:" and a hash of it. */
void rate_subject_from_address(struct slice address, struct rate_subject *subject);

struct rate_limiter;

/* Remembers up to `refusals_max` refused subjects; then forgets the one in the way. */
struct rate_limiter *rate_limiter_new(struct redis_client *client, size_t refusals_max);
void rate_limiter_free(struct rate_limiter *limiter);

/* The limiter's share of one script call: KEYS[1] and ARGV[1..RATE_ARGS]. */
enum { RATE_ARGS = 2 };
struct rate_call {
    const struct rate_policy *policy;
    struct rate_subject subject;
    struct mono_time asked_at;
    struct redis_key key;
    char limit_text[24];     /* ARGV[1]: N */
    char window_us_text[24]; /* ARGV[2]: W in microseconds */
};

/*
 * False when a refusal is still valid: `verdict` is then complete and nothing needs to
 * be asked. Otherwise fills `call`.
 */
bool rate_limiter_begin(struct rate_limiter *limiter, const struct rate_policy *policy,
                        const struct rate_subject *subject, struct mono_time now,
                        struct rate_call *call, struct rate_verdict *verdict);

/*
 * Read the limiter's share of a reply: elements 0..3 of an array, which are admitted
 * (1 or 0), remaining, next_us, retry_after_us. Remembers a refusal.
 * False: the reply is not of that shape.
 */
bool rate_limiter_end(struct rate_limiter *limiter, const struct rate_call *call,
                      const struct redisReply *reply, struct rate_verdict *verdict);

/* Set `err` to the refusal that `verdict` is. Returns ERR_RATE_LIMITED. */
enum err_code rate_verdict_refuse(const struct rate_verdict *verdict, struct error *err);

/*
 * Spend one unit, for routes that write nothing else. One round trip, or none.
 * Returns ERR_OK, ERR_RATE_LIMITED (verdict complete in both), or the store's error.
 */
enum err_code rate_limiter_check(struct rate_limiter *limiter, const struct rate_policy *policy,
                                 const struct rate_subject *subject, struct mono_time now,
                                 struct rate_verdict *verdict, struct error *err)
    __attribute__((warn_unused_result));

/* How `subject` stands; spends nothing and writes nothing. One round trip (read lane). */
enum err_code rate_limiter_peek(struct rate_limiter *limiter, const struct rate_policy *policy,
                                const struct rate_subject *subject, struct rate_verdict *verdict,
                                struct error *err) __attribute__((warn_unused_result));

#endif
