#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap_slice.h"
#include "redis_keys.h"
#include "summary_question.h"

static const struct wall_time now = {INT64_C(1771675200000000)}; /* 2026-02-21T12:00:00Z */

static struct arena arena;

static int fresh(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int done(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

/* What is read lives in the arena until the test ends. */
static struct summary_question read_question(const char *query)
{
    struct slice exact = heap_slice_new(query, strlen(query));
    const struct request req = {.query = exact, .arena = &arena};
    struct summary_question q;
    struct error err;
    error_init(&err);
    if (summary_question_read(&req, now, &q, &err) != ERR_OK)
        fail_msg("%s: %s %s: %s", query, err.detail, err.fields[0].name, err.fields[0].message);
    heap_slice_free(exact);
    return q;
}

static const struct row {
    const char *query;
    bool is_moving;
} rows[] = {
    {"type=a", false},
    {"type=a&period=daily", false},
    {"type=a&period=hourly", false},
    {"type=a&percentiles=", false},
    {"type=a&percentiles=50", false},
    {"type=a&percentiles=99", false},
    {"type=a&percentiles=9.9", false},
    {"type=a&percentiles=50,99", false},
    {"type=a&percentiles=99,50", false},
    {"type=a&period=hourly&percentiles=50", false},
    {"type=a&from=1000", false},
    {"type=a&to=1000", false},
    {"type=a&from=1&to=1000", false},
    {"type=a&from=1&to=1001", false},
    {"type=a&from=1&to=1000&percentiles=50", false},
    {"type=a&from=1&to=1000&compare=previous", false},
    {"type=a&from=1&compare=previous", true},
    {"type=a&period=daily&compare=previous", true},
    {"type=a&period=hourly&compare=previous", true},
    {"type=a&from=-1h", true},
    {"type=a&from=-1h&to=now", true},
    {"type=a&from=-2h&to=now", true},
    {"type=a&from=1&to=now", true},
    {"type=a&to=now", true},
    {"type=a&to=now/d", true},
    {"type=a&from=-2h&to=-1h&compare=previous", true},
};

enum { ROW_COUNT = sizeof rows / sizeof *rows };

static void what_moves_with_the_clock_is_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (read_question(rows[i].query).is_moving != rows[i].is_moving)
            fail_msg("%s", rows[i].query);
    }
}

static void different_questions_have_different_names(void **state)
{
    (void)state;
    struct slice names[ROW_COUNT];
    for (size_t i = 0; i < ROW_COUNT; i++) {
        names[i] = read_question(rows[i].query).name;
        for (size_t j = 0; j < i; j++) {
            if (slice_equals(names[i], names[j]))
                fail_msg("%s and %s", rows[i].query, rows[j].query);
        }
    }
}

static void the_same_in_other_words_has_the_same_name(void **state)
{
    (void)state;
    struct summary_question a = read_question("type=a&from=1&percentiles=50,99.9"),
                            b = read_question("percentiles=050.0,+9.99e1&x=y&fr%6fm=1&type=a");
    assert_true(slice_equals(a.name, b.name));
    assert_true(slice_equals(a.tag, b.tag));
    a = read_question("type=a");
    b = read_question("type=b&period=all");
    assert_true(slice_equals(a.name, b.name));
    assert_false(slice_equals(a.tag, b.tag));
}

static void usual_percentiles_are_what_their_text_means(void **state)
{
    (void)state;
    const struct percentiles *usual = read_question("type=a").percentiles,
                             *read =
                                 read_question("type=a&percentiles=50,90,95,99,99.9").percentiles;
    assert_int_equal(usual->count, read->count);
    for (size_t i = 0; i < usual->count; i++) {
        assert_string_equal(usual->entries[i].name, read->entries[i].name);
        assert_int_equal(usual->entries[i].q, read->entries[i].q);
    }
}

static void the_longest_question_has_a_name(void **state)
{
    (void)state;
    char query[2048] = "type=a&compare=previous&from=-1h&to=";
    memset(query + strlen(query), '0', 54); /* an instant has 64 bytes at most */
    (void)snprintf(query + strlen(query), 32, "2771675200&percentiles=1");
    for (int i = 1; i < PERCENTILES_MAX; i++) {
        size_t len = strlen(query);
        (void)snprintf(query + len, sizeof query - len, ",90.1234%02d", i);
    }
    assert_in_range(read_question(query).name.len, 200, SUMMARY_NAME_BYTES_MAX);
}

static void what_was_right_before_has_the_same_length(void **state)
{
    (void)state;
    assert_int_equal(read_question("type=a&from=1000&to=1500&compare=previous").previous_from.us,
                     500000000);
    assert_int_equal(read_question("type=a&from=-1000&to=-400&compare=previous").previous_from.us,
                     -1600000000);
    assert_int_equal(now.us - read_question("type=a&from=-1h&compare=previous").previous_from.us,
                     INT64_C(7200000000));
}

static void a_moving_question_moves(void **state)
{
    (void)state;
    const struct request req = {.query = SLICE("type=a&from=-1h&to=now&compare=previous"),
                                .arena = &arena};
    struct summary_question q = read_question(req.query.ptr);
    struct slice name = q.name;
    struct error err;
    error_init(&err);
    struct wall_time later = {now.us + 5};
    assert_int_equal(summary_question_move(&req, later, &q, &err), ERR_OK);
    assert_int_equal(q.window.to.us, later.us);
    assert_int_equal(q.window.from.us, later.us - INT64_C(3600000000));
    assert_int_equal(q.previous_from.us, later.us - INT64_C(7200000000));
    assert_true(slice_equals(q.name, name));
}

static void memory_that_runs_out_is_told(void **state)
{
    (void)state;
    int told = 0;
    for (size_t bytes = 1; bytes < 8192; bytes += 64) {
        struct arena small;
        arena_init(&small, bytes);
        const struct request req = {
            .query = SLICE("type=a&from=-1h&percentiles=1,2&compare=previous"), .arena = &small};
        struct summary_question q;
        struct error err;
        error_init(&err);
        enum err_code code = summary_question_read(&req, now, &q, &err);
        assert_true(code == ERR_OK || code == ERR_NO_MEMORY);
        told += code == ERR_NO_MEMORY;
        arena_release(&small);
    }
    assert_in_range(told, 1, 127);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(what_moves_with_the_clock_is_known),
        TEST(different_questions_have_different_names),
        TEST(the_same_in_other_words_has_the_same_name),
        TEST(usual_percentiles_are_what_their_text_means),
        TEST(the_longest_question_has_a_name),
        TEST(what_was_right_before_has_the_same_length),
        TEST(a_moving_question_moves),
        TEST(memory_that_runs_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
