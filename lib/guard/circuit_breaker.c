#include "circuit_breaker.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "breaker_machine.h"
#include "counters.h"
#include "log.h"
#include "redis_keys.h"

enum {
    NUMBER_TEXT_BYTES = 24,
    REFUSAL_KNOWN_US = 1000000, /* how long a refusal of Redis may stand unasked */
    TURNS_AT = 10,              /* in the reply of breaker_status */
};

/* Of a probe that somebody else makes: never the token of one of ours (those are odd). */
static const uint64_t FOREIGN_TOKEN = UINT64_MAX - 1;

struct circuit_breaker {
    struct redis_client *client;
    struct breaker_options options;
    struct redis_key key;
    char reset_us_text[NUMBER_TEXT_BYTES];
    char lease_us_text[NUMBER_TEXT_BYTES];
    pthread_mutex_t mutex; /* guards what follows */
    struct breaker_machine machine;
    int64_t shared_generation;      /* of what Redis held when `machine` was taken from it */
    bool is_own;                    /* `machine` has gone on by itself since */
    struct mono_time local_until;   /* Redis refused a report: `machine` decides so long */
    struct mono_time synced_at;     /* when the answer that `machine` shows was asked for */
    struct mono_time refused_until; /* what Redis said still stands */
};

const char *breaker_state_name(enum breaker_state state)
{
    static const char *const names[BREAKER_STATE_COUNT] = {"CLOSED", "OPEN", "HALF_OPEN"};
    return (unsigned)state < BREAKER_STATE_COUNT ? names[state] : "CLOSED";
}

/* What the scripts answer (lib/breaker.lua). Wall times in microseconds. */
struct stored {
    int64_t verdict;
    enum breaker_state state;
    int64_t generation;
    int64_t failures;
    int64_t successes;
    int64_t opened_at;
    int64_t probe_at;
    int64_t now;
    int64_t wait;
    int64_t has_turned;
    size_t turn_count; /* of breaker_status alone */
    struct breaker_turn turns[BREAKER_TURNS_MAX];
};
enum { VERDICT_REFUSED, VERDICT_ADMITTED, VERDICT_PROBE };

static bool read_state(const struct redisReply *reply, size_t at, enum breaker_state *state)
{
    struct slice name;
    if (!redis_reply_bytes_at(reply, at, &name))
        return false;
    for (unsigned i = 0; i < BREAKER_STATE_COUNT; i++) {
        if (slice_equals(name, slice_from_string(breaker_state_name((enum breaker_state)i)))) {
            *state = (enum breaker_state)i;
            return true;
        }
    }
    return false;
}

static void read_turns(const struct redisReply *reply, struct stored *stored)
{
    struct breaker_turn *turn = stored->turns;
    stored->turn_count = 0;
    for (size_t at = TURNS_AT;
         stored->turn_count < BREAKER_TURNS_MAX && read_state(reply, at, &turn->to) &&
         redis_reply_integer_at(reply, at + 1, &turn->at.us);
         at += 2, turn++)
        stored->turn_count++;
}

static bool read_stored(const struct redisReply *reply, struct stored *stored)
{
    read_turns(reply, stored);
    return redis_reply_integer_at(reply, 0, &stored->verdict) &&
           read_state(reply, 1, &stored->state) &&
           redis_reply_integer_at(reply, 2, &stored->generation) &&
           redis_reply_integer_at(reply, 3, &stored->failures) &&
           redis_reply_integer_at(reply, 4, &stored->successes) &&
           redis_reply_integer_at(reply, 5, &stored->opened_at) &&
           redis_reply_integer_at(reply, 6, &stored->probe_at) &&
           redis_reply_integer_at(reply, 7, &stored->now) &&
           redis_reply_integer_at(reply, 8, &stored->wait) &&
           redis_reply_integer_at(reply, 9, &stored->has_turned);
}

struct circuit_breaker *circuit_breaker_new(struct redis_client *client,
                                            const struct breaker_options *options)
{
    struct circuit_breaker *breaker = calloc(1, sizeof *breaker);
    if (!breaker)
        return NULL;
    breaker->client = client;
    breaker->options = *options;
    redis_key_breaker(&breaker->key, redis_client_key_prefix(client),
                      slice_from_string(options->name));
    (void)snprintf(breaker->reset_us_text, sizeof breaker->reset_us_text, "%" PRIu64,
                   options->reset_timeout_ms * UINT64_C(1000));
    (void)snprintf(breaker->lease_us_text, sizeof breaker->lease_us_text, "%" PRIu64,
                   options->probe_lease_ms * UINT64_C(1000));
    (void)pthread_mutex_init(&breaker->mutex, NULL);
    return breaker;
}

void circuit_breaker_free(struct circuit_breaker *breaker)
{
    if (!breaker)
        return;
    (void)pthread_mutex_destroy(&breaker->mutex);
    free(breaker);
}

static uint64_t new_token(void)
{
    uint64_t token;
    if (getrandom(&token, sizeof token, 0) != (ssize_t)sizeof token)
        token = (uint64_t)clock_mono_now().us << 20 ^ (uint64_t)(uintptr_t)&token;
    return token | 1;
}

static void count_turn(enum breaker_state to)
{
    static const enum counter counters[] = {[BREAKER_CLOSED] = COUNTER_BREAKER_CLOSED,
                                            [BREAKER_OPEN] = COUNTER_BREAKER_OPENED,
                                            [BREAKER_HALF_OPEN] = COUNTER_BREAKER_HALF_OPENED};
    counter_add(counters[to], 1);
}

static void count_outcome(enum breaker_outcome outcome)
{
    if (outcome != BREAKER_NEUTRAL)
        counter_add(outcome == BREAKER_SUCCESS ? COUNTER_BREAKER_SUCCEEDED : COUNTER_BREAKER_FAILED,
                    1);
}

/* With the lock held: tell of a transition that this process has seen or made. */
static void tell_of_change(const struct circuit_breaker *breaker, enum breaker_state before,
                           bool is_shared)
{
    enum breaker_state state = breaker->machine.state;
    if (state == before)
        return;
    if (!is_shared)
        count_turn(state);
    LOG_EVENT(state == BREAKER_OPEN ? LOG_WARNING : LOG_INFO, "breaker_changed",
              LOG_TEXT("breaker", breaker->options.name),
              LOG_TEXT("from", breaker_state_name(before)),
              LOG_TEXT("to", breaker_state_name(state)), LOG_INT("shared", is_shared));
}

/*
 * With the lock held: take over what Redis holds, so that the local machine could go on
 * from there. An answer that was asked for before the one we have is older: ignored. False:
 * Redis refuses reports and holds what it held, so the local machine knows better.
 */
static bool take_over(struct circuit_breaker *breaker, const struct stored *stored,
                      struct mono_time asked_at, uint64_t own_token)
{
    struct breaker_machine *machine = &breaker->machine;
    if (mono_is_before(asked_at, breaker->local_until)) {
        if (stored->generation == breaker->shared_generation)
            return false;
        breaker->local_until = asked_at;
    }
    if (mono_is_before(asked_at, breaker->synced_at))
        return true;
    breaker->shared_generation = stored->generation;
    breaker->is_own = false;
    if (machine->generation != stored->generation)
        breaker->refused_until = asked_at;
    enum breaker_state before = machine->state;
    uint64_t token = 0;
    if (stored->state == BREAKER_HALF_OPEN && stored->wait > 0)
        token = own_token ? own_token : FOREIGN_TOKEN;
    breaker->synced_at = asked_at;
    *machine = (struct breaker_machine){
        .state = stored->state,
        .generation = stored->generation,
        .failures = (uint64_t)stored->failures,
        .successes = (uint64_t)stored->successes,
        .opened_at = mono_after_us(asked_at, stored->opened_at - stored->now),
        .probe_at = mono_after_us(asked_at, stored->probe_at - stored->now),
        .token = token,
        .lease_end = mono_after_us(asked_at, stored->wait),
    };
    tell_of_change(breaker, before, true);
    return true;
}

static enum err_code ask(struct circuit_breaker *breaker, enum redis_lane lane,
                         enum redis_script script, const struct slice *args, size_t arg_count,
                         struct stored *stored)
{
    struct slice key = redis_key_slice(&breaker->key);
    struct redisReply *reply;
    struct error err;
    error_init(&err);
    enum err_code code =
        redis_client_eval(breaker->client, lane, script, &key, 1, args, arg_count, &reply, &err);
    if (code == ERR_OK && !read_stored(reply, stored)) {
        code = ERR_INTERNAL;
        error_set_cause(&err, "unexpected reply");
    }
    if (code == ERR_INTERNAL)
        LOG_EVENT(LOG_ERROR, "breaker_script_failed", LOG_TEXT("cause", err.cause));
    if (code == ERR_OK && stored->has_turned)
        count_turn(stored->state);
    redis_reply_free(reply);
    return code;
}

static bool is_known_refused(struct circuit_breaker *breaker, struct mono_time now,
                             struct breaker_permit *permit)
{
    (void)pthread_mutex_lock(&breaker->mutex);
    bool is_refused = mono_is_before(now, breaker->refused_until);
    if (is_refused)
        *permit = (struct breaker_permit){.is_shared = true,
                                          .generation = breaker->machine.generation,
                                          .retry_after_us =
                                              breaker_machine_wait_us(&breaker->machine, now)};
    (void)pthread_mutex_unlock(&breaker->mutex);
    return is_refused;
}

static void allow_locally(struct circuit_breaker *breaker, uint64_t token,
                          struct breaker_permit *permit)
{
    (void)pthread_mutex_lock(&breaker->mutex);
    enum breaker_state before = breaker->machine.state;
    breaker_machine_allow(&breaker->machine, &breaker->options, clock_mono_now(), token, permit);
    breaker->is_own = true;
    tell_of_change(breaker, before, false);
    (void)pthread_mutex_unlock(&breaker->mutex);
}

static bool decides_locally(struct circuit_breaker *breaker, struct mono_time now)
{
    (void)pthread_mutex_lock(&breaker->mutex);
    bool is_local = mono_is_before(now, breaker->local_until);
    (void)pthread_mutex_unlock(&breaker->mutex);
    return is_local;
}

static void decide(struct circuit_breaker *breaker, struct breaker_permit *permit)
{
    struct mono_time asked_at = clock_mono_now();
    if (is_known_refused(breaker, asked_at, permit))
        return;
    uint64_t token = new_token();
    char token_text[NUMBER_TEXT_BYTES];
    (void)snprintf(token_text, sizeof token_text, "%" PRIu64, token);
    const struct slice args[] = {slice_from_string(token_text),
                                 slice_from_string(breaker->reset_us_text),
                                 slice_from_string(breaker->lease_us_text)};
    struct stored stored;
    if (decides_locally(breaker, asked_at) ||
        ask(breaker, REDIS_LANE_WRITE, REDIS_SCRIPT_BREAKER_ALLOW, args, 3, &stored) != ERR_OK) {
        allow_locally(breaker, token, permit);
        return;
    }
    bool is_probe = stored.verdict == VERDICT_PROBE;
    bool is_refused = stored.verdict == VERDICT_REFUSED;
    *permit = (struct breaker_permit){.is_admitted = !is_refused,
                                      .is_probe = is_probe,
                                      .is_shared = true,
                                      .generation = stored.generation,
                                      .token = is_probe ? token : 0,
                                      .retry_after_us = is_refused ? stored.wait : 0};
    (void)pthread_mutex_lock(&breaker->mutex);
    (void)take_over(breaker, &stored, asked_at, permit->token);
    if (is_refused && breaker->synced_at.us == asked_at.us)
        breaker->refused_until = mono_after_us(
            asked_at, stored.wait < REFUSAL_KNOWN_US ? stored.wait : REFUSAL_KNOWN_US);
    (void)pthread_mutex_unlock(&breaker->mutex);
}

void circuit_breaker_allow(struct circuit_breaker *breaker, struct breaker_permit *permit)
{
    decide(breaker, permit);
    counter_add(permit->is_admitted ? COUNTER_BREAKER_ALLOWED : COUNTER_BREAKER_REFUSED, 1);
}

static enum err_code record_shared(struct circuit_breaker *breaker,
                                   const struct breaker_permit *permit,
                                   enum breaker_outcome outcome)
{
    static const char *const outcomes[] = {"success", "failure", "neutral"};
    char generation[NUMBER_TEXT_BYTES], token[NUMBER_TEXT_BYTES], threshold[NUMBER_TEXT_BYTES];
    (void)snprintf(generation, sizeof generation, "%" PRId64, permit->generation);
    (void)snprintf(token, sizeof token, "%" PRIu64, permit->token);
    (void)snprintf(threshold, sizeof threshold, "%" PRIu32, breaker->options.failure_threshold);
    const struct slice args[] = {slice_from_string(generation),
                                 slice_from_string(token),
                                 slice_from_string(outcomes[outcome]),
                                 slice_from_string(threshold),
                                 slice_from_string(breaker->reset_us_text),
                                 slice_from_string(breaker->lease_us_text)};
    struct mono_time asked_at = clock_mono_now();
    struct stored stored;
    enum err_code code =
        ask(breaker, REDIS_LANE_WRITE, REDIS_SCRIPT_BREAKER_RECORD, args, 6, &stored);
    if (code != ERR_OK)
        return code;
    (void)pthread_mutex_lock(&breaker->mutex);
    (void)take_over(breaker, &stored, asked_at, 0);
    /* A probe handed back may be given out again at once, without a transition. */
    if (permit->is_probe)
        breaker->refused_until = asked_at;
    (void)pthread_mutex_unlock(&breaker->mutex);
    return ERR_OK;
}

/*
 * With the lock held: how long the local machine decides. Redis may go on answering while it
 * takes no report (full, or a replica): it would admit for ever. An opening lasts its time
 * and then has its probe here, whose success ends all that.
 */
static void stay_local(struct circuit_breaker *breaker, bool has_closed, struct mono_time now)
{
    const struct breaker_machine *machine = &breaker->machine;
    struct mono_time from = machine->state == BREAKER_OPEN ? machine->probe_at : now;
    breaker->local_until =
        has_closed ? now : mono_after_ms(from, breaker->options.reset_timeout_ms);
}

void circuit_breaker_record(struct circuit_breaker *breaker, const struct breaker_permit *permit,
                            enum breaker_outcome outcome)
{
    if (!permit->is_admitted)
        return;
    count_outcome(outcome);
    /* What was decided without Redis stays here: local counters are not replayed. */
    enum err_code code = permit->is_shared ? record_shared(breaker, permit, outcome) : ERR_OK;
    if (permit->is_shared && code == ERR_OK)
        return;
    (void)pthread_mutex_lock(&breaker->mutex);
    struct mono_time now = clock_mono_now();
    enum breaker_state before = breaker->machine.state;
    (void)breaker_machine_record(&breaker->machine, &breaker->options, now, permit, outcome);
    breaker->is_own = true;
    if (permit->is_probe)
        breaker->refused_until = now;
    bool has_closed = before != BREAKER_CLOSED && breaker->machine.state == BREAKER_CLOSED;
    bool is_refused = code == ERR_STORE_FULL ||
                      (code == ERR_STORE_UNAVAILABLE && redis_client_is_connected(breaker->client));
    if (is_refused || mono_is_before(now, breaker->local_until))
        stay_local(breaker, has_closed, now);
    tell_of_change(breaker, before, false);
    (void)pthread_mutex_unlock(&breaker->mutex);
}

static void local_status(struct circuit_breaker *breaker, struct breaker_status *status)
{
    (void)pthread_mutex_lock(&breaker->mutex);
    struct breaker_machine machine = breaker->machine;
    (void)pthread_mutex_unlock(&breaker->mutex);
    struct mono_time now = clock_mono_now();
    int64_t wall = clock_wall_now().us;
    bool is_open = machine.state == BREAKER_OPEN;
    *status = (struct breaker_status){
        .state = machine.state,
        .failure_count = machine.failures,
        .success_count = machine.successes,
        .generation = machine.generation,
        .opened_at_us = is_open ? wall + mono_us_between(now, machine.opened_at) : 0,
        .probe_at_us = is_open ? wall + mono_us_between(now, machine.probe_at) : 0,
        .is_probe_due = is_open && breaker_machine_wait_us(&machine, now) == 0,
    };
}

/* With nothing stored, what this process counted by itself is all that is known. */
static bool is_told_by_redis(struct circuit_breaker *breaker, const struct stored *stored,
                             struct mono_time asked_at)
{
    (void)pthread_mutex_lock(&breaker->mutex);
    bool is_told = (stored->verdict == VERDICT_ADMITTED || !breaker->is_own) &&
                   take_over(breaker, stored, asked_at, 0);
    (void)pthread_mutex_unlock(&breaker->mutex);
    return is_told;
}

void circuit_breaker_status(struct circuit_breaker *breaker, struct breaker_status *status)
{
    const struct slice args[] = {slice_from_string(breaker->reset_us_text),
                                 slice_from_string(breaker->lease_us_text)};
    struct mono_time asked_at = clock_mono_now();
    struct stored stored;
    if (ask(breaker, REDIS_LANE_READ, REDIS_SCRIPT_BREAKER_STATUS, args, 2, &stored) != ERR_OK ||
        !is_told_by_redis(breaker, &stored, asked_at)) {
        local_status(breaker, status);
        return;
    }
    bool is_open = stored.state == BREAKER_OPEN;
    *status = (struct breaker_status){
        .state = stored.state,
        .failure_count = (uint64_t)stored.failures,
        .success_count = (uint64_t)stored.successes,
        .generation = stored.generation,
        .opened_at_us = is_open ? stored.opened_at : 0,
        .probe_at_us = is_open ? stored.probe_at : 0,
        .is_probe_due = is_open && stored.wait == 0,
        .is_shared = true,
        .turn_count = stored.turn_count,
    };
    memcpy(status->turns, stored.turns, stored.turn_count * sizeof *stored.turns);
}
