#include "store_content.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chunk.h"
#include "number.h"
#include "redis_keys.h"
#include "span.h"

enum { WORDS_MAX = 6, TEXT_BYTES = 64 };

/* All keys of a type at one instant: of each its name without the stem, and what it holds. */
static const char snapshot_script[] =
    "local function hold(key) "
    "  local kind = redis.call('TYPE', key).ok "
    "  if kind == 'string' then return redis.call('GET', key) end "
    "  if kind == 'hash' then return redis.call('HGETALL', key) end "
    "  if kind == 'set' then return redis.call('SMEMBERS', key) end "
    "  return redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') "
    "end "
    "local reply = {} "
    "for _, key in ipairs(redis.call('KEYS', KEYS[1] .. '*')) do "
    "  reply[#reply + 1] = key:sub(#KEYS[1] + 1) "
    "  reply[#reply + 1] = hold(key) "
    "end "
    "return reply";

/* A closed chunk. */
struct closed {
    struct span span;
    uint64_t count;
};

/* While it is read. */
struct reading {
    struct store_content *content;
    const struct redisReply *snapshot;
    int64_t bytes, open, hot;
    size_t closed_count;
    struct closed *closed;
};

struct redisReply *store_content_call(struct redis_client *client, const char *type,
                                      const char *const words[])
{
    struct redis_key key;
    struct slice argv[WORDS_MAX] = {{NULL, 0}};
    size_t count = 0;
    redis_key_metric_stem(&key, redis_client_key_prefix(client), slice_from_string(type));
    for (; words[count]; count++)
        argv[count] = slice_from_string(words[count]);
    redis_key_append(&key, argv[1]);
    argv[1] = redis_key_slice(&key);
    struct redisReply *reply;
    struct error err;
    error_init(&err);
    if (redis_client_call(client, REDIS_LANE_WRITE, argv, count, &reply, &err) != ERR_OK)
        fail_msg("%s %s: %s (%s)", words[0], words[1], err.detail, err.cause);
    return reply;
}

/* What a key holds; NULL: there is none. */
static const struct redisReply *find(const struct reading *r, const char *name)
{
    struct slice key;
    for (size_t i = 0; redis_reply_bytes_at(r->snapshot, i, &key); i += 2) {
        if (slice_equals(key, slice_from_string(name)))
            return redis_reply_at(r->snapshot, i + 1);
    }
    return NULL;
}

/* The number of a field of a hash or a member of a sorted set; INT64_MIN: there is none. */
static int64_t number_of(const struct reading *r, const char *name, struct slice field)
{
    const struct redisReply *held = find(r, name);
    struct slice at, text;
    int64_t number = INT64_MIN;
    for (size_t i = 0; redis_reply_bytes_at(held, i, &at); i += 2) {
        if (slice_equals(at, field) && redis_reply_bytes_at(held, i + 1, &text))
            assert_true(number_parse_int64(text, INT64_MIN, INT64_MAX, &number));
    }
    return number;
}

static bool is_unsealed(const struct reading *r, const char *name)
{
    const struct redisReply *held = find(r, "unsealed");
    struct slice at;
    for (size_t i = 0; redis_reply_bytes_at(held, i, &at); i++) {
        if (slice_equals(at, slice_from_string(name)))
            return true;
    }
    return false;
}

static void add_closed(struct reading *r, struct slice span, uint64_t count)
{
    r->closed = realloc(r->closed, (r->closed_count + 1) * sizeof *r->closed);
    assert_non_null(r->closed);
    struct closed *closed = &r->closed[r->closed_count++];
    assert_true(span_parse(span, &closed->span));
    closed->count = count;
}

static void add_records(struct store_content *content, const struct record *records, size_t count)
{
    content->records =
        realloc(content->records, (content->record_count + count + 1) * sizeof *content->records);
    assert_non_null(content->records);
    memcpy(content->records + content->record_count, records, count * sizeof *records);
    content->record_count += count;
    content->count += count;
}

static void add_frozen(struct store_content *content, const struct moments *m)
{
    content->frozen =
        realloc(content->frozen, (content->frozen_count + 1) * sizeof *content->frozen);
    assert_non_null(content->frozen);
    content->frozen[content->frozen_count++] = *m;
    content->count += m->count;
}

/* --- Chunks ------------------------------------------------------------------------ */

/* The span in "blk:<span>:<number>", whose chunk is counted. */
static struct slice span_in(const struct reading *r, const char *name)
{
    const char *number = strchr(name + 4, ':');
    assert_non_null(number);
    struct slice span = slice_of(name + 4, (size_t)(number - name - 4));
    if (atoll(number + 1) >= number_of(r, "chunks", span))
        fail_msg("%s is one chunk too many", name);
    return span;
}

static void read_raw(struct reading *r, const char *name, struct slice bytes)
{
    static struct record records[CHUNK_RECORDS];
    assert_true(bytes.len > 0 && bytes.len % RECORD_BYTES == 0 && bytes.len <= CHUNK_BYTES);
    records_unpack((const unsigned char *)bytes.ptr, bytes.len / RECORD_BYTES, records);
    add_records(r->content, records, bytes.len / RECORD_BYTES);
    if (strchr(name + 4, ':')) {
        assert_int_equal(bytes.len, CHUNK_BYTES);
        assert_true(is_unsealed(r, name + 4));
        r->content->unsealed++;
        add_closed(r, span_in(r, name), CHUNK_RECORDS);
    } else {
        assert_true(bytes.len < CHUNK_BYTES);
        assert_int_equal(number_of(r, "open", slice_from_string(name + 4)), atoll(name + 4));
        r->content->open_count += bytes.len / RECORD_BYTES;
        r->open++;
        r->hot += strncmp(name, "hot:", 4) == 0;
    }
}

static void read_sealed(struct reading *r, const char *name, struct slice bytes)
{
    static struct record records[CHUNK_RECORDS];
    struct aggregate a;
    size_t count = 0;
    aggregate_init(&a, true);
    if (!aggregate_unpack(chunk_aggregate(bytes), &a))
        fail_msg("%s is damaged", name);
    if (chunk_block(bytes).len == 0) {
        add_frozen(r->content, &a.moments);
    } else {
        struct column_decoder *decoder = column_decoder_new();
        assert_true(decoder && block_decode(decoder, chunk_block(bytes), records, &count));
        column_decoder_free(decoder);
        assert_int_equal(count, a.moments.count);
        add_records(r->content, records, count);
    }
    add_closed(r, span_in(r, name), a.moments.count);
    aggregate_release(&a);
}

static void read_base(struct reading *r, struct slice bytes)
{
    struct aggregate a;
    aggregate_init(&a, true);
    assert_true(aggregate_unpack(chunk_aggregate(bytes), &a));
    r->content->base = a.moments;
    r->content->count += a.moments.count;
    aggregate_release(&a);
}

/* --- Rollups and indexes ----------------------------------------------------------- */

/* How many samples are closed in a span and below it. */
static uint64_t count_closed(const struct reading *r, struct span span)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < r->closed_count; i++) {
        struct span below = r->closed[i].span;
        if (below.level <= span.level &&
            span_of_hour(span.level, span_first_hour(below)).number == span.number)
            sum += r->closed[i].count;
    }
    return sum;
}

static void check_rollup(const struct reading *r, struct slice name, struct slice bytes)
{
    struct span span;
    struct aggregate a;
    assert_true(span_parse(name, &span));
    assert_true(number_of(r, "spans", name) != INT64_MIN);
    assert_true(bytes.len >= CHUNK_STAMP_BYTES);
    if (bytes.len == CHUNK_STAMP_BYTES)
        return;
    aggregate_init(&a, true);
    assert_true(aggregate_unpack(chunk_aggregate(bytes), &a));
    assert_int_equal(a.moments.count, count_closed(r, span));
    aggregate_release(&a);
}

static void check_rollups(const struct reading *r)
{
    struct slice key, bytes;
    for (size_t i = 0; redis_reply_bytes_at(r->snapshot, i, &key); i += 2) {
        if (slice_starts_with(key, SLICE("agg:")) &&
            redis_reply_bytes_at(r->snapshot, i + 1, &bytes))
            check_rollup(r, slice_of(key.ptr + 4, key.len - 4), bytes);
    }
}

static void check_above(const struct reading *r, struct span span, enum span_level above)
{
    char buffer[SPAN_NAME_BYTES];
    struct slice name = span_name(span_of_hour(above, span_first_hour(span)), buffer);
    if (above > span.level)
        assert_true(number_of(r, "spans", name) != INT64_MIN);
}

/* Each span has chunks, or some below it have; those above are there, too. */
static void check_spans(const struct reading *r)
{
    const struct redisReply *held = find(r, "spans");
    struct slice name;
    for (size_t i = 0; redis_reply_bytes_at(held, i, &name); i += 2) {
        struct span span;
        assert_true(span_parse(name, &span));
        assert_int_equal(number_of(r, "spans", name), ((int64_t)span.level << 32) + span.number);
        if (count_closed(r, span) == 0)
            fail_msg("span %.*s is empty", (int)name.len, name.ptr);
        check_above(r, span, SPAN_DAY);
        check_above(r, span, SPAN_MONTH);
    }
}

static void check_indexes(const struct reading *r)
{
    const struct redisReply *held = find(r, "chunks");
    struct slice field;
    size_t closed = 0;
    for (size_t i = 0; redis_reply_bytes_at(held, i, &field); i += 2) {
        struct span span;
        if (!span_parse(field, &span))
            continue;
        assert_true(number_of(r, "spans", field) != INT64_MIN);
        closed += (size_t)number_of(r, "chunks", field);
    }
    assert_int_equal(closed, r->closed_count);
    int64_t bytes = number_of(r, "chunks", SLICE("bytes"));
    assert_in_range(r->hot, 0, 1);
    assert_int_equal(bytes == INT64_MIN ? 0 : bytes, r->bytes);
    assert_int_equal(redis_reply_count(find(r, "open")), 2 * r->open);
    assert_int_equal(redis_reply_count(find(r, "unsealed")), r->content->unsealed);
}

/* --- All of it --------------------------------------------------------------------- */

static bool is_index(const char *name)
{
    static const char *const known[] = {"open",    "spans",     "chunks",    "unsealed",
                                        "sum:all", "sum:daily", "sum:hourly"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(name, known[i]) == 0)
            return true;
    }
    return false;
}

/* Open chunks in the first pass, all others in the second. */
static void read_key(struct reading *r, const char *name, const struct redisReply *held,
                     bool wants_open)
{
    struct slice bytes;
    bool is_hot = strncmp(name, "hot:", 4) == 0, is_raw = is_hot || strncmp(name, "raw:", 4) == 0;
    bool is_open = is_raw && !strchr(name + 4, ':');
    if (is_index(name) || is_open != wants_open)
        return;
    assert_true(redis_reply_bytes(held, &bytes));
    if (is_raw)
        read_raw(r, name, bytes);
    else if (strcmp(name, "blk:base") == 0)
        read_base(r, bytes);
    else if (strncmp(name, "blk:", 4) == 0)
        read_sealed(r, name, bytes);
    else if (strncmp(name, "agg:", 4) != 0)
        fail_msg("what is %s?", name);
    if (!is_raw)
        r->bytes += (int64_t)bytes.len;
}

static struct redisReply *take_snapshot(struct redis_client *client, const char *type)
{
    struct redis_key stem;
    struct redisReply *reply;
    struct error err;
    error_init(&err);
    redis_key_metric_stem(&stem, redis_client_key_prefix(client), slice_from_string(type));
    const struct slice argv[] = {SLICE("EVAL"), slice_from_string(snapshot_script), SLICE("1"),
                                 redis_key_slice(&stem)};
    if (redis_client_call(client, REDIS_LANE_WRITE, argv, 4, &reply, &err) != ERR_OK)
        fail_msg("%s (%s)", err.detail, err.cause);
    return reply;
}

void store_content_read(struct store_content *content, struct redis_client *client,
                        const char *type)
{
    struct redisReply *snapshot = take_snapshot(client, type);
    struct reading r = {.content = content, .snapshot = snapshot};
    struct slice key;
    *content = (struct store_content){0};
    for (int wants_open = 1; wants_open >= 0; wants_open--) {
        for (size_t i = 0; redis_reply_bytes_at(snapshot, i, &key); i += 2) {
            char name[TEXT_BYTES];
            (void)snprintf(name, sizeof name, "%.*s", (int)key.len, key.ptr);
            read_key(&r, name, redis_reply_at(snapshot, i + 1), wants_open);
        }
    }
    content->keys = redis_reply_count(snapshot) / 2;
    check_indexes(&r);
    check_rollups(&r);
    check_spans(&r);
    free(r.closed);
    redis_reply_free(snapshot);
}

void store_content_release(struct store_content *content)
{
    free(content->records);
    free(content->frozen);
    *content = (struct store_content){0};
}
