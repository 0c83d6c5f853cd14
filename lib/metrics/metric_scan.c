#include "metric_scan.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "chunk.h"
#include "chunk_sealer.h"
#include "log.h"
#include "number.h"
#include "redis_keys.h"

enum {
    PAGE_OPEN_BYTES = 1 << 20,
    REPLY_HEAD = 3,
    PIECE_ELEMENTS = 4,
    RESTARTS_MAX = 50,
    PAUSE_MS_MAX = 64,
    INTEGER_BYTES = 24
};

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

struct piece {
    enum piece_kind kind;
    struct span span;
    int64_t number;
    struct slice bytes;
};

/* A span whose rollup is being made. */
struct frame {
    struct span span;
    char stamp[CHUNK_STAMP_BYTES];
    size_t stamp_len, parts;
    bool is_spoilt;
    struct aggregate sum;
};

enum scan_state { SCAN_GOES_ON, SCAN_IS_DONE, SCAN_WAS_MOVED };

struct scan {
    struct redis_client *client;
    struct chunk_sealer *sealer;
    const struct scan_options *options;
    const struct scan_visitor *visitor;
    struct mono_time deadline;
    struct redis_key stem;

    enum scan_state state;
    enum span_level rollups;
    bool is_start;
    int64_t first_hour, last_hour; /* of what is left */
    int64_t from_chunk;
    char layout[INTEGER_BYTES];

    struct redisReply *page;
    size_t piece_count;
    struct redisReply *fetched;
    size_t fetched_pieces[SCAN_FETCH_MAX], fetched_count, fetched_next;

    size_t depth;
    struct frame frames[SPAN_MONTH];
    struct aggregate held; /* open chunks within the outermost frame: they arrived after it */
    struct aggregate sum;  /* of the piece in hand */
    struct record records[CHUNK_RECORDS], spare[CHUNK_RECORDS];
    unsigned char packed[AGGREGATE_PACKED_BYTES_MAX];
};

static struct slice integer_text(int64_t value, char buffer[static INTEGER_BYTES])
{
    int len = snprintf(buffer, INTEGER_BYTES, "%" PRId64, value);
    return slice_of(buffer, (size_t)len);
}

static enum err_code say_unexpected(struct error *err, const char *cause)
{
    enum err_code code = error_set(err, ERR_INTERNAL, "Internal error");
    error_set_cause(err, "%s", cause);
    return code;
}

static enum err_code say_late(struct error *err, const char *cause)
{
    enum err_code code =
        error_set(err, ERR_STORE_UNAVAILABLE, "The store could not answer in time");
    error_set_cause(err, "%s", cause);
    return code;
}

static enum err_code ask(const struct scan *scan, enum redis_script script,
                         const struct slice *args, size_t count, struct redisReply **reply,
                         struct error *err)
{
    *reply = NULL;
    if (!mono_is_before(clock_mono_now(), scan->deadline))
        return say_late(err, "deadline passed between two reads");
    struct slice key = redis_key_slice(&scan->stem);
    return redis_client_eval(scan->client, REDIS_LANE_READ, script, &key, 1, args, count, reply,
                             err);
}

/* --- The window in hours ----------------------------------------------------------- */

static int64_t clamp_hour(int64_t hour)
{
    return hour < HOUR_MIN ? HOUR_MIN : hour > HOUR_MAX ? HOUR_MAX : hour;
}

static int64_t first_hour_of(const struct scan_options *options)
{
    return clamp_hour(hour_of(options->from));
}

static int64_t last_hour_of(const struct scan_options *options)
{
    return clamp_hour(hour_of((struct wall_time){options->to.us - 1}));
}

static int64_t first_whole_hour(const struct scan_options *options)
{
    int64_t hour = hour_of(options->from);
    return clamp_hour(hour_start(clamp_hour(hour)).us < options->from.us ? hour + 1 : hour);
}

static int64_t last_whole_hour(const struct scan_options *options)
{
    int64_t hour = hour_of(options->to);
    return hour > HOUR_MAX ? HOUR_MAX : clamp_hour(hour - 1);
}

/* --- Pages ------------------------------------------------------------------------- */

static enum err_code read_page(struct scan *scan, struct error *err)
{
    const struct scan_options *options = scan->options;
    size_t pieces_max = options->pieces_max ? options->pieces_max : SCAN_PIECES_MAX;
    const int64_t values[] = {
        scan->first_hour,         scan->last_hour,  first_whole_hour(options),
        last_whole_hour(options), scan->rollups,    options->is_backward ? -1 : 1,
        scan->is_start,           scan->from_chunk, options->has_histograms,
        (int64_t)pieces_max,      PAGE_OPEN_BYTES};
    enum { COUNT = sizeof values / sizeof *values };
    char texts[COUNT][INTEGER_BYTES];
    struct slice args[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        args[i] = integer_text(values[i], texts[i]);
    return ask(scan, REDIS_SCRIPT_SCAN, args, COUNT, &scan->page, err);
}

/* False: not as the script writes it. */
static bool accept_page(struct scan *scan)
{
    struct slice layout, next;
    int64_t next_chunk, next_hour = 0;
    size_t elements = redis_reply_count(scan->page);
    if (elements < REPLY_HEAD || (elements - REPLY_HEAD) % PIECE_ELEMENTS != 0 ||
        !redis_reply_bytes_at(scan->page, 0, &layout) || layout.len >= sizeof scan->layout ||
        !redis_reply_bytes_at(scan->page, 1, &next) ||
        !redis_reply_integer_at(scan->page, 2, &next_chunk) ||
        (next.len > 0 && !number_parse_int64(next, HOUR_MIN, HOUR_MAX, &next_hour)))
        return false;
    if (!scan->is_start && !slice_equals(layout, slice_from_string(scan->layout)))
        scan->state = SCAN_WAS_MOVED;
    memcpy(scan->layout, layout.ptr, layout.len);
    scan->layout[layout.len] = '\0';
    scan->piece_count = (elements - REPLY_HEAD) / PIECE_ELEMENTS;
    scan->fetched_count = scan->fetched_next = 0;
    scan->is_start = false;
    scan->from_chunk = next_chunk;
    if (next.len == 0 && scan->state == SCAN_GOES_ON)
        scan->state = SCAN_IS_DONE;
    else if (scan->options->is_backward)
        scan->last_hour = next_hour;
    else
        scan->first_hour = next_hour;
    return true;
}

static bool read_piece(const struct scan *scan, size_t index, struct piece *piece)
{
    struct slice kind, name;
    size_t at = REPLY_HEAD + index * PIECE_ELEMENTS;
    struct slice number;
    if (!redis_reply_bytes_at(scan->page, at, &kind) || kind.len != 1 ||
        !redis_reply_bytes_at(scan->page, at + 1, &name) || !span_parse(name, &piece->span) ||
        !redis_reply_bytes_at(scan->page, at + 3, &piece->bytes))
        return false;
    piece->kind = (enum piece_kind)kind.ptr[0];
    return redis_reply_integer_at(scan->page, at + 2, &piece->number) ||
           (redis_reply_bytes_at(scan->page, at + 2, &number) &&
            number_parse_int64(number, 0, INT64_MAX, &piece->number));
}

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

static void show_damage(struct scan *scan, const struct piece *piece, const struct moments *known)
{
    struct wall_time from = span_start(piece->span), to = span_end(piece->span);
    if (known) {
        from = known->first.at;
        to = (struct wall_time){known->last.at.us + 1};
    }
    char name[SPAN_NAME_BYTES];
    struct slice span = span_name(piece->span, name);
    LOG_EVENT(LOG_ERROR, "chunk_damaged", LOG_SLICE("metric_type", scan->options->type),
              LOG_SLICE("span", span), LOG_INT("chunk", piece->number));
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
    const struct slice key = redis_key_slice(&scan->stem), args[] = {name, stamp, packed};
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

/* One that is damaged is dropped, and the walk does without any. */
static void use_rollup(struct scan *scan, const struct piece *piece)
{
    if (aggregate_unpack(chunk_aggregate(piece->bytes), &scan->sum)) {
        show_aggregate(scan, &scan->sum, false);
        return;
    }
    char name[SPAN_NAME_BYTES];
    keep_rollup(scan, span_name(piece->span, name), slice_of(piece->bytes.ptr, CHUNK_STAMP_BYTES),
                SLICE(""));
    scan->rollups = SPAN_NONE;
    scan->state = SCAN_WAS_MOVED;
}

/* --- Chunks of which records are wanted -------------------------------------------- */

/* Also unpacks a good aggregate into the hand. */
static enum scan_want judge(struct scan *scan, const struct piece *piece)
{
    if (piece->kind == PIECE_RAW)
        return SCAN_RECORDS;
    if (piece->bytes.len == 0)
        return SCAN_NOTHING;
    if (!aggregate_unpack(chunk_aggregate(piece->bytes), &scan->sum))
        return SCAN_RECORDS;
    if (scan->depth > 0)
        return SCAN_AGGREGATE;
    return scan->visitor->judge(scan->visitor->context, &scan->sum.moments);
}

/* Read the next chunks that want records, from piece `from` on, which does. */
static enum err_code fetch(struct scan *scan, size_t from, struct error *err)
{
    struct slice args[1 + 2 * SCAN_FETCH_MAX];
    char names[SCAN_FETCH_MAX][SPAN_NAME_BYTES], numbers[SCAN_FETCH_MAX][INTEGER_BYTES];
    size_t wanted = 0;
    args[0] = slice_from_string(scan->layout);
    for (size_t at = from; at < scan->piece_count && wanted < scan->options->fetch_max; at++) {
        struct piece piece;
        if (!read_piece(scan, at, &piece))
            return say_unexpected(err, "a piece is not as it was written");
        if (piece.kind == PIECE_SPAN_BEGIN || piece.kind == PIECE_SPAN_END)
            break; /* what is wanted within a span is another matter */
        if ((piece.kind != PIECE_CHUNK && piece.kind != PIECE_RAW) ||
            judge(scan, &piece) != SCAN_RECORDS)
            continue;
        args[1 + 2 * wanted] = span_name(piece.span, names[wanted]);
        args[2 + 2 * wanted] = integer_text(piece.number, numbers[wanted]);
        scan->fetched_pieces[wanted++] = at;
    }
    redis_reply_free(scan->fetched);
    scan->fetched_count = wanted;
    scan->fetched_next = 0;
    enum err_code code =
        ask(scan, REDIS_SCRIPT_CHUNK_FETCH, args, 1 + 2 * wanted, &scan->fetched, err);
    int64_t is_same;
    if (code == ERR_OK && !redis_reply_integer_at(scan->fetched, 0, &is_same))
        return say_unexpected(err, "chunks are not as they were asked for");
    if (code == ERR_OK && !is_same)
        scan->state = SCAN_WAS_MOVED;
    return code;
}

static bool has_fetched(struct scan *scan, size_t index)
{
    while (scan->fetched_next < scan->fetched_count &&
           scan->fetched_pieces[scan->fetched_next] < index)
        scan->fetched_next++;
    return scan->fetched_next < scan->fetched_count &&
           scan->fetched_pieces[scan->fetched_next] == index;
}

/* Records of a fetched chunk into the hand. */
static bool open_chunk(struct scan *scan, char form, struct slice bytes, size_t *count)
{
    if (form == 'c')
        return block_decode(chunk_block(bytes), scan->records, count);
    *count = bytes.len / RECORD_BYTES;
    if (bytes.len == 0 || bytes.len % RECORD_BYTES != 0 || *count > CHUNK_RECORDS)
        return false;
    records_unpack((const unsigned char *)bytes.ptr, *count, scan->records);
    records_sort(scan->records, *count, scan->spare);
    return true;
}

static enum err_code use_records(struct scan *scan, size_t index, const struct piece *piece,
                                 struct error *err)
{
    if (!has_fetched(scan, index)) {
        enum err_code code = fetch(scan, index, err);
        if (code != ERR_OK || scan->state == SCAN_WAS_MOVED)
            return code;
    }
    struct slice form, bytes;
    size_t at = 1 + 2 * scan->fetched_next;
    if (!redis_reply_bytes_at(scan->fetched, at, &form) || form.len != 1 ||
        !redis_reply_bytes_at(scan->fetched, at + 1, &bytes))
        return say_unexpected(err, "chunks are not as they were asked for");

    size_t count;
    bool has_aggregate = form.ptr[0] == 'c' && aggregate_unpack(chunk_aggregate(bytes), &scan->sum);
    if (has_aggregate && chunk_block(bytes).len == 0)
        show_aggregate(scan, &scan->sum, true);
    else if (open_chunk(scan, form.ptr[0], bytes, &count))
        show_records(scan, piece, count);
    else
        show_damage(scan, piece, has_aggregate ? &scan->sum.moments : NULL);
    if (piece->kind == PIECE_RAW && form.ptr[0] == 'r')
        chunk_sealer_chunk_closed(scan->sealer, scan->options->type, piece->span.number,
                                  piece->number);
    return ERR_OK;
}

static enum err_code use_chunk(struct scan *scan, size_t index, const struct piece *piece,
                               struct error *err)
{
    switch (judge(scan, piece)) {
    case SCAN_AGGREGATE:
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
static void use_base(struct scan *scan, const struct piece *piece)
{
    if (aggregate_unpack(chunk_aggregate(piece->bytes), &scan->sum))
        scan->visitor->take_base(scan->visitor->context, &scan->sum);
    else
        scan->visitor->note_damage(scan->visitor->context, WALL_TIME_MIN, WALL_TIME_MAX);
}

static void use_open(struct scan *scan, const struct piece *piece)
{
    size_t count;
    if (!open_chunk(scan, 'r', piece->bytes, &count)) {
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
    if (!read_piece(scan, index, &piece))
        return say_unexpected(err, "a piece is not as it was written");
    switch (piece.kind) {
    case PIECE_BASE:
        use_base(scan, &piece);
        return ERR_OK;
    case PIECE_SPAN_BEGIN:
        if (scan->depth == SPAN_MONTH || piece.bytes.len > CHUNK_STAMP_BYTES)
            return say_unexpected(err, "spans are not nested as they should be");
        begin_span(scan, &piece);
        return ERR_OK;
    case PIECE_SPAN_END:
        end_span(scan, &piece);
        return ERR_OK;
    case PIECE_ROLLUP:
        use_rollup(scan, &piece);
        return ERR_OK;
    case PIECE_OPEN:
        use_open(scan, &piece);
        return ERR_OK;
    default:
        return use_chunk(scan, index, &piece, err);
    }
}

static enum err_code walk_page(struct scan *scan, struct error *err)
{
    enum err_code code = read_page(scan, err);
    if (code == ERR_OK && !accept_page(scan))
        code = say_unexpected(err, "a page is not as it was written");
    for (size_t i = 0; code == ERR_OK && i < scan->piece_count; i++) {
        if (scan->state == SCAN_WAS_MOVED)
            break;
        code = use_piece(scan, i, err);
    }
    redis_reply_free(scan->page);
    scan->page = NULL;
    return code;
}

static void start(struct scan *scan)
{
    scan->state = SCAN_GOES_ON;
    scan->is_start = true;
    scan->first_hour = first_hour_of(scan->options);
    scan->last_hour = last_hour_of(scan->options);
    scan->from_chunk = -1;
    scan->depth = 0;
    aggregate_reset(&scan->held);
}

static bool is_enough(const struct scan *scan)
{
    const struct scan_visitor *visitor = scan->visitor;
    struct wall_time bound =
        hour_start(scan->options->is_backward ? scan->last_hour + 1 : scan->first_hour);
    return visitor->is_enough && visitor->is_enough(visitor->context, bound);
}

/* What moves chunks pauses now and then: the first time at once, then later and later. */
static void pause_before(const struct scan *scan, int restarts)
{
    int64_t left_ms = mono_us_between(clock_mono_now(), scan->deadline) / 1000;
    int ms = restarts < 2 ? 0 : restarts < 8 ? 1 << (restarts - 2) : PAUSE_MS_MAX;
    if (ms > 0 && ms < left_ms)
        (void)poll(NULL, 0, ms);
}

static enum err_code walk(struct scan *scan, struct error *err)
{
    enum err_code code = ERR_OK;
    start(scan);
    for (int restarts = 0; code == ERR_OK && scan->state == SCAN_GOES_ON;) {
        code = walk_page(scan, err);
        if (code == ERR_OK && scan->state == SCAN_WAS_MOVED) {
            if (++restarts > RESTARTS_MAX)
                return say_late(err, "chunks do not stop being moved");
            pause_before(scan, restarts);
            scan->visitor->restart(scan->visitor->context);
            start(scan);
        } else if (scan->state == SCAN_GOES_ON && is_enough(scan)) {
            break;
        }
    }
    return code;
}

enum err_code metric_scan_run(struct redis_client *client, struct chunk_sealer *sealer,
                              const struct scan_options *options,
                              const struct scan_visitor *visitor, struct mono_time deadline,
                              struct error *err)
{
    struct scan *scan = malloc(sizeof *scan);
    if (!scan)
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    scan->client = client;
    scan->sealer = sealer;
    scan->options = options;
    scan->visitor = visitor;
    scan->deadline = deadline;
    scan->rollups = options->rollups;
    scan->page = scan->fetched = NULL;
    redis_key_metric_stem(&scan->stem, redis_client_key_prefix(client), options->type);
    aggregate_init(&scan->sum, options->has_histograms);
    aggregate_init(&scan->held, options->has_histograms);
    for (size_t i = 0; i < SPAN_MONTH; i++)
        aggregate_init(&scan->frames[i].sum, options->has_histograms);
    enum err_code code = walk(scan, err);
    for (size_t i = 0; i < SPAN_MONTH; i++)
        aggregate_release(&scan->frames[i].sum);
    aggregate_release(&scan->sum);
    aggregate_release(&scan->held);
    redis_reply_free(scan->fetched);
    free(scan);
    return code;
}
