/*
 * block_sizes: what blocks (block.h) of generated series take, in bytes and in time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "series_generator.h"

enum { BLOCKS = 20, DECODE_ROUNDS = 20, SEED = 7 };

static const char help[] =
    "block_sizes: what blocks of generated series take\n"
    "\n"
    "  block_sizes\n"
    "\n"
    "Prints a line for each kind of series, at one sample a second in blocks of 3600 and at\n"
    "one a minute in blocks of 1440, separated by tabs: kind, interval in seconds, bytes a\n"
    "sample, microseconds to encode a block, nanoseconds to decode a record.\n";

static const struct {
    int interval_s;
    size_t records;
} shapes[] = {{1, 3600}, {60, 1440}};

struct cost {
    size_t bytes;
    int64_t encode_us, decode_us;
};

static int64_t us_since(struct mono_time start)
{
    return mono_us_between(start, clock_mono_now());
}

static void add_block(struct column_decoder *decoder, struct series_generator *series,
                      size_t records, struct cost *cost)
{
    static struct record in[CHUNK_RECORDS], out[CHUNK_RECORDS];
    static unsigned char block[BLOCK_BYTES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < records; i++)
        series_generator_next(series, &in[i]);
    struct mono_time start = clock_mono_now();
    size_t len = block_encode(NULL, in, records, block);
    cost->encode_us += us_since(start);
    cost->bytes += len;
    start = clock_mono_now();
    for (int i = 0; i < DECODE_ROUNDS; i++) {
        if (!block_decode(decoder, slice_of((const char *)block, len), out, &count)) {
            (void)fputs("block_sizes: a block does not come back\n", stderr);
            exit(1);
        }
    }
    cost->decode_us += us_since(start);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        bool is_help = strcmp(argv[1], "--help") == 0;
        (void)fputs(help, is_help ? stdout : stderr);
        return is_help ? 0 : 2;
    }
    struct column_decoder *decoder = column_decoder_new();
    if (!decoder) {
        (void)fputs("block_sizes: no memory\n", stderr);
        return 1;
    }
    (void)puts("kind\tinterval_s\tbytes_per_sample\tencode_us_per_block\tdecode_ns_per_record");
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (int kind = 0; kind < SERIES_KIND_COUNT; kind++) {
            struct series_generator series;
            struct cost cost = {0};
            series_generator_init(&series, (enum series_kind)kind,
                                  shapes[i].interval_s * INT64_C(1000000),
                                  (struct wall_time){INT64_C(1700000000000000)}, SEED);
            for (int j = 0; j < BLOCKS; j++)
                add_block(decoder, &series, shapes[i].records, &cost);
            double records = (double)shapes[i].records * BLOCKS;
            (void)printf("%s\t%d\t%.3f\t%.0f\t%.1f\n", series_kind_name((enum series_kind)kind),
                         shapes[i].interval_s, (double)cost.bytes / records,
                         (double)cost.encode_us / BLOCKS,
                         (double)cost.decode_us * 1000.0 / records / DECODE_ROUNDS);
        }
    }
    column_decoder_free(decoder);
    return 0;
}
