#include "counters.h"

#include <sys/mman.h>

#include "log2_bucket.h"

/* Blocks begin at a cache line, and a line's neighbour is fetched with it. */
enum { ALIGNMENT_CELLS = 16 };

static struct {
    _Atomic uint64_t *cells;
    size_t blocks, block_cells;
} shared;

_Atomic uint64_t *counters_of_process;
_Thread_local _Atomic uint64_t *counters_of_thread;

bool counters_share(size_t blocks, size_t cells)
{
    size_t block_cells = (cells + ALIGNMENT_CELLS - 1) / ALIGNMENT_CELLS * ALIGNMENT_CELLS;
    void *memory = mmap(NULL, blocks * block_cells * sizeof(uint64_t), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    shared.cells = memory;
    shared.blocks = blocks;
    shared.block_cells = block_cells;
    return true;
}

static _Atomic uint64_t *block_at(size_t block)
{
    return block < shared.blocks ? shared.cells + block * shared.block_cells : NULL;
}

void counters_use_for_process(size_t block)
{
    counters_of_process = block_at(block);
}

void counters_use_for_thread(size_t block)
{
    counters_of_thread = block_at(block);
}

uint64_t counters_sum(size_t cell)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < shared.blocks; i++)
        sum += atomic_load_explicit(&block_at(i)[cell], memory_order_relaxed);
    return sum;
}

void counters_sum_run(size_t witness, size_t cell, size_t count, uint64_t *sums)
{
    for (size_t i = 0; i < shared.blocks; i++) {
        _Atomic uint64_t *block = block_at(i);
        if (atomic_load_explicit(&block[witness], memory_order_relaxed) == 0)
            continue;
        for (size_t k = 0; k < count; k++)
            sums[k] += atomic_load_explicit(&block[cell + k], memory_order_relaxed);
    }
}

static size_t bucket_of(uint64_t value)
{
    if (value <= 1)
        return 0;
    size_t bucket = (size_t)log2_bucket_index((double)value, DISTRIBUTION_SCALE) + 1;
    return bucket < DISTRIBUTION_BUCKETS ? bucket : DISTRIBUTION_BUCKETS - 1;
}

void distribution_add(size_t cell, uint64_t value)
{
    counter_add(cell, value);
    counter_add(cell + 1 + bucket_of(value), 1);
}

void distribution_read(size_t cell, struct distribution *d)
{
    d->sum = counters_sum(cell);
    for (size_t i = 0; i < DISTRIBUTION_BUCKETS; i++)
        d->buckets[i] = counters_sum(cell + 1 + i);
}

static uint64_t count_up_to(const struct distribution *d, size_t bucket)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= bucket && i < DISTRIBUTION_BUCKETS; i++)
        count += d->buckets[i];
    return count;
}

uint64_t distribution_count(const struct distribution *d)
{
    return count_up_to(d, DISTRIBUTION_BUCKETS - 1);
}

uint64_t distribution_count_to(const struct distribution *d, unsigned octave)
{
    return count_up_to(d, (size_t)octave << DISTRIBUTION_SCALE);
}

double distribution_quantile(const struct distribution *d, double q)
{
    uint64_t count = distribution_count(d), seen = 0;
    if (count == 0)
        return 0.0;
    uint64_t rank = (uint64_t)(q * (double)(count - 1));
    size_t bucket = 0;
    while (bucket + 1 < DISTRIBUTION_BUCKETS && (seen += d->buckets[bucket]) <= rank)
        bucket++;
    /* As of a histogram: its error is the same at both ends of the bucket. */
    double lower = log2_bucket_bound((int32_t)bucket - 1, DISTRIBUTION_SCALE);
    double upper = log2_bucket_bound((int32_t)bucket, DISTRIBUTION_SCALE);
    return bucket == 0 ? 1.0 : 2.0 * lower * upper / (lower + upper);
}
