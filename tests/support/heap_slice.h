/*
 * heap_slice: bytes in a heap block of exactly their length, so that a sanitizer sees
 * a parser read beyond them.
 */
#ifndef TESTS_SUPPORT_HEAP_SLICE_H
#define TESTS_SUPPORT_HEAP_SLICE_H

#include <stdlib.h>

#include "slice.h"

static inline struct slice heap_slice_new(const void *bytes, size_t len)
{
    char *copy = malloc(len ? len : 1);
    if (!copy)
        abort();
    if (len > 0)
        memcpy(copy, bytes, len);
    return slice_of(len ? copy : copy + 1, len);
}

static inline void heap_slice_free(struct slice s)
{
    free((char *)(size_t)(s.len ? s.ptr : s.ptr - 1));
}

#endif
