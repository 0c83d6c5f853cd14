#include "store_content.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chunk.h"
#include "number.h"
#include "redis_keys.h"
#include "span.h"

enum { WORDS_MAX = 6, SEALERS_MS = 3000, TEXT_BYTES = 64 };

/* While it is read. */
struct reading {
    struct store_content *content;
    struct redis_client *client;
    const char *type;
    int64_t bytes, closed, open;
};

struct redisReply *store_content_call(struct redis_client *client, const char *type,
                                      const char *const words[])
{
    struct redis_key key;
    struct slice argv[WORDS_MAX];
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

/* A reply of one value, as a number; `absent` for none. */
static int64_t ask_number(const struct reading *r, const char *command, const char *name,
                          const char *field, int64_t absent)
{
    const char *const words[] = {command, name, field, NULL};
    struct redisReply *reply = store_content_call(r->client, r->type, words);
    int64_t number = absent;
    struct slice text;
    if (!redis_reply_integer(reply, &number) && redis_reply_bytes(reply, &text))
        assert_true(number_parse_int64(text, INT64_MIN, INT64_MAX, &number));
    redis_reply_free(reply);
    return number;
}

int64_t store_content_closed(struct redis_client *client, const char *type, const char *span)
{
    const struct reading r = {.client = client, .type = type};
    return ask_number(&r, "HGET", "chunks", span, 0);
}

static struct redisReply *get(const struct reading *r, const char *name, struct slice *bytes)
{
    const char *const words[] = {"GET", name, NULL};
    struct redisReply *reply = store_content_call(r->client, r->type, words);
    assert_true(redis_reply_bytes(reply, bytes));
    return reply;
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

static void read_raw(struct reading *r, const char *name, struct slice bytes)
{
    static struct record records[CHUNK_RECORDS];
    const char *number = strchr(name + 4, ':');
    assert_true(bytes.len > 0 && bytes.len % RECORD_BYTES == 0 && bytes.len <= CHUNK_BYTES);
    records_unpack((const unsigned char *)bytes.ptr, bytes.len / RECORD_BYTES, records);
    add_records(r->content, records, bytes.len / RECORD_BYTES);
    if (number) {
        assert_int_equal(bytes.len, CHUNK_BYTES);
        assert_int_equal(ask_number(r, "SISMEMBER", "unsealed", name + 4, 0), 1);
        r->content->unsealed++;
        r->closed++;
    } else {
        assert_true(bytes.len < CHUNK_BYTES);
        assert_int_equal(ask_number(r, "ZSCORE", "open", name + 4, INT64_MIN), atoll(name + 4));
        r->content->open_count += bytes.len / RECORD_BYTES;
        r->open++;
    }
}

static void read_sealed(struct reading *r, const char *name, struct slice bytes)
{
    static struct record records[CHUNK_RECORDS];
    struct aggregate a;
    size_t count;
    char span[TEXT_BYTES] = "";
    aggregate_init(&a, true);
    if (!aggregate_unpack(chunk_aggregate(bytes), &a))
        fail_msg("%s is damaged", name);
    if (chunk_block(bytes).len == 0) {
        add_frozen(r->content, &a.moments);
    } else {
        assert_true(block_decode(chunk_block(bytes), records, &count));
        assert_int_equal(count, a.moments.count);
        add_records(r->content, records, count);
    }
    aggregate_release(&a);
    const char *number = strchr(name + 4, ':');
    assert_non_null(number);
    memcpy(span, name + 4, (size_t)(number - name - 4));
    if (atoll(number + 1) >= ask_number(r, "HGET", "chunks", span, 0))
        fail_msg("%s is one chunk too many", name);
    r->closed++;
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
    const char *const words[] = {"HGETALL", "chunks", NULL};
    struct redisReply *reply = store_content_call(r->client, r->type, words);
    struct slice field, text;
    struct span below;
    for (size_t i = 0; redis_reply_bytes_at(reply, i, &field); i += 2) {
        int64_t count;
        if (!span_parse(field, &below) || below.level > span.level ||
            span_of_hour(span.level, span_first_hour(below)).number != span.number)
            continue;
        assert_true(redis_reply_bytes_at(reply, i + 1, &text));
        assert_true(number_parse_int64(text, 1, INT64_MAX, &count));
        for (int64_t n = 0; n < count; n++) {
            char name[TEXT_BYTES];
            struct moments m;
            uint16_t follow;
            struct slice bytes = SLICE("");
            (void)snprintf(name, sizeof name, "blk:%.*s:%lld", (int)field.len, field.ptr,
                           (long long)n);
            const char *const ask[] = {"GET", name, NULL};
            struct redisReply *chunk = store_content_call(r->client, r->type, ask);
            (void)redis_reply_bytes(chunk, &bytes);
            sum += moments_unpack(chunk_aggregate(bytes), &m, &follow) ? m.count : CHUNK_RECORDS;
            redis_reply_free(chunk);
        }
    }
    redis_reply_free(reply);
    return sum;
}

static void read_rollup(const struct reading *r, const char *name, struct slice bytes)
{
    struct span span;
    struct aggregate a;
    assert_true(span_parse(slice_from_string(name + 4), &span));
    assert_true(ask_number(r, "ZSCORE", "spans", name + 4, INT64_MIN) != INT64_MIN);
    assert_true(bytes.len >= CHUNK_STAMP_BYTES);
    if (bytes.len == CHUNK_STAMP_BYTES)
        return;
    aggregate_init(&a, true);
    assert_true(aggregate_unpack(chunk_aggregate(bytes), &a));
    assert_int_equal(a.moments.count, count_closed(r, span));
    aggregate_release(&a);
}

static void check_above(const struct reading *r, struct span span, enum span_level above)
{
    char buffer[SPAN_NAME_BYTES], text[TEXT_BYTES];
    struct slice s = span_name(span_of_hour(above, span_first_hour(span)), buffer);
    (void)snprintf(text, sizeof text, "%.*s", (int)s.len, s.ptr);
    if (above > span.level)
        assert_true(ask_number(r, "ZSCORE", "spans", text, INT64_MIN) != INT64_MIN);
}

/* Each span has chunks, or some below it have; those above are there, too. */
static void check_spans(const struct reading *r)
{
    const char *const words[] = {"ZRANGE", "spans", "0", "-1", "WITHSCORES", NULL};
    struct redisReply *reply = store_content_call(r->client, r->type, words);
    struct slice name, score;
    for (size_t i = 0; redis_reply_bytes_at(reply, i, &name); i += 2) {
        struct span span;
        int64_t number;
        assert_true(span_parse(name, &span));
        assert_true(redis_reply_bytes_at(reply, i + 1, &score));
        assert_true(number_parse_int64(score, INT64_MIN, INT64_MAX, &number));
        assert_int_equal(number, ((int64_t)span.level << 32) + span.number);
        if (count_closed(r, span) == 0)
            fail_msg("span %.*s is empty", (int)name.len, name.ptr);
        check_above(r, span, SPAN_DAY);
        check_above(r, span, SPAN_MONTH);
    }
    redis_reply_free(reply);
}

static void check_chunks(const struct reading *r)
{
    const char *const words[] = {"HGETALL", "chunks", NULL};
    struct redisReply *reply = store_content_call(r->client, r->type, words);
    struct slice field, text;
    int64_t closed = 0, bytes = 0;
    for (size_t i = 0; redis_reply_bytes_at(reply, i, &field); i += 2) {
        struct span span;
        int64_t number;
        assert_true(redis_reply_bytes_at(reply, i + 1, &text));
        assert_true(number_parse_int64(text, INT64_MIN, INT64_MAX, &number));
        if (slice_equals(field, SLICE("bytes"))) {
            bytes = number;
        } else if (span_parse(field, &span)) {
            char name[TEXT_BYTES];
            (void)snprintf(name, sizeof name, "%.*s", (int)field.len, field.ptr);
            assert_true(ask_number(r, "ZSCORE", "spans", name, INT64_MIN) != INT64_MIN);
            closed += number;
        }
    }
    redis_reply_free(reply);
    assert_int_equal(closed, r->closed);
    assert_int_equal(bytes, r->bytes);
    assert_int_equal(ask_number(r, "ZCARD", "open", NULL, 0), r->open);
    assert_int_equal(ask_number(r, "SCARD", "unsealed", NULL, 0), r->content->unsealed);
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
static void read_key(struct reading *r, const char *name, bool wants_open)
{
    struct slice bytes;
    bool is_raw = strncmp(name, "raw:", 4) == 0, is_open = is_raw && !strchr(name + 4, ':');
    if (is_index(name) || is_open != wants_open)
        return;
    struct redisReply *reply = get(r, name, &bytes);
    if (is_raw)
        read_raw(r, name, bytes);
    else if (strcmp(name, "blk:base") == 0)
        read_base(r, bytes);
    else if (strncmp(name, "blk:", 4) == 0)
        read_sealed(r, name, bytes);
    else if (strncmp(name, "agg:", 4) == 0)
        read_rollup(r, name, bytes);
    else
        fail_msg("what is %s?", name);
    if (!is_raw)
        r->bytes += (int64_t)bytes.len;
    redis_reply_free(reply);
}

/* Keys must not change between two looks: sealers that are about it finish. */
static void await_sealers(const struct reading *r)
{
    for (int left = SEALERS_MS; left > 0 && ask_number(r, "SCARD", "unsealed", NULL, 0) > 0; left--)
        (void)poll(NULL, 0, 1);
}

void store_content_read(struct store_content *content, struct redis_client *client,
                        const char *type)
{
    struct reading r = {.content = content, .client = client, .type = type};
    await_sealers(&r);
    const char *const words[] = {"KEYS", "*", NULL};
    struct redisReply *reply = store_content_call(client, type, words);
    struct redis_key stem;
    struct slice key;
    *content = (struct store_content){0};
    redis_key_metric_stem(&stem, redis_client_key_prefix(client), slice_from_string(type));
    for (int wants_open = 1; wants_open >= 0; wants_open--) {
        for (size_t i = 0; redis_reply_bytes_at(reply, i, &key); i++) {
            char name[TEXT_BYTES];
            (void)snprintf(name, sizeof name, "%.*s", (int)(key.len - stem.len),
                           key.ptr + stem.len);
            read_key(&r, name, wants_open);
        }
    }
    content->keys = redis_reply_count(reply);
    redis_reply_free(reply);
    check_chunks(&r);
    check_spans(&r);
}

void store_content_release(struct store_content *content)
{
    free(content->records);
    free(content->frozen);
    *content = (struct store_content){0};
}
