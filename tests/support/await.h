/*
 * await: a condition instead of a sleep, and how long something took. For cmocka tests.
 *
 * A machine may be busy: a test claims an order of events, or that the fastest of several
 * attempts was fast. AWAIT_MS is for what must not hang.
 */
#ifndef TESTS_SUPPORT_AWAIT_H
#define TESTS_SUPPORT_AWAIT_H

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "clock.h"

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

static inline int64_t ms_since(struct mono_time begin)
{
    return mono_us_between(begin, clock_mono_now()) / 1000;
}

/* Whether the thread `tid` of this process (gettid) waits for something. */
static inline bool thread_is_asleep(pid_t tid)
{
    char path[64], stat[256] = "";
    (void)snprintf(path, sizeof path, "/proc/self/task/%ld/stat", (long)tid);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    size_t len = fread(stat, 1, sizeof stat - 1, file);
    (void)fclose(file);
    stat[len] = '\0';
    const char *name_end = strrchr(stat, ')');
    return name_end && strncmp(name_end, ") S", 3) == 0;
}

#endif
