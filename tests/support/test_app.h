/*
 * test_app: every part of a worker but its sockets, on a real Redis: requests are data, go
 * through dispatch, and the response stays here until the next one. One for a test program.
 */
#ifndef TESTS_SUPPORT_TEST_APP_H
#define TESTS_SUPPORT_TEST_APP_H

#include <stdbool.h>

#include "app.h"
#include "http.h"
#include "test_redis.h"

struct test_app {
    struct test_redis redis;
    struct config config;
    struct app *app;
    struct arena arena;
    struct response res;
    const char *if_none_match, *accept; /* of the requests to come */
    char body[65536];                   /* of the last response, as text */
};

extern struct test_app test_app;

/* For cmocka, around each test: an empty Redis, no app. */
int test_app_begin(void **state);
int test_app_end(void **state);

/*
 * Make the app anew with `settings` (name, value, ..., NULL; or NULL), connected and
 * tracking. No limit of rate, unless they have one.
 */
void test_app_open(const char *const settings[]);

/* Returns the status. */
int test_app_get(const char *path, const char *query);
int test_app_post(const char *body);

/* The same with memory of the caller's, for threads of a test. */
int test_app_get_beside(const char *path, const char *query, struct arena *arena,
                        struct response *res);

/* Store one sample at `at` (as JSON has it: a number, or text in quotes). */
void test_app_store(const char *type, const char *at, const char *value);

bool test_app_has_header(const char *line);
bool test_app_body_has(const char *text);

/* Past the app; an error reply fails the test. */
void test_app_command(const char *text);

#endif
