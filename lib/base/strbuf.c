#include "strbuf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_CAPACITY = 256 };

void strbuf_init(struct strbuf *buf, size_t bytes_max)
{
    assert(bytes_max >= 1);
    *buf = (struct strbuf){.max = bytes_max};
}

void strbuf_release(struct strbuf *buf)
{
    free(buf->bytes);
    *buf = (struct strbuf){.max = buf->max};
}

void strbuf_reset(struct strbuf *buf)
{
    buf->len = 0;
    buf->failed = false;
}

void strbuf_reset_keeping(struct strbuf *buf, size_t kept_bytes_max)
{
    if (buf->capacity > kept_bytes_max)
        strbuf_release(buf);
    strbuf_reset(buf);
}

void strbuf_truncate(struct strbuf *buf, size_t len)
{
    assert(len <= buf->len);
    buf->len = len;
}

static bool grow(struct strbuf *buf, size_t needed)
{
    size_t capacity = buf->capacity ? buf->capacity : FIRST_CAPACITY;
    while (capacity < needed)
        capacity = capacity > buf->max / 2 ? buf->max : capacity * 2;
    if (capacity > buf->max)
        capacity = buf->max;
    char *bytes = realloc(buf->bytes, capacity + 1); /* vsnprintf writes a NUL of its own */
    if (!bytes)
        return false;
    buf->bytes = bytes;
    buf->capacity = capacity;
    return true;
}

char *strbuf_reserve(struct strbuf *buf, size_t len)
{
    if (buf->failed)
        return NULL;
    bool fits = buf->bytes && len <= buf->capacity - buf->len;
    if (len > buf->max - buf->len || (!fits && !grow(buf, buf->len + len))) {
        buf->failed = true;
        return NULL;
    }
    return buf->bytes + buf->len;
}

void strbuf_commit(struct strbuf *buf, size_t len)
{
    assert(len <= buf->capacity - buf->len);
    buf->len += len;
}

void strbuf_append(struct strbuf *buf, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    char *room = strbuf_reserve(buf, len);
    if (!room)
        return;
    memcpy(room, bytes, len);
    buf->len += len;
}

void strbuf_append_slice(struct strbuf *buf, struct slice s)
{
    strbuf_append(buf, s.ptr, s.len);
}

void strbuf_append_char(struct strbuf *buf, char c)
{
    strbuf_append(buf, &c, 1);
}

void strbuf_printf(struct strbuf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *room = len < 0 ? NULL : strbuf_reserve(buf, (size_t)len);
    if (room) {
        (void)vsnprintf(room, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    } else {
        buf->failed = true;
    }
    va_end(again);
}
