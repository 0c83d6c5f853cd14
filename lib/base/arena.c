#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

enum { BLOCK_BYTES = 4096 };

struct arena_block {
    struct arena_block *next;
    size_t capacity;
    size_t used;
    alignas(max_align_t) unsigned char bytes[];
};

void arena_init(struct arena *arena, size_t bytes_max)
{
    *arena = (struct arena){.max_bytes = bytes_max};
}

void arena_release(struct arena *arena)
{
    arena_reset(arena);
    free(arena->blocks); /* the one that was kept, if any */
    *arena = (struct arena){.max_bytes = arena->max_bytes};
}

void arena_reset(struct arena *arena)
{
    /* One block of the usual size is kept, wherever it stands; larger ones go. */
    struct arena_block *kept = NULL;
    struct arena_block *next = NULL;
    for (struct arena_block *block = arena->blocks; block; block = next) {
        next = block->next;
        if (!kept && block->capacity == BLOCK_BYTES)
            kept = block;
        else
            free(block);
    }
    if (kept) {
        kept->next = NULL;
        kept->used = 0;
    }
    arena->blocks = kept;
    arena->used_bytes = 0;
    arena->failed = false;
}

static struct arena_block *add_block(struct arena *arena, size_t bytes)
{
    size_t capacity = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    struct arena_block *block = malloc(sizeof *block + capacity);
    if (!block)
        return NULL;
    block->capacity = capacity;
    block->used = 0;
    block->next = arena->blocks;
    arena->blocks = block;
    return block;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    const size_t align = alignof(max_align_t);
    if (arena->failed || bytes > SIZE_MAX / 2)
        goto fail;
    bytes = (bytes + align - 1) & ~(align - 1);
    if (bytes > arena->max_bytes - arena->used_bytes)
        goto fail;
    struct arena_block *block = arena->blocks;
    if (!block || bytes > block->capacity - block->used)
        block = add_block(arena, bytes);
    if (!block)
        goto fail;
    void *result = block->bytes + block->used;
    block->used += bytes;
    arena->used_bytes += bytes;
    return result;

fail:
    arena->failed = true;
    return NULL;
}

struct slice arena_copy(struct arena *arena, struct slice s)
{
    char *copy = arena_alloc(arena, s.len ? s.len : 1);
    if (!copy)
        return (struct slice){NULL, 0};
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    return (struct slice){copy, s.len};
}
