#include "breaker_machine.h"

static void turn(struct breaker_machine *machine, enum breaker_state state)
{
    machine->state = state;
    machine->generation++;
    machine->token = 0;
    machine->lapses = 0;
}

static void open_until_timeout(struct breaker_machine *machine,
                               const struct breaker_options *options, struct mono_time now)
{
    turn(machine, BREAKER_OPEN);
    machine->opened_at = now;
    machine->probe_at = mono_after_ms(now, options->reset_timeout_ms);
}

int64_t breaker_machine_wait_us(const struct breaker_machine *machine, struct mono_time now)
{
    int64_t wait = 0;
    if (machine->state == BREAKER_OPEN)
        wait = mono_us_between(now, machine->probe_at);
    else if (machine->state == BREAKER_HALF_OPEN && machine->token != 0)
        wait = mono_us_between(now, machine->lease_end);
    return wait > 0 ? wait : 0;
}

void breaker_machine_allow(struct breaker_machine *machine, const struct breaker_options *options,
                           struct mono_time now, uint64_t token, struct breaker_permit *permit)
{
    int64_t wait = breaker_machine_wait_us(machine, now);
    if (wait == 0 && machine->state == BREAKER_OPEN) {
        turn(machine, BREAKER_HALF_OPEN);
    } else if (wait == 0 && machine->token != 0 && ++machine->lapses == BREAKER_LAPSES_MAX) {
        open_until_timeout(machine, options, now);
        wait = breaker_machine_wait_us(machine, now);
    }
    *permit = (struct breaker_permit){.is_admitted = wait == 0,
                                      .is_probe = wait == 0 && machine->state == BREAKER_HALF_OPEN,
                                      .generation = machine->generation,
                                      .retry_after_us = wait};
    if (permit->is_probe) {
        permit->token = machine->token = token;
        machine->lease_end = mono_after_ms(now, options->probe_lease_ms);
    }
}

static void record_closed(struct breaker_machine *machine, const struct breaker_options *options,
                          struct mono_time now, enum breaker_outcome outcome)
{
    if (outcome == BREAKER_SUCCESS) {
        machine->failures = 0;
        machine->successes++;
    } else if (outcome == BREAKER_FAILURE && ++machine->failures >= options->failure_threshold) {
        open_until_timeout(machine, options, now);
    }
}

static void record_probe(struct breaker_machine *machine, const struct breaker_options *options,
                         struct mono_time now, enum breaker_outcome outcome)
{
    if (outcome == BREAKER_SUCCESS) {
        turn(machine, BREAKER_CLOSED);
        machine->failures = machine->successes = 0;
    } else if (outcome == BREAKER_FAILURE) {
        machine->failures++;
        open_until_timeout(machine, options, now);
    } else {
        machine->token = 0;
        machine->lapses = 0;
    }
}

bool breaker_machine_record(struct breaker_machine *machine, const struct breaker_options *options,
                            struct mono_time now, const struct breaker_permit *permit,
                            enum breaker_outcome outcome)
{
    bool is_current = permit->generation == machine->generation;
    if (machine->state == BREAKER_CLOSED && is_current) {
        record_closed(machine, options, now, outcome);
        return true;
    }
    if (machine->state == BREAKER_HALF_OPEN && is_current && permit->is_probe &&
        permit->token == machine->token) {
        record_probe(machine, options, now, outcome);
        return true;
    }
    return false;
}
