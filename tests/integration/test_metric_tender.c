/* Who is tended, by whom and when: the thread of a store, and the set of what is due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "await.h"
#include "lane_gate.h"
#include "life_model.h"
#include "metric_delete.h"
#include "store_content.h"
#include "test_life.h"

enum { DAY_HOURS = 24, DAY_SECONDS = 86400, MONTH_DAYS = 32, TEXT_BYTES = 64, REPLY_BYTES = 8192 };

static const struct metric_retention a_day = {INT64_C(86400000000), 0};

static void post(const char *type, int64_t hour)
{
    life_model_post(type, hour_start(hour).us, 1.0);
}

static int64_t now_seconds(void)
{
    return clock_wall_now().us / 1000000;
}

/* Both may have been a little earlier. */
static void assert_due(const char *type, int64_t seconds)
{
    int64_t due = test_life_due(type);
    if (due > seconds + 1 || due < seconds - 5)
        fail_msg("%s is due in %" PRId64 " s instead of %" PRId64, type, due - now_seconds(),
                 seconds - now_seconds());
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t end_of_hour(int64_t hour)
{
    return (hour + 1) * 3600;
}

static int64_t end_of_day(int64_t hour)
{
    return (hour / DAY_HOURS + 1) * DAY_SECONDS;
}

/* --- Due by a sample --------------------------------------------------------------- */

/* Far ahead is what is neither of this day nor of the next hour; both begin a minute late. */
static int64_t due_of_sample(int64_t hour)
{
    int64_t soonest = now_seconds() + 900, now_hour = (now_seconds() - 60) / 3600;
    int64_t far_hour = later((now_hour / DAY_HOURS + 1) * DAY_HOURS, now_hour + 2);
    return hour >= far_hour ? soonest : later(end_of_hour(hour) + 60, soonest);
}

/* Then the rule may give one answer to the post and another to the test. */
static bool is_hour_about_to_begin(void)
{
    int64_t second = now_seconds() % 3600;
    return second >= 55 && second < 60;
}

static void the_first_sample_of_an_hour_sets_when_it_is_due(void **state)
{
    (void)state;
    AWAIT(!is_hour_about_to_begin());
    int64_t hour = test_life_hour();
    post("cpu", hour + 1);
    assert_due("cpu", due_of_sample(hour + 1));
    post("cpu", hour);
    int64_t due = test_life_due("cpu");
    assert_due("cpu", sooner(due_of_sample(hour), due_of_sample(hour + 1)));
    post("cpu", hour + 1);
    assert_int_equal(test_life_due("cpu"), due);
    post("now", hour);
    assert_due("now", due_of_sample(hour));
}

static void a_late_sample_is_due_a_quarter_of_an_hour_later(void **state)
{
    (void)state;
    post("cpu", test_life_hour() - 100);
    assert_due("cpu", now_seconds() + 900);
    test_store_run("SET ra:tender somebody EX 600"); /* or the store's own takes it up */
    test_store_run("ZADD ra:due 12345 cpu");
    post("cpu", test_life_hour() - 200);
    assert_int_equal(test_life_due("cpu"), 12345);
}

/* Whose hour would be over in years. */
static void a_sample_far_ahead_is_due_a_quarter_of_an_hour_later(void **state)
{
    (void)state;
    int64_t hour = test_life_hour(), day = hour / DAY_HOURS;
    post("years", hour + 100000);
    assert_due("years", now_seconds() + 900);
    post("days", (day + 2) * DAY_HOURS);
    assert_due("days", now_seconds() + 900);
}

/* --- Due after it was tended ------------------------------------------------------- */

/* Tomorrow samples may expire. */
static void who_holds_something_is_due_once_a_day(void **state)
{
    (void)state;
    int64_t day = test_life_hour() / DAY_HOURS / MONTH_DAYS * MONTH_DAYS - 5;
    post("cpu", day * DAY_HOURS);
    for (int i = 0; i < TENDER_KEEP_RECORDS; i++) /* which stay an hour */
        post("cpu", (day - 1) * DAY_HOURS);
    test_life_tend("cpu", &test_life_for_ever);
    assert_due("cpu", now_seconds() + DAY_SECONDS);
}

static void who_has_nothing_left_is_not_due(void **state)
{
    (void)state;
    test_store_run("ZADD ra:due 0 nobody");
    test_life_tend("nobody", &test_life_for_ever);
    assert_int_equal(test_life_due("nobody"), -1);
    struct store_content content;
    store_content_read(&content, test_store.client, "nobody");
    assert_int_equal(content.keys, 0);
}

static void an_hour_that_is_not_over_is_due_when_it_is(void **state)
{
    (void)state;
    int64_t hour = test_life_hour();
    post("cpu", hour);
    post("cpu", hour + 1);
    test_life_tend("cpu", &test_life_for_ever);
    assert_due("cpu", later(end_of_hour(hour), now_seconds() + 60));
    post("next", hour + 1);
    test_life_tend("next", &test_life_for_ever);
    assert_due("next", end_of_hour(hour + 1));
}

/* When that is, as it is pretended. */
static int64_t on_clock(int64_t seconds)
{
    return seconds - test_life_seconds_ahead();
}

static void an_hour_that_is_over_is_due_at_the_end_of_its_day(void **state)
{
    (void)state;
    int64_t hour = test_life_hour() / DAY_HOURS * DAY_HOURS + 11;
    test_life_pretend(hour + 1);
    post("cpu", hour);
    test_life_tend("cpu", &test_life_for_ever);
    assert_due("cpu", on_clock(end_of_day(hour)));
    post("cpu", hour + 500);
    test_life_tend("cpu", &test_life_for_ever);
    assert_due("cpu", on_clock(end_of_day(hour)));
    post("cpu", hour + 1);
    test_life_tend("cpu", &test_life_for_ever);
    assert_due("cpu", on_clock(end_of_hour(hour + 1)));
}

static void where_samples_expire_one_looks_once_an_hour(void **state)
{
    (void)state;
    post("cpu", test_life_hour() - 100);
    test_life_tend("cpu", &a_day);
    assert_due("cpu", now_seconds() + 3600);
    const struct metric_retention nothing = {1, 1};
    test_life_tend("cpu", &nothing);
    assert_int_equal(test_life_due("cpu"), -1);
}

static void what_is_not_sealed_is_due_soon(void **state)
{
    (void)state;
    int64_t hour = test_life_hour() - 100;
    for (int i = 0; i < CHUNK_RECORDS; i++)
        test_life_post_unheard("cpu", hour_start(hour).us, i);
    test_store_run("SADD ra:m:{cpu}:unsealed 1:0"); /* which nobody can seal */
    test_life_tend("cpu", &test_life_for_ever);
    assert_due("cpu", now_seconds() + 15);
    const char *const words[] = {"SISMEMBER", "unsealed", "1:0", NULL};
    char text[TEXT_BYTES];
    (void)snprintf(text, sizeof text, "SCARD ra:m:{cpu}:unsealed");
    test_store_await(text, "1");
    assert_int_equal(test_life_number("cpu", words), 1);
}

/* The script by hand: what it was told, and what it then says. */
static int64_t finish(const char *hour, const char *is_behind)
{
    const struct slice keys[] = {SLICE("ra:m:{cpu}:"), SLICE("ra:due")},
                       args[] = {SLICE("cpu"), SLICE("60"), slice_from_string(hour),
                                 slice_from_string(is_behind), SLICE("86400")};
    struct redisReply *reply;
    int64_t result = -1;
    assert_int_equal(redis_client_eval(test_store.client, REDIS_LANE_WRITE, REDIS_SCRIPT_TEND_DONE,
                                       keys, 2, args, 5, &reply, NULL),
                     ERR_OK);
    assert_true(redis_reply_integer(reply, &result));
    redis_reply_free(reply);
    return result;
}

static void who_has_something_left_to_be_done_is_due_soon(void **state)
{
    (void)state;
    assert_int_equal(finish("0", "0"), 0);
    assert_int_equal(finish("0", "1"), 1);
    assert_due("cpu", now_seconds() + 15);
}

/* An hour that ended while the type was tended. */
static void an_hour_that_was_not_looked_at_is_due_in_a_minute(void **state)
{
    (void)state;
    char hour[TEXT_BYTES];
    int64_t over = (test_life_hour() / DAY_HOURS - 1) * DAY_HOURS;
    post("cpu", over);
    post("cpu", over + 2);
    (void)snprintf(hour, sizeof hour, "%" PRId64, over + 2);
    assert_int_equal(finish(hour, "0"), 1);
    assert_due("cpu", now_seconds() + 60);
}

static void an_hour_far_ahead_that_was_not_looked_at_is_due_in_a_quarter(void **state)
{
    (void)state;
    char hour[TEXT_BYTES];
    int64_t noon = test_life_hour() / DAY_HOURS * DAY_HOURS + 12;
    post("cpu", noon + 12);
    (void)snprintf(hour, sizeof hour, "%" PRId64, noon);
    assert_int_equal(finish(hour, "0"), 1);
    assert_due("cpu", now_seconds() + 900);
}

/* Somebody who tended it since before the deletion must not let it be forgotten. */
static void who_is_being_deleted_stays_due(void **state)
{
    (void)state;
    bool is_known, is_done;
    post("cpu", test_life_hour());
    test_store_run("SET ra:tender somebody EX 600");
    assert_int_equal(metric_delete(test_store.client, SLICE("cpu"), (struct mono_time){0},
                                   &is_known, &is_done, NULL),
                     ERR_OK);
    assert_int_equal(finish("0", "0"), 1);
    assert_due("cpu", now_seconds());
    test_store_run("DEL ra:tender");
    const char *const words[] = {"EXISTS", "gone:chunks", NULL};
    AWAIT(test_life_number("cpu", words) == 0);
    assert_int_equal(test_life_due("cpu"), -1);
}

/* --- The thread of a store --------------------------------------------------------- */

static void the_store_tends_what_is_due_though_nobody_asks(void **state)
{
    (void)state;
    int64_t hour = test_life_hour() - 100;
    post("cpu", hour);
    test_store_run("ZADD ra:due 0 cpu");
    AWAIT(test_life_open_bytes("cpu", hour) == 0);
    AWAIT(test_life_due("cpu") != 0);
    life_model_check_all("cpu");
}

static void what_is_not_due_is_left_alone(void **state)
{
    (void)state;
    int64_t hour = test_life_hour() - 100;
    post("cpu", hour);
    post("mem", hour);
    test_store_run("ZADD ra:due 0 mem");
    AWAIT(test_life_open_bytes("mem", hour) == 0);
    assert_int_equal(test_life_open_bytes("cpu", hour), RECORD_BYTES);
}

static size_t frozen_count(void)
{
    struct store_content content;
    store_content_read(&content, test_store.client, "cpu");
    size_t count = content.frozen_count;
    store_content_release(&content);
    return count;
}

/* As it was left by whoever had let it rest for ever. */
static void retention_that_is_switched_on_reaches_types_that_rest(void **state)
{
    (void)state;
    const struct metric_store_options options = {
        .types_max = 10, .spans_per_type_max = 10, .retention = {1, 0}};
    post("cpu", test_life_hour() - 2000);
    test_life_tend("cpu", &test_life_for_ever);
    assert_int_equal(frozen_count(), 0);
    metric_store_free(test_store.store);
    test_store_run("DEL ra:due ra:tender");
    test_store.store = metric_store_new(&options, test_store.client, test_store.limiter);
    assert_non_null(test_store.store);
    AWAIT(frozen_count() == 1);
    AWAIT(test_life_due("cpu") > now_seconds() + 3500);
}

/* By hand: some are due, none is given out. */
static void a_walk_over_all_types_misses_none(void **state)
{
    (void)state;
    enum { TYPES = 3000 };
    const struct slice keys[] = {SLICE("ra:walker"), SLICE("ra:due"), SLICE("ra:types")};
    char text[TEXT_BYTES * 4], cursor[TEXT_BYTES] = "0";
    (void)snprintf(text, sizeof text,
                   "EVAL \"for i = 1, %d do redis.call('ZADD', KEYS[1], 0, 'a' .. i) end\" 1 "
                   "ra:types",
                   TYPES);
    test_store_run("SET ra:tender somebody EX 600");
    test_store_run(text);
    test_store_run("ZADD ra:due 9999999999 a1 1234567 a3000");
    for (int steps = 0; cursor[0]; steps++) {
        const struct slice args[] = {SLICE("1000"), SLICE("0"), SLICE("60"),
                                     slice_from_string(cursor)};
        struct redisReply *reply;
        struct slice next;
        test_store_run("DEL ra:walker");
        assert_int_equal(redis_client_eval(test_store.client, REDIS_LANE_WRITE,
                                           REDIS_SCRIPT_TEND_DUE, keys, 3, args, 4, &reply, NULL),
                         ERR_OK);
        assert_true(redis_reply_bytes_at(reply, 0, &next));
        assert_int_equal(redis_reply_count(reply), 1);
        (void)snprintf(cursor, sizeof cursor, "%.*s", (int)next.len, next.ptr);
        redis_reply_free(reply);
        assert_in_range(steps, 0, 60);
        assert_true(test_store_command(text, sizeof text, "ZCARD ra:due"));
        assert_true(strtol(text, NULL, 10) <= 400 * (steps + 1));
    }
    test_store_await("ZCARD ra:due", "3000");
    assert_int_equal(test_life_due("a1"), INT64_C(9999999999));
    assert_int_equal(test_life_due("a3000"), 1234567);
    assert_due("a2", now_seconds());
}

/* How often something was asked for, by all who are connected. */
static int64_t calls_of(const char *what)
{
    char reply[REPLY_BYTES];
    assert_true(test_store_command(reply, sizeof reply, "INFO commandstats"));
    const char *at = strstr(reply, what);
    return at ? strtoll(strchr(at, '=') + 1, NULL, 10) : 0;
}

static void of_two_stores_one_tends_under_the_lease(void **state)
{
    (void)state;
    const struct metric_store_options options = {.types_max = 10, .spans_per_type_max = 10};
    struct metric_store *other = metric_store_new(&options, test_store.client, test_store.limiter);
    assert_non_null(other);
    int64_t hour = test_life_hour() - 100;
    post("cpu", hour);
    test_store_run("SET ra:tender somebody EX 600");
    test_store_run("ZADD ra:due 0 cpu");
    int64_t asked = calls_of("cmdstat_evalsha:");
    AWAIT(calls_of("cmdstat_evalsha:") >= asked + 4);
    assert_int_equal(test_life_due("cpu"), 0);
    test_store_run("DEL ra:tender");
    AWAIT(test_life_open_bytes("cpu", hour) == 0);
    metric_store_free(other);
}

static size_t claim(char *first, size_t size)
{
    const struct slice keys[] = {SLICE("ra:tender"), SLICE("ra:due"), SLICE("ra:types")},
                       args[] = {SLICE("1000"), SLICE("2"), SLICE("60"), SLICE("")};
    struct redisReply *reply;
    struct slice name = SLICE("");
    assert_int_equal(redis_client_eval(test_store.client, REDIS_LANE_WRITE, REDIS_SCRIPT_TEND_DUE,
                                       keys, 3, args, 4, &reply, NULL),
                     ERR_OK);
    (void)redis_reply_bytes_at(reply, 1, &name);
    (void)snprintf(first, size, "%.*s", (int)name.len, name.ptr);
    size_t count = redis_reply_count(reply) - 1;
    redis_reply_free(reply);
    return count;
}

static void who_is_tended_by_one_is_not_given_to_another(void **state)
{
    (void)state;
    char first[TEXT_BYTES];
    test_store_run("SET ra:tender somebody EX 600"); /* the store's own does not meddle */
    test_store_run("ZADD ra:due 1 a 2 b 3 c");
    assert_int_equal(claim(first, sizeof first), 0);
    test_store_run("DEL ra:tender");
    size_t count = claim(first, sizeof first);
    test_store_run("DEL ra:tender");
    char second[TEXT_BYTES];
    size_t rest = claim(second, sizeof second);
    test_store_run("SET ra:tender somebody EX 600");
    assert_int_equal(count, 2);
    assert_string_equal(first, "a");
    assert_due("a", now_seconds() + 60);
    assert_int_equal(rest, 1);
    assert_string_equal(second, "c");
}

/* --- What goes wrong --------------------------------------------------------------- */

/* From now on what is logged goes to a file, until restore_log reads it. */
static int divert_log(FILE *file)
{
    int before = dup(STDERR_FILENO);
    assert_true(before >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    return before;
}

static void restore_log(FILE *file, int before, char *text, size_t size)
{
    (void)dup2(before, STDERR_FILENO);
    (void)close(before);
    rewind(file);
    size_t len = fread(text, 1, size - 1, file);
    text[len] = '\0';
    (void)fclose(file);
}

/* Of whatever type an index is that should be another one. */
static void a_key_of_the_wrong_type_ends_the_upkeep_of_its_type_alone(void **state)
{
    (void)state;
    static const char *const indexes[] = {"open", "spans", "chunks", "unsealed"}, *const names[] = {
                                                                                      "a", "b", "c",
                                                                                      "d"};
    enum { COUNT = sizeof names / sizeof *names };
    int64_t hour = test_life_hour() - 100;
    char text[TEXT_BYTES * 2], log[REPLY_BYTES];
    static char seen[COUNT][TEST_LIFE_DIGEST_BYTES], digest[TEST_LIFE_DIGEST_BYTES];
    FILE *file = tmpfile();
    assert_non_null(file);
    for (size_t i = 0; i < COUNT; i++) {
        post(names[i], hour);
        (void)snprintf(text, sizeof text, "SET ra:m:{%s}:%s foreign", names[i], indexes[i]);
        test_store_run(text);
        test_life_digest(names[i], seen[i]);
    }
    post("good", hour);
    int before = divert_log(file);
    test_store_run("ZADD ra:due 0 a 0 b 0 c 0 d 1 good");
    AWAIT(test_life_open_bytes("good", hour) == 0);
    restore_log(file, before, log, sizeof log);
    for (size_t i = 0; i < COUNT; i++) {
        test_life_digest(names[i], digest);
        assert_string_equal(digest, seen[i]);
        assert_true(test_life_due(names[i]) > now_seconds() + 40);
        (void)snprintf(text, sizeof text, "metric_type=\"%s\"", names[i]);
        assert_non_null(strstr(log, text));
    }
    assert_non_null(strstr(log, "WARNING tending_failed"));
}

/* More of them than are given out at once, all due before it. */
static void who_cannot_be_tended_does_not_keep_others_from_it(void **state)
{
    (void)state;
    int64_t hour = test_life_hour() - 100;
    char text[TEXT_BYTES];
    for (int i = 0; i < 70; i++) {
        (void)snprintf(text, sizeof text, "SET ra:m:{bad%d}:open foreign", i);
        test_store_run(text);
        (void)snprintf(text, sizeof text, "ZADD ra:due %d bad%d", i, i);
        test_store_run(text);
    }
    post("good", hour);
    FILE *file = tmpfile();
    assert_non_null(file);
    char log[REPLY_BYTES];
    int before = divert_log(file);
    test_store_run("ZADD ra:due 1000 good");
    AWAIT(test_life_open_bytes("good", hour) == 0);
    restore_log(file, before, log, sizeof log);
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        count++;
    return count;
}

/* Of two: that what was asked was not answered, and that nothing can be asked. */
static void a_store_that_goes_away_is_a_line_and_not_one_for_each_type(void **state)
{
    (void)state;
    enum { TYPES = 60 };
    char text[TEXT_BYTES];
    static char log[REPLY_BYTES * 4];
    struct lane_gate gate;
    FILE *file = tmpfile();
    assert_non_null(file);
    lane_gate_close(&gate, &test_store.server, test_store.client, REDIS_LANE_READ);
    test_store_run("SET ra:tender somebody EX 600");
    for (int i = 0; i < TYPES; i++) {
        (void)snprintf(text, sizeof text, "ZADD ra:due 0 t%d", i);
        test_store_run(text);
    }
    int before = divert_log(file);
    test_store_run("DEL ra:tender");
    AWAIT(test_life_due("t1") > 0); /* all were given out, the first waits at the gate */
    test_redis_kill(&test_store.server);
    test_redis_restart(&test_store.server);
    lane_gate_open(&gate);
    assert_true(test_redis_await_connected(test_store.client, true, 10000));
    int64_t hour = test_life_hour() - 100;
    post("good", hour);
    test_store_run("ZADD ra:due 0 good");
    AWAIT(test_life_open_bytes("good", hour) == 0); /* so the pass is over */
    restore_log(file, before, log, sizeof log);
    assert_in_range(count_of(log, "tending_failed"), 1, 2);
}

static void a_full_redis_is_tended(void **state)
{
    (void)state;
    int64_t hour = test_life_hour() - 100;
    post("cpu", hour);
    test_store_run("SET ra:tender somebody EX 600");
    test_store_run("ZADD ra:due 0 cpu");
    test_store_run("CONFIG SET maxmemory 1");
    test_store_run("DEL ra:tender");
    AWAIT(test_life_open_bytes("cpu", hour) == 0);
    AWAIT(test_life_due("cpu") != 0);
    test_store_run("CONFIG SET maxmemory 0");
    life_model_check_all("cpu");
}

#define LIFE_TEST(name) cmocka_unit_test_setup_teardown(name, test_life_open, test_life_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE_TEST(the_first_sample_of_an_hour_sets_when_it_is_due),
        LIFE_TEST(a_late_sample_is_due_a_quarter_of_an_hour_later),
        LIFE_TEST(a_sample_far_ahead_is_due_a_quarter_of_an_hour_later),
        LIFE_TEST(who_holds_something_is_due_once_a_day),
        LIFE_TEST(who_has_nothing_left_is_not_due),
        LIFE_TEST(an_hour_that_is_not_over_is_due_when_it_is),
        LIFE_TEST(an_hour_that_is_over_is_due_at_the_end_of_its_day),
        LIFE_TEST(where_samples_expire_one_looks_once_an_hour),
        LIFE_TEST(what_is_not_sealed_is_due_soon),
        LIFE_TEST(who_has_something_left_to_be_done_is_due_soon),
        LIFE_TEST(an_hour_that_was_not_looked_at_is_due_in_a_minute),
        LIFE_TEST(an_hour_far_ahead_that_was_not_looked_at_is_due_in_a_quarter),
        LIFE_TEST(who_is_being_deleted_stays_due),
        LIFE_TEST(the_store_tends_what_is_due_though_nobody_asks),
        LIFE_TEST(what_is_not_due_is_left_alone),
        LIFE_TEST(retention_that_is_switched_on_reaches_types_that_rest),
        LIFE_TEST(a_walk_over_all_types_misses_none),
        LIFE_TEST(of_two_stores_one_tends_under_the_lease),
        LIFE_TEST(who_is_tended_by_one_is_not_given_to_another),
        LIFE_TEST(a_key_of_the_wrong_type_ends_the_upkeep_of_its_type_alone),
        LIFE_TEST(who_cannot_be_tended_does_not_keep_others_from_it),
        LIFE_TEST(a_store_that_goes_away_is_a_line_and_not_one_for_each_type),
        LIFE_TEST(a_full_redis_is_tended),
    };
    return cmocka_run_group_tests(tests, test_store_start_server, test_store_stop_server);
}
