/*
 * await: a condition instead of a sleep. For cmocka tests.
 */
#ifndef TESTS_SUPPORT_AWAIT_H
#define TESTS_SUPPORT_AWAIT_H

#include <poll.h>

enum { AWAIT_MS = 10000 };

/* Look every millisecond until it holds; the test fails when it does not in time. */
#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        int left_ = AWAIT_MS;                                                                      \
        while (!(condition) && left_-- > 0)                                                        \
            (void)poll(NULL, 0, 1);                                                                \
        if (left_ <= 0)                                                                            \
            fail_msg("not within %d ms: %s", AWAIT_MS, #condition);                                \
    } while (0)

#endif
