/*
 * test_request: a request that is a query string alone, for what reads one, and what it told.
 * One for a test program.
 */
#ifndef TESTS_SUPPORT_TEST_REQUEST_H
#define TESTS_SUPPORT_TEST_REQUEST_H

#include <stddef.h>

#include "arena.h"
#include "error.h"
#include "http.h"

struct test_request {
    struct request req;
    struct arena arena; /* of the request */
    struct error err;   /* for who reads it */
};

extern struct test_request test_request;

/* For cmocka, around each test. */
int test_request_begin(void **state);
int test_request_end(void **state);

/* Make it anew, without an error, with exactly these bytes of memory. */
const struct request *test_request_ask(const char *query);

/* `name`=`value`, until the next call. */
const char *test_request_query(const char *name, const char *value);

/*
 * For what reading it returned, which must be the error's code: the query is gone then, and
 * what was read must not need it.
 */
enum err_code test_request_check(enum err_code code);

/* Mistake `i` is one of parameter `name`, its message is whole and has `message` in it. */
void test_request_assert_told(size_t i, const char *name, const char *message);

#endif
