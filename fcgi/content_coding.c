#include "content_coding.h"

#include <libdeflate.h>

/* What is left of a body, and of the room for what it stands for. */
struct decoding {
    struct libdeflate_decompressor *decompressor;
    struct slice in;
    char *out;
    size_t written, bytes_max;
};

typedef enum libdeflate_result decompress_function(struct libdeflate_decompressor *decompressor,
                                                   const void *in, size_t in_bytes, void *out,
                                                   size_t out_bytes, size_t *in_used,
                                                   size_t *out_used);

static enum libdeflate_result decode_with(struct decoding *d, decompress_function *decompress)
{
    size_t read, made;
    enum libdeflate_result result =
        decompress(d->decompressor, d->in.ptr, d->in.len, d->out + d->written,
                   d->bytes_max - d->written, &read, &made);
    if (result == LIBDEFLATE_SUCCESS) {
        d->in = slice_of(d->in.ptr + read, d->in.len - read);
        d->written += made;
    }
    return result;
}

static enum libdeflate_result decode_gzip(struct decoding *d)
{
    enum libdeflate_result result;
    do
        result = decode_with(d, libdeflate_gzip_decompress_ex);
    while (result == LIBDEFLATE_SUCCESS && d->in.len > 0);
    return result;
}

static enum libdeflate_result decode_deflate(struct decoding *d)
{
    enum libdeflate_result result = decode_with(d, libdeflate_zlib_decompress_ex);
    if (result == LIBDEFLATE_BAD_DATA)
        result = decode_with(d, libdeflate_deflate_decompress_ex);
    return result == LIBDEFLATE_SUCCESS && d->in.len > 0 ? LIBDEFLATE_BAD_DATA : result;
}

static const struct {
    struct slice name;
    enum libdeflate_result (*decode)(struct decoding *d);
} codings[] = {
    {{"gzip", 4}, decode_gzip},
    {{"x-gzip", 6}, decode_gzip},
    {{"deflate", 7}, decode_deflate},
};

static enum err_code decode(enum libdeflate_result (*decode_all)(struct decoding *d),
                            struct decoding *d, struct error *err)
{
    if (!d->out || !d->decompressor)
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    switch (decode_all(d)) {
    case LIBDEFLATE_SUCCESS:
        return ERR_OK;
    case LIBDEFLATE_INSUFFICIENT_SPACE:
        return error_set(err, ERR_PAYLOAD_TOO_LARGE,
                         "The body may have %zu bytes at most, also without its Content-Encoding",
                         d->bytes_max);
    default:
        return error_set(err, ERR_BAD_REQUEST,
                         "The body is not what Content-Encoding says: it is damaged, cut off, or "
                         "goes on behind its end");
    }
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
        struct decoding d = {.decompressor = libdeflate_alloc_decompressor(),
                             .in = *body,
                             .out = arena_alloc(arena, bytes_max + 1),
                             .bytes_max = bytes_max};
        enum err_code code = decode(codings[i].decode, &d, err);
        libdeflate_free_decompressor(d.decompressor);
        if (code == ERR_OK)
            *body = slice_of(d.out, d.written);
        return code;
    }
    return error_set(err, ERR_UNSUPPORTED_CODING,
                     "Content-Encoding must be one of gzip, deflate and identity");
}
