/* The limiter's Lua against a brute-force log, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "rate_limiter.h"
#include "test_random.h"
#include "test_redis.h"

enum { SUBJECTS = 256, ROUNDS = 4000, REPLY_NUMBERS = 4, COMMAND_BYTES_MAX = 192 };
#define START_US  INT64_C(1700000000000000)
#define SECOND_US INT64_C(1000000)

static struct test_redis server;
static int redis_fd = -1;

static int start_server(void **state)
{
    (void)state;
    test_redis_start(&server, (const char *const[]){"--appendonly", "no", NULL});
    struct redis_client *client = test_redis_client(&server);
    const enum redis_script scripts[] = {REDIS_SCRIPT_RATE_CHECK, REDIS_SCRIPT_RATE_PEEK};
    for (int i = 0; i < 2; i++) {
        const struct slice argv[] = {SLICE("SCRIPT"), SLICE("LOAD"),
                                     redis_script_source(scripts[i])};
        struct redisReply *reply;
        struct error err;
        error_init(&err);
        if (redis_client_call(client, REDIS_LANE_WRITE, argv, 3, &reply, &err) != ERR_OK)
            return 1;
        redis_reply_free(reply);
    }
    redis_client_free(client);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", server.socket_path);
    redis_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return redis_fd < 0 || connect(redis_fd, (struct sockaddr *)&address, sizeof address) != 0;
}

static int stop_server(void **state)
{
    (void)state;
    (void)close(redis_fd);
    test_redis_stop(&server);
    return 0;
}

/* One question; the answer goes into the fields at the end. */
struct question {
    enum redis_script script;
    unsigned subject;
    int64_t limit;
    int64_t window_us;
    int64_t now;
    int64_t admitted;
    int64_t remaining;
    int64_t next_us;
    int64_t retry_us;
};

static void read_answers(struct question *questions, size_t count)
{
    static char text[SUBJECTS * 128];
    size_t len = 0, lines = 0;
    while (lines < count * (1 + REPLY_NUMBERS)) {
        assert_true(len + 1 < sizeof text);
        ssize_t n = read(redis_fd, text + len, sizeof text - 1 - len);
        assert_true(n > 0);
        for (size_t i = len; i < len + (size_t)n; i++)
            lines += text[i] == '\n';
        len += (size_t)n;
    }
    text[len] = '\0';
    const char *at = text;
    for (size_t i = 0; i < count; i++) {
        struct question *q = &questions[i];
        int64_t *const numbers[REPLY_NUMBERS] = {&q->admitted, &q->remaining, &q->next_us,
                                                 &q->retry_us};
        if (strncmp(at, "*4\r\n", 4) != 0)
            fail_msg("unexpected reply: %.200s", at);
        at += 4;
        for (int n = 0; n < REPLY_NUMBERS; n++) {
            char *end;
            assert_int_equal(*at, ':');
            *numbers[n] = strtoll(at + 1, &end, 10);
            at = end + 2;
        }
    }
}

static void ask_all(struct question *questions, size_t count)
{
    static char text[SUBJECTS * COMMAND_BYTES_MAX];
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        const struct question *q = &questions[i];
        len += (size_t)snprintf(text + len, sizeof text - len,
                                "EVALSHA %.40s 1 {%u} %" PRId64 " %" PRId64 " %" PRId64 "\r\n",
                                redis_script_sha1(q->script).ptr, q->subject, q->limit,
                                q->window_us, q->now);
    }
    for (size_t sent = 0; sent < len;) {
        ssize_t n = write(redis_fd, text + sent, len - sent);
        assert_true(n > 0);
        sent += (size_t)n;
    }
    read_answers(questions, count);
}

static struct question ask(enum redis_script script, unsigned subject, int64_t limit,
                           int64_t window_us, int64_t now)
{
    struct question q = {
        .script = script, .subject = subject, .limit = limit, .window_us = window_us, .now = now};
    ask_all(&q, 1);
    return q;
}

/* Everything that was ever admitted to one subject. */
struct model {
    int64_t limit;
    int64_t window_us;
    int64_t now;
    int64_t told_wait; /* of the last answer, if that was a refusal or a peek at one */
    int64_t admitted[ROUNDS];
    size_t count;
};

/* How many were admitted in (from, now]; `*oldest` is the index of the first. */
static int64_t count_since(const struct model *m, int64_t from, size_t *oldest)
{
    size_t first = m->count;
    while (first > 0 && m->admitted[first - 1] > from)
        first--;
    *oldest = first;
    return (int64_t)(m->count - first);
}

static const int64_t log_limits[] = {1, 2, 3, 10, 10, 64, 127, 128};
static const int64_t cell_limits[] = {129, 150, 200, 500, 1000, 1000000000};
static const int64_t windows_s[] = {60, 61, 97, 3600, 86400};
#define PICK(random, values)                                                                       \
    (values)[test_random_below((random), sizeof(values) / sizeof *(values))]

static int64_t below(struct test_random *random, int64_t n)
{
    return (int64_t)test_random_below(random, (size_t)n);
}

/* Time goes on: bursts, a steady flow about as fast as the limit, and the edges. */
static void go_on(struct model *m, struct test_random *random)
{
    int64_t flow = m->window_us / (m->limit < ROUNDS ? m->limit : ROUNDS);
    switch (test_random_below(random, 16)) {
    case 0:
        m->now += m->told_wait;
        break;
    case 1:
        m->now += m->told_wait > 0 ? m->told_wait - 1 : 1;
        break;
    case 2:
        m->now += m->window_us / 60 - 1 + below(random, 3);
        break;
    case 3:
        if (test_random_below(random, 64) == 0)
            m->now += m->window_us - 1 + below(random, 3);
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        break;
    case 8:
        m->now += below(random, 3);
        break;
    default:
        m->now += below(random, 2 * flow + 1);
    }
    bool is_log = m->limit <= RATE_LOG_MAX;
    if (test_random_below(random, 200) == 0)
        m->limit = is_log ? PICK(random, log_limits) : PICK(random, cell_limits);
}

static void check_exact(struct model *m, const struct question *q)
{
    size_t oldest;
    int64_t live = count_since(m, m->now - m->window_us, &oldest);
    bool is_admitted = live < m->limit;
    assert_int_equal(q->admitted, is_admitted);
    if (is_admitted && q->script == REDIS_SCRIPT_RATE_CHECK) {
        m->admitted[m->count++] = m->now;
        live++;
    }
    int64_t excess = live > m->limit ? live - m->limit : 0;
    int64_t next = live > 0 ? m->admitted[oldest + (size_t)excess] + m->window_us - m->now : 0;
    assert_int_equal(q->remaining, live < m->limit ? m->limit - live : 0);
    assert_int_equal(q->next_us, next);
    assert_int_equal(q->retry_us, is_admitted ? 0 : next);
}

static void check_one_sided(struct model *m, const struct question *q)
{
    size_t oldest;
    int64_t live = count_since(m, m->now - m->window_us, &oldest);
    int64_t cell = (m->window_us + 59) / 60;
    int64_t with_a_cell_more = count_since(m, m->now - m->window_us - cell, &oldest);
    if (q->admitted)
        assert_true(live < m->limit);
    else
        assert_true(with_a_cell_more >= m->limit);
    int64_t spent = q->admitted && q->script == REDIS_SCRIPT_RATE_CHECK;
    assert_true(q->remaining <= m->limit - live - spent || (!q->admitted && q->remaining == 0));
    assert_true(q->remaining >= m->limit - with_a_cell_more - spent || live >= m->limit);
    assert_true(q->next_us <= m->window_us && q->retry_us == (q->admitted ? 0 : q->next_us));
    if (spent)
        m->admitted[m->count++] = m->now;
    live = count_since(m, m->now - m->window_us, &oldest);
    int64_t next = live > 0 ? m->admitted[oldest] + m->window_us - m->now : 0;
    assert_true(q->next_us >= next && (live > 0 || q->next_us == 0));
    if (with_a_cell_more + spent <= m->limit)
        assert_true(q->next_us <= next + cell);
}

static void a_million_decisions_equal_a_brute_force_log(void **state)
{
    (void)state;
    struct test_random random = test_random_start();
    struct model *models = calloc(SUBJECTS, sizeof *models);
    assert_non_null(models);
    for (unsigned i = 0; i < SUBJECTS; i++) {
        models[i].limit = i % 4 ? PICK(&random, log_limits) : PICK(&random, cell_limits);
        models[i].window_us = PICK(&random, windows_s) * SECOND_US;
        models[i].now = START_US + below(&random, models[i].window_us);
    }
    static struct question questions[SUBJECTS];
    long decisions = 0, refusals = 0, obeyed = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < SUBJECTS; i++) {
            struct model *m = &models[i];
            int64_t before = m->now, limit_before = m->limit;
            go_on(m, &random);
            questions[i] =
                (struct question){.script = test_random_below(&random, 40) ? REDIS_SCRIPT_RATE_CHECK
                                                                           : REDIS_SCRIPT_RATE_PEEK,
                                  .subject = i,
                                  .limit = m->limit,
                                  .window_us = m->window_us,
                                  .now = m->now};
            /* After a refusal with the wait known, whoever obeys is admitted, whoever
             * comes earlier is not. */
            if (m->told_wait > 0 && m->limit == limit_before)
                m->told_wait -= m->now - before;
            else
                m->told_wait = INT64_MIN;
        }
        ask_all(questions, SUBJECTS);
        for (unsigned i = 0; i < SUBJECTS; i++) {
            struct model *m = &models[i];
            const struct question *q = &questions[i];
            if (m->told_wait != INT64_MIN) {
                assert_int_equal(q->admitted, m->told_wait <= 0);
                obeyed++;
            }
            (m->limit <= RATE_LOG_MAX ? check_exact : check_one_sided)(m, q);
            m->told_wait = q->retry_us;
            decisions++;
            refusals += !q->admitted;
        }
    }
    free(models);
    (void)fprintf(stderr, "%ld decisions, %ld refusals, %ld told waits checked\n", decisions,
                  refusals, obeyed);
    assert_true(decisions > 1000000);
    assert_true(refusals > decisions / 10 && refusals < decisions * 9 / 10);
}

static void a_clock_an_hour_back_costs_one_window_at_most(void **state)
{
    (void)state;
    const int64_t limits[] = {3, 200}, window = 60 * SECOND_US, later = START_US + 7200 * SECOND_US;
    for (unsigned i = 0; i < 2; i++) {
        unsigned subject = 1000 + i;
        for (int64_t n = 0; n < limits[i]; n++)
            assert_true(
                ask(REDIS_SCRIPT_RATE_CHECK, subject, limits[i], window, later + n).admitted);
        int64_t back = later - 3600 * SECOND_US;
        struct question q = ask(REDIS_SCRIPT_RATE_PEEK, subject, limits[i], window, back);
        assert_false(q.admitted);
        assert_int_equal(q.retry_us, window);
        for (int64_t passed = 0; passed < window; passed += window / 5) {
            q = ask(REDIS_SCRIPT_RATE_CHECK, subject, limits[i], window, back + passed);
            assert_false(q.admitted);
            assert_int_equal(q.retry_us, window - passed);
        }
        q = ask(REDIS_SCRIPT_RATE_CHECK, subject, limits[i], window, back + window);
        assert_true(q.admitted);
        assert_int_equal(q.remaining, limits[i] - 1);
    }
}

static void repeated_steps_back_do_not_make_the_log_grow(void **state)
{
    (void)state;
    const int64_t window = 60 * SECOND_US;
    int64_t now = START_US + 86400 * SECOND_US;
    for (int i = 0; i < 2000; i++) {
        now += i % 50 ? SECOND_US / 2 : -7 * SECOND_US;
        (void)ask(REDIS_SCRIPT_RATE_CHECK, 1010, 1000, window, now);
    }
    char length[32];
    assert_true(test_redis_command(&server, length, sizeof length, "STRLEN {1010}:cells"));
    assert_in_range(strtol(length, NULL, 10), 8 + 16, 8 + 16 * 62);
}

/* Whose loops would be as long as it is. */
static void a_value_that_is_not_ours_begins_anew(void **state)
{
    (void)state;
    static const struct {
        int64_t limit;
        const char *suffix;
        int bytes, own_bytes;
    } rows[] = {{100, "", 8 * 129, 8},         {100, "", 1 << 20, 8},
                {100, "", 8 * 50 + 3, 8},      {1000, ":cells", 8 + 16 * 257, 24},
                {1000, ":cells", 1 << 20, 24}, {1000, ":cells", 8 + 16 * 3 + 1, 24},
                {1000, ":cells", 16 * 100, 24}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned subject = 1100 + (unsigned)i;
        char text[COMMAND_BYTES_MAX], out[32], wanted[32];
        (void)snprintf(
            text, sizeof text,
            "EVAL \"return redis.call('SET', KEYS[1], "
            "string.rep(struct.pack('<I8', ARGV[1]), %d):sub(1, %d))\" 1 {%u}%s %" PRId64,
            rows[i].bytes / 8 + 1, rows[i].bytes, subject, rows[i].suffix, START_US - 1);
        assert_true(test_redis_command(&server, out, sizeof out, text));
        struct question q =
            ask(REDIS_SCRIPT_RATE_CHECK, subject, rows[i].limit, 60 * SECOND_US, START_US);
        assert_true(q.admitted);
        assert_int_equal(q.remaining, rows[i].limit - 1);
        (void)snprintf(text, sizeof text, "STRLEN {%u}%s", subject, rows[i].suffix);
        (void)snprintf(wanted, sizeof wanted, "%d", rows[i].own_bytes);
        assert_true(test_redis_command(&server, out, sizeof out, text));
        assert_string_equal(out, wanted);
    }
}

static void a_limit_of_zero_touches_nothing(void **state)
{
    (void)state;
    struct question q = ask(REDIS_SCRIPT_RATE_CHECK, 1020, 0, 60 * SECOND_US, START_US);
    assert_int_equal(q.admitted, 1);
    assert_int_equal(q.retry_us, 0);
    char exists[32];
    assert_true(test_redis_command(&server, exists, sizeof exists, "EXISTS {1020}"));
    assert_string_equal(exists, "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_decisions_equal_a_brute_force_log),
        cmocka_unit_test(a_clock_an_hour_back_costs_one_window_at_most),
        cmocka_unit_test(repeated_steps_back_do_not_make_the_log_grow),
        cmocka_unit_test(a_value_that_is_not_ours_begins_anew),
        cmocka_unit_test(a_limit_of_zero_touches_nothing),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
