#include "query.h"

#include <stdint.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes into `out`, which has room for the whole of `text`. False: a bad escape. */
static bool decode(struct slice text, char *out, size_t *len)
{
    *len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            if (text.len - i < 3)
                return false;
            int high = hex_digit(text.ptr[i + 1]), low = hex_digit(text.ptr[i + 2]);
            if (high < 0 || low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        out[(*len)++] = c;
    }
    return true;
}

/* Names are compared decoded, byte by byte and without memory: no name of ours needs
 * an escape, but a client may escape what it likes. */
static bool name_matches(struct slice raw, const char *name)
{
    size_t at = 0;
    for (size_t i = 0; i < raw.len; i++, at++) {
        char c = raw.ptr[i];
        if (c == '%' && raw.len - i >= 3 && hex_digit(raw.ptr[i + 1]) >= 0 &&
            hex_digit(raw.ptr[i + 2]) >= 0) {
            c = (char)(hex_digit(raw.ptr[i + 1]) * 16 + hex_digit(raw.ptr[i + 2]));
            i += 2;
        }
        if (name[at] == '\0' || name[at] != c)
            return false;
    }
    return name[at] == '\0';
}

static struct slice cut(struct slice *rest, char separator)
{
    const char *end = rest->len ? memchr(rest->ptr, separator, rest->len) : NULL;
    struct slice head = end ? slice_of(rest->ptr, (size_t)(end - rest->ptr)) : *rest;
    size_t taken = end ? head.len + 1 : head.len;
    *rest = slice_of(rest->ptr + taken, rest->len - taken);
    return head;
}

enum err_code query_get(struct slice query, const char *name, struct arena *arena,
                        struct slice *value, struct error *err)
{
    struct slice raw = {NULL, 0};
    while (query.len > 0) {
        struct slice pair = cut(&query, '&');
        if (name_matches(cut(&pair, '='), name))
            raw = pair;
    }
    *value = (struct slice){NULL, 0};
    if (!raw.ptr)
        return ERR_OK;
    char *bytes = arena_alloc(arena, raw.len + 1);
    if (!bytes)
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    size_t len;
    if (!decode(raw, bytes, &len)) {
        return error_add_field(err, "query", name,
                               "invalid percent-encoding: %% must be followed by two "
                               "hexadecimal digits");
    }
    *value = slice_of(bytes, len);
    return ERR_OK;
}
