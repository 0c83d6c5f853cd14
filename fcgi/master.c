#include "master.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "number.h"
#include "worker.h"

enum {
    STOP_MS = 10000,
    YOUNG_MS = 5000, /* who dies before that age makes its successor wait */
    PAUSE_FIRST_MS = 100,
    PAUSE_MAX_MS = 5000,
    TICK_MS = 1000,
    OLD_WORKERS_MAX = 512
};

/* How the workers of before a reload are handed to the program that takes over. */
static const char old_workers_variable[] = "ANALYTICS_OLD_WORKERS";

struct child {
    pid_t pid; /* 0: none */
    struct mono_time started_at;
    struct mono_time start_at; /* when there is none: the time of the next */
    unsigned young_deaths;     /* in a row */
    struct worker_slot *slot;
};

struct master {
    const struct config *config;
    const char *program;
    pid_t pid;
    int signals;
    struct host *host;
    struct child *children; /* config->workers of them */
    pid_t old_workers[OLD_WORKERS_MAX];
    size_t old_worker_count;
    bool are_old_told; /* SIGTERM was sent to the old workers */
    struct mono_time kill_old_at;
    pid_t checker; /* is asking the binary on disk about the configuration; 0: none */
    bool is_stopping;
    struct mono_time kill_at;
};

static bool share_host(struct master *m)
{
    m->host = host_share(m->config);
    m->children = calloc((size_t)m->config->workers, sizeof *m->children);
    if (!m->host || !m->children)
        return false;
    for (size_t i = 0; i < (size_t)m->config->workers; i++)
        m->children[i].slot = &m->host->slots[i];
    return true;
}

/* In the child. It ends, politely, when the master is gone. */
static int run_worker(const struct master *m, size_t index)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != m->pid)
        return EXIT_FAILURE;
    (void)close(m->signals);
    return worker_run(m->config, m->host, index);
}

static void forget_stamps(const struct master *m, struct worker_slot *slot)
{
    atomic_store(&slot->is_ready, 0);
    for (int64_t i = 0; i < m->config->threads; i++)
        atomic_store(&slot->stamps[i].since_us, 0);
}

/* Returns true in the child, with its exit code in `*result`. */
static bool start_worker(struct master *m, size_t index, int *result)
{
    struct child *child = &m->children[index];
    forget_stamps(m, child->slot);
    child->started_at = clock_mono_now();
    pid_t pid = fork();
    if (pid == 0) {
        *result = run_worker(m, index);
        return true;
    }
    if (pid < 0) {
        LOG_EVENT(LOG_ERROR, "fork_failed", LOG_INT("errno", errno));
        child->start_at = mono_after_ms(clock_mono_now(), TICK_MS);
        return false;
    }
    child->pid = pid;
    atomic_store(&child->slot->pid, pid);
    return false;
}

static bool start_due_workers(struct master *m, int *result)
{
    for (size_t i = 0; i < (size_t)m->config->workers; i++) {
        bool is_due =
            m->children[i].pid == 0 && !mono_is_before(clock_mono_now(), m->children[i].start_at);
        if (is_due && start_worker(m, i, result))
            return true;
    }
    return false;
}

static int64_t pause_ms(unsigned young_deaths)
{
    if (young_deaths <= 1)
        return 0;
    unsigned doublings = young_deaths - 2 < 6 ? young_deaths - 2 : 6;
    int64_t ms = (int64_t)PAUSE_FIRST_MS << doublings;
    return ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS;
}

static void note_death(struct master *m, struct child *child, int status)
{
    struct mono_time now = clock_mono_now();
    bool is_young = mono_us_between(child->started_at, now) < (int64_t)YOUNG_MS * 1000;
    child->young_deaths = is_young ? child->young_deaths + 1 : 0;
    int64_t pause = pause_ms(child->young_deaths);
    child->start_at = mono_after_ms(now, pause);
    bool is_signalled = WIFSIGNALED(status);
    if (!m->is_stopping) {
        LOG_EVENT(LOG_ERROR, "worker_died", LOG_INT("worker", child->pid),
                  LOG_INT(is_signalled ? "signal" : "exit_code",
                          is_signalled ? WTERMSIG(status) : WEXITSTATUS(status)),
                  LOG_INT("restart_in_ms", pause));
    }
    child->pid = 0;
    atomic_store(&child->slot->pid, 0);
    atomic_fetch_add(&m->host->restarts, 1);
}

static bool forget_old_worker(struct master *m, pid_t pid)
{
    for (size_t i = 0; i < m->old_worker_count; i++) {
        if (m->old_workers[i] == pid) {
            m->old_workers[i] = m->old_workers[--m->old_worker_count];
            return true;
        }
    }
    return false;
}

static size_t live_workers(const struct master *m)
{
    size_t live = 0;
    for (size_t i = 0; i < (size_t)m->config->workers; i++)
        live += m->children[i].pid != 0;
    return live;
}

static void signal_workers(const struct master *m, int signal)
{
    for (size_t i = 0; i < (size_t)m->config->workers; i++) {
        if (m->children[i].pid != 0)
            (void)kill(m->children[i].pid, signal);
    }
}

static void signal_old_workers(const struct master *m, int signal)
{
    for (size_t i = 0; i < m->old_worker_count; i++)
        (void)kill(m->old_workers[i], signal);
}

/* Replace this program by the one on disk. Returns only when that failed. */
static void take_over(const struct master *m)
{
    char list[OLD_WORKERS_MAX * 12] = "";
    size_t len = 0;
    for (size_t i = 0; i < (size_t)m->config->workers; i++) {
        if (m->children[i].pid != 0 && len + 12 < sizeof list)
            len += (size_t)snprintf(list + len, 12, "%ld,", (long)m->children[i].pid);
    }
    for (size_t i = 0; i < m->old_worker_count && len + 12 < sizeof list; i++)
        len += (size_t)snprintf(list + len, 12, "%ld,", (long)m->old_workers[i]);
    LOG_EVENT(LOG_INFO, "reloading", LOG_TEXT("program", m->program));
    (void)setenv(old_workers_variable, list, 1);
    (void)execl(m->program, m->program, (char *)NULL);
    LOG_EVENT(LOG_ERROR, "reload_failed", LOG_TEXT("program", m->program), LOG_INT("errno", errno));
    (void)unsetenv(old_workers_variable);
}

static void note_checked(struct master *m, int status)
{
    m->checker = 0;
    if (m->is_stopping)
        return;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        take_over(m);
    else
        LOG_EVENT(LOG_ERROR, "reload_refused", LOG_TEXT("program", m->program),
                  LOG_INT("status", status));
}

static void reap(struct master *m)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == m->checker) {
            note_checked(m, status);
            continue;
        }
        if (forget_old_worker(m, pid))
            continue;
        for (size_t i = 0; i < (size_t)m->config->workers; i++) {
            if (m->children[i].pid == pid)
                note_death(m, &m->children[i], status);
        }
    }
}

/* Ask the binary on disk before it gets the socket: a broken one must change nothing. */
static void begin_reload(struct master *m)
{
    if (m->checker != 0 || m->is_stopping)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)execl(m->program, m->program, "--check-config", (char *)NULL);
        _exit(127);
    }
    if (pid < 0)
        LOG_EVENT(LOG_ERROR, "fork_failed", LOG_INT("errno", errno));
    else
        m->checker = pid;
}

static void begin_stop(struct master *m, unsigned signal)
{
    if (m->is_stopping)
        return;
    LOG_EVENT(LOG_INFO, "stopping", LOG_INT("signal", signal));
    m->is_stopping = true;
    m->kill_at = mono_after_ms(clock_mono_now(), STOP_MS);
    signal_workers(m, SIGTERM);
    signal_old_workers(m, SIGTERM);
}

static void handle_signals(struct master *m)
{
    struct signalfd_siginfo info;
    while (read(m->signals, &info, sizeof info) == sizeof info) {
        switch (info.ssi_signo) {
        case SIGTERM:
        case SIGINT:
        case SIGUSR1:
            begin_stop(m, info.ssi_signo);
            break;
        case SIGHUP:
            begin_reload(m);
            break;
        default:
            break; /* SIGCHLD: reap() follows; others are nothing to us */
        }
    }
}

static void kill_stuck_workers(const struct master *m)
{
    int64_t stuck_us = m->config->stuck_seconds * 1000000;
    int64_t now_us = clock_mono_now().us;
    for (size_t i = 0; i < (size_t)m->config->workers; i++) {
        const struct child *child = &m->children[i];
        if (child->pid == 0)
            continue;
        for (int64_t t = 0; t < m->config->threads; t++) {
            int64_t since_us =
                atomic_load_explicit(&child->slot->stamps[t].since_us, memory_order_relaxed);
            if (since_us == 0 || now_us - since_us <= stuck_us)
                continue;
            LOG_EVENT(LOG_ERROR, "worker_stuck", LOG_INT("worker", child->pid),
                      LOG_INT("thread", t), LOG_INT("busy_ms", (now_us - since_us) / 1000));
            (void)kill(child->pid, SIGKILL);
            break;
        }
    }
}

/* The workers of before a reload leave when all of the new ones accept. */
static void end_old_workers(struct master *m)
{
    if (m->old_worker_count == 0)
        return;
    struct mono_time now = clock_mono_now();
    if (m->are_old_told) {
        if (!mono_is_before(now, m->kill_old_at))
            signal_old_workers(m, SIGKILL);
        return;
    }
    for (size_t i = 0; i < (size_t)m->config->workers; i++) {
        if (m->children[i].pid == 0 || !atomic_load(&m->children[i].slot->is_ready))
            return;
    }
    m->are_old_told = true;
    m->kill_old_at = mono_after_ms(now, STOP_MS);
    signal_old_workers(m, SIGTERM);
}

/* Until the next thing is due: soon while something is pending, else a second. */
static int wait_ms(const struct master *m)
{
    int64_t ms = m->old_worker_count > 0 && !m->are_old_told ? 20 : TICK_MS;
    struct mono_time now = clock_mono_now();
    for (size_t i = 0; i < (size_t)m->config->workers && !m->is_stopping; i++) {
        if (m->children[i].pid != 0)
            continue;
        int64_t due_ms = mono_us_between(now, m->children[i].start_at) / 1000 + 1;
        if (due_ms < ms)
            ms = due_ms;
    }
    return ms > 0 ? (int)ms : 0;
}

/* Returns the exit code of the master, or of a worker that it became. */
static int watch(struct master *m)
{
    int result = EXIT_SUCCESS;
    while (!m->is_stopping || live_workers(m) + m->old_worker_count > 0) {
        if (!m->is_stopping && start_due_workers(m, &result))
            return result;
        struct pollfd waiting = {.fd = m->signals, .events = POLLIN};
        (void)poll(&waiting, 1, wait_ms(m));
        handle_signals(m);
        reap(m);
        kill_stuck_workers(m);
        end_old_workers(m);
        if (m->is_stopping && !mono_is_before(clock_mono_now(), m->kill_at)) {
            LOG_EVENT(LOG_WARNING, "stop_overdue", LOG_INT("workers", (int64_t)live_workers(m)));
            signal_workers(m, SIGKILL);
            signal_old_workers(m, SIGKILL);
            m->kill_at = mono_after_ms(clock_mono_now(), TICK_MS);
        }
    }
    LOG_EVENT(LOG_INFO, "stopped", LOG_INT("exit_code", result));
    return result;
}

static void adopt_old_workers(struct master *m)
{
    const char *list = getenv(old_workers_variable);
    while (list && *list && m->old_worker_count < OLD_WORKERS_MAX) {
        size_t len = strcspn(list, ",");
        int64_t pid;
        /* Only living children of ours: the variable might come from anywhere. */
        if (number_parse_int64(slice_of(list, len), 2, INT32_MAX, &pid) &&
            waitpid((pid_t)pid, NULL, WNOHANG) == 0)
            m->old_workers[m->old_worker_count++] = (pid_t)pid;
        list += len + (list[len] == ',');
    }
    (void)unsetenv(old_workers_variable);
}

static bool is_listening(int fd)
{
    int listens = 0;
    socklen_t size = sizeof listens;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens;
}

static bool end_with_lighttpd(void)
{
    const char *spawner = getenv("ANALYTICS_SPAWNED_BY");
    if (!spawner || strcmp(spawner, "lighttpd") != 0)
        return true;
    pid_t parent = getppid();
    return prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent;
}

static bool take_listening_socket(void)
{
    int flags = fcntl(LISTEN_FD, F_GETFL);
    return flags >= 0 && fcntl(LISTEN_FD, F_SETFL, flags | O_NONBLOCK) == 0;
}

int master_run(const struct config *config, const char *program)
{
    static struct master m;
    m = (struct master){.config = config, .program = program, .pid = getpid()};
    if (!is_listening(LISTEN_FD)) {
        LOG_EVENT(LOG_ERROR, "start_refused",
                  LOG_TEXT("reason", "file descriptor 0 must be a listening socket: start me from "
                                     "lighttpd (bin-path), spawn-fcgi or a systemd socket"));
        return EXIT_FAILURE;
    }
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
    (void)signal(SIGCHLD, SIG_DFL); /* ignored by whoever started us, no death would be told */
    m.signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    /* glibc would keep an arena for each thread, and what one large answer took for ever.
     * Inherited by the workers. */
    (void)mallopt(M_ARENA_MAX, 2);
    (void)mallopt(M_MMAP_THRESHOLD, 128 << 10);
    if (m.signals < 0 || !take_listening_socket() || !share_host(&m) || !end_with_lighttpd()) {
        LOG_EVENT(LOG_ERROR, "start_refused", LOG_TEXT("reason", strerror(errno)));
        return EXIT_FAILURE;
    }
    adopt_old_workers(&m);
    LOG_EVENT(LOG_INFO, "started", LOG_TEXT("version", ANALYTICS_VERSION),
              LOG_INT("workers", config->workers), LOG_INT("threads", config->threads));
    return watch(&m);
}
