#include "hash.h"

#include <endian.h>

static const uint64_t FNV_PRIME = 0x100000001b3u;
static const uint64_t FNV_BASIS = 0xcbf29ce484222325u;

uint64_t hash_bytes(struct slice bytes, uint64_t seed)
{
    uint64_t h = FNV_BASIS ^ seed;
    const char *p = bytes.ptr;
    size_t left = bytes.len;
    for (; left >= 8; left -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = (h ^ le64toh(word)) * FNV_PRIME;
        h ^= h >> 29;
    }
    for (; left > 0; left--, p++)
        h = (h ^ (unsigned char)*p) * FNV_PRIME;
    h ^= bytes.len;
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdu;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53u;
    return h ^ (h >> 33);
}

uint64_t hash_stable(struct slice bytes)
{
    uint64_t h = FNV_BASIS;
    for (size_t i = 0; i < bytes.len; i++)
        h = (h ^ (unsigned char)bytes.ptr[i]) * FNV_PRIME;
    return h;
}
