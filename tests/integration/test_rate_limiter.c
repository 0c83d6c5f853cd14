/* rate_limiter against a real server: many processes, waits, the near cache. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rate_limiter.h"
#include "test_redis.h"

static struct test_redis server;

static void sleep_until(struct mono_time end)
{
    for (;;) {
        int64_t left = mono_us_between(clock_mono_now(), end);
        if (left <= 0)
            return;
        const struct timespec nap = {.tv_sec = left / 1000000, .tv_nsec = left % 1000000 * 1000};
        (void)nanosleep(&nap, NULL);
    }
}

static struct rate_subject subject_of(const char *address)
{
    struct rate_subject subject;
    rate_subject_from_address(slice_from_string(address), &subject);
    return subject;
}

static enum err_code check(struct rate_limiter *limiter, const struct rate_policy *policy,
                           const struct rate_subject *subject, struct rate_verdict *verdict)
{
    struct error err;
    error_init(&err);
    return rate_limiter_check(limiter, policy, subject, clock_mono_now(), verdict, &err);
}

/*
 * rate_check as it is, told the server's time from outside so that the admitted instant
 * can be given back: elements 4 of the reply.
 */
static char check_that_tells_when[16384];

static int make_check_that_tells_when(void)
{
    struct slice source = redis_script_source(REDIS_SCRIPT_RATE_CHECK);
    int len = snprintf(check_that_tells_when, sizeof check_that_tells_when,
                       "local t = redis.call('TIME')\n"
                       "ARGV[3] = string.format('%%.0f', t[1] * 1000000 + t[2])\n"
                       "local function check()\n%.*s\nend\n"
                       "local reply = check()\n"
                       "reply[5] = tonumber(ARGV[3])\n"
                       "return reply\n",
                       (int)source.len, source.ptr);
    return len > 0 && (size_t)len < sizeof check_that_tells_when ? 0 : -1;
}

static int start_server(void **state)
{
    (void)state;
    test_redis_start(&server, NULL);
    return make_check_that_tells_when();
}

static int stop_server(void **state)
{
    (void)state;
    test_redis_stop(&server);
    return 0;
}

/* The instant of an admission; 0: refused. */
static int64_t admitted_at(struct redis_client *client, const char *key, int limit,
                           int64_t window_us)
{
    char limit_text[16], window_text[24];
    (void)snprintf(limit_text, sizeof limit_text, "%d", limit);
    (void)snprintf(window_text, sizeof window_text, "%" PRId64, window_us);
    const struct slice argv[] = {SLICE("EVAL"),
                                 slice_from_string(check_that_tells_when),
                                 SLICE("1"),
                                 slice_from_string(key),
                                 slice_from_string(limit_text),
                                 slice_from_string(window_text)};
    struct redisReply *reply;
    struct error err;
    int64_t is_admitted, at;
    error_init(&err);
    if (redis_client_call(client, REDIS_LANE_WRITE, argv, 6, &reply, &err) != ERR_OK)
        return -1;
    if (!redis_reply_integer_at(reply, 0, &is_admitted) || !redis_reply_integer_at(reply, 4, &at))
        at = -1;
    redis_reply_free(reply);
    return at < 0 || is_admitted ? at : 0;
}

enum { PROCESSES = 4, CLIENTS_EACH = 16, INSTANTS_MAX = 20000, RUN_MS = 1500 };

struct client_thread {
    pthread_t thread;
    struct redis_client *client;
    const char *key;
    int limit;
    int64_t window_us;
    int out_fd;
    int failures;
};

static void *ask_for_a_while(void *argument)
{
    struct client_thread *c = argument;
    struct mono_time end = mono_after_ms(clock_mono_now(), RUN_MS);
    while (mono_is_before(clock_mono_now(), end)) {
        int64_t at = admitted_at(c->client, c->key, c->limit, c->window_us);
        if (at < 0 || (at > 0 && write(c->out_fd, &at, sizeof at) != (ssize_t)sizeof at))
            c->failures++;
        (void)poll(NULL, 0, 1);
    }
    return NULL;
}

static _Noreturn void run_clients(const char *key, int limit, int64_t window_us, int out_fd)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct redis_client *client = test_redis_client(&server);
    struct client_thread threads[CLIENTS_EACH];
    int failures = 0;
    for (int i = 0; i < CLIENTS_EACH; i++) {
        threads[i] = (struct client_thread){
            .client = client, .key = key, .limit = limit, .window_us = window_us, .out_fd = out_fd};
        failures += pthread_create(&threads[i].thread, NULL, ask_for_a_while, &threads[i]) != 0;
    }
    for (int i = 0; i < CLIENTS_EACH; i++) {
        (void)pthread_join(threads[i].thread, NULL);
        failures += threads[i].failures;
    }
    redis_client_free(client);
    _exit(failures ? 1 : 0);
}

static int compare_instants(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static size_t collect_instants(int fd, int64_t *instants)
{
    size_t bytes = 0;
    ssize_t n;
    while ((n = read(fd, (char *)instants + bytes, INSTANTS_MAX * sizeof *instants - bytes)) > 0)
        bytes += (size_t)n;
    size_t count = bytes / sizeof *instants;
    assert_true(n == 0 && count < INSTANTS_MAX);
    qsort(instants, count, sizeof *instants, compare_instants);
    return count;
}

static void check_windows(const int64_t *instants, size_t count, size_t limit, int64_t window_us)
{
    for (size_t i = limit; i < count; i++)
        assert_true(instants[i] - instants[i - limit] >= window_us);
}

static void never_more_than_n(const char *key, int limit, int64_t window_us)
{
    static int64_t instants[INSTANTS_MAX];
    int pipe_fds[2];
    pid_t pids[PROCESSES];
    assert_int_equal(pipe(pipe_fds), 0);
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            run_clients(key, limit, window_us, pipe_fds[1]);
        assert_true(pids[i] > 0);
    }
    (void)close(pipe_fds[1]);
    size_t count = collect_instants(pipe_fds[0], instants);
    (void)close(pipe_fds[0]);
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    assert_true(count >= 3 * (size_t)limit);
    check_windows(instants, count, (size_t)limit, window_us);
}

static void sixty_four_clients_never_pass_the_limit_in_any_window(void **state)
{
    (void)state;
    never_more_than_n("{log}", 10, 200000);
    never_more_than_n("{cells}", 150, 200000);
}

static void the_key_outlives_every_stamp_in_it(void **state)
{
    (void)state;
    enum { LIMIT = 3, ADMISSIONS_MAX = 8 };
    struct redis_client *client = test_redis_client(&server);
    const int64_t window_us = 2000000;
    int64_t admitted[ADMISSIONS_MAX];
    size_t count = 0;
    struct mono_time start = clock_mono_now();
    admitted[count++] = admitted_at(client, "{life}", LIMIT, window_us);
    sleep_until(mono_after_ms(start, 1900));
    admitted[count++] = admitted_at(client, "{life}", LIMIT, window_us);
    admitted[count++] = admitted_at(client, "{life}", LIMIT, window_us);
    for (size_t i = 0; i < count; i++)
        assert_true(admitted[i] > 0);
    /* Past the first stamp's window and the spare second; the other two are still live. */
    sleep_until(mono_after_ms(start, 3200));
    for (int i = 0; i < 5; i++) {
        int64_t at = admitted_at(client, "{life}", LIMIT, window_us);
        assert_true(at >= 0);
        if (at > 0)
            admitted[count++] = at;
    }
    assert_true(count > LIMIT);
    check_windows(admitted, count, LIMIT, window_us);
    redis_client_free(client);
}

static void who_waits_as_told_is_admitted(void **state)
{
    (void)state;
    const struct rate_policy policies[] = {{"wait-log", 2, 2}, {"wait-cells", 130, 2}};
    struct redis_client *client = test_redis_client(&server);
    struct rate_limiter *limiter = rate_limiter_new(client, 16);
    struct rate_subject subject = subject_of("192.0.2.1");
    struct rate_verdict verdict;
    for (int i = 0; i < 2; i++) {
        while (check(limiter, &policies[i], &subject, &verdict) == ERR_OK)
            assert_true(verdict.is_admitted && verdict.retry_after_us == 0);
        assert_false(verdict.is_admitted);
        assert_in_range(verdict.retry_after_us, 1, 2000000);
        sleep_until(mono_after_us(clock_mono_now(), verdict.retry_after_us));
        assert_int_equal(check(limiter, &policies[i], &subject, &verdict), ERR_OK);
    }
    rate_limiter_free(limiter);
    redis_client_free(client);
}

static void refused_requests_do_not_extend_the_wait(void **state)
{
    (void)state;
    enum { WINDOW_SECONDS = 3 };
    const struct rate_policy policy = {"hammer", 3, WINDOW_SECONDS};
    struct redis_client *client = test_redis_client(&server);
    struct rate_limiter *limiter = rate_limiter_new(client, 0);
    struct rate_subject subject = subject_of("192.0.2.2");
    struct rate_verdict verdict;
    struct mono_time start = clock_mono_now();
    for (int i = 0; i < 3; i++)
        assert_int_equal(check(limiter, &policy, &subject, &verdict), ERR_OK);
    struct mono_time filled = clock_mono_now();
    /* Whoever asks when the window of the last is over is admitted. */
    struct mono_time over = mono_after_ms(filled, WINDOW_SECONDS * 1000);
    struct mono_time asked = clock_mono_now();
    int refusals = 0;
    while (check(limiter, &policy, &subject, &verdict) == ERR_RATE_LIMITED) {
        assert_true(mono_is_before(asked, over));
        refusals++;
        asked = clock_mono_now();
    }
    assert_true(verdict.is_admitted && refusals > 0);
    assert_true(mono_us_between(start, clock_mono_now()) >= WINDOW_SECONDS * 1000000);
    rate_limiter_free(limiter);
    redis_client_free(client);
}

static long writes_of_redis(void)
{
    char stats[16384];
    assert_true(test_redis_command(&server, stats, sizeof stats, "INFO commandstats"));
    long calls = 0;
    const char *const names[] = {"cmdstat_set:calls=", "cmdstat_setrange:calls="};
    for (int i = 0; i < 2; i++) {
        const char *found = strstr(stats, names[i]);
        calls += found ? strtol(found + strlen(names[i]), NULL, 10) : 0;
    }
    return calls;
}

static void a_peek_spends_and_writes_nothing(void **state)
{
    (void)state;
    const struct rate_policy policies[] = {{"peek-log", 5, 60}, {"peek-cells", 500, 60}};
    struct redis_client *client = test_redis_client(&server);
    struct rate_limiter *limiter = rate_limiter_new(client, 16);
    struct rate_subject subject = subject_of("192.0.2.3");
    struct rate_verdict verdict;
    struct error err;
    error_init(&err);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rate_limiter_peek(limiter, &policies[i], &subject, &verdict, &err),
                         ERR_OK);
        assert_int_equal(verdict.remaining, policies[i].limit);
        assert_int_equal(verdict.next_us, 0);
        assert_int_equal(check(limiter, &policies[i], &subject, &verdict), ERR_OK);
        assert_int_equal(verdict.remaining, policies[i].limit - 1);
        long writes = writes_of_redis();
        for (int n = 0; n < 20; n++) {
            assert_int_equal(rate_limiter_peek(limiter, &policies[i], &subject, &verdict, &err),
                             ERR_OK);
            assert_true(verdict.is_admitted);
            assert_int_equal(verdict.remaining, policies[i].limit - 1);
            assert_in_range(verdict.next_us, 1, 60000000);
        }
        assert_int_equal(writes_of_redis(), writes);
    }
    rate_limiter_free(limiter);
    redis_client_free(client);
}

static void a_lowered_limit_holds_at_once(void **state)
{
    (void)state;
    const struct rate_policy before = {"lowered", 5, 60}, after = {"lowered", 2, 60};
    struct redis_client *client = test_redis_client(&server);
    struct rate_limiter *limiter = rate_limiter_new(client, 16);
    struct rate_subject subject = subject_of("192.0.2.4");
    struct rate_verdict verdict;
    for (int i = 0; i < 4; i++)
        assert_int_equal(check(limiter, &before, &subject, &verdict), ERR_OK);
    assert_int_equal(check(limiter, &after, &subject, &verdict), ERR_RATE_LIMITED);
    assert_int_equal(verdict.remaining, 0);
    assert_int_equal(check(limiter, &before, &subject, &verdict), ERR_OK);
    rate_limiter_free(limiter);
    redis_client_free(client);
}

static void a_known_refusal_costs_no_call_and_ends_with_the_wait(void **state)
{
    (void)state;
    const struct rate_policy policy = {"near", 1, 60};
    struct redis_client *client = test_redis_client(&server);
    struct rate_limiter *limiter = rate_limiter_new(client, 1);
    struct rate_subject one = subject_of("192.0.2.5"), other = subject_of("192.0.2.6");
    struct rate_call call;
    struct rate_verdict verdict;
    assert_int_equal(check(limiter, &policy, &one, &verdict), ERR_OK);
    assert_int_equal(check(limiter, &policy, &one, &verdict), ERR_RATE_LIMITED);
    int64_t told = verdict.retry_after_us;
    struct mono_time end = mono_after_us(clock_mono_now(), told);
    test_redis_kill(&server);
    assert_int_equal(check(limiter, &policy, &one, &verdict), ERR_RATE_LIMITED);
    assert_false(verdict.is_admitted);
    assert_ptr_equal(verdict.policy, &policy);
    assert_in_range(verdict.retry_after_us, 1, told);
    /* Only of whom it is known, and under that policy. */
    const struct rate_policy another = {"other", 1, 60};
    assert_int_not_equal(check(limiter, &policy, &other, &verdict), ERR_RATE_LIMITED);
    assert_int_not_equal(check(limiter, &another, &one, &verdict), ERR_RATE_LIMITED);
    assert_true(rate_limiter_begin(limiter, &policy, &one, end, &call, &verdict));
    test_redis_restart(&server);
    rate_limiter_free(limiter);
    redis_client_free(client);
}

static void a_full_table_forgets_the_refusal_in_the_way(void **state)
{
    (void)state;
    const struct rate_policy policy = {"bounded", 1, 60};
    struct redis_client *client = test_redis_client(&server);
    struct rate_limiter *limiter = rate_limiter_new(client, 1);
    struct rate_subject one = subject_of("192.0.2.7"), other = subject_of("192.0.2.8");
    struct rate_call call;
    struct rate_verdict verdict;
    assert_int_equal(check(limiter, &policy, &one, &verdict), ERR_OK);
    assert_int_equal(check(limiter, &policy, &one, &verdict), ERR_RATE_LIMITED);
    assert_false(rate_limiter_begin(limiter, &policy, &one, clock_mono_now(), &call, &verdict));
    assert_int_equal(check(limiter, &policy, &other, &verdict), ERR_OK);
    assert_int_equal(check(limiter, &policy, &other, &verdict), ERR_RATE_LIMITED);
    assert_true(rate_limiter_begin(limiter, &policy, &one, clock_mono_now(), &call, &verdict));
    rate_limiter_free(limiter);
    redis_client_free(client);
}

static void a_policy_that_is_off_asks_nobody(void **state)
{
    (void)state;
    const struct rate_policy policy = {"off", 0, 60};
    struct redis_client *client = test_redis_client(&server);
    struct rate_limiter *limiter = rate_limiter_new(client, 16);
    struct rate_subject subject = subject_of("192.0.2.9");
    struct rate_verdict verdict;
    struct error err;
    error_init(&err);
    test_redis_kill(&server);
    assert_int_equal(check(limiter, &policy, &subject, &verdict), ERR_OK);
    assert_true(verdict.is_admitted);
    assert_int_equal(rate_limiter_peek(limiter, &policy, &subject, &verdict, &err), ERR_OK);
    assert_true(verdict.is_admitted);
    test_redis_restart(&server);
    rate_limiter_free(limiter);
    redis_client_free(client);
}

static void a_reply_of_another_shape_is_no_verdict(void **state)
{
    (void)state;
    const struct rate_policy policy = {"shape", 1, 60};
    struct redis_client *client = test_redis_client(&server);
    struct rate_limiter *limiter = rate_limiter_new(client, 16);
    struct rate_subject subject = subject_of("192.0.2.10");
    struct rate_call call;
    struct rate_verdict verdict;
    struct error err;
    error_init(&err);
    assert_true(rate_limiter_begin(limiter, &policy, &subject, clock_mono_now(), &call, &verdict));
    const struct slice argv[] = {SLICE("EVAL"), SLICE("return {1, 2, 3}"), SLICE("0")};
    struct redisReply *reply;
    assert_int_equal(redis_client_call(client, REDIS_LANE_WRITE, argv, 3, &reply, &err), ERR_OK);
    assert_false(rate_limiter_end(limiter, &call, reply, &verdict));
    redis_reply_free(reply);
    rate_limiter_free(limiter);
    redis_client_free(client);
}

/* Counted from before the question was sent: never longer than the wait that Redis told. */
static void a_remembered_refusal_ends_with_the_wait_after_the_question(void **state)
{
    (void)state;
    const int64_t wait_us = 60000000, old_us = 1000000;
    const struct rate_policy policy = {"remembered", 1, 60};
    struct redis_client *client = test_redis_client(&server);
    struct rate_limiter *limiter = rate_limiter_new(client, 16);
    struct rate_subject subject = subject_of("192.0.2.11");
    struct rate_call call;
    struct rate_verdict verdict;
    struct mono_time asked_at = mono_after_us(clock_mono_now(), -old_us);
    assert_true(rate_limiter_begin(limiter, &policy, &subject, asked_at, &call, &verdict));
    const struct slice argv[] = {SLICE("EVAL"), SLICE("return {0, 0, 60000000, 60000000}"),
                                 SLICE("0")};
    struct redisReply *reply;
    assert_int_equal(redis_client_call(client, REDIS_LANE_WRITE, argv, 3, &reply, NULL), ERR_OK);
    assert_true(rate_limiter_end(limiter, &call, reply, &verdict));
    redis_reply_free(reply);
    struct mono_time end = mono_after_us(asked_at, wait_us);
    assert_false(
        rate_limiter_begin(limiter, &policy, &subject, mono_after_us(end, -1), &call, &verdict));
    assert_int_equal(verdict.retry_after_us, 1);
    assert_int_equal(verdict.next_us, 1);
    assert_true(rate_limiter_begin(limiter, &policy, &subject, end, &call, &verdict));
    rate_limiter_free(limiter);
    redis_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sixty_four_clients_never_pass_the_limit_in_any_window),
        cmocka_unit_test(the_key_outlives_every_stamp_in_it),
        cmocka_unit_test(who_waits_as_told_is_admitted),
        cmocka_unit_test(refused_requests_do_not_extend_the_wait),
        cmocka_unit_test(a_peek_spends_and_writes_nothing),
        cmocka_unit_test(a_lowered_limit_holds_at_once),
        cmocka_unit_test(a_known_refusal_costs_no_call_and_ends_with_the_wait),
        cmocka_unit_test(a_remembered_refusal_ends_with_the_wait_after_the_question),
        cmocka_unit_test(a_full_table_forgets_the_refusal_in_the_way),
        cmocka_unit_test(a_policy_that_is_off_asks_nobody),
        cmocka_unit_test(a_reply_of_another_shape_is_no_verdict),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
