#include "scan_reader.h"

#include <inttypes.h>
#include <stdio.h>

#include "number.h"

enum { PAGE_OPEN_BYTES = 1 << 20, REPLY_HEAD = 3, PIECE_ELEMENTS = 4 };

enum err_code scan_say_unexpected(struct error *err, const char *cause)
{
    (void)error_set(err, ERR_INTERNAL, "Internal error");
    error_set_cause(err, "%s", cause);
    return ERR_INTERNAL;
}

enum err_code scan_say_late(struct error *err, const char *cause)
{
    enum err_code code =
        error_set(err, ERR_STORE_UNAVAILABLE, "The store could not answer in time");
    error_set_cause(err, "%s", cause);
    return code;
}

/* Redis answers each time within its own deadline: the same asked again would be late again. */
static enum err_code say_too_much(struct error *err, const char *cause)
{
    enum err_code code =
        error_set(err, ERR_STORE_UNAVAILABLE,
                  "The store could not answer all of it in time: ask for a longer step, fewer "
                  "types or a shorter window");
    error_set_cause(err, "%s", cause);
    return code;
}

static bool is_late(const struct scan_reader *reader)
{
    return !mono_is_before(clock_mono_now(), reader->deadline);
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

static void drop_lot(struct scan_lot *lot)
{
    redis_client_abandon_read(lot->chunks_job);
    redis_client_abandon_read(lot->layout_job);
    redis_reply_free(lot->chunks);
    lot->chunks_job = lot->layout_job = NULL;
    lot->chunks = NULL;
    lot->count = lot->next = 0;
}

static void drop_lots(struct scan_reader *reader)
{
    drop_lot(&reader->lots[0]);
    drop_lot(&reader->lots[1]);
}

void scan_reader_init(struct scan_reader *reader, struct redis_client *client,
                      const struct scan_options *options, struct mono_time deadline)
{
    reader->client = client;
    reader->options = options;
    reader->deadline = deadline;
    reader->rollups = options->rollups;
    reader->page = NULL;
    reader->lot = 0;
    memset(reader->lots, 0, sizeof reader->lots);
    redis_key_metric_stem(&reader->stem, redis_client_key_prefix(client), options->type);
    scan_reader_start(reader);
}

void scan_reader_release(struct scan_reader *reader)
{
    redis_reply_free(reader->page);
    drop_lots(reader);
}

void scan_reader_start(struct scan_reader *reader)
{
    reader->state = SCAN_GOES_ON;
    reader->is_start = true;
    reader->first_hour = first_hour_of(reader->options);
    reader->last_hour = last_hour_of(reader->options);
    reader->from_chunk = -1;
}

/* --- Pages ------------------------------------------------------------------------- */

static enum err_code read_page(struct scan_reader *reader, struct error *err)
{
    const struct scan_options *options = reader->options;
    size_t pieces_max = options->pieces_max ? options->pieces_max : SCAN_PIECES_MAX;
    const int64_t values[] = {
        reader->first_hour,       reader->last_hour,  first_whole_hour(options),
        last_whole_hour(options), reader->rollups,    options->is_backward ? -1 : 1,
        reader->is_start,         reader->from_chunk, options->has_histograms,
        (int64_t)pieces_max,      PAGE_OPEN_BYTES};
    enum { COUNT = sizeof values / sizeof *values };
    char texts[COUNT][SCAN_INTEGER_BYTES];
    struct slice args[COUNT], key = redis_key_slice(&reader->stem);
    for (size_t i = 0; i < COUNT; i++)
        args[i] =
            slice_of(texts[i], (size_t)snprintf(texts[i], sizeof texts[i], "%" PRId64, values[i]));
    return redis_client_eval(reader->client, REDIS_LANE_READ, REDIS_SCRIPT_SCAN, &key, 1, args,
                             COUNT, &reader->page, err);
}

/* False: not as the script writes it. */
static bool accept_page(struct scan_reader *reader)
{
    struct slice layout, next;
    int64_t next_chunk, next_hour = 0;
    size_t elements = redis_reply_count(reader->page);
    if (elements < REPLY_HEAD || (elements - REPLY_HEAD) % PIECE_ELEMENTS != 0 ||
        !redis_reply_bytes_at(reader->page, 0, &layout) || layout.len >= sizeof reader->layout ||
        !redis_reply_bytes_at(reader->page, 1, &next) ||
        !redis_reply_integer_at(reader->page, 2, &next_chunk) ||
        (next.len > 0 && !number_parse_int64(next, HOUR_MIN, HOUR_MAX, &next_hour)))
        return false;
    if (!reader->is_start && !slice_equals(layout, slice_from_string(reader->layout)))
        reader->state = SCAN_WAS_MOVED;
    memcpy(reader->layout, layout.ptr, layout.len);
    reader->layout[layout.len] = '\0';
    reader->piece_count = (elements - REPLY_HEAD) / PIECE_ELEMENTS;
    reader->is_start = false;
    reader->from_chunk = next_chunk;
    if (next.len == 0 && reader->state == SCAN_GOES_ON)
        reader->state = SCAN_IS_DONE;
    else if (reader->options->is_backward)
        reader->last_hour = next_hour;
    else
        reader->first_hour = next_hour;
    return true;
}

enum err_code scan_reader_turn_page(struct scan_reader *reader, struct error *err)
{
    redis_reply_free(reader->page);
    reader->page = NULL;
    reader->piece_count = 0;
    drop_lots(reader);
    if (is_late(reader))
        return say_too_much(err, "deadline passed between two pages");
    enum err_code code = read_page(reader, err);
    if (code == ERR_OK && !accept_page(reader))
        code = scan_say_unexpected(err, "a page is not as it was written");
    return code;
}

enum err_code scan_reader_piece(const struct scan_reader *reader, size_t index, struct piece *piece,
                                struct error *err)
{
    struct slice kind, name, number;
    size_t at = REPLY_HEAD + index * PIECE_ELEMENTS;
    if (!redis_reply_bytes_at(reader->page, at, &kind) || kind.len != 1 ||
        !redis_reply_bytes_at(reader->page, at + 1, &name) || !span_parse(name, &piece->span) ||
        !redis_reply_bytes_at(reader->page, at + 3, &piece->bytes))
        return scan_say_unexpected(err, "a piece is not as it was written");
    piece->kind = (enum piece_kind)kind.ptr[0];
    if (redis_reply_integer_at(reader->page, at + 2, &piece->number) ||
        (redis_reply_bytes_at(reader->page, at + 2, &number) &&
         number_parse_int64(number, 0, INT64_MAX, &piece->number)))
        return ERR_OK;
    return scan_say_unexpected(err, "a piece is not as it was written");
}

/* --- Whole chunks ------------------------------------------------------------------ */

static void spell_key(struct scan_reader *reader, size_t at, const char *family,
                      const struct piece *piece)
{
    char span[SPAN_NAME_BYTES], number[SCAN_INTEGER_BYTES];
    struct redis_key *key = &reader->keys[at];
    int len = snprintf(number, sizeof number, ":%" PRId64, piece->number);
    *key = reader->stem;
    redis_key_append(key, slice_from_string(family));
    redis_key_append(key, span_name(piece->span, span));
    redis_key_append(key, slice_of(number, (size_t)len));
}

/* Those from piece `from` on that are wanted, as `first` is. */
static enum err_code choose_chunks(struct scan_reader *reader, size_t from, size_t first,
                                   bool (*is_wanted)(void *context, const struct piece *piece),
                                   void *context, struct scan_lot *lot, size_t *key_count,
                                   struct error *err)
{
    size_t keys = 0;
    lot->count = lot->next = 0;
    for (size_t i = from; i < reader->piece_count && lot->count < reader->options->fetch_max; i++) {
        struct piece piece = {0};
        enum err_code code = scan_reader_piece(reader, i, &piece, err);
        if (code != ERR_OK)
            return code;
        if (piece.kind == PIECE_SPAN_BEGIN || piece.kind == PIECE_SPAN_END)
            break; /* what is wanted within a span is another matter */
        bool is_raw = piece.kind == PIECE_RAW;
        if ((piece.kind != PIECE_CHUNK && !is_raw) || (i != first && !is_wanted(context, &piece)))
            continue;
        lot->wanted[lot->count].piece = i;
        lot->wanted[lot->count].at = keys;
        lot->wanted[lot->count++].may_be_raw = is_raw;
        spell_key(reader, keys++, "blk:", &piece);
        if (is_raw)
            spell_key(reader, keys++, "raw:", &piece);
    }
    *key_count = keys;
    return ERR_OK;
}

/*
 * By MGET, not by a script: Lua takes a hash of each string that it touches, byte by byte. Then
 * the layout: what has not changed by then had not when the chunks were read.
 */
static enum err_code ask_for_chunks(struct scan_reader *reader, struct scan_lot *lot,
                                    size_t key_count, struct error *err)
{
    struct slice argv[1 + 2 * SCAN_FETCH_MAX];
    struct redis_key chunks = reader->stem;
    redis_key_append(&chunks, SLICE("chunks"));
    const struct slice layout[] = {SLICE("HGET"), redis_key_slice(&chunks), SLICE("layout")};
    argv[0] = SLICE("MGET");
    for (size_t i = 0; i < key_count; i++)
        argv[1 + i] = redis_key_slice(&reader->keys[i]);
    if (is_late(reader))
        return say_too_much(err, "deadline passed between two lots of chunks");
    enum err_code code =
        redis_client_begin_read(reader->client, argv, 1 + key_count, &lot->chunks_job, err);
    if (code == ERR_OK)
        code = redis_client_begin_read(reader->client, layout, 3, &lot->layout_job, err);
    return code;
}

static enum err_code begin_lot(struct scan_reader *reader, size_t from, size_t first,
                               bool (*is_wanted)(void *context, const struct piece *piece),
                               void *context, struct scan_lot *lot, struct error *err)
{
    size_t key_count;
    drop_lot(lot);
    enum err_code code =
        choose_chunks(reader, from, first, is_wanted, context, lot, &key_count, err);
    if (code == ERR_OK && key_count > 0)
        code = ask_for_chunks(reader, lot, key_count, err);
    if (code != ERR_OK)
        drop_lot(lot);
    return code;
}

static enum err_code finish_job(struct redis_job **job, struct redisReply **reply,
                                struct error *err)
{
    enum err_code code = redis_client_finish_read(*job, reply, err);
    *job = NULL;
    return code;
}

static enum err_code finish_lot(struct scan_reader *reader, struct scan_lot *lot, struct error *err)
{
    struct redisReply *reply = NULL;
    struct slice layout = SLICE("0"); /* of none, as in scripts/scan.lua */
    enum err_code code = finish_job(&lot->chunks_job, &lot->chunks, err);
    if (code == ERR_OK)
        code = finish_job(&lot->layout_job, &reply, err);
    if (code == ERR_OK)
        (void)redis_reply_bytes(reply, &layout);
    if (code == ERR_OK && !slice_equals(layout, slice_from_string(reader->layout)))
        reader->state = SCAN_WAS_MOVED;
    redis_reply_free(reply);
    return code;
}

static bool has_chunk(struct scan_lot *lot, size_t index)
{
    while (lot->next < lot->count && lot->wanted[lot->next].piece < index)
        lot->next++;
    return lot->next < lot->count && lot->wanted[lot->next].piece == index;
}

/* The lot with the chunk becomes the one that is looked at; the other is asked for. */
static enum err_code turn_to_lot_with(struct scan_reader *reader, size_t index,
                                      bool (*is_wanted)(void *context, const struct piece *piece),
                                      void *context, struct error *err)
{
    struct scan_lot *past = &reader->lots[reader->lot], *lot = &reader->lots[1 - reader->lot];
    enum err_code code = ERR_OK;
    if (!has_chunk(lot, index))
        code = begin_lot(reader, index, index, is_wanted, context, lot, err);
    if (code == ERR_OK)
        code = finish_lot(reader, lot, err);
    if (code != ERR_OK || reader->state == SCAN_WAS_MOVED)
        return code;
    reader->lot = 1 - reader->lot;
    if (!reader->options->reads_ahead)
        return ERR_OK;
    return begin_lot(reader, lot->wanted[lot->count - 1].piece + 1, SIZE_MAX, is_wanted, context,
                     past, err);
}

enum err_code scan_reader_chunk(struct scan_reader *reader, size_t index,
                                bool (*is_wanted)(void *context, const struct piece *piece),
                                void *context, struct scan_chunk *chunk, struct error *err)
{
    if (!has_chunk(&reader->lots[reader->lot], index)) {
        enum err_code code = turn_to_lot_with(reader, index, is_wanted, context, err);
        if (code != ERR_OK || reader->state == SCAN_WAS_MOVED)
            return code;
    }
    struct scan_lot *lot = &reader->lots[reader->lot];
    size_t at = lot->wanted[lot->next].at;
    chunk->bytes = SLICE("");
    chunk->is_sealed = redis_reply_bytes_at(lot->chunks, at, &chunk->bytes);
    if (!chunk->is_sealed && lot->wanted[lot->next].may_be_raw)
        (void)redis_reply_bytes_at(lot->chunks, at + 1, &chunk->bytes);
    return ERR_OK;
}
