/*
 * utf8: code points from bytes, as RFC 3629 has them. Pure.
 */
#ifndef LIB_BASE_UTF8_H
#define LIB_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "slice.h"

/*
 * The first code point of `text` and how many bytes it takes, 1 to 4. Returns 0, and
 * leaves `*code_point`, when none begins there: empty, cut off, overlong, a surrogate,
 * beyond U+10FFFF, or a stray byte.
 */
size_t utf8_decode(struct slice text, uint32_t *code_point);

#endif
