/* What is over is closed and sealed, what is sparse gathered: each rule of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "life_model.h"
#include "store_content.h"
#include "test_life.h"

enum { DAY_HOURS = 24, MONTH_DAYS = 32, INTEGER_TEXT = 24 };

static void gather(const char *type)
{
    test_life_tend(type, &test_life_for_ever);
}

static int64_t closed_of_hour(int64_t hour)
{
    return test_life_closed("cpu", SPAN_HOUR, hour);
}

static int64_t closed_of_day(int64_t day)
{
    return test_life_closed("cpu", SPAN_DAY, day);
}

static int64_t closed_of_month(int64_t month)
{
    return test_life_closed("cpu", SPAN_MONTH, month);
}

/* A day in a month that is over. */
static int64_t some_day(void)
{
    return test_life_hour() / DAY_HOURS / MONTH_DAYS * MONTH_DAYS - 5;
}

/* --- Hours ------------------------------------------------------------------------- */

static void an_hour_of_1024_samples_stays_in_its_hour(void **state)
{
    (void)state;
    int64_t hour = test_life_past_hour();
    life_model_post_hour("cpu", hour, TENDER_KEEP_RECORDS);
    gather("cpu");
    assert_int_equal(closed_of_hour(hour), 1);
    assert_int_equal(closed_of_day(hour / DAY_HOURS), 0);
    assert_int_equal(test_life_open_bytes("cpu", hour), 0);
    life_model_check("cpu");
}

static void an_hour_of_1023_samples_goes_into_its_day(void **state)
{
    (void)state;
    int64_t hour = test_life_past_hour();
    life_model_post_hour("cpu", hour + 5, TENDER_KEEP_RECORDS - 1);
    life_model_post_hour("cpu", hour + 23, 3);
    gather("cpu");
    assert_int_equal(closed_of_hour(hour + 5), 0);
    assert_int_equal(closed_of_day(hour / DAY_HOURS), 1);
    assert_int_equal(test_life_open_bytes("cpu", hour + 5), 0);
    life_model_check("cpu");
}

static void an_hour_of_1023_samples_waits_for_the_end_of_its_day(void **state)
{
    (void)state;
    int64_t day = test_life_hour() / DAY_HOURS, hour = day * DAY_HOURS + 11;
    test_life_pretend(hour + 1);
    life_model_post_hour("cpu", hour, TENDER_KEEP_RECORDS - 1);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 0);
    assert_int_equal(test_life_open_bytes("cpu", hour), (TENDER_KEEP_RECORDS - 1) * RECORD_BYTES);
    life_model_post("cpu", hour_start(hour).us, 1.0);
    gather("cpu");
    assert_int_equal(closed_of_hour(hour), 1);
    life_model_check("cpu");
}

static void an_hour_that_is_not_over_stays_open(void **state)
{
    (void)state;
    int64_t hour = test_life_hour() + 1;
    life_model_post_hour("cpu", hour, TENDER_KEEP_RECORDS);
    gather("cpu");
    assert_int_equal(test_life_open_bytes("cpu", hour), TENDER_KEEP_RECORDS * RECORD_BYTES);
    life_model_check("cpu");
}

/* What is of this day, or of the next hour, will be over before a day has passed. */
static void an_hour_that_is_far_ahead_is_gathered_at_once(void **state)
{
    (void)state;
    static const struct {
        int now, hour;
        bool is_far;
    } rows[] = {{12, 13, false}, {12, 23, false}, {12, 24, true}, {0, 23, false}, {0, 24, true},
                {23, 24, false}, {23, 25, true},  {22, 24, true}, {12, 47, true}, {12, 90, true}};
    int64_t day = test_life_hour() / DAY_HOURS;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[8];
        int64_t hour = day * DAY_HOURS + rows[i].hour;
        assert_true(test_store_command(out, sizeof out, "FLUSHALL"));
        life_model_forget("cpu");
        test_life_pretend(day * DAY_HOURS + rows[i].now);
        life_model_post_hour("cpu", hour, 10);
        gather("cpu");
        assert_int_equal(test_life_open_bytes("cpu", hour), rows[i].is_far ? 0 : 160);
        assert_int_equal(closed_of_day(hour / DAY_HOURS), rows[i].is_far);
        life_model_check("cpu");
    }
}

static void samples_far_ahead_lie_as_others_do(void **state)
{
    (void)state;
    int64_t hour = (test_life_hour() / DAY_HOURS + 100) * DAY_HOURS;
    life_model_post_hour("cpu", hour, TENDER_KEEP_RECORDS);
    life_model_post_hour("cpu", hour + 1, TENDER_KEEP_RECORDS - 1);
    for (int64_t i = 2; i < 200; i++)
        life_model_post_hour("cpu", hour + i, 1 + (int)(i % 3));
    life_model_post_hour("cpu", test_life_hour() - 100, 10);
    gather("cpu");
    const char *const words[] = {"ZCARD", "open", NULL};
    assert_int_equal(test_life_number("cpu", words), 0);
    assert_int_equal(closed_of_hour(hour), 1);
    assert_int_equal(closed_of_hour(hour + 1), 0);
    assert_int_equal(closed_of_day(hour / DAY_HOURS), 1);
    assert_int_equal(closed_of_day(hour / DAY_HOURS + 8), 1);
    life_model_check("cpu");
    /* The day comes, and more with it. */
    test_life_pretend(hour + 1);
    life_model_post_hour("cpu", hour, 10);
    life_model_post_hour("cpu", hour + 1, 7);
    gather("cpu");
    assert_int_equal(closed_of_hour(hour), 2);
    assert_int_equal(test_life_open_bytes("cpu", hour + 1), 7 * RECORD_BYTES);
    life_model_check("cpu");
}

static void an_hour_with_closed_chunks_keeps_its_late_samples(void **state)
{
    (void)state;
    int64_t hour = test_life_past_hour();
    life_model_post_hour("cpu", hour, TENDER_KEEP_RECORDS);
    gather("cpu");
    life_model_post_hour("cpu", hour, 5);
    life_model_post_hour("cpu", hour + 1, 5);
    gather("cpu");
    assert_int_equal(closed_of_hour(hour), 2);
    assert_int_equal(closed_of_day(hour / DAY_HOURS), 1);
    life_model_post_hour("cpu", hour, 5);
    gather("cpu");
    assert_int_equal(closed_of_hour(hour), 2); /* the small one took them in */
    life_model_check("cpu");
}

static void a_chunk_that_was_filled_keeps_its_hours_late_samples_too(void **state)
{
    (void)state;
    int64_t hour = test_life_past_hour();
    life_model_post_hour("cpu", hour, CHUNK_RECORDS + 7);
    gather("cpu");
    assert_int_equal(closed_of_hour(hour), 2);
    assert_int_equal(closed_of_day(hour / DAY_HOURS), 0);
    test_life_await_sealed("cpu");
    life_model_check("cpu");
}

/* --- Days -------------------------------------------------------------------------- */

static void a_small_last_chunk_takes_late_samples_in_and_a_larger_one_does_not(void **state)
{
    (void)state;
    int64_t hour = test_life_past_hour(), day = hour / DAY_HOURS;
    life_model_post_hour("cpu", hour, 600);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 1);
    life_model_post_hour("cpu", hour + 1, 423);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 1); /* of 1,023 */
    life_model_post_hour("cpu", hour, 1);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 1); /* of 1,024 */
    life_model_post_hour("cpu", hour, 10);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 2);
    life_model_post_hour("cpu", hour + 2, 10);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 2);
    life_model_check("cpu");
}

static void a_day_of_many_small_hours_lies_in_several_chunks(void **state)
{
    (void)state;
    int64_t hour = test_life_past_hour();
    for (int64_t h = hour; h < hour + DAY_HOURS; h++)
        life_model_post_hour("cpu", h, 1000);
    gather("cpu");
    assert_int_equal(closed_of_day(hour / DAY_HOURS), 6);
    life_model_check("cpu");
}

/* --- Months ------------------------------------------------------------------------ */

static void a_day_of_1023_samples_goes_into_its_month(void **state)
{
    (void)state;
    int64_t day = some_day();
    life_model_post_hour("cpu", day * DAY_HOURS, 1000);
    life_model_post_hour("cpu", day * DAY_HOURS + 7, 23);
    life_model_post_hour("cpu", (day + 1) * DAY_HOURS + 7, 500);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 0);
    assert_int_equal(closed_of_day(day + 1), 0);
    assert_int_equal(closed_of_month(day / MONTH_DAYS), 1);
    life_model_check("cpu");
}

static void a_day_of_1024_samples_stays_a_day(void **state)
{
    (void)state;
    int64_t day = some_day();
    life_model_post_hour("cpu", day * DAY_HOURS, 1000);
    life_model_post_hour("cpu", day * DAY_HOURS + 7, 24);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 1);
    assert_int_equal(closed_of_month(day / MONTH_DAYS), 0);
    life_model_check("cpu");
}

static void a_day_waits_for_the_end_of_its_month(void **state)
{
    (void)state;
    int64_t day = test_life_hour() / DAY_HOURS / MONTH_DAYS * MONTH_DAYS + 7;
    test_life_pretend((day + 1) * DAY_HOURS);
    life_model_post_hour("cpu", day * DAY_HOURS, 10);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 1);
    assert_int_equal(closed_of_month(day / MONTH_DAYS), 0);
    test_life_pretend((day / MONTH_DAYS + 1) * MONTH_DAYS * DAY_HOURS);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 0);
    assert_int_equal(closed_of_month(day / MONTH_DAYS), 1);
    life_model_check("cpu");
}

static void where_samples_expire_days_stay_days(void **state)
{
    (void)state;
    const struct metric_retention a_year = {INT64_C(31536000000000), 0};
    int64_t day = some_day();
    life_model_post_hour("cpu", day * DAY_HOURS, 10);
    test_life_tend("cpu", &a_year);
    assert_int_equal(closed_of_day(day), 1);
    assert_int_equal(closed_of_month(day / MONTH_DAYS), 0);
    life_model_check("cpu");
}

/* Months that were looked through are looked at again when something is gathered there. */
static void late_samples_reach_months_that_were_gathered_long_ago(void **state)
{
    (void)state;
    int64_t day = some_day(), month = day / MONTH_DAYS;
    life_model_post_hour("cpu", day * DAY_HOURS, 10);
    gather("cpu");
    gather("cpu");
    const char *const words[] = {"HGET", "chunks", "months", NULL};
    assert_true(test_life_number("cpu", words) > month);
    for (int64_t back = 0; back < 3; back++) {
        life_model_post_hour("cpu", (day - back * MONTH_DAYS) * DAY_HOURS + 3, 10);
        gather("cpu");
        assert_int_equal(closed_of_day(day - back * MONTH_DAYS), 0);
        assert_int_equal(closed_of_month(month - back), 1);
    }
    life_model_check("cpu");
}

static size_t count_small(int64_t months_over)
{
    char month[INTEGER_TEXT];
    (void)snprintf(month, sizeof month, "%" PRId64, months_over);
    const struct slice args[] = {slice_from_string(month), SLICE("1024"), SLICE(""), SLICE("64")};
    struct redisReply *reply = test_life_eval(REDIS_SCRIPT_TEND_SMALL, "cpu", args, 4);
    size_t count = redis_reply_count(reply) - 1;
    redis_reply_free(reply);
    return count;
}

/* Whoever found them may die. */
static void small_days_are_found_until_they_are_gathered(void **state)
{
    (void)state;
    const struct metric_retention a_year = {INT64_C(31536000000000), 0};
    int64_t day = some_day(), month = day / MONTH_DAYS;
    life_model_post_hour("cpu", day * DAY_HOURS, 10);
    life_model_post_hour("cpu", (day - 1) * DAY_HOURS, 10);
    test_life_tend("cpu", &a_year);
    for (int i = 0; i < 3; i++)
        assert_int_equal(count_small(month + 1), 2);
    assert_int_equal(count_small(month), 0);
    gather("cpu");
    assert_int_equal(count_small(month + 1), 0);
    assert_int_equal(closed_of_month(month), 1);
}

static void a_day_whose_samples_expired_is_not_for_its_month(void **state)
{
    (void)state;
    const struct metric_retention no_samples = {1, 0};
    int64_t day = some_day(), month = day / MONTH_DAYS;
    life_model_post_hour("cpu", day * DAY_HOURS, 10);
    test_life_tend("cpu", &no_samples);
    assert_int_equal(count_small(month + 1), 0);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 1);
    life_model_check_all("cpu");
}

/* More days than a page holds, with years between some of them, and before 1970. */
static void all_months_are_gathered_whatever_their_number(void **state)
{
    (void)state;
    int64_t day = some_day();
    for (int64_t i = 0; i < 150; i++)
        life_model_post("cpu", hour_start((day - i) * DAY_HOURS).us, (double)i);
    for (int64_t i = 0; i < 50; i++)
        life_model_post("cpu", hour_start((-i * 400 + 300) * DAY_HOURS).us, (double)i);
    gather("cpu");
    struct store_content content;
    store_content_read(&content, test_store.client, "cpu");
    store_content_release(&content);
    for (int64_t i = 0; i < 150; i++)
        assert_int_equal(closed_of_day(day - i), 0);
    for (int64_t i = 0; i < 50; i++) {
        assert_int_equal(closed_of_day(-i * 400 + 300), 0);
        assert_int_equal(closed_of_month(floor_divide(-i * 400 + 300, MONTH_DAYS)), 1);
    }
    life_model_check("cpu");
}

/* --- What is in the way ------------------------------------------------------------ */

static void damage(const char *name)
{
    char command[128];
    (void)snprintf(command, sizeof command, "SETRANGE ra:m:{cpu}:%s 180 ?", name);
    assert_true(test_store_command(command, sizeof command, command));
}

static void a_damaged_day_stays_and_the_others_of_its_month_go(void **state)
{
    (void)state;
    int64_t day = some_day();
    char name[64];
    const struct metric_retention a_year = {INT64_C(31536000000000), 0};
    for (int64_t i = 0; i < 3; i++)
        life_model_post_hour("cpu", (day + i) * DAY_HOURS, 100);
    test_life_tend("cpu", &a_year);
    (void)snprintf(name, sizeof name, "blk:d%" PRId64 ":0", day + 1);
    damage(name);
    gather("cpu");
    assert_int_equal(closed_of_day(day), 0);
    assert_int_equal(closed_of_day(day + 1), 1);
    assert_int_equal(closed_of_day(day + 2), 0);
    assert_int_equal(closed_of_month(day / MONTH_DAYS), 1);
}

static void a_damaged_last_chunk_does_not_keep_late_samples_open(void **state)
{
    (void)state;
    int64_t hour = test_life_past_hour();
    char name[64];
    life_model_post_hour("cpu", hour, 100);
    gather("cpu");
    (void)snprintf(name, sizeof name, "blk:d%" PRId64 ":0", hour / DAY_HOURS);
    damage(name);
    life_model_post_hour("cpu", hour + 1, 10);
    gather("cpu");
    assert_int_equal(closed_of_day(hour / DAY_HOURS), 2);
    assert_int_equal(test_life_open_bytes("cpu", hour + 1), 0);
}

static void an_open_chunk_that_is_lost_is_forgotten(void **state)
{
    (void)state;
    int64_t hour = test_life_past_hour();
    char command[128], out[64];
    const char *const words[] = {"ZCARD", "open", NULL};
    for (int64_t i = 0; i < 3; i++)
        life_model_post_hour("cpu", hour + i, 10);
    (void)snprintf(command, sizeof command, "DEL ra:m:{cpu}:raw:%" PRId64, hour + 1);
    assert_true(test_store_command(out, sizeof out, command));
    gather("cpu");
    assert_int_equal(test_life_number("cpu", words), 0);
    assert_int_equal(closed_of_day(hour / DAY_HOURS), 1);
    assert_true(test_life_due("cpu") > clock_wall_now().us / 1000000 + 1000);
    struct store_content content;
    store_content_read(&content, test_store.client, "cpu");
    assert_int_equal(content.record_count, 20);
    store_content_release(&content);
    /* Its hour takes samples as before. */
    life_model_post_hour("cpu", hour + 1, 5);
    gather("cpu");
    store_content_read(&content, test_store.client, "cpu");
    assert_int_equal(content.record_count, 25);
    store_content_release(&content);
}

static void an_open_chunk_of_odd_length_stays_and_the_others_of_its_day_go(void **state)
{
    (void)state;
    int64_t hour = test_life_past_hour();
    char command[128], out[64];
    for (int64_t i = 0; i < 3; i++)
        life_model_post_hour("cpu", hour + i, 10);
    (void)snprintf(command, sizeof command, "APPEND ra:m:{cpu}:raw:%" PRId64 " x", hour + 1);
    assert_true(test_store_command(out, sizeof out, command));
    gather("cpu");
    assert_int_equal(test_life_open_bytes("cpu", hour), 0);
    assert_int_equal(test_life_open_bytes("cpu", hour + 1), 161);
    assert_int_equal(test_life_open_bytes("cpu", hour + 2), 0);
    assert_int_equal(closed_of_day(hour / DAY_HOURS), 1);
}

/* One of ten is not as it was posted. */
static void an_open_chunk_of_what_cannot_be_posted_stays_and_the_others_of_its_day_go(void **state)
{
    (void)state;
    int64_t day = some_day(), hour = day * DAY_HOURS;
    const struct record bad[] = {{hour_start(hour + 1), NAN},
                                 {hour_start(hour + 1), -INFINITY},
                                 {hour_start(hour), 1.0},
                                 {hour_start(hour + 2), 1.0},
                                 {{INT64_MIN}, 1.0}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct record records[10];
        for (size_t j = 0; j < 10; j++)
            records[j] = (struct record){hour_start(hour + 1), 1.0};
        records[5] = bad[i];
        life_model_post_hour("cpu", hour, 10);
        life_model_post_hour("cpu", hour + 2, 10);
        test_store_put_open("cpu", hour + 1, records, 10);
        gather("cpu");
        assert_int_equal(test_life_open_bytes("cpu", hour), 0);
        assert_int_equal(test_life_open_bytes("cpu", hour + 1), 160);
        assert_int_equal(test_life_open_bytes("cpu", hour + 2), 0);
        assert_int_equal(closed_of_month(day / MONTH_DAYS), 1);
    }
}

static void room_for_further_hours_is_made_by_gathering(void **state)
{
    (void)state;
    int64_t hour = test_life_past_hour();
    for (int64_t i = 0; i < TEST_STORE_SPANS_MAX; i++)
        life_model_post("cpu", hour_start(hour - i).us, 1.0);
    struct rate_verdict verdict;
    int64_t next_us = hour_start(hour - TEST_STORE_SPANS_MAX).us;
    assert_int_equal(test_store_add("cpu", next_us, 1.0, &test_store_no_limit, &verdict),
                     ERR_LIMIT_REACHED);
    gather("cpu");
    life_model_post("cpu", next_us, 1.0);
    life_model_check("cpu");
}

#define LIFE_TEST(name) cmocka_unit_test_setup_teardown(name, test_life_open, test_life_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE_TEST(an_hour_of_1024_samples_stays_in_its_hour),
        LIFE_TEST(an_hour_of_1023_samples_goes_into_its_day),
        LIFE_TEST(an_hour_of_1023_samples_waits_for_the_end_of_its_day),
        LIFE_TEST(an_hour_that_is_not_over_stays_open),
        LIFE_TEST(an_hour_that_is_far_ahead_is_gathered_at_once),
        LIFE_TEST(samples_far_ahead_lie_as_others_do),
        LIFE_TEST(an_hour_with_closed_chunks_keeps_its_late_samples),
        LIFE_TEST(a_chunk_that_was_filled_keeps_its_hours_late_samples_too),
        LIFE_TEST(a_small_last_chunk_takes_late_samples_in_and_a_larger_one_does_not),
        LIFE_TEST(a_day_of_many_small_hours_lies_in_several_chunks),
        LIFE_TEST(a_day_of_1023_samples_goes_into_its_month),
        LIFE_TEST(a_day_of_1024_samples_stays_a_day),
        LIFE_TEST(a_day_waits_for_the_end_of_its_month),
        LIFE_TEST(where_samples_expire_days_stay_days),
        LIFE_TEST(late_samples_reach_months_that_were_gathered_long_ago),
        LIFE_TEST(small_days_are_found_until_they_are_gathered),
        LIFE_TEST(a_day_whose_samples_expired_is_not_for_its_month),
        LIFE_TEST(all_months_are_gathered_whatever_their_number),
        LIFE_TEST(a_damaged_day_stays_and_the_others_of_its_month_go),
        LIFE_TEST(a_damaged_last_chunk_does_not_keep_late_samples_open),
        LIFE_TEST(an_open_chunk_that_is_lost_is_forgotten),
        LIFE_TEST(an_open_chunk_of_odd_length_stays_and_the_others_of_its_day_go),
        LIFE_TEST(an_open_chunk_of_what_cannot_be_posted_stays_and_the_others_of_its_day_go),
        LIFE_TEST(room_for_further_hours_is_made_by_gathering),
    };
    return cmocka_run_group_tests(tests, test_store_start_server, test_store_stop_server);
}
