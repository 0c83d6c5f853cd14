#include "content_coding.h"

#include <libdeflate.h>
#include <snappy-c.h>
#include <stdlib.h>

enum outcome { DECODED, DAMAGED, TOO_LARGE, OUT_OF_MEMORY };

/* What is left of a body, and what was made of it. */
struct decoding {
    struct arena *arena;
    struct slice in;
    char *out;
    size_t written, bytes_max;
};

typedef enum libdeflate_result decompress_function(struct libdeflate_decompressor *decompressor,
                                                   const void *in, size_t in_bytes, void *out,
                                                   size_t out_bytes, size_t *in_used,
                                                   size_t *out_used);

static enum libdeflate_result inflate_once(struct decoding *d,
                                           struct libdeflate_decompressor *decompressor,
                                           decompress_function *decompress)
{
    size_t read, made;
    enum libdeflate_result result =
        decompress(decompressor, d->in.ptr, d->in.len, d->out + d->written,
                   d->bytes_max - d->written, &read, &made);
    if (result == LIBDEFLATE_SUCCESS) {
        d->in = slice_of(d->in.ptr + read, d->in.len - read);
        d->written += made;
    }
    return result;
}

static enum libdeflate_result inflate_members(struct decoding *d,
                                              struct libdeflate_decompressor *decompressor)
{
    enum libdeflate_result result;
    do
        result = inflate_once(d, decompressor, libdeflate_gzip_decompress_ex);
    while (result == LIBDEFLATE_SUCCESS && d->in.len > 0);
    return result;
}

static enum libdeflate_result inflate_stream(struct decoding *d,
                                             struct libdeflate_decompressor *decompressor)
{
    enum libdeflate_result result = inflate_once(d, decompressor, libdeflate_zlib_decompress_ex);
    if (result == LIBDEFLATE_BAD_DATA)
        result = inflate_once(d, decompressor, libdeflate_deflate_decompress_ex);
    return result == LIBDEFLATE_SUCCESS && d->in.len > 0 ? LIBDEFLATE_BAD_DATA : result;
}

static enum outcome inflate(struct decoding *d,
                            enum libdeflate_result (*inflate_all)(
                                struct decoding *d, struct libdeflate_decompressor *decompressor))
{
    struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
    d->out = arena_alloc(d->arena, d->bytes_max + 1);
    enum outcome outcome = OUT_OF_MEMORY;
    if (d->out && decompressor) {
        enum libdeflate_result result = inflate_all(d, decompressor);
        outcome = result == LIBDEFLATE_SUCCESS              ? DECODED
                  : result == LIBDEFLATE_INSUFFICIENT_SPACE ? TOO_LARGE
                                                            : DAMAGED;
    }
    libdeflate_free_decompressor(decompressor);
    return outcome;
}

static enum outcome decode_gzip(struct decoding *d)
{
    return inflate(d, inflate_members);
}

static enum outcome decode_deflate(struct decoding *d)
{
    return inflate(d, inflate_stream);
}

/* Its length stands in front, and is taken at its word only within the limit. */
static enum outcome decode_snappy(struct decoding *d)
{
    size_t len;
    if (snappy_uncompressed_length(d->in.ptr, d->in.len, &len) != SNAPPY_OK)
        return DAMAGED;
    if (len > d->bytes_max)
        return TOO_LARGE;
    d->out = arena_alloc(d->arena, len + 1);
    if (!d->out)
        return OUT_OF_MEMORY;
    if (snappy_uncompress(d->in.ptr, d->in.len, d->out, &len) != SNAPPY_OK)
        return DAMAGED;
    d->written = len;
    return DECODED;
}

static const struct {
    struct slice name;
    enum outcome (*decode)(struct decoding *d);
} codings[] = {
    {{"gzip", 4}, decode_gzip},
    {{"x-gzip", 6}, decode_gzip},
    {{"deflate", 7}, decode_deflate},
    {{"snappy", 6}, decode_snappy},
};

static enum err_code explain(enum outcome outcome, size_t bytes_max, struct error *err)
{
    switch (outcome) {
    case DECODED:
        return ERR_OK;
    case DAMAGED:
        return error_set(err, ERR_BAD_REQUEST,
                         "The body is not what Content-Encoding says: it is damaged, cut off, or "
                         "goes on behind its end");
    case TOO_LARGE:
        return error_set(err, ERR_PAYLOAD_TOO_LARGE,
                         "The body may have %zu bytes at most, also without its Content-Encoding",
                         bytes_max);
    case OUT_OF_MEMORY:
        break;
    }
    return error_set(err, ERR_NO_MEMORY, "Out of memory");
}

enum err_code content_decode(struct slice coding, size_t bytes_max, struct arena *arena,
                             struct slice *body, struct error *err)
{
    coding = slice_trim(coding);
    if (coding.len == 0 || slice_equals_ignoring_case(coding, SLICE("identity")))
        return ERR_OK;
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++) {
        if (!slice_equals_ignoring_case(coding, codings[i].name))
            continue;
        struct decoding d = {.arena = arena, .in = *body, .bytes_max = bytes_max};
        enum outcome outcome = codings[i].decode(&d);
        if (outcome == DECODED)
            *body = slice_of(d.out, d.written);
        return explain(outcome, bytes_max, err);
    }
    return error_set(err, ERR_UNSUPPORTED_CODING,
                     "Content-Encoding must be one of gzip, deflate, snappy and identity");
}

bool content_encode_gzip(struct strbuf *body)
{
    enum { FASTEST = 1 };
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(FASTEST);
    size_t room = compressor ? libdeflate_gzip_compress_bound(compressor, body->len) : 0;
    char *out = room > 0 ? malloc(room) : NULL;
    size_t len = out ? libdeflate_gzip_compress(compressor, body->bytes, body->len, out, room) : 0;
    libdeflate_free_compressor(compressor);
    if (len > 0) {
        strbuf_reset(body);
        strbuf_append(body, out, len);
    }
    free(out);
    return len > 0;
}
