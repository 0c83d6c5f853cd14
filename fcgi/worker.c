#include "worker.h"

#include <errno.h>
#include <fcgiapp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "adapter.h"
#include "app.h"
#include "clock.h"
#include "log.h"
#include "redis_client.h"

enum {
    STACK_BYTES = 512 * 1024,
    /* The web server has the whole request before it connects: a peer that is silent
     * for so long is broken. */
    PEER_TIMEOUT_SECONDS = 3,
    PAUSE_MS = 50,
    LEAVE_SECONDS = 10 /* for what was accepted; by then the web server has given up */
};

struct worker {
    struct app *app;
    struct host *host;
    size_t index;   /* on the host */
    int stop_event; /* readable for ever once the worker stops */
    _Atomic int is_stopping;
    sem_t left; /* posted by each thread at its end */
};

struct server_thread {
    struct worker *worker;
    size_t index; /* in the worker */
    struct busy_stamp *stamp;
    pthread_t handle;
    int epoll;
    FCGX_Request fcgx;
    struct adapter adapter;
};

/* Every thread has an epoll of its own: EPOLLEXCLUSIVE then wakes one of them. */
static int make_epoll(const struct worker *worker)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event listening = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = LISTEN_FD};
    struct epoll_event stopping = {.events = EPOLLIN, .data.fd = worker->stop_event};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, LISTEN_FD, &listening) < 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, worker->stop_event, &stopping) < 0) {
        if (epoll >= 0)
            (void)close(epoll);
        return -1;
    }
    return epoll;
}

/* Accept only by ourselves: libfcgi's own way cannot be stopped and polls for 2 s. */
static void serve(struct server_thread *thread, int peer, struct mono_time accepted_at)
{
    const struct timeval timeout = {.tv_sec = PEER_TIMEOUT_SECONDS};
    (void)setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    (void)setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);

    FCGX_Request *fcgx = &thread->fcgx;
    fcgx->ipcFd = peer;
    fcgx->keepConnection = 1; /* else the Finish_r inside Accept_r closes it */
    if (FCGX_Accept_r(fcgx) != 0)
        return; /* no request came; libfcgi has closed it and has nothing to accept from */
    adapter_serve(&thread->adapter, fcgx, accepted_at);
    fcgx->keepConnection = 0; /* one that is kept would hold this thread while it idles */
    FCGX_Finish_r(fcgx);
}

/* False: this socket will never give a connection again. */
static bool wait_for_peer(const struct server_thread *thread, int error)
{
    struct epoll_event event;
    struct pollfd stop = {.fd = thread->worker->stop_event, .events = POLLIN};
    switch (error) {
    case EAGAIN:
        (void)epoll_wait(thread->epoll, &event, 1, -1);
        return true;
    case EINTR:
    case ECONNABORTED:
        return true;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        (void)poll(&stop, 1, PAUSE_MS);
        return true;
    default:
        LOG_EVENT(LOG_ERROR, "accept_failed", LOG_INT("errno", error));
        return false;
    }
}

static void *serve_until_stopped(void *context)
{
    struct server_thread *thread = context;
    host_count_as_thread(thread->worker->host, thread->worker->index, thread->index);
    /* Who was woken for a connection was woken alone (EPOLLEXCLUSIVE): it takes it even when
     * the worker stops meanwhile, or nobody would before the next one comes. */
    bool was_woken = false;
    while (was_woken || !atomic_load(&thread->worker->is_stopping)) {
        int peer = accept4(LISTEN_FD, NULL, NULL, SOCK_CLOEXEC);
        if (peer < 0) {
            int error = errno;
            if ((was_woken && atomic_load(&thread->worker->is_stopping)) ||
                !wait_for_peer(thread, error))
                break;
            was_woken = error == EAGAIN;
            continue;
        }
        was_woken = false;
        struct mono_time now = clock_mono_now();
        atomic_store_explicit(&thread->stamp->since_us, now.us, memory_order_relaxed);
        serve(thread, peer, now);
        atomic_store_explicit(&thread->stamp->since_us, 0, memory_order_relaxed);
    }
    (void)sem_post(&thread->worker->left);
    return NULL;
}

static bool start_thread(struct server_thread *thread, struct worker *worker, size_t index)
{
    thread->worker = worker;
    thread->index = index;
    thread->stamp = &worker->host->slots[worker->index].stamps[index];
    thread->epoll = make_epoll(worker);
    if (thread->epoll < 0 || FCGX_InitRequest(&thread->fcgx, -1, 0) != 0)
        return false;
    adapter_init(&thread->adapter, worker->app);

    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    bool ok = pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0 &&
              pthread_create(&thread->handle, &attributes, serve_until_stopped, thread) == 0;
    (void)pthread_attr_destroy(&attributes);
    return ok;
}

/* True once it is known and told. */
static bool tell_durability(const struct app *app)
{
    if (!redis_client_is_connected(app->redis))
        return false;
    enum redis_durability durability = redis_client_durability(app->redis);
    LOG_EVENT(durability == REDIS_DURABILITY_ALWAYS ? LOG_INFO : LOG_WARNING, "redis_connected",
              LOG_TEXT("appendfsync", app_durability_name(durability)),
              LOG_TEXT("acknowledged_writes", durability == REDIS_DURABILITY_ALWAYS
                                                  ? "survive a power cut"
                                                  : "may be lost in a crash or power cut"));
    return true;
}

static void wait_for_stop(const struct app *app, int signals, bool is_told)
{
    enum { LOOK_AGAIN_MS = 200 };
    while (true) {
        struct pollfd waiting = {.fd = signals, .events = POLLIN};
        int ready = poll(&waiting, 1, is_told ? -1 : LOOK_AGAIN_MS);
        if (ready == 0)
            is_told = tell_durability(app);
        struct signalfd_siginfo signal;
        if (ready <= 0 || read(signals, &signal, sizeof signal) != sizeof signal)
            continue;
        /* SIGHUP reaches us too when it is sent to the process group. */
        if (signal.ssi_signo == SIGTERM || signal.ssi_signo == SIGINT ||
            signal.ssi_signo == SIGUSR1)
            return;
    }
}

/* Wait for `count` threads to end. The master would end us, but it may be gone. */
static void leave(struct worker *worker, size_t count)
{
    struct timespec latest;
    (void)clock_gettime(CLOCK_MONOTONIC, &latest);
    latest.tv_sec += LEAVE_SECONDS;
    for (size_t i = 0; i < count; i++) {
        int waited;
        do
            waited = sem_clockwait(&worker->left, CLOCK_MONOTONIC, &latest);
        while (waited != 0 && errno == EINTR);
        if (waited != 0) {
            LOG_EVENT(LOG_ERROR, "stop_overdue", LOG_INT("threads", (int64_t)(count - i)));
            _exit(EXIT_FAILURE);
        }
    }
}

static int serve_with_threads(struct worker *worker, struct server_thread *threads, int signals)
{
    size_t count = worker->host->threads, started = 0;
    while (started < count && start_thread(&threads[started], worker, started))
        started++;
    if (started == count) {
        atomic_store(&worker->host->slots[worker->index].is_ready, 1);
        wait_for_stop(worker->app, signals, worker->index != 0);
    } else {
        LOG_EVENT(LOG_ERROR, "worker_start_failed", LOG_INT("threads_started", (int64_t)started),
                  LOG_INT("errno", errno));
    }
    atomic_store(&worker->is_stopping, 1);
    (void)eventfd_write(worker->stop_event, 1);
    leave(worker, started);
    for (size_t i = 0; i < started; i++) {
        (void)pthread_join(threads[i].handle, NULL);
        adapter_release(&threads[i].adapter);
        (void)close(threads[i].epoll);
    }
    return started == count ? EXIT_SUCCESS : EXIT_FAILURE;
}

int worker_run(const struct config *config, struct host *host, size_t index)
{
    int result = EXIT_FAILURE;
    sigset_t set;
    (void)sigfillset(&set);
    int signals = signalfd(-1, &set, SFD_CLOEXEC);
    struct worker worker = {.host = host, .index = index, .stop_event = eventfd(0, EFD_CLOEXEC)};
    struct server_thread *threads = calloc(host->threads, sizeof *threads);
    host_count_as_worker(host, index);
    if (signals >= 0 && worker.stop_event >= 0 && threads && sem_init(&worker.left, 0, 0) == 0 &&
        FCGX_Init() == 0)
        worker.app = app_new(config, host);
    if (worker.app)
        result = serve_with_threads(&worker, threads, signals);
    else
        LOG_EVENT(LOG_ERROR, "worker_start_failed", LOG_INT("errno", errno));
    app_free(worker.app);
    free(threads);
    return result;
}
