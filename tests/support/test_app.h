/*
 * test_app: every part of a worker but its sockets, on a real Redis: requests are data, go
 * through dispatch, and the response stays here until the next one. One for a test program.
 */
#ifndef TESTS_SUPPORT_TEST_APP_H
#define TESTS_SUPPORT_TEST_APP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "app.h"
#include "http.h"
#include "json_read.h"
#include "test_redis.h"

struct test_worker {
    struct config config;
    struct app *app;
};

struct test_app {
    struct test_redis redis;
    struct test_worker workers[2];
    struct app *app; /* of the worker that is asked */
    struct arena arena;
    struct response res;
    const char *if_none_match, *accept, *authorization, *confirm, *content_type, *accept_encoding,
        *cache_control, *idempotency_key; /* of the requests to come; the last one NULL: none */
    size_t body_len;                      /* of bodies with a NUL; 0: up to it */
    const char *body, *headers;           /* of the last response, as text; borrowed from `res` */
};

extern struct test_app test_app;

/* For cmocka, around each test: an empty Redis, no worker. */
int test_app_begin(void **state);
int test_app_end(void **state);

/*
 * Make the first worker anew with `settings` (name, value, ..., NULL; or NULL), connected and
 * tracking, and ask it from now on. No limit of rate, unless they have one.
 */
void test_app_open(const char *const settings[]);

/* The same for a second one, as another process would be; and which of them is asked. */
void test_app_open_second(const char *const settings[]);
void test_app_choose(size_t worker);

/* Return the status. `query` must not be of the last response. */
int test_app_ask(const char *method, const char *path, const char *query, const char *body);
int test_app_get(const char *path, const char *query);
int test_app_post(const char *body);

/* The same with memory of the caller's, for threads of a test. */
int test_app_get_beside(const char *path, const char *query, struct arena *arena,
                        struct response *res);
int test_app_post_beside(size_t worker, const char *path, const char *body, struct arena *arena,
                         struct response *res);

/* A thread that asks once. */
struct test_asker {
    pthread_t thread;
    _Atomic pid_t tid;
    const char *path, *query, *wanted;
    int status;
    bool has_wanted; /* in the body */
};

void test_asker_start(struct test_asker *asker, const char *path, const char *query,
                      const char *wanted);
bool test_asker_is_waiting(const struct test_asker *asker); /* for an answer of Redis */
void test_asker_join(struct test_asker *asker);

/* Store one sample at `at` (as JSON has it: a number, or text in quotes). */
void test_app_store(const char *type, const char *at, const char *value);

/* The same past HTTP. */
void test_app_add(const char *type, int64_t at_us, double value);

/* Tend the type; samples that came longer than `samples_us` ago expire (0: none). */
void test_app_tend(const char *type, int64_t samples_us);

bool test_app_has_header(const char *line);

/* The number behind `start`, which must be in the headers. */
long test_app_number_in_header(const char *start);

bool test_app_body_has(const char *text);

enum { TEST_APP_TAG_BYTES = 19 };
/* The ETag of the last response, with its quotes. */
void test_app_take_tag(char tag[static TEST_APP_TAG_BYTES]);

/* The last response's; the caller frees it. */
struct json_document *test_app_parse_body(void);

/* What a question must be answered: the status, and a part of the body. */
struct answer_row {
    const char *query;
    int status;
    const char *told;
};

void test_app_check_rows(const char *path, const struct answer_row *rows, size_t count);

/* Past the app; an error reply fails the test. The number that it is answered. */
void test_app_command(const char *text);
long test_app_number(const char *text);

#endif
