#include "test_life.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "await.h"
#include "life_model.h"
#include "number.h"
#include "redis_keys.h"
#include "store_content.h"

enum {
    DAY_HOURS = 24,
    MONTH_DAYS = 32,
    NOON = 12,
    LINE_BYTES = 1024,
    REPLY_BYTES = 256 * 1024,
    SOONEST_SECONDS = 10
};

const struct metric_retention test_life_for_ever = {0, 0};

static struct chunk_sealer *sealer;
static int64_t ahead_us;

int test_life_open(void **state)
{
    char out[64];
    if (test_store_open(state) != 0 || !test_store_command(out, sizeof out, "DEL ra:tender"))
        return -1;
    ahead_us = 0;
    sealer = chunk_sealer_new(test_store.client);
    return sealer ? 0 : -1;
}

int test_life_close(void **state)
{
    chunk_sealer_free(sealer);
    life_model_release();
    return test_store_close(state);
}

int64_t test_life_hour(void)
{
    return hour_of((struct wall_time){clock_wall_now().us + ahead_us});
}

int64_t test_life_past_hour(void)
{
    enum { DAYS_SINCE = 2, DAYS_BEFORE = 3 };
    int64_t today = test_life_hour() / DAY_HOURS, first = today / MONTH_DAYS * MONTH_DAYS;
    if (today < first + DAYS_BEFORE + DAYS_SINCE)
        today = first + DAYS_BEFORE + DAYS_SINCE;
    test_life_pretend(today * DAY_HOURS + NOON);
    return (today - DAYS_SINCE) * DAY_HOURS;
}

void test_life_pretend(int64_t hour)
{
    ahead_us = hour_start(hour).us + HOUR_US / 2 - clock_wall_now().us;
}

int64_t test_life_seconds_ahead(void)
{
    return ahead_us / 1000000;
}

int64_t test_life_number(const char *type, const char *const words[])
{
    struct redisReply *reply = store_content_call(test_store.client, type, words);
    int64_t number = -1;
    struct slice text;
    if (!redis_reply_integer(reply, &number) && redis_reply_bytes(reply, &text))
        assert_true(number_parse_int64(text, INT64_MIN, INT64_MAX, &number));
    redis_reply_free(reply);
    return number;
}

int64_t test_life_due(const char *type)
{
    const struct slice argv[] = {SLICE("ZSCORE"), SLICE("ra:due"), slice_from_string(type)};
    struct redisReply *reply;
    struct slice text;
    double due = -1;
    assert_int_equal(redis_client_call(test_store.client, REDIS_LANE_WRITE, argv, 3, &reply, NULL),
                     ERR_OK);
    if (redis_reply_bytes(reply, &text))
        assert_true(number_parse_double(text, &due));
    redis_reply_free(reply);
    return (int64_t)due;
}

static void check_due(const char *type)
{
    const char *const open[] = {"ZCARD", "open", NULL}, *const unsealed[] = {"SCARD", "unsealed",
                                                                             NULL};
    int64_t due = test_life_due(type), now = clock_wall_now().us / 1000000;
    if (due < 0 && test_life_number(type, open) + test_life_number(type, unsealed) > 0)
        fail_msg("%s was forgotten", type);
    if (due >= 0 && due < now + SOONEST_SECONDS)
        fail_msg("%s is due again %lld s after it was tended", type, (long long)(due - now));
}

enum err_code test_life_try_tend(const char *type, const struct metric_retention *retention,
                                 struct error *err)
{
    error_init(err);
    return metric_tender_tend_at(test_store.client, sealer, retention, slice_from_string(type),
                                 (struct wall_time){clock_wall_now().us + ahead_us}, err);
}

void test_life_tend(const char *type, const struct metric_retention *retention)
{
    struct error err;
    if (test_life_try_tend(type, retention, &err) != ERR_OK)
        fail_msg("%s (%s)", err.detail, err.cause);
    check_due(type);
}

void test_life_await_sealed(const char *type)
{
    const char *const words[] = {"SCARD", "unsealed", NULL};
    AWAIT(test_life_number(type, words) == 0);
}

int64_t test_life_closed(const char *type, enum span_level level, int64_t number)
{
    char name[SPAN_NAME_BYTES], text[SPAN_NAME_BYTES];
    struct slice span = span_name((struct span){level, number}, name);
    (void)snprintf(text, sizeof text, "%.*s", (int)span.len, span.ptr);
    const char *const words[] = {"HGET", "chunks", text, NULL};
    int64_t count = test_life_number(type, words);
    return count < 0 ? 0 : count;
}

int64_t test_life_open_bytes(const char *type, int64_t hour)
{
    char raw[LINE_BYTES], hot[LINE_BYTES];
    (void)snprintf(raw, sizeof raw, "raw:%lld", (long long)hour);
    (void)snprintf(hot, sizeof hot, "hot:%lld", (long long)hour);
    const char *const raw_words[] = {"STRLEN", raw, NULL}, *const hot_words[] = {"STRLEN", hot,
                                                                                 NULL};
    return test_life_number(type, raw_words) + test_life_number(type, hot_words);
}

static int compare_texts(const void *left, const void *right)
{
    return strcmp(left, right);
}

void test_life_digest(const char *type, char digest[static TEST_LIFE_DIGEST_BYTES])
{
    enum { KEYS_MAX = 128, NAME_BYTES = 64 };
    static char names[KEYS_MAX][NAME_BYTES];
    struct redis_key stem;
    const char *const words[] = {"KEYS", "*", NULL};
    struct redisReply *reply = store_content_call(test_store.client, type, words);
    size_t count = 0;
    struct slice key;
    redis_key_metric_stem(&stem, redis_client_key_prefix(test_store.client),
                          slice_from_string(type));
    for (; redis_reply_bytes_at(reply, count, &key); count++) {
        assert_true(count < KEYS_MAX);
        (void)snprintf(names[count], NAME_BYTES, "%.*s", (int)(key.len - stem.len),
                       key.ptr + stem.len);
    }
    redis_reply_free(reply);
    qsort(names, count, NAME_BYTES, compare_texts);
    int at = 0;
    digest[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        struct redis_key full = stem;
        redis_key_append(&full, slice_from_string(names[i]));
        const struct slice argv[] = {SLICE("DEBUG"), SLICE("DIGEST-VALUE"), redis_key_slice(&full)};
        assert_int_equal(
            redis_client_call(test_store.client, REDIS_LANE_WRITE, argv, 3, &reply, NULL), ERR_OK);
        assert_true(redis_reply_bytes_at(reply, 0, &key));
        at += snprintf(digest + at, (size_t)(TEST_LIFE_DIGEST_BYTES - at), "%s %.*s\n", names[i],
                       (int)key.len, key.ptr);
        redis_reply_free(reply);
        assert_true(at < TEST_LIFE_DIGEST_BYTES);
    }
}

void test_life_post_unheard(const char *type, int64_t at_us, double value)
{
    struct slice prefix = redis_client_key_prefix(test_store.client);
    struct redis_key meta, stem;
    redis_key_meta(&meta, prefix, slice_from_string(type));
    redis_key_metric_stem(&stem, prefix, slice_from_string(type));
    const struct record r = {{at_us}, value};
    unsigned char record[RECORD_BYTES];
    char hour[LINE_BYTES];
    record_pack(r, record);
    (void)snprintf(hour, sizeof hour, "%lld", (long long)hour_of(r.at));
    const struct slice keys[] = {SLICE("ra:rl:{nobody}:post"), redis_key_slice(&meta),
                                 redis_key_slice(&stem), SLICE("ra:types"), SLICE("ra:due")};
    const struct slice args[] = {SLICE("0"),
                                 SLICE("60000000"),
                                 slice_of((const char *)record, sizeof record),
                                 slice_from_string(hour),
                                 slice_from_string(type),
                                 SLICE("500"),
                                 SLICE("500")};
    struct redisReply *reply;
    int64_t status = -1;
    assert_int_equal(redis_client_eval(test_store.client, REDIS_LANE_WRITE, REDIS_SCRIPT_POST, keys,
                                       5, args, 7, &reply, NULL),
                     ERR_OK);
    assert_true(redis_reply_integer_at(reply, 4, &status) && status == 0);
    redis_reply_free(reply);
    life_model_note(type, r);
}

struct redisReply *test_life_eval(enum redis_script script, const char *type,
                                  const struct slice *args, size_t count)
{
    struct slice prefix = redis_client_key_prefix(test_store.client);
    struct redis_key stem, meta;
    struct redisReply *reply;
    struct error err;
    error_init(&err);
    redis_key_metric_stem(&stem, prefix, slice_from_string(type));
    redis_key_meta(&meta, prefix, slice_from_string(type));
    const struct slice keys[] = {redis_key_slice(&stem), redis_key_slice(&meta)};
    if (redis_client_eval(test_store.client, REDIS_LANE_WRITE, script, keys, 2, args, count, &reply,
                          &err) != ERR_OK)
        fail_msg("%s (%s)", err.detail, err.cause);
    return reply;
}

int64_t test_life_connections(void)
{
    static char list[REPLY_BYTES];
    assert_true(test_store_command(list, sizeof list, "CLIENT LIST"));
    int64_t lines = 0;
    for (const char *at = list; (at = strchr(at, '\n')); at++)
        lines++;
    return lines;
}
