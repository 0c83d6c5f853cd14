/* summary_cache against a real server: always what the samples say now. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "await.h"
#include "chunk.h"
#include "packed.h"
#include "redis_keys.h"
#include "summary_cache.h"
#include "test_store.h"

enum { TTL_SECONDS = 300 };

static const int64_t spans[PERIOD_COUNT] = {0, INT64_C(86400000000), INT64_C(3600000000)};
static struct summary_cache *cache;
static struct summary_answer answer; /* the last one */

static int open_cache(void **state)
{
    (void)test_store_open(state);
    cache = summary_cache_new(test_store.store, test_store.client, TTL_SECONDS);
    assert_non_null(cache);
    aggregate_init(&answer.aggregate, true);
    return 0;
}

static int close_cache(void **state)
{
    aggregate_release(&answer.aggregate);
    summary_cache_free(cache);
    return test_store_close(state);
}

static void post(int64_t at_us, double value)
{
    test_store_post("cpu", at_us, value);
}

static enum err_code ask_fresh(enum period period, int64_t fresh_us, struct strbuf *external)
{
    struct error err;
    struct strbuf unwanted;
    error_init(&err);
    strbuf_init(&unwanted, 1000);
    enum err_code code = summary_cache_get(cache, SLICE("cpu"), period, fresh_us,
                                           mono_after_ms(clock_mono_now(), 10000), &answer,
                                           external ? external : &unwanted, &err);
    strbuf_release(&unwanted);
    return code;
}

static const struct moments *ask(enum period period)
{
    assert_int_equal(ask_fresh(period, 0, NULL), ERR_OK);
    assert_int_equal(histogram_count(&answer.aggregate.histogram), answer.aggregate.moments.count);
    return &answer.aggregate.moments;
}

/* An answer is kept at once where there is none yet. */
static const struct moments *ask_until_hit(enum period period)
{
    char text[64];
    test_store_settle();
    (void)snprintf(text, sizeof text, "DEL ra:m:{cpu}:sum:%s", period_name(period).ptr);
    test_store_run(text);
    (void)ask(period);
    assert_false(answer.is_hit);
    test_store_settle();
    (void)ask(period);
    assert_true(answer.is_hit);
    return &answer.aggregate.moments;
}

/* What the samples say. */
struct summary {
    uint64_t count;
    double average, min, max, latest;
};

static struct summary expected_since(int64_t from_us)
{
    struct summary s = {0};
    long double sum = 0;
    int64_t latest_us = INT64_MIN;
    for (size_t i = 0; i < test_store.model.count; i++) {
        struct record r = test_store.model.samples[i].record;
        if (r.at.us < from_us)
            continue;
        bool is_first = s.count++ == 0;
        s.min = is_first ? r.value : fmin(s.min, r.value);
        s.max = is_first ? r.value : fmax(s.max, r.value);
        sum += (long double)r.value;
        s.latest = r.at.us >= latest_us ? r.value : s.latest;
        latest_us = r.at.us >= latest_us ? r.at.us : latest_us;
    }
    s.average = s.count ? (double)(sum / (long double)s.count) : 0.0;
    return s;
}

static void assert_summary(const struct moments *actual, const struct summary *expected)
{
    assert_int_equal(actual->count, expected->count);
    assert_true(actual->min == expected->min && actual->max == expected->max);
    assert_true(actual->last.value == expected->latest);
    assert_true(fabs(moments_average(actual) - expected->average) <=
                1e-12 * fabs(expected->average));
}

/* Samples keep well away from the edges of the windows, so `now` may be ours. */
static int64_t random_instant(int64_t now_us)
{
    static const int64_t ages_us[] = {0, 1800000000, 80000000000, 90000000000, -7200000000};
    switch (test_store_below(12)) {
    case 0:
        return -62135596800000000 + (int64_t)test_store_below(2);
    case 1:
        return 253402300799999999 - (int64_t)test_store_below(2);
    default:
        return now_us - ages_us[test_store_below(5)] + (int64_t)test_store_below(4);
    }
}

static void every_answer_equals_a_plain_array(void **state)
{
    (void)state;
    int64_t now_us = clock_wall_now().us;
    for (int i = 0; i < 600; i++) {
        test_store.posts_series = test_store_below(3) > 0;
        post(random_instant(now_us), (double)test_store_below(1000) / 7 + 1);
        if (test_store_below(3) == 0)
            continue;
        for (int p = 0; p < PERIOD_COUNT; p++) {
            int64_t from_us = p == PERIOD_ALL ? INT64_MIN : now_us - spans[p];
            struct summary expected = expected_since(from_us);
            assert_summary(ask((enum period)p), &expected);
            assert_false(answer.is_hit);
            assert_summary(ask_until_hit((enum period)p), &expected);
        }
    }
}

static void an_unknown_type_is_all_zeros_and_leaves_no_trace(void **state)
{
    (void)state;
    char before[64], after[64];
    const struct summary nothing = {0};
    assert_true(test_store_command(before, sizeof before, "DBSIZE"));
    for (int p = 0; p < PERIOD_COUNT; p++) {
        assert_summary(ask((enum period)p), &nothing);
        assert_true(answer.valid_us == INT64_MAX);
    }
    assert_true(test_store_command(after, sizeof after, "DBSIZE"));
    assert_string_equal(before, after);
}

static void an_answer_ends_when_its_oldest_sample_leaves(void **state)
{
    (void)state;
    int64_t now_us = clock_wall_now().us, life_us = 2000000;
    post(now_us - spans[PERIOD_HOURLY] + life_us, 1.0);
    post(now_us - 1000, 2.0);
    assert_int_equal(ask(PERIOD_HOURLY)->count, 2);
    assert_in_range(answer.valid_us, 1, life_us + 1);
    (void)ask_until_hit(PERIOD_HOURLY);
    AWAIT(clock_wall_now().us > now_us + life_us);
    (void)ask(PERIOD_HOURLY);
    assert_false(answer.is_hit);
    assert_int_equal(answer.aggregate.moments.count, 1);
    assert_true(answer.valid_us > spans[PERIOD_HOURLY] - 60000000);
}

/* When Redis made the kept answer (summary_cache.c: bytes 16 to 23). */
static int64_t kept_made_us(void)
{
    struct redisReply *reply;
    struct slice packed;
    const struct slice argv[] = {SLICE("GET"), SLICE("ra:m:{cpu}:sum:hourly")};
    assert_int_equal(redis_client_call(test_store.client, REDIS_LANE_WRITE, argv, 2, &reply, NULL),
                     ERR_OK);
    assert_true(redis_reply_bytes(reply, &packed) && packed.len > 24);
    int64_t made_us = (int64_t)packed_u64((const unsigned char *)packed.ptr + 16);
    redis_reply_free(reply);
    return made_us;
}

/* A sample at every microsecond where the edge will be when it is asked for. */
static void the_edge_is_exact_to_the_microsecond(void **state)
{
    (void)state;
    enum { WIDTH_US = BATCH_SAMPLES_MAX, AHEAD_US = 700000 };
    static struct record records[WIDTH_US];
    for (int round = 0; round < 8; round++) {
        int64_t start_us = clock_wall_now().us + AHEAD_US * (round + 1);
        for (int i = 0; i < WIDTH_US; i++)
            records[i] = (struct record){{start_us - spans[PERIOD_HOURLY] + i}, 1.0};
        test_store_post_batch("cpu", records, WIDTH_US);
        test_store_run("DEL ra:m:{cpu}:sum:hourly");
        while (clock_wall_now().us < start_us + WIDTH_US / 4) {
        }
        (void)ask(PERIOD_HOURLY);
        int64_t made_us = kept_made_us();
        struct summary expected = expected_since(made_us - spans[PERIOD_HOURLY]);
        assert_int_equal(answer.aggregate.moments.count, expected.count);
        if (made_us >= start_us && made_us < start_us + WIDTH_US) {
            assert_int_equal(answer.valid_us, 1);
            return;
        }
    }
    fail_msg("this machine is too busy to ask in time");
}

struct writer {
    pthread_t thread;
    atomic_uint started, finished;
    int64_t at_us;
};

static void *write_samples(void *argument)
{
    struct writer *writer = argument;
    for (int i = 0; i < 3000; i++) {
        struct rate_verdict verdict;
        atomic_fetch_add(&writer->started, 1);
        if (test_store_add("cpu", writer->at_us, 1.0, &test_store_no_limit, &verdict) == ERR_OK)
            atomic_fetch_add(&writer->finished, 1);
    }
    return NULL;
}

static void no_answer_is_older_than_its_question(void **state)
{
    (void)state;
    struct writer writer = {.at_us = clock_wall_now().us};
    assert_int_equal(pthread_create(&writer.thread, NULL, write_samples, &writer), 0);
    for (unsigned least = 0, i = 0; least < 3000; i++) {
        least = atomic_load(&writer.finished);
        uint64_t count = ask((enum period)(i % PERIOD_COUNT))->count;
        assert_in_range(count, least, atomic_load(&writer.started));
    }
    assert_int_equal(pthread_join(writer.thread, NULL), 0);
}

static void fresh_enough_is_good_enough_when_asked_so(void **state)
{
    (void)state;
    post(clock_wall_now().us, 1.0);
    (void)ask_until_hit(PERIOD_DAILY);
    post(clock_wall_now().us, 3.0);
    assert_int_equal(ask_fresh(PERIOD_DAILY, 60000000, NULL), ERR_OK);
    assert_true(answer.is_hit);
    assert_int_equal(answer.aggregate.moments.count, 1);
    assert_int_equal(answer.valid_us, 0);
    assert_in_range(answer.age_us, 0, 60000000);
    assert_int_equal(ask_fresh(PERIOD_DAILY, 1, NULL), ERR_OK);
    assert_int_equal(answer.aggregate.moments.count, 2);
}

/* As summary_cache.c has it. */
enum { KEPT_HEAD_BYTES = 32, KEPT_BYTES_MAX = KEPT_HEAD_BYTES + AGGREGATE_PACKED_BYTES_MAX };

static unsigned char kept[KEPT_BYTES_MAX];

static size_t read_kept(void)
{
    struct redisReply *reply;
    struct slice packed;
    const struct slice get[] = {SLICE("GET"), SLICE("ra:m:{cpu}:sum:daily")};
    assert_int_equal(redis_client_call(test_store.client, REDIS_LANE_WRITE, get, 2, &reply, NULL),
                     ERR_OK);
    assert_true(redis_reply_bytes(reply, &packed) && packed.len > KEPT_HEAD_BYTES &&
                packed.len <= sizeof kept);
    memcpy(kept, packed.ptr, packed.len);
    redis_reply_free(reply);
    return packed.len;
}

static void write_kept(size_t len)
{
    struct redisReply *reply;
    const struct slice set[] = {SLICE("SET"), SLICE("ra:m:{cpu}:sum:daily"),
                                slice_of((const char *)kept, len)};
    assert_int_equal(redis_client_call(test_store.client, REDIS_LANE_WRITE, set, 3, &reply, NULL),
                     ERR_OK);
    redis_reply_free(reply);
}

static void damaged_answers_are_computed_again(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++)
        post(clock_wall_now().us, 5.0);
    for (int round = 0; round < 60; round++) {
        (void)ask_until_hit(PERIOD_DAILY);
        size_t len = read_kept(), at = round == 0 ? KEPT_HEAD_BYTES : test_store_below(len);
        if (round % 3 != 0)
            kept[at] ^= (unsigned char)(1 + test_store_below(255));
        else
            len = at;
        write_kept(len);
        assert_true(moments_average(ask(PERIOD_DAILY)) == 5.0);
        assert_false(answer.is_hit);
    }
}

static void a_kept_answer_is_the_computed_one_bit_by_bit(void **state)
{
    (void)state;
    static unsigned char computed[AGGREGATE_PACKED_BYTES_MAX], again[AGGREGATE_PACKED_BYTES_MAX];
    int64_t now_us = clock_wall_now().us;
    for (int i = 0; i < 200; i++)
        test_store.posts_series = test_store_below(3) > 0;
    post(random_instant(now_us), (double)test_store_below(100000) / 7 - 5000);
    (void)ask(PERIOD_DAILY);
    assert_false(answer.is_hit);
    size_t len = aggregate_pack(&answer.aggregate, computed);
    test_store_settle();
    (void)ask(PERIOD_DAILY);
    assert_true(answer.is_hit);
    assert_int_equal(aggregate_pack(&answer.aggregate, again), len);
    assert_memory_equal(computed, again, len);
}

/* What cannot be read may be read again when somebody has put it right. */
static void an_answer_that_lacks_something_is_not_kept(void **state)
{
    (void)state;
    int64_t now_us = clock_wall_now().us;
    char text[96];
    post(now_us, 1.0);
    (void)snprintf(text, sizeof text, "APPEND ra:m:{cpu}:raw:%lld x",
                   (long long)hour_of((struct wall_time){now_us}));
    test_store_run(text);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ask(PERIOD_DAILY)->count, 0);
        assert_false(answer.is_hit);
        assert_int_equal(answer.report.damage_count, 1);
        test_store_settle();
    }
    assert_true(test_store_command(text, sizeof text, "EXISTS ra:m:{cpu}:sum:daily"));
    assert_string_equal(text, "0");
}

/* All that is left of two samples that have expired, the older one outside of a day. */
static void put_base(int64_t now_us)
{
    static unsigned char base[CHUNK_STAMP_BYTES + AGGREGATE_PACKED_BYTES_MAX];
    const struct record records[] = {{{now_us - 2 * spans[PERIOD_DAILY]}, 1.0}, {{now_us}, 2.0}};
    struct aggregate a;
    struct redis_key key;
    struct redisReply *reply;
    aggregate_init(&a, true);
    aggregate_add_run(&a, records, 2);
    size_t len = CHUNK_STAMP_BYTES + aggregate_pack(&a, base + CHUNK_STAMP_BYTES);
    aggregate_release(&a);
    redis_key_base(&key, redis_client_key_prefix(test_store.client), SLICE("cpu"));
    const struct slice argv[] = {SLICE("SET"), redis_key_slice(&key),
                                 slice_of((const char *)base, len)};
    assert_int_equal(redis_client_call(test_store.client, REDIS_LANE_WRITE, argv, 3, &reply, NULL),
                     ERR_OK);
    redis_reply_free(reply);
}

/* What is kept does not say so. */
static void an_answer_without_what_was_folded_is_not_kept(void **state)
{
    (void)state;
    int64_t now_us = clock_wall_now().us;
    post(now_us, 1.0);
    put_base(now_us);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ask(PERIOD_DAILY)->count, 1);
        assert_true(answer.report.is_folded);
        assert_false(answer.is_hit);
        test_store_settle();
    }
    assert_int_equal(ask_until_hit(PERIOD_ALL)->count, 3);
    assert_false(answer.report.is_folded);
}

/* The kept answer, as if made at `made_us` and of data so much newer (summary_cache.c: bytes
 * 8 to 23; the head is sealed by itself). */
static void forge_kept(int64_t version_ahead, int64_t made_us)
{
    size_t len = read_kept();
    packed_put_u64(kept + 8, packed_u64(kept + 8) + (uint64_t)version_ahead);
    packed_put_u64(kept + 16, (uint64_t)made_us);
    packed_seal(kept, KEPT_HEAD_BYTES);
    write_kept(len);
}

static void assert_daily(bool is_hit, uint64_t count)
{
    (void)ask(PERIOD_DAILY);
    assert_int_equal(answer.is_hit, is_hit);
    assert_int_equal(answer.aggregate.moments.count, count);
    assert_true(answer.age_us >= 0);
    test_store_settle();
}

/* The clock of Redis stepped back: samples that had left the window are in it again. */
static void an_answer_made_in_the_future_is_computed_again(void **state)
{
    (void)state;
    int64_t in_an_hour_us = clock_wall_now().us + INT64_C(3600000000);
    post(clock_wall_now().us, 1.0);
    (void)ask_until_hit(PERIOD_DAILY);
    forge_kept(0, in_an_hour_us);
    assert_daily(false, 1);
    assert_daily(true, 1);
    /* Also where an old answer would be fresh enough. */
    forge_kept(0, in_an_hour_us);
    assert_int_equal(ask_fresh(PERIOD_DAILY, 60000000, NULL), ERR_OK);
    assert_false(answer.is_hit);
    assert_in_range(answer.age_us, 0, 60000000);
    test_store_settle();
    /* And while the type is written, it is replaced without waiting for its hour. */
    forge_kept(0, in_an_hour_us);
    post(clock_wall_now().us, 1.0);
    assert_daily(false, 2);
    assert_daily(true, 2);
}

/* Under the sanitizer: nothing overflows on what somebody else stored. */
static void instants_beyond_all_years_do_no_harm(void **state)
{
    (void)state;
    int64_t now_us = clock_wall_now().us;
    const struct record records[] = {{{INT64_MAX}, 1.0}, {{INT64_MAX - 1}, 2.0}};
    post(now_us, 1.0);
    (void)ask_until_hit(PERIOD_DAILY);
    forge_kept(0, INT64_MIN);
    assert_daily(false, 1);
    assert_daily(true, 1);
    test_store_run("FLUSHALL");
    post(now_us - 2 * spans[PERIOD_DAILY], 1.0);
    test_store_put_open("cpu", hour_of((struct wall_time){now_us}), records, 2);
    for (int p = 0; p < PERIOD_COUNT; p++)
        assert_int_equal(ask_fresh((enum period)p, 0, NULL), ERR_OK);
}

/* The end of the append-only file was lost: what is kept is of data that no longer are. */
static void an_answer_newer_than_the_data_is_replaced(void **state)
{
    (void)state;
    post(clock_wall_now().us, 1.0);
    (void)ask_until_hit(PERIOD_DAILY);
    forge_kept(1000000, 0);
    assert_daily(false, 1);
    assert_daily(true, 1);
}

/* A slow process comes with an answer that was made from what has changed since. */
static void an_older_answer_replaces_no_newer_one(void **state)
{
    (void)state;
    struct redisReply *old, *reply;
    struct slice packed;
    int64_t was_kept = -1;
    const struct slice keys[] = {SLICE("ra:meta:{cpu}"), SLICE("ra:m:{cpu}:"),
                                 SLICE("ra:m:{cpu}:sum:daily")};
    const struct slice get[] = {SLICE("GET"), keys[2]};
    post(clock_wall_now().us, 1.0);
    (void)ask_until_hit(PERIOD_DAILY);
    assert_int_equal(redis_client_call(test_store.client, REDIS_LANE_WRITE, get, 2, &old, NULL),
                     ERR_OK);
    assert_true(redis_reply_bytes(old, &packed));
    post(clock_wall_now().us, 3.0);
    (void)ask_until_hit(PERIOD_DAILY);

    const struct slice args[] = {packed, SLICE("60")};
    assert_int_equal(redis_client_eval(test_store.client, REDIS_LANE_WRITE,
                                       REDIS_SCRIPT_SUMMARY_PUT, keys, 3, args, 2, &reply, NULL),
                     ERR_OK);
    assert_true(redis_reply_integer(reply, &was_kept));
    assert_int_equal(was_kept, 0);
    redis_reply_free(reply);
    redis_reply_free(old);
    (void)ask(PERIOD_DAILY);
    assert_true(answer.is_hit);
    assert_int_equal(answer.aggregate.moments.count, 2);
}

static void kept_answers_expire(void **state)
{
    (void)state;
    char out[64];
    post(clock_wall_now().us, 1.0);
    (void)ask_until_hit(PERIOD_HOURLY);
    assert_true(test_store_command(out, sizeof out, "TTL ra:m:{cpu}:sum:hourly"));
    assert_in_range(strtol(out, NULL, 10), TTL_SECONDS - 5, TTL_SECONDS);
}

static void external_data_come_along(void **state)
{
    (void)state;
    struct strbuf external;
    strbuf_init(&external, 100);
    assert_int_equal(ask_fresh(PERIOD_ALL, 0, &external), ERR_OK);
    assert_int_equal(external.len, 0);
    test_store_run("SET ra:ext:{cpu} weather PX 5000");
    assert_int_equal(ask_fresh(PERIOD_ALL, 0, &external), ERR_OK);
    assert_true(slice_equals(strbuf_slice(&external), SLICE("weather")));
    assert_in_range(answer.external_ttl_us, 1, 5000000);
    test_store_run("PERSIST ra:ext:{cpu}");
    assert_int_equal(ask_fresh(PERIOD_ALL, 0, &external), ERR_OK);
    assert_true(answer.external_ttl_us == INT64_MAX);
    strbuf_release(&external);
}

static void an_overflowing_sum_spoils_nothing_else(void **state)
{
    (void)state;
    int64_t now_us = clock_wall_now().us;
    post(now_us, 1.7e308);
    post(now_us, 1.7e308);
    post(now_us, -1.7e308);
    post(now_us, 2.0);
    for (int p = 0; p < PERIOD_COUNT; p++) {
        const struct moments *m = ask((enum period)p);
        assert_int_equal(m->count, 4);
        assert_true(m->min == -1.7e308 && m->max == 1.7e308);
        assert_true(m->last.value == 2.0);
        assert_true(isinf(moments_average(m)));
    }
}

static void a_sum_keeps_what_a_double_would_lose(void **state)
{
    (void)state;
    int64_t now_us = clock_wall_now().us;
    post(now_us, 1e16);
    post(now_us, 1.0);
    post(now_us, -1e16);
    for (int p = 0; p < PERIOD_COUNT; p++)
        assert_true(moments_average(ask((enum period)p)) == 1.0 / 3.0);
}

static void microseconds_count_far_in_the_future(void **state)
{
    (void)state;
    const int64_t year_9000 = INT64_C(221845392000000000);
    post(year_9000 + 1, 1.0);
    post(year_9000, 2.0);
    assert_true(ask(PERIOD_ALL)->last.value == 1.0);
    assert_true(ask(PERIOD_DAILY)->last.value == 1.0);
    post(year_9000 + 1, 3.0);
    assert_true(ask(PERIOD_ALL)->last.value == 3.0);
    post(-year_9000 / 4, 4.0);
    assert_true(ask(PERIOD_ALL)->last.value == 3.0);
}

static void a_strangers_keys_are_errors_not_crashes(void **state)
{
    (void)state;
    static const char *const damages[] = {
        "HSET ra:meta:{cpu} f 1", "SET ra:meta:{cpu} 012345678901234567890123456789012345678",
        "RPUSH ra:m:{cpu}:sum:daily x", "SET ra:m:{cpu}:sum:daily x", "RPUSH ra:ext:{cpu} x"};
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        test_store_run("FLUSHALL");
        if (i >= 2)
            post(clock_wall_now().us, 1.0);
        test_store_run(damages[i]);
        enum err_code code = ask_fresh(PERIOD_DAILY, 0, NULL);
        assert_int_equal(code, i == 3 ? ERR_OK : ERR_INTERNAL);
    }
}

static void periods_have_names(void **state)
{
    (void)state;
    enum period period;
    for (int p = 0; p < PERIOD_COUNT; p++) {
        assert_true(period_parse(period_name((enum period)p), &period));
        assert_int_equal(period, p);
    }
    assert_false(period_parse(SLICE("weekly"), &period));
    assert_false(period_parse(SLICE(""), &period));
    assert_false(period_parse(SLICE("All"), &period));
}

#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, open_cache, close_cache)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(every_answer_equals_a_plain_array),
        CACHE_TEST(an_unknown_type_is_all_zeros_and_leaves_no_trace),
        CACHE_TEST(an_answer_ends_when_its_oldest_sample_leaves),
        CACHE_TEST(the_edge_is_exact_to_the_microsecond),
        CACHE_TEST(no_answer_is_older_than_its_question),
        CACHE_TEST(fresh_enough_is_good_enough_when_asked_so),
        CACHE_TEST(damaged_answers_are_computed_again),
        CACHE_TEST(a_kept_answer_is_the_computed_one_bit_by_bit),
        CACHE_TEST(an_answer_that_lacks_something_is_not_kept),
        CACHE_TEST(an_answer_without_what_was_folded_is_not_kept),
        CACHE_TEST(an_answer_made_in_the_future_is_computed_again),
        CACHE_TEST(instants_beyond_all_years_do_no_harm),
        CACHE_TEST(an_answer_newer_than_the_data_is_replaced),
        CACHE_TEST(an_older_answer_replaces_no_newer_one),
        CACHE_TEST(kept_answers_expire),
        CACHE_TEST(external_data_come_along),
        CACHE_TEST(an_overflowing_sum_spoils_nothing_else),
        CACHE_TEST(a_sum_keeps_what_a_double_would_lose),
        CACHE_TEST(microseconds_count_far_in_the_future),
        CACHE_TEST(a_strangers_keys_are_errors_not_crashes),
        cmocka_unit_test(periods_have_names),
    };
    return cmocka_run_group_tests(tests, test_store_start_server, test_store_stop_server);
}
