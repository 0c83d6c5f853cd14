/*
 * process_memory: what processes take of the machine's memory, as Linux has it in
 * /proc/PID/smaps_rollup.
 */
#ifndef FCGI_PROCESS_MEMORY_H
#define FCGI_PROCESS_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process_memory {
    uint64_t resident_bytes;
    uint64_t proportional_bytes; /* of what several processes share, a part */
};

/* Adds that of a process; the kernel walks its pages. False: it is gone, or not ours to look at. */
bool process_memory_add(pid_t pid, struct process_memory *memory);

#endif
