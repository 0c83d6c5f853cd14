#include "query.h"

#include "number.h"
#include "sample.h"

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

static bool is_escape(struct slice text, size_t i)
{
    return text.len - i >= 3 && text.ptr[i] == '%' && hex_digit(text.ptr[i + 1]) >= 0 &&
           hex_digit(text.ptr[i + 2]) >= 0;
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

bool query_spells(struct slice raw, struct slice text)
{
    size_t at = 0;
    for (size_t i = 0; i < raw.len; i++, at++) {
        char c = raw.ptr[i];
        if (is_escape(raw, i)) {
            c = (char)(hex_digit(raw.ptr[i + 1]) * 16 + hex_digit(raw.ptr[i + 2]));
            i += 2;
        }
        if (at == text.len || text.ptr[at] != c)
            return false;
    }
    return at == text.len;
}

/* No name of ours needs an escape, but a client may escape what it likes. */
static bool name_matches(struct slice raw, const char *name)
{
    return query_spells(raw, slice_from_string(name));
}

/* The next value of `name` as it stands, {NULL, 0} for none; `*rest` moves behind it. */
static struct slice find_next(struct slice *rest, const char *name)
{
    while (rest->len > 0) {
        struct slice pair = slice_cut(rest, '&');
        if (name_matches(slice_cut(&pair, '='), name))
            return pair;
    }
    return (struct slice){NULL, 0};
}

static struct slice find_last(struct slice query, const char *name)
{
    struct slice raw = {NULL, 0}, later;
    while ((later = find_next(&query, name)).ptr)
        raw = later;
    return raw;
}

static enum err_code take_value(struct slice raw, const char *name, struct arena *arena,
                                struct slice *value, struct error *err)
{
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

enum err_code query_get(struct slice query, const char *name, struct arena *arena,
                        struct slice *value, struct error *err)
{
    return take_value(find_last(query, name), name, arena, value, err);
}

enum err_code query_next(struct slice *rest, const char *name, struct arena *arena,
                         struct slice *value, struct error *err)
{
    return take_value(find_next(rest, name), name, arena, value, err);
}

enum err_code query_get_type(struct slice query, bool is_required, struct arena *arena,
                             struct slice *type, struct error *err)
{
    if (query_get(query, "type", arena, type, err) != ERR_OK || (!is_required && type->len == 0))
        return err->code;
    const char *wrong = type->ptr ? sample_check_type(*type) : "Field required";
    return wrong ? error_add_field(err, "query", "type", "%s", wrong) : ERR_OK;
}

enum err_code query_get_integer(struct slice query, const char *name, struct arena *arena,
                                int64_t min, int64_t max, int64_t *value, struct error *err)
{
    struct slice text;
    enum err_code code = query_get(query, name, arena, &text, err);
    if (code != ERR_OK || !text.ptr)
        return code;
    if (text.len > QUERY_INTEGER_BYTES_MAX || !number_parse_int64(text, min, max, value))
        return error_add_field(err, "query", name, "must be an integer from %lld to %lld",
                               (long long)min, (long long)max);
    return ERR_OK;
}

enum err_code query_get_boolean(struct slice query, const char *name, struct arena *arena,
                                bool *value, struct error *err)
{
    struct slice text;
    enum err_code code = query_get(query, name, arena, &text, err);
    if (code != ERR_OK || !text.ptr)
        return code;
    *value = slice_equals(text, SLICE("true"));
    if (*value || slice_equals(text, SLICE("false")))
        return ERR_OK;
    return error_add_field(err, "query", name, "must be true or false");
}

/* Unreserved characters (RFC 3986), and those that mean themselves here. */
static bool is_plain(char c)
{
    bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return is_letter || (c >= '0' && c <= '9') || (c != '\0' && strchr("-._~=+:/@", c));
}

static void append_encoded(struct slice text, struct strbuf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        if (is_plain(text.ptr[i]) || is_escape(text, i))
            strbuf_append_char(out, text.ptr[i]);
        else
            strbuf_printf(out, "%%%02X", (unsigned)(unsigned char)text.ptr[i]);
    }
}

void query_append_known(struct slice query, const char *const *names, struct strbuf *out)
{
    for (; *names; names++) {
        struct slice raw = find_last(query, *names);
        if (!raw.ptr)
            continue;
        strbuf_printf(out, "%s=", *names);
        append_encoded(raw, out);
        strbuf_append_char(out, '&');
    }
}
