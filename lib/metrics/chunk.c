#include "chunk.h"

#include "packed.h"

size_t chunk_seal(struct column_encoder *encoder, const struct record *records, size_t count,
                  unsigned char out[static CHUNK_SEALED_BYTES_MAX])
{
    struct aggregate a;
    aggregate_init(&a, true);
    aggregate_add_run(&a, records, count);
    size_t head = aggregate_failed(&a) ? 0 : aggregate_pack(&a, out);
    aggregate_release(&a);
    if (head == 0)
        return 0;
    size_t block = block_encode(encoder, records, count, out + head);
    return block == 0 ? 0 : head + block;
}

struct slice chunk_aggregate(struct slice chunk)
{
    size_t stamp = chunk.len < CHUNK_STAMP_BYTES ? chunk.len : CHUNK_STAMP_BYTES;
    return slice_of(chunk.ptr + stamp, chunk.len - stamp);
}

struct slice chunk_block(struct slice chunk)
{
    if (chunk.len < CHUNK_MOMENTS_BYTES)
        return slice_of(chunk.ptr, 0);
    const unsigned char *moments = (const unsigned char *)chunk.ptr + CHUNK_STAMP_BYTES;
    size_t head = CHUNK_MOMENTS_BYTES + (size_t)packed_u16(moments + 2);
    return head < chunk.len ? slice_of(chunk.ptr + head, chunk.len - head) : slice_of(chunk.ptr, 0);
}
