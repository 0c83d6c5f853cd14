#include "http_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 16, REQUEST_BYTES = 8192, ANSWER_BYTES = 16384, CUT_DELAY_MS = 5 };

struct connection {
    int fd; /* -1: free */
    bool is_held;
    size_t len;
    char request[REQUEST_BYTES];
};

struct http_server {
    pthread_t thread;
    int listener;
    int wake[2]; /* a byte: held answers go out; closed at one end: the thread is to end */
    char url[64];
    struct connection connections[CONNECTIONS_MAX]; /* of the thread */
    pthread_mutex_t mutex;                          /* for what follows */
    char answer[ANSWER_BYTES];
    bool is_cutting, is_holding;
    int accepted;
    int requests;
    char request_line[REQUEST_BYTES];
};

static void drop(struct connection *connection)
{
    (void)close(connection->fd);
    connection->fd = -1;
}

/* With the next request unread, if it comes at once: then the client sees a reset. */
static void cut(struct connection *connection)
{
    struct pollfd next = {.fd = connection->fd, .events = POLLIN};
    (void)poll(&next, 1, CUT_DELAY_MS);
    drop(connection);
}

/* With the lock held. */
static void answer(struct http_server *server, struct connection *connection)
{
    connection->is_held = server->is_holding;
    if (connection->is_held)
        return;
    connection->len = 0;
    (void)!send(connection->fd, server->answer, strlen(server->answer), MSG_NOSIGNAL);
    if (server->is_cutting)
        cut(connection);
}

static void take_request(struct http_server *server, struct connection *connection)
{
    (void)pthread_mutex_lock(&server->mutex);
    server->requests++;
    (void)snprintf(server->request_line, sizeof server->request_line, "%.*s",
                   (int)strcspn(connection->request, "\r\n"), connection->request);
    answer(server, connection);
    (void)pthread_mutex_unlock(&server->mutex);
}

static void answer_held(struct http_server *server)
{
    (void)pthread_mutex_lock(&server->mutex);
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *connection = &server->connections[i];
        if (connection->fd >= 0 && connection->is_held)
            answer(server, connection);
    }
    (void)pthread_mutex_unlock(&server->mutex);
}

static void take_bytes(struct http_server *server, struct connection *connection)
{
    ssize_t n = recv(connection->fd, connection->request + connection->len,
                     sizeof connection->request - 1 - connection->len, 0);
    if (n <= 0) {
        drop(connection);
        return;
    }
    connection->len += (size_t)n;
    connection->request[connection->len] = '\0';
    if (strstr(connection->request, "\r\n\r\n"))
        take_request(server, connection);
}

static void take_connection(struct http_server *server)
{
    int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
    for (int i = 0; fd >= 0 && i < CONNECTIONS_MAX; i++) {
        if (server->connections[i].fd < 0) {
            server->connections[i] = (struct connection){.fd = fd};
            (void)pthread_mutex_lock(&server->mutex);
            server->accepted++;
            (void)pthread_mutex_unlock(&server->mutex);
            return;
        }
    }
    (void)close(fd);
}

static void *serve(void *argument)
{
    struct http_server *server = argument;
    for (;;) {
        struct pollfd fds[CONNECTIONS_MAX + 2];
        for (int i = 0; i < CONNECTIONS_MAX; i++)
            fds[i] = (struct pollfd){.fd = server->connections[i].fd, .events = POLLIN};
        fds[CONNECTIONS_MAX] = (struct pollfd){.fd = server->listener, .events = POLLIN};
        fds[CONNECTIONS_MAX + 1] = (struct pollfd){.fd = server->wake[0], .events = POLLIN};
        (void)poll(fds, CONNECTIONS_MAX + 2, -1);
        char byte;
        if (fds[CONNECTIONS_MAX + 1].revents) {
            if (read(server->wake[0], &byte, 1) != 1)
                return NULL;
            answer_held(server);
        }
        for (int i = 0; i < CONNECTIONS_MAX; i++) {
            if (fds[i].fd >= 0 && fds[i].revents)
                take_bytes(server, &server->connections[i]);
        }
        if (fds[CONNECTIONS_MAX].revents)
            take_connection(server);
    }
}

struct http_server *http_server_new(void)
{
    struct http_server *server = calloc(1, sizeof *server);
    if (!server)
        abort();
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        server->connections[i].fd = -1;
    (void)pthread_mutex_init(&server->mutex, NULL);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->listener < 0 || bind(server->listener, (struct sockaddr *)&address, len) != 0 ||
        listen(server->listener, 64) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &len) != 0 ||
        pipe2(server->wake, O_CLOEXEC) != 0 ||
        pthread_create(&server->thread, NULL, serve, server) != 0) {
        perror("http_server");
        exit(99);
    }
    (void)snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    return server;
}

void http_server_free(struct http_server *server)
{
    (void)close(server->wake[1]);
    (void)pthread_join(server->thread, NULL);
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        if (server->connections[i].fd >= 0)
            drop(&server->connections[i]);
    }
    (void)close(server->wake[0]);
    (void)close(server->listener);
    (void)pthread_mutex_destroy(&server->mutex);
    free(server);
}

const char *http_server_url(const struct http_server *server)
{
    return server->url;
}

static void script(struct http_server *server, const char *bytes, bool is_cutting)
{
    (void)pthread_mutex_lock(&server->mutex);
    (void)snprintf(server->answer, sizeof server->answer, "%s", bytes);
    server->is_cutting = is_cutting;
    (void)pthread_mutex_unlock(&server->mutex);
}

void http_server_answer(struct http_server *server, int status, const char *body)
{
    char bytes[ANSWER_BYTES];
    (void)snprintf(bytes, sizeof bytes, "HTTP/1.1 %d Scripted\r\nContent-Length: %zu\r\n\r\n%s",
                   status, strlen(body), body);
    script(server, bytes, false);
}

void http_server_answer_raw(struct http_server *server, const char *bytes)
{
    script(server, bytes, true);
}

void http_server_be_silent(struct http_server *server)
{
    script(server, "", false);
}

void http_server_hold(struct http_server *server)
{
    (void)pthread_mutex_lock(&server->mutex);
    server->is_holding = true;
    (void)pthread_mutex_unlock(&server->mutex);
}

void http_server_release(struct http_server *server)
{
    (void)pthread_mutex_lock(&server->mutex);
    server->is_holding = false;
    (void)pthread_mutex_unlock(&server->mutex);
    (void)!write(server->wake[1], "", 1);
}

int http_server_connections(struct http_server *server)
{
    (void)pthread_mutex_lock(&server->mutex);
    int accepted = server->accepted;
    (void)pthread_mutex_unlock(&server->mutex);
    return accepted;
}

int http_server_requests(struct http_server *server)
{
    (void)pthread_mutex_lock(&server->mutex);
    int requests = server->requests;
    (void)pthread_mutex_unlock(&server->mutex);
    return requests;
}

void http_server_request_line(struct http_server *server, char *out, size_t out_bytes)
{
    (void)pthread_mutex_lock(&server->mutex);
    (void)snprintf(out, out_bytes, "%s", server->request_line);
    (void)pthread_mutex_unlock(&server->mutex);
}
