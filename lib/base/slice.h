/*
 * slice: a borrowed run of bytes. Never NUL-terminated by contract.
 *
 * A slice owns nothing: whoever hands one out says how long its bytes live.
 */
#ifndef LIB_BASE_SLICE_H
#define LIB_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *ptr;
    size_t len;
};

/* A slice over a string literal, or over a char array that ends in NUL. */
#define SLICE(literal) ((struct slice){"" literal, sizeof(literal) - 1})

static inline struct slice slice_of(const char *ptr, size_t len)
{
    return (struct slice){ptr, len};
}

static inline struct slice slice_from_string(const char *string)
{
    return (struct slice){string, string ? strlen(string) : 0};
}

static inline bool slice_equals(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

/* By bytes, as memcmp; of two that begin alike the shorter comes first. */
int slice_compare(struct slice a, struct slice b);

/* ASCII only, whatever the locale. */
bool slice_equals_ignoring_case(struct slice a, struct slice b);

/* What stands before the first `separator` of `*rest`, or all of it; `*rest` moves behind. */
struct slice slice_cut(struct slice *rest, char separator);

/* Without blanks (space, tab, CR, LF) at either end. */
struct slice slice_trim(struct slice s);

#endif
