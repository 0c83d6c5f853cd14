#include "redis_resolver.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct redis_resolver {
    atomic_int references; /* the asker and the thread */
    atomic_bool is_answered;
    char host[256];
    char port[8];
    int wake_fd;
    struct redis_addresses addresses; /* the thread's until is_answered */
};

static void drop_reference(struct redis_resolver *resolver)
{
    if (atomic_fetch_sub(&resolver->references, 1) > 1)
        return;
    (void)close(resolver->wake_fd);
    free(resolver);
}

static void *resolve(void *argument)
{
    struct redis_resolver *resolver = argument;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (getaddrinfo(resolver->host, resolver->port, &hints, &found) == 0) {
        struct redis_addresses *out = &resolver->addresses;
        for (const struct addrinfo *a = found; a && out->count < REDIS_ADDRESSES_MAX;
             a = a->ai_next) {
            memcpy(&out->list[out->count], a->ai_addr, a->ai_addrlen);
            out->lengths[out->count++] = a->ai_addrlen;
        }
        freeaddrinfo(found);
    }
    atomic_store(&resolver->is_answered, true);
    const uint64_t one = 1;
    ssize_t ignored = write(resolver->wake_fd, &one, sizeof one);
    (void)ignored;
    drop_reference(resolver);
    return NULL;
}

struct redis_resolver *redis_resolver_new(const char *host, uint16_t port, int wake_fd)
{
    struct redis_resolver *resolver = calloc(1, sizeof *resolver);
    if (!resolver)
        return NULL;
    atomic_init(&resolver->references, 2);
    (void)snprintf(resolver->host, sizeof resolver->host, "%s", host);
    (void)snprintf(resolver->port, sizeof resolver->port, "%u", (unsigned)port);
    resolver->wake_fd = dup(wake_fd);
    if (resolver->wake_fd < 0)
        goto err0;
    pthread_t thread;
    if (pthread_create(&thread, NULL, resolve, resolver) != 0)
        goto err1;
    (void)pthread_detach(thread);
    return resolver;

err1:
    (void)close(resolver->wake_fd);
err0:
    free(resolver);
    return NULL;
}

bool redis_resolver_poll(struct redis_resolver *resolver, struct redis_addresses *addresses)
{
    if (!atomic_load(&resolver->is_answered))
        return false;
    *addresses = resolver->addresses;
    return true;
}

void redis_resolver_free(struct redis_resolver *resolver)
{
    if (resolver)
        drop_reference(resolver);
}
