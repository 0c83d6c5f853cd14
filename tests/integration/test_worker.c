/* The real binary with a unix socket as fd 0, driven as a web server drives it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "await.h"
#include "clock.h"
#include "config.h"
#include "fcgi_client.h"
#include "master.h"
#include "test_redis.h"

enum { WORKERS_MAX = 8 };

struct service {
    char folder[64];
    char socket_path[96];
    char log_path[96];
    pid_t master;
    pid_t stopped; /* a worker that got SIGSTOP; 0: none */
};

static void find_binary(char *path, size_t size)
{
    ssize_t len = readlink("/proc/self/exe", path, size - 1);
    assert_true(len > 0);
    path[len] = '\0';
    for (int i = 0; i < 3; i++) /* build/MODE/tests/integration/test_worker */
        *strrchr(path, '/') = '\0';
    assert_true(strlen(path) + sizeof "/analytics.fcgi" <= size);
    memcpy(path + strlen(path), "/analytics.fcgi", sizeof "/analytics.fcgi");
}

static int listen_at(const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 512), 0);
    return fd;
}

/* `settings` ("NAME=value", …, NULL) go on top of: no Redis, two workers of four threads. */
static void service_start(struct service *s, const char *binary, const char *const settings[])
{
    (void)snprintf(s->folder, sizeof s->folder, "/tmp/test_worker.XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    (void)snprintf(s->socket_path, sizeof s->socket_path, "%s/socket", s->folder);
    (void)snprintf(s->log_path, sizeof s->log_path, "%s/log", s->folder);
    int listening = listen_at(s->socket_path);
    char redis[128];
    (void)snprintf(redis, sizeof redis, "REDIS_SOCKET=%s/no-redis", s->folder);
    pid_t test = getpid();
    s->master = fork();
    if (s->master != 0) {
        assert_true(s->master > 0);
        (void)close(listening);
        return;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    int log = open(s->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (getppid() != test || log < 0 || dup2(listening, 0) < 0 || dup2(log, 2) < 0)
        _exit(126);
    (void)putenv(redis);
    (void)setenv("WORKERS", "2", 1);
    (void)setenv("THREADS", "4", 1);
    for (size_t i = 0; settings && settings[i]; i++)
        (void)putenv((char *)(uintptr_t)settings[i]);
    (void)execl(binary, binary, (char *)NULL);
    _exit(127);
}

static void service_start_default(struct service *s, const char *const settings[])
{
    char binary[4096];
    find_binary(binary, sizeof binary);
    service_start(s, binary, settings);
}

/* The exit code of the master, or -1 when it has not left after `limit_ms`. */
static int service_await_exit(struct service *s, int limit_ms, struct rusage *usage)
{
    int status;
    for (int i = 0; i < limit_ms; i++) {
        if (wait4(s->master, &status, WNOHANG, usage) == s->master) {
            s->master = 0;
            return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
        }
        (void)poll(NULL, 0, 1);
    }
    return -1;
}

static size_t service_count_in_log(const struct service *s, const char *text)
{
    static char log[1 << 20];
    int fd = open(s->log_path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, log, sizeof log - 1) : 0;
    if (fd >= 0)
        (void)close(fd);
    log[len > 0 ? len : 0] = '\0';
    size_t count = 0;
    for (const char *at = log; (at = strstr(at, text)); at++)
        count++;
    return count;
}

/* False when one of its processes had something to say to a sanitizer. */
static bool service_release(struct service *s)
{
    struct rusage usage;
    if (s->stopped > 0)
        (void)kill(s->stopped, SIGCONT);
    if (s->master > 0) {
        (void)kill(s->master, SIGTERM);
        if (service_await_exit(s, 12000, &usage) < 0) {
            (void)kill(s->master, SIGKILL);
            (void)waitpid(s->master, NULL, 0);
        }
    }
    if (service_count_in_log(s, "Sanitizer") > 0) {
        (void)fprintf(stderr, "see %s\n", s->log_path);
        return false;
    }
    (void)unlink(s->socket_path);
    (void)unlink(s->log_path);
    (void)rmdir(s->folder);
    return true;
}

static size_t service_workers(const struct service *s, pid_t *pids)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)s->master,
                   (long)s->master);
    char list[256] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t len = read(fd, list, sizeof list - 1);
        list[len > 0 ? len : 0] = '\0';
        (void)close(fd);
    }
    size_t count = 0;
    char *at = list, *end;
    for (long pid; count < WORKERS_MAX && (pid = strtol(at, &end, 10)) > 0; at = end)
        pids[count++] = (pid_t)pid;
    return count;
}

/* --- Load: threads that ask for /livez one after the other ---------------------- */

enum { LOAD_THREADS = 6 };

static struct load {
    const struct service *service;
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

static void load_start(const struct service *service)
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

static struct service service;

static int fresh(void **state)
{
    (void)state;
    service = (struct service){.master = 0};
    return 0;
}

static int done(void **state)
{
    (void)state;
    (void)signal(SIGCHLD, SIG_DFL);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 0);
    load_end();
    return service_release(&service) ? 0 : -1;
}

static void fd_0_must_be_a_listening_socket(void **state)
{
    (void)state;
    char binary[4096], command[4200];
    find_binary(binary, sizeof binary);
    (void)snprintf(command, sizeof command, "'%s' </dev/null 2>&1 | grep -q listening", binary);
    assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a fixed command
}

static void a_killed_worker_costs_what_was_in_flight_and_is_replaced(void **state)
{
    (void)state;
    service_start_default(&service, NULL);
    load_start(&service);
    AWAIT(load.answered > 100);
    pid_t before[WORKERS_MAX], after[WORKERS_MAX];
    AWAIT(service_workers(&service, before) == 2);
    assert_int_equal(kill(before[0], SIGKILL), 0);
    AWAIT(service_workers(&service, after) == 2 && after[0] != before[0] && after[1] != before[0]);
    size_t answered = load.answered;
    AWAIT(load.answered > answered + 100);
    load_end();
    assert_true(load.failed <= 4); /* it had four threads */
    assert_int_equal(service_count_in_log(&service, "worker_died"), 1);
}

/* What is ignored stays so through fork and exec, and then no death is told. */
static void deaths_are_told_when_the_spawner_ignored_sigchld(void **state)
{
    (void)state;
    const char *const settings[] = {"WORKERS=1", NULL};
    (void)signal(SIGCHLD, SIG_IGN);
    service_start_default(&service, settings);
    (void)signal(SIGCHLD, SIG_DFL);
    pid_t before[WORKERS_MAX], after[WORKERS_MAX];
    AWAIT(service_workers(&service, before) == 1);
    assert_int_equal(kill(before[0], SIGKILL), 0);
    AWAIT(service_workers(&service, after) == 1 && after[0] != before[0]);
    assert_int_equal(service_count_in_log(&service, "worker_died"), 1);
    assert_int_equal(kill(service.master, SIGTERM), 0);
    struct rusage usage;
    assert_int_equal(service_await_exit(&service, 5000, &usage), 0);
}

static void workers_end_when_their_master_is_killed(void **state)
{
    (void)state;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* orphans are ours then */
    service_start_default(&service, NULL);
    AWAIT(fcgi_get_status(service.socket_path, "/livez") == 200);
    pid_t workers[WORKERS_MAX];
    AWAIT(service_workers(&service, workers) == 2);
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
    service_start_default(&service, settings);
    pid_t last = 0, pids[WORKERS_MAX];
    for (int i = 0; i < 5; i++) {
        AWAIT(service_workers(&service, pids) == 1 && pids[0] != last);
        last = pids[0];
        assert_int_equal(kill(last, SIGKILL), 0);
    }
    AWAIT(service_count_in_log(&service, "\"restart_in_ms\":800}") == 1);
    static const char *const pauses[] = {"0}", "100}", "200}", "400}"};
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "\"restart_in_ms\":%s", pauses[i]);
        assert_int_equal(service_count_in_log(&service, text), 1);
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
    pid_t after[WORKERS_MAX];
    size_t count;
    AWAIT((count = service_workers(&service, after)) == 2 && share_none(before, 2, after, count));
}

enum { RUNNING = 4 };

static const char *const slow_service[] = {"EXTERNAL_SERVICE_LATENCY_MIN_MS=700",
                                           "EXTERNAL_SERVICE_LATENCY_MAX_MS=700",
                                           "EXTERNAL_SERVICE_FAILURE_RATE=0", NULL};

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
    struct mono_time told = clock_mono_now();
    assert_int_equal(kill(service.master, signal), 0);
    for (size_t i = 0; i < RUNNING; i++) {
        struct fcgi_answer answer;
        assert_true(fcgi_receive(peers[i], &answer));
        assert_int_equal(answer.status, 200);
        fcgi_answer_release(&answer);
        (void)close(peers[i]);
    }
    assert_true(mono_us_between(told, clock_mono_now()) > 300000);
}

static void sigterm_answers_what_runs_and_exits_0(void **state)
{
    (void)state;
    service_start_default(&service, slow_service);
    signal_while_running(SIGTERM);
    struct rusage usage;
    assert_int_equal(service_await_exit(&service, 5000, &usage), 0);
}

static void sighup_answers_what_runs(void **state)
{
    (void)state;
    service_start_default(&service, slow_service);
    pid_t before[WORKERS_MAX];
    AWAIT(service_workers(&service, before) == 2);
    signal_while_running(SIGHUP);
    await_new_workers(before);
}

static void a_silent_peer_neither_spins_nor_blocks_stopping(void **state)
{
    (void)state;
    service_start_default(&service, NULL);
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
    assert_int_equal(service_await_exit(&service, 8000, &usage), 0);
    assert_true(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec < 1);
    for (size_t i = 0; i < 3; i++)
        (void)close(silent[i]);
}

static void sighup_under_load_replaces_all_workers_and_loses_nothing(void **state)
{
    (void)state;
    service_start_default(&service, NULL);
    load_start(&service);
    for (int i = 0; i < 2; i++) {
        size_t answered = load.answered;
        AWAIT(load.answered > answered + 100);
        pid_t before[WORKERS_MAX];
        AWAIT(service_workers(&service, before) == 2);
        assert_int_equal(kill(service.master, SIGHUP), 0);
        await_new_workers(before);
    }
    load_end();
    assert_int_equal(load.failed, 0);
    struct rusage usage;
    assert_int_equal(kill(service.master, SIGTERM), 0);
    assert_int_equal(service_await_exit(&service, 5000, &usage), 0);
}

/* The one connection that there is: nobody else comes to wake the thread that missed it. */
static bool is_answered_within_ms(int limit_ms)
{
    const struct fcgi_param params[] = {{"REQUEST_METHOD", "GET"}, {"PATH_INFO", "/livez"}};
    const struct timeval limit = {limit_ms / 1000, limit_ms % 1000 * 1000};
    struct fcgi_answer answer;
    int peer = fcgi_connect(service.socket_path);
    assert_true(peer >= 0);
    assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    assert_true(fcgi_send(peer, params, 2, SLICE("")));
    bool is_answered = fcgi_receive(peer, &answer) && answer.status == 200;
    fcgi_answer_release(&answer);
    (void)close(peer);
    return is_answered;
}

static void a_lone_client_is_answered_while_workers_change(void **state)
{
    (void)state;
    enum { RELOADS_MAX = 40, FOR_MS = 3000, ANSWER_WITHIN_MS = 1000 };
    service_start_default(&service, NULL);
    AWAIT(fcgi_get_status(service.socket_path, "/livez") == 200);
    struct mono_time end = mono_after_ms(clock_mono_now(), FOR_MS);
    for (int i = 0; i < RELOADS_MAX && mono_is_before(clock_mono_now(), end); i++) {
        pid_t before[WORKERS_MAX], now[WORKERS_MAX] = {0};
        AWAIT(service_workers(&service, before) == 2);
        assert_int_equal(kill(service.master, SIGHUP), 0);
        do
            assert_true(is_answered_within_ms(ANSWER_WITHIN_MS));
        while (!share_none(before, 2, now, service_workers(&service, now)));
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
    char binary[4096], folder[] = "/tmp/test_worker_bin.XXXXXX", copy[64], next[64];
    find_binary(binary, sizeof binary);
    assert_non_null(mkdtemp(folder));
    (void)snprintf(copy, sizeof copy, "%s/analytics.fcgi", folder);
    (void)snprintf(next, sizeof next, "%s/next", folder);
    copy_file(binary, copy);
    service_start(&service, copy, NULL);
    AWAIT(fcgi_get_status(service.socket_path, "/livez") == 200);

    copy_file("/dev/null", next);
    assert_int_equal(rename(next, copy), 0);
    pid_t before[WORKERS_MAX], after[WORKERS_MAX];
    AWAIT(service_workers(&service, before) == 2);
    assert_int_equal(kill(service.master, SIGHUP), 0);
    AWAIT(service_count_in_log(&service, "reload_refused") == 1);
    AWAIT(service_workers(&service, after) == 2);
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
    service_start_default(&service, settings);
    AWAIT(fcgi_get_status(service.socket_path, "/livez") == 200);
    int peer = fcgi_connect(service.socket_path);
    static const char begin[] = {1, 1, 0, 1, 0, 8, 0, 0, 0,         1,         0, 0,
                                 0, 0, 0, 0, 1, 4, 0, 1, (char)255, (char)255, 0, 0};
    assert_int_equal(send(peer, begin, sizeof begin, MSG_NOSIGNAL), sizeof begin);
    struct mono_time began = clock_mono_now();
    for (int i = 0; i < 40 && service_count_in_log(&service, "worker_died") == 0; i++) {
        (void)send(peer, "x", 1, MSG_NOSIGNAL);
        (void)poll(NULL, 0, 250);
    }
    int64_t took_us = mono_us_between(began, clock_mono_now());
    assert_true(took_us > 4900000 && took_us < 8000000);
    assert_int_equal(service_count_in_log(&service, "worker_stuck"), 1);
    assert_int_equal(service_count_in_log(&service, "\"signal\":9"), 1);
    pid_t pids[WORKERS_MAX];
    AWAIT(service_workers(&service, pids) == 2);
    (void)close(peer);
}

/* --- A clock that is set: then this program itself is the service, built of its parts --- */

enum { STOP_SECONDS = 10 };
static const char clock_variable[] = "TEST_WORKER_CLOCK_FD";

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
static _Atomic int64_t *service_start_with_stopped_worker(pid_t workers[static WORKERS_MAX])
{
    char setting[64], path[64], text[512];
    int fd = memfd_create("clock", 0); /* inherited */
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, sizeof(int64_t)), 0);
    _Atomic int64_t *ahead = map_clock(fd);
    assert_true(ahead != MAP_FAILED);
    (void)snprintf(setting, sizeof setting, "%s=%d", clock_variable, fd);
    const char *const settings[] = {setting, NULL};
    service_start(&service, "/proc/self/exe", settings);
    (void)close(fd);
    AWAIT(fcgi_get_status(service.socket_path, "/livez") == 200);
    AWAIT(service_workers(&service, workers) == 2);
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
    pid_t workers[WORKERS_MAX], left[WORKERS_MAX];
    _Atomic int64_t *ahead = service_start_with_stopped_worker(workers);
    assert_int_equal(kill(service.master, SIGTERM), 0);
    AWAIT(service_workers(&service, left) == 1 && left[0] == service.stopped);
    assert_int_equal(service_count_in_log(&service, "stop_overdue"), 0);
    atomic_store(ahead, STOP_SECONDS);
    struct rusage usage;
    assert_int_equal(service_await_exit(&service, 5000, &usage), 0);
    assert_true(service_count_in_log(&service, "stop_overdue") > 0);
    (void)munmap((void *)ahead, sizeof *ahead);
}

static void an_old_worker_that_does_not_leave_is_killed_when_overdue(void **state)
{
    (void)state;
    pid_t before[WORKERS_MAX], now[WORKERS_MAX];
    size_t count;
    _Atomic int64_t *ahead = service_start_with_stopped_worker(before);
    assert_int_equal(kill(service.master, SIGHUP), 0);
    /* The other one leaves when the new ones accept. */
    AWAIT((count = service_workers(&service, now)) == 3 && share_none(&before[1], 1, now, count));
    assert_false(share_none(before, 1, now, count));
    atomic_store(ahead, STOP_SECONDS);
    AWAIT((count = service_workers(&service, now)) == 2 && share_none(before, 2, now, count));
    assert_int_equal(fcgi_get_status(service.socket_path, "/livez"), 200);
    (void)munmap((void *)ahead, sizeof *ahead);
}

static int post(const char *content_length, const char *body)
{
    const struct fcgi_param length = {"CONTENT_LENGTH", content_length};
    struct fcgi_answer answer;
    int status =
        fcgi_request(service.socket_path, "POST", "/api/metrics", body, &length, 1, &answer)
            ? answer.status
            : 0;
    fcgi_answer_release(&answer);
    return status;
}

/* A body that is taken is 422 here, as it lacks everything. */
static void content_length_is_not_believed(void **state)
{
    (void)state;
    const char *const settings[] = {"BODY_LIMIT_BYTES=100", NULL};
    service_start_default(&service, settings);
    char limit[101], over[102], huge[70001];
    memset(limit, ' ', 100);
    limit[0] = '{', limit[99] = '}', limit[100] = '\0';
    memset(over, ' ', 101);
    over[0] = '{', over[100] = '}', over[101] = '\0';
    memset(huge, ' ', 70000);
    huge[70000] = '\0';
    assert_int_equal(post("2", "{}"), 422);
    assert_int_equal(post("", "{}"), 422);
    assert_int_equal(post("-1", "{}"), 400);
    assert_int_equal(post("1e3", "{}"), 400);
    assert_int_equal(post("18446744073709551616", "{}"), 413);
    assert_int_equal(post("3", "{}"), 400);
    assert_int_equal(post("1", "{}"), 400);
    assert_int_equal(post("100", limit), 422);
    assert_int_equal(post("", limit), 422);
    assert_int_equal(post("101", over), 413);
    assert_int_equal(post("", over), 413);
    for (int i = 0; i < 20; i++)
        assert_int_equal(post("70000", huge), 413);
    assert_int_equal(fcgi_get_status(service.socket_path, "/livez"), 200);
    assert_int_equal(service_count_in_log(&service, "worker_died"), 0);
}

#define ID_16 "0123456789abcdef"
#define ID_64 ID_16 ID_16 ID_16 ID_16

static void request_ids_are_the_clients_when_sane(void **state)
{
    (void)state;
    static const char *const sane[] = {"a-Z.0_9", "x", ID_64};
    service_start_default(&service, NULL);
    for (size_t i = 0; i < sizeof sane / sizeof *sane; i++) {
        const struct fcgi_param id = {"HTTP_X_REQUEST_ID", sane[i]};
        struct fcgi_answer answer;
        char line[128];
        (void)snprintf(line, sizeof line, "X-Request-Id: %s", sane[i]);
        assert_true(fcgi_request(service.socket_path, "GET", "/livez", NULL, &id, 1, &answer));
        assert_true(fcgi_answer_has_header(&answer, line));
        assert_true(fcgi_answer_has_header(&answer, "Cache-Control: no-store"));
        fcgi_answer_release(&answer);
    }
}

/* Sixteen hexadecimal digits and the end of the line, once. */
static bool has_an_id_of_ours(const struct fcgi_answer *answer)
{
    static const char name[] = "X-Request-Id: ";
    char head[4096];
    (void)snprintf(head, sizeof head, "%.*s", (int)answer->body_at, answer->bytes.bytes);
    const char *at = strstr(head, name);
    if (!at || strstr(at + 1, name))
        return false;
    at += sizeof name - 1;
    return strspn(at, "0123456789abcdef") == 16 && at[16] == '\r' && at[17] == '\n';
}

static void insane_request_ids_are_replaced(void **state)
{
    (void)state;
    static const char *const insane[] = {"",
                                         "a b",
                                         "a\r\nX-Injected: 1",
                                         "a\nX-Injected: 1",
                                         "a\rX-Injected: 1",
                                         "\x01",
                                         "a\tb",
                                         "a\x7f",
                                         "a\xc3\xa9",
                                         "a,b",
                                         "a\"b",
                                         "<a>",
                                         ID_64 "x",
                                         "\r\n\r\nX-Injected: 1"};
    service_start_default(&service, NULL);
    for (size_t i = 0; i < sizeof insane / sizeof *insane; i++) {
        const struct fcgi_param id = {"HTTP_X_REQUEST_ID", insane[i]};
        struct fcgi_answer answer;
        assert_true(fcgi_request(service.socket_path, "GET", "/nope", NULL, &id, 1, &answer));
        assert_int_equal(answer.status, 404);
        assert_true(has_an_id_of_ours(&answer));
        assert_false(fcgi_answer_contains(&answer, "X-Injected"));
        fcgi_answer_release(&answer);
    }
}

static void the_path_is_found_where_servers_put_it(void **state)
{
    (void)state;
    service_start_default(&service, NULL);
    const struct fcgi_param split[] = {{"SCRIPT_NAME", "/live"}, {"PATH_INFO", "z"}};
    const struct fcgi_param uri[] = {{"PATH_INFO", ""}, {"REQUEST_URI", "/livez?a=b"}};
    const struct fcgi_param *const ways[] = {split, uri};
    for (size_t i = 0; i < 2; i++) {
        struct fcgi_answer answer;
        assert_true(fcgi_request(service.socket_path, "GET", "/other", NULL, ways[i], 2, &answer));
        assert_int_equal(answer.status, 200);
        fcgi_answer_release(&answer);
    }
}

static void without_redis_it_starts_degraded_and_heals(void **state)
{
    (void)state;
    struct test_redis redis;
    test_redis_start(&redis, NULL);
    test_redis_kill(&redis);
    char socket_setting[160];
    (void)snprintf(socket_setting, sizeof socket_setting, "REDIS_SOCKET=%s", redis.socket_path);
    /* One worker: each of several finds Redis in its own time. */
    const char *const settings[] = {socket_setting, "WORKERS=1", NULL};
    service_start_default(&service, settings);
    assert_int_equal(fcgi_get_status(service.socket_path, "/livez"), 200);
    assert_int_equal(fcgi_get_status(service.socket_path, "/health"), 200);
    assert_int_equal(fcgi_get_status(service.socket_path, "/readyz"), 503);
    struct mono_time asked_at = clock_mono_now();
    assert_int_equal(fcgi_get_status(service.socket_path, "/api/metrics/list"), 503);
    assert_true(mono_us_between(asked_at, clock_mono_now()) < 500000);

    test_redis_restart(&redis);
    AWAIT(fcgi_get_status(service.socket_path, "/readyz") == 200);
    AWAIT(service_count_in_log(&service, "\"redis_connected\"") >= 1);
    assert_int_equal(fcgi_get_status(service.socket_path, "/api/metrics/list"), 200);
    test_redis_stop(&redis);
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
        TEST(content_length_is_not_believed),
        TEST(request_ids_are_the_clients_when_sane),
        TEST(insane_request_ids_are_replaced),
        TEST(the_path_is_found_where_servers_put_it),
        TEST(without_redis_it_starts_degraded_and_heals),
    };
    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
