#include "etag.h"

#include <stdio.h>

#include "hash.h"

bool etag_matches(struct slice listed, struct slice etag)
{
    while (listed.len > 0) {
        struct slice tag = slice_trim(slice_cut(&listed, ','));
        if (slice_starts_with(tag, SLICE("W/")))
            tag = slice_of(tag.ptr + 2, tag.len - 2);
        if (slice_equals(tag, etag) || slice_equals(tag, SLICE("*")))
            return true;
    }
    return false;
}

bool etag_answer_hashed(const struct request *req, struct response *res, uint64_t body_hash)
{
    char etag[24];
    (void)snprintf(etag, sizeof etag, "\"%016llx\"", (unsigned long long)body_hash);
    res->cache_control = "no-cache";
    response_header(res, "ETag", "%s", etag);
    if (!etag_matches(req->if_none_match, slice_from_string(etag)))
        return false;
    res->status = 304;
    res->has_body = false;
    return true;
}

uint64_t etag_hash(struct slice body)
{
    return hash_bytes(body, 0);
}

void etag_answer(const struct request *req, struct response *res)
{
    (void)etag_answer_hashed(req, res, etag_hash(strbuf_slice(&res->body)));
}
