/* Jobs and their ends: what is sent, who is told what, and whose the job is then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "redis_pipeline.h"

static const struct redis_options options = {
    .key_prefix = "ra:", .read_timeout_ms = 1, .write_timeout_ms = 1, .queue_max = 2};

static struct redis_job *push_ping(struct redis_pipeline *line)
{
    const struct slice ping = SLICE("PING");
    struct redis_job *job = redis_job_new(&ping, 1, mono_after_ms(clock_mono_now(), 1));
    assert_non_null(job);
    assert_true(redis_pipeline_push(line, job));
    return job;
}

static void who_gives_up_is_told_what_is_known(void **state)
{
    (void)state;
    struct redis_pipeline line;
    assert_true(redis_pipeline_init(&line, REDIS_ROLE_WRITE, &options, NULL, -1));
    struct redis_job *queued = push_ping(&line), *sent = push_ping(&line);
    atomic_store(&sent->state, REDIS_JOB_IN_FLIGHT);
    enum err_code code;
    assert_false(redis_pipeline_wait(queued, &code));
    assert_int_equal(code, ERR_STORE_UNAVAILABLE);
    assert_false(redis_pipeline_wait(sent, &code));
    assert_int_equal(code, ERR_STORE_UNKNOWN);
    redis_pipeline_release(&line); /* frees what was given up: a sanitizer tells */
}

static void a_full_queue_takes_no_more(void **state)
{
    (void)state;
    struct redis_pipeline line;
    assert_true(redis_pipeline_init(&line, REDIS_ROLE_WRITE, &options, NULL, -1));
    struct redis_job *first = push_ping(&line), *second = push_ping(&line);
    const struct slice ping = SLICE("PING");
    struct redis_job *third = redis_job_new(&ping, 1, clock_mono_now());
    assert_false(redis_pipeline_push(&line, third));
    redis_job_free(third);
    first->is_detached = second->is_detached = true; /* nobody waits for them */
    redis_pipeline_release(&line);
}

/* --- A lane that is connected, to us; time is what we say ------------------------------- */

enum { TIMEOUT_MS = 5000, HEARTBEAT_WITHIN_MS = 1000 };

static const char heartbeat[] = "*1\r\n$4\r\nPING\r\n";
static const char echo_x[] = "*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n";

static struct redis_pipeline wired;
static int peer;
static struct mono_time began;

static int wire(void **state)
{
    (void)state;
    static const struct redis_options patient = {
        .key_prefix = "ra:", .write_timeout_ms = TIMEOUT_MS, .queue_max = 8};
    int ends[2];
    if (!redis_pipeline_init(&wired, REDIS_ROLE_WRITE, &patient, NULL, -1) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return -1;
    wired.conn.fd = ends[0];
    wired.conn.state = REDIS_CONN_READY;
    peer = ends[1];
    began = clock_mono_now();
    wired.heartbeat_due = mono_after_ms(began, TIMEOUT_MS);
    return 0;
}

static int unwire(void **state)
{
    (void)state;
    redis_pipeline_release(&wired);
    (void)close(peer);
    return 0;
}

static struct redis_job *push_echo(struct slice word)
{
    const struct slice echo[] = {SLICE("ECHO"), word};
    struct redis_job *job = redis_job_new(echo, 2, mono_after_ms(began, TIMEOUT_MS));
    assert_non_null(job);
    assert_true(redis_pipeline_push(&wired, job));
    return job;
}

/* Of a job that has ended; takes it. */
static enum err_code code_of(struct redis_job *job)
{
    enum err_code code;
    assert_int_equal(atomic_load(&job->state), REDIS_JOB_DONE);
    assert_true(redis_pipeline_wait(job, &code));
    code = job->code;
    redis_job_free(job);
    return code;
}

static void assert_peer_got(const char *text)
{
    char bytes[256];
    ssize_t len = read(peer, bytes, sizeof bytes - 1);
    bytes[len > 0 ? len : 0] = '\0';
    assert_string_equal(bytes, text);
}

static void a_job_past_its_deadline_is_not_sent(void **state)
{
    (void)state;
    struct redis_job *late = push_echo(SLICE("x"));
    wired.heartbeat_due = mono_after_ms(began, 2 * TIMEOUT_MS);
    redis_pipeline_tick(&wired, mono_after_ms(began, TIMEOUT_MS));
    assert_peer_got("");
    assert_int_equal(code_of(late), ERR_STORE_UNAVAILABLE);

    struct redis_job *in_time = push_echo(SLICE("x"));
    redis_pipeline_tick(&wired, mono_after_us(began, TIMEOUT_MS * 1000 - 1));
    assert_peer_got(echo_x);
    redis_pipeline_tick(&wired, mono_after_ms(began, TIMEOUT_MS));
    assert_int_equal(code_of(in_time), ERR_STORE_UNKNOWN);
}

static void a_job_given_up_in_the_queue_is_not_sent(void **state)
{
    (void)state;
    redis_pipeline_abandon(push_echo(SLICE("x")));
    redis_pipeline_tick(&wired, began);
    assert_peer_got("");
    assert_int_equal(atomic_load(&wired.count), 0);
}

/* A sanitizer tells whether each is freed, once. */
static void a_job_may_be_given_up_at_any_time(void **state)
{
    (void)state;
    struct redis_job *in_flight = push_echo(SLICE("x")), *done = push_echo(SLICE("x"));
    redis_pipeline_tick(&wired, began);
    redis_pipeline_abandon(in_flight);
    assert_int_equal(atomic_load(&done->state), REDIS_JOB_IN_FLIGHT);
    redis_pipeline_tick(&wired, mono_after_ms(began, TIMEOUT_MS));
    assert_int_equal(atomic_load(&done->state), REDIS_JOB_DONE);
    redis_pipeline_abandon(done);
}

static void a_job_waits_for_a_connection_until_its_deadline(void **state)
{
    (void)state;
    wired.conn.state = REDIS_CONN_HANDSHAKE;
    wired.conn.ready_by = mono_after_ms(began, 2 * TIMEOUT_MS);
    struct redis_job *job = push_echo(SLICE("x"));
    redis_pipeline_tick(&wired, mono_after_us(began, TIMEOUT_MS * 1000 - 1));
    assert_int_equal(atomic_load(&job->state), REDIS_JOB_QUEUED);
    assert_int_equal(redis_pipeline_wakeup(&wired).us, job->deadline.us);
    redis_pipeline_tick(&wired, mono_after_ms(began, TIMEOUT_MS));
    assert_peer_got("");
    assert_int_equal(code_of(job), ERR_STORE_UNAVAILABLE);
}

/* More than a socket takes: the second of three jobs leaves in part, the third not at all. */
static void what_never_left_is_told_from_what_may_be_executed(void **state)
{
    (void)state;
    enum { LARGE_BYTES = 1 << 20 };
    char *large = calloc(1, LARGE_BYTES);
    assert_non_null(large);
    struct redis_job *sent = push_echo(SLICE("x"));
    struct redis_job *in_part = push_echo(slice_of(large, LARGE_BYTES));
    struct redis_job *unsent = push_echo(SLICE("x"));
    free(large);
    redis_pipeline_tick(&wired, began);
    assert_in_range(wired.conn.written_bytes, sizeof echo_x, LARGE_BYTES / 2);
    redis_pipeline_tick(&wired, mono_after_ms(began, TIMEOUT_MS));
    assert_int_equal(code_of(sent), ERR_STORE_UNKNOWN);
    assert_int_equal(code_of(in_part), ERR_STORE_UNKNOWN);
    assert_int_equal(code_of(unsent), ERR_STORE_UNAVAILABLE);
}

static void silence_after_a_heartbeat_is_the_end_of_a_connection(void **state)
{
    (void)state;
    wired.heartbeat_due = began;
    redis_pipeline_tick(&wired, began);
    assert_peer_got(heartbeat);
    redis_pipeline_tick(&wired, mono_after_us(began, HEARTBEAT_WITHIN_MS * 1000 - 1));
    assert_int_equal(wired.conn.state, REDIS_CONN_READY);
    redis_pipeline_tick(&wired, mono_after_ms(began, HEARTBEAT_WITHIN_MS));
    assert_int_equal(wired.conn.state, REDIS_CONN_DOWN);
}

static void a_call_behind_a_heartbeat_has_its_own_time(void **state)
{
    (void)state;
    wired.heartbeat_due = began;
    redis_pipeline_tick(&wired, began);
    assert_peer_got(heartbeat);
    struct redis_job *job = push_echo(SLICE("x"));
    redis_pipeline_tick(&wired, mono_after_ms(began, HEARTBEAT_WITHIN_MS / 2));
    assert_peer_got(echo_x);
    redis_pipeline_tick(&wired, mono_after_us(began, TIMEOUT_MS * 1000 - 1));
    assert_int_equal(wired.conn.state, REDIS_CONN_READY);
    assert_int_equal(redis_pipeline_wakeup(&wired).us, job->deadline.us);
    redis_pipeline_tick(&wired, mono_after_ms(began, TIMEOUT_MS));
    assert_int_equal(code_of(job), ERR_STORE_UNKNOWN);
}

static int64_t pause_after_a_hang_up(void)
{
    assert_int_equal(shutdown(peer, SHUT_RDWR), 0);
    redis_pipeline_handle(&wired, POLLIN, began);
    assert_int_equal(wired.conn.state, REDIS_CONN_DOWN);
    return mono_us_between(began, redis_pipeline_wakeup(&wired));
}

static void who_has_answered_is_tried_again_at_once(void **state)
{
    (void)state;
    redis_conn_worked(&wired.conn);
    assert_int_equal(pause_after_a_hang_up(), 0);
    assert_true(atomic_load(&wired.is_accepting));
}

/* Or a peer that hangs up after each handshake would keep the I/O thread busy. */
static void who_never_answered_is_tried_again_after_a_pause(void **state)
{
    (void)state;
    assert_true(pause_after_a_hang_up() > 0);
    assert_false(atomic_load(&wired.is_accepting));
}

int main(void)
{
#define WIRED(name) cmocka_unit_test_setup_teardown(name, wire, unwire)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_gives_up_is_told_what_is_known),
        cmocka_unit_test(a_full_queue_takes_no_more),
        WIRED(a_job_past_its_deadline_is_not_sent),
        WIRED(a_job_given_up_in_the_queue_is_not_sent),
        WIRED(a_job_may_be_given_up_at_any_time),
        WIRED(a_job_waits_for_a_connection_until_its_deadline),
        WIRED(what_never_left_is_told_from_what_may_be_executed),
        WIRED(silence_after_a_heartbeat_is_the_end_of_a_connection),
        WIRED(a_call_behind_a_heartbeat_has_its_own_time),
        WIRED(who_has_answered_is_tried_again_at_once),
        WIRED(who_never_answered_is_tried_again_after_a_pause),
    };
    return cmocka_run_group_tests_name("redis_pipeline", tests, NULL, NULL);
}
