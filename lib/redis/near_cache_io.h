/*
 * near_cache_io: what the I/O thread does for a near cache: its connection's life,
 * PING, and the draining when no request drains. Not for other rooms.
 */
#ifndef LIB_REDIS_NEAR_CACHE_IO_H
#define LIB_REDIS_NEAR_CACHE_IO_H

#include "near_cache.h"

/* The I/O thread has begun: `wake_fd` is its eventfd. */
void near_cache_io_start(struct near_cache *cache, int wake_fd);
void near_cache_io_stop(struct near_cache *cache);

void near_cache_io_tick(struct near_cache *cache, struct mono_time now);
struct mono_time near_cache_io_wakeup(struct near_cache *cache);

/* The descriptor (-1: none) and the events to poll it for. */
int near_cache_io_fd(struct near_cache *cache, short *events);
void near_cache_io_handle(struct near_cache *cache, short revents, struct mono_time now);

#endif
