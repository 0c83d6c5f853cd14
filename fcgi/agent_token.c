#include "agent_token.h"

#include "base64url.h"
#include "query.h"

/* What follows a scheme and a blank; {NULL, 0}: it is another scheme. */
static struct slice after_scheme(struct slice authorization, struct slice scheme)
{
    struct slice rest = authorization, found = slice_cut(&rest, ' ');
    if (!slice_equals_ignoring_case(found, scheme))
        return (struct slice){NULL, 0};
    return slice_trim(rest);
}

struct slice agent_token_bearer(struct slice authorization)
{
    return after_scheme(authorization, SLICE("Bearer"));
}

/* What follows the first colon, if there is one. */
static struct slice without_user(struct slice credentials)
{
    struct slice rest = credentials;
    (void)slice_cut(&rest, ':');
    return rest.ptr && memchr(credentials.ptr, ':', credentials.len) ? rest : credentials;
}

/* RFC 4648, section 4: another alphabet, and padding. */
static struct slice decode_base64(struct arena *arena, struct slice text)
{
    while (text.len > 0 && text.ptr[text.len - 1] == '=')
        text.len--;
    char *url = arena_alloc(arena, text.len + 1);
    unsigned char *bytes = arena_alloc(arena, text.len + 1);
    size_t len;
    if (!url || !bytes)
        return SLICE("");
    for (size_t i = 0; i < text.len; i++)
        url[i] = text.ptr[i] == '+' ? '-' : text.ptr[i] == '/' ? '_' : text.ptr[i];
    if (!base64url_decode(slice_of(url, text.len), bytes, &len))
        return SLICE("");
    return slice_of((const char *)bytes, len);
}

struct slice agent_token_find(const struct request *req)
{
    struct slice token = agent_token_bearer(req->authorization);
    if (token.ptr)
        return token;
    token = after_scheme(req->authorization, SLICE("Token"));
    if (token.ptr)
        return without_user(token);
    token = after_scheme(req->authorization, SLICE("Basic"));
    if (token.ptr)
        return without_user(decode_base64(req->arena, token));
    struct error err;
    error_init(&err);
    if (req->authorization.len > 0 ||
        query_get(req->query, "p", req->arena, &token, &err) != ERR_OK || !token.ptr)
        return SLICE("");
    return token;
}
