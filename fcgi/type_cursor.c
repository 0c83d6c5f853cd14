#include "type_cursor.h"

#include <assert.h>

#include "base64url.h"
#include "packed.h"
#include "sample.h"

enum { HEAD_BYTES = 16, CURSOR_BYTES_MAX = HEAD_BYTES + TYPE_BYTES_MAX };
static_assert(TYPE_CURSOR_TEXT_MAX == (4 * CURSOR_BYTES_MAX + 2) / 3, "four for every three");

void type_cursor_append(const struct type_cursor *cursor, struct strbuf *out)
{
    unsigned char bytes[CURSOR_BYTES_MAX] = {TYPE_CURSOR_VERSION};
    struct slice name = cursor->name;
    assert(name.len >= 1 && name.len <= TYPE_BYTES_MAX);
    packed_put_u64(bytes + 8, cursor->match);
    memcpy(bytes + HEAD_BYTES, name.ptr, name.len);
    packed_seal(bytes, HEAD_BYTES + name.len);
    base64url_append(out, slice_of((const char *)bytes, HEAD_BYTES + name.len));
}

bool type_cursor_read(struct slice text, struct arena *arena, struct type_cursor *cursor)
{
    size_t len;
    unsigned char *bytes = arena_alloc(arena, text.len + 1);
    if (!bytes || !base64url_decode(text, bytes, &len) || len <= HEAD_BYTES ||
        len > CURSOR_BYTES_MAX || !packed_is_sound(bytes, len))
        return false;
    cursor->match = packed_u64(bytes + 8);
    cursor->name = slice_of((const char *)bytes + HEAD_BYTES, len - HEAD_BYTES);
    return bytes[0] == TYPE_CURSOR_VERSION && bytes[1] == 0 && packed_u16(bytes + 2) == 0;
}
