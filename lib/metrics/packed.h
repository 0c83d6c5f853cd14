/*
 * packed: fixed fields at fixed places, little endian, and a seal over them. Pure.
 *
 * The seal is FNV-1a (32 bits) of everything but the seal itself, kept in bytes 4 to
 * 7. It finds damage, every change of a single byte for certain; it proves no origin.
 */
#ifndef LIB_METRICS_PACKED_H
#define LIB_METRICS_PACKED_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { PACKED_SEAL_AT = 4, PACKED_SEAL_END = 8 };

static inline void packed_put_u16(unsigned char *out, uint16_t value)
{
    value = htole16(value);
    memcpy(out, &value, sizeof value);
}

static inline uint16_t packed_u16(const unsigned char *in)
{
    uint16_t value;
    memcpy(&value, in, sizeof value);
    return le16toh(value);
}

static inline void packed_put_u64(unsigned char *out, uint64_t value)
{
    value = htole64(value);
    memcpy(out, &value, sizeof value);
}

static inline uint64_t packed_u64(const unsigned char *in)
{
    uint64_t value;
    memcpy(&value, in, sizeof value);
    return le64toh(value);
}

static inline void packed_put_f64(unsigned char *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    packed_put_u64(out, bits);
}

static inline double packed_f64(const unsigned char *in)
{
    uint64_t bits = packed_u64(in);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t packed_fnv1a(uint32_t hash, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * UINT32_C(16777619);
    return hash;
}

/* `len` >= PACKED_SEAL_END. */
static inline uint32_t packed_seal_of(const unsigned char *bytes, size_t len)
{
    uint32_t hash = packed_fnv1a(UINT32_C(2166136261), bytes, PACKED_SEAL_AT);
    return htole32(packed_fnv1a(hash, bytes + PACKED_SEAL_END, len - PACKED_SEAL_END));
}

/* `len` >= 8, everything else in place. */
static inline void packed_seal(unsigned char *bytes, size_t len)
{
    uint32_t seal = packed_seal_of(bytes, len);
    memcpy(bytes + PACKED_SEAL_AT, &seal, sizeof seal);
}

static inline bool packed_is_sound(const unsigned char *bytes, size_t len)
{
    uint32_t seal = packed_seal_of(bytes, len);
    return memcmp(bytes + PACKED_SEAL_AT, &seal, sizeof seal) == 0;
}

#endif
