/*
 * master: keeps the listening socket (fd 0) and a number of workers alive.
 *
 *   a worker ends            another is started: at once the first time, after a pause
 *                            that grows to 5 s while they die young
 *   a thread of it is stuck  (busy for longer than STUCK_SECONDS) SIGKILL, and the same
 *   SIGTERM, SIGINT, SIGUSR1 workers finish what they accepted, 10 s at most; exit 0
 *   SIGHUP                   the binary now on disk takes over: it is asked whether it
 *                            likes the configuration, then replaces this one by exec
 *                            (same pid, same socket), starts its workers and, when they
 *                            accept, ends the old ones. One that does not start leaves
 *                            the old ones serving
 *
 * Single-threaded, does nothing else, and ends with lighttpd when lighttpd started it
 * (ANALYTICS_SPAWNED_BY=lighttpd in its environment): a SIGKILL of lighttpd would leave
 * it behind otherwise.
 */
#ifndef FCGI_MASTER_H
#define FCGI_MASTER_H

#include "config.h"

/* `program` is the path to exec on reload. Returns the exit code; also in workers. */
int master_run(const struct config *config, const char *program);

#endif
