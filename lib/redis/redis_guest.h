/*
 * redis_guest: a further connection that the I/O thread of a client serves: what it
 * has to know of a near cache. Not for other rooms.
 */
#ifndef LIB_REDIS_REDIS_GUEST_H
#define LIB_REDIS_REDIS_GUEST_H

#include "clock.h"

struct redis_client;
struct redis_options;

/* All are called by the I/O thread, none may wait. */
struct redis_guest {
    void *context;
    void (*begin)(void *context, int wake_fd); /* before the first turn: its eventfd */
    void (*end)(void *context);                /* after the last */
    void (*tick)(void *context, struct mono_time now);
    struct mono_time (*wakeup)(void *context); /* when tick is due at the latest */
    int (*fd)(void *context, short *events);   /* to poll, and for what; -1: none */
    void (*handle)(void *context, short revents, struct mono_time now);
};

/* The client's own copy; lives as long as the client. */
const struct redis_options *redis_client_options(const struct redis_client *client);

/* From its start on the client serves `guest` (copied). At most one. */
void redis_client_host(struct redis_client *client, const struct redis_guest *guest);

#endif
