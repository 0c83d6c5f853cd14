#include "tend_process.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "chunk_sealer.h"

enum { NUMBER_TEXT_BYTES = 24, CONNECT_MS = 5000 };

static _Noreturn void tend_for_ever(struct redis_client *client,
                                    const struct metric_retention *retention, struct slice type)
{
    struct chunk_sealer *sealer = chunk_sealer_new(client);
    if (!sealer || write(STDOUT_FILENO, "t", 1) != 1)
        _exit(1);
    for (;;) {
        struct error err;
        error_init(&err);
        if (metric_tender_tend(client, sealer, retention, type, &err) != ERR_OK) {
            (void)fprintf(stderr, "tending: %s (%s)\n", err.detail, err.cause);
            _exit(1);
        }
    }
}

void tend_process_main(int argc, char **argv)
{
    if (argc != 6 || strcmp(argv[1], "--tend") != 0)
        return;
    struct test_redis server = {0};
    (void)snprintf(server.socket_path, sizeof server.socket_path, "%s", argv[2]);
    struct redis_options options = test_redis_options(&server);
    options.read_timeout_ms = options.write_timeout_ms = CONNECT_MS;
    struct redis_client *client = redis_client_new(&options);
    if (!client || !redis_client_start(client) ||
        !test_redis_await_connected(client, true, CONNECT_MS))
        _exit(1);
    const struct metric_retention retention = {strtoll(argv[4], NULL, 10),
                                               strtoll(argv[5], NULL, 10)};
    tend_for_ever(client, &retention, slice_from_string(argv[3]));
}

static _Noreturn void run_child(int out, char *const argv[])
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(out, STDOUT_FILENO);
    (void)execv("/proc/self/exe", argv);
    _exit(1);
}

pid_t tend_process_start(const struct test_redis *server, const char *type,
                         const struct metric_retention *retention)
{
    char samples[NUMBER_TEXT_BYTES], aggregates[NUMBER_TEXT_BYTES], word[] = "--tend";
    char path[sizeof server->socket_path], name[128], self[] = "tend";
    (void)snprintf(samples, sizeof samples, "%lld", (long long)retention->samples_us);
    (void)snprintf(aggregates, sizeof aggregates, "%lld", (long long)retention->aggregates_us);
    (void)snprintf(path, sizeof path, "%s", server->socket_path);
    (void)snprintf(name, sizeof name, "%s", type);
    char *const argv[] = {self, word, path, name, samples, aggregates, NULL};
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        run_child(ends[1], argv);
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    (void)close(ends[0]);
    return pid;
}

void tend_process_kill(pid_t pid)
{
    int status;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
