#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "await.h"
#include "number.h"
#include "single_flight.h"

enum { THREADS = 16, ASKS = 2000, RESULT_MAX = 64 };

/* A world that changes; a run reads it when it begins and takes its time to answer. */
static atomic_llong world;
static atomic_int runs;
static atomic_int running;

/* Counted, because an assertion may only fail in the test's own thread. */
static atomic_int overlaps;

static enum err_code read_world(void *context, struct strbuf *result, struct error *err)
{
    (void)context;
    (void)err;
    if (atomic_fetch_add(&running, 1) != 0)
        atomic_fetch_add(&overlaps, 1);
    long long seen = atomic_load(&world);
    atomic_fetch_add(&runs, 1);
    sched_yield();
    strbuf_printf(result, "%lld", seen);
    atomic_fetch_sub(&running, 1);
    return ERR_OK;
}

static int64_t number_in(const struct strbuf *buf)
{
    int64_t value = -1;
    return number_parse_int64(strbuf_slice(buf), 0, INT64_MAX, &value) ? value : -1;
}

static atomic_int stale_answers;
static atomic_int shared_answers;

static void *ask_after_writing(void *context)
{
    struct single_flight *flights = context;
    struct strbuf out;
    strbuf_init(&out, RESULT_MAX);
    for (int i = 0; i < ASKS; i++) {
        struct error err;
        bool shared;
        error_init(&err);
        strbuf_reset(&out);
        long long written = atomic_fetch_add(&world, 1) + 1;
        enum err_code code =
            single_flight_do(flights, SLICE("key"), read_world, NULL, &out, &shared, &err);
        if (code != ERR_OK || number_in(&out) < written)
            atomic_fetch_add(&stale_answers, 1);
        atomic_fetch_add(&shared_answers, shared);
    }
    strbuf_release(&out);
    return NULL;
}

static void run_threads(int count, void *(*body)(void *), void *context)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < count; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, body, context), 0);
    for (int i = 0; i < count; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void a_result_is_never_older_than_its_question(void **state)
{
    (void)state;
    struct single_flight *flights = single_flight_new(4, RESULT_MAX);
    atomic_store(&runs, 0);
    atomic_store(&stale_answers, 0);
    atomic_store(&shared_answers, 0);
    run_threads(THREADS, ask_after_writing, flights);
    assert_int_equal(atomic_load(&stale_answers), 0);
    assert_int_equal(atomic_load(&overlaps), 0);
    /* Each ask was either a run or shared one, and threads did meet. */
    assert_int_equal(atomic_load(&runs) + atomic_load(&shared_answers), THREADS * ASKS);
    assert_true(atomic_load(&shared_answers) > 0);
    single_flight_free(flights);
}

struct stampede {
    struct single_flight *flights;
    atomic_bool gate_is_open;
    atomic_int runs;
    atomic_int thread_ids[THREADS];
    atomic_int threads;
    atomic_int answers[THREADS + 1]; /* by number of the run; 0: an error */
    atomic_int errors_shared;
};

static enum err_code wait_for_gate(void *context, struct strbuf *result, struct error *err)
{
    (void)err;
    struct stampede *s = context;
    int number = atomic_fetch_add(&s->runs, 1) + 1;
    while (!atomic_load(&s->gate_is_open))
        sched_yield();
    strbuf_printf(result, "%d", number);
    return ERR_OK;
}

static void *ask_once(void *context)
{
    struct stampede *s = context;
    struct error err;
    struct strbuf out;
    bool shared;
    error_init(&err);
    strbuf_init(&out, RESULT_MAX);
    atomic_store(&s->thread_ids[atomic_fetch_add(&s->threads, 1)], gettid());
    enum err_code code =
        single_flight_do(s->flights, SLICE("k"), wait_for_gate, s, &out, &shared, &err);
    atomic_fetch_add(&s->answers[code == ERR_OK ? number_in(&out) : 0], 1);
    strbuf_release(&out);
    return NULL;
}

/* Until all but the first, which runs, wait inside single_flight_do. */
static void await_sleepers(struct stampede *s)
{
    while (atomic_load(&s->threads) < THREADS)
        sched_yield();
    for (int i = 1; i < THREADS;) {
        int id = atomic_load(&s->thread_ids[i]);
        if (id != 0 && thread_is_asleep(id)) {
            i++;
        } else {
            i = 1;
            sched_yield();
        }
    }
}

static void a_stampede_costs_two_runs(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct stampede s = {.flights = single_flight_new(1, RESULT_MAX)};
        pthread_t threads[THREADS];
        assert_int_equal(pthread_create(&threads[0], NULL, ask_once, &s), 0);
        while (atomic_load(&s.runs) == 0)
            sched_yield();
        for (int i = 1; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, ask_once, &s), 0);
        await_sleepers(&s);
        atomic_store(&s.gate_is_open, true);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(atomic_load(&s.runs), 2);
        assert_int_equal(atomic_load(&s.answers[1]), 1);
        assert_int_equal(atomic_load(&s.answers[2]), THREADS - 1);
        single_flight_free(s.flights);
    }
}

static enum err_code fail_half_way(void *context, struct strbuf *result, struct error *err)
{
    (void)context;
    strbuf_append_slice(result, SLICE("half"));
    sched_yield();
    err->retry_after_ms = 250;
    return error_set(err, ERR_STORE_UNAVAILABLE, "no store");
}

static void *ask_and_fail(void *context)
{
    struct stampede *s = context;
    for (int i = 0; i < ASKS; i++) {
        struct error err;
        struct strbuf out;
        bool shared;
        error_init(&err);
        strbuf_init(&out, RESULT_MAX);
        enum err_code code =
            single_flight_do(s->flights, SLICE("k"), fail_half_way, NULL, &out, &shared, &err);
        bool whole = code == ERR_STORE_UNAVAILABLE && err.code == code && out.len == 0 &&
                     err.retry_after_ms == 250 && strcmp(err.detail, "no store") == 0;
        atomic_fetch_add(&s->answers[whole], 1);
        atomic_fetch_add(&s->errors_shared, shared);
        strbuf_release(&out);
    }
    return NULL;
}

static void errors_are_shared_whole(void **state)
{
    (void)state;
    struct stampede s = {.flights = single_flight_new(1, RESULT_MAX)};
    run_threads(THREADS, ask_and_fail, &s);
    assert_int_equal(atomic_load(&s.answers[0]), 0);
    assert_int_equal(atomic_load(&s.answers[1]), THREADS * ASKS);
    assert_true(atomic_load(&s.errors_shared) > 0);
    single_flight_free(s.flights);
}

static void a_result_too_large_is_an_error(void **state)
{
    (void)state;
    struct stampede s = {.flights = single_flight_new(1, 1), .gate_is_open = true, .runs = 9};
    struct error err;
    struct strbuf out;
    bool shared;
    error_init(&err);
    strbuf_init(&out, RESULT_MAX);
    enum err_code code =
        single_flight_do(s.flights, SLICE("k"), wait_for_gate, &s, &out, &shared, &err);
    assert_int_equal(code, ERR_NO_MEMORY);
    assert_int_equal(out.len, 0);
    assert_false(shared);
    strbuf_release(&out);
    single_flight_free(s.flights);
}

static enum err_code echo_key(void *context, struct strbuf *result, struct error *err)
{
    (void)err;
    sched_yield();
    strbuf_append(result, context, 1);
    return ERR_OK;
}

struct key_rush {
    struct single_flight *flights;
    atomic_int next_thread;
    atomic_int wrong;
};

static void *ask_changing_keys(void *context)
{
    struct key_rush *rush = context;
    int self = atomic_fetch_add(&rush->next_thread, 1);
    struct strbuf out;
    strbuf_init(&out, RESULT_MAX);
    for (int i = 0; i < ASKS; i++) {
        struct error err;
        bool shared;
        char key[1] = {(char)('a' + (self + i) % 8)};
        error_init(&err);
        strbuf_reset(&out);
        enum err_code code = single_flight_do(rush->flights, slice_of(key, sizeof key), echo_key,
                                              key, &out, &shared, &err);
        if (code != ERR_OK || !slice_equals(strbuf_slice(&out), slice_of(key, sizeof key)))
            atomic_fetch_add(&rush->wrong, 1);
    }
    strbuf_release(&out);
    return NULL;
}

static void more_keys_than_slots_wait_and_get_their_own(void **state)
{
    (void)state;
    for (size_t keys_max = 1; keys_max <= 3; keys_max++) {
        struct key_rush rush = {.flights = single_flight_new(keys_max, RESULT_MAX)};
        run_threads(THREADS, ask_changing_keys, &rush);
        assert_int_equal(atomic_load(&rush.wrong), 0);
        single_flight_free(rush.flights);
    }
}

struct meeting {
    struct single_flight *flights;
    atomic_int arrived;
    atomic_int next_thread;
};

/* Ends only when a run of each key is under way at once. */
static enum err_code meet_the_others(void *context, struct strbuf *result, struct error *err)
{
    (void)result;
    (void)err;
    struct meeting *meeting = context;
    atomic_fetch_add(&meeting->arrived, 1);
    while (atomic_load(&meeting->arrived) < THREADS)
        sched_yield();
    return ERR_OK;
}

static void *attend(void *context)
{
    struct meeting *meeting = context;
    struct error err;
    struct strbuf out;
    bool shared;
    char key[1] = {(char)('a' + atomic_fetch_add(&meeting->next_thread, 1))};
    error_init(&err);
    strbuf_init(&out, RESULT_MAX);
    (void)!single_flight_do(meeting->flights, slice_of(key, sizeof key), meet_the_others, meeting,
                            &out, &shared, &err);
    strbuf_release(&out);
    return NULL;
}

static void different_keys_fly_at_once(void **state)
{
    (void)state;
    struct meeting meeting = {.flights = single_flight_new(THREADS, RESULT_MAX)};
    run_threads(THREADS, attend, &meeting);
    assert_int_equal(atomic_load(&meeting.arrived), THREADS);
    single_flight_free(meeting.flights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_is_never_older_than_its_question),
        cmocka_unit_test(a_stampede_costs_two_runs),
        cmocka_unit_test(errors_are_shared_whole),
        cmocka_unit_test(a_result_too_large_is_an_error),
        cmocka_unit_test(more_keys_than_slots_wait_and_get_their_own),
        cmocka_unit_test(different_keys_fly_at_once),
    };
    alarm(50); /* a deadlock fails the suite instead of stopping it */
    return cmocka_run_group_tests_name("single_flight", tests, NULL, NULL);
}
