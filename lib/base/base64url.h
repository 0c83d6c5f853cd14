/*
 * base64url: bytes as text that may stand in a URL (RFC 4648, section 5), without padding.
 * Pure.
 */
#ifndef LIB_BASE_BASE64URL_H
#define LIB_BASE_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>

#include "slice.h"
#include "strbuf.h"

void base64url_append(struct strbuf *out, struct slice bytes);

/*
 * Read `text` into `out`, which has room for three bytes of every four characters. Strict,
 * so that no two texts give the same bytes: false for any other character, padding
 * included, an impossible length, and bits behind the last byte that are not 0.
 */
bool base64url_decode(struct slice text, unsigned char *out, size_t *len);

#endif
