/*
 * worker: one process of several threads, each serving one request at a time.
 *
 * All workers share the listening socket, fd 0. A thread checks the stop flag
 * before it accepts, so a stopping worker leaves what is queued to the others and
 * finishes only what it has accepted.
 */
#ifndef FCGI_WORKER_H
#define FCGI_WORKER_H

#include "host.h"

enum { LISTEN_FD = 0 };

/*
 * Serve until SIGTERM, SIGINT or SIGUSR1, then finish, in 10 s at most, and return the
 * exit code of the process. Every signal is blocked by the caller and stays so. The worker of
 * `index` 0 speaks for all where one line in the log will do.
 */
int worker_run(const struct config *config, struct host *host, size_t index);

#endif
