#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iso8601.h"
#include "steps.h"
#include "test_random.h"
#include "test_request.h"

#define SECOND_US INT64_C(1000000)
#define DAY_US    (86400 * SECOND_US)

static const int64_t usual_seconds[] = {1,     2,     5,     10,    15,     30,     60,    120,
                                        300,   600,   900,   1800,  3600,   7200,   10800, 14400,
                                        21600, 28800, 43200, 86400, 172800, 345600, 691200};

static int64_t usual_step_seconds(size_t i)
{
    size_t count = sizeof usual_seconds / sizeof *usual_seconds;
    return i < count ? usual_seconds[i] : usual_seconds[count - 1] << (i - count + 1);
}

static struct window window_of(int64_t from_us, int64_t to_us)
{
    return (struct window){.from = {from_us}, .to = {to_us}, .is_given = true};
}

static struct step_limits limits = {SERIES_POINTS_MAX, SERIES_POINTS_DEFAULT, ""};

static enum err_code read_steps(const char *query, struct window window, struct steps *steps)
{
    const struct request *req = test_request_ask(query);
    return test_request_check(steps_read(req, &window, &limits, steps, &test_request.err));
}

/* Aligned, the first holds the window's first microsecond, the last its last one. */
static void assert_covers(struct window window, const struct steps *steps)
{
    int64_t last = steps->first.us + (steps->count - 1) * steps->step_us;
    assert_true(steps->count >= 1 && steps->count <= limits.points_max);
    assert_true(steps->step_us > 0 && steps->step_us % SECOND_US == 0);
    assert_true(steps->first.us % steps->step_us == 0);
    assert_true(steps->first.us <= window.from.us);
    assert_true(window.from.us - steps->first.us < steps->step_us);
    assert_true(last < window.to.us);
    assert_true(window.to.us - last <= steps->step_us);
}

static bool covers_within(struct window window, int64_t seconds, int64_t points)
{
    int64_t step_us = seconds * SECOND_US;
    int64_t first = window.from.us / step_us * step_us;
    if (first > window.from.us)
        first -= step_us;
    return (window.to.us - first + step_us - 1) / step_us <= points;
}

static void steps_are_aligned_to_1970(void **state)
{
    (void)state;
    static const struct {
        const char *step;
        int64_t from_us, to_us, first_us, count;
    } rows[] = {
        {"step=1", 0, 1, 0, 1},
        {"step=1", 0, SECOND_US, 0, 1},
        {"step=1", 0, SECOND_US + 1, 0, 2},
        {"step=1", SECOND_US - 1, SECOND_US, 0, 1},
        {"step=1", SECOND_US - 1, SECOND_US + 1, 0, 2},
        {"step=1", -1, 0, -SECOND_US, 1},
        {"step=1", -1, 1, -SECOND_US, 2},
        {"step=1", -SECOND_US, 0, -SECOND_US, 1},
        {"step=1", -SECOND_US - 1, 0, -2 * SECOND_US, 2},
        {"step=10", 14 * SECOND_US, 26 * SECOND_US, 10 * SECOND_US, 2},
        {"step=10s", -14 * SECOND_US, -6 * SECOND_US, -20 * SECOND_US, 2},
        {"step=10s", -14 * SECOND_US, 6 * SECOND_US, -20 * SECOND_US, 3},
        {"step=2000ms", 0, 10 * SECOND_US, 0, 5},
        {"step=5m", 0, 3600 * SECOND_US, 0, 12},
        {"step=5minutes", 0, 3600 * SECOND_US, 0, 12},
        {"step=1h", -1, DAY_US, -3600 * SECOND_US, 25},
        {"step=1d", 0, 10 * DAY_US, 0, 10},
        {"step=1w", 6 * DAY_US, 8 * DAY_US, 0, 2},
        {"step=1w", -1 * DAY_US, 8 * DAY_US, -7 * DAY_US, 3},
        {"step=1mon", 0, 31 * DAY_US, 0, 2},
        {"step=1y", 0, 365 * DAY_US, 0, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct steps steps;
        struct window window = window_of(rows[i].from_us, rows[i].to_us);
        assert_int_equal(read_steps(rows[i].step, window, &steps), ERR_OK);
        assert_covers(window, &steps);
        assert_true(steps.first.us == rows[i].first_us);
        assert_int_equal(steps.count, rows[i].count);
    }
}

static void a_step_is_a_whole_number_of_seconds(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",    "0",   "0s",    "0d",     "-1",  "-1m",  "1.5",
                                        "1.0", ".5h", "999ms", "1500ms", "1e3", "+5",   "%2b5",
                                        "5+m", "m",   "AUTO",  "1M",     "5x",  "1%00", "5 m"};
    static const char *const too_long[] = {"12001y",
                                           "292472y",
                                           "378432000001",
                                           "9223372036854775807",
                                           "9223372036854775808",
                                           "99999999999999999999y"};
    struct window window = window_of(0, 1000 * SECOND_US);
    struct steps steps;
    enum { WRONG = sizeof wrong / sizeof *wrong, TOO_LONG = sizeof too_long / sizeof *too_long };
    for (size_t i = 0; i < WRONG + TOO_LONG; i++) {
        const char *step = i < WRONG ? wrong[i] : too_long[i - WRONG];
        if (read_steps(test_request_query("step", step), window, &steps) == ERR_OK)
            fail_msg("%s", step);
        assert_int_equal(test_request.err.field_count, 1);
        test_request_assert_told(0, "step", "not 1500ms) or of a longer unit");
        test_request_assert_told(0, "step", "from 1 second to 12000y");
    }
    static const char *const longest[] = {"12000y", "378432000000"};
    for (size_t i = 0; i < sizeof longest / sizeof *longest; i++) {
        assert_int_equal(read_steps(test_request_query("step", longest[i]), window, &steps),
                         ERR_OK);
        assert_covers(window, &steps);
        assert_int_equal(steps.count, 1);
    }
}

static void points_are_1_to_11000(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "0", "11001", "-1", "1.5", "", "all", "99999999999999999999"};
    struct window window = window_of(0, 11000 * SECOND_US);
    struct steps steps;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(read_steps(test_request_query("points", wrong[i]), window, &steps),
                         ERR_VALIDATION);
        assert_int_equal(test_request.err.field_count, 1);
        test_request_assert_told(0, "points", "must be an integer from 1 to 11000");
    }
    assert_int_equal(read_steps("points=11000", window, &steps), ERR_OK);
    assert_int_equal(steps.count, 11000);
    assert_int_equal(read_steps("points=1", window, &steps), ERR_OK);
    assert_int_equal(steps.count, 1);
    assert_int_equal(read_steps("points=0&step=0", window, &steps), ERR_VALIDATION);
    test_request_assert_told(0, "points", "11000");
    test_request_assert_told(1, "step", "1 second");
}

/* The step that a refusal proposes. */
static int64_t proposed_seconds(void)
{
    test_request_assert_told(0, "step", "the smallest that does is ");
    const char *is = strstr(test_request.err.fields[0].message, "does is ");
    char *end;
    int64_t seconds = strtoll(is + 8, &end, 10);
    assert_string_equal(end, "s");
    return seconds;
}

static void assert_proposal_is_the_smallest(struct window window)
{
    struct steps steps;
    int64_t seconds = proposed_seconds();
    char query[64];
    (void)snprintf(query, sizeof query, "step=%llds", (long long)seconds);
    assert_int_equal(read_steps(query, window, &steps), ERR_OK);
    assert_covers(window, &steps);
    assert_true(seconds > 1);
    for (int64_t less = seconds - 1; less >= 1 && less > seconds - 100; less--) {
        (void)snprintf(query, sizeof query, "step=%lld", (long long)less);
        assert_int_equal(read_steps(query, window, &steps), ERR_VALIDATION);
    }
}

static void eleven_thousand_steps_and_no_more_are_taken(void **state)
{
    (void)state;
    struct steps steps;
    struct window window = window_of(0, 11000 * SECOND_US);
    assert_int_equal(read_steps("step=1", window, &steps), ERR_OK);
    assert_int_equal(steps.count, 11000);
    window.to.us++;
    assert_int_equal(read_steps("step=1", window, &steps), ERR_VALIDATION);
    test_request_assert_told(0, "step", "makes 11001 steps where there may be 11000");
    assert_int_equal(proposed_seconds(), 2);
    assert_proposal_is_the_smallest(window);

    window = window_of(0, 22000 * SECOND_US);
    assert_int_equal(read_steps("step=1", window, &steps), ERR_VALIDATION);
    assert_int_equal(proposed_seconds(), 2);

    window = window_of(-1, 11000 * SECOND_US); /* as wide, and one more by alignment */
    assert_int_equal(read_steps("step=1", window, &steps), ERR_VALIDATION);
    assert_proposal_is_the_smallest(window);

    window = window_of(ISO8601_MIN_US, ISO8601_MAX_US);
    assert_int_equal(read_steps("step=1", window, &steps), ERR_VALIDATION);
    test_request_assert_told(0, "step", "makes 315537897600 steps");
    assert_proposal_is_the_smallest(window);
}

/* As where several series share what there may be. */
static void fewer_steps_are_taken_where_there_may_be_fewer(void **state)
{
    (void)state;
    struct steps steps;
    limits = (struct step_limits){550, 120, " (of 11000)"};
    struct window window = window_of(0, 550 * SECOND_US);
    assert_int_equal(read_steps("step=1", window, &steps), ERR_OK);
    assert_int_equal(steps.count, 550);
    assert_int_equal(read_steps("points=550", window, &steps), ERR_OK);
    assert_int_equal(steps.count, 550);
    assert_int_equal(read_steps("points=551", window, &steps), ERR_VALIDATION);
    test_request_assert_told(0, "points", "must be an integer from 1 to 550 (of 11000)");
    assert_int_equal(read_steps("", window, &steps), ERR_OK);
    assert_int_equal(steps.count, 110);
    window.to.us++;
    assert_int_equal(read_steps("step=1", window, &steps), ERR_VALIDATION);
    test_request_assert_told(0, "step", "makes 551 steps where there may be 550 (of 11000): the ");
    assert_proposal_is_the_smallest(window);
    limits = (struct step_limits){SERIES_POINTS_MAX, SERIES_POINTS_DEFAULT, ""};
}

static void a_window_without_bounds_has_no_steps_yet(void **state)
{
    (void)state;
    const struct window windows[] = {
        {.from = WALL_TIME_MIN, .to = WALL_TIME_MAX},
        {.from = {0}, .to = WALL_TIME_MAX},
        {.from = WALL_TIME_MIN, .to = {0}},
        {.from = {0}, .to = {0}},
        {.from = {1}, .to = {0}},
    };
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        struct steps steps = {.count = 7};
        assert_int_equal(read_steps("step=1&points=11000", windows[i], &steps), ERR_OK);
        assert_int_equal(steps.count, 0);
        assert_int_equal(read_steps("step=0&points=11001", windows[i], &steps), ERR_VALIDATION);
        test_request_assert_told(0, "points", "11000");
        test_request_assert_told(1, "step", "1 second");
    }
}

static int64_t random_instant_us(struct test_random *random)
{
    uint64_t span = (uint64_t)(ISO8601_MAX_US - ISO8601_MIN_US) + 1;
    return ISO8601_MIN_US + (int64_t)(test_random_u64(random) % span);
}

static struct window random_window(struct test_random *random)
{
    while (true) {
        int64_t from = random_instant_us(random) >> test_random_below(random, 40);
        int64_t width = (int64_t)(test_random_u64(random) >> (6 + test_random_below(random, 58)));
        if (width > 0 && from <= ISO8601_MAX_US - width)
            return window_of(from, from + width);
    }
}

static void a_refused_step_comes_with_the_smallest_that_does(void **state)
{
    (void)state;
    struct test_random random = test_random_start();
    int refused = 0;
    for (int i = 0; i < 3000; i++) {
        struct steps steps;
        struct window window = random_window(&random);
        if (read_steps("step=1", window, &steps) == ERR_OK) {
            assert_covers(window, &steps);
            continue;
        }
        assert_proposal_is_the_smallest(window);
        refused++;
    }
    assert_true(refused > 300);
}

/* Each step is tried, from the window's share on. */
static int64_t smallest_seconds(struct window window, int64_t points)
{
    int64_t seconds = (window.to.us - window.from.us - 1) / points / SECOND_US + 1;
    while (!covers_within(window, seconds, points))
        seconds++;
    return seconds;
}

static void the_step_that_does_is_that_of_a_search(void **state)
{
    (void)state;
    struct test_random random = test_random_start();
    int searched = 0;
    while (searched < 2000) {
        struct steps steps;
        struct window window = random_window(&random);
        limits.points_max = 2 + (int64_t)(test_random_below(&random, SERIES_POINTS_MAX - 1) >>
                                          test_random_below(&random, 14));
        limits.points_default = 1;
        int64_t width = (window.to.us - window.from.us) / SECOND_US;
        if (width / limits.points_max / limits.points_max > 10000 ||
            read_steps("step=1", window, &steps) == ERR_OK)
            continue;
        assert_int_equal(proposed_seconds(), smallest_seconds(window, limits.points_max));
        searched++;
    }
    limits = (struct step_limits){SERIES_POINTS_MAX, SERIES_POINTS_DEFAULT, ""};
}

/* As many steps as are too short would take hours to try. */
static void the_step_that_does_is_found_at_once(void **state)
{
    (void)state;
    struct steps steps;
    limits = (struct step_limits){2, 1, ""};
    struct window window = window_of(ISO8601_MIN_US, ISO8601_MAX_US + 1);
    assert_int_equal(read_steps("step=1", window, &steps), ERR_VALIDATION);
    assert_int_equal(proposed_seconds(), (ISO8601_MAX_US + 1) / SECOND_US);
    limits = (struct step_limits){SERIES_POINTS_MAX, SERIES_POINTS_DEFAULT, ""};
}

static void assert_auto_is_the_smallest_usual(struct window window, int64_t points)
{
    char query[64];
    struct steps steps;
    (void)snprintf(query, sizeof query, "step=auto&points=%lld", (long long)points);
    if (read_steps(query, window, &steps) != ERR_OK) {
        assert_true(points == 1 && window.from.us < 0 && window.to.us > 0);
        test_request_assert_told(0, "points", "must be at least 2");
        return;
    }
    assert_covers(window, &steps);
    assert_true(steps.count <= points);
    size_t i = 0;
    for (; usual_step_seconds(i) * SECOND_US < steps.step_us; i++)
        assert_false(covers_within(window, usual_step_seconds(i), points));
    assert_true(usual_step_seconds(i) * SECOND_US == steps.step_us);
}

static void auto_is_the_smallest_usual_step(void **state)
{
    (void)state;
    struct test_random random = test_random_start();
    for (int i = 0; i < 20000; i++) {
        int64_t points = 1 + (int64_t)(test_random_below(&random, SERIES_POINTS_MAX) >>
                                       test_random_below(&random, 14));
        assert_auto_is_the_smallest_usual(random_window(&random), points);
    }
    for (int64_t seconds = 1; seconds < 20000; seconds += 7) {
        for (int64_t points = 1; points <= 301; points += 100)
            assert_auto_is_the_smallest_usual(window_of(DAY_US, DAY_US + seconds * SECOND_US),
                                              points);
    }
}

static void auto_steps_are_what_people_use(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        int64_t width_seconds, step_seconds;
    } rows[] = {
        {"", 1, 1},
        {"", 300, 1},
        {"", 301, 2},
        {"step=auto", 3600, 15},
        {"step=auto", 6 * 3600, 120},
        {"step=auto", 86400, 300},
        {"", 7 * 86400, 3600},
        {"", 30 * 86400, 3 * 3600},
        {"points=1000", 30 * 86400, 3600},
        {"", 365 * 86400, 2 * 86400},
        {"", 300 * 86400, 86400},
        {"", 301 * 86400, 2 * 86400},
        {"", 1000LL * 365 * 86400, 2048LL * 86400},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct steps steps;
        struct window window = window_of(0, rows[i].width_seconds * SECOND_US);
        assert_int_equal(read_steps(rows[i].query, window, &steps), ERR_OK);
        assert_int_equal(steps.step_us / SECOND_US, rows[i].step_seconds);
    }
}

/* Every step begins anew at 1970. */
static void one_point_cannot_reach_across_1970(void **state)
{
    (void)state;
    struct steps steps;
    assert_int_equal(read_steps("points=1", window_of(-1, 1), &steps), ERR_VALIDATION);
    test_request_assert_told(0, "points", "must be at least 2");
    assert_int_equal(read_steps("points=2", window_of(-1, 1), &steps), ERR_OK);
    assert_int_equal(steps.step_us, SECOND_US);
    assert_int_equal(read_steps("points=1", window_of(-1, 0), &steps), ERR_OK);
    assert_int_equal(read_steps("points=1", window_of(0, ISO8601_MAX_US), &steps), ERR_OK);
    assert_int_equal(read_steps("points=1", window_of(ISO8601_MIN_US, 0), &steps), ERR_OK);
    assert_int_equal(read_steps("points=1&step=1", window_of(-1, 1), &steps), ERR_OK);
    assert_int_equal(read_steps("points=2", window_of(ISO8601_MIN_US, ISO8601_MAX_US + 1), &steps),
                     ERR_OK);
    assert_int_equal(steps.count, 2);
}

static void a_step_that_begins_before_the_year_1_is_shown_as_that(void **state)
{
    (void)state;
    struct steps steps;
    struct window window = window_of(ISO8601_MIN_US, INT64_C(1767225600) * SECOND_US);
    assert_int_equal(read_steps("", window, &steps), ERR_OK);
    assert_covers(window, &steps);
    assert_true(steps.first.us < ISO8601_MIN_US);
    assert_true(steps_start(&steps, 0).us == ISO8601_MIN_US);
    assert_true(steps_start(&steps, 1).us == steps.first.us + steps.step_us);
    char buffer[ISO8601_BYTES];
    for (int64_t i = 0; i < steps.count; i++)
        (void)iso8601_format(steps_start(&steps, i), buffer);
}

static void steps_without_memory_are_told(void **state)
{
    (void)state;
    struct steps steps;
    arena_release(&test_request.arena);
    arena_init(&test_request.arena, 1);
    assert_int_equal(read_steps("step=1", window_of(0, 1), &steps), ERR_NO_MEMORY);
    assert_int_equal(read_steps("points=1", window_of(0, 1), &steps), ERR_NO_MEMORY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_request_begin, test_request_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(steps_are_aligned_to_1970),
        TEST(a_step_is_a_whole_number_of_seconds),
        TEST(points_are_1_to_11000),
        TEST(eleven_thousand_steps_and_no_more_are_taken),
        TEST(fewer_steps_are_taken_where_there_may_be_fewer),
        TEST(a_window_without_bounds_has_no_steps_yet),
        TEST(a_refused_step_comes_with_the_smallest_that_does),
        TEST(the_step_that_does_is_that_of_a_search),
        TEST(the_step_that_does_is_found_at_once),
        TEST(auto_is_the_smallest_usual_step),
        TEST(auto_steps_are_what_people_use),
        TEST(one_point_cannot_reach_across_1970),
        TEST(a_step_that_begins_before_the_year_1_is_shown_as_that),
        TEST(steps_without_memory_are_told),
    };
    return cmocka_run_group_tests_name("steps", tests, NULL, NULL);
}
