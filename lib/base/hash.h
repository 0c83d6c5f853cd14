/*
 * hash: 64 bits over bytes. Not for secrets.
 */
#ifndef LIB_BASE_HASH_H
#define LIB_BASE_HASH_H

#include <stdint.h>

#include "slice.h"

/*
 * For tables, entity tags and marks of requests: FNV-1a (draft-eastlake-fnv) taken eight bytes a
 * step, finished by the mixer of MurmurHash3. May change from version to version.
 */
uint64_t hash_bytes(struct slice bytes, uint64_t seed);

/* For what is stored or told: FNV-1a as it stands, the same on every machine for ever. */
uint64_t hash_stable(struct slice bytes);

#endif
