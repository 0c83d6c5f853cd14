/*
 * test_life: test_store, with its upkeep at hand. One for a test program.
 */
#ifndef TESTS_SUPPORT_TEST_LIFE_H
#define TESTS_SUPPORT_TEST_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "chunk_sealer.h"
#include "metric_tender.h"
#include "test_store.h"

extern const struct metric_retention test_life_for_ever;

/* For cmocka, around each test; the model forgets, too. */
int test_life_open(void **state);
int test_life_close(void **state);

/* The hour that it is. */
int64_t test_life_hour(void);

/* Until the test ends, upkeep goes as if it were half past this hour now; how far ahead of the
 * clock that is. When a type is due is told by the clock. */
void test_life_pretend(int64_t hour);
int64_t test_life_seconds_ahead(void);

/* The first hour of a day that is over, of a month that is not; the three days before are of that
 * month, too. It pretends that it is noon, two days later, so a test is always told the same. */
int64_t test_life_past_hour(void);

/* Tend a type now, and check when it is due next: not at once, and not never while anything
 * is open or unsealed. */
void test_life_tend(const char *type, const struct metric_retention *retention);
enum err_code test_life_try_tend(const char *type, const struct metric_retention *retention,
                                 struct error *err);

/* When a type is due (Unix seconds); -1: not at all. */
int64_t test_life_due(const char *type);

void test_life_await_sealed(const char *type);

/* How many closed chunks a span has; how many bytes an hour's open chunk. */
int64_t test_life_closed(const char *type, enum span_level level, int64_t number);
int64_t test_life_open_bytes(const char *type, int64_t hour);

/* A number that a command on one of the type's keys answers ("ZCARD", "open", NULL); -1: nil. */
int64_t test_life_number(const char *type, const char *const words[]);

/* What all keys of a type hold, as one text. */
enum { TEST_LIFE_DIGEST_BYTES = 16384 };
void test_life_digest(const char *type, char digest[static TEST_LIFE_DIGEST_BYTES]);

/* Store a sample past the store, so that nobody hears of a chunk that it closes. */
void test_life_post_unheard(const char *type, int64_t at_us, double value);

/* Run one of the upkeep's scripts by hand, on the type's keys alone; the reply is the caller's. */
struct redisReply *test_life_eval(enum redis_script script, const char *type,
                                  const struct slice *args, size_t count);

/* How many connections Redis has. */
int64_t test_life_connections(void);

#endif
