/* The breaker's Lua against breaker_machine, in virtual time: the same rules twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "breaker_machine.h"
#include "test_random.h"
#include "test_server.h"

enum { STEPS = 5000, PERMITS = 4, RESET_MS = 1000, LEASE_MS = 200, ARGS_MAX = 7 };
#define START_US INT64_C(1700000000000000)

static const struct breaker_options options = {.name = "script",
                                               .failure_threshold = 3,
                                               .reset_timeout_ms = RESET_MS,
                                               .probe_lease_ms = LEASE_MS};

static struct test_random chance;

static int start_server(void **state)
{
    (void)state;
    chance = test_random_start();
    test_server_start_with((const char *const[]){"--appendonly", "no", NULL});
    return 0;
}

static size_t below(size_t n)
{
    return test_random_below(&chance, n);
}

/* A script as it is, but told the time: by its last argument. */
static struct slice told_the_time(enum redis_script script)
{
    static char text[8192];
    struct slice source = redis_script_source(script);
    int len = snprintf(text, sizeof text,
                       "local server, now = redis, tonumber(table.remove(ARGV))\n"
                       "local redis = {call = function(name, ...)\n"
                       "  if name == 'TIME' then\n"
                       "    return {math.floor(now / 1000000), now %% 1000000}\n"
                       "  end\n"
                       "  return server.call(name, ...)\n"
                       "end}\n"
                       "%.*s",
                       (int)source.len, source.ptr);
    assert_true(len > 0 && (size_t)len < sizeof text);
    return slice_of(text, (size_t)len);
}

static struct redisReply *run(enum redis_script script, const char *const args[], size_t count)
{
    struct slice argv[4 + ARGS_MAX] = {SLICE("EVAL"), told_the_time(script), SLICE("1"),
                                       SLICE("ra:cb:{script}")};
    struct redisReply *reply;
    struct error err;
    error_init(&err);
    for (size_t i = 0; i < count; i++)
        argv[4 + i] = slice_from_string(args[i]);
    if (redis_client_call(test_server.client, REDIS_LANE_WRITE, argv, 4 + count, &reply, &err) !=
        ERR_OK)
        fail_msg("%s (%s)", err.detail, err.cause);
    return reply;
}

/* Both machines, and permits that somebody still holds. */
struct twins {
    struct breaker_machine machine;
    struct mono_time now; /* of both */
    struct breaker_permit permits[PERMITS];
    unsigned visits[BREAKER_STATE_COUNT], lapses, late, handed_back;
};

static int64_t integer_at(const struct redisReply *reply, size_t index)
{
    int64_t number = INT64_MIN;
    assert_true(redis_reply_integer_at(reply, index, &number));
    return number;
}

static void check_reply(const struct twins *t, const struct redisReply *reply)
{
    const struct breaker_machine *m = &t->machine;
    struct slice state;
    assert_true(redis_reply_bytes_at(reply, 1, &state));
    assert_true(slice_equals(state, slice_from_string(breaker_state_name(m->state))));
    assert_int_equal(integer_at(reply, 2), m->generation);
    assert_int_equal(integer_at(reply, 3), m->failures);
    assert_int_equal(integer_at(reply, 4), m->successes);
    if (m->state == BREAKER_OPEN) {
        assert_int_equal(integer_at(reply, 5), m->opened_at.us);
        assert_int_equal(integer_at(reply, 6), m->probe_at.us);
    }
    assert_int_equal(integer_at(reply, 7), t->now.us);
    assert_int_equal(integer_at(reply, 8), breaker_machine_wait_us(m, t->now));
}

static uint64_t stored_at(const struct redisReply *reply, size_t index)
{
    char text[32];
    struct slice bytes;
    assert_true(redis_reply_bytes_at(reply, index, &bytes));
    (void)snprintf(text, sizeof text, "%.*s", (int)bytes.len, bytes.ptr);
    return strtoull(text, NULL, 10);
}

/* What no reply tells, but the next decisions depend on. */
static void check_stored(const struct twins *t)
{
    const struct breaker_machine *m = &t->machine;
    const struct slice argv[] = {SLICE("HMGET"), SLICE("ra:cb:{script}"), SLICE("token"),
                                 SLICE("lapses"), SLICE("lease_end")};
    struct redisReply *reply;
    assert_int_equal(redis_client_call(test_server.client, REDIS_LANE_WRITE, argv, 5, &reply, NULL),
                     ERR_OK);
    assert_int_equal(stored_at(reply, 0), m->token);
    assert_int_equal(stored_at(reply, 1), m->lapses);
    if (m->token != 0)
        assert_int_equal(stored_at(reply, 2), m->lease_end.us);
    redis_reply_free(reply);
}

static void number_text(char text[static 24], uint64_t number)
{
    (void)snprintf(text, 24, "%" PRIu64, number);
}

static void allow(struct twins *t)
{
    char token_text[24], now_text[24];
    struct breaker_permit permit;
    uint64_t token = test_random_u64(&chance) | 1;
    unsigned lapses = t->machine.lapses;
    number_text(token_text, token);
    number_text(now_text, (uint64_t)t->now.us);
    breaker_machine_allow(&t->machine, &options, t->now, token, &permit);
    const char *const args[] = {token_text, "1000000", "200000", now_text};
    struct redisReply *reply = run(REDIS_SCRIPT_BREAKER_ALLOW, args, 4);
    assert_int_equal(integer_at(reply, 0), permit.is_probe ? 2 : permit.is_admitted);
    check_reply(t, reply);
    redis_reply_free(reply);
    t->lapses += lapses == BREAKER_LAPSES_MAX - 1 && t->machine.state == BREAKER_OPEN;
    if (permit.is_admitted)
        t->permits[below(PERMITS)] = permit;
}

static void record(struct twins *t)
{
    static const char *const outcomes[] = {"success", "failure", "neutral"};
    static const enum breaker_outcome chances[] = {
        BREAKER_SUCCESS, BREAKER_FAILURE, BREAKER_FAILURE, BREAKER_FAILURE, BREAKER_NEUTRAL};
    char generation_text[24], token_text[24], now_text[24];
    const struct breaker_permit *permit = &t->permits[below(PERMITS)];
    if (!permit->is_admitted)
        return;
    enum breaker_outcome outcome = chances[below(sizeof chances / sizeof *chances)];
    unsigned lapses = t->machine.lapses;
    number_text(generation_text, (uint64_t)permit->generation);
    number_text(token_text, permit->token);
    number_text(now_text, (uint64_t)t->now.us);
    bool counts = breaker_machine_record(&t->machine, &options, t->now, permit, outcome);
    const char *const args[] = {generation_text, token_text, outcomes[outcome], "3",
                                "1000000",       "200000",   now_text};
    struct redisReply *reply = run(REDIS_SCRIPT_BREAKER_RECORD, args, 7);
    assert_int_equal(integer_at(reply, 0), counts);
    check_reply(t, reply);
    redis_reply_free(reply);
    t->late += !counts;
    t->handed_back += counts && lapses > 0 && outcome == BREAKER_NEUTRAL;
}

static void look(struct twins *t)
{
    char now_text[24];
    number_text(now_text, (uint64_t)t->now.us);
    const char *const args[] = {"1000000", "200000", now_text};
    struct redisReply *reply = run(REDIS_SCRIPT_BREAKER_STATUS, args, 3);
    assert_int_equal(integer_at(reply, 0), 1);
    check_reply(t, reply);
    redis_reply_free(reply);
}

/* Often to the very instant at which something ends. */
static void pass_time(struct twins *t)
{
    int64_t wait = breaker_machine_wait_us(&t->machine, t->now);
    const int64_t steps[] = {
        0, 0, 1, wait, wait > 0 ? wait - 1 : 0, (int64_t)below(LEASE_MS * 1000)};
    t->now = mono_after_us(t->now, steps[below(sizeof steps / sizeof *steps)]);
}

static void the_scripts_do_as_the_machine_does(void **state)
{
    (void)state;
    struct twins t = {.machine = {.generation = START_US}, .now = {START_US}};
    allow(&t);
    for (int i = 0; i < STEPS; i++) {
        pass_time(&t);
        switch (below(5)) {
        case 0:
            look(&t);
            break;
        case 1:
        case 2:
            allow(&t);
            break;
        default:
            record(&t);
        }
        check_stored(&t);
        t.visits[t.machine.state]++;
    }
    /* A run that never came by there would have shown nothing. */
    for (int i = 0; i < BREAKER_STATE_COUNT; i++)
        assert_true(t.visits[i] > STEPS / 50);
    assert_true(t.lapses > 0 && t.late > 0 && t.handed_back > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_scripts_do_as_the_machine_does),
    };
    return cmocka_run_group_tests(tests, start_server, test_server_stop);
}
