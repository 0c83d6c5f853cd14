#include "host.h"

#include <sys/mman.h>
#include <unistd.h>

#include "process_memory.h"
#include "request_counters.h"

struct host *host_share(const struct config *config)
{
    size_t workers = (size_t)config->workers, threads = (size_t)config->threads;
    size_t stamp_bytes = workers * threads * sizeof(struct busy_stamp);
    size_t slot_bytes = workers * sizeof(struct worker_slot);
    char *shared = mmap(NULL, stamp_bytes + slot_bytes + sizeof(struct host),
                        PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || !counters_share(workers * (threads + 1), COUNTERS_ALL))
        return NULL;
    struct busy_stamp *stamps = (struct busy_stamp *)(void *)shared;
    struct host *host = (struct host *)(void *)(shared + stamp_bytes + slot_bytes);
    *host = (struct host){.master = getpid(),
                          .started_at = clock_wall_now(),
                          .workers = workers,
                          .threads = threads,
                          .slots = (struct worker_slot *)(void *)(shared + stamp_bytes)};
    for (size_t i = 0; i < workers; i++)
        host->slots[i].stamps = stamps + i * threads;
    return host;
}

/* A block for the worker, then one for each of its threads. */
void host_count_as_worker(const struct host *host, size_t worker)
{
    counters_use_for_process(worker * (host->threads + 1));
}

void host_count_as_thread(const struct host *host, size_t worker, size_t thread)
{
    counters_use_for_thread(worker * (host->threads + 1) + 1 + thread);
}

size_t host_ready_workers(const struct host *host)
{
    size_t ready = 0;
    for (size_t i = 0; i < host->workers; i++)
        ready += atomic_load(&host->slots[i].pid) != 0 && atomic_load(&host->slots[i].is_ready);
    return ready;
}

size_t host_busy_threads(const struct host *host)
{
    size_t busy = 0;
    for (size_t i = 0; i < host->workers; i++) {
        for (size_t t = 0; t < host->threads; t++)
            busy +=
                atomic_load_explicit(&host->slots[i].stamps[t].since_us, memory_order_relaxed) != 0;
    }
    return busy;
}

bool host_memory(const struct host *host, struct process_memory *memory)
{
    bool is_known = process_memory_add(host->master, memory);
    for (size_t i = 0; i < host->workers; i++) {
        pid_t pid = atomic_load(&host->slots[i].pid);
        is_known = (pid == 0 || process_memory_add(pid, memory)) && is_known;
    }
    return is_known;
}
