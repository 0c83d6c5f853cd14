#include "list_cursor.h"

#include "base64url.h"
#include "iso8601.h"
#include "packed.h"

enum { HEAD_BYTES = 40, CURSOR_BYTES_MAX = HEAD_BYTES + TYPE_BYTES_MAX };

void list_cursor_append(const struct list_cursor *cursor, struct strbuf *out)
{
    unsigned char bytes[CURSOR_BYTES_MAX] = {LIST_CURSOR_VERSION, cursor->is_backward};
    struct slice type = cursor->place.type;
    packed_put_u64(bytes + 8, cursor->parameters);
    packed_put_u64(bytes + 16, (uint64_t)cursor->place.at.us);
    packed_put_u64(bytes + 24, cursor->place.rank);
    packed_put_u64(bytes + 32, (uint64_t)cursor->now.us);
    if (type.len > 0)
        memcpy(bytes + HEAD_BYTES, type.ptr, type.len);
    packed_seal(bytes, HEAD_BYTES + type.len);
    base64url_append(out, slice_of((const char *)bytes, HEAD_BYTES + type.len));
}

bool list_cursor_read(struct slice text, struct arena *arena, struct list_cursor *cursor)
{
    size_t len;
    unsigned char *bytes = arena_alloc(arena, text.len + 1);
    if (!bytes || !base64url_decode(text, bytes, &len) || len < HEAD_BYTES ||
        len > CURSOR_BYTES_MAX || !packed_is_sound(bytes, len))
        return false;
    struct slice type = slice_of((const char *)bytes + HEAD_BYTES, len - HEAD_BYTES);
    cursor->is_backward = bytes[1] == 1;
    cursor->parameters = packed_u64(bytes + 8);
    cursor->place =
        (struct list_place){{(int64_t)packed_u64(bytes + 16)}, type, packed_u64(bytes + 24)};
    cursor->now = (struct wall_time){(int64_t)packed_u64(bytes + 32)};
    return bytes[0] == LIST_CURSOR_VERSION && bytes[1] <= 1 && packed_u16(bytes + 2) == 0 &&
           iso8601_has_text(cursor->place.at) && iso8601_has_text(cursor->now) &&
           (type.len == 0 || !sample_check_type(type));
}
