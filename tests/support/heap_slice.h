/*
 * heap_slice: bytes at the very end of a heap block, so that a sanitizer sees a parser
 * read beyond them.
 */
#ifndef TESTS_SUPPORT_HEAP_SLICE_H
#define TESTS_SUPPORT_HEAP_SLICE_H

#include <stdint.h>
#include <stdlib.h>

#include "slice.h"

/* One byte stands before the text, so that an empty one has a place to end, too. */
static inline struct slice heap_slice_new(const void *bytes, size_t len)
{
    char *block = malloc(1 + len);
    if (!block)
        abort();
    block[0] = '\0';
    if (len > 0)
        memcpy(block + 1, bytes, len);
    return slice_of(block + 1, len);
}

static inline void heap_slice_free(struct slice s)
{
    free((char *)(uintptr_t)(s.ptr - 1));
}

#endif
