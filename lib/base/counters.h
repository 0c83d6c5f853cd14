/*
 * counters: what the service counts about itself.
 *
 * Cells of 64 bits that only ever grow, in blocks of one layout; what is told of a cell is the sum
 * over all blocks. A thread that serves requests has a block of its own and the other threads of a
 * process share one, so that nobody waits for a lock or a cache line: 5 ns. The blocks lie in
 * memory that the master shares with its workers: one that dies leaves its counts to the one in
 * its place. Where no memory is shared (tests, tools), counting has no effect.
 */
#ifndef LIB_BASE_COUNTERS_H
#define LIB_BASE_COUNTERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum counter {
    COUNTER_SAMPLES_ACCEPTED,
    COUNTER_SAMPLES_INVALID, /* refused, as the others below */
    COUNTER_SAMPLES_OVER_RATE,
    COUNTER_SAMPLES_OVER_LIMIT, /* MAX_TYPES, MAX_BUCKETS, a key that is not ours */
    COUNTER_SAMPLES_NOT_STORED, /* by Redis */

    COUNTER_CACHE_HIT, /* answers */
    COUNTER_CACHE_MISS,
    COUNTER_CACHE_STALE,

    COUNTER_RATE_ADMITTED, /* requests that a limit was asked about */
    COUNTER_RATE_REFUSED,
    COUNTER_RATE_REFUSED_LOCALLY, /* of these without asking Redis */

    COUNTER_BREAKER_ALLOWED, /* calls */
    COUNTER_BREAKER_REFUSED,
    COUNTER_BREAKER_SUCCEEDED,
    COUNTER_BREAKER_FAILED,
    COUNTER_BREAKER_OPENED, /* transitions that this host brought about */
    COUNTER_BREAKER_HALF_OPENED,
    COUNTER_BREAKER_CLOSED,

    COUNTER_REDIS_COMMANDS, /* sent */
    COUNTER_REDIS_ERRORS,   /* calls that failed, whatever the reason */
    COUNTER_REDIS_TIMEOUTS, /* connections given up for want of a reply */
    COUNTER_REDIS_CONNECTS,

    COUNTER_SEALED_CHUNKS,
    COUNTER_SEALED_BYTES_BEFORE,
    COUNTER_SEALED_BYTES_AFTER,

    COUNTER_COUNT
};

/*
 * A distribution of whole numbers is a run of cells: their sum, then buckets of log2_bucket.h at
 * DISTRIBUTION_SCALE. Bucket k has the values above 2^((k-1)/8) and up to 2^(k/8), bucket 0 also 0,
 * the last one also what is greater.
 */
enum {
    DISTRIBUTION_SCALE = 3, /* within 4.4 % */
    DISTRIBUTION_OCTAVES = 26,
    DISTRIBUTION_BUCKETS = DISTRIBUTION_OCTAVES * (1 << DISTRIBUTION_SCALE) + 1,
    DISTRIBUTION_CELLS = 1 + DISTRIBUTION_BUCKETS
};

enum distribution_cell {
    DISTRIBUTION_REDIS_ROUND_TRIP = COUNTER_COUNT, /* microseconds, from the write to the reply */
    DISTRIBUTION_REDIS_BATCH = DISTRIBUTION_REDIS_ROUND_TRIP + DISTRIBUTION_CELLS, /* commands */
    DISTRIBUTION_EXTERNAL_CALL = DISTRIBUTION_REDIS_BATCH + DISTRIBUTION_CELLS, /* microseconds */
    COUNTERS_FIRST_FREE = DISTRIBUTION_EXTERNAL_CALL + DISTRIBUTION_CELLS /* for other rooms */
};

/* Share `blocks` blocks of `cells` cells, all 0, with the processes to be forked.
 * False: no memory. */
bool counters_share(size_t blocks, size_t cells);

/* Where this process counts from now on, but for threads that have a block of their own. */
void counters_use_for_process(size_t block);
void counters_use_for_thread(size_t block);

/* Over all blocks; 0 where none are shared. Not an instant: others go on counting. */
uint64_t counters_sum(size_t cell);

/* Adds to `sums` those of the `count` cells from `cell` on. Of blocks whose cell `witness` is 0
 * they are not looked at, as their pages need not exist. */
void counters_sum_run(size_t witness, size_t cell, size_t count, uint64_t *sums);

extern _Atomic uint64_t *counters_of_process;
extern _Thread_local _Atomic uint64_t *counters_of_thread;

static inline void counter_add(size_t cell, uint64_t n)
{
    _Atomic uint64_t *block = counters_of_thread ? counters_of_thread : counters_of_process;
    if (block)
        (void)atomic_fetch_add_explicit(&block[cell], n, memory_order_relaxed);
}

void distribution_add(size_t cell, uint64_t value);

/* As it lies in its cells, summed. */
struct distribution {
    uint64_t sum;
    uint64_t buckets[DISTRIBUTION_BUCKETS];
};

_Static_assert(sizeof(struct distribution) == DISTRIBUTION_CELLS * sizeof(uint64_t), "in place");

void distribution_read(size_t cell, struct distribution *d);
uint64_t distribution_count(const struct distribution *d);

/* How many values are at most 2^octave, octave <= DISTRIBUTION_OCTAVES. */
uint64_t distribution_count_to(const struct distribution *d, unsigned octave);

/* The value at rank floor(q (count - 1)), 0 <= q <= 1, to the bucket's error; 0 of none. */
double distribution_quantile(const struct distribution *d, double q);

#endif
