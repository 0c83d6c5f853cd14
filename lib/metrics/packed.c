#include "packed.h"

#include <libdeflate.h>

static uint32_t seal_of(const unsigned char *bytes, size_t len)
{
    uint32_t crc = libdeflate_crc32(0, bytes, PACKED_SEAL_AT);
    return htole32(libdeflate_crc32(crc, bytes + PACKED_SEAL_END, len - PACKED_SEAL_END));
}

void packed_seal(unsigned char *bytes, size_t len)
{
    uint32_t seal = seal_of(bytes, len);
    memcpy(bytes + PACKED_SEAL_AT, &seal, sizeof seal);
}

bool packed_is_sound(const unsigned char *bytes, size_t len)
{
    uint32_t seal = seal_of(bytes, len);
    return memcmp(bytes + PACKED_SEAL_AT, &seal, sizeof seal) == 0;
}
