/*
 * type_cursor: a place among the names of types as text for the client. Pure.
 *
 * Clients treat it as opaque. base64url of, little endian:
 *
 *   0  u8   TYPE_CURSOR_VERSION, which is none of list_cursor's      1 three bytes of zero
 *   4  u32  seal (packed.h)
 *   8  u64  hash of the pattern that it belongs to
 *  16       name behind which the next page begins, to the end
 *
 * As with list_cursor, seal and hash find mistakes, not forgery: whoever makes one by hand
 * begins where they like.
 */
#ifndef FCGI_TYPE_CURSOR_H
#define FCGI_TYPE_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "slice.h"
#include "strbuf.h"

enum { TYPE_CURSOR_VERSION = 129, TYPE_CURSOR_TEXT_MAX = 555 };

struct type_cursor {
    uint64_t match;
    struct slice name; /* 1 to TYPE_BYTES_MAX bytes, perhaps no name that a type can have */
};

/* At most TYPE_CURSOR_TEXT_MAX characters. */
void type_cursor_append(const struct type_cursor *cursor, struct strbuf *out);

/* False: not a cursor, or not as it was given. The name lives in `arena`; also false when
 * that has failed. */
bool type_cursor_read(struct slice text, struct arena *arena, struct type_cursor *cursor);

#endif
