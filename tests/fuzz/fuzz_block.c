/*
 * fuzz_block: any bytes before block_decode, as they are and under a good seal. What decodes
 * is in order and finite, and the same comes back after it is encoded again.
 *
 * Begins with blocks of generated series, and now and then with another.
 */
#include <math.h>
#include <stdlib.h>

#include "block.h"
#include "packed.h"
#include "series_generator.h"

/* What libFuzzer calls, and one thing that it lends. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t len_max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t len, size_t len_max);

static void must(bool is_so)
{
    if (!is_so)
        abort();
}

static void decode_and_back(const uint8_t *bytes, size_t len)
{
    static struct record records[CHUNK_RECORDS], again[CHUNK_RECORDS];
    static unsigned char block[BLOCK_BYTES_MAX];
    static struct column_decoder *decoder;
    size_t count, count_again;
    if (!decoder)
        must((decoder = column_decoder_new()) != NULL);
    if (!block_decode(decoder, slice_of((const char *)bytes, len), records, &count))
        return;
    must(count >= 1 && count <= CHUNK_RECORDS);
    for (size_t i = 0; i < count; i++)
        must(isfinite(records[i].value) && (i == 0 || records[i].at.us >= records[i - 1].at.us));
    size_t block_len = block_encode(NULL, records, count, block);
    must(block_len > 0 && block_len <= BLOCK_BYTES_MAX);
    must(block_decode(decoder, slice_of((const char *)block, block_len), again, &count_again));
    must(count_again == count && memcmp(again, records, count * sizeof *records) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    decode_and_back(bytes, len);
    if (len < PACKED_SEAL_END)
        return 0;
    unsigned char *sealed = malloc(len);
    must(sealed != NULL);
    memcpy(sealed, bytes, len);
    packed_seal(sealed, len);
    decode_and_back(sealed, len);
    free(sealed);
    return 0;
}

/* Some form of block, other ones for other seeds. Returns the length. */
static size_t generate(unsigned char block[static BLOCK_BYTES_MAX], unsigned seed)
{
    static struct record records[CHUNK_RECORDS];
    const int64_t intervals_us[] = {1, 1000, 1000000, 60000000};
    struct series_generator series;
    struct test_random chance = {seed + UINT64_C(0x9e3779b97f4a7c15)};
    enum series_kind kind = (enum series_kind)test_random_below(&chance, SERIES_KIND_COUNT);
    size_t count = 1 + test_random_below(&chance, test_random_below(&chance, 2) ? 300 : 10);
    series_generator_init(&series, kind, intervals_us[test_random_below(&chance, 4)],
                          (struct wall_time){INT64_C(1700000000000000)}, seed);
    for (size_t i = 0; i < count; i++) {
        series_generator_next(&series, &records[i]);
        if (test_random_below(&chance, 50) == 0)
            records[i].value = -0.0;
    }
    return block_encode(NULL, records, count, block);
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t len_max, unsigned seed)
{
    enum { MUTATIONS_PER_SERIES = 64 };
    static unsigned char block[BLOCK_BYTES_MAX];
    if (len >= PACKED_SEAL_END && seed % MUTATIONS_PER_SERIES != 0)
        return LLVMFuzzerMutate(bytes, len, len_max);
    size_t block_len = generate(block, seed);
    if (block_len > len_max)
        return LLVMFuzzerMutate(bytes, len, len_max);
    memcpy(bytes, block, block_len);
    return block_len;
}
