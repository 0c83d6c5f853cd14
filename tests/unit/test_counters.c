/* What the service counts about itself: in several processes, and how values are distributed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "counters.h"
#include "test_random.h"

enum { CELLS = COUNTERS_FIRST_FREE + 3, BLOCKS = 5, ROUNDS = 100000, VALUES = 20000 };

static int share(void **state)
{
    (void)state;
    counters_of_process = NULL;
    counters_of_thread = NULL;
    return counters_share(BLOCKS, CELLS) ? 0 : -1;
}

static void nothing_is_counted_where_nothing_is_shared(void **state)
{
    (void)state;
    counter_add(0, 1);
    distribution_add(DISTRIBUTION_REDIS_BATCH, 1);
    assert_int_equal(counters_sum(0), 0);
    assert_int_equal(counters_sum(DISTRIBUTION_REDIS_BATCH), 0);
}

static void *count_in_block(void *block)
{
    if (block)
        counters_use_for_thread((size_t)(uintptr_t)block);
    for (int i = 0; i < ROUNDS; i++)
        counter_add(CELLS - 1, 1);
    return NULL;
}

/* Of each process two threads share its block, another two have one of their own. */
static void count_in_threads(size_t block)
{
    pthread_t threads[4];
    counters_use_for_process(block);
    for (size_t i = 0; i < 4; i++) {
        uintptr_t own = i < 2 ? 0 : block + i - 1;
        assert_int_equal(pthread_create(&threads[i], NULL, count_in_block, (void *)own), 0);
    }
    for (size_t i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
}

static void counts_of_threads_and_processes_add_up_and_outlive_them(void **state)
{
    (void)state;
    pid_t pids[2];
    for (size_t i = 0; i < 2; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            count_in_threads(i); /* they meet in the blocks between */
            _exit(0);
        }
    }
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
    assert_int_equal(counters_sum(CELLS - 1), 8 * ROUNDS);
    assert_int_equal(counters_sum(CELLS - 2), 0);
}

static void a_run_is_the_sum_of_the_blocks_that_have_a_witness(void **state)
{
    (void)state;
    uint64_t sums[2] = {100, 0};
    for (size_t block = 0; block < BLOCKS; block++) {
        counters_use_for_process(block);
        counter_add(0, block % 2);
        counter_add(1, 10 + block);
        counter_add(2, 1);
    }
    counters_sum_run(0, 1, 2, sums);
    assert_int_equal(sums[0], 100 + 11 + 13);
    assert_int_equal(sums[1], 2);
}

/* --- Distributions --------------------------------------------------------------------- */

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void quantiles_are_within_the_error(void **state)
{
    (void)state;
    static uint64_t values[VALUES];
    struct test_random chance = test_random_start();
    struct distribution d;
    uint64_t sum = 0;
    counters_use_for_process(1);
    for (size_t i = 0; i < VALUES; i++) {
        values[i] = 1 + (test_random_u64(&chance) >> (38 + test_random_below(&chance, 26)));
        sum += values[i];
        distribution_add(DISTRIBUTION_EXTERNAL_CALL, values[i]);
    }
    qsort(values, VALUES, sizeof *values, compare);
    distribution_read(DISTRIBUTION_EXTERNAL_CALL, &d);
    assert_int_equal(d.sum, sum);
    assert_int_equal(distribution_count(&d), VALUES);
    for (int q = 0; q <= 1000; q++) {
        double actual = distribution_quantile(&d, q / 1000.0);
        double value = (double)values[(size_t)(q / 1000.0 * (VALUES - 1))];
        if (fabs(actual - value) > 0.0434 * value)
            fail_msg("quantile %d/1000 is %g, not %g", q, actual, value);
    }
    for (unsigned octave = 0; octave <= DISTRIBUTION_OCTAVES; octave++) {
        size_t count = 0;
        while (count < VALUES && values[count] <= UINT64_C(1) << octave)
            count++;
        assert_int_equal(distribution_count_to(&d, octave), count);
    }
}

static void the_outermost_buckets_take_what_is_beyond(void **state)
{
    (void)state;
    struct distribution d;
    counters_use_for_process(0);
    distribution_read(DISTRIBUTION_REDIS_BATCH, &d);
    assert_true(distribution_quantile(&d, 0.5) == 0.0);
    distribution_add(DISTRIBUTION_REDIS_BATCH, 0);
    distribution_add(DISTRIBUTION_REDIS_BATCH, 1);
    distribution_add(DISTRIBUTION_REDIS_BATCH, UINT64_MAX);
    distribution_read(DISTRIBUTION_REDIS_BATCH, &d);
    assert_int_equal(d.buckets[0], 2);
    assert_int_equal(d.buckets[DISTRIBUTION_BUCKETS - 1], 1);
    assert_int_equal(distribution_count_to(&d, 0), 2);
    assert_true(distribution_quantile(&d, 0.0) == 1.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_counted_where_nothing_is_shared),
        cmocka_unit_test_setup(counts_of_threads_and_processes_add_up_and_outlive_them, share),
        cmocka_unit_test_setup(a_run_is_the_sum_of_the_blocks_that_have_a_witness, share),
        cmocka_unit_test_setup(quantiles_are_within_the_error, share),
        cmocka_unit_test_setup(the_outermost_buckets_take_what_is_beyond, share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
