/* circuit_breaker against a real server: one machine for many processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "await.h"
#include "circuit_breaker.h"
#include "lane_gate.h"
#include "test_server.h"

enum { THRESHOLD = 3, SHORT_MS = 1, PATIENT_MS = 3000, LONG_MS = 60000, STACK_BYTES = 262144 };

static int start_server(void **state)
{
    (void)state;
    /* What a restart is to find again must be on disk before its reply. */
    test_server_start_with((const char *const[]){"--appendfsync", "always", NULL});
    return 0;
}

static struct circuit_breaker *breaker_on(struct redis_client *client, const char *name,
                                          uint32_t threshold, uint32_t reset_timeout_ms,
                                          uint32_t probe_lease_ms)
{
    const struct breaker_options options = {.name = name,
                                            .failure_threshold = threshold,
                                            .reset_timeout_ms = reset_timeout_ms,
                                            .probe_lease_ms = probe_lease_ms};
    struct circuit_breaker *breaker = circuit_breaker_new(client, &options);
    assert_non_null(breaker);
    return breaker;
}

/* Opens at the first failure. */
static struct circuit_breaker *frail_breaker(const char *name, uint32_t reset_timeout_ms)
{
    return breaker_on(test_server.client, name, 1, reset_timeout_ms, LONG_MS);
}

/* Opens for longer than a test takes. */
static struct circuit_breaker *new_breaker(const char *name)
{
    return breaker_on(test_server.client, name, THRESHOLD, LONG_MS, LONG_MS);
}

static struct breaker_permit ask(struct circuit_breaker *breaker)
{
    struct breaker_permit permit;
    circuit_breaker_allow(breaker, &permit);
    return permit;
}

/*
 * Ask as a process that remembers nothing: always a call to Redis. To this one an opening lasts
 * SHORT_MS and a lease as long as told, and what was set for longer is cut to that when it asks.
 */
static struct breaker_permit ask_afresh(const char *name, uint32_t probe_lease_ms)
{
    struct circuit_breaker *breaker =
        breaker_on(test_server.client, name, THRESHOLD, SHORT_MS, probe_lease_ms);
    struct breaker_permit permit = ask(breaker);
    circuit_breaker_free(breaker);
    return permit;
}

static struct breaker_status status_of(struct circuit_breaker *breaker)
{
    struct breaker_status status;
    circuit_breaker_status(breaker, &status);
    return status;
}

static void fail_calls(struct circuit_breaker *breaker, int count)
{
    for (int i = 0; i < count; i++) {
        struct breaker_permit permit = ask(breaker);
        assert_true(permit.is_admitted);
        circuit_breaker_record(breaker, &permit, BREAKER_FAILURE);
    }
}

static bool is_given_afresh(const char *name, uint32_t probe_lease_ms,
                            struct breaker_permit *permit)
{
    *permit = ask_afresh(name, probe_lease_ms);
    return permit->is_admitted;
}

static bool is_given(struct circuit_breaker *breaker, struct breaker_permit *permit)
{
    *permit = ask(breaker);
    return permit->is_admitted;
}

/* Ask until a probe is given out. */
static struct breaker_permit await_probe(const char *name, uint32_t probe_lease_ms)
{
    struct breaker_permit permit;
    AWAIT(is_given_afresh(name, probe_lease_ms, &permit));
    assert_true(permit.is_probe && permit.is_admitted && permit.is_shared);
    return permit;
}

static void stored_fields(const char *name, char *out, size_t out_bytes)
{
    char command[128];
    (void)snprintf(command, sizeof command, "HGETALL ra:cb:{%s}", name);
    assert_true(test_redis_command(&test_server.redis, out, out_bytes, command));
}

static void consecutive_failures_open_and_a_success_starts_anew(void **state)
{
    (void)state;
    struct circuit_breaker *breaker = new_breaker("consecutive");
    struct circuit_breaker *other = new_breaker("consecutive");
    struct breaker_status status = status_of(breaker);
    assert_int_equal(status.state, BREAKER_CLOSED);
    assert_true(status.is_shared);
    for (uint64_t i = 1; i <= 4; i++) {
        fail_calls(breaker, 1);
        fail_calls(other, 1);
        assert_int_equal(status_of(breaker).failure_count, 2);
        struct breaker_permit permit = ask(other);
        circuit_breaker_record(other, &permit, BREAKER_SUCCESS);
        status = status_of(breaker);
        assert_int_equal(status.failure_count, 0);
        assert_int_equal(status.success_count, i);
    }
    int64_t generation = status.generation;
    fail_calls(breaker, 2);
    assert_int_equal(status_of(other).state, BREAKER_CLOSED);
    fail_calls(other, 1);
    status = status_of(breaker);
    assert_int_equal(status.state, BREAKER_OPEN);
    assert_int_equal(status.generation, generation + 1);
    assert_int_equal(status.failure_count, THRESHOLD);
    assert_int_equal(status.probe_at_us - status.opened_at_us, LONG_MS * 1000);
    struct breaker_permit refused = ask(breaker);
    assert_false(refused.is_admitted);
    assert_in_range(refused.retry_after_us, 1, LONG_MS * 1000);
    circuit_breaker_free(breaker);
    circuit_breaker_free(other);
}

static void open_stays_open_until_somebody_asks(void **state)
{
    (void)state;
    struct circuit_breaker *breaker = new_breaker("due");
    fail_calls(breaker, THRESHOLD);
    assert_false(status_of(breaker).is_probe_due);
    assert_false(ask_afresh("due", LONG_MS).is_admitted);
    AWAIT(status_of(breaker).is_probe_due);
    struct breaker_status status = status_of(breaker);
    assert_int_equal(status.state, BREAKER_OPEN);
    struct breaker_permit probe = await_probe("due", LONG_MS);
    status = status_of(breaker);
    assert_int_equal(status.state, BREAKER_HALF_OPEN);
    assert_int_equal(status.opened_at_us, 0);
    assert_int_equal(status.probe_at_us, 0);
    assert_false(status.is_probe_due);
    circuit_breaker_record(breaker, &probe, BREAKER_SUCCESS);
    status = status_of(breaker);
    assert_int_equal(status.state, BREAKER_CLOSED);
    assert_int_equal(status.failure_count, 0);
    assert_int_equal(status.success_count, 0);
    assert_true(ask(breaker).is_admitted);
    circuit_breaker_free(breaker);
}

/* Oldest first, and no more than there is room for. */
static void the_last_changes_are_told(void **state)
{
    (void)state;
    enum { ROUNDS = 12 };
    struct circuit_breaker *breaker = frail_breaker("history", SHORT_MS);
    assert_int_equal(status_of(breaker).turn_count, 0);
    int64_t before = clock_wall_now().us;
    for (int i = 1; i <= ROUNDS; i++) {
        fail_calls(breaker, 1);
        struct breaker_permit probe;
        AWAIT(is_given(breaker, &probe));
        circuit_breaker_record(breaker, &probe, BREAKER_SUCCESS);
        struct breaker_status status = status_of(breaker);
        assert_int_equal(status.turn_count, 3 * i < BREAKER_TURNS_MAX ? 3 * i : BREAKER_TURNS_MAX);
        for (size_t k = 0; k < status.turn_count; k++) {
            static const enum breaker_state cycle[] = {BREAKER_CLOSED, BREAKER_HALF_OPEN,
                                                       BREAKER_OPEN};
            const struct breaker_turn *turn = &status.turns[status.turn_count - 1 - k];
            assert_int_equal(turn->to, cycle[k % 3]);
            assert_in_range(turn->at.us, before, clock_wall_now().us);
            assert_true(k == 0 || turn->at.us <= turn[1].at.us);
        }
    }
    circuit_breaker_free(breaker);
}

static void a_failed_probe_opens_for_another_timeout(void **state)
{
    (void)state;
    struct circuit_breaker *breaker = new_breaker("reopen");
    fail_calls(breaker, THRESHOLD);
    int64_t opened_at_us = status_of(breaker).opened_at_us;
    struct breaker_permit probe = await_probe("reopen", LONG_MS);
    circuit_breaker_record(breaker, &probe, BREAKER_FAILURE);
    struct breaker_status status = status_of(breaker);
    assert_int_equal(status.state, BREAKER_OPEN);
    assert_int_equal(status.failure_count, THRESHOLD + 1);
    assert_int_equal(status.generation, probe.generation + 1);
    assert_int_equal(status.probe_at_us - status.opened_at_us, LONG_MS * 1000);
    assert_true(status.opened_at_us > opened_at_us);
    circuit_breaker_free(breaker);
}

static void a_neutral_end_hands_the_probe_to_the_next_at_once(void **state)
{
    (void)state;
    struct circuit_breaker *breaker = new_breaker("neutral");
    fail_calls(breaker, THRESHOLD);
    struct breaker_permit probe = await_probe("neutral", LONG_MS);
    assert_false(ask(breaker).is_admitted);
    circuit_breaker_record(breaker, &probe, BREAKER_NEUTRAL);
    struct breaker_permit next = ask(breaker);
    assert_true(next.is_probe);
    assert_int_equal(next.generation, probe.generation);
    circuit_breaker_record(breaker, &probe, BREAKER_SUCCESS);
    assert_int_equal(status_of(breaker).state, BREAKER_HALF_OPEN);
    circuit_breaker_record(breaker, &next, BREAKER_SUCCESS);
    assert_int_equal(status_of(breaker).state, BREAKER_CLOSED);
    circuit_breaker_free(breaker);
}

static void the_third_lapsed_lease_in_a_row_opens(void **state)
{
    (void)state;
    struct circuit_breaker *breaker = new_breaker("lapses");
    fail_calls(breaker, THRESHOLD);
    struct breaker_permit first = await_probe("lapses", SHORT_MS);
    struct breaker_permit second = await_probe("lapses", SHORT_MS);
    struct breaker_permit third = await_probe("lapses", SHORT_MS);
    assert_int_equal(first.generation, third.generation);
    circuit_breaker_record(breaker, &first, BREAKER_SUCCESS);
    circuit_breaker_record(breaker, &second, BREAKER_SUCCESS);
    assert_int_equal(status_of(breaker).state, BREAKER_HALF_OPEN);
    struct breaker_permit fourth = await_probe("lapses", SHORT_MS);
    assert_int_equal(fourth.generation, third.generation + 2);
    circuit_breaker_free(breaker);
}

static void a_late_result_changes_nothing(void **state)
{
    (void)state;
    struct circuit_breaker *breaker = new_breaker("late");
    struct breaker_permit old = ask(breaker);
    fail_calls(breaker, THRESHOLD);
    circuit_breaker_record(breaker, &old, BREAKER_SUCCESS);
    assert_int_equal(status_of(breaker).state, BREAKER_OPEN);
    struct breaker_permit probe = await_probe("late", LONG_MS);
    circuit_breaker_record(breaker, &old, BREAKER_SUCCESS);
    assert_int_equal(status_of(breaker).state, BREAKER_HALF_OPEN);
    circuit_breaker_record(breaker, &probe, BREAKER_SUCCESS);
    for (int i = 0; i < THRESHOLD; i++)
        circuit_breaker_record(breaker, &old, BREAKER_FAILURE);
    circuit_breaker_record(breaker, &probe, BREAKER_FAILURE);
    struct breaker_status status = status_of(breaker);
    assert_int_equal(status.state, BREAKER_CLOSED);
    assert_int_equal(status.failure_count, 0);
    circuit_breaker_free(breaker);
}

static void a_lost_key_brings_no_generation_back(void **state)
{
    (void)state;
    struct circuit_breaker *breaker = new_breaker("lost");
    struct breaker_permit old = ask(breaker);
    test_server_command("DEL ra:cb:{lost}");
    circuit_breaker_record(breaker, &old, BREAKER_FAILURE);
    struct breaker_permit permit = ask(breaker);
    assert_true(permit.is_admitted);
    assert_true(permit.generation > old.generation);
    circuit_breaker_record(breaker, &old, BREAKER_FAILURE);
    assert_int_equal(status_of(breaker).failure_count, 0);
    circuit_breaker_free(breaker);
}

enum { ASKERS = 400, PROCESS_LIKE = 8 };
static pthread_barrier_t start_line;
static atomic_int probes;

static void *ask_once(void *argument)
{
    (void)pthread_barrier_wait(&start_line);
    struct breaker_permit permit = ask(argument);
    if (permit.is_admitted)
        atomic_fetch_add(&probes, permit.is_probe ? 1 : 1000);
    return NULL;
}

static void four_hundred_ask_and_one_probes(void **state)
{
    (void)state;
    struct redis_client *clients[PROCESS_LIKE];
    struct circuit_breaker *breakers[PROCESS_LIKE];
    pthread_t threads[ASKERS];
    for (int i = 0; i < PROCESS_LIKE; i++) {
        clients[i] = test_redis_client(&test_server.redis);
        breakers[i] = breaker_on(clients[i], "stampede", THRESHOLD, SHORT_MS, LONG_MS);
    }
    fail_calls(breakers[0], THRESHOLD);
    AWAIT(status_of(breakers[0]).is_probe_due);
    pthread_attr_t attributes;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, STACK_BYTES), 0);
    assert_int_equal(pthread_barrier_init(&start_line, NULL, ASKERS), 0);
    for (int i = 0; i < ASKERS; i++)
        assert_int_equal(
            pthread_create(&threads[i], &attributes, ask_once, breakers[i % PROCESS_LIKE]), 0);
    for (int i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&probes), 1);
    (void)pthread_barrier_destroy(&start_line);
    (void)pthread_attr_destroy(&attributes);
    for (int i = 0; i < PROCESS_LIKE; i++) {
        circuit_breaker_free(breakers[i]);
        redis_client_free(clients[i]);
    }
}

/* Fork while no thread but this one runs; both get a client of their own. */
static pid_t fork_with_clients(void)
{
    redis_client_free(test_server.client);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    test_server.client = test_redis_client(&test_server.redis);
    return pid;
}

/* A process that takes the probe, says so and then does nothing more. */
static pid_t start_prober(const char *name, uint32_t probe_lease_ms)
{
    int said[2];
    char word = 0;
    assert_int_equal(pipe(said), 0);
    pid_t pid = fork_with_clients();
    if (pid == 0) {
        while (!ask_afresh(name, probe_lease_ms).is_probe)
            (void)poll(NULL, 0, 1);
        (void)!write(said[1], "p", 1);
        for (;;)
            (void)pause();
    }
    (void)close(said[1]);
    assert_int_equal(read(said[0], &word, 1), 1);
    (void)close(said[0]);
    return pid;
}

static void a_killed_prober_is_replaced_within_its_lease_under_traffic(void **state)
{
    (void)state;
    enum { LEASE_MS = 5000 };
    char before[1024], after[1024];
    struct circuit_breaker *breaker = new_breaker("killed");
    fail_calls(breaker, THRESHOLD);
    circuit_breaker_free(breaker);
    pid_t pid = start_prober("killed", LEASE_MS);
    struct mono_time given_out = clock_mono_now();
    breaker = new_breaker("killed");
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    stored_fields("killed", before, sizeof before);
    /* The lease has begun by now: whoever asks when it is over is admitted. */
    int refused = 0;
    struct mono_time over = mono_after_ms(given_out, LEASE_MS), asked = clock_mono_now();
    struct breaker_permit permit = ask_afresh("killed", LEASE_MS);
    while (!permit.is_admitted) {
        assert_true(mono_is_before(asked, over));
        /* A refusal writes nothing, so it extends nothing. */
        stored_fields("killed", after, sizeof after);
        assert_string_equal(before, after);
        refused++;
        asked = clock_mono_now();
        permit = ask_afresh("killed", LEASE_MS);
    }
    assert_true(permit.is_probe);
    assert_true(refused > 0);
    circuit_breaker_record(breaker, &permit, BREAKER_SUCCESS);
    assert_int_equal(status_of(breaker).state, BREAKER_CLOSED);
    circuit_breaker_free(breaker);
}

static void the_threshold_is_exact_across_processes(void **state)
{
    (void)state;
    enum { PROCESSES = 4, FAILURES_EACH = 50, LIMIT = PROCESSES * FAILURES_EACH + 1 };
    pid_t pids[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork_with_clients();
        if (pids[i] == 0) {
            fail_calls(breaker_on(test_server.client, "exact", LIMIT, LONG_MS, LONG_MS),
                       FAILURES_EACH);
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int exit_code;
        assert_int_equal(waitpid(pids[i], &exit_code, 0), pids[i]);
        assert_int_equal(exit_code, 0);
    }
    struct circuit_breaker *breaker =
        breaker_on(test_server.client, "exact", LIMIT, LONG_MS, LONG_MS);
    struct breaker_status status = status_of(breaker);
    assert_int_equal(status.state, BREAKER_CLOSED);
    assert_int_equal(status.failure_count, PROCESSES * FAILURES_EACH);
    fail_calls(breaker, 1);
    assert_int_equal(status_of(breaker).state, BREAKER_OPEN);
    circuit_breaker_free(breaker);
}

static void a_refusal_stands_unasked_for_a_second_at_most(void **state)
{
    (void)state;
    struct circuit_breaker *breaker = frail_breaker("known", LONG_MS);
    fail_calls(breaker, 1);
    struct mono_time before = clock_mono_now(), asked;
    assert_in_range(ask(breaker).retry_after_us, 1, LONG_MS * 1000);
    struct mono_time over = mono_after_ms(clock_mono_now(), 1000);
    test_server_command("DEL ra:cb:{known}");
    struct breaker_permit permit = ask(breaker);
    assert_true(!permit.is_admitted || ms_since(before) >= 1000);
    assert_true(permit.is_shared);
    do {
        asked = clock_mono_now();
        permit = ask(breaker);
        assert_true(permit.is_admitted || mono_is_before(asked, over));
    } while (!permit.is_admitted);
    circuit_breaker_free(breaker);
}

static void a_shortened_timeout_holds_for_an_open_breaker(void **state)
{
    (void)state;
    struct circuit_breaker *breaker = frail_breaker("shortened", LONG_MS);
    fail_calls(breaker, 1);
    circuit_breaker_free(breaker);
    struct breaker_permit refused = ask_afresh("shortened", LONG_MS);
    assert_in_range(refused.retry_after_us, 1, SHORT_MS * 1000);
    (void)await_probe("shortened", LONG_MS);
}

static void a_clock_that_stepped_back_lengthens_no_lease(void **state)
{
    (void)state;
    char command[128];
    struct circuit_breaker *breaker = new_breaker("stepped");
    fail_calls(breaker, THRESHOLD);
    (void)await_probe("stepped", LONG_MS);
    (void)snprintf(command, sizeof command, "HSET ra:cb:{stepped} lease_end %lld",
                   (long long)clock_wall_now().us + 3600000000LL);
    test_server_command(command);
    struct breaker_permit refused = ask_afresh("stepped", SHORT_MS);
    assert_false(refused.is_admitted);
    assert_in_range(refused.retry_after_us, 1, SHORT_MS * 1000);
    /* Nor does it begin anew with each who asks. */
    struct breaker_permit probe = await_probe("stepped", SHORT_MS);
    circuit_breaker_record(breaker, &probe, BREAKER_SUCCESS);
    assert_int_equal(status_of(breaker).state, BREAKER_CLOSED);
    circuit_breaker_free(breaker);
}

/* Somebody else's probe ended well: the refusal of the time before is over at once. */
static void a_new_generation_ends_a_remembered_refusal(void **state)
{
    (void)state;
    char command[128];
    struct circuit_breaker *breaker = frail_breaker("renewed", LONG_MS);
    fail_calls(breaker, 1);
    struct breaker_permit refused = ask(breaker);
    assert_false(refused.is_admitted);
    (void)snprintf(command, sizeof command, "HSET ra:cb:{renewed} state CLOSED generation %lld",
                   (long long)refused.generation + 2);
    test_server_command(command);
    assert_int_equal(status_of(breaker).state, BREAKER_CLOSED);
    struct breaker_permit permit = ask(breaker);
    assert_true(permit.is_admitted && permit.is_shared);
    circuit_breaker_free(breaker);
}

static void a_probe_of_somebody_else_is_the_only_one_without_redis_too(void **state)
{
    (void)state;
    struct circuit_breaker *prober = frail_breaker("foreign", SHORT_MS);
    struct circuit_breaker *witness = frail_breaker("foreign", SHORT_MS);
    fail_calls(prober, 1);
    AWAIT(ask(prober).is_probe);
    assert_int_equal(status_of(witness).state, BREAKER_HALF_OPEN);
    test_redis_kill(&test_server.redis);
    assert_true(test_redis_await_connected(test_server.client, false, AWAIT_MS));
    for (int i = 0; i < 2; i++) {
        struct breaker_permit permit = ask(i ? prober : witness);
        assert_false(permit.is_admitted || permit.is_shared);
        assert_in_range(permit.retry_after_us, 1, LONG_MS * 1000);
    }
    test_redis_restart(&test_server.redis);
    assert_true(test_redis_await_connected(test_server.client, true, AWAIT_MS));
    circuit_breaker_free(prober);
    circuit_breaker_free(witness);
}

struct status_asker {
    pthread_t thread;
    struct circuit_breaker *breaker;
    _Atomic pid_t tid;
};

static void *ask_for_status(void *argument)
{
    struct status_asker *asker = argument;
    atomic_store(&asker->tid, gettid());
    (void)status_of(asker->breaker);
    return NULL;
}

/* An answer that comes late, of before what is known since. */
static void an_answer_to_an_older_question_is_not_taken_over(void **state)
{
    (void)state;
    struct lane_gate gate;
    struct status_asker asker = {.breaker = frail_breaker("older", LONG_MS)};
    lane_gate_close(&gate, &test_server.redis, test_server.client, REDIS_LANE_READ);
    assert_int_equal(pthread_create(&asker.thread, NULL, ask_for_status, &asker), 0);
    AWAIT(atomic_load(&asker.tid) && thread_is_asleep(atomic_load(&asker.tid)));
    fail_calls(asker.breaker, 1);
    test_server_command("DEL ra:cb:{older}");
    lane_gate_open(&gate);
    assert_int_equal(pthread_join(asker.thread, NULL), 0);
    test_redis_kill(&test_server.redis);
    assert_true(test_redis_await_connected(test_server.client, false, AWAIT_MS));
    struct breaker_permit permit = ask(asker.breaker);
    assert_false(permit.is_admitted || permit.is_shared);
    assert_int_equal(status_of(asker.breaker).state, BREAKER_OPEN);
    test_redis_restart(&test_server.redis);
    assert_true(test_redis_await_connected(test_server.client, true, AWAIT_MS));
    circuit_breaker_free(asker.breaker);
}

static void without_redis_the_local_machine_goes_on_and_redis_wins_later(void **state)
{
    (void)state;
    struct circuit_breaker *breaker =
        breaker_on(test_server.client, "away", THRESHOLD, PATIENT_MS, LONG_MS);
    fail_calls(breaker, 1);
    struct breaker_permit shared = ask(breaker);
    test_redis_kill(&test_server.redis);
    assert_true(test_redis_await_connected(test_server.client, false, AWAIT_MS));
    circuit_breaker_record(breaker, &shared, BREAKER_FAILURE);
    struct breaker_permit local = ask(breaker);
    assert_true(local.is_admitted);
    assert_false(local.is_shared);
    struct breaker_status status = status_of(breaker);
    assert_false(status.is_shared);
    assert_int_equal(status.failure_count, 2);
    circuit_breaker_record(breaker, &local, BREAKER_FAILURE);
    status = status_of(breaker);
    assert_int_equal(status.state, BREAKER_OPEN);
    assert_int_equal(status.probe_at_us - status.opened_at_us, PATIENT_MS * 1000);
    assert_false(ask(breaker).is_admitted);

    AWAIT(is_given(breaker, &local));
    assert_true(local.is_probe && !local.is_shared);
    circuit_breaker_record(breaker, &local, BREAKER_FAILURE);
    assert_int_equal(status_of(breaker).state, BREAKER_OPEN);

    test_redis_restart(&test_server.redis);
    assert_true(test_redis_await_connected(test_server.client, true, AWAIT_MS));
    status = status_of(breaker);
    assert_true(status.is_shared);
    assert_int_equal(status.state, BREAKER_CLOSED);
    assert_int_equal(status.failure_count, 1);
    assert_true(ask(breaker).is_shared);
    circuit_breaker_free(breaker);
}

static void what_was_decided_without_redis_is_not_reported_to_it(void **state)
{
    (void)state;
    struct circuit_breaker *breaker = new_breaker("replay");
    fail_calls(breaker, 1);
    test_redis_kill(&test_server.redis);
    assert_true(test_redis_await_connected(test_server.client, false, AWAIT_MS));
    struct breaker_permit local = ask(breaker);
    assert_true(local.is_admitted && !local.is_shared);
    test_redis_restart(&test_server.redis);
    assert_true(test_redis_await_connected(test_server.client, true, AWAIT_MS));
    circuit_breaker_record(breaker, &local, BREAKER_FAILURE);
    struct breaker_status status = status_of(breaker);
    assert_true(status.is_shared);
    assert_int_equal(status.generation, local.generation);
    assert_int_equal(status.failure_count, 1);
    circuit_breaker_free(breaker);
}

static bool is_shared_again(struct circuit_breaker *breaker)
{
    struct breaker_permit permit = ask(breaker);
    circuit_breaker_record(breaker, &permit, BREAKER_SUCCESS);
    return permit.is_admitted && permit.is_shared && status_of(breaker).is_shared;
}

static void go_without_writes(const char *name, const char *refuse, const char *take)
{
    struct circuit_breaker *breaker =
        breaker_on(test_server.client, name, THRESHOLD, PATIENT_MS, LONG_MS);
    fail_calls(breaker, 1);
    struct breaker_permit success = ask(breaker);
    circuit_breaker_record(breaker, &success, BREAKER_SUCCESS);
    test_server_command(refuse);
    fail_calls(breaker, THRESHOLD);
    struct breaker_permit refused = ask(breaker);
    struct breaker_status status = status_of(breaker);
    test_server_command(take);
    assert_false(refused.is_admitted || refused.is_shared);
    assert_in_range(refused.retry_after_us, 1, PATIENT_MS * 1000);
    assert_int_equal(status.state, BREAKER_OPEN);
    assert_int_equal(status.failure_count, THRESHOLD);
    assert_false(status.is_shared);
    AWAIT(is_shared_again(breaker));
    status = status_of(breaker);
    assert_int_equal(status.state, BREAKER_CLOSED);
    assert_int_equal(status.failure_count, 0);
    circuit_breaker_free(breaker);
}

/* It answers, so nothing but the reports tells that Redis counts no failure. */
static void a_full_redis_leaves_the_counting_to_the_local_machine(void **state)
{
    (void)state;
    go_without_writes("full", "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0");
}

static void a_replica_leaves_the_counting_to_the_local_machine(void **state)
{
    (void)state;
    go_without_writes("replica", "REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE");
}

static void an_open_breaker_stays_open_without_redis(void **state)
{
    (void)state;
    struct circuit_breaker *breaker = frail_breaker("open-away", LONG_MS);
    struct circuit_breaker *witness = frail_breaker("open-away", LONG_MS);
    fail_calls(breaker, 1);
    assert_int_equal(status_of(witness).state, BREAKER_OPEN);
    test_redis_kill(&test_server.redis);
    assert_true(test_redis_await_connected(test_server.client, false, AWAIT_MS));
    struct breaker_permit permit = ask(witness);
    assert_false(permit.is_admitted);
    assert_in_range(permit.retry_after_us, 1, LONG_MS * 1000);
    assert_int_equal(status_of(witness).state, BREAKER_OPEN);
    test_redis_restart(&test_server.redis);
    assert_true(test_redis_await_connected(test_server.client, true, AWAIT_MS));
    circuit_breaker_free(breaker);
    circuit_breaker_free(witness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(consecutive_failures_open_and_a_success_starts_anew),
        cmocka_unit_test(open_stays_open_until_somebody_asks),
        cmocka_unit_test(the_last_changes_are_told),
        cmocka_unit_test(a_failed_probe_opens_for_another_timeout),
        cmocka_unit_test(a_neutral_end_hands_the_probe_to_the_next_at_once),
        cmocka_unit_test(the_third_lapsed_lease_in_a_row_opens),
        cmocka_unit_test(a_late_result_changes_nothing),
        cmocka_unit_test(a_lost_key_brings_no_generation_back),
        cmocka_unit_test(four_hundred_ask_and_one_probes),
        cmocka_unit_test(a_killed_prober_is_replaced_within_its_lease_under_traffic),
        cmocka_unit_test(the_threshold_is_exact_across_processes),
        cmocka_unit_test(a_refusal_stands_unasked_for_a_second_at_most),
        cmocka_unit_test(a_shortened_timeout_holds_for_an_open_breaker),
        cmocka_unit_test(a_clock_that_stepped_back_lengthens_no_lease),
        cmocka_unit_test(a_new_generation_ends_a_remembered_refusal),
        cmocka_unit_test(a_probe_of_somebody_else_is_the_only_one_without_redis_too),
        cmocka_unit_test(an_answer_to_an_older_question_is_not_taken_over),
        cmocka_unit_test(without_redis_the_local_machine_goes_on_and_redis_wins_later),
        cmocka_unit_test(what_was_decided_without_redis_is_not_reported_to_it),
        cmocka_unit_test(a_full_redis_leaves_the_counting_to_the_local_machine),
        cmocka_unit_test(a_replica_leaves_the_counting_to_the_local_machine),
        cmocka_unit_test(an_open_breaker_stays_open_without_redis),
    };
    return cmocka_run_group_tests(tests, start_server, test_server_stop);
}
