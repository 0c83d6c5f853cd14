/* Who gives up on the I/O thread: what they are told, and whose the job is then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_gives_up_is_told_what_is_known),
        cmocka_unit_test(a_full_queue_takes_no_more),
    };
    return cmocka_run_group_tests_name("redis_pipeline", tests, NULL, NULL);
}
