#include "protobuf_read.h"

enum { VARINT_BYTES_MAX = 10, WIRE_BITS = 3, FIELD_NUMBER_MAX = (1 << 29) - 1 };

static bool stop(struct protobuf_reader *reader)
{
    reader->is_broken = true;
    reader->at = reader->end;
    return false;
}

static bool read_long_varint(struct protobuf_reader *reader, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < VARINT_BYTES_MAX && reader->at < reader->end; i++) {
        unsigned char c = (unsigned char)*reader->at++;
        *value |= (uint64_t)(c & 0x7f) << (7 * i);
        if (c < 0x80)
            return i + 1 < VARINT_BYTES_MAX || c <= 1 || stop(reader);
    }
    return stop(reader);
}

/* Tags and lengths have one byte mostly. */
static inline bool read_varint(struct protobuf_reader *reader, uint64_t *value)
{
    if (reader->at == reader->end || (unsigned char)*reader->at >= 0x80)
        return read_long_varint(reader, value);
    *value = (unsigned char)*reader->at++;
    return true;
}

static bool read_fixed(struct protobuf_reader *reader, unsigned bytes, uint64_t *value)
{
    if ((size_t)(reader->end - reader->at) < bytes)
        return stop(reader);
    *value = 0;
    for (unsigned i = 0; i < bytes; i++)
        *value |= (uint64_t)(unsigned char)reader->at[i] << (8 * i);
    reader->at += bytes;
    return true;
}

static bool read_bytes(struct protobuf_reader *reader, struct slice *bytes)
{
    uint64_t len;
    if (!read_varint(reader, &len))
        return false;
    if (len > (uint64_t)(reader->end - reader->at))
        return stop(reader);
    *bytes = slice_of(reader->at, (size_t)len);
    reader->at += len;
    return true;
}

bool protobuf_next(struct protobuf_reader *reader, struct protobuf_field *field)
{
    uint64_t tag;
    if (reader->at == reader->end || !read_varint(reader, &tag))
        return false;
    uint64_t number = tag >> WIRE_BITS;
    if (number == 0 || number > FIELD_NUMBER_MAX)
        return stop(reader);
    field->number = (uint32_t)number;
    field->wire = (enum protobuf_wire)(tag & ((1 << WIRE_BITS) - 1));
    switch (field->wire) {
    case PROTOBUF_VARINT:
        return read_varint(reader, &field->scalar);
    case PROTOBUF_FIXED64:
        return read_fixed(reader, 8, &field->scalar);
    case PROTOBUF_FIXED32:
        return read_fixed(reader, 4, &field->scalar);
    case PROTOBUF_BYTES:
        return read_bytes(reader, &field->bytes);
    }
    return stop(reader);
}

bool protobuf_expect(struct protobuf_reader *reader, const struct protobuf_field *field,
                     enum protobuf_wire wire)
{
    return field->wire == wire || stop(reader);
}
