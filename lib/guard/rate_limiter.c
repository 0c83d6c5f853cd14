#include "rate_limiter.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "counters.h"
#include "hash.h"

enum { STRIPES = 16 };

struct refusal {
    const struct rate_policy *policy; /* NULL: free */
    struct rate_subject subject;
    struct mono_time end;
};

struct rate_limiter {
    struct redis_client *client;
    pthread_mutex_t stripes[STRIPES]; /* the i-th guards every refusal i modulo STRIPES */
    size_t refusals_max;
    struct refusal refusals[];
};

static unsigned group(const struct in6_addr *address, size_t index)
{
    return (unsigned)address->s6_addr[2 * index] << 8 | address->s6_addr[2 * index + 1];
}

void rate_subject_from_address(struct slice address, struct rate_subject *subject)
{
    char text[INET6_ADDRSTRLEN] = "";
    struct in_addr v4;
    struct in6_addr v6;
    int len;
    /* A text with a NUL in it is no address, whatever stands before that. */
    if (address.len > 0 && address.len < sizeof text && !memchr(address.ptr, 0, address.len))
        memcpy(text, address.ptr, address.len);
    bool is_v4 = inet_pton(AF_INET, text, &v4) == 1;
    bool is_v6 = !is_v4 && inet_pton(AF_INET6, text, &v6) == 1;
    if (is_v6 && IN6_IS_ADDR_V4MAPPED(&v6)) {
        memcpy(&v4, &v6.s6_addr[12], sizeof v4);
        is_v4 = true;
    }
    if (is_v4) {
        uint32_t host = ntohl(v4.s_addr);
        len = snprintf(subject->bytes, sizeof subject->bytes, "4:%u.%u.%u.%u", host >> 24,
                       host >> 16 & 255, host >> 8 & 255, host & 255);
    } else if (is_v6) {
        len = snprintf(subject->bytes, sizeof subject->bytes, "6:%x:%x:%x:%x", group(&v6, 0),
                       group(&v6, 1), group(&v6, 2), group(&v6, 3));
    } else {
        len =
            snprintf(subject->bytes, sizeof subject->bytes, "?:%016" PRIx64, hash_stable(address));
    }
    subject->len = (size_t)len;
}

static struct slice subject_slice(const struct rate_subject *subject)
{
    return slice_of(subject->bytes, subject->len);
}

struct rate_limiter *rate_limiter_new(struct redis_client *client, size_t refusals_max)
{
    struct rate_limiter *limiter =
        calloc(1, sizeof *limiter + refusals_max * sizeof limiter->refusals[0]);
    if (!limiter)
        return NULL;
    limiter->client = client;
    limiter->refusals_max = refusals_max;
    for (size_t i = 0; i < STRIPES; i++)
        (void)pthread_mutex_init(&limiter->stripes[i], NULL);
    return limiter;
}

void rate_limiter_free(struct rate_limiter *limiter)
{
    if (!limiter)
        return;
    for (size_t i = 0; i < STRIPES; i++)
        (void)pthread_mutex_destroy(&limiter->stripes[i]);
    free(limiter);
}

/* Where the refusal of `subject` is or would be; its stripe is locked. */
static struct refusal *lock_refusal(struct rate_limiter *limiter, const struct rate_policy *policy,
                                    const struct rate_subject *subject, pthread_mutex_t **stripe)
{
    uint64_t hash = hash_bytes(subject_slice(subject), (uint64_t)(uintptr_t)policy);
    size_t index = (size_t)(hash % limiter->refusals_max);
    *stripe = &limiter->stripes[index % STRIPES];
    (void)pthread_mutex_lock(*stripe);
    return &limiter->refusals[index];
}

static bool is_about(const struct refusal *refusal, const struct rate_policy *policy,
                     const struct rate_subject *subject)
{
    return refusal->policy == policy &&
           slice_equals(subject_slice(&refusal->subject), subject_slice(subject));
}

/* Microseconds for which `subject` is still refused; 0 when nothing is known. */
static int64_t refused_for_us(struct rate_limiter *limiter, const struct rate_policy *policy,
                              const struct rate_subject *subject, struct mono_time now)
{
    if (limiter->refusals_max == 0)
        return 0;
    pthread_mutex_t *stripe;
    const struct refusal *refusal = lock_refusal(limiter, policy, subject, &stripe);
    int64_t left = is_about(refusal, policy, subject) ? mono_us_between(now, refusal->end) : 0;
    (void)pthread_mutex_unlock(stripe);
    return left > 0 ? left : 0;
}

static void remember_refusal(struct rate_limiter *limiter, const struct rate_policy *policy,
                             const struct rate_subject *subject, struct mono_time end)
{
    if (limiter->refusals_max == 0)
        return;
    pthread_mutex_t *stripe;
    struct refusal *refusal = lock_refusal(limiter, policy, subject, &stripe);
    *refusal = (struct refusal){.policy = policy, .subject = *subject, .end = end};
    (void)pthread_mutex_unlock(stripe);
}

static void fill_call(struct rate_limiter *limiter, const struct rate_policy *policy,
                      const struct rate_subject *subject, struct mono_time now,
                      struct rate_call *call)
{
    call->policy = policy;
    call->subject = *subject;
    call->asked_at = now;
    redis_key_rate_limit(&call->key, redis_client_key_prefix(limiter->client),
                         subject_slice(subject), slice_from_string(policy->name));
    (void)snprintf(call->limit_text, sizeof call->limit_text, "%" PRIu64, policy->limit);
    (void)snprintf(call->window_us_text, sizeof call->window_us_text, "%" PRIu64,
                   policy->window_seconds * UINT64_C(1000000));
}

bool rate_limiter_begin(struct rate_limiter *limiter, const struct rate_policy *policy,
                        const struct rate_subject *subject, struct mono_time now,
                        struct rate_call *call, struct rate_verdict *verdict)
{
    int64_t left = refused_for_us(limiter, policy, subject, now);
    if (left > 0) {
        counter_add(COUNTER_RATE_REFUSED, 1);
        counter_add(COUNTER_RATE_REFUSED_LOCALLY, 1);
        *verdict = (struct rate_verdict){.policy = policy, .next_us = left, .retry_after_us = left};
        return false;
    }
    fill_call(limiter, policy, subject, now, call);
    return true;
}

static bool read_verdict(const struct redisReply *reply, const struct rate_policy *policy,
                         struct rate_verdict *verdict)
{
    int64_t admitted, remaining, next_us, retry_us;
    if (!redis_reply_integer_at(reply, 0, &admitted) ||
        !redis_reply_integer_at(reply, 1, &remaining) ||
        !redis_reply_integer_at(reply, 2, &next_us) ||
        !redis_reply_integer_at(reply, 3, &retry_us) || remaining < 0)
        return false;
    *verdict = (struct rate_verdict){.policy = policy,
                                     .is_admitted = admitted == 1,
                                     .remaining = (uint64_t)remaining,
                                     .next_us = next_us,
                                     .retry_after_us = retry_us};
    return true;
}

bool rate_limiter_end(struct rate_limiter *limiter, const struct rate_call *call,
                      const struct redisReply *reply, struct rate_verdict *verdict)
{
    if (!read_verdict(reply, call->policy, verdict))
        return false;
    if (call->policy->limit > 0)
        counter_add(verdict->is_admitted ? COUNTER_RATE_ADMITTED : COUNTER_RATE_REFUSED, 1);
    /* Counted from before it was sent: never longer than the wait that Redis told. */
    if (!verdict->is_admitted)
        remember_refusal(limiter, call->policy, &call->subject,
                         mono_after_us(call->asked_at, verdict->retry_after_us));
    return true;
}

static enum err_code ask(struct rate_limiter *limiter, enum redis_lane lane,
                         enum redis_script script, const struct rate_call *call,
                         struct redisReply **reply, struct error *err)
{
    struct slice key = redis_key_slice(&call->key);
    const struct slice args[RATE_ARGS] = {slice_from_string(call->limit_text),
                                          slice_from_string(call->window_us_text)};
    return redis_client_eval(limiter->client, lane, script, &key, 1, args, RATE_ARGS, reply, err);
}

enum err_code rate_verdict_refuse(const struct rate_verdict *verdict, struct error *err)
{
    if (err)
        err->retry_after_ms = (uint32_t)((verdict->retry_after_us + 999) / 1000);
    return error_set(err, ERR_RATE_LIMITED, "Rate limit exceeded");
}

enum err_code rate_limiter_check(struct rate_limiter *limiter, const struct rate_policy *policy,
                                 const struct rate_subject *subject, struct mono_time now,
                                 struct rate_verdict *verdict, struct error *err)
{
    struct rate_call call;
    if (policy->limit == 0) {
        *verdict = (struct rate_verdict){.policy = policy, .is_admitted = true};
        return ERR_OK;
    }
    if (!rate_limiter_begin(limiter, policy, subject, now, &call, verdict))
        return rate_verdict_refuse(verdict, err);
    struct redisReply *reply;
    enum err_code code =
        ask(limiter, REDIS_LANE_WRITE, REDIS_SCRIPT_RATE_CHECK, &call, &reply, err);
    if (code != ERR_OK)
        return code;
    if (!rate_limiter_end(limiter, &call, reply, verdict))
        code = error_set(err, ERR_INTERNAL, "unexpected reply of the rate limiter");
    else if (!verdict->is_admitted)
        code = rate_verdict_refuse(verdict, err);
    redis_reply_free(reply);
    return code;
}

enum err_code rate_limiter_peek(struct rate_limiter *limiter, const struct rate_policy *policy,
                                const struct rate_subject *subject, struct rate_verdict *verdict,
                                struct error *err)
{
    struct rate_call call;
    if (policy->limit == 0) {
        *verdict = (struct rate_verdict){.policy = policy, .is_admitted = true};
        return ERR_OK;
    }
    fill_call(limiter, policy, subject, clock_mono_now(), &call);
    struct redisReply *reply;
    enum err_code code = ask(limiter, REDIS_LANE_READ, REDIS_SCRIPT_RATE_PEEK, &call, &reply, err);
    if (code != ERR_OK)
        return code;
    if (!read_verdict(reply, policy, verdict))
        code = error_set(err, ERR_INTERNAL, "unexpected reply of the rate limiter");
    redis_reply_free(reply);
    return code;
}
