#include "test_store.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <string.h>
#include <time.h>

struct test_store test_store;

const struct rate_policy test_store_no_limit = {"post", 0, 60};
const struct rate_subject test_store_somebody = {"4:203.0.113.7", 13};

int test_store_start_server(void **state)
{
    (void)state;
    const char *const options[] = {"--appendonly", "no", "--enable-debug-command", "yes", NULL};
    test_store.chance = test_random_start();
    test_redis_start(&test_store.server, options);
    return 0;
}

int test_store_stop_server(void **state)
{
    (void)state;
    test_redis_stop(&test_store.server);
    return 0;
}

bool test_store_command(char *out, size_t out_bytes, const char *text)
{
    return test_redis_command(&test_store.server, out, out_bytes, text);
}

int test_store_open(void **state)
{
    (void)state;
    char out[64];
    assert_true(test_store_command(out, sizeof out, "FLUSHALL"));
    const struct metric_store_options options = {TEST_STORE_TYPES_MAX, TEST_STORE_BUCKETS_MAX};
    test_store.client = test_redis_client(&test_store.server);
    test_store.limiter = rate_limiter_new(test_store.client, 64);
    test_store.store = metric_store_new(&options, test_store.client, test_store.limiter);
    assert_non_null(test_store.limiter);
    assert_non_null(test_store.store);
    return 0;
}

int test_store_close(void **state)
{
    (void)state;
    metric_store_free(test_store.store);
    rate_limiter_free(test_store.limiter);
    redis_client_free(test_store.client);
    sample_model_release(&test_store.model);
    return 0;
}

size_t test_store_below(size_t n)
{
    return test_random_below(&test_store.chance, n);
}

enum err_code test_store_add(const char *type, int64_t at_us, double value,
                             const struct rate_policy *policy, struct rate_verdict *verdict)
{
    const struct sample sample = {{at_us}, value, slice_from_string(type)};
    struct error err;
    error_init(&err);
    return metric_store_add(test_store.store, &sample, policy, &test_store_somebody, verdict, &err);
}

void test_store_post(const char *type, int64_t at_us, double value)
{
    struct rate_verdict verdict;
    assert_int_equal(test_store_add(type, at_us, value, &test_store_no_limit, &verdict), ERR_OK);
    sample_model_add(&test_store.model, type, (struct record){{at_us}, value});
}

void test_store_check_since(const char *type, struct wall_time from)
{
    sample_model_check_since(&test_store.model, test_store.store, type, from);
}

void test_store_check_list(const char *type, size_t limit)
{
    sample_model_check_list(&test_store.model, test_store.store, type, limit);
}

void test_store_await(const char *text, const char *wanted)
{
    char out[256] = "";
    for (int i = 0; i < 5000; i++) {
        assert_true(test_store_command(out, sizeof out, text));
        if (strcmp(out, wanted) == 0)
            return;
        const struct timespec pause = {0, 1000000};
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("%s gave \"%s\", never \"%s\"", text, out, wanted);
}

int64_t test_store_hour_start(void)
{
    return bucket_start(bucket_of(clock_wall_now())).us;
}

/* Write-backs are not waited for; a PING behind them on the same lane is. */
void test_store_settle(void)
{
    struct redisReply *reply;
    const struct slice ping = SLICE("PING");
    assert_int_equal(redis_client_call(test_store.client, REDIS_LANE_WRITE, &ping, 1, &reply, NULL),
                     ERR_OK);
    redis_reply_free(reply);
}
