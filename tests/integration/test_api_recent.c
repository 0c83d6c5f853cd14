/* Answers of a moment ago for those who are content with them, and answers that are compressed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "await.h"
#include "content_coding.h"
#include "test_app.h"

static int count_in_types(const char *query)
{
    assert_int_equal(test_app_get("/api/metrics/types", query), 200);
    const char *count = strstr(test_app.body, "\"count\":");
    assert_non_null(count);
    return (int)strtol(count + strlen("\"count\":"), NULL, 10);
}

static int count_of_cpu(void)
{
    return count_in_types("match=cpu");
}

static void wait_past_a_second(void)
{
    assert_int_equal(usleep(1050000), 0);
}

static void store(double value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%g", value);
    test_app_store("cpu", "1771675200", text);
}

static void who_does_not_say_so_gets_what_is_true_now(void **state)
{
    (void)state;
    static const char *const silent[] = {"",           "no-cache",   "max-age=0",
                                         "max-age",    "max-age=",   "max-age=-1",
                                         "max-age=1x", "max-age=61", "s-maxage=9"};
    test_app_open(NULL);
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++) {
        store(1);
        test_app.cache_control = silent[i];
        assert_int_equal(count_of_cpu(), i + 1);
    }
}

static void an_answer_serves_for_as_long_as_the_client_says(void **state)
{
    (void)state;
    static const char *const others[] = {"match=cpu&n=1", "match=cpu&n=2"};
    static const char *const says[] = {"max-age=60", "no-transform, Max-Age = 60"};
    test_app_open(NULL);
    store(1);
    struct mono_time began = clock_mono_now();
    test_app.cache_control = "max-age=60";
    assert_int_equal(count_of_cpu(), 1);
    store(2);
    for (size_t i = 0; i < sizeof says / sizeof *says; i++) {
        test_app.cache_control = says[i];
        assert_int_equal(count_of_cpu(), 1);
        assert_in_range(test_app_number_in_header("Age: "), 0, ms_since(began) / 1000);
        assert_int_equal(count_in_types(others[i]), 2); /* another question */
        test_app.cache_control = "";
        assert_int_equal(count_of_cpu(), 2);
    }
    wait_past_a_second();
    test_app.cache_control = "max-age=60";
    assert_int_equal(count_of_cpu(), 1);
    assert_in_range(test_app_number_in_header("Age: "), 1, ms_since(began) / 1000);
    test_app.cache_control = "max-age=1";
    assert_int_equal(count_of_cpu(), 2);
    store(3);
    test_app.cache_control = "max-age=60";
    assert_int_equal(count_of_cpu(), 2); /* the newer one serves now */
}

/* What one has is not what another one has. */
static void what_the_client_has_is_asked_of_it_alone(void **state)
{
    (void)state;
    char etag[64];
    test_app_open(NULL);
    store(1);
    test_app.cache_control = "max-age=1";
    assert_int_equal(test_app_get("/api/metrics/types", ""), 200);
    const char *header = strstr(test_app.headers, "ETag: ");
    assert_non_null(header);
    (void)snprintf(etag, sizeof etag, "%.*s", (int)strcspn(header + 6, "\r"), header + 6);
    for (int i = 0; i < 2; i++) {
        test_app.if_none_match = etag;
        assert_int_equal(test_app_get("/api/metrics/types", ""), 304);
        assert_non_null(strstr(test_app.headers, etag));
        test_app.if_none_match = "";
        assert_int_equal(test_app_get("/api/metrics/types", ""), 200);
        assert_non_null(strstr(test_app.body, "\"cpu\""));
        wait_past_a_second(); /* then it is made for who has it */
    }
}

/* It is exact, and tells its own age. */
static void a_summary_is_that_of_its_own_cache(void **state)
{
    (void)state;
    test_app_open(NULL);
    test_app.cache_control = "max-age=60";
    for (int i = 1; i <= 3; i++) {
        char count[32];
        store(1);
        assert_int_equal(test_app_get("/api/metrics/summary", "type=cpu"), 200);
        (void)snprintf(count, sizeof count, "\"count\":%d,", i);
        assert_non_null(strstr(test_app.body, count));
        const char *age = strstr(test_app.headers, "Age: ");
        assert_non_null(age);
        assert_null(strstr(age + 1, "Age: "));
    }
}

static void what_differs_among_clients_is_never_shared(void **state)
{
    (void)state;
    const char *const settings[] = {"RATE_LIMIT_REQUESTS", "10", NULL};
    test_app_open(settings);
    test_app.cache_control = "max-age=60";
    for (int i = 10; i > 8; i--) {
        char remaining[32];
        assert_int_equal(test_app_get("/api/rate-limit", ""), 200);
        (void)snprintf(remaining, sizeof remaining, "\"remaining\":%d,", i);
        assert_non_null(strstr(test_app.body, remaining));
        store(1);
    }
    assert_int_equal(test_app_get("/api/metrics/series", "type=cpu&step=1h"), 200);
    test_app.accept = "text/csv";
    assert_int_equal(test_app_get("/api/metrics/series", "type=cpu&step=1h"), 200);
    assert_memory_equal(test_app.body, "type,timestamp,", 15);
    test_app.accept = "";
    assert_int_equal(test_app_get("/api/metrics/series", "type=cpu&step=1h"), 200);
    assert_int_equal(test_app.body[0], '{');
}

static void errors_are_not_kept(void **state)
{
    (void)state;
    test_app_open(NULL);
    test_app.cache_control = "max-age=60";
    assert_int_equal(test_app_get("/api/metrics/types", "cursor=x"), 422);
    assert_int_equal(test_app_get("/api/metrics/types", "cursor=x"), 422);
    assert_null(strstr(test_app.headers, "Age:"));
}

static void a_token_is_asked_for_all_the_same(void **state)
{
    (void)state;
    const char *const settings[] = {"API_TOKEN", "secret", NULL};
    test_app_open(settings);
    test_app.cache_control = "max-age=60";
    test_app.authorization = "Bearer secret";
    assert_int_equal(test_app_get("/api/metrics/types", ""), 200);
    assert_int_equal(test_app_get("/api/metrics/types", ""), 200);
    test_app.authorization = "";
    assert_int_equal(test_app_get("/api/metrics/types", ""), 401);
}

/* --- Compressed ------------------------------------------------------------------------- */

enum { QUERY_BYTES = 128 };

static void series(char query[static QUERY_BYTES], int points)
{
    (void)snprintf(query, QUERY_BYTES, "type=cpu&from=0&to=%d&step=1s", points);
}

static struct slice inflated(void)
{
    struct error err;
    struct slice body = strbuf_slice(&test_app.res.body);
    error_init(&err);
    assert_int_equal(content_decode(SLICE("gzip"), 1 << 20, &test_app.arena, &body, &err), ERR_OK);
    return body;
}

static void long_answers_are_compressed_for_who_takes_that(void **state)
{
    (void)state;
    static const char *const takes[] = {"gzip", "deflate, gzip;q=0.5", "GZIP"};
    static const char *const takes_not[] = {"", "identity", "br", "gzip;q=0", "xgzip"};
    char query[QUERY_BYTES], plain[65536];
    test_app_open(NULL);
    store(1);
    series(query, 300);
    for (size_t i = 0; i < sizeof takes_not / sizeof *takes_not; i++) {
        test_app.accept_encoding = takes_not[i];
        assert_int_equal(test_app_get("/api/metrics/series", query), 200);
        assert_null(strstr(test_app.headers, "Content-Encoding"));
        assert_non_null(strstr(test_app.headers, "Vary: Accept-Encoding\r\n"));
        assert_non_null(strstr(test_app.headers, "ETag: \""));
    }
    size_t len = test_app.res.body.len;
    assert_in_range(len, 10000, sizeof plain);
    memcpy(plain, test_app.body, len);
    for (size_t i = 0; i < sizeof takes / sizeof *takes; i++) {
        test_app.accept_encoding = takes[i];
        assert_int_equal(test_app_get("/api/metrics/series", query), 200);
        assert_non_null(strstr(test_app.headers, "Content-Encoding: gzip\r\n"));
        assert_non_null(strstr(test_app.headers, "Vary: Accept-Encoding\r\n"));
        assert_non_null(strstr(test_app.headers, "ETag: W/\""));
        assert_in_range(test_app.res.body.len, 1, len / 5);
        assert_true(slice_equals(inflated(), slice_of(plain, len)));
    }
}

static void short_answers_are_not(void **state)
{
    (void)state;
    test_app_open(NULL);
    store(1);
    test_app.accept_encoding = "gzip";
    assert_int_equal(count_of_cpu(), 1);
    assert_null(strstr(test_app.headers, "Content-Encoding"));
}

static void who_has_the_plain_answer_has_the_compressed_one(void **state)
{
    (void)state;
    char query[QUERY_BYTES], etag[64];
    test_app_open(NULL);
    store(1);
    series(query, 300);
    for (int plain_first = 0; plain_first < 2; plain_first++) {
        test_app.if_none_match = "";
        test_app.accept_encoding = plain_first ? "" : "gzip";
        assert_int_equal(test_app_get("/api/metrics/series", query), 200);
        const char *header = strstr(test_app.headers, "ETag: ") + strlen("ETag: ");
        (void)snprintf(etag, sizeof etag, "%.*s", (int)strcspn(header, "\r"), header);
        test_app.if_none_match = etag;
        for (int as_gzip = 0; as_gzip < 2; as_gzip++) {
            test_app.accept_encoding = as_gzip ? "gzip" : "";
            assert_int_equal(test_app_get("/api/metrics/series", query), 304);
            assert_null(strstr(test_app.headers, "Content-Encoding"));
        }
    }
}

static void a_recent_answer_is_of_the_form_that_was_asked_for(void **state)
{
    (void)state;
    char query[QUERY_BYTES];
    test_app_open(NULL);
    store(1);
    series(query, 300);
    test_app.cache_control = "max-age=60";
    for (int i = 0; i < 4; i++) {
        test_app.accept_encoding = i % 2 ? "gzip" : "";
        assert_int_equal(test_app_get("/api/metrics/series", query), 200);
        assert_int_equal(strstr(test_app.headers, "Content-Encoding") != NULL, i % 2);
        assert_int_equal(test_app.body[0] == '{', i % 2 == 0);
        assert_int_equal(strstr(test_app.headers, "Age: ") != NULL, i > 1);
    }
}

#define APP_TEST(name) cmocka_unit_test_setup_teardown(name, test_app_begin, test_app_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        APP_TEST(who_does_not_say_so_gets_what_is_true_now),
        APP_TEST(an_answer_serves_for_as_long_as_the_client_says),
        APP_TEST(what_the_client_has_is_asked_of_it_alone),
        APP_TEST(a_summary_is_that_of_its_own_cache),
        APP_TEST(what_differs_among_clients_is_never_shared),
        APP_TEST(errors_are_not_kept),
        APP_TEST(a_token_is_asked_for_all_the_same),
        APP_TEST(long_answers_are_compressed_for_who_takes_that),
        APP_TEST(short_answers_are_not),
        APP_TEST(who_has_the_plain_answer_has_the_compressed_one),
        APP_TEST(a_recent_answer_is_of_the_form_that_was_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
