#include "cutting_proxy.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PAIRS_MAX = 32, NO_CUT = -1, DONE_MS = 5000 };
enum { FROM_CLIENT, FROM_SERVER };

struct pair {
    int client, server; /* -1: free */
};

struct cutting_proxy {
    pthread_t thread;
    int listener;
    struct sockaddr_un target;
    atomic_int is_stopping;
    atomic_int is_swallowing;
    atomic_int cuts;
    _Atomic int64_t
        budgets[2]; /* of what clients send, of what the server does; NO_CUT: unlimited */
    struct pair pairs[PAIRS_MAX];
};

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return address;
}

static void drop(struct pair *pair)
{
    (void)close(pair->client);
    (void)close(pair->server);
    pair->client = pair->server = -1;
}

static void accept_one(struct cutting_proxy *proxy)
{
    int client = accept(proxy->listener, NULL, NULL);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client < 0 || server < 0 ||
        connect(server, (struct sockaddr *)&proxy->target, sizeof proxy->target) != 0) {
        (void)close(client);
        (void)close(server);
        return;
    }
    for (int i = 0; i < PAIRS_MAX; i++) {
        if (proxy->pairs[i].client < 0) {
            proxy->pairs[i] = (struct pair){client, server};
            return;
        }
    }
    (void)close(client);
    (void)close(server);
}

/* Until the server hangs up, too: then it has executed what it was sent. */
static void drop_when_done(struct pair *pair)
{
    char bytes[16384];
    struct pollfd server = {.fd = pair->server, .events = POLLIN};
    (void)shutdown(pair->server, SHUT_WR);
    while (poll(&server, 1, DONE_MS) > 0 && read(pair->server, bytes, sizeof bytes) > 0)
        ;
    drop(pair);
}

static void cut_all(struct cutting_proxy *proxy)
{
    for (int i = 0; i < PAIRS_MAX; i++) {
        if (proxy->pairs[i].client >= 0)
            (void)shutdown(proxy->pairs[i].client, SHUT_RDWR);
    }
    for (int i = 0; i < PAIRS_MAX; i++) {
        if (proxy->pairs[i].client >= 0)
            drop_when_done(&proxy->pairs[i]);
    }
    atomic_store(&proxy->budgets[FROM_CLIENT], NO_CUT);
    atomic_store(&proxy->budgets[FROM_SERVER], NO_CUT);
    atomic_fetch_add(&proxy->cuts, 1);
}

static void forward(struct cutting_proxy *proxy, struct pair *pair, int source)
{
    char bytes[16384];
    int from = source == FROM_SERVER ? pair->server : pair->client;
    int to = source == FROM_SERVER ? pair->client : pair->server;
    ssize_t n = read(from, bytes, sizeof bytes);
    if (n <= 0) {
        drop(pair);
        return;
    }
    if (source == FROM_SERVER && atomic_load(&proxy->is_swallowing))
        return;
    int64_t budget = atomic_load(&proxy->budgets[source]);
    int64_t through = budget == NO_CUT || n < budget ? n : budget;
    (void)!send(to, bytes, (size_t)through, MSG_NOSIGNAL);
    if (budget == NO_CUT)
        return;
    if (through == budget)
        cut_all(proxy);
    else
        atomic_store(&proxy->budgets[source], budget - through);
}

static void *run(void *argument)
{
    struct cutting_proxy *proxy = argument;
    while (!atomic_load(&proxy->is_stopping)) {
        struct pollfd fds[1 + 2 * PAIRS_MAX] = {{.fd = proxy->listener, .events = POLLIN}};
        for (int i = 0; i < PAIRS_MAX; i++) {
            fds[1 + 2 * i] = (struct pollfd){.fd = proxy->pairs[i].client, .events = POLLIN};
            fds[2 + 2 * i] = (struct pollfd){.fd = proxy->pairs[i].server, .events = POLLIN};
        }
        (void)poll(fds, 1 + 2 * PAIRS_MAX, 20);
        for (int i = 0; i < PAIRS_MAX; i++) {
            struct pair *pair = &proxy->pairs[i];
            if (fds[1 + 2 * i].revents && pair->client == fds[1 + 2 * i].fd)
                forward(proxy, pair, FROM_CLIENT);
            if (fds[2 + 2 * i].revents && pair->server >= 0 && pair->server == fds[2 + 2 * i].fd)
                forward(proxy, pair, FROM_SERVER);
        }
        if (fds[0].revents)
            accept_one(proxy);
    }
    return NULL;
}

struct cutting_proxy *cutting_proxy_new(const char *path, const char *target)
{
    struct cutting_proxy *proxy = calloc(1, sizeof *proxy);
    if (!proxy)
        abort();
    for (int i = 0; i < PAIRS_MAX; i++)
        proxy->pairs[i] = (struct pair){-1, -1};
    atomic_init(&proxy->budgets[FROM_CLIENT], NO_CUT);
    atomic_init(&proxy->budgets[FROM_SERVER], NO_CUT);
    proxy->target = address_of(target);
    struct sockaddr_un address = address_of(path);
    (void)unlink(path);
    proxy->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (proxy->listener < 0 ||
        bind(proxy->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(proxy->listener, 64) != 0 || pthread_create(&proxy->thread, NULL, run, proxy) != 0) {
        perror("cutting_proxy");
        exit(99);
    }
    return proxy;
}

void cutting_proxy_free(struct cutting_proxy *proxy)
{
    atomic_store(&proxy->is_stopping, 1);
    (void)pthread_join(proxy->thread, NULL);
    for (int i = 0; i < PAIRS_MAX; i++) {
        if (proxy->pairs[i].client >= 0)
            drop(&proxy->pairs[i]);
    }
    (void)close(proxy->listener);
    free(proxy);
}

void cutting_proxy_cut_after(struct cutting_proxy *proxy, int64_t bytes)
{
    atomic_store(&proxy->budgets[FROM_SERVER], bytes);
}

void cutting_proxy_cut_after_sent(struct cutting_proxy *proxy, int64_t bytes)
{
    atomic_store(&proxy->budgets[FROM_CLIENT], bytes);
}

int cutting_proxy_cuts(struct cutting_proxy *proxy)
{
    return atomic_load(&proxy->cuts);
}

void cutting_proxy_swallow(struct cutting_proxy *proxy, int is_on)
{
    atomic_store(&proxy->is_swallowing, is_on);
}
