#include <inttypes.h>
#include <stdio.h>

#include "packed.h"
#include "tending.h"

enum {
    OPEN_PAGE = 64,
    DAYS_PAGE = 64, /* at least two months of them: scripts/tend_small.lua */
    DAY_HOURS = 24,
    MONTH_DAYS = 32,
    MONTH_NUMBER_MIN = -30000,
    MONTH_NUMBER_MAX = 100000
};

/* What is gathered: an hour's open chunk, by the number that it will have and the bytes that
 * count, or a day's only one. */
struct source {
    struct span span;
    int64_t number, bytes;
    bool is_taken;
};

/* --- Gathering --------------------------------------------------------------------- */

static bool add_block(struct tending *t, struct slice block)
{
    size_t count;
    if (t->count + CHUNK_RECORDS > TENDING_RECORDS_MAX ||
        !block_decode(t->decoder, block, t->records + t->count, &count))
        return false;
    t->count += count;
    return true;
}

static bool add_raw(struct tending *t, struct slice raw, const struct source *source)
{
    struct record *records = t->records + t->count;
    size_t count = (size_t)source->bytes / RECORD_BYTES;
    if (source->bytes % RECORD_BYTES != 0 || t->count + count > TENDING_RECORDS_MAX)
        return false;
    records_unpack((const unsigned char *)raw.ptr, count, records);
    if (!records_are_sound(records, count, span_start(source->span), span_end(source->span)))
        return false;
    t->count += count;
    return true;
}

static bool is_small(struct slice chunk)
{
    struct moments m;
    uint16_t follow;
    return moments_unpack(chunk_aggregate(chunk), &m, &follow) && m.count < TENDER_KEEP_RECORDS &&
           chunk_block(chunk).len > 0;
}

static int64_t day_of(struct wall_time at)
{
    return floor_divide(hour_of(at), DAY_HOURS);
}

/* What is taken in is stamped anew. Where samples expire, only if it arrived today: otherwise
 * a late sample now and then would keep those beside it for ever. */
static bool may_be_renewed(const struct tending *t, struct slice chunk, struct wall_time now)
{
    if (t->retention->samples_us == 0)
        return true;
    struct wall_time stamp = {(int64_t)packed_u64((const unsigned char *)chunk.ptr)};
    return day_of(stamp) == day_of(now);
}

/* How many chunks the target has (-1: that cannot be read), and how many of those stay: a small
 * last one is taken in. */
static enum err_code look_at_target(struct tending *t, struct span target, int64_t *had,
                                    int64_t *keep, struct error *err)
{
    struct redisReply *reply;
    struct tending_target seen = {0};
    enum err_code code = tending_look_at(t, target, &seen, &reply, err);
    *had = *keep = seen.count;
    if (code == ERR_OK && *had < 0)
        tending_say_damaged(t, target, *had);
    else if (code == ERR_OK && is_small(seen.last) && may_be_renewed(t, seen.last, seen.now) &&
             add_block(t, chunk_block(seen.last)))
        *keep = *had - 1;
    redis_reply_free(reply);
    return code;
}

/* What is not there any more was moved by somebody; what cannot be read stays where it is. */
static bool take(struct tending *t, const struct source *source, struct slice form,
                 struct slice bytes)
{
    if (form.len != 1 || bytes.len == 0 || bytes.len < (size_t)source->bytes) {
        t->is_behind = true;
        return false;
    }
    if (form.ptr[0] == 'c' ? add_block(t, chunk_block(bytes)) : add_raw(t, bytes, source))
        return true;
    tending_say_damaged(t, source->span, source->number);
    return false;
}

static void take_all(struct tending *t, const struct redisReply *reply, struct source *sources,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct slice form, bytes;
        sources[i].is_taken = redis_reply_bytes_at(reply, 1 + 2 * i, &form) &&
                              redis_reply_bytes_at(reply, 2 + 2 * i, &bytes) &&
                              take(t, &sources[i], form, bytes);
    }
}

/* Take in what can be read of up to TENDING_FETCH_MAX sources. */
static enum err_code fetch(struct tending *t, struct source *sources, size_t count,
                           struct error *err)
{
    struct arguments a = {0};
    arguments_add_bytes(&a, slice_from_string(t->layout));
    for (size_t i = 0; i < count; i++) {
        arguments_add_span(&a, sources[i].span);
        arguments_add_integer(&a, sources[i].number);
    }
    struct redisReply *reply;
    int64_t is_same = 0;
    enum err_code code = tending_run(t, REDIS_LANE_READ, REDIS_SCRIPT_CHUNK_FETCH, &a, &reply, err);
    if (code == ERR_OK && redis_reply_integer_at(reply, 0, &is_same) && is_same)
        take_all(t, reply, sources, count);
    else
        t->is_behind = true;
    redis_reply_free(reply);
    return code;
}

static enum err_code seal_all(struct tending *t, struct error *err)
{
    records_sort(t->records, t->count, t->spare);
    t->chunk_count = 0;
    for (size_t from = 0; from < t->count; from += CHUNK_RECORDS) {
        size_t n = t->count - from < CHUNK_RECORDS ? t->count - from : CHUNK_RECORDS;
        unsigned char *out = t->sealed[t->chunk_count];
        size_t len = chunk_seal(NULL, t->records + from, n, out);
        if (len == 0)
            return error_set(err, ERR_NO_MEMORY, "Out of memory");
        t->chunks[t->chunk_count++] = slice_of((const char *)out, len);
    }
    return ERR_OK;
}

static size_t count_taken(const struct source *sources, size_t count, enum span_level level)
{
    size_t taken = 0;
    for (size_t i = 0; i < count; i++)
        taken += sources[i].is_taken && sources[i].span.level == level;
    return taken;
}

static void add_sources(struct arguments *a, const struct source *sources, size_t count)
{
    arguments_add_integer(a, (int64_t)count_taken(sources, count, SPAN_HOUR));
    for (const struct source *s = sources; s < sources + count; s++) {
        if (!s->is_taken || s->span.level != SPAN_HOUR)
            continue;
        arguments_add_integer(a, s->span.number);
        arguments_add_integer(a, s->number);
        arguments_add_integer(a, s->bytes);
    }
    arguments_add_integer(a, (int64_t)count_taken(sources, count, SPAN_DAY));
    for (const struct source *s = sources; s < sources + count; s++) {
        if (!s->is_taken || s->span.level != SPAN_DAY)
            continue;
        arguments_add_integer(a, s->span.level);
        arguments_add_integer(a, s->span.number);
        arguments_add_integer(a, 1);
    }
}

static enum err_code put(struct tending *t, struct span target, int64_t had, int64_t keep,
                         const struct source *sources, size_t count, struct error *err)
{
    struct arguments a;
    bool is_done;
    enum err_code code = seal_all(t, err);
    if (code != ERR_OK)
        return code;
    tending_begin_gather(t, &a, SLICE(""), target, had, keep);
    add_sources(&a, sources, count);
    for (size_t i = 0; i < t->chunk_count; i++)
        arguments_add_bytes(&a, t->chunks[i]);
    return tending_change(t, REDIS_SCRIPT_GATHER, &a, &is_done, err);
}

/* Open chunks of hours, or days of one chunk each, into `target`, which is the same hour or
 * above them. They arrived after what is there. */
static enum err_code gather(struct tending *t, struct span target, struct source *sources,
                            size_t count, struct error *err)
{
    int64_t had, keep = 0;
    t->count = 0;
    enum err_code code = look_at_target(t, target, &had, &keep, err);
    if (code == ERR_OK && had < 0)
        return ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < count; i += TENDING_FETCH_MAX)
        code = fetch(t, sources + i, count - i < TENDING_FETCH_MAX ? count - i : TENDING_FETCH_MAX,
                     err);
    if (code != ERR_OK || count_taken(sources, count, sources[0].span.level) == 0)
        return code;
    return put(t, target, had, keep, sources, count, err);
}

/* --- What is over, or far ahead ---------------------------------------------------- */

static bool stays_in_hour(const struct source *tail)
{
    return tail->number > 0 || tail->bytes >= TENDER_KEEP_RECORDS * RECORD_BYTES;
}

/* The open chunks of one day, in order of time. */
static enum err_code settle_day(struct tending *t, struct source *tails, size_t count,
                                struct error *err)
{
    struct source small[DAY_HOURS];
    size_t small_count = 0;
    enum err_code code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        if (tails[i].number < 0 || tails[i].bytes == 0)
            tending_say_damaged(t, tails[i].span, tails[i].number);
        else if (stays_in_hour(&tails[i]))
            code = gather(t, tails[i].span, &tails[i], 1, err);
        else if (small_count < DAY_HOURS)
            small[small_count++] = tails[i];
    }
    struct span day = span_of_hour(SPAN_DAY, tails[0].span.number);
    bool is_over = (day.number + 1) * DAY_HOURS <= t->now_hour;
    bool is_ahead = tails[0].span.number >= t->now_hour;
    return code == ERR_OK && (is_over || is_ahead) && small_count > 0
               ? gather(t, day, small, small_count, err)
               : code;
}

/* What is no hour is passed over. */
static size_t read_tails(const struct redisReply *reply, struct source *tails)
{
    size_t count = 0;
    struct slice name;
    for (size_t at = 2; count < OPEN_PAGE && redis_reply_bytes_at(reply, at, &name); at += 3) {
        struct source *tail = &tails[count];
        tail->is_taken = false;
        if (span_parse(name, &tail->span) && tail->span.level == SPAN_HOUR &&
            redis_reply_integer_at(reply, at + 1, &tail->number) &&
            redis_reply_integer_at(reply, at + 2, &tail->bytes))
            count++;
    }
    return count;
}

/* Where to go on; "" at the end. */
static bool read_next(const struct redisReply *reply, size_t index, char next[static INTEGER_BYTES])
{
    struct slice text;
    if (!redis_reply_bytes_at(reply, index, &text) || text.len >= INTEGER_BYTES)
        return false;
    memcpy(next, text.ptr, text.len);
    next[text.len] = '\0';
    return true;
}

/* From hour `next` on, which then tells where to go on. */
static enum err_code read_open(struct tending *t, char next[static INTEGER_BYTES],
                               struct source *tails, size_t *count, struct error *err)
{
    struct arguments a = {0};
    arguments_add_integer(&a, t->grace_seconds);
    arguments_add_bytes(&a, slice_from_string(next));
    arguments_add_integer(&a, OPEN_PAGE);
    struct redisReply *reply;
    enum err_code code = tending_run(t, REDIS_LANE_WRITE, REDIS_SCRIPT_TEND_OPEN, &a, &reply, err);
    if (code == ERR_OK &&
        (!redis_reply_integer_at(reply, 0, &t->now_hour) || !read_next(reply, 1, next)))
        code = tending_say_unexpected(err, "tend_open");
    *count = code == ERR_OK ? read_tails(reply, tails) : 0;
    redis_reply_free(reply);
    return code;
}

/* A page may end within a day. */
enum err_code tending_settle_open(struct tending *t, struct error *err)
{
    struct source tails[OPEN_PAGE];
    size_t count;
    char next[INTEGER_BYTES];
    enum err_code code;
    (void)snprintf(next, sizeof next, "%" PRId64, HOUR_MIN);
    do {
        code = read_open(t, next, tails, &count, err);
        for (size_t from = 0, to; code == ERR_OK && from < count; from = to) {
            int64_t day = span_of_hour(SPAN_DAY, tails[from].span.number).number;
            for (to = from; to < count && floor_divide(tails[to].span.number, DAY_HOURS) == day;)
                to++;
            code = settle_day(t, tails + from, to - from, err);
        }
    } while (code == ERR_OK && next[0] && !tending_must_yield(t));
    return code;
}

/* --- Small days into months -------------------------------------------------------- */

static size_t read_days(const struct redisReply *reply, struct source *days)
{
    size_t count = 0;
    struct slice name;
    for (size_t at = 1; count < DAYS_PAGE && redis_reply_bytes_at(reply, at, &name); at++) {
        struct source *day = &days[count];
        day->number = day->bytes = 0;
        day->is_taken = false;
        if (span_parse(name, &day->span) && day->span.level == SPAN_DAY)
            count++;
    }
    return count;
}

/* From month `next` on ("": from where no day was looked at yet), which then tells where to
 * go on. */
static enum err_code read_small(struct tending *t, char next[static INTEGER_BYTES],
                                struct source *days, size_t *count, struct error *err)
{
    struct arguments a = {0};
    arguments_add_integer(&a, span_of_hour(SPAN_MONTH, t->now_hour).number);
    arguments_add_integer(&a, TENDER_KEEP_RECORDS);
    arguments_add_bytes(&a, slice_from_string(next));
    arguments_add_integer(&a, DAYS_PAGE);
    struct redisReply *reply;
    enum err_code code = tending_run(t, REDIS_LANE_WRITE, REDIS_SCRIPT_TEND_SMALL, &a, &reply, err);
    if (code == ERR_OK && !read_next(reply, 0, next))
        code = tending_say_unexpected(err, "tend_small");
    *count = code == ERR_OK ? read_days(reply, days) : 0;
    redis_reply_free(reply);
    return code;
}

enum err_code tending_gather_months(struct tending *t, struct error *err)
{
    struct source days[DAYS_PAGE];
    size_t count;
    char next[INTEGER_BYTES] = "";
    enum err_code code;
    do {
        code = read_small(t, next, days, &count, err);
        for (size_t from = 0, to; code == ERR_OK && from < count; from = to) {
            struct span month = {SPAN_MONTH, floor_divide(days[from].span.number, MONTH_DAYS)};
            for (to = from;
                 to < count && floor_divide(days[to].span.number, MONTH_DAYS) == month.number;)
                to++;
            code = gather(t, month, days + from, to - from, err);
        }
    } while (code == ERR_OK && next[0] && !tending_must_yield(t));
    return code;
}
