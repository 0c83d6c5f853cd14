/* The header Idempotency-Key: a request that is sent again is stored once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "await.h"
#include "request_mark.h"
#include "test_app.h"

#define SAMPLE(at) "{\"timestamp\":" at ",\"value\":1.5,\"type\":\"a\"}"

static const char *const limited[] = {"RATE_LIMIT_REQUESTS", "2", NULL};

static int post(const char *key, const char *body)
{
    test_app.idempotency_key = key;
    int status = test_app_ask("POST", "/api/metrics", "", body);
    test_app.idempotency_key = NULL;
    return status;
}

static void assert_count(const char *type, const char *count)
{
    char query[64];
    (void)snprintf(query, sizeof query, "type=%s", type);
    assert_int_equal(test_app_get("/api/metrics/summary", query), 200);
    if (!test_app_body_has(count))
        fail_msg("no %s in %s", count, test_app.body);
}

static void assert_same_again(const char *body, const char *count)
{
    char first[512];
    struct mono_time began = clock_mono_now();
    assert_int_equal(post("key", body), 201);
    assert_false(test_app_has_header("Idempotency-Replayed"));
    assert_true(test_app_has_header("RateLimit: \"post\";r=1;t=60\r\n"));
    (void)snprintf(first, sizeof first, "%s", test_app.body);
    for (int i = 0; i < 5; i++) { /* more than the limit has */
        assert_int_equal(post("key", body), 201);
        assert_true(test_app_has_header("Idempotency-Replayed: true\r\n"));
        assert_string_equal(test_app.body, first);
    }
    assert_count("a", count);
    assert_int_equal(post("another", body), 201);
    assert_in_range(test_app_number_in_header("RateLimit: \"post\";r=0;t="),
                    60 - ms_since(began) / 1000, 60);
    assert_int_equal(post("a third", body), 429);
    assert_int_equal(post("key", body), 201); /* what was admitted is not refused afterwards */
    assert_int_equal(post("a third", body), 429);
}

static void one_sample_is_stored_once(void **state)
{
    (void)state;
    test_app_open(limited);
    assert_same_again(SAMPLE("1"), "\"count\":1,");
    assert_count("a", "\"count\":2,");
}

static void many_samples_are_stored_once(void **state)
{
    (void)state;
    test_app_open(limited);
    assert_same_again("[" SAMPLE("1") "," SAMPLE("2") "]", "\"count\":2,");
    assert_count("a", "\"count\":4,");
}

static void the_same_key_with_another_request_is_refused(void **state)
{
    (void)state;
    test_app_open(NULL);
    assert_int_equal(post("key", SAMPLE("1")), 201);
    assert_int_equal(post("key", SAMPLE("2")), 422);
    assert_true(test_app_body_has("\"code\":\"IDEMPOTENCY_KEY_REUSED\""));
    test_app.content_type = "application/x-ndjson";
    assert_int_equal(post("key", SAMPLE("1")), 422);
    test_app.content_type = "";
    test_app.idempotency_key = "key";
    assert_int_equal(test_app_ask("POST", "/api/metrics", "partial=false", SAMPLE("1")), 422);
    assert_int_equal(test_app_ask("POST", "/write", "", SAMPLE("1")), 422);
    test_app.idempotency_key = NULL;
    assert_count("a", "\"count\":1,");
}

static void a_request_that_is_refused_leaves_its_key_free(void **state)
{
    (void)state;
    test_app_open(limited);
    assert_int_equal(post("key", "{\"timestamp\":1,\"value\":\"x\",\"type\":\"a\"}"), 422);
    assert_int_equal(post("key", SAMPLE("1")), 201);
    assert_int_equal(post(NULL, SAMPLE("2")), 201);
    assert_int_equal(post("late", SAMPLE("3")), 429);
    assert_int_equal(post("late", SAMPLE("4")), 429);
    assert_count("a", "\"count\":2,");
}

static void a_key_is_a_text_of_structured_fields_or_as_it_stands(void **state)
{
    (void)state;
    char longest[REQUEST_KEY_BYTES_MAX + 2];
    memset(longest, 'k', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    test_app_open(NULL);
    assert_int_equal(post("\"8e03978e-40d5\"", SAMPLE("1")), 201);
    assert_int_equal(post(" 8e03978e-40d5 ", SAMPLE("1")), 201);
    assert_true(test_app_has_header("Idempotency-Replayed: true\r\n"));
    assert_int_equal(post(longest + 1, SAMPLE("1")), 201);
    static const char *const wrong[] = {"", " ", "\"\"", "a\tb", "\xc3\xbc"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(post(wrong[i], SAMPLE("1")), 400);
    assert_int_equal(post(longest, SAMPLE("1")), 400);
    assert_true(test_app_body_has("Idempotency-Key must have 1 to 255 characters"));
    assert_count("a", "\"count\":2,");
}

/* Lines without a time have that of the first request, so that they are the same samples. */
static void agents_may_bring_a_key_too(void **state)
{
    (void)state;
    test_app_open(NULL);
    test_app.idempotency_key = "key";
    for (int i = 0; i < 3; i++) {
        assert_int_equal(test_app_ask("POST", "/write", "", "m v=1\nm v=2\n"), 204);
        assert_int_equal(test_app_has_header("Idempotency-Replayed: true\r\n"), i > 0);
    }
    test_app.idempotency_key = NULL;
    assert_count("m.v", "\"count\":2,");
}

static void what_there_was_no_room_for_is_told_again(void **state)
{
    (void)state;
    static const char *const two_types[] = {"MAX_TYPES", "2", NULL};
    static const char lines[] = "m a=1,b=2,c=3\nm a=4\n";
    test_app_open(two_types);
    test_app.idempotency_key = "key";
    for (int i = 0; i < 3; i++) {
        assert_int_equal(test_app_ask("POST", "/write", "", lines), 400);
        assert_true(test_app_body_has("\"detail\":\"1 refused, 3 stored\""));
    }
    test_app.idempotency_key = "another";
    for (int i = 0; i < 3; i++) {
        static const char samples[] =
            "[{\"timestamp\":1,\"value\":1,\"type\":\"m.b\"}," SAMPLE("1") "]";
        assert_int_equal(test_app_ask("POST", "/api/metrics", "partial=true", samples), 201);
        assert_true(test_app_body_has("\"accepted\":1,\"rejected\":[{\"index\":1,"));
        assert_true(test_app_body_has("\"rejected_count\":1}"));
    }
    test_app.idempotency_key = NULL;
    assert_count("m.a", "\"count\":2,");
}

static void a_key_is_forgotten_after_its_time(void **state)
{
    (void)state;
    static const char *const settings[] = {"IDEMPOTENCY_TTL_SECONDS", "60", NULL};
    test_app_open(settings);
    assert_int_equal(post("key", SAMPLE("1")), 201);
    test_app_command("PEXPIRE ra:idem:key 1");
    while (post("key", SAMPLE("2")) != 201)
        ;
    assert_count("a", "\"count\":2,");
    char ttl[32];
    assert_true(test_redis_command(&test_app.redis, ttl, sizeof ttl, "TTL ra:idem:key"));
    assert_in_range(strtol(ttl, NULL, 10), 50, 60);
}

static void without_redis_a_key_is_503(void **state)
{
    (void)state;
    test_app_open(NULL);
    test_redis_pause(&test_app.redis);
    assert_int_equal(post("key", SAMPLE("1")), 503);
    assert_true(test_app_has_header("Retry-After: 1\r\n"));
    test_redis_resume(&test_app.redis);
}

#define KEY_TEST(name) cmocka_unit_test_setup_teardown(name, test_app_begin, test_app_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEY_TEST(one_sample_is_stored_once),
        KEY_TEST(many_samples_are_stored_once),
        KEY_TEST(the_same_key_with_another_request_is_refused),
        KEY_TEST(a_request_that_is_refused_leaves_its_key_free),
        KEY_TEST(a_key_is_a_text_of_structured_fields_or_as_it_stands),
        KEY_TEST(agents_may_bring_a_key_too),
        KEY_TEST(what_there_was_no_room_for_is_told_again),
        KEY_TEST(a_key_is_forgotten_after_its_time),
        KEY_TEST(without_redis_a_key_is_503),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
