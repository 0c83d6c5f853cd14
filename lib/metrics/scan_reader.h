/*
 * scan_reader: what Redis holds of a type within a window of time, in pages of pieces
 * (scripts/scan.lua), and the whole bytes of those chunks that are wanted.
 *
 * Each page, and each lot of chunks, is as of one instant. Between two of them chunks may be
 * moved (gathered, folded, deleted): then the reader says so, and what it told is to be
 * forgotten. One thread at a time.
 */
#ifndef LIB_METRICS_SCAN_READER_H
#define LIB_METRICS_SCAN_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "error.h"
#include "redis_client.h"
#include "redis_keys.h"
#include "slice.h"
#include "span.h"

struct scan_options {
    struct slice type;
    struct wall_time from, to; /* [from, to) */
    enum span_level rollups;   /* the largest span that may be told as one aggregate */
    bool has_histograms;       /* aggregates come with theirs */
    bool is_backward;          /* newest first; no rollups then */
    size_t fetch_max;          /* chunks read at once, 1 to SCAN_FETCH_MAX */
    size_t pieces_max;         /* chunks and spans seen at once; 0: SCAN_PIECES_MAX */
    bool reads_ahead;          /* a lot of chunks while the last one is looked at */
};

enum { SCAN_FETCH_MAX = 16, SCAN_PIECES_MAX = 512, SCAN_INTEGER_BYTES = 24 };

/* scripts/scan.lua says what they are. */
enum piece_kind {
    PIECE_BASE = 'b',
    PIECE_CHUNK = 'c',
    PIECE_RAW = 'r',
    PIECE_ROLLUP = 'a',
    PIECE_SPAN_BEGIN = '<',
    PIECE_SPAN_END = '>',
    PIECE_OPEN = 'o'
};

/* Bytes are borrowed from the page. */
struct piece {
    enum piece_kind kind;
    struct span span;
    int64_t number;
    struct slice bytes;
};

enum scan_state { SCAN_GOES_ON, SCAN_IS_DONE, SCAN_WAS_MOVED };

/* Chunks that are read at once. */
struct scan_lot {
    struct redis_job *chunks_job, *layout_job; /* under way; NULL: not */
    struct redisReply *chunks;
    size_t count, next;
    struct {
        size_t piece, at; /* its index in the page; that of its bytes in the reply */
        bool may_be_raw;  /* then those are at the next */
    } wanted[SCAN_FETCH_MAX];
};

struct scan_reader {
    struct redis_client *client;
    const struct scan_options *options;
    struct mono_time deadline;
    struct redis_key stem;

    enum scan_state state;
    enum span_level rollups; /* options->rollups, or less where those are not to be trusted */
    bool is_start;
    int64_t first_hour, last_hour; /* of what is left */
    int64_t from_chunk;
    char layout[SCAN_INTEGER_BYTES];

    struct redisReply *page;
    size_t piece_count; /* of the page */

    struct scan_lot lots[2];
    size_t lot; /* the one that is looked at; the other is read ahead */
    struct redis_key keys[2 * SCAN_FETCH_MAX];
};

/* What is passed must outlive the reader. */
void scan_reader_init(struct scan_reader *reader, struct redis_client *client,
                      const struct scan_options *options, struct mono_time deadline);
void scan_reader_release(struct scan_reader *reader);

/* From the beginning again. */
void scan_reader_start(struct scan_reader *reader);

/*
 * The next page, in place of the last one; `state` is then SCAN_IS_DONE after the last, or
 * SCAN_WAS_MOVED. One round trip. ERR_STORE_UNAVAILABLE also when the deadline has passed, and
 * tells then which question would do.
 */
enum err_code scan_reader_turn_page(struct scan_reader *reader, struct error *err)
    __attribute__((warn_unused_result));

/* Sealed: stamp, aggregate and block (chunk.h); else records, or empty where there are none. */
struct scan_chunk {
    bool is_sealed;
    struct slice bytes;
};

/* The piece at `index` of the page; one that the script never writes is ERR_INTERNAL. */
enum err_code scan_reader_piece(const struct scan_reader *reader, size_t index, struct piece *piece,
                                struct error *err) __attribute__((warn_unused_result));

/*
 * Whole chunk of the piece at `index`, a PIECE_CHUNK or PIECE_RAW; borrowed until the next
 * call. Call it in the order of pieces. What was not read yet takes two round trips, which
 * also read up to fetch_max - 1 of the chunks behind it that `is_wanted`, before the next
 * span begins or ends. Nothing is told when `state` is SCAN_WAS_MOVED then.
 */
enum err_code scan_reader_chunk(struct scan_reader *reader, size_t index,
                                bool (*is_wanted)(void *context, const struct piece *piece),
                                void *context, struct scan_chunk *chunk, struct error *err)
    __attribute__((warn_unused_result));

enum err_code scan_say_unexpected(struct error *err, const char *cause);
enum err_code scan_say_late(struct error *err, const char *cause);

#endif
