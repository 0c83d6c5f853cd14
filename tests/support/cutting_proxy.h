/*
 * cutting_proxy: stands between a client and a server on unix sockets and cuts
 * connections after so many bytes of the server's replies, or of what clients send, or holds
 * replies back.
 */
#ifndef TESTS_SUPPORT_CUTTING_PROXY_H
#define TESTS_SUPPORT_CUTTING_PROXY_H

#include <stdatomic.h>
#include <stdint.h>

struct cutting_proxy;

/* Listen on `path`, forward to `target`. Ends the test program when it cannot. */
struct cutting_proxy *cutting_proxy_new(const char *path, const char *target);
void cutting_proxy_free(struct cutting_proxy *proxy);

/* Let `bytes` more of reply bytes through (over all connections), then cut every
 * connection, once, and be transparent again. */
void cutting_proxy_cut_after(struct cutting_proxy *proxy, int64_t bytes);

/* The same of bytes on their way to the server: it has what stands before the cut. */
void cutting_proxy_cut_after_sent(struct cutting_proxy *proxy, int64_t bytes);

/* How many there were. When one counts, the server has executed what had come to it. */
int cutting_proxy_cuts(struct cutting_proxy *proxy);

/* Swallow all that comes from the server (a black hole) until told otherwise. */
void cutting_proxy_swallow(struct cutting_proxy *proxy, int is_on);

#endif
