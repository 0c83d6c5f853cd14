/*
 * hash: 64 bits over bytes, for tables and entity tags. Not for secrets.
 *
 * FNV-1a (draft-eastlake-fnv) taken eight bytes a step, finished by the mixer of
 * MurmurHash3. Differs between byte orders: never store it.
 */
#ifndef LIB_BASE_HASH_H
#define LIB_BASE_HASH_H

#include <stdint.h>

#include "slice.h"

uint64_t hash_bytes(struct slice bytes, uint64_t seed);

#endif
