/*
 * arena: memory of one request, given back all at once.
 *
 * Allocation moves a pointer; arena_reset() forgets everything and keeps one
 * block for the next request. Failure (the maximum, or no memory) is sticky until
 * the reset: arena_alloc returns NULL from then on. One thread at a time.
 */
#ifndef LIB_BASE_ARENA_H
#define LIB_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "slice.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used_bytes;          /* over all blocks, since the last reset */
    size_t max_bytes;
    bool failed;
};

void arena_init(struct arena *arena, size_t bytes_max);
void arena_release(struct arena *arena);
void arena_reset(struct arena *arena);

/* `bytes` aligned for any type, not cleared. NULL when the arena has failed. */
void *arena_alloc(struct arena *arena, size_t bytes);

/* A copy of `s` that lives until the reset; {NULL, 0} when the arena has failed. */
struct slice arena_copy(struct arena *arena, struct slice s);

#endif
