#include "etag.h"

#include <stdio.h>

#include "accept.h"
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
    (void)snprintf(res->etag, sizeof res->etag, "\"%016llx\"", (unsigned long long)body_hash);
    res->cache_control = "no-cache";
    /* Weak where the answer may be compressed: one tag for both forms. */
    bool is_weak = accept_takes(req->accept_encoding, SLICE("gzip"));
    response_header(res, "ETag", "%s%s", is_weak ? "W/" : "", res->etag);
    return etag_is_had(req, res);
}

bool etag_is_had(const struct request *req, struct response *res)
{
    if (!res->etag[0] || !etag_matches(req->if_none_match, slice_from_string(res->etag)))
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
