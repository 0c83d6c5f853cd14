/*
 * test_service: the real binary with a unix socket as fd 0, as a web server starts it. Dies
 * with the test (PR_SET_PDEATHSIG).
 */
#ifndef TESTS_SUPPORT_TEST_SERVICE_H
#define TESTS_SUPPORT_TEST_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

enum { TEST_SERVICE_WORKERS_MAX = 8 };

struct test_service {
    char folder[64];
    char socket_path[96];
    char log_path[96];
    pid_t master;  /* 0: not running */
    pid_t stopped; /* a worker that got SIGSTOP; 0: none */
};

/* `settings` ("NAME=value", …, NULL; or NULL) go on top of: no Redis, two workers of four
 * threads. */
void test_service_start(struct test_service *s, const char *const settings[]);
void test_service_start_binary(struct test_service *s, const char *binary,
                               const char *const settings[]);

/* End it. False when one of its processes had something to say to a sanitizer. */
bool test_service_release(struct test_service *s);

/* The exit code of the master, or -1 when it does not leave. */
int test_service_await_exit(struct test_service *s, struct rusage *usage);

void test_service_find_binary(char *path, size_t size);
size_t test_service_count_in_log(const struct test_service *s, const char *text);
size_t test_service_workers(const struct test_service *s, pid_t *pids);

#endif
