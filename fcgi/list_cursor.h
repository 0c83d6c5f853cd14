/*
 * list_cursor: a place in a list as text for the client. Pure.
 *
 * Clients treat it as opaque. base64url of, little endian:
 *
 *   0  u8   LIST_CURSOR_VERSION      1 u8 direction: 0 forward, 1 backward      2 u16 zero
 *   4  u32  seal (packed.h)
 *   8  u64  hash of the parameters that it belongs to
 *  16  i64  timestamp, microseconds since 1970
 *  24  u64  rank
 *  32  i64  what `now` was for the first page, 0 where that does not matter
 *  40       name of the type, to the end; empty where the request names it
 *
 * Seal and hash find mistakes, not forgery: whoever makes a cursor by hand can ask for no
 * more than by other parameters. What is read is within its bounds whoever made it.
 */
#ifndef FCGI_LIST_CURSOR_H
#define FCGI_LIST_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "metric_store.h"
#include "slice.h"
#include "strbuf.h"

enum { LIST_CURSOR_VERSION = 1, LIST_CURSOR_TEXT_MAX = 590 };

struct list_cursor {
    bool is_backward;
    uint64_t parameters;
    struct list_place place;
    struct wall_time now;
};

/* At most LIST_CURSOR_TEXT_MAX characters. */
void list_cursor_append(const struct list_cursor *cursor, struct strbuf *out);

/* False: not a cursor, or not as it was given. The type lives in `arena`; also false when
 * that has failed. */
bool list_cursor_read(struct slice text, struct arena *arena, struct list_cursor *cursor);

#endif
