/*
 * redis_near: how a near cache hangs on its client. Not for other rooms.
 */
#ifndef LIB_REDIS_REDIS_NEAR_H
#define LIB_REDIS_REDIS_NEAR_H

struct redis_client;
struct redis_options;
struct near_cache;

/* The client's own copy; lives as long as the client. */
const struct redis_options *redis_near_options(const struct redis_client *client);

/* From its start on the client's I/O thread serves `cache` too. At most one. */
void redis_near_attach(struct redis_client *client, struct near_cache *cache);

#endif
