/*
 * series_generator: series as one meets them, repeatable by their seed.
 *
 *   constant      one value for ever
 *   counter       events counted by a server: whole numbers, steps of 0 to 20 a second for
 *                 the most part; it begins again at 0 when the server does
 *   temperature   one decimal; a daily wave, a slow walk and the noise of the sensor
 *   cpu           percent busy, two decimals, from the 100 Hz ticks of four cores as
 *                 /proc/stat counts them: noise and bursts around a level that moves
 *   latency       milliseconds, three decimals, lognormal; requests come at random
 *                 (exponential gaps), stamped in whole milliseconds
 *   random        every bit of the mantissa by chance
 *
 * All but latency sit exactly on multiples of their interval.
 */
#ifndef TESTS_SUPPORT_SERIES_GENERATOR_H
#define TESTS_SUPPORT_SERIES_GENERATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"
#include "test_random.h"

enum series_kind {
    SERIES_CONSTANT,
    SERIES_COUNTER,
    SERIES_TEMPERATURE,
    SERIES_CPU,
    SERIES_LATENCY,
    SERIES_RANDOM,
    SERIES_KIND_COUNT
};

struct series_generator {
    enum series_kind kind;
    struct test_random chance;
    int64_t interval_us;
    struct wall_time at; /* of the next sample */
    double level;        /* around which values lie, in the terms of the kind */
    double total;        /* of a counter */
};

/* As on a command line: "cpu". Static. */
const char *series_kind_name(enum series_kind kind);

/* False: there is no kind of that name. */
bool series_kind_parse(const char *name, enum series_kind *kind);

/* `interval_us` > 0; the mean one where samples come at random. The first sample lies at
 * `start` or less than an interval before it. */
void series_generator_init(struct series_generator *g, enum series_kind kind, int64_t interval_us,
                           struct wall_time start, uint64_t seed);

/* The next sample; timestamps do not descend. */
void series_generator_next(struct series_generator *g, struct record *r);

#endif
