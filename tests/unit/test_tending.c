/* When the tender's thread rests, yields and stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "tending.h"

static struct tending *tending; /* never connected: its client is not asked */
static atomic_bool is_stopping;

static int set_up(void **state)
{
    (void)state;
    tending = calloc(1, sizeof *tending);
    atomic_store(&is_stopping, false);
    if (!tending)
        return -1;
    tending->is_stopping = &is_stopping;
    tending->turn_since = tending->burst_since = clock_mono_now();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(tending);
    return 0;
}

static struct mono_time ago(int64_t ms)
{
    return mono_after_ms(clock_mono_now(), -ms);
}

static int64_t rest_us(void)
{
    struct mono_time before = clock_mono_now();
    tending_rest(tending);
    return mono_us_between(before, clock_mono_now());
}

static void rests_after_a_burst(void **state)
{
    (void)state;
    tending->burst_since = ago(TENDING_BURST_MS);
    assert_true(rest_us() >= INT64_C(1000) * TENDING_REST_MS);
    assert_true(mono_is_before(ago(TENDING_BURST_MS), tending->burst_since)); /* a new one */
}

static void does_not_rest_within_a_burst(void **state)
{
    (void)state;
    struct mono_time since = {INT64_MAX / 2};
    tending->burst_since = since;
    (void)rest_us();
    assert_int_equal(tending->burst_since.us, since.us);
}

static void does_not_rest_when_it_is_to_stop(void **state)
{
    (void)state;
    atomic_store(&is_stopping, true);
    int64_t fastest_us = INT64_MAX; /* of several: a busy machine may be late */
    for (int i = 0; i < 10; i++) {
        tending->burst_since = ago(TENDING_BURST_MS);
        int64_t us = rest_us();
        fastest_us = us < fastest_us ? us : fastest_us;
    }
    assert_true(fastest_us < INT64_C(1000) * TENDING_REST_MS);
}

static void yields_after_its_turn(void **state)
{
    (void)state;
    assert_false(tending_must_yield(tending));
    assert_false(tending->is_behind);
    tending->turn_since = ago(TENDING_TURN_MS);
    assert_true(tending_must_yield(tending));
    assert_true(tending->is_behind);
}

static void begins_no_step_when_it_is_to_stop(void **state)
{
    (void)state;
    const struct arguments none = {0};
    struct redisReply *reply;
    struct error err;
    error_init(&err);
    atomic_store(&is_stopping, true);
    assert_int_equal(
        tending_run(tending, REDIS_LANE_READ, REDIS_SCRIPT_TEND_OPEN, &none, &reply, &err),
        ERR_STORE_UNAVAILABLE);
    assert_null(reply);
}

static void runs_no_script_of_too_many_arguments(void **state)
{
    (void)state;
    struct arguments a = {0};
    struct redisReply *reply;
    struct error err;
    error_init(&err);
    for (size_t i = 0; i < TENDING_ARGS_MAX; i++)
        arguments_add_integer(&a, (int64_t)i);
    assert_false(a.is_overfull);
    arguments_add_bytes(&a, SLICE("x"));
    arguments_add_integer(&a, 1);
    arguments_add_span(&a, (struct span){SPAN_DAY, 1});
    assert_int_equal(a.count, TENDING_ARGS_MAX);
    assert_int_equal(
        tending_run(tending, REDIS_LANE_READ, REDIS_SCRIPT_TEND_OPEN, &a, &reply, &err),
        ERR_INTERNAL);
    assert_null(reply);
}

static void takes_neither_rest_nor_turns_outside_the_thread(void **state)
{
    (void)state;
    tending->is_stopping = NULL;
    tending->turn_since = ago(TENDING_TURN_MS);
    struct mono_time since = ago(TENDING_BURST_MS);
    tending->burst_since = since;
    assert_false(tending_must_yield(tending));
    (void)rest_us();
    assert_int_equal(tending->burst_since.us, since.us);
}

#define TENDING_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TENDING_TEST(rests_after_a_burst),
        TENDING_TEST(does_not_rest_within_a_burst),
        TENDING_TEST(does_not_rest_when_it_is_to_stop),
        TENDING_TEST(yields_after_its_turn),
        TENDING_TEST(begins_no_step_when_it_is_to_stop),
        TENDING_TEST(runs_no_script_of_too_many_arguments),
        TENDING_TEST(takes_neither_rest_nor_turns_outside_the_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
