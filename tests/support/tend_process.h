/*
 * tend_process: a tender in a process of its own, which can be killed at any point.
 *
 * It is the test program itself, executed anew: its main begins with tend_process_main.
 */
#ifndef TESTS_SUPPORT_TEND_PROCESS_H
#define TESTS_SUPPORT_TEND_PROCESS_H

#include <sys/types.h>

#include "metric_tender.h"
#include "test_redis.h"

/* Returns unless this is such a process. */
void tend_process_main(int argc, char **argv);

/* Start one that tends `type` again and again; returns when it has begun. It dies with the
 * test (PR_SET_PDEATHSIG). */
pid_t tend_process_start(const struct test_redis *server, const char *type,
                         const struct metric_retention *retention);

/* SIGKILL, and wait. Fails the test when it had ended by itself. */
void tend_process_kill(pid_t pid);

#endif
