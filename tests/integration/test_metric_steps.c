#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "await.h"
#include "metric_steps.h"
#include "test_store.h"

struct slow_visitor {
    struct mono_time deadline;
    size_t shown;
};

static bool show_until_late(void *context, struct wall_time start, struct aggregate *a)
{
    (void)start;
    (void)a;
    struct slow_visitor *visitor = context;
    visitor->shown++;
    AWAIT(!mono_is_before(clock_mono_now(), visitor->deadline));
    return true;
}

static void begin_again(void *context)
{
    struct slow_visitor *visitor = context;
    visitor->shown = 0;
}

/* The budget ends between two lots, of which Redis answers each at once. */
static void what_is_too_much_is_told_what_would_help(void **state)
{
    (void)state;
    struct error err;
    struct metric_report report;
    struct slow_visitor slow = {.deadline = mono_after_ms(clock_mono_now(), 500)};
    const struct metric_steps_visitor visitor = {
        .context = &slow, .show = show_until_late, .restart = begin_again};
    const struct metric_steps_question question = {.type = SLICE("cpu"),
                                                   .from = {0},
                                                   .to = {INT64_C(1000000000)},
                                                   .steps = {{0}, 1000000, 1000},
                                                   .has_histograms = true};
    error_init(&err);
    assert_int_equal(
        metric_steps_walk(test_store.store, &question, slow.deadline, &visitor, &report, &err),
        ERR_STORE_UNAVAILABLE);
    assert_non_null(strstr(err.detail, "a longer step, fewer types or a shorter window"));
    assert_true(strlen(err.detail) < sizeof err.detail - 1); /* whole */
    assert_true(slow.shown < 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_store_open, test_store_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_too_much_is_told_what_would_help),
    };
    return cmocka_run_group_tests_name("metric_steps", tests, test_store_start_server,
                                       test_store_stop_server);
}
