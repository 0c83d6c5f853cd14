/*
 * write_request: messages of Prometheus remote write 1.0, from a text or by chance.
 */
#ifndef TESTS_SUPPORT_WRITE_REQUEST_H
#define TESTS_SUPPORT_WRITE_REQUEST_H

#include <stdint.h>

#include "strbuf.h"
#include "test_random.h"

/* Fields in protobuf's wire format, appended. */
void protobuf_put_varint(struct strbuf *message, uint32_t number, uint64_t value);
void protobuf_put_fixed64(struct strbuf *message, uint32_t number, uint64_t value);
void protobuf_put_fixed32(struct strbuf *message, uint32_t number, uint32_t value);
void protobuf_put_bytes(struct strbuf *message, uint32_t number, struct slice bytes);

/* The bits of a sample's value. */
#define STALE_BITS UINT64_C(0x7ff0000000000002)

void write_label(struct strbuf *series, struct slice name, struct slice value);
void write_sample(struct strbuf *series, uint64_t value_bits, int64_t at_ms);

/*
 * Append series from words: `name=value` a label, `1.5@1000` a sample (value, or stale; at
 * milliseconds), `exemplar`, `histogram`, `|` the next series. Other words end the program.
 */
void write_request_of(struct strbuf *request, const char *words);

/*
 * Append up to four series, mostly good ones: fields in any order, unknown ones among them,
 * scalars left out or there twice, varints longer than need be, labels that are wrong now and then.
 */
void write_request_random(struct strbuf *request, struct test_random *chance);

#endif
