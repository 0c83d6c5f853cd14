/* What somebody else wrote under our names: it is told of, and no script works longer for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chunk.h"
#include "life_model.h"
#include "metric_delete.h"
#include "test_life.h"

enum { DAY_HOURS = 24, MONTH_HOURS = 24 * 32, CHUNKS = 4, EACH = 50, TEXT_BYTES = 192 };
enum { REPLY_BYTES = 16384, PIECES = 64, PIECE_ELEMENTS = 4, SCAN_HEAD = 3, OTHER_NAMES = 60 };

static const struct metric_retention no_samples = {1, 0}, nothing = {1, 1};

/* The first of a month. */
static const int64_t first_hour = (int64_t)600 * MONTH_HOURS;

/* Whatever stands for how many chunks there are. */
static const char *const counts[] = {
    "2147483647", "1000000000", "9007199254740992", "1e300",       "inf",
    "nan",        "-1",         "-1000000000",      "4.5",         "four",
    "\"\"",       "-inf",       "0x7fffffff",       "4294967300.5"};
enum { COUNTS = sizeof counts / sizeof *counts };

static const char *name_of(struct span span)
{
    static char text[SPAN_NAME_BYTES + 1];
    char name[SPAN_NAME_BYTES];
    struct slice slice = span_name(span, name);
    (void)snprintf(text, sizeof text, "%.*s", (int)slice.len, slice.ptr);
    return text;
}

static void forge_count(struct span span, const char *count)
{
    char text[TEXT_BYTES];
    (void)snprintf(text, sizeof text, "HSET ra:m:{cpu}:chunks %s %s", name_of(span), count);
    test_store_run(text);
}

static void put_chunks(struct span span, size_t chunks, size_t each)
{
    struct record records[CHUNKS * EACH];
    for (size_t i = 0; i < chunks * each; i++)
        records[i] =
            (struct record){{span_start(span).us + 1000 + (int64_t)i * 10}, (double)(i % 77)};
    test_store_put_chunks("cpu", span, records, chunks, each);
}

static void forget_samples(size_t from, size_t count)
{
    struct sample_model *model = &test_store.model;
    memmove(model->samples + from, model->samples + from + count,
            (model->count - from - count) * sizeof *model->samples);
    model->count -= count;
}

static void start_anew(void)
{
    test_store_run("FLUSHALL");
    test_store_run("SET ra:tender test");
    sample_model_release(&test_store.model);
}

/* All is answered but what the model does not know; that is told of, within `span`. */
static void check_told(struct span span)
{
    struct metric_report report;
    const struct metric_question question = {
        .type = SLICE("cpu"), .from = WALL_TIME_MIN, .to = WALL_TIME_MAX};
    struct aggregate a;
    aggregate_init(&a, true);
    assert_int_equal(test_store_ask(&question, &a, &report), ERR_OK);
    sample_model_check_answer(&test_store.model, "cpu", WALL_TIME_MIN, WALL_TIME_MAX, &a);
    assert_true(report.damage_count > 0);
    for (size_t i = 0; i < report.damage_count; i++) {
        assert_int_equal(report.damages[i].from.us, span_start(span).us);
        assert_int_equal(report.damages[i].to.us, span_end(span).us);
    }
    aggregate_release(&a);
}

/* How often a command was called since the last look. */
static int64_t take_calls(const char *what)
{
    static char reply[REPLY_BYTES];
    assert_true(test_store_command(reply, sizeof reply, "INFO commandstats"));
    const char *at = strstr(reply, what);
    test_store_run("CONFIG RESETSTAT");
    return at ? strtoll(strchr(at, '=') + 1, NULL, 10) : 0;
}

/* How many pieces one page of a walk has, which looks at few spans more, and copies no more than
 * the page may have. */
static size_t count_pieces(bool is_forward)
{
    (void)take_calls("cmdstat_hget:");
    char pieces[16];
    (void)snprintf(pieces, sizeof pieces, "%d", PIECES);
    const struct slice args[] = {SLICE("-17500000"), SLICE("70500000"),
                                 SLICE("-17500000"), SLICE("70500000"),
                                 SLICE("0"),         is_forward ? SLICE("1") : SLICE("-1"),
                                 SLICE("1"),         SLICE("-1"),
                                 SLICE("1"),         slice_from_string(pieces),
                                 SLICE("100000")};
    struct redisReply *reply =
        test_life_eval(REDIS_SCRIPT_SCAN, "cpu", args, sizeof args / sizeof *args);
    size_t count = (redis_reply_count(reply) - SCAN_HEAD) / PIECE_ELEMENTS, copied = 0;
    struct slice bytes;
    for (size_t i = 0; i < count; i++) {
        assert_true(redis_reply_bytes_at(reply, SCAN_HEAD + i * PIECE_ELEMENTS + 3, &bytes));
        copied += bytes.len;
    }
    assert_in_range(copied, 0, 1 << 18);
    redis_reply_free(reply);
    assert_in_range(count, 0, PIECES);
    assert_in_range(take_calls("cmdstat_hget:"), 0, 5 * PIECES);
    return count;
}

/* --- How many chunks --------------------------------------------------------------- */

static bool is_number_of_chunks(const char *count)
{
    return strcmp(count, counts[0]) == 0 || strcmp(count, counts[1]) == 0;
}

static void any_count_of_chunks_is_told_as_damage_of_its_span(void **state)
{
    (void)state;
    for (int level = SPAN_HOUR; level <= SPAN_MONTH; level++) {
        for (size_t i = 0; i < COUNTS; i++) {
            struct span span = span_of_hour((enum span_level)level, first_hour);
            start_anew();
            put_chunks(span, CHUNKS, EACH);
            put_chunks((struct span){SPAN_HOUR, first_hour + 1}, 1, EACH);
            put_chunks((struct span){SPAN_HOUR, first_hour - 1}, 1, EACH);
            forge_count(span, counts[i]);
            assert_true(count_pieces(true) > 0);
            assert_true(count_pieces(false) > 0);
            /* Those that there are come first; backward, one cannot know where they begin. */
            if (is_number_of_chunks(counts[i])) {
                check_told(span);
                forget_samples(0, (size_t)CHUNKS * EACH);
            } else {
                forget_samples(0, (size_t)CHUNKS * EACH);
                check_told(span);
            }
            sample_model_check_damaged_list(&test_store.model, test_store.store, "cpu", 1000, 1);
        }
    }
}

/* In a page of months' and days' own chunks, too, which are many and all there. */
static void a_page_ends_within_any_span(void **state)
{
    (void)state;
    for (int level = SPAN_HOUR; level <= SPAN_MONTH; level++) {
        for (int i = 0; i < 3 * PIECES; i++)
            put_chunks(span_of_hour((enum span_level)level, first_hour), 1, 1);
        assert_int_equal(count_pieces(true), PIECES);
        assert_int_equal(count_pieces(false), PIECES);
        start_anew();
    }
}

/* --- Where chunks are -------------------------------------------------------------- */

/* Members by the thousand: of one score, of fractions, and of spans that hold nothing. */
static void forge_spans(const char *score)
{
    char text[TEXT_BYTES];
    (void)snprintf(text, sizeof text,
                   "EVAL \"for i = 1, 20000 do redis.call('ZADD', KEYS[1], %s, 'x' .. i) end\" 1 "
                   "ra:m:{cpu}:spans",
                   score);
    test_store_run(text);
}

static void spans_that_hold_nothing_do_not_make_a_page_longer(void **state)
{
    (void)state;
    static const char *const scores[] = {
        "4294967296+460805",        "4294967296+460805+i/65536",
        "4294967296+460805+i",      "2*4294967296+19201",
        "2*4294967296+19201+i",     "2*4294967296+19201+i/65536",
        "3*4294967296+601",         "3*4294967296+601+i",
        "3*4294967296+600+i/65536", "4294967296+460800+(i%3000)/8"};
    for (size_t i = 0; i < sizeof scores / sizeof *scores; i++) {
        start_anew();
        put_chunks((struct span){SPAN_HOUR, first_hour + 5}, CHUNKS, EACH);
        put_chunks((struct span){SPAN_DAY, first_hour / DAY_HOURS + 1}, CHUNKS, EACH);
        put_chunks((struct span){SPAN_MONTH, first_hour / MONTH_HOURS + 1}, CHUNKS, EACH);
        forge_spans(scores[i]);
        (void)count_pieces(true);
        (void)count_pieces(false);
        test_store_check_since("cpu", WALL_TIME_MIN);
        test_store_check_list("cpu", 1000);
    }
}

static void open_hours_that_are_none_are_told_of(void **state)
{
    (void)state;
    static const char *const forged[] = {
        "EVAL \"for i = 1, 2000 do redis.call('ZADD', KEYS[1], 460801, 'x' .. i) end\" 1 "
        "ra:m:{cpu}:open",
        "EVAL \"for i = 1, 2000 do redis.call('ZADD', KEYS[1], 460801.5, i) end\" 1 "
        "ra:m:{cpu}:open",
        "ZADD ra:m:{cpu}:open 460801 5 460801 1e300 460801 nan",
        "ZADD ra:m:{cpu}:open 460801.5 460803"};
    const struct record first = {hour_start(first_hour), 1.0},
                        second = {hour_start(first_hour + 2), 1.0};
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
        start_anew();
        put_chunks((struct span){SPAN_HOUR, first_hour}, CHUNKS, EACH);
        put_chunks((struct span){SPAN_HOUR, first_hour + 2}, CHUNKS, EACH);
        test_store_put_open("cpu", first_hour, &first, 1);
        test_store_put_open("cpu", first_hour + 2, &second, 1);
        test_store_run(forged[i]);
        check_told((struct span){SPAN_HOUR, first_hour + 1});
        sample_model_check_damaged_list(&test_store.model, test_store.store, "cpu", 1000, 1);
    }
}

static void an_open_chunk_that_is_too_long_is_not_copied(void **state)
{
    (void)state;
    char text[TEXT_BYTES];
    put_chunks((struct span){SPAN_HOUR, first_hour}, CHUNKS, EACH);
    (void)snprintf(text, sizeof text, "ZADD ra:m:{cpu}:open %" PRId64 " %" PRId64, first_hour,
                   first_hour);
    test_store_run(text);
    (void)snprintf(text, sizeof text, "SETRANGE ra:m:{cpu}:raw:%" PRId64 " 10000000 x", first_hour);
    test_store_run(text);
    check_told((struct span){SPAN_HOUR, first_hour});
    sample_model_check_damaged_list(&test_store.model, test_store.store, "cpu", 1000, 1);
    assert_int_equal(count_pieces(true), CHUNKS + 1);
    const char *const words[] = {"HGET", "chunks", "layout", NULL};
    char layout[TEXT_BYTES], hour[TEXT_BYTES];
    (void)snprintf(layout, sizeof layout, "%" PRId64, test_life_number("cpu", words));
    (void)snprintf(hour, sizeof hour, "%" PRId64, first_hour);
    const struct slice args[] = {slice_from_string(layout), slice_from_string(hour), SLICE("4")};
    struct redisReply *reply = test_life_eval(REDIS_SCRIPT_CHUNK_FETCH, "cpu", args, 3);
    struct slice bytes;
    assert_true(redis_reply_bytes_at(reply, 2, &bytes));
    assert_in_range(bytes.len, 1, 1 << 18);
    redis_reply_free(reply);
}

/* --- Keys of another type ---------------------------------------------------------- */

/* One that a sample meets in first_hour; a field of `chunks` stands behind a blank. */
static const char *const keys[] = {"meta:{cpu}",
                                   "types",
                                   "due",
                                   "m:{cpu}:open",
                                   "m:{cpu}:spans",
                                   "m:{cpu}:chunks",
                                   "m:{cpu}:unsealed",
                                   "m:{cpu}:raw:460800",
                                   "m:{cpu}:raw:460800:0",
                                   "m:{cpu}:raw:460800:1",
                                   "m:{cpu}:blk:460800:0",
                                   "m:{cpu}:blk:460800:1",
                                   "m:{cpu}:agg:460800",
                                   "m:{cpu}:agg:d19200",
                                   "m:{cpu}:agg:m600",
                                   "m:{cpu}:blk:d19200:0",
                                   "m:{cpu}:chunks 460800",
                                   "m:{cpu}:chunks bytes",
                                   "m:{cpu}:chunks layout",
                                   "m:{cpu}:chunks months"};
static const char *const forged_types[] = {"text", "list", "hash", "zset", "set"};

static void forge(const char *key, const char *type)
{
    static const char script[] =
        "EVAL \"local key, field, value = KEYS[1], ARGV[1], ARGV[2] "
        "local put = {text = {'SET', key, 'x'}, list = {'RPUSH', key, 'x'}, set = {'SADD', key, "
        "'x'}, "
        "hash = {'HSET', key, 'x', 'y'}, zset = {'ZADD', key, 7, 'x'}} "
        "if value then redis.call('HSET', key, field, value) "
        "else redis.call('DEL', key) redis.call(unpack(put[field])) end\" 1 ra:%s %s";
    char text[1024];
    (void)snprintf(text, sizeof text, script, key, type);
    test_store_run(text);
}

/* What Redis holds, and what it has counted as changes, even undone ones. */
static void take_digest(char digest[static TEXT_BYTES])
{
    static const char changes[] = "rdb_changes_since_last_save:";
    static char info[REPLY_BYTES];
    char hash[TEXT_BYTES / 2];
    assert_true(test_store_command(hash, sizeof hash, "DEBUG DIGEST"));
    assert_true(test_store_command(info, sizeof info, "INFO persistence"));
    const char *at = strstr(info, changes);
    assert_non_null(at);
    (void)snprintf(digest, TEXT_BYTES, "%s %ld", hash, strtol(at + sizeof changes - 1, NULL, 10));
}

static bool post(int64_t at_us)
{
    struct rate_verdict verdict;
    enum err_code code = test_store_add("cpu", at_us, 1.0, &test_store_no_limit, &verdict);
    assert_true(code == ERR_OK || code == ERR_INTERNAL);
    return code == ERR_OK;
}

static void fill_hour(size_t count)
{
    static struct record records[CHUNK_RECORDS];
    for (size_t i = 0; i < count; i++)
        records[i] = (struct record){{hour_start(first_hour).us + (int64_t)i}, (double)i};
    test_store_put_open("cpu", first_hour, records, count);
}

/* The type's first sample; the first of an hour; a further one; the one that closes a chunk. */
static void prepare(int situation)
{
    start_anew();
    if (situation > 0)
        test_store_post("cpu", hour_start(first_hour + 5).us, 1.0);
    if (situation == 2)
        test_store_post("cpu", hour_start(first_hour).us, 1.0);
    if (situation == 3)
        fill_hour(CHUNK_RECORDS - 1);
}

static void a_sample_is_stored_altogether_or_not_at_all(void **state)
{
    (void)state;
    int stored = 0, refused = 0;
    for (int situation = 0; situation < 4; situation++) {
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            for (size_t t = 0; t < sizeof forged_types / sizeof *forged_types; t++) {
                char before[TEXT_BYTES], after[TEXT_BYTES];
                prepare(situation);
                forge(keys[k], forged_types[t]);
                take_digest(before);
                if (post(hour_start(first_hour).us)) {
                    stored++;
                    continue;
                }
                refused++;
                take_digest(after);
                if (strcmp(before, after) != 0)
                    fail_msg("situation %d, %s is a %s: something was left behind", situation,
                             keys[k], forged_types[t]);
            }
        }
    }
    assert_true(stored > 100 && refused > 50);
}

/* Whatever followed would be read askew. */
static void a_sample_is_not_stored_behind_a_part_of_one(void **state)
{
    (void)state;
    static const int lengths[] = {1, 15, 17, 65521, 65535, 65537};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (int situation = 0; situation < 2; situation++) {
            char before[TEXT_BYTES], after[TEXT_BYTES], text[TEXT_BYTES];
            prepare(situation);
            (void)snprintf(text, sizeof text, "SETRANGE ra:m:{cpu}:raw:%" PRId64 " %d x",
                           first_hour, lengths[i] - 1);
            test_store_run(text);
            take_digest(before);
            assert_false(post(hour_start(first_hour).us));
            take_digest(after);
            assert_string_equal(before, after);
        }
    }
}

/* What somebody else made of a rollup or of a size is written over. */
static void a_chunk_closes_over_what_is_not_ours(void **state)
{
    (void)state;
    static const char *const others[] = {"m:{cpu}:agg:460800", "m:{cpu}:agg:d19200",
                                         "m:{cpu}:agg:m600", "m:{cpu}:chunks bytes",
                                         "m:{cpu}:blk:460800:0"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        prepare(3);
        forge(others[i], "list");
        test_store_post("cpu", hour_start(first_hour).us, 1.0);
        test_life_await_sealed("cpu");
        test_store_check_since("cpu", WALL_TIME_MIN);
        test_store_check_list("cpu", 100);
    }
}

/* --- Upkeep ------------------------------------------------------------------------ */

static void upkeep_passes_over_any_count_of_chunks(void **state)
{
    (void)state;
    for (int level = SPAN_HOUR; level <= SPAN_DAY; level++) {
        for (size_t i = 0; i < COUNTS; i++) {
            struct span span = span_of_hour((enum span_level)level, first_hour);
            start_anew();
            test_store_post("cpu", hour_start(first_hour).us, 1.0);
            test_store_post("cpu", hour_start(first_hour + 50).us, 1.0);
            test_store_post("cpu", hour_start(first_hour - 50).us, 1.0);
            put_chunks(span, CHUNKS, EACH);
            put_chunks((struct span){SPAN_HOUR, first_hour - 1}, 1, EACH);
            forge_count(span, counts[i]);
            struct error err;
            assert_int_equal(test_life_try_tend("cpu", &no_samples, &err), ERR_OK);
            assert_true(test_life_due("cpu") > clock_wall_now().us / 1000000 + 800);
            /* The others were gathered, and have expired. */
            assert_int_equal(test_life_open_bytes("cpu", first_hour + 50), 0);
            assert_int_equal(test_life_open_bytes("cpu", first_hour - 50), 0);
            const char *const words[] = {"STRLEN", "blk:460799:0", NULL};
            assert_in_range(test_life_number("cpu", words), CHUNK_MOMENTS_BYTES,
                            CHUNK_MOMENTS_BYTES + 250);
            struct metric_report report;
            const struct metric_question question = {.type = SLICE("cpu"),
                                                     .from = hour_start(first_hour - 1),
                                                     .to = hour_start(first_hour)};
            struct aggregate a;
            aggregate_init(&a, true);
            assert_int_equal(test_store_ask(&question, &a, &report), ERR_OK);
            assert_int_equal(a.moments.count, EACH);
            aggregate_release(&a);
        }
    }
}

/* Without it nothing is found, or samples are lost. */
static bool is_needed(const char *key)
{
    static const char *const needed[] = {"meta:{cpu}",         "m:{cpu}:open",
                                         "m:{cpu}:spans",      "m:{cpu}:chunks",
                                         "m:{cpu}:raw:460800", "m:{cpu}:chunks 460800"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (strcmp(key, needed[i]) == 0)
            return true;
    }
    return false;
}

/* All that it moves, or nothing. */
static void upkeep_loses_and_doubles_nothing_over_what_is_not_ours(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        for (size_t t = 0; t < sizeof forged_types / sizeof *forged_types; t++) {
            struct error err;
            start_anew();
            test_store_post("cpu", hour_start(first_hour).us, 1.0);
            test_store_post("cpu", hour_start(first_hour + 1).us, 2.0);
            test_store_post("cpu", hour_start(first_hour + 24).us, 3.0);
            forge(keys[k], forged_types[t]);
            if (is_needed(keys[k]))
                continue;
            for (int i = 0; i < 3; i++) {
                (void)!test_life_try_tend("cpu", i ? &no_samples : &test_life_for_ever, &err);
                test_store_check_since("cpu", WALL_TIME_MIN);
            }
        }
    }
}

/* As the tender asks for them. */
static void a_walk_for_small_days_goes_on_where_all_have_one_score(void **state)
{
    (void)state;
    test_store_post("cpu", hour_start(first_hour).us, 1.0);
    test_store_run(
        "EVAL \"for i = 1, 2000 do redis.call('ZADD', KEYS[1], 2*4294967296+19200, 'd' .. i) "
        "end\" 1 ra:m:{cpu}:spans");
    const struct slice args[] = {SLICE("700"), SLICE("1024"), SLICE("600"), SLICE("64")};
    struct redisReply *reply = test_life_eval(REDIS_SCRIPT_TEND_SMALL, "cpu", args, 4);
    struct slice next;
    assert_true(redis_reply_bytes_at(reply, 0, &next));
    assert_true(slice_equals(next, SLICE("601")));
    redis_reply_free(reply);
}

static void forge_open(int zeros)
{
    char text[TEXT_BYTES];
    (void)snprintf(text, sizeof text, "ZADD ra:m:{cpu}:open %" PRId64 " %0*" PRId64, first_hour,
                   6 + zeros, first_hour);
    test_store_run(text);
    (void)snprintf(text, sizeof text, "SADD ra:m:{cpu}:unsealed %0*" PRId64 ":0", 6 + zeros,
                   first_hour);
    test_store_run(text);
}

static void forge_day(int zeros, int64_t day)
{
    char text[TEXT_BYTES];
    (void)snprintf(text, sizeof text, "ZADD ra:m:{cpu}:spans %" PRId64 " d%0*" PRId64,
                   ((int64_t)SPAN_DAY << 32) + day, 5 + zeros, day);
    test_store_run(text);
    (void)snprintf(text, sizeof text, "HSET ra:m:{cpu}:chunks d%0*" PRId64 " 1", 5 + zeros, day);
    test_store_run(text);
    (void)snprintf(text, sizeof text,
                   "COPY ra:m:{cpu}:blk:d%" PRId64 ":0 ra:m:{cpu}:blk:d%0*" PRId64 ":0", day,
                   5 + zeros, day);
    test_store_run(text);
}

/* As many of each as there are ways to write it: more than a day has hours, a month days. */
static void names_that_are_written_otherwise_are_none(void **state)
{
    (void)state;
    static const struct metric_retention a_year = {INT64_C(31536000000000), 0};
    int64_t day = first_hour / DAY_HOURS;
    test_store_post("cpu", hour_start(first_hour).us, 1.0);
    test_life_tend("cpu", &a_year); /* days do not become months */
    assert_int_equal(test_life_closed("cpu", SPAN_DAY, day), 1);
    for (int zeros = 1; zeros <= OTHER_NAMES; zeros++)
        forge_day(zeros, day);
    test_life_tend("cpu", &test_life_for_ever);
    test_store_post("cpu", hour_start(first_hour).us, 2.0);
    for (int zeros = 1; zeros <= OTHER_NAMES; zeros++)
        forge_open(zeros);
    test_life_tend("cpu", &test_life_for_ever);
    assert_int_equal(test_life_open_bytes("cpu", first_hour), 0);
    test_life_tend("cpu", &nothing);
    test_store_check_since("cpu", WALL_TIME_MIN);
}

/* By the hundred, beside and before what is to be settled and gathered. */
static void names_of_any_kind_are_in_nobodys_way(void **state)
{
    (void)state;
    static const char *const forged[] = {
        "redis.call('ZADD', KEYS[1] .. 'open', i % 3 * 24 + 460800, 'x' .. i)",
        "redis.call('ZADD', KEYS[1] .. 'open', 460700 + i / 7, i)",
        "redis.call('ZADD', KEYS[1] .. 'open', '-inf', i)",
        "redis.call('ZADD', KEYS[1] .. 'open', '+inf', i)",
        "redis.call('ZADD', KEYS[1] .. 'open', 1e15 + i, i)",
        "redis.call('ZADD', KEYS[1] .. 'spans', 8589934592 + 19200 + i % 3, 'x' .. i)",
        "redis.call('ZADD', KEYS[1] .. 'spans', 8589934592 + 19100 + i / 7, 'x' .. i)",
        "redis.call('ZADD', KEYS[1] .. 'spans', 3e300, 'x' .. i)"};
    enum { COUNT = sizeof forged / sizeof *forged };
    char text[TEXT_BYTES];
    for (size_t i = 0; i < COUNT; i++) {
        start_anew();
        for (int64_t day = 0; day < 3; day++)
            test_store_post("cpu", hour_start(first_hour + day * DAY_HOURS).us, 1.0);
        (void)snprintf(text, sizeof text,
                       "EVAL \"for i = 1, 300 do %s end\" 1 ra:m:{cpu}:", forged[i]);
        test_store_run(text);
        test_life_tend("cpu", &test_life_for_ever);
        assert_int_equal(test_life_closed("cpu", SPAN_MONTH, first_hour / MONTH_HOURS), 1);
        for (int64_t day = 0; day < 3; day++)
            assert_int_equal(test_life_open_bytes("cpu", first_hour + day * DAY_HOURS), 0);
        assert_true(test_life_due("cpu") > clock_wall_now().us / 1000000 + 800);
        test_life_tend("cpu", &nothing);
    }
}

/* --- Deletion ---------------------------------------------------------------------- */

static void begin_deleting(void)
{
    bool is_known, is_done;
    assert_int_equal(metric_delete(test_store.client, SLICE("cpu"), (struct mono_time){0},
                                   &is_known, &is_done, NULL),
                     ERR_OK);
    assert_true(is_known);
}

static void any_count_of_chunks_is_deleted(void **state)
{
    (void)state;
    for (size_t i = 2; i < COUNTS; i++) { /* those before go on for as long as they say */
        bool is_deleting, is_done = false;
        start_anew();
        test_store_post("cpu", hour_start(first_hour).us, 1.0);
        put_chunks((struct span){SPAN_HOUR, first_hour}, CHUNKS, EACH);
        forge_count((struct span){SPAN_HOUR, first_hour}, counts[i]);
        begin_deleting();
        for (int steps = 0; !is_done; steps++) {
            assert_in_range(steps, 0, 300);
            assert_int_equal(
                metric_delete_go_on(test_store.client, SLICE("cpu"), &is_deleting, &is_done, NULL),
                ERR_OK);
        }
        char out[TEXT_BYTES];
        assert_true(test_store_command(out, sizeof out, "DBSIZE"));
        assert_string_equal(out, "1"); /* the lease */
    }
}

static void a_step_of_a_deletion_is_one_whatever_counts_say(void **state)
{
    (void)state;
    enum { SPANS = 3000, STEP = 256 };
    static const char *const said[] = {"-1000", "1e300", "2147483647", "nan"};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        char text[TEXT_BYTES * 2];
        start_anew();
        test_store_post("cpu", hour_start(first_hour).us, 1.0);
        (void)snprintf(text, sizeof text,
                       "EVAL \"for i = 1, %d do "
                       "redis.call('ZADD', KEYS[1] .. 'spans', i, i) "
                       "redis.call('HSET', KEYS[1] .. 'chunks', i, '%s') end\" 1 ra:m:{cpu}:",
                       SPANS, said[i]);
        test_store_run(text);
        begin_deleting();
        bool is_deleting, is_done;
        assert_int_equal(
            metric_delete_go_on(test_store.client, SLICE("cpu"), &is_deleting, &is_done, NULL),
            ERR_OK);
        const char *const words[] = {"ZCARD", "gone:spans", NULL};
        assert_true(test_life_number("cpu", words) >= SPANS - STEP);
    }
}

#define FOREIGN_TEST(name) cmocka_unit_test_setup_teardown(name, test_life_open, test_life_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOREIGN_TEST(any_count_of_chunks_is_told_as_damage_of_its_span),
        FOREIGN_TEST(a_page_ends_within_any_span),
        FOREIGN_TEST(spans_that_hold_nothing_do_not_make_a_page_longer),
        FOREIGN_TEST(open_hours_that_are_none_are_told_of),
        FOREIGN_TEST(an_open_chunk_that_is_too_long_is_not_copied),
        FOREIGN_TEST(a_sample_is_stored_altogether_or_not_at_all),
        FOREIGN_TEST(a_sample_is_not_stored_behind_a_part_of_one),
        FOREIGN_TEST(a_chunk_closes_over_what_is_not_ours),
        FOREIGN_TEST(upkeep_loses_and_doubles_nothing_over_what_is_not_ours),
        FOREIGN_TEST(upkeep_passes_over_any_count_of_chunks),
        FOREIGN_TEST(a_walk_for_small_days_goes_on_where_all_have_one_score),
        FOREIGN_TEST(names_that_are_written_otherwise_are_none),
        FOREIGN_TEST(names_of_any_kind_are_in_nobodys_way),
        FOREIGN_TEST(any_count_of_chunks_is_deleted),
        FOREIGN_TEST(a_step_of_a_deletion_is_one_whatever_counts_say),
    };
    return cmocka_run_group_tests(tests, test_store_start_server, test_store_stop_server);
}
