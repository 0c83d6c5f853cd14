#include "metric_scan.h"

#include <poll.h>
#include <stdlib.h>

#include "chunk.h"
#include "chunk_sealer.h"
#include "damage_log.h"
#include "scan_reader.h"

enum { RESTARTS_MAX = 50, PAUSE_MS_MAX = 64 };

/* A span whose rollup is being made. */
struct frame {
    struct span span;
    char stamp[CHUNK_STAMP_BYTES];
    size_t stamp_len, parts;
    bool is_spoilt;
    struct aggregate sum;
};

struct scan {
    struct redis_client *client;
    struct chunk_sealer *sealer;
    const struct scan_options *options;
    const struct scan_visitor *visitor;
    struct scan_reader reader;
    struct column_decoder *decoder;

    size_t depth;
    struct frame frames[SPAN_MONTH];
    struct aggregate held; /* open chunks within the outermost frame: they arrived after it */
    struct aggregate sum;  /* of the piece in hand */
    struct record records[CHUNK_RECORDS], spare[CHUNK_RECORDS];
    unsigned char packed[AGGREGATE_PACKED_BYTES_MAX];
};

/* --- What is shown ----------------------------------------------------------------- */

static struct frame *top_frame(struct scan *scan)
{
    return scan->depth > 0 ? &scan->frames[scan->depth - 1] : NULL;
}

static void show_aggregate(struct scan *scan, const struct aggregate *a, bool is_widened)
{
    struct frame *frame = top_frame(scan);
    if (!frame) {
        scan->visitor->take_aggregate(scan->visitor->context, a, is_widened);
        return;
    }
    frame->parts++;
    aggregate_merge(&frame->sum, a);
}

static size_t first_not_before(const struct record *records, size_t count, struct wall_time at)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (records[middle].at.us < at.us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A chunk's number counts arrivals within a span; larger spans hold what came earlier. */
static uint64_t arrival_of(const struct piece *piece)
{
    uint64_t rank = (uint64_t)(SPAN_MONTH - piece->span.level);
    return rank << 56 | (uint64_t)piece->number * CHUNK_RECORDS;
}

/* The `count` records in hand, in order of time. */
static void show_records(struct scan *scan, const struct piece *piece, size_t count)
{
    struct frame *frame = top_frame(scan);
    if (frame) {
        frame->parts++;
        aggregate_add_run(&frame->sum, scan->records, count);
        return;
    }
    size_t from = first_not_before(scan->records, count, scan->options->from);
    size_t to = scan->options->to.us == INT64_MAX
                    ? count
                    : first_not_before(scan->records, count, scan->options->to);
    if (from < to)
        scan->visitor->take_records(scan->visitor->context, scan->records + from, to - from,
                                    arrival_of(piece) + from);
}

/* Where it is, its own aggregate may still tell; `chunk` NULL: it is lost. */
static void show_damage(struct scan *scan, const struct piece *piece,
                        const struct scan_chunk *chunk)
{
    struct wall_time from = span_start(piece->span), to = span_end(piece->span);
    struct moments known;
    uint16_t follow;
    if (chunk && chunk->is_sealed &&
        moments_unpack(chunk_aggregate(chunk->bytes), &known, &follow)) {
        from = known.first.at;
        to = (struct wall_time){known.last.at.us + 1};
    }
    damage_log_say(scan->options->type, piece->span, piece->number, clock_mono_now());
    struct frame *frame = top_frame(scan);
    if (frame)
        frame->is_spoilt = true;
    scan->visitor->note_damage(scan->visitor->context, from, to);
}

/* --- Spans without a rollup -------------------------------------------------------- */

static void begin_span(struct scan *scan, const struct piece *piece)
{
    struct frame *frame = &scan->frames[scan->depth++];
    frame->span = piece->span;
    frame->stamp_len = piece->bytes.len;
    memcpy(frame->stamp, piece->bytes.ptr, piece->bytes.len);
    frame->parts = 0;
    frame->is_spoilt = false;
    aggregate_reset(&frame->sum);
}

static void keep_rollup(struct scan *scan, struct slice name, struct slice stamp,
                        struct slice packed)
{
    const struct slice key = redis_key_slice(&scan->reader.stem), args[] = {name, stamp, packed};
    redis_client_eval_detached(scan->client, REDIS_LANE_WRITE, REDIS_SCRIPT_ROLLUP_PUT, &key, 1,
                               args, sizeof args / sizeof *args);
}

/* A page can end within a span whose beginning it did not see: that has no frame. */
static void end_span(struct scan *scan, const struct piece *piece)
{
    struct frame *frame = top_frame(scan);
    if (!frame || frame->span.level != piece->span.level ||
        frame->span.number != piece->span.number)
        return;
    scan->depth--;
    bool is_good =
        !frame->is_spoilt && scan->options->has_histograms && !aggregate_failed(&frame->sum);
    if (frame->parts > 1 && is_good) {
        char name[SPAN_NAME_BYTES];
        size_t len = aggregate_pack(&frame->sum, scan->packed);
        keep_rollup(scan, span_name(frame->span, name), slice_of(frame->stamp, frame->stamp_len),
                    slice_of((const char *)scan->packed, len));
    }
    if (frame->is_spoilt && top_frame(scan))
        top_frame(scan)->is_spoilt = true;
    if (frame->sum.moments.count > 0)
        show_aggregate(scan, &frame->sum, false);
    if (scan->depth == 0 && scan->held.moments.count > 0) {
        show_aggregate(scan, &scan->held, false);
        aggregate_reset(&scan->held);
    }
}

static enum err_code say_no_memory(struct error *err)
{
    return error_set(err, ERR_NO_MEMORY, "Out of memory");
}

/* One that is damaged is dropped, and the walk does without any. */
static enum err_code use_rollup(struct scan *scan, const struct piece *piece, struct error *err)
{
    if (aggregate_unpack(chunk_aggregate(piece->bytes), &scan->sum)) {
        show_aggregate(scan, &scan->sum, false);
        return ERR_OK;
    }
    if (aggregate_failed(&scan->sum))
        return say_no_memory(err);
    char name[SPAN_NAME_BYTES];
    keep_rollup(scan, span_name(piece->span, name), slice_of(piece->bytes.ptr, CHUNK_STAMP_BYTES),
                SLICE(""));
    scan->reader.rollups = SPAN_NONE;
    scan->reader.state = SCAN_WAS_MOVED;
    return ERR_OK;
}

/* --- Chunks of which records are wanted -------------------------------------------- */

static enum scan_want judge(struct scan *scan, const struct piece *piece)
{
    struct moments m;
    uint16_t follow;
    if (piece->kind == PIECE_RAW)
        return SCAN_RECORDS;
    if (piece->bytes.len == 0)
        return SCAN_NOTHING;
    if (!moments_unpack(chunk_aggregate(piece->bytes), &m, &follow))
        return SCAN_RECORDS;
    if (scan->depth > 0)
        return SCAN_AGGREGATE;
    return scan->visitor->judge(scan->visitor->context, &m);
}

static bool wants_records(void *context, const struct piece *piece)
{
    return judge(context, piece) == SCAN_RECORDS;
}

/* Its samples have expired. */
static bool is_frozen(const struct scan_chunk *chunk)
{
    return chunk->is_sealed && chunk_aggregate(chunk->bytes).len > 0 &&
           chunk_block(chunk->bytes).len == 0;
}

/* Records of a chunk into the hand. */
static bool open_chunk(struct scan *scan, const struct piece *piece, const struct scan_chunk *chunk,
                       size_t *count)
{
    if (chunk->is_sealed)
        return block_decode(scan->decoder, chunk_block(chunk->bytes), scan->records, count);
    *count = chunk->bytes.len / RECORD_BYTES;
    if (chunk->bytes.len == 0 || chunk->bytes.len % RECORD_BYTES != 0 || *count > CHUNK_RECORDS)
        return false;
    records_unpack((const unsigned char *)chunk->bytes.ptr, *count, scan->records);
    if (!records_are_sound(scan->records, *count, span_start(piece->span), span_end(piece->span)))
        return false;
    records_sort(scan->records, *count, scan->spare);
    return true;
}

static enum err_code use_records(struct scan *scan, size_t index, const struct piece *piece,
                                 struct error *err)
{
    struct scan_chunk chunk;
    size_t count;
    enum err_code code = scan_reader_chunk(&scan->reader, index, wants_records, scan, &chunk, err);
    if (code != ERR_OK || scan->reader.state == SCAN_WAS_MOVED)
        return code;
    if (open_chunk(scan, piece, &chunk, &count))
        show_records(scan, piece, count);
    else if (is_frozen(&chunk) && aggregate_unpack(chunk_aggregate(chunk.bytes), &scan->sum))
        show_aggregate(scan, &scan->sum, true);
    else if (is_frozen(&chunk) && aggregate_failed(&scan->sum))
        return say_no_memory(err);
    else
        show_damage(scan, piece, &chunk);
    if (piece->kind == PIECE_RAW && !chunk.is_sealed)
        chunk_sealer_chunk_closed(scan->sealer, scan->options->type, piece->span.number,
                                  piece->number);
    return ERR_OK;
}

static enum err_code use_chunk(struct scan *scan, size_t index, const struct piece *piece,
                               struct error *err)
{
    switch (judge(scan, piece)) {
    case SCAN_AGGREGATE:
        if (!aggregate_unpack(chunk_aggregate(piece->bytes), &scan->sum))
            return aggregate_failed(&scan->sum) ? say_no_memory(err)
                                                : use_records(scan, index, piece, err);
        show_aggregate(scan, &scan->sum, false);
        return ERR_OK;
    case SCAN_RECORDS:
        return use_records(scan, index, piece, err);
    default:
        if (piece->bytes.len == 0)
            show_damage(scan, piece, NULL);
        return ERR_OK;
    }
}

static bool is_in_frame(const struct scan *scan, const struct piece *piece)
{
    const struct span *outer = &scan->frames[0].span;
    return scan->depth > 0 &&
           span_of_hour(outer->level, piece->span.number).number == outer->number;
}

/* Samples that nothing is known of but this, together. */
static enum err_code use_base(struct scan *scan, const struct piece *piece, struct error *err)
{
    const struct scan_visitor *visitor = scan->visitor;
    if (aggregate_unpack(chunk_aggregate(piece->bytes), &scan->sum))
        visitor->take_base(visitor->context, &scan->sum);
    else if (aggregate_failed(&scan->sum))
        return say_no_memory(err);
    else
        visitor->note_damage(visitor->context, WALL_TIME_MIN, WALL_TIME_MAX);
    return ERR_OK;
}

static void use_open(struct scan *scan, const struct piece *piece)
{
    const struct scan_chunk chunk = {.is_sealed = false, .bytes = piece->bytes};
    size_t count;
    if (!open_chunk(scan, piece, &chunk, &count)) {
        show_damage(scan, piece, NULL);
    } else if (is_in_frame(scan, piece)) {
        aggregate_add_run(&scan->held, scan->records, count);
    } else {
        size_t depth = scan->depth; /* whose frames do not hold it */
        scan->depth = 0;
        show_records(scan, piece, count);
        scan->depth = depth;
    }
}

/* --- The walk ---------------------------------------------------------------------- */

static enum err_code use_piece(struct scan *scan, size_t index, struct error *err)
{
    struct piece piece;
    enum err_code code = scan_reader_piece(&scan->reader, index, &piece, err);
    if (code != ERR_OK)
        return code;
    switch (piece.kind) {
    case PIECE_BASE:
        return use_base(scan, &piece, err);
    case PIECE_SPAN_BEGIN:
        if (scan->depth == SPAN_MONTH || piece.bytes.len > CHUNK_STAMP_BYTES)
            return scan_say_unexpected(err, "spans are not nested as they should be");
        begin_span(scan, &piece);
        return ERR_OK;
    case PIECE_SPAN_END:
        end_span(scan, &piece);
        return ERR_OK;
    case PIECE_ROLLUP:
        return use_rollup(scan, &piece, err);
    case PIECE_OPEN:
        use_open(scan, &piece);
        return ERR_OK;
    default:
        return use_chunk(scan, index, &piece, err);
    }
}

static enum err_code walk_page(struct scan *scan, struct error *err)
{
    struct scan_reader *reader = &scan->reader;
    enum err_code code = scan_reader_turn_page(reader, err);
    for (size_t i = 0; code == ERR_OK && i < reader->piece_count; i++) {
        if (reader->state == SCAN_WAS_MOVED)
            break;
        code = use_piece(scan, i, err);
    }
    return code;
}

static void start(struct scan *scan)
{
    scan_reader_start(&scan->reader);
    scan->depth = 0;
    aggregate_reset(&scan->held);
}

static bool is_enough(const struct scan *scan)
{
    const struct scan_visitor *visitor = scan->visitor;
    const struct scan_reader *reader = &scan->reader;
    struct wall_time bound =
        hour_start(scan->options->is_backward ? reader->last_hour + 1 : reader->first_hour);
    return visitor->is_enough && visitor->is_enough(visitor->context, bound);
}

enum err_code metric_scan_pause(int *times, struct mono_time deadline, struct error *err)
{
    int64_t left_ms = mono_us_between(clock_mono_now(), deadline) / 1000;
    int before = (*times)++;
    if (before == RESTARTS_MAX)
        return scan_say_late(err, "chunks do not stop being moved");
    int ms = before < 1 ? 0 : before < 7 ? 1 << (before - 1) : PAUSE_MS_MAX;
    if (ms > left_ms / 2) /* and once more before the end */
        ms = left_ms < 0 ? 0 : (int)(left_ms / 2);
    (void)poll(NULL, 0, ms);
    return ERR_OK;
}

static enum err_code walk(struct scan *scan, struct error *err)
{
    enum err_code code = ERR_OK;
    start(scan);
    for (int restarts = 0; code == ERR_OK && scan->reader.state == SCAN_GOES_ON;) {
        code = walk_page(scan, err);
        if (code == ERR_OK && scan->reader.state == SCAN_WAS_MOVED) {
            if (!scan->visitor->restart(scan->visitor->context))
                break;
            code = metric_scan_pause(&restarts, scan->reader.deadline, err);
            start(scan);
        } else if (scan->reader.state == SCAN_GOES_ON && is_enough(scan)) {
            break;
        }
    }
    return code;
}

static struct scan *scan_new(struct redis_client *client, struct chunk_sealer *sealer,
                             const struct scan_options *options, const struct scan_visitor *visitor,
                             struct mono_time deadline)
{
    struct scan *scan = malloc(sizeof *scan);
    if (!scan)
        return NULL;
    scan->decoder = column_decoder_new();
    if (!scan->decoder) {
        free(scan);
        return NULL;
    }
    scan->client = client;
    scan->sealer = sealer;
    scan->options = options;
    scan->visitor = visitor;
    scan_reader_init(&scan->reader, client, options, deadline);
    aggregate_init(&scan->sum, options->has_histograms);
    aggregate_init(&scan->held, options->has_histograms);
    for (size_t i = 0; i < SPAN_MONTH; i++)
        aggregate_init(&scan->frames[i].sum, options->has_histograms);
    return scan;
}

static void scan_free(struct scan *scan)
{
    for (size_t i = 0; i < SPAN_MONTH; i++)
        aggregate_release(&scan->frames[i].sum);
    aggregate_release(&scan->sum);
    aggregate_release(&scan->held);
    scan_reader_release(&scan->reader);
    column_decoder_free(scan->decoder);
    free(scan);
}

enum err_code metric_scan_run(struct redis_client *client, struct chunk_sealer *sealer,
                              const struct scan_options *options,
                              const struct scan_visitor *visitor, struct mono_time deadline,
                              struct error *err)
{
    struct scan *scan = scan_new(client, sealer, options, visitor, deadline);
    if (!scan)
        return say_no_memory(err);
    enum err_code code = walk(scan, err);
    if (code == ERR_OK && visitor->finish)
        visitor->finish(visitor->context, slice_from_string(scan->reader.layout));
    scan_free(scan);
    return code;
}
