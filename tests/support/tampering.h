/*
 * tampering: what a client could do to a text that it was given sealed: base64url of bytes
 * under a seal (packed.h).
 */
#ifndef TESTS_SUPPORT_TAMPERING_H
#define TESTS_SUPPORT_TAMPERING_H

#include <stdbool.h>
#include <stddef.h>

#include "slice.h"
#include "strbuf.h"

/* Another character at any place is refused. `text` is as it was then. */
void tampering_check_characters(struct strbuf *text, bool (*accepts)(struct slice text));

/* Less of it, from either end, or up to 8 characters more is refused. `text` has room for these. */
void tampering_check_lengths(struct strbuf *text, bool (*accepts)(struct slice text));

/* Whether `bytes` are accepted once they are sealed as they should be. */
bool tampering_forge(const unsigned char *bytes, size_t len, bool (*accepts)(struct slice text));

/* The same of all but one of them, which is `byte`. */
bool tampering_forge_byte(const unsigned char *bytes, size_t len, size_t at, unsigned char byte,
                          bool (*accepts)(struct slice text));

#endif
