#include "series_generator.h"

#include <math.h>
#include <string.h>

#define TURN (2.0 * 3.14159265358979323846)

static const char *const names[SERIES_KIND_COUNT] = {
    [SERIES_CONSTANT] = "constant",       [SERIES_COUNTER] = "counter",
    [SERIES_TEMPERATURE] = "temperature", [SERIES_CPU] = "cpu",
    [SERIES_LATENCY] = "latency",         [SERIES_RANDOM] = "random",
};

const char *series_kind_name(enum series_kind kind)
{
    return names[kind];
}

bool series_kind_parse(const char *name, enum series_kind *kind)
{
    for (int i = 0; i < SERIES_KIND_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            *kind = (enum series_kind)i;
            return true;
        }
    }
    return false;
}

/* In [0, 1). */
static double uniform(struct series_generator *g)
{
    return (double)(test_random_u64(&g->chance) >> 11) * 0x1p-53;
}

static bool happens(struct series_generator *g, double probability)
{
    return uniform(g) < probability;
}

static double exponential(struct series_generator *g)
{
    return -log(1.0 - uniform(g));
}

/* Mean 0, deviation 1 (Box and Muller). */
static double normal(struct series_generator *g)
{
    double radius = sqrt(2.0 * exponential(g));
    return radius * cos(TURN * uniform(g));
}

static double seconds(const struct series_generator *g)
{
    return (double)g->interval_us / 1e6;
}

/* A walk of `step` a second that is drawn back to 0 within about `memory_s`. */
static void wander(struct series_generator *g, double step, double memory_s)
{
    double kept = exp(-seconds(g) / memory_s);
    g->level = g->level * kept + step * normal(g) * sqrt((1.0 - kept * kept) * memory_s / 2.0);
}

static double decimals(double value, double power)
{
    return round(value * power) / power;
}

/* The level is the logarithm of the rate, against the usual one. */
static double next_counter(struct series_generator *g)
{
    wander(g, 0.01, 1800);
    double expected = 8.0 * exp(g->level) * seconds(g);
    if (happens(g, 0.01))
        expected *= 4.0;
    if (happens(g, 1.0 / 4000))
        g->total = 0.0;
    g->total += fmax(0.0, round(expected + 1.5 * sqrt(expected) * normal(g)));
    return g->total;
}

static double next_temperature(struct series_generator *g)
{
    wander(g, 0.004, 20000);
    double wave = 4.0 * sin(TURN * (double)g->at.us / 86400e6);
    return decimals(20.0 + wave + g->level + 0.05 * normal(g), 10.0);
}

static double next_cpu(struct series_generator *g)
{
    if (happens(g, 1.0 - exp(-seconds(g) / 180.0)))
        g->level = 2.0 + 85.0 * uniform(g) * uniform(g);
    double busy = g->level + (1.5 + 0.08 * g->level) * normal(g) / pow(seconds(g), 0.25);
    if (happens(g, 0.02))
        busy += 40.0 * exponential(g);
    busy = fmin(fmax(busy, 0.2 * exponential(g)), 100.0);
    double ticks = fmax(1.0, round(400.0 * seconds(g) + 1.5 * normal(g)));
    return decimals(100.0 * round(busy / 100.0 * ticks) / ticks, 100.0);
}

static double next_latency(struct series_generator *g)
{
    wander(g, 0.01, 600);
    return decimals(20.0 * exp(g->level + 0.5 * normal(g)), 1000.0);
}

static double next_value(struct series_generator *g)
{
    switch (g->kind) {
    case SERIES_COUNTER:
        return next_counter(g);
    case SERIES_TEMPERATURE:
        return next_temperature(g);
    case SERIES_CPU:
        return next_cpu(g);
    case SERIES_LATENCY:
        return next_latency(g);
    case SERIES_RANDOM:
        return 100.0 * uniform(g);
    default:
        return g->level;
    }
}

void series_generator_init(struct series_generator *g, enum series_kind kind, int64_t interval_us,
                           struct wall_time start, uint64_t seed)
{
    uint64_t state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15); /* near seeds, far series */
    int64_t past = start.us % interval_us;
    *g = (struct series_generator){.kind = kind,
                                   .chance = {state ? state : 1},
                                   .interval_us = interval_us,
                                   .at = {start.us - (past < 0 ? past + interval_us : past)}};
    for (int i = 0; i < 8; i++)
        (void)test_random_u64(&g->chance);
    if (kind == SERIES_CONSTANT)
        g->level = decimals(100.0 * uniform(g), 10.0);
    if (kind == SERIES_CPU)
        g->level = 15.0;
    if (kind == SERIES_COUNTER)
        g->total = round(1e6 * uniform(g));
}

void series_generator_next(struct series_generator *g, struct record *r)
{
    *r = (struct record){g->at, next_value(g)};
    if (g->kind != SERIES_LATENCY) {
        g->at.us += g->interval_us;
        return;
    }
    /* The clock of arrivals has no ticks; only the stamp has. */
    g->at.us += (int64_t)((double)g->interval_us * exponential(g));
    r->at.us -= ((r->at.us % 1000) + 1000) % 1000;
}
