#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config.h"

static struct config config;
static struct strbuf mistakes;

static int fresh(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_row_count; i++)
        (void)unsetenv(config_rows[i].name);
    strbuf_init(&mistakes, 65536);
    return 0;
}

static int done(void **state)
{
    (void)state;
    strbuf_release(&mistakes);
    return 0;
}

static const char *told(void)
{
    strbuf_append_char(&mistakes, '\0');
    return mistakes.bytes;
}

static void assert_refused(const char *name, const char *value)
{
    assert_int_equal(setenv(name, value, 1), 0);
    strbuf_reset(&mistakes);
    assert_false(config_load(&config, &mistakes));
    assert_non_null(strstr(told(), name));
    (void)unsetenv(name);
}

static void assert_taken(const char *name, const char *value)
{
    assert_int_equal(setenv(name, value, 1), 0);
    strbuf_reset(&mistakes);
    if (!config_load(&config, &mistakes))
        fail_msg("%s", told());
    (void)unsetenv(name);
}

static void defaults_are_valid(void **state)
{
    (void)state;
    assert_true(config_load(&config, &mistakes));
    assert_string_equal(config.redis_host, "localhost");
    assert_int_equal(config.redis_port, 6379);
    assert_int_equal(config.log_level, LOG_INFO);
    assert_int_equal(config.log_format, LOG_FORMAT_JSON);
    assert_true(config.external_failure_rate == 0.1);
    assert_true(config.workers >= 1);
    assert_string_equal(config.api_token, "");
    assert_string_equal(config.admin_token, "");
    assert_int_equal(config.retention_days, 0);
    assert_int_equal(config.aggregate_retention_days, 0);
}

static void an_empty_variable_counts_as_absent(void **state)
{
    (void)state;
    assert_taken("THREADS", "");
    assert_int_equal(config.threads, 16);
    assert_taken("WORKERS", "");
    assert_true(config.workers >= 1);
}

static void numbers_are_strict(void **state)
{
    (void)state;
    static const char *const wrong[] = {"0", "257", "-1", "1.5", " 4", "4 ", "0x10", "1e1", "four"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_refused("THREADS", wrong[i]);
    assert_taken("THREADS", "256");
    assert_int_equal(config.threads, 256);
    assert_refused("EXTERNAL_SERVICE_FAILURE_RATE", "1.01");
    assert_refused("EXTERNAL_SERVICE_FAILURE_RATE", "nan");
    assert_taken("EXTERNAL_SERVICE_FAILURE_RATE", "0.25");
    assert_true(config.external_failure_rate == 0.25);
}

static void the_rate_limit_goes_from_off_to_a_billion(void **state)
{
    (void)state;
    assert_taken("RATE_LIMIT_REQUESTS", "0");
    assert_taken("RATE_LIMIT_REQUESTS", "1000000000");
    assert_int_equal(config.rate_limit_requests, 1000000000);
    assert_refused("RATE_LIMIT_REQUESTS", "1000000001");
}

static void levels_ignore_case(void **state)
{
    (void)state;
    assert_taken("LOG_LEVEL", "warning");
    assert_int_equal(config.log_level, LOG_WARNING);
    assert_taken("LOG_FORMAT", "Text");
    assert_int_equal(config.log_format, LOG_FORMAT_TEXT);
    assert_refused("LOG_LEVEL", "verbose");
    assert_refused("LOG_FORMAT", "xml");
}

static void networks_are_checked(void **state)
{
    (void)state;
    assert_taken("TRUSTED_PROXIES", "10.0.0.0/8, ::1,2001:db8::/32");
    static const char *const wrong[] = {"10.0.0.0/33", "10.0.0", "::1/129",   "a", "10.0.0.1,", ",",
                                        "1.2.3.4/",    "/8",     "1.2.3.4/-1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_refused("TRUSTED_PROXIES", wrong[i]);
}

static void the_external_url_is_of_http_and_can_be_added_to(void **state)
{
    (void)state;
    static const char *const right[] = {"http://a",
                                        "https://a.example:8443/b/c?d=e&f",
                                        "http://127.0.0.1:65535?",
                                        "http://[::1]/",
                                        "http://[::1]:80",
                                        "https://user:pa:ss@a/b@c:d"};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        assert_taken("EXTERNAL_SERVICE_URL", right[i]);
    static const char *const wrong[] = {"a",
                                        "ftp://a",
                                        "file:///etc/passwd",
                                        "//a",
                                        "http:/a",
                                        "http://",
                                        "https:///a",
                                        "http://?a",
                                        "http://:80/",
                                        "http://a:0",
                                        "http://a:/",
                                        "http://a:65536",
                                        "http://a:8x/",
                                        "http://[::1",
                                        "http://[]/",
                                        "http://[::1]x",
                                        "http://a b",
                                        "http://a/#b",
                                        "http://u@",
                                        "http://a/\x7f",
                                        "http://a/\xc3\xa9",
                                        "http://a\n/"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_refused("EXTERNAL_SERVICE_URL", wrong[i]);
}

static void an_external_url_has_2048_characters_at_most(void **state)
{
    (void)state;
    char url[2050] = "http://a/";
    memset(url + 9, 'b', sizeof url - 10);
    assert_refused("EXTERNAL_SERVICE_URL", url);
    url[2048] = '\0';
    assert_taken("EXTERNAL_SERVICE_URL", url);
}

static void a_key_prefix_has_nothing_that_keys_are_made_of(void **state)
{
    (void)state;
    assert_taken("KEY_PREFIX", "my-app:");
    static const char *const wrong[] = {"a{b", "a}b", "a b", "a*", "a\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_refused("KEY_PREFIX", wrong[i]);
}

static void all_mistakes_are_told_at_once(void **state)
{
    (void)state;
    (void)setenv("THREADS", "none", 1);
    (void)setenv("REDIS_PORT", "70000", 1);
    assert_false(config_load(&config, &mistakes));
    const char *text = told();
    assert_non_null(strstr(text, "THREADS=\"none\": must be an integer from 1 to 256\n"));
    assert_non_null(strstr(text, "REDIS_PORT=\"70000\": must be an integer from 1 to 65535\n"));
}

static void secrets_are_never_printed(void **state)
{
    (void)state;
    (void)setenv("API_TOKEN", "hush hush", 1);
    (void)setenv("ADMIN_TOKEN", "hush\thush", 1);
    (void)setenv("REDIS_PASSWORD", "hush\nhush", 1);
    (void)setenv("EXTERNAL_SERVICE_URL", "http//user:hush@host/", 1);
    assert_false(config_load(&config, &mistakes));
    const char *text = told();
    assert_non_null(strstr(text, "API_TOKEN"));
    assert_non_null(strstr(text, "ADMIN_TOKEN"));
    assert_non_null(strstr(text, "REDIS_PASSWORD"));
    assert_non_null(strstr(text, "EXTERNAL_SERVICE_URL: must be http://"));
    assert_null(strstr(text, "hush"));
}

static void settings_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    assert_refused("EXTERNAL_SERVICE_LATENCY_MIN_MS", "151");
    assert_refused("STUCK_SECONDS", "7"); /* external service 5 s, two writes of 1 s */
    assert_taken("STUCK_SECONDS", "8");
    assert_refused("REDIS_WRITE_TIMEOUT_MS", "12500");
    assert_taken("REDIS_WRITE_TIMEOUT_MS", "12499");
    assert_refused("REDIS_TIMEOUT_MS", "27000");
}

static void samples_are_kept_for_a_hundred_years_or_for_ever(void **state)
{
    (void)state;
    assert_taken("RETENTION_DAYS", "36500");
    assert_int_equal(config.retention_days, 36500);
    assert_refused("RETENTION_DAYS", "36501");
    assert_refused("RETENTION_DAYS", "-1");
    (void)setenv("RETENTION_DAYS", "36500", 1);
    assert_taken("AGGREGATE_RETENTION_DAYS", "36500");
    assert_refused("AGGREGATE_RETENTION_DAYS", "36501");
}

static void aggregates_are_not_kept_for_less_than_their_samples(void **state)
{
    (void)state;
    assert_refused("AGGREGATE_RETENTION_DAYS", "36500");
    assert_non_null(strstr(mistakes.bytes, "must be 0 while RETENTION_DAYS is 0 (for ever)\n"));
    (void)setenv("RETENTION_DAYS", "30", 1);
    assert_refused("AGGREGATE_RETENTION_DAYS", "1");
    assert_refused("AGGREGATE_RETENTION_DAYS", "29");
    assert_non_null(strstr(mistakes.bytes, "RETENTION_DAYS=\"29\""));
    assert_non_null(strstr(mistakes.bytes, "at least RETENTION_DAYS, which is 30\n"));
    assert_taken("AGGREGATE_RETENTION_DAYS", "30");
    assert_taken("AGGREGATE_RETENTION_DAYS", "31");
    assert_int_equal(config.aggregate_retention_days, 31);
    assert_taken("AGGREGATE_RETENTION_DAYS", "0");
}

static void an_administrator_is_not_every_client(void **state)
{
    (void)state;
    assert_taken("ADMIN_TOKEN", "hush");
    assert_string_equal(config.admin_token, "hush");
    (void)setenv("API_TOKEN", "hush", 1);
    assert_refused("ADMIN_TOKEN", "hush");
    assert_non_null(strstr(mistakes.bytes, "differ from API_TOKEN"));
    assert_null(strstr(mistakes.bytes, "hush"));
    assert_taken("ADMIN_TOKEN", "hushed");
    assert_taken("ADMIN_TOKEN", "");
}

static const struct config_row *find_row(const char *name, size_t len)
{
    for (size_t i = 0; i < config_row_count; i++) {
        if (strlen(config_rows[i].name) == len && strncmp(config_rows[i].name, name, len) == 0)
            return &config_rows[i];
    }
    return NULL;
}

static void env_example_and_the_table_say_the_same(void **state)
{
    (void)state;
    FILE *file = fopen(".env.example", "r");
    if (!file)
        fail_msg("run me in the folder of .env.example");
    char line[512];
    size_t found = 0;
    while (fgets(line, sizeof line, file)) {
        const char *equals = strchr(line, '=');
        if (line[0] != '#' || line[1] == ' ' || !equals)
            continue;
        const struct config_row *row = find_row(line + 1, (size_t)(equals - line - 1));
        if (!row) {
            fail_msg(".env.example has %s", line);
            break;
        }
        line[strcspn(line, "\n")] = '\0';
        assert_string_equal(equals + 1, row->default_text);
        found++;
    }
    (void)fclose(file);
    assert_int_equal(found, config_row_count);
}

static void help_lists_every_variable(void **state)
{
    (void)state;
    config_describe(&mistakes);
    const char *text = told();
    for (size_t i = 0; i < config_row_count; i++)
        assert_non_null(strstr(text, config_rows[i].name));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_valid),
        TEST(an_empty_variable_counts_as_absent),
        TEST(numbers_are_strict),
        TEST(the_rate_limit_goes_from_off_to_a_billion),
        TEST(levels_ignore_case),
        TEST(networks_are_checked),
        TEST(the_external_url_is_of_http_and_can_be_added_to),
        TEST(an_external_url_has_2048_characters_at_most),
        TEST(a_key_prefix_has_nothing_that_keys_are_made_of),
        TEST(all_mistakes_are_told_at_once),
        TEST(secrets_are_never_printed),
        TEST(settings_that_contradict_each_other_are_refused),
        TEST(samples_are_kept_for_a_hundred_years_or_for_ever),
        TEST(aggregates_are_not_kept_for_less_than_their_samples),
        TEST(an_administrator_is_not_every_client),
        TEST(env_example_and_the_table_say_the_same),
        TEST(help_lists_every_variable),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
