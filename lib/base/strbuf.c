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
    buf->failed = buf->is_full = false;
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
    buf->is_full = len > buf->max - buf->len;
    if (buf->is_full || (!fits && !grow(buf, buf->len + len))) {
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

/* Into the room that is there; where that is too little, again into enough. */
void strbuf_printf(struct strbuf *buf, const char *format, ...)
{
    if (buf->failed)
        return;
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    size_t room = buf->capacity - buf->len;
    char *end = buf->bytes ? buf->bytes + buf->len : NULL;
    int len = vsnprintf(end, end ? room + 1 : 0, format, args);
    va_end(args);
    if (len >= 0 && (!end || (size_t)len > room)) {
        end = strbuf_reserve(buf, (size_t)len);
        if (end)
            (void)vsnprintf(end, (size_t)len + 1, format, again);
    }
    va_end(again);
    if (len < 0 || !end)
        buf->failed = true;
    else
        buf->len += (size_t)len;
}
