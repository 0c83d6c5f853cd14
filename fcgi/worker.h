/*
 * worker: one process of several threads, each serving one request at a time.
 *
 * All workers share the listening socket, fd 0. A thread checks the stop flag
 * before it accepts, so a stopping worker leaves what is queued to the others and
 * finishes only what it has accepted.
 */
#ifndef FCGI_WORKER_H
#define FCGI_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "config.h"

enum { LISTEN_FD = 0, CACHE_LINE_BYTES = 64 };

/* When a thread began what it is doing, for the master to see; one cache line each. */
struct busy_stamp {
    _Alignas(CACHE_LINE_BYTES) _Atomic int64_t since_us; /* monotonic; 0: idle */
};

/* A worker's share of the memory that it has in common with the master. */
struct worker_slot {
    _Atomic int is_ready;      /* its threads accept */
    struct busy_stamp *stamps; /* config->threads of them */
};

/*
 * Serve until SIGTERM, SIGINT or SIGUSR1, then finish, in 10 s at most, and return the
 * exit code of the process. Every signal is blocked by the caller and stays so. `is_first` says
 * that this worker speaks for all where one line in the log will do.
 */
int worker_run(const struct config *config, struct worker_slot *slot, bool is_first);

#endif
