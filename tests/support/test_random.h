/*
 * test_random: repeatable chance. The seed is printed, and taken from TEST_SEED when
 * that is set.
 */
#ifndef TESTS_SUPPORT_TEST_RANDOM_H
#define TESTS_SUPPORT_TEST_RANDOM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct test_random {
    uint64_t state; /* never 0 */
};

static inline struct test_random test_random_start(void)
{
    const char *wanted = getenv("TEST_SEED");
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = wanted ? strtoull(wanted, NULL, 10)
                           : (uint64_t)now.tv_sec * 1000000007U + (uint64_t)now.tv_nsec;
    (void)fprintf(stderr, "TEST_SEED=%llu\n", (unsigned long long)seed);
    return (struct test_random){seed ? seed : 1};
}

/* Marsaglia's xorshift64. */
static inline uint64_t test_random_u64(struct test_random *random)
{
    random->state ^= random->state << 13;
    random->state ^= random->state >> 7;
    random->state ^= random->state << 17;
    return random->state;
}

static inline size_t test_random_below(struct test_random *random, size_t n)
{
    return (size_t)(test_random_u64(random) % n);
}

#endif
