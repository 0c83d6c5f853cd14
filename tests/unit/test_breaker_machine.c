/* breaker_machine: the written transition table, in a time of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "breaker_machine.h"

enum { RESET_MS = 1000, LEASE_MS = 200 };
static const struct breaker_options options = {.name = "unit",
                                               .failure_threshold = 3,
                                               .reset_timeout_ms = RESET_MS,
                                               .probe_lease_ms = LEASE_MS};

static struct mono_time at_ms(int64_t ms)
{
    return (struct mono_time){ms * 1000};
}

static struct breaker_permit ask(struct breaker_machine *machine, int64_t ms)
{
    static uint64_t token;
    struct breaker_permit permit;
    token += 2;
    breaker_machine_allow(machine, &options, at_ms(ms), token, &permit);
    assert_false(permit.is_shared);
    assert_true(permit.is_admitted == (permit.retry_after_us == 0));
    assert_true(permit.is_probe == (permit.token != 0));
    return permit;
}

static bool report(struct breaker_machine *machine, int64_t ms, const struct breaker_permit *permit,
                   enum breaker_outcome outcome)
{
    return breaker_machine_record(machine, &options, at_ms(ms), permit, outcome);
}

/* Opened at 0. */
static struct breaker_machine an_open_one(void)
{
    struct breaker_machine machine = {.generation = 100};
    struct breaker_permit permit = ask(&machine, 0);
    for (int i = 0; i < 3; i++)
        assert_true(report(&machine, 0, &permit, BREAKER_FAILURE));
    assert_int_equal(machine.state, BREAKER_OPEN);
    return machine;
}

/* HALF_OPEN since RESET_MS, with the probe given out. */
static struct breaker_machine a_half_open_one(struct breaker_permit *probe)
{
    struct breaker_machine machine = an_open_one();
    *probe = ask(&machine, RESET_MS);
    assert_true(probe->is_probe);
    assert_int_equal(machine.state, BREAKER_HALF_OPEN);
    return machine;
}

static void opens_after_consecutive_failures_only(void **state)
{
    (void)state;
    struct breaker_machine machine = {.generation = 100};
    struct breaker_permit permit = ask(&machine, 0);
    for (int i = 0; i < 10; i++) {
        assert_true(report(&machine, 0, &permit, BREAKER_FAILURE));
        assert_true(report(&machine, 0, &permit, BREAKER_NEUTRAL));
        assert_true(report(&machine, 0, &permit, BREAKER_FAILURE));
        assert_int_equal(machine.failures, 2);
        assert_true(report(&machine, 0, &permit, BREAKER_SUCCESS));
        assert_int_equal(machine.failures, 0);
    }
    assert_int_equal(machine.state, BREAKER_CLOSED);
    assert_int_equal(machine.successes, 10);
    assert_int_equal(machine.generation, 100);
    for (int i = 0; i < 3; i++)
        assert_true(report(&machine, 7, &permit, BREAKER_FAILURE));
    assert_int_equal(machine.state, BREAKER_OPEN);
    assert_int_equal(machine.generation, 101);
    assert_int_equal(machine.opened_at.us, 7000);
    assert_false(report(&machine, 8, &permit, BREAKER_SUCCESS));
}

static void open_refuses_until_the_timeout_and_then_probes_once(void **state)
{
    (void)state;
    struct breaker_machine machine = an_open_one();
    for (int64_t ms = 0; ms < RESET_MS; ms += 100)
        assert_int_equal(ask(&machine, ms).retry_after_us, (RESET_MS - ms) * 1000);
    struct breaker_permit probe = ask(&machine, RESET_MS);
    assert_true(probe.is_probe);
    assert_int_equal(probe.generation, 102);
    for (int64_t ms = 0; ms < LEASE_MS; ms += 50)
        assert_int_equal(ask(&machine, RESET_MS + ms).retry_after_us, (LEASE_MS - ms) * 1000);
}

static void a_successful_probe_closes(void **state)
{
    (void)state;
    struct breaker_permit probe;
    struct breaker_machine machine = a_half_open_one(&probe);
    assert_true(report(&machine, 1100, &probe, BREAKER_SUCCESS));
    assert_int_equal(machine.state, BREAKER_CLOSED);
    assert_int_equal(machine.failures, 0);
    assert_int_equal(machine.successes, 0);
    assert_int_equal(machine.generation, 103);
    assert_false(report(&machine, 1100, &probe, BREAKER_FAILURE));
}

static void a_failed_probe_opens_for_a_whole_timeout(void **state)
{
    (void)state;
    struct breaker_permit probe;
    struct breaker_machine machine = a_half_open_one(&probe);
    assert_true(report(&machine, 1100, &probe, BREAKER_FAILURE));
    assert_int_equal(machine.state, BREAKER_OPEN);
    assert_int_equal(machine.failures, 4);
    assert_int_equal(ask(&machine, 1100).retry_after_us, RESET_MS * 1000);
    assert_true(ask(&machine, 1100 + RESET_MS).is_probe);
}

static void a_neutral_end_hands_the_probe_to_the_next(void **state)
{
    (void)state;
    struct breaker_permit probe;
    struct breaker_machine machine = a_half_open_one(&probe);
    assert_true(report(&machine, 1100, &probe, BREAKER_NEUTRAL));
    assert_int_equal(machine.state, BREAKER_HALF_OPEN);
    struct breaker_permit next = ask(&machine, 1100);
    assert_true(next.is_probe && next.token != probe.token);
    assert_false(report(&machine, 1100, &probe, BREAKER_SUCCESS));
    assert_true(report(&machine, 1100, &next, BREAKER_SUCCESS));
}

static void the_third_lapse_in_a_row_opens(void **state)
{
    (void)state;
    struct breaker_permit first;
    struct breaker_machine machine = a_half_open_one(&first);
    int64_t ms = RESET_MS;
    for (int i = 0; i < 2; i++) {
        ms += LEASE_MS;
        assert_true(ask(&machine, ms).is_probe);
    }
    assert_false(report(&machine, ms, &first, BREAKER_SUCCESS));
    ms += LEASE_MS;
    assert_int_equal(ask(&machine, ms).retry_after_us, RESET_MS * 1000);
    assert_int_equal(machine.state, BREAKER_OPEN);
}

static void a_neutral_end_breaks_the_row_of_lapses(void **state)
{
    (void)state;
    struct breaker_permit probe;
    struct breaker_machine machine = a_half_open_one(&probe);
    int64_t ms = RESET_MS;
    for (int i = 0; i < 5; i++) {
        ms += LEASE_MS;
        probe = ask(&machine, ms);
        assert_true(probe.is_probe);
        ms += LEASE_MS;
        probe = ask(&machine, ms);
        assert_true(probe.is_probe);
        assert_true(report(&machine, ms, &probe, BREAKER_NEUTRAL));
        assert_true(ask(&machine, ms).is_probe);
    }
}

static void a_permit_of_the_closed_time_is_no_probe(void **state)
{
    (void)state;
    struct breaker_permit probe;
    struct breaker_machine machine = a_half_open_one(&probe);
    struct breaker_permit forged = probe;
    forged.token = 0;
    forged.is_probe = false;
    assert_false(report(&machine, 1100, &forged, BREAKER_SUCCESS));
    assert_true(report(&machine, 1100, &probe, BREAKER_NEUTRAL));
    assert_false(report(&machine, 1100, &forged, BREAKER_SUCCESS));
    assert_int_equal(machine.state, BREAKER_HALF_OPEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_after_consecutive_failures_only),
        cmocka_unit_test(open_refuses_until_the_timeout_and_then_probes_once),
        cmocka_unit_test(a_successful_probe_closes),
        cmocka_unit_test(a_failed_probe_opens_for_a_whole_timeout),
        cmocka_unit_test(a_neutral_end_hands_the_probe_to_the_next),
        cmocka_unit_test(the_third_lapse_in_a_row_opens),
        cmocka_unit_test(a_neutral_end_breaks_the_row_of_lapses),
        cmocka_unit_test(a_permit_of_the_closed_time_is_no_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
