/*
 * host: the memory that the master and its workers have in common: who they are, what they do
 * just now, and what they counted (counters.h). A reload begins anew.
 */
#ifndef FCGI_HOST_H
#define FCGI_HOST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "clock.h"
#include "config.h"

enum { CACHE_LINE_BYTES = 64 };

/* When a thread began what it is doing, for others to see; one cache line each. */
struct busy_stamp {
    _Alignas(CACHE_LINE_BYTES) _Atomic int64_t since_us; /* monotonic; 0: idle */
};

struct worker_slot {
    _Atomic int is_ready;      /* its threads accept */
    _Atomic pid_t pid;         /* 0: none */
    struct busy_stamp *stamps; /* host->threads of them */
};

struct host {
    pid_t master;
    struct wall_time started_at;
    size_t workers, threads;
    _Atomic uint64_t restarts; /* of workers that died */
    struct worker_slot *slots; /* host->workers of them */
};

/* In the master, before it forks. NULL: no memory. */
struct host *host_share(const struct config *config);

/* In a worker, and in each of its threads that serve: where they count. */
void host_count_as_worker(const struct host *host, size_t worker);
void host_count_as_thread(const struct host *host, size_t worker, size_t thread);

size_t host_ready_workers(const struct host *host);
size_t host_busy_threads(const struct host *host);

/* Of the master and its workers. False: not to be known. */
struct process_memory;
bool host_memory(const struct host *host, struct process_memory *memory);

#endif
