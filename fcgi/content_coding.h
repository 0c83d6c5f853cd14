/*
 * content_coding: a body before and under its Content-Encoding (RFC 9110, section 8.4). Pure.
 *
 * One coding at most: gzip (RFC 1952, also of several members), deflate (RFC 1950, or the bare
 * RFC 1951 that some send under that name), snappy (its block format, without frames, as
 * Prometheus's remote write sends it; it has no check sum) or identity.
 */
#ifndef FCGI_CONTENT_CODING_H
#define FCGI_CONTENT_CODING_H

#include <stdbool.h>

#include "arena.h"
#include "error.h"
#include "slice.h"
#include "strbuf.h"

#define CONTENT_CODINGS "gzip, deflate, snappy"

/*
 * In place of `*body` what it stands for, in `arena`; as it is where `coding` is empty or
 * identity. ERR_UNSUPPORTED_CODING: another coding, or several. ERR_BAD_REQUEST: damaged, cut
 * off, or with something behind its end. ERR_PAYLOAD_TOO_LARGE: of more than `bytes_max` bytes;
 * no more are ever made of it, and of snappy, which says its length first, none. ERR_NO_MEMORY.
 */
enum err_code content_decode(struct slice coding, size_t bytes_max, struct arena *arena,
                             struct slice *body, struct error *err)
    __attribute__((warn_unused_result));

/* In place of `body` the same as gzip. False: no memory, and it stays. */
bool content_encode_gzip(struct strbuf *body) __attribute__((warn_unused_result));

#endif
