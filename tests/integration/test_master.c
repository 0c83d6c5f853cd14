/* The service as processes: what dies is replaced, and what is told to leave leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "await.h"
#include "config.h"
#include "fcgi_client.h"
#include "master.h"
#include "test_service.h"

/* --- Load: threads that ask for /livez one after the other ---------------------- */

enum { LOAD_THREADS = 6 };

static struct load {
    const struct test_service *service;
    bool is_running;
    pthread_t threads[LOAD_THREADS];
    _Atomic int is_over;
    _Atomic size_t answered, failed;
} load;

static void *ask_until_over(void *context)
{
    (void)context;
    while (!load.is_over) {
        if (fcgi_get_status(load.service->socket_path, "/livez") == 200)
            atomic_fetch_add(&load.answered, 1);
        else
            atomic_fetch_add(&load.failed, 1);
    }
    return NULL;
}

static void load_start(const struct test_service *service)
{
    memset(&load, 0, sizeof load);
    load.is_running = true;
    load.service = service;
    for (size_t i = 0; i < LOAD_THREADS; i++)
        assert_int_equal(pthread_create(&load.threads[i], NULL, ask_until_over, NULL), 0);
}

static void load_end(void)
{
    if (!load.is_running)
        return;
    load.is_running = false;
    load.is_over = 1;
    for (size_t i = 0; i < LOAD_THREADS; i++)
        (void)pthread_join(load.threads[i], NULL);
}

/* --- Tests ----------------------------------------------------------------------- */

static struct test_service service;

static int fresh(void **state)
{
    (void)state;
    service = (struct test_service){.master = 0};
    return 0;
}

static int done(void **state)
{
    (void)state;
    (void)signal(SIGCHLD, SIG_DFL);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 0);
    load_end();
    return test_service_release(&service) ? 0 : -1;
}

/* With 0, and nobody had to be killed for it. */
static void await_leave(struct rusage *usage)
{
    assert_int_equal(test_service_await_exit(&service, usage), 0);
    assert_int_equal(test_service_count_in_log(&service, "stop_overdue"), 0);
}

static void fd_0_must_be_a_listening_socket(void **state)
{
    (void)state;
    char binary[4096], command[4200];
    test_service_find_binary(binary, sizeof binary);
    (void)snprintf(command, sizeof command, "'%s' </dev/null 2>&1 | grep -q listening", binary);
    assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a fixed command
}

static void a_killed_worker_costs_what_was_in_flight_and_is_replaced(void **state)
{
    (void)state;
    test_service_start(&service, NULL);
    load_start(&service);
    AWAIT(load.answered > 100);
    pid_t before[TEST_SERVICE_WORKERS_MAX], after[TEST_SERVICE_WORKERS_MAX];
    AWAIT(test_service_workers(&service, before) == 2);
    assert_int_equal(kill(before[0], SIGKILL), 0);
    AWAIT(test_service_workers(&service, after) == 2 && after[0] != before[0] &&
          after[1] != before[0]);
    size_t answered = load.answered;
    AWAIT(load.answered > answered + 100);
    load_end();
    assert_true(load.failed <= 4); /* it had four threads */
    assert_int_equal(test_service_count_in_log(&service, "worker_died"), 1);
}

/* What is ignored stays so through fork and exec, and then no death is told. */
static void deaths_are_told_when_the_spawner_ignored_sigchld(void **state)
{
    (void)state;
    const char *const settings[] = {"WORKERS=1", NULL};
    (void)signal(SIGCHLD, SIG_IGN);
    test_service_start(&service, settings);
    (void)signal(SIGCHLD, SIG_DFL);
    pid_t before[TEST_SERVICE_WORKERS_MAX], after[TEST_SERVICE_WORKERS_MAX];
    AWAIT(test_service_workers(&service, before) == 1);
    assert_int_equal(kill(before[0], SIGKILL), 0);
    AWAIT(test_service_workers(&service, after) == 1 && after[0] != before[0]);
    assert_int_equal(test_service_count_in_log(&service, "worker_died"), 1);
    assert_int_equal(kill(service.master, SIGTERM), 0);
    struct rusage usage;
    await_leave(&usage);
}

static void workers_end_when_their_master_is_killed(void **state)
{
    (void)state;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* orphans are ours then */
    test_service_start(&service, NULL);
    AWAIT(fcgi_get_status(service.socket_path, "/livez") == 200);
    pid_t workers[TEST_SERVICE_WORKERS_MAX];
    AWAIT(test_service_workers(&service, workers) == 2);
    assert_int_equal(kill(service.master, SIGKILL), 0);
    assert_int_equal(waitpid(service.master, NULL, 0), service.master);
    service.master = 0;
    size_t ended = 0;
    for (int ms = 0; ms < AWAIT_MS && ended < 2; ms++) {
        int status;
        ended += waitpid(workers[ended], &status, WNOHANG) == workers[ended];
        (void)poll(NULL, 0, 1);
    }
    for (size_t i = ended; i < 2; i++) { /* nothing is left running */
        (void)kill(workers[i], SIGKILL);
        (void)waitpid(workers[i], NULL, 0);
    }
    assert_int_equal(ended, 2);
}

static void workers_that_die_young_are_restarted_ever_later(void **state)
{
    (void)state;
    const char *const settings[] = {"WORKERS=1", NULL};
    test_service_start(&service, settings);
    pid_t last = 0, pids[TEST_SERVICE_WORKERS_MAX];
    for (int i = 0; i < 5; i++) {
        AWAIT(test_service_workers(&service, pids) == 1 && pids[0] != last);
        last = pids[0];
        assert_int_equal(kill(last, SIGKILL), 0);
    }
    AWAIT(test_service_count_in_log(&service, "\"restart_in_ms\":800}") == 1);
    static const char *const pauses[] = {"0}", "100}", "200}", "400}"};
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "\"restart_in_ms\":%s", pauses[i]);
        assert_int_equal(test_service_count_in_log(&service, text), 1);
    }
    AWAIT(fcgi_get_status(service.socket_path, "/livez") == 200);
}

static bool share_none(const pid_t *a, size_t a_count, const pid_t *b, size_t b_count)
{
    for (size_t i = 0; i < a_count; i++) {
        for (size_t j = 0; j < b_count; j++) {
            if (a[i] == b[j])
                return false;
        }
    }
    return true;
}

static void await_new_workers(const pid_t *before)
{
    pid_t after[TEST_SERVICE_WORKERS_MAX];
    size_t count;
    AWAIT((count = test_service_workers(&service, after)) == 2 &&
          share_none(before, 2, after, count));
}

enum { RUNNING = 4 };

static const char *const slow_service[] = {"EXTERNAL_SERVICE_LATENCY_MIN_MS=3000",
                                           "EXTERNAL_SERVICE_LATENCY_MAX_MS=3000",
                                           "EXTERNAL_SERVICE_FAILURE_RATE=0", NULL};

static bool has_answer(int peer)
{
    struct pollfd readable = {.fd = peer, .events = POLLIN};
    return poll(&readable, 1, 0) > 0;
}

/* Signal the master while requests run; all of them are answered, afterwards. */
static void signal_while_running(int signal)
{
    const struct fcgi_param params[] = {{"REQUEST_METHOD", "GET"}, {"PATH_INFO", "/api/external"}};
    int peers[RUNNING];
    for (size_t i = 0; i < RUNNING; i++) {
        peers[i] = fcgi_connect(service.socket_path);
        assert_true(peers[i] >= 0);
        assert_true(fcgi_send(peers[i], params, 2, SLICE("")));
        assert_true(fcgi_await_taken(peers[i]));
    }
    assert_int_equal(kill(service.master, signal), 0);
    for (size_t i = 0; i < RUNNING; i++)
        assert_false(has_answer(peers[i]));
    for (size_t i = 0; i < RUNNING; i++) {
        struct fcgi_answer answer;
        assert_true(fcgi_receive(peers[i], &answer));
        assert_int_equal(answer.status, 200);
        fcgi_answer_release(&answer);
        (void)close(peers[i]);
    }
}

static void sigterm_answers_what_runs_and_exits_0(void **state)
{
    (void)state;
    test_service_start(&service, slow_service);
    signal_while_running(SIGTERM);
    struct rusage usage;
    await_leave(&usage);
}

static void sighup_answers_what_runs(void **state)
{
    (void)state;
    test_service_start(&service, slow_service);
    pid_t before[TEST_SERVICE_WORKERS_MAX];
    AWAIT(test_service_workers(&service, before) == 2);
    signal_while_running(SIGHUP);
    await_new_workers(before);
}

static void a_silent_peer_neither_spins_nor_blocks_stopping(void **state)
{
    (void)state;
    test_service_start(&service, NULL);
    AWAIT(fcgi_get_status(service.socket_path, "/livez") == 200);
    int silent[3];
    for (size_t i = 0; i < 3; i++) {
        silent[i] = fcgi_connect(service.socket_path);
        assert_int_equal(send(silent[i], "\1", 1, MSG_NOSIGNAL), 1);
        assert_true(fcgi_await_taken(silent[i]));
    }
    assert_int_equal(fcgi_get_status(service.socket_path, "/livez"), 200);
    assert_int_equal(kill(service.master, SIGTERM), 0);
    struct rusage usage;
    await_leave(&usage);
    assert_true(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec < 1);
    for (size_t i = 0; i < 3; i++)
        (void)close(silent[i]);
}

static void sighup_under_load_replaces_all_workers_and_loses_nothing(void **state)
{
    (void)state;
    test_service_start(&service, NULL);
    load_start(&service);
    for (int i = 0; i < 2; i++) {
        size_t answered = load.answered;
        AWAIT(load.answered > answered + 100);
        pid_t before[TEST_SERVICE_WORKERS_MAX];
        AWAIT(test_service_workers(&service, before) == 2);
        assert_int_equal(kill(service.master, SIGHUP), 0);
        await_new_workers(before);
    }
    load_end();
    assert_int_equal(load.failed, 0);
    struct rusage usage;
    assert_int_equal(kill(service.master, SIGTERM), 0);
    await_leave(&usage);
}

/* The one connection that there is: nobody else comes to wake the thread that missed it. */
static bool is_answered(void)
{
    const struct fcgi_param params[] = {{"REQUEST_METHOD", "GET"}, {"PATH_INFO", "/livez"}};
    const struct timeval limit = {AWAIT_MS / 1000, 0};
    struct fcgi_answer answer;
    int peer = fcgi_connect(service.socket_path);
    assert_true(peer >= 0);
    assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    assert_true(fcgi_send(peer, params, 2, SLICE("")));
    bool is_there = fcgi_receive(peer, &answer) && answer.status == 200;
    fcgi_answer_release(&answer);
    (void)close(peer);
    return is_there;
}

static void a_lone_client_is_answered_while_workers_change(void **state)
{
    (void)state;
    enum { RELOADS_MAX = 40, FOR_MS = 3000 };
    test_service_start(&service, NULL);
    AWAIT(fcgi_get_status(service.socket_path, "/livez") == 200);
    struct mono_time end = mono_after_ms(clock_mono_now(), FOR_MS);
    for (int i = 0; i < RELOADS_MAX && mono_is_before(clock_mono_now(), end); i++) {
        pid_t before[TEST_SERVICE_WORKERS_MAX], now[TEST_SERVICE_WORKERS_MAX] = {0};
        AWAIT(test_service_workers(&service, before) == 2);
        assert_int_equal(kill(service.master, SIGHUP), 0);
        do
            assert_true(is_answered());
        while (!share_none(before, 2, now, test_service_workers(&service, now)));
    }
}

static void copy_file(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_true(in && out);
    char bytes[65536];
    size_t len;
    while ((len = fread(bytes, 1, sizeof bytes, in)) > 0)
        assert_int_equal(fwrite(bytes, 1, len, out), len);
    (void)fclose(in);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(to, 0700), 0);
}

static void a_broken_binary_on_disk_is_not_reloaded(void **state)
{
    (void)state;
    char binary[4096], folder[] = "/tmp/test_master_bin.XXXXXX", copy[64], next[64];
    test_service_find_binary(binary, sizeof binary);
    assert_non_null(mkdtemp(folder));
    (void)snprintf(copy, sizeof copy, "%s/analytics.fcgi", folder);
    (void)snprintf(next, sizeof next, "%s/next", folder);
    copy_file(binary, copy);
    test_service_start_binary(&service, copy, NULL);
    AWAIT(fcgi_get_status(service.socket_path, "/livez") == 200);

    copy_file("/dev/null", next);
    assert_int_equal(rename(next, copy), 0);
    pid_t before[TEST_SERVICE_WORKERS_MAX], after[TEST_SERVICE_WORKERS_MAX];
    AWAIT(test_service_workers(&service, before) == 2);
    assert_int_equal(kill(service.master, SIGHUP), 0);
    AWAIT(test_service_count_in_log(&service, "reload_refused") == 1);
    AWAIT(test_service_workers(&service, after) == 2);
    assert_memory_equal(before, after, 2 * sizeof *before);
    assert_int_equal(fcgi_get_status(service.socket_path, "/livez"), 200);

    copy_file(binary, next);
    assert_int_equal(rename(next, copy), 0);
    assert_int_equal(kill(service.master, SIGHUP), 0);
    await_new_workers(before);
    assert_int_equal(fcgi_get_status(service.socket_path, "/livez"), 200);
    (void)unlink(copy);
    (void)rmdir(folder);
}

/* A peer that sends a byte now and then holds a thread without ever being silent. */
static void a_stuck_thread_gets_its_worker_replaced(void **state)
{
    (void)state;
    const char *const settings[] = {"STUCK_SECONDS=5", "EXTERNAL_SERVICE_TIMEOUT=1", NULL};
    test_service_start(&service, settings);
    AWAIT(fcgi_get_status(service.socket_path, "/livez") == 200);
    int peer = fcgi_connect(service.socket_path);
    static const char begin[] = {1, 1, 0, 1, 0, 8, 0, 0, 0,         1,         0, 0,
                                 0, 0, 0, 0, 1, 4, 0, 1, (char)255, (char)255, 0, 0};
    assert_int_equal(send(peer, begin, sizeof begin, MSG_NOSIGNAL), sizeof begin);
    struct mono_time began = clock_mono_now();
    while (test_service_count_in_log(&service, "worker_died") == 0) {
        assert_in_range(ms_since(began), 0, 2 * AWAIT_MS);
        (void)send(peer, "x", 1, MSG_NOSIGNAL);
        (void)poll(NULL, 0, 250);
    }
    assert_true(ms_since(began) > 4900);
    assert_int_equal(test_service_count_in_log(&service, "worker_stuck"), 1);
    assert_int_equal(test_service_count_in_log(&service, "\"signal\":9"), 1);
    pid_t pids[TEST_SERVICE_WORKERS_MAX];
    AWAIT(test_service_workers(&service, pids) == 2);
    (void)close(peer);
}

/* --- A clock that is set: then this program itself is the service, built of its parts --- */

enum { STOP_SECONDS = 10 };
static const char clock_variable[] = "TEST_MASTER_CLOCK_FD";

static _Atomic int64_t *ahead_seconds; /* NULL: the clock is right */

int clock_gettime(clockid_t id, struct timespec *t)
{
    int result = (int)syscall(SYS_clock_gettime, id, t);
    if (result == 0 && id == CLOCK_MONOTONIC && ahead_seconds)
        t->tv_sec += atomic_load(ahead_seconds);
    return result;
}

static _Atomic int64_t *map_clock(int fd)
{
    return mmap(NULL, sizeof *ahead_seconds, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static int run_as_service(const char *clock_fd, bool is_only_check)
{
    char program[4096];
    struct config config;
    struct strbuf mistakes;
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    ahead_seconds = map_clock((int)strtol(clock_fd, NULL, 10));
    strbuf_init(&mistakes, 4096);
    bool is_fit = config_load(&config, &mistakes) && len > 0 && ahead_seconds != MAP_FAILED;
    strbuf_release(&mistakes);
    if (!is_fit || is_only_check)
        return is_fit ? 0 : 78;
    program[len] = '\0';
    log_init((enum log_level)config.log_level, (enum log_format)config.log_format);
    return master_run(&config, program);
}

/* The service, how far its clock is ahead, and its two workers, the first of them stopped. */
static _Atomic int64_t *service_start_with_stopped_worker(
    pid_t workers[static TEST_SERVICE_WORKERS_MAX])
{
    char setting[64], path[64], text[512];
    int fd = memfd_create("clock", 0); /* inherited */
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, sizeof(int64_t)), 0);
    _Atomic int64_t *ahead = map_clock(fd);
    assert_true(ahead != MAP_FAILED);
    (void)snprintf(setting, sizeof setting, "%s=%d", clock_variable, fd);
    const char *const settings[] = {setting, NULL};
    test_service_start_binary(&service, "/proc/self/exe", settings);
    (void)close(fd);
    AWAIT(fcgi_get_status(service.socket_path, "/livez") == 200);
    AWAIT(test_service_workers(&service, workers) == 2);
    service.stopped = workers[0];
    assert_int_equal(kill(service.stopped, SIGSTOP), 0);
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)service.stopped);
    do {
        FILE *stat = fopen(path, "r");
        assert_non_null(stat);
        assert_non_null(fgets(text, sizeof text, stat));
        (void)fclose(stat);
    } while (!strstr(text, ") T "));
    return ahead;
}

static void a_worker_that_does_not_leave_is_killed_when_overdue(void **state)
{
    (void)state;
    pid_t workers[TEST_SERVICE_WORKERS_MAX], left[TEST_SERVICE_WORKERS_MAX];
    _Atomic int64_t *ahead = service_start_with_stopped_worker(workers);
    assert_int_equal(kill(service.master, SIGTERM), 0);
    AWAIT(test_service_workers(&service, left) == 1 && left[0] == service.stopped);
    assert_int_equal(test_service_count_in_log(&service, "stop_overdue"), 0);
    atomic_store(ahead, STOP_SECONDS);
    struct rusage usage;
    assert_int_equal(test_service_await_exit(&service, &usage), 0);
    assert_true(test_service_count_in_log(&service, "stop_overdue") > 0);
    (void)munmap((void *)ahead, sizeof *ahead);
}

static void an_old_worker_that_does_not_leave_is_killed_when_overdue(void **state)
{
    (void)state;
    pid_t before[TEST_SERVICE_WORKERS_MAX], now[TEST_SERVICE_WORKERS_MAX];
    size_t count;
    _Atomic int64_t *ahead = service_start_with_stopped_worker(before);
    assert_int_equal(kill(service.master, SIGHUP), 0);
    /* The other one leaves when the new ones accept. */
    AWAIT((count = test_service_workers(&service, now)) == 3 &&
          share_none(&before[1], 1, now, count));
    assert_false(share_none(before, 1, now, count));
    atomic_store(ahead, STOP_SECONDS);
    AWAIT((count = test_service_workers(&service, now)) == 2 && share_none(before, 2, now, count));
    assert_int_equal(fcgi_get_status(service.socket_path, "/livez"), 200);
    (void)munmap((void *)ahead, sizeof *ahead);
}

int main(int argc, char **argv)
{
    (void)argv;
    const char *clock_fd = getenv(clock_variable);
    if (clock_fd)
        return run_as_service(clock_fd, argc > 1);
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(fd_0_must_be_a_listening_socket),
        TEST(a_killed_worker_costs_what_was_in_flight_and_is_replaced),
        TEST(deaths_are_told_when_the_spawner_ignored_sigchld),
        TEST(workers_end_when_their_master_is_killed),
        TEST(workers_that_die_young_are_restarted_ever_later),
        TEST(sigterm_answers_what_runs_and_exits_0),
        TEST(sighup_answers_what_runs),
        TEST(a_silent_peer_neither_spins_nor_blocks_stopping),
        TEST(sighup_under_load_replaces_all_workers_and_loses_nothing),
        TEST(a_lone_client_is_answered_while_workers_change),
        TEST(a_broken_binary_on_disk_is_not_reloaded),
        TEST(a_stuck_thread_gets_its_worker_replaced),
        TEST(a_worker_that_does_not_leave_is_killed_when_overdue),
        TEST(an_old_worker_that_does_not_leave_is_killed_when_overdue),
    };
    return cmocka_run_group_tests_name("master", tests, NULL, NULL);
}
