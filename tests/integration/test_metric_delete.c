/* The deletion of a type: alone, interrupted, under load, and whoever comes late to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "await.h"
#include "chunk.h"
#include "chunk_sealer.h"
#include "metric_delete.h"
#include "metric_scan.h"
#include "metric_tender.h"
#include "redis_keys.h"
#include "summary_cache.h"
#include "test_store.h"

enum { KEYS_BYTES = 1 << 16, DAY_HOURS = 24 };

static const struct metric_retention for_ever = {0, 0};
static struct chunk_sealer *sealer;
static int64_t start_us; /* of this hour */

static int open_life(void **state)
{
    start_us = test_store_hour_start();
    if (test_store_open(state) != 0)
        return -1;
    sealer = chunk_sealer_new(test_store.client);
    return sealer ? 0 : -1;
}

static int close_life(void **state)
{
    chunk_sealer_free(sealer);
    return test_store_close(state);
}

static void tend(const char *type)
{
    struct error err;
    error_init(&err);
    if (metric_tender_tend(test_store.client, sealer, &for_ever, slice_from_string(type), &err) !=
        ERR_OK)
        fail_msg("%s (%s)", err.detail, err.cause);
}

/* True: it is gone altogether. */
static bool delete_until(const char *type, struct mono_time deadline)
{
    struct error err;
    bool is_known, is_done;
    error_init(&err);
    if (metric_delete(test_store.client, slice_from_string(type), deadline, &is_known, &is_done,
                      &err) != ERR_OK)
        fail_msg("%s (%s)", err.detail, err.cause);
    assert_true(is_known);
    return is_done;
}

static void delete (const char *type)
{
    assert_true(delete_until(type, mono_after_ms(clock_mono_now(), 60000)));
}

static int compare_slices(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* All keys there are, in order, but for the tender's lease, which comes and goes. */
static void read_keys(struct strbuf *out)
{
    struct redisReply *reply;
    const struct slice argv[] = {SLICE("KEYS"), SLICE("*")};
    assert_int_equal(redis_client_call(test_store.client, REDIS_LANE_WRITE, argv, 2, &reply, NULL),
                     ERR_OK);
    size_t count = redis_reply_count(reply);
    struct slice *keys = calloc(count + 1, sizeof *keys);
    assert_non_null(keys);
    for (size_t i = 0; i < count; i++)
        assert_true(redis_reply_bytes_at(reply, i, &keys[i]));
    qsort(keys, count, sizeof *keys, compare_slices);
    for (size_t i = 0; i < count; i++) {
        if (slice_equals(keys[i], SLICE("ra:tender")))
            continue;
        strbuf_append_slice(out, keys[i]);
        strbuf_append_char(out, '\n');
    }
    strbuf_append_char(out, '\0');
    free(keys);
    redis_reply_free(reply);
}

static struct strbuf keys_before;

static void note_keys(void)
{
    strbuf_init(&keys_before, KEYS_BYTES);
    read_keys(&keys_before);
}

static void assert_same_keys(void)
{
    struct strbuf now;
    strbuf_init(&now, KEYS_BYTES);
    read_keys(&now);
    assert_string_equal(now.bytes, keys_before.bytes);
    strbuf_release(&now);
    strbuf_release(&keys_before);
}

/* Is something of a type left, in a key of its own or in an index? */
static bool is_left(const char *type)
{
    struct strbuf keys;
    char text[128], due[32] = "", known[32] = "";
    (void)snprintf(text, sizeof text, "{%s}", type);
    strbuf_init(&keys, KEYS_BYTES);
    read_keys(&keys);
    bool has_key = strstr(keys.bytes, text) != NULL;
    strbuf_release(&keys);
    (void)snprintf(text, sizeof text, "ZSCORE ra:due %s", type);
    (void)test_store_command(due, sizeof due, text);
    (void)snprintf(text, sizeof text, "ZSCORE ra:types %s", type);
    (void)test_store_command(known, sizeof known, text);
    return has_key || due[0] != '\0' || known[0] != '\0';
}

/* --- Everything that a type may have ------------------------------------------------- */

static void keep_summaries(const char *type)
{
    struct summary_cache *cache = summary_cache_new(test_store.store, test_store.client, 1000);
    assert_non_null(cache);
    for (int period = 0; period < PERIOD_COUNT; period++) {
        struct summary_answer answer;
        struct strbuf external;
        struct error err;
        error_init(&err);
        strbuf_init(&external, 1024);
        aggregate_init(&answer.aggregate, true);
        assert_int_equal(summary_cache_get(cache, slice_from_string(type), (enum period)period, 0,
                                           mono_after_ms(clock_mono_now(), 10000), &answer,
                                           &external, &err),
                         ERR_OK);
        aggregate_release(&answer.aggregate);
        strbuf_release(&external);
    }
    summary_cache_free(cache);
    test_store_settle();
}

static int64_t hours_ago(int hours)
{
    return start_us - hours * HOUR_US;
}

static void post_run(const char *type, int hour, size_t count)
{
    for (size_t i = 0; i < count; i++)
        test_store_post(type, hours_ago(hour) + (int64_t)i * 500000, (double)i);
}

/* As the external service and the tender of a retention would have left them. */
static void put_external_and_base(const char *type)
{
    char out[64], text[128];
    (void)snprintf(text, sizeof text, "SET ra:ext:{%s} {} EX 1000", type);
    assert_true(test_store_command(out, sizeof out, text));
    (void)snprintf(text, sizeof text, "SET ra:m:{%s}:blk:base base", type);
    assert_true(test_store_command(out, sizeof out, text));
}

/* Closed, sealed, gathered into days and months, late, open; rollups, summaries, external. */
static void fill(const char *type)
{
    for (int day = 70; day > 0; day -= 3)
        post_run(type, day * DAY_HOURS, 50);
    post_run(type, 40, 2000);
    post_run(type, 30, 4500);
    test_store_check_since(type, WALL_TIME_MIN);
    tend(type);
    test_store_check_since(type, WALL_TIME_MIN);
    post_run(type, 30, 4500);
    post_run(type, 69 * DAY_HOURS, 5);
    post_run(type, 0, 10);
    keep_summaries(type);
    put_external_and_base(type);
}

static void a_deletion_leaves_redis_as_if_the_type_had_never_been(void **state)
{
    (void)state;
    test_store_post("other", hours_ago(50), 1);
    post_run("other", 30, 4500);
    test_store_await("SCARD ra:m:{other}:unsealed", "0");
    note_keys();
    fill("cpu");
    test_store_await("SCARD ra:m:{cpu}:unsealed", "0");
    delete ("cpu");
    assert_same_keys();
    test_store_check_since("other", WALL_TIME_MIN);
}

static void what_is_not_there_cannot_be_deleted(void **state)
{
    (void)state;
    struct error err;
    bool is_known = true, is_done = true;
    error_init(&err);
    note_keys();
    assert_int_equal(metric_delete(test_store.client, SLICE("cpu"),
                                   mono_after_ms(clock_mono_now(), 60000), &is_known, &is_done,
                                   &err),
                     ERR_OK);
    assert_false(is_known);
    assert_false(is_done);
    assert_same_keys();
}

/* However many spans and chunks there were, or somebody says there were. */
static void large_indexes_are_freed_beside_other_work(void **state)
{
    (void)state;
    char out[64];
    test_store_post("cpu", hours_ago(1), 1);
    assert_true(test_store_command(out, sizeof out,
                                   "EVAL \"for i = 1, 1000 do "
                                   "redis.call('HSET', KEYS[1] .. 'chunks', i, 1) "
                                   "redis.call('SADD', KEYS[1] .. 'unsealed', 'x' .. i) "
                                   "end\" 1 ra:m:{cpu}:"));
    assert_true(test_store_command(out, sizeof out, "CONFIG SET lazyfree-lazy-user-del no"));
    assert_true(test_store_command(out, sizeof out, "CONFIG RESETSTAT"));
    delete ("cpu");
    test_store_await(
        "EVAL \"return redis.call('INFO', 'memory'):match('lazyfreed_objects:(%d+)')\" 0", "2");
    assert_false(is_left("cpu"));
}

/* --- Under way ---------------------------------------------------------------------- */

static enum err_code try_to_post(const char *type, struct error *err)
{
    struct rate_verdict verdict;
    return test_store_try(type, hours_ago(1), 1, &test_store_no_limit, &verdict, err);
}

static uint64_t count_of(const char *type)
{
    const struct metric_question question = {
        .type = slice_from_string(type), .from = WALL_TIME_MIN, .to = WALL_TIME_MAX};
    struct metric_report report;
    struct aggregate all;
    aggregate_init(&all, true);
    assert_int_equal(metric_store_series(test_store.store, &question,
                                         mono_after_ms(clock_mono_now(), 60000), &all, 1, &report,
                                         NULL),
                     ERR_OK);
    aggregate_release(&all);
    return all.moments.count;
}

static void begin_deletion(const char *type)
{
    assert_false(delete_until(type, clock_mono_now()));
}

static void a_type_that_is_being_deleted_has_no_samples_and_takes_none(void **state)
{
    (void)state;
    char out[64];
    struct error err;
    for (int is_hot = 0; is_hot < 2; is_hot++) {
        const char *type = is_hot ? "hot" : "cpu";
        test_store.posts_series = false;
        fill(type);
        test_store.posts_series = is_hot;
        assert_int_equal(try_to_post(type, &err), ERR_OK);
        begin_deletion(type);
        test_store.posts_series = false;
        assert_int_equal(count_of(type), 0);
        assert_true(test_store_command(out, sizeof out, "ZCARD ra:types"));
        assert_string_equal(out, is_hot ? "1" : "0");
        assert_int_equal(try_to_post(type, &err), ERR_STORE_UNAVAILABLE);
        assert_int_equal(err.retry_after_ms, 1000);
        assert_string_equal(err.detail, "This type is being deleted");
        tend(type);
        assert_int_equal(try_to_post(type, &err), ERR_OK);
        assert_int_equal(count_of(type), 1);
    }
}

/* Whoever deletes dies between two steps: the tender goes on by itself. */
static void a_deletion_that_was_interrupted_is_finished_by_the_tender(void **state)
{
    (void)state;
    char out[64];
    struct error err;
    bool is_deleting, is_done;
    note_keys();
    for (int hour = 0; hour < 300; hour++)
        test_store_post("cpu", hours_ago(hour), 1);
    begin_deletion("cpu");
    assert_int_equal(
        metric_delete_go_on(test_store.client, SLICE("cpu"), &is_deleting, &is_done, &err), ERR_OK);
    assert_true(is_deleting);
    assert_false(is_done);
    assert_true(is_left("cpu"));
    /* The store's own has been kept from it by the test's lease. */
    assert_true(test_store_command(out, sizeof out, "DEL ra:tender"));
    AWAIT(!is_left("cpu"));
    assert_same_keys();
}

static void a_tender_called_by_hand_finishes_it_at_once(void **state)
{
    (void)state;
    note_keys();
    fill("cpu");
    test_store_await("SCARD ra:m:{cpu}:unsealed", "0");
    begin_deletion("cpu");
    tend("cpu");
    assert_same_keys();
}

static void a_deletion_may_be_asked_for_again(void **state)
{
    (void)state;
    note_keys();
    fill("cpu");
    begin_deletion("cpu");
    begin_deletion("cpu");
    delete ("cpu");
    assert_same_keys();
}

/* --- Latecomers ---------------------------------------------------------------------- */

static int64_t eval(enum redis_script script, const struct slice *keys, size_t key_count,
                    const struct slice *args, size_t arg_count)
{
    struct redisReply *reply;
    struct error err;
    int64_t result = -1;
    error_init(&err);
    if (redis_client_eval(test_store.client, REDIS_LANE_WRITE, script, keys, key_count, args,
                          arg_count, &reply, &err) != ERR_OK)
        fail_msg("%s (%s)", err.detail, err.cause);
    (void)redis_reply_integer(reply, &result);
    redis_reply_free(reply);
    return result;
}

static struct slice text_of(char buffer[static 24], int64_t number)
{
    int len = snprintf(buffer, 24, "%lld", (long long)number);
    return slice_of(buffer, (size_t)len);
}

static const struct slice stem = {"ra:m:{cpu}:", 11};
static const struct slice meta = {"ra:meta:{cpu}", 13};
static const struct slice due = {"ra:due", 6};

/* A tender saw an open chunk before the deletion, and asks where to put it during it. */
static void what_is_going_is_not_gathered(void **state)
{
    (void)state;
    char hour[24], day[24];
    unsigned char sealed[CHUNK_SEALED_BYTES_MAX];
    note_keys();
    test_store_post("cpu", hours_ago(30), 1);
    begin_deletion("cpu");
    const struct record record = {{hours_ago(30)}, 1};
    size_t len = chunk_seal(NULL, &record, 1, sealed);
    int64_t number = hour_of(record.at);
    const struct slice args[] = {
        SLICE("0"), SLICE(""),   SLICE("2"), text_of(day, floor_divide(number, 24)),
        SLICE("0"), SLICE("0"),  SLICE("1"), text_of(hour, number),
        SLICE("0"), SLICE("16"), SLICE("0"), slice_of((const char *)sealed, len)};
    assert_int_equal(eval(REDIS_SCRIPT_GATHER, &stem, 1, args, sizeof args / sizeof *args), 0);
    tend("cpu");
    assert_int_equal(eval(REDIS_SCRIPT_GATHER, &stem, 1, args, sizeof args / sizeof *args), 0);
    assert_same_keys();
}

/* What the sealer reads before it reads a chunk. */
static const char *layout_now(void)
{
    static char layout[2][32];
    static size_t which;
    char *text = layout[which++ % 2];
    assert_true(test_store_command(text, sizeof layout[0], "HGET ra:m:{cpu}:chunks layout"));
    return text;
}

/* As the sealer does it, with the records that it read. */
static int64_t seal(const struct record *records, size_t count, const char *layout)
{
    static unsigned char sealed[CHUNK_SEALED_BYTES_MAX];
    char hour[24];
    size_t len = chunk_seal(NULL, records, count, sealed);
    const struct slice args[] = {text_of(hour, hour_of(records[0].at)), SLICE("0"),
                                 slice_of((const char *)sealed, len), slice_from_string(layout)};
    return eval(REDIS_SCRIPT_CHUNK_SEAL, &stem, 1, args, sizeof args / sizeof *args);
}

enum { OLD_HOUR = 30 };

/* An hour's first chunk, closed, of which the sealer was not told. */
static void post_closed_chunk(struct record records[static CHUNK_RECORDS])
{
    unsigned char packed[RECORD_BYTES];
    char hour[24];
    for (size_t i = 0; i < CHUNK_RECORDS; i++)
        records[i] = (struct record){{hours_ago(OLD_HOUR) + (int64_t)i}, (double)i};
    for (size_t i = 0; i + 1 < CHUNK_RECORDS; i++)
        test_store_post("cpu", records[i].at.us, records[i].value);
    record_pack(records[CHUNK_RECORDS - 1], packed);
    const struct slice keys[] = {SLICE("ra:rl:{x}:post"), meta, stem, SLICE("ra:types"), due};
    const struct slice args[] = {SLICE("0"),
                                 SLICE("60000000"),
                                 slice_of((const char *)packed, RECORD_BYTES),
                                 text_of(hour, hour_of(records[0].at)),
                                 SLICE("cpu"),
                                 SLICE("10"),
                                 SLICE("1000")};
    (void)eval(REDIS_SCRIPT_POST, keys, 5, args, 7);
    test_store_await("SCARD ra:m:{cpu}:unsealed", "1");
}

static void a_chunk_takes_no_samples_of_its_predecessor(void **state)
{
    (void)state;
    static struct record records[CHUNK_RECORDS];
    post_closed_chunk(records);
    const char *before = layout_now();
    begin_deletion("cpu");
    tend("cpu");
    post_closed_chunk(records);
    assert_int_equal(seal(records, CHUNK_RECORDS, before), 0);
    const char *layout = layout_now();
    assert_int_equal(seal(records, CHUNK_RECORDS, layout), 1);
    assert_int_equal(seal(records, CHUNK_RECORDS, layout), 0);
}

static void a_closed_chunk_of_a_type_that_is_going_is_not_sealed(void **state)
{
    (void)state;
    static struct record records[CHUNK_RECORDS];
    note_keys();
    post_closed_chunk(records);
    const char *layout = layout_now();
    begin_deletion("cpu");
    assert_int_equal(seal(records, CHUNK_RECORDS, layout), 0);
    assert_int_equal(seal(records, CHUNK_RECORDS, ""), 0);
    tend("cpu");
    assert_int_equal(seal(records, CHUNK_RECORDS, layout), 0);
    assert_same_keys();
}

static void nobody_writes_of_a_type_that_is_gone(void **state)
{
    (void)state;
    char month[24];
    const struct slice metas[] = {meta, stem, SLICE("ra:m:{cpu}:sum:all")},
                       externals[] = {meta, SLICE("ra:ext:{cpu}")};
    const struct slice small[] = {text_of(month, 700), SLICE("1024"), SLICE("-30000"), SLICE("64")},
                       rollup[] = {SLICE("d20000"), SLICE(""), SLICE("packed")},
                       summary[] = {SLICE("0123456789abcdef"), SLICE("1000")},
                       external[] = {SLICE("{}"), SLICE("1000")},
                       fold[] = {SLICE("0"),     SLICE(""),  SLICE("2"),
                                 SLICE("20000"), SLICE("0"), SLICE("packed")},
                       done[] = {SLICE("cpu"), SLICE("0"), SLICE("0"), SLICE("0"),
                                 SLICE("0"),   SLICE("1"), SLICE("1")};
    const struct slice dones[] = {stem, due};
    for (int is_going = 0; is_going < 2; is_going++) {
        note_keys();
        if (is_going) {
            test_store_post("cpu", hours_ago(1), 1);
            begin_deletion("cpu");
        }
        (void)eval(REDIS_SCRIPT_TEND_SMALL, &stem, 1, small, 4);
        (void)eval(REDIS_SCRIPT_ROLLUP_PUT, &stem, 1, rollup, 3);
        (void)eval(REDIS_SCRIPT_TEND_FOLD, &stem, 1, fold, 6);
        (void)eval(REDIS_SCRIPT_TEND_DONE, dones, 2, done, 7);
        (void)eval(REDIS_SCRIPT_SUMMARY_PUT, metas, 3, summary, 2);
        (void)eval(REDIS_SCRIPT_EXTERNAL_PUT, externals, 2, external, 2);
        tend("cpu");
        assert_same_keys();
    }
}

/* The tender had looked at the type before. */
static void a_deletion_stays_due_until_it_is_done(void **state)
{
    (void)state;
    char out[64];
    const struct slice keys[] = {stem, due};
    const struct slice args[] = {SLICE("cpu"), SLICE("0"), SLICE("0"), SLICE("0"), SLICE("0")};
    test_store_post("cpu", hours_ago(1), 1);
    begin_deletion("cpu");
    (void)eval(REDIS_SCRIPT_TEND_DONE, keys, 2, args, 5);
    assert_true(test_store_command(out, sizeof out, "ZSCORE ra:due cpu"));
    assert_true(strtoll(out, NULL, 10) * 1000000 <= clock_wall_now().us);
    tend("cpu");
    assert_false(is_left("cpu"));
}

/* --- Under load ---------------------------------------------------------------------- */

enum { POSTERS = 4, POSTS_MAX = 60000, DELETIONS = 4, ROUNDS = 4, POSTS_BETWEEN = 6000 };

enum fate { FATE_STORED = 1, FATE_REFUSED };

/* One post, which went on from `begun` to `ended`. */
struct attempt {
    struct mono_time begun, ended;
    enum fate fate;
};

struct poster {
    pthread_t thread;
    int number;
    size_t count;
    struct attempt attempts[POSTS_MAX];
    bool is_there[POSTS_MAX]; /* found afterwards */
};

static struct poster posters[POSTERS];
static atomic_bool is_over;
static atomic_size_t stored_count;

/* The value says whose it is. Two hours long over: one fills chunk after chunk, the other
 * gives the tender something to gather. */
static struct sample sample_of(const struct poster *poster, size_t i)
{
    int64_t at = hours_ago(i % 16 ? 30 : 31) + (int64_t)i;
    return (struct sample){{at}, (double)(poster->number * POSTS_MAX) + (double)i, SLICE("cpu")};
}

static void *post_on(void *argument)
{
    struct poster *poster = argument;
    while (!atomic_load(&is_over) && poster->count < POSTS_MAX) {
        struct attempt *attempt = &poster->attempts[poster->count];
        struct sample sample = sample_of(poster, poster->count);
        struct rate_verdict verdict;
        struct error err;
        error_init(&err);
        attempt->begun = clock_mono_now();
        enum err_code code = metric_store_add(test_store.store, &sample, &test_store_no_limit,
                                              &test_store_somebody, &verdict, &err);
        attempt->ended = clock_mono_now();
        attempt->fate = code == ERR_OK                  ? FATE_STORED
                        : code == ERR_STORE_UNAVAILABLE ? FATE_REFUSED
                                                        : 0;
        poster->count++;
        if (code == ERR_OK)
            atomic_fetch_add(&stored_count, 1);
        else if (code == ERR_STORE_UNAVAILABLE)
            (void)poll(NULL, 0, 1);
    }
    return NULL;
}

/* Everything else that goes on with a type. */
static void *tend_on(void *argument)
{
    (void)argument;
    while (!atomic_load(&is_over)) {
        struct error err;
        error_init(&err);
        (void)!metric_tender_tend(test_store.client, sealer, &for_ever, SLICE("cpu"), &err);
        (void)count_of("cpu");
    }
    return NULL;
}

static enum scan_want want_records(void *context, const struct moments *m)
{
    (void)context, (void)m;
    return SCAN_RECORDS;
}

static void find_records(void *context, const struct record *records, size_t count,
                         uint64_t arrival)
{
    (void)context, (void)arrival;
    for (size_t i = 0; i < count; i++) {
        size_t value = (size_t)records[i].value;
        struct poster *poster = &posters[value / POSTS_MAX];
        size_t index = value % POSTS_MAX;
        assert_true(value < (size_t)POSTERS * POSTS_MAX && index < poster->count);
        assert_int_equal(records[i].at.us, sample_of(poster, index).at.us);
        assert_false(poster->is_there[index]);
        poster->is_there[index] = true;
    }
}

static void refuse_aggregate(void *context, const struct aggregate *a, bool is_widened)
{
    (void)context, (void)a, (void)is_widened;
    fail_msg("samples are missing");
}

static void refuse_base(void *context, const struct aggregate *base)
{
    refuse_aggregate(context, base, false);
}

static void refuse_damage(void *context, struct wall_time from, struct wall_time to)
{
    (void)context, (void)from, (void)to;
    fail_msg("a chunk is damaged");
}

static bool forget_records(void *context)
{
    (void)context;
    for (size_t p = 0; p < POSTERS; p++)
        memset(posters[p].is_there, 0, sizeof posters[p].is_there);
    return true;
}

static void refuse_records(void *context, const struct record *records, size_t count,
                           uint64_t arrival)
{
    (void)context, (void)records, (void)arrival;
    fail_msg("%zu samples of a type that is gone", count);
}

/* What stood in a page is gone by the time that its records are asked for. */
static enum scan_want delete_then_want_records(void *context, const struct moments *m)
{
    (void)context, (void)m;
    if (count_of("cpu") > 0)
        delete ("cpu");
    return SCAN_RECORDS;
}

static bool note_restart(void *context)
{
    ++*(int *)context;
    return true;
}

static void a_deletion_between_a_page_and_its_records_is_no_damage(void **state)
{
    (void)state;
    int restarts = 0;
    const struct scan_options options = {.type = SLICE("cpu"),
                                         .from = WALL_TIME_MIN,
                                         .to = WALL_TIME_MAX,
                                         .rollups = SPAN_NONE,
                                         .fetch_max = SCAN_FETCH_MAX};
    const struct scan_visitor visitor = {.context = &restarts,
                                         .judge = delete_then_want_records,
                                         .take_aggregate = refuse_aggregate,
                                         .take_records = refuse_records,
                                         .take_base = refuse_base,
                                         .note_damage = refuse_damage,
                                         .restart = note_restart};
    struct error err;
    error_init(&err);
    post_run("cpu", 30, CHUNK_RECORDS);
    test_store_await("SCARD ra:m:{cpu}:unsealed", "0");
    if (metric_scan_run(test_store.client, sealer, &options, &visitor,
                        mono_after_ms(clock_mono_now(), 60000), &err) != ERR_OK)
        fail_msg("%s (%s)", err.detail, err.cause);
    assert_int_equal(restarts, 1);
}

static void find_what_is_there(void)
{
    const struct scan_options options = {.type = SLICE("cpu"),
                                         .from = WALL_TIME_MIN,
                                         .to = WALL_TIME_MAX,
                                         .rollups = SPAN_NONE,
                                         .fetch_max = SCAN_FETCH_MAX};
    const struct scan_visitor visitor = {.judge = want_records,
                                         .take_aggregate = refuse_aggregate,
                                         .take_records = find_records,
                                         .take_base = refuse_base,
                                         .note_damage = refuse_damage,
                                         .restart = forget_records};
    struct error err;
    error_init(&err);
    (void)forget_records(NULL);
    if (metric_scan_run(test_store.client, sealer, &options, &visitor,
                        mono_after_ms(clock_mono_now(), 60000), &err) != ERR_OK)
        fail_msg("%s (%s)", err.detail, err.cause);
}

/* Nothing from before the last deletion, everything from after it, nothing that was refused. */
static void check_attempts(struct mono_time deleted_from, struct mono_time deleted_to)
{
    uint64_t there = 0;
    for (size_t p = 0; p < POSTERS; p++) {
        for (size_t i = 0; i < posters[p].count; i++) {
            const struct attempt *attempt = &posters[p].attempts[i];
            bool is_there = posters[p].is_there[i];
            there += is_there;
            assert_true(attempt->fate == FATE_STORED || attempt->fate == FATE_REFUSED);
            if (attempt->fate == FATE_REFUSED || mono_is_before(attempt->ended, deleted_from))
                assert_false(is_there);
            else if (mono_is_before(deleted_to, attempt->begun))
                assert_true(is_there);
        }
    }
    assert_int_equal(there, count_of("cpu"));
    assert_true(there > 0);
}

static void await_posts(void)
{
    size_t until = atomic_load(&stored_count) + POSTS_BETWEEN;
    for (int ms = 0; atomic_load(&stored_count) < until; ms++) {
        (void)poll(NULL, 0, 1);
        assert_true(ms < 60000);
    }
}

static void every_sample_that_came_after_a_deletion_is_there_and_none_from_before(void **state)
{
    (void)state;
    pthread_t tender;
    struct mono_time from = {0}, to = {0};
    post_run("other", 30, 4500);
    test_store_await("SCARD ra:m:{other}:unsealed", "0");
    note_keys();
    for (int round = 0; round < ROUNDS; round++) {
        atomic_store(&is_over, false);
        assert_int_equal(pthread_create(&tender, NULL, tend_on, NULL), 0);
        for (int p = 0; p < POSTERS; p++) {
            posters[p].number = p;
            posters[p].count = 0;
            assert_int_equal(pthread_create(&posters[p].thread, NULL, post_on, &posters[p]), 0);
        }
        for (int i = 0; i < DELETIONS; i++) {
            await_posts();
            from = clock_mono_now();
            delete ("cpu");
            to = clock_mono_now();
        }
        await_posts();
        atomic_store(&is_over, true);
        assert_int_equal(pthread_join(tender, NULL), 0);
        for (int p = 0; p < POSTERS; p++)
            assert_int_equal(pthread_join(posters[p].thread, NULL), 0);
        find_what_is_there();
        check_attempts(from, to);
        delete ("cpu");
    }
    test_store_settle();
    assert_same_keys();
    test_store_check_since("other", WALL_TIME_MIN);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_life, close_life)
    const struct CMUnitTest tests[] = {
        TEST(a_deletion_leaves_redis_as_if_the_type_had_never_been),
        TEST(what_is_not_there_cannot_be_deleted),
        TEST(large_indexes_are_freed_beside_other_work),
        TEST(a_type_that_is_being_deleted_has_no_samples_and_takes_none),
        TEST(a_deletion_that_was_interrupted_is_finished_by_the_tender),
        TEST(a_tender_called_by_hand_finishes_it_at_once),
        TEST(a_deletion_may_be_asked_for_again),
        TEST(what_is_going_is_not_gathered),
        TEST(a_chunk_takes_no_samples_of_its_predecessor),
        TEST(a_closed_chunk_of_a_type_that_is_going_is_not_sealed),
        TEST(nobody_writes_of_a_type_that_is_gone),
        TEST(a_deletion_stays_due_until_it_is_done),
        TEST(a_deletion_between_a_page_and_its_records_is_no_damage),
        TEST(every_sample_that_came_after_a_deletion_is_there_and_none_from_before),
    };
    return cmocka_run_group_tests_name("metric_delete", tests, test_store_start_server,
                                       test_store_stop_server);
}
