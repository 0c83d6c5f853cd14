/*
 * bare_responder: the ceiling that `make bench` compares the service with.
 *
 * The least that a threaded libfcgi program can do: accept as the worker does,
 * read the body, answer a fixed JSON text with one write. No routing, no Redis,
 * no master. conf/service runs it in the worker's place
 * (ANALYTICS_WORKER=build/release/tests/bench/bare_responder), so that both stand
 * behind the same lighttpd. THREADS threads (default 16) on the socket at fd 0.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fcgiapp.h>

enum { LISTEN_FD = 0, THREADS_DEFAULT = 16, THREADS_MAX = 256, STACK_BYTES = 512 * 1024 };

static const char body[] = "{\"type\":\"cpu_usage\",\"period\":\"all\",\"count\":100,"
                           "\"average_value\":75.3,\"min_value\":10.5,\"max_value\":95.8,"
                           "\"latest_value\":80.2,\"external\":null}";

static int stop_fd; /* readable once the threads are to leave, for all of them */

static void answer(FCGX_Request *request)
{
    char unread[8192];
    while (FCGX_GetStr(unread, sizeof unread, request->in) > 0)
        continue;
    const char *method = FCGX_GetParam("REQUEST_METHOD", request->envp);
    char text[512];
    int length = snprintf(text, sizeof text,
                          "Status: %s\r\nContent-Type: application/json\r\n"
                          "Content-Length: %zu\r\n\r\n%s",
                          method && strcmp(method, "POST") == 0 ? "201 Created" : "200 OK",
                          sizeof body - 1, body);
    (void)FCGX_PutStr(text, length, request->out);
}

/* A connection's descriptor, or -1 when it is time to leave. */
static int next_connection(int epoll_fd)
{
    for (;;) {
        int fd = accept4(LISTEN_FD, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            return fd;
        struct epoll_event event;
        if (epoll_wait(epoll_fd, &event, 1, -1) == 1 && event.data.fd == stop_fd)
            return -1;
    }
}

static void *serve(void *unused)
{
    (void)unused;
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event on_listen = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = LISTEN_FD};
    struct epoll_event on_stop = {.events = EPOLLIN, .data.fd = stop_fd};
    if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, LISTEN_FD, &on_listen) != 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, stop_fd, &on_stop) != 0) {
        perror("epoll");
        exit(1);
    }
    FCGX_Request request;
    FCGX_InitRequest(&request, -1, FCGI_FAIL_ACCEPT_ON_INTR);
    int fd;
    while ((fd = next_connection(epoll_fd)) >= 0) {
        /* Handed over as a kept connection, libfcgi reads it without an accept of its own. */
        request.ipcFd = fd;
        request.keepConnection = 1;
        if (FCGX_Accept_r(&request) == 0) {
            answer(&request);
            FCGX_Finish_r(&request);
        }
    }
    close(epoll_fd);
    return NULL;
}

static size_t thread_count(void)
{
    const char *text = getenv("THREADS");
    if (!text || !*text)
        return THREADS_DEFAULT;
    char *end;
    unsigned long count = strtoul(text, &end, 10);
    if (*end || count < 1 || count > THREADS_MAX) {
        fprintf(stderr, "THREADS is \"%s\"; it may be 1 to %d\n", text, THREADS_MAX);
        exit(2);
    }
    return count;
}

int main(int argc, char **argv)
{
    size_t count = thread_count();
    if (argc == 2 && strcmp(argv[1], "--check-config") == 0)
        return 0;
    prctl(PR_SET_PDEATHSIG, SIGTERM);

    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    stop_fd = eventfd(0, EFD_CLOEXEC);
    if (stop_fd < 0 || FCGX_Init() != 0 || fcntl(LISTEN_FD, F_SETFL, O_NONBLOCK) != 0) {
        perror("bare_responder");
        return 1;
    }

    pthread_t threads[THREADS_MAX];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    for (size_t i = 0; i < count; i++) {
        if (pthread_create(&threads[i], &attributes, serve, NULL) != 0) {
            fprintf(stderr, "bare_responder: no thread %zu\n", i);
            return 1;
        }
    }

    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    int signal_number;
    sigwait(&stops, &signal_number);
    (void)eventfd_write(stop_fd, 1);
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
