/*
 * protobuf_read: the fields of a message in protobuf's wire format, one after the other, in
 * place (protobuf.dev, "Encoding"). Pure.
 *
 * A message within is bytes, read by a reader of its own: nothing recurses and nothing is held.
 * Groups, which nobody writes any more, are refused.
 */
#ifndef LIB_FORMATS_PROTOBUF_READ_H
#define LIB_FORMATS_PROTOBUF_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

enum protobuf_wire {
    PROTOBUF_VARINT = 0,
    PROTOBUF_FIXED64 = 1,
    PROTOBUF_BYTES = 2,
    PROTOBUF_FIXED32 = 5
};

struct protobuf_field {
    uint32_t number; /* 1 to 2^29 - 1 */
    enum protobuf_wire wire;
    uint64_t scalar;    /* unless PROTOBUF_BYTES; a double or an int64 as its bits */
    struct slice bytes; /* of PROTOBUF_BYTES, borrowed from the message */
};

struct protobuf_reader {
    const char *at, *end;
    bool is_broken; /* sticky: asked once, when there are no more fields */
};

static inline struct protobuf_reader protobuf_reader_of(struct slice message)
{
    const char *end = message.len ? message.ptr + message.len : message.ptr;
    return (struct protobuf_reader){message.ptr, end, false};
}

/*
 * The next field. False: there is none, or the message is broken: cut off, a length beyond its
 * end, a varint beyond 64 bits, a field number or wire type that does not exist.
 */
bool protobuf_next(struct protobuf_reader *reader, struct protobuf_field *field);

/* Whether the field that was just read is of the kind that its number stands for; of another
 * one the message counts as broken, too. */
bool protobuf_expect(struct protobuf_reader *reader, const struct protobuf_field *field,
                     enum protobuf_wire wire);

#endif
