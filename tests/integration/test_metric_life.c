/* Everything that happens to samples, in any order, beside a plain array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "await.h"
#include "life_model.h"
#include "metric_delete.h"
#include "store_content.h"
#include "tend_process.h"
#include "test_life.h"

enum { TYPES = 2, DAY_HOURS = 24, ROUNDS = 40, CRASHES = 20, REPLY_BYTES = 64 * 1024 };

static const char *const types[TYPES] = {"cpu", "cp{u}%"};
static int64_t start_us; /* of this hour */

static int open_life(void **state)
{
    start_us = test_store_hour_start();
    return test_life_open(state);
}

/* --- What happens ------------------------------------------------------------------ */

static double random_value(void)
{
    static const double odd[] = {0.0, -0.0, 5e-324, -2.5, 1e9 + 1, 1e9 - 1};
    double unit = (double)(test_random_u64(&test_store.chance) >> 11) * 0x1p-53;
    size_t kind = test_store_below(8);
    return kind < sizeof odd / sizeof *odd && test_store_below(3) == 0 ? odd[kind]
                                                                       : (unit - 0.3) * 100.0;
}

/* Within a few months, past and to come; many share their instant with others. */
static int64_t random_instant(void)
{
    switch (test_store_below(7)) {
    case 0:
        return start_us - (int64_t)test_store_below(90 * DAY_HOURS) * HOUR_US;
    case 1:
        return start_us - (int64_t)test_store_below(3 * DAY_HOURS) * HOUR_US + HOUR_US - 1;
    case 2:
        return start_us - (int64_t)test_store_below(1000) * 1000000;
    case 3:
        return start_us + (int64_t)test_store_below(2) * HOUR_US;
    case 4:
        return start_us + (int64_t)test_store_below(60 * DAY_HOURS) * HOUR_US;
    default:
        return start_us - (int64_t)test_store_below(40 * 86400) * 1000000;
    }
}

/* A run of samples a second apart, enough to close chunks. */
static void post_run(const char *type)
{
    int64_t at = start_us - (int64_t)test_store_below(20 * DAY_HOURS) * HOUR_US;
    size_t count = test_store_below(3) == 0 ? 4500 : 1 + test_store_below(1500);
    int64_t step = test_store_below(2) ? 500000 : 1000000;
    test_store.posts_series = test_store_below(2);
    for (size_t i = 0; i < count; i++)
        life_model_post(type, at + (int64_t)i * step, random_value());
}

static void post_some(const char *type)
{
    if (test_store_below(3) == 0)
        post_run(type);
    for (size_t n = test_store_below(60); n > 0; n--) {
        test_store.posts_series = test_store_below(2);
        life_model_post(type, random_instant(), random_value());
    }
}

static void gather(const char *type)
{
    test_life_tend(type, &test_life_for_ever);
    life_model_learn(type, &test_life_for_ever);
}

/* What arrived before some moment of this test, or all of it; samples alone, or aggregates too. */
static struct metric_retention random_retention(void)
{
    static int64_t oldest_us;
    int64_t now_us = clock_wall_now().us;
    if (oldest_us == 0)
        oldest_us = now_us;
    struct metric_retention retention = {1, 0};
    if (test_store_below(3) > 0)
        retention.samples_us = 1 + (int64_t)test_store_below((size_t)(now_us - oldest_us) + 1);
    if (test_store_below(3) == 0)
        retention.aggregates_us =
            test_store_below(2) ? retention.samples_us : 2 * retention.samples_us;
    return retention;
}

static void expire(const char *type)
{
    struct metric_retention retention = random_retention();
    if (test_store_below(2))
        test_life_await_sealed(type);
    test_life_tend(type, &retention);
    life_model_learn(type, &retention);
}

/* --- What is seen ------------------------------------------------------------------ */

static void check_random_window(const char *type)
{
    int64_t a = random_instant(), b = random_instant();
    if (test_store_below(3) == 0)
        a -= a % HOUR_US;
    struct wall_time from = {a < b ? a : b}, to = {(a < b ? b : a) + 1};
    if (test_store_below(8) == 0)
        from = WALL_TIME_MIN;
    if (test_store_below(8) == 0)
        to = WALL_TIME_MAX;
    life_model_check_window(type, from, to);
}

static void check_random_series(const char *type)
{
    static const int64_t steps[] = {60, 420, 3600, 7200, 86400, 32 * 86400};
    int64_t step_us = steps[test_store_below(sizeof steps / sizeof *steps)] * 1000000;
    size_t count = 1 + test_store_below(50);
    int64_t from = floor_divide(random_instant(), step_us) * step_us;
    life_model_check_series(type, (struct wall_time){from}, step_us, count);
}

static void check_everything(void)
{
    for (size_t t = 0; t < TYPES; t++) {
        life_model_check_all(types[t]);
        check_random_window(types[t]);
        check_random_window(types[t]);
        check_random_series(types[t]);
        life_model_check_list(types[t], 1 + test_store_below(1000));
    }
    life_model_check_list(NULL, 1 + test_store_below(100));
}

/* --- Deaths ------------------------------------------------------------------------ */

/* Tended by somebody who is killed after a moment, whatever that one is at; what had been
 * sent is executed. */
static void tend_and_die(const char *type, const struct metric_retention *retention)
{
    int64_t clients = test_life_connections();
    pid_t pid = tend_process_start(&test_store.server, type, retention);
    const struct timespec pause = {0, (long)test_store_below(5000) * 1000};
    (void)nanosleep(&pause, NULL);
    tend_process_kill(pid);
    AWAIT(test_life_connections() == clients);
}

static bool is_gone(const char *type)
{
    static char reply[REPLY_BYTES];
    struct store_content content;
    store_content_read(&content, test_store.client, type);
    size_t keys = content.keys;
    store_content_release(&content);
    assert_true(test_store_command(reply, sizeof reply, "ZRANGE ra:due 0 -1"));
    return keys == 0 && !strstr(reply, type);
}

/* The store's own tender. Whoever asks what is due takes nobody's name out of it first, whether
 * the lease is free or not: so it asks anew, in vain, and what it was at before is done. */
static void stop_tender(void)
{
    test_store_run("SET ra:tender test");
    test_store_run("ZADD ra:due 9999999999 \"\"");
    AWAIT(test_life_due("") < 0);
}

/* Begin alone is as good as a death right after it. */
static void begin_deleting(const char *type)
{
    bool is_known, is_done;
    struct error err;
    error_init(&err);
    bool is_there = life_model_count(type) > 0;
    stop_tender();
    assert_int_equal(metric_delete(test_store.client, slice_from_string(type),
                                   (struct mono_time){0}, &is_known, &is_done, &err),
                     ERR_OK);
    assert_int_equal(is_known, is_there);
    life_model_forget(type);
    if (is_known) {
        struct rate_verdict verdict;
        test_store.posts_series = false;
        assert_int_equal(test_store_add(type, start_us, 1.0, &test_store_no_limit, &verdict),
                         ERR_STORE_UNAVAILABLE);
    }
    test_store_run("DEL ra:tender");
    if (!is_known)
        return;
    life_model_check_all(type);
    life_model_check_list(type, 10);
    life_model_check_list(NULL, 10);
}

static void delete_type(const char *type)
{
    begin_deleting(type);
    if (test_store_below(2))
        tend_and_die(type, &test_life_for_ever);
    if (test_store_below(2)) {
        test_life_tend(type, &test_life_for_ever);
        assert_true(is_gone(type));
    } else { /* who posts by batches finishes it */
        test_store.posts_series = true;
        life_model_post(type, random_instant(), random_value());
    }
}

/* --- Histories --------------------------------------------------------------------- */

static void any_history_is_answered_like_a_plain_array(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        const char *type = types[test_store_below(TYPES)];
        post_some(type);
        if (test_store_below(2))
            gather(type);
        check_everything();
    }
}

static void any_history_of_expiry_is_answered_as_it_says(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        const char *type = types[test_store_below(TYPES)];
        post_some(type);
        switch (test_store_below(10)) {
        case 0:
            delete_type(type);
            break;
        case 1:
        case 2:
            gather(type);
            break;
        case 3:
        case 4:
        case 5:
        case 6:
            expire(type);
            break;
        default:
            break;
        }
        check_everything();
    }
}

static void a_death_at_any_point_leaves_no_trace(void **state)
{
    (void)state;
    for (int i = 0; i < CRASHES; i++) {
        const char *type = types[test_store_below(TYPES)];
        post_some(type);
        struct metric_retention retention = test_life_for_ever;
        if (test_store_below(2))
            retention = random_retention();
        tend_and_die(type, &retention);
        life_model_learn(type, &retention);
        check_everything();
        if (test_store_below(2)) {
            test_life_tend(type, &retention);
            life_model_learn(type, &retention);
            check_everything();
        }
    }
}

/* --- At once ----------------------------------------------------------------------- */

struct writer {
    pthread_t thread;
    struct test_random chance;
    atomic_size_t posted;
    atomic_bool is_done;
};

static void *write_samples(void *argument)
{
    struct writer *writer = argument;
    for (int i = 0; i < 12000; i++) {
        struct rate_verdict verdict;
        int64_t hours = (int64_t)test_random_below(&writer->chance, 8) * 29;
        int64_t at = start_us - hours * HOUR_US + i;
        if (test_store_add("cpu", at, i, &test_store_no_limit, &verdict) != ERR_OK)
            break;
        sample_model_add(&test_store.model, "cpu", (struct record){{at}, i});
        atomic_fetch_add(&writer->posted, 1);
    }
    atomic_store(&writer->is_done, true);
    return NULL;
}

static uint64_t count_all(void)
{
    struct aggregate point;
    struct metric_report report;
    struct error err;
    error_init(&err);
    aggregate_init(&point, test_store_below(2) == 0);
    const struct metric_question question = {
        .type = SLICE("cpu"), .from = WALL_TIME_MIN, .to = WALL_TIME_MAX};
    if (metric_store_series(test_store.store, &question, mono_after_ms(clock_mono_now(), 20000),
                            &point, 1, &report, &err) != ERR_OK)
        fail_msg("%s (%s)", err.detail, err.cause);
    assert_false(report.is_widened);
    assert_false(report.is_folded);
    assert_int_equal(report.damage_count, 0);
    uint64_t count = point.moments.count;
    aggregate_release(&point);
    return count;
}

static void check_while_tended(const struct metric_retention *retention)
{
    struct writer writer = {.chance = {test_random_u64(&test_store.chance) | 1}};
    int64_t clients = test_life_connections();
    uint64_t last = 0;
    pid_t a = tend_process_start(&test_store.server, "cpu", retention);
    pid_t b = tend_process_start(&test_store.server, "cpu", retention);
    assert_int_equal(pthread_create(&writer.thread, NULL, write_samples, &writer), 0);
    while (!atomic_load(&writer.is_done)) {
        uint64_t posted = atomic_load(&writer.posted), count = count_all();
        assert_true(count >= last && count >= posted);
        last = count;
    }
    assert_int_equal(pthread_join(writer.thread, NULL), 0);
    tend_process_kill(a);
    tend_process_kill(b);
    AWAIT(test_life_connections() == clients);
    assert_int_equal(atomic_load(&writer.posted), 12000);
    sample_model_check_window(&test_store.model, test_store.store, "cpu", WALL_TIME_MIN,
                              WALL_TIME_MAX);
}

static void two_tenders_and_a_writer_at_once_lose_nothing(void **state)
{
    (void)state;
    check_while_tended(&test_life_for_ever);
    test_life_tend("cpu", &test_life_for_ever);
    sample_model_check_list(&test_store.model, test_store.store, "cpu", 1000);
}

static void two_tenders_that_expire_and_a_writer_at_once_lose_nothing(void **state)
{
    (void)state;
    const struct metric_retention kept = {20000, test_store_below(2) ? 40000 : 0};
    check_while_tended(&kept);
}

#define LIFE_TEST(name) cmocka_unit_test_setup_teardown(name, open_life, test_life_close)

int main(int argc, char **argv)
{
    tend_process_main(argc, argv);
    const struct CMUnitTest tests[] = {
        LIFE_TEST(any_history_is_answered_like_a_plain_array),
        LIFE_TEST(any_history_of_expiry_is_answered_as_it_says),
        LIFE_TEST(a_death_at_any_point_leaves_no_trace),
        LIFE_TEST(two_tenders_and_a_writer_at_once_lose_nothing),
        LIFE_TEST(two_tenders_that_expire_and_a_writer_at_once_lose_nothing),
    };
    return cmocka_run_group_tests(tests, test_store_start_server, test_store_stop_server);
}
