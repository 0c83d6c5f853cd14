/*
 * redis_resolver: a host name into addresses, without ever waiting for it.
 *
 * getaddrinfo(3) knows no deadline, so it runs in a thread of its own, which may
 * outlive the question. Not for other rooms.
 */
#ifndef LIB_REDIS_REDIS_RESOLVER_H
#define LIB_REDIS_REDIS_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { REDIS_ADDRESSES_MAX = 8 };

struct redis_addresses {
    size_t count; /* 0: it did not resolve */
    struct sockaddr_storage list[REDIS_ADDRESSES_MAX];
    socklen_t lengths[REDIS_ADDRESSES_MAX];
};

struct redis_resolver;

/* Begin. `wake_fd`, an eventfd that is duplicated, is written when the answer is there.
 * NULL: no memory or no thread. */
struct redis_resolver *redis_resolver_new(const char *host, uint16_t port, int wake_fd);

/* True once answered; fills `addresses` then. Never waits. */
bool redis_resolver_poll(struct redis_resolver *resolver, struct redis_addresses *addresses);

/* Gives up interest; the thread cleans up when it ends. NULL is fine. */
void redis_resolver_free(struct redis_resolver *resolver);

#endif
