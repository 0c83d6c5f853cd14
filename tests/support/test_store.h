/*
 * test_store: a metric store on a real redis-server, with a plain array of what was
 * posted beside it. One for a test program.
 */
#ifndef TESTS_SUPPORT_TEST_STORE_H
#define TESTS_SUPPORT_TEST_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metric_store.h"
#include "sample_model.h"
#include "span.h"
#include "test_random.h"
#include "test_redis.h"

enum { TEST_STORE_TYPES_MAX = 500, TEST_STORE_SPANS_MAX = 500, TEST_STORE_MARK_TTL_SECONDS = 100 };

struct test_store {
    struct test_redis server; /* without an append-only file, with DEBUG */
    struct redis_client *client;
    struct rate_limiter *limiter;
    struct metric_store *store;
    struct sample_model model;
    struct test_random chance;
    bool posts_series; /* from here on, as batches of one sample of a type: to a hot chunk */
};

extern struct test_store test_store;
extern const struct rate_policy test_store_no_limit;
extern const struct rate_subject test_store_somebody;

/* For cmocka: around the group, and around each test (on an empty server, which nobody
 * tends: the lease is taken). */
int test_store_start_server(void **state);
int test_store_stop_server(void **state);
int test_store_open(void **state);
int test_store_close(void **state);

enum err_code test_store_add(const char *type, int64_t at_us, double value,
                             const struct rate_policy *policy, struct rate_verdict *verdict);
enum err_code test_store_try(const char *type, int64_t at_us, double value,
                             const struct rate_policy *policy, struct rate_verdict *verdict,
                             struct error *err); /* which is initialised */

/* Store it, or fail the test; and note it in the model. `type` is static. */
void test_store_post(const char *type, int64_t at_us, double value);

/* The same for up to BATCH_SAMPLES_MAX at once. */
void test_store_post_batch(const char *type, const struct record *records, size_t count);

/*
 * Put sealed chunks of `each` records behind those of a span, past the store, and note them
 * in the model. The records of each chunk are in order of time.
 */
void test_store_put_chunks(const char *type, struct span span, const struct record *records,
                           size_t chunks, size_t each);

/* The same for the open chunk of an hour that has none; at most CHUNK_RECORDS, in any order. */
void test_store_put_open(const char *type, int64_t hour, const struct record *records,
                         size_t count);

/* As if further chunks had closed everywhere: no rollup stands any more. */
void test_store_forget_rollups(const char *type);

/* One aggregate, which the caller has made. */
enum err_code test_store_ask(const struct metric_question *question, struct aggregate *a,
                             struct metric_report *report) __attribute__((warn_unused_result));

/* Compare with the model (sample_model.h). */
void test_store_check_since(const char *type, struct wall_time from);
void test_store_check_list(const char *type, size_t limit);

/* Past the store: false for an error reply. */
bool test_store_command(char *out, size_t out_bytes, const char *text);
void test_store_run(const char *text); /* an error reply fails the test */
void test_store_await(const char *text, const char *wanted);

/* What Redis counts as a change, and writes into its append-only file, even if undone. */
long test_store_changes(void);

/* Until all write-backs that were begun have happened. */
void test_store_settle(void);

size_t test_store_below(size_t n);
int64_t test_store_hour_start(void);

#endif
