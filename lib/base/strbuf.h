/*
 * strbuf: a growing byte buffer with a required maximum.
 *
 * Failure is sticky: once an append would pass the maximum or memory ran out,
 * the buffer takes nothing more and strbuf_failed() says so, so that a caller
 * checks once, at the end. What was appended before stays readable.
 */
#ifndef LIB_BASE_STRBUF_H
#define LIB_BASE_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "slice.h"

struct strbuf {
    char *bytes; /* NULL until the first append */
    size_t len;
    size_t capacity;
    size_t max;
    bool failed;
    bool is_full; /* it failed at its maximum, not for want of memory */
};

/* `bytes_max` >= 1. Allocates nothing. */
void strbuf_init(struct strbuf *buf, size_t bytes_max);
void strbuf_release(struct strbuf *buf);

/* Empty again, failure forgotten, memory kept; or kept up to `kept_bytes_max` only, so that
 * one large text does not hold its memory for ever. */
void strbuf_reset(struct strbuf *buf);
void strbuf_reset_keeping(struct strbuf *buf, size_t kept_bytes_max);

/* Back to `len` bytes (<= the present length). Does not clear a failure. */
void strbuf_truncate(struct strbuf *buf, size_t len);

void strbuf_append(struct strbuf *buf, const void *bytes, size_t len);
void strbuf_append_slice(struct strbuf *buf, struct slice s);
void strbuf_append_char(struct strbuf *buf, char c);
void strbuf_printf(struct strbuf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Make room for `len` more bytes and return where to put them; NULL on failure.
 * The caller then says how many it used with strbuf_commit. */
char *strbuf_reserve(struct strbuf *buf, size_t len);
void strbuf_commit(struct strbuf *buf, size_t len);

/* Borrowed until the next append, reset or release. */
static inline struct slice strbuf_slice(const struct strbuf *buf)
{
    return (struct slice){buf->bytes ? buf->bytes : "", buf->len};
}

static inline bool strbuf_failed(const struct strbuf *buf)
{
    return buf->failed;
}

#endif
