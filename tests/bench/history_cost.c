/*
 * history_cost: what a past of realistic samples takes, and what questions about it cost.
 *
 *   history_cost [sizes|times]        both unless given
 *
 * Against a redis-server of its own, without an append-only file, at the level of the
 * store (neither HTTP nor JSON). Sizes are what MEMORY USAGE says of all keys after the
 * tender has sealed and gathered: names, indexes and aggregates included. What tending took
 * is the CPU time of both processes, in microseconds a sample.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "chunk_sealer.h"
#include "history.h"
#include "metric_tender.h"
#include "rate_limiter.h"
#include "span.h"
#include "summary_cache.h"
#include "test_redis.h"

enum { ROUNDS = 21, PATIENCE_MS = 60000, POINTS = 300, SEED = 20261125 };

#define SECOND_US INT64_C(1000000)
#define DAY_US    (24 * HOUR_US)

static struct test_redis server;
static struct redis_client *client;
static struct metric_store *store;
static struct chunk_sealer *sealer;

static void give_up(const char *what)
{
    (void)fprintf(stderr, "history_cost: %s\n", what);
    exit(1);
}

static struct redisReply *call(const struct slice *argv, size_t argc)
{
    struct redisReply *reply;
    if (redis_client_call(client, REDIS_LANE_WRITE, argv, argc, &reply, NULL) != ERR_OK)
        give_up("no answer");
    return reply;
}

/* A figure of INFO cpu. */
static double cpu_figure(const char *name)
{
    const struct slice argv[] = {SLICE("INFO"), SLICE("cpu")};
    struct redisReply *reply = call(argv, 2);
    struct slice text;
    if (!redis_reply_bytes(reply, &text))
        give_up("no INFO");
    char *copy = strndup(text.ptr, text.len);
    const char *found = copy ? strstr(copy, name) : NULL;
    if (!found)
        give_up("INFO lacks a figure");
    double value = strtod(found + strlen(name), NULL);
    free(copy);
    redis_reply_free(reply);
    return value;
}

static double size_of_all_keys(void)
{
    const struct slice argv[] = {SLICE("KEYS"), SLICE("*")};
    struct redisReply *keys = call(argv, 2);
    int64_t sum = 0;
    for (size_t i = 0; i < redis_reply_count(keys); i++) {
        struct slice usage[] = {SLICE("MEMORY"), SLICE("USAGE"), SLICE(""), SLICE("SAMPLES"),
                                SLICE("0")};
        int64_t bytes;
        if (!redis_reply_bytes_at(keys, i, &usage[2]))
            give_up("no key");
        struct redisReply *reply = call(usage, 5);
        if (!redis_reply_integer(reply, &bytes))
            give_up("no size");
        sum += bytes;
        redis_reply_free(reply);
    }
    redis_reply_free(keys);
    return (double)sum;
}

static void flush(void)
{
    char out[64];
    if (!test_redis_command(&server, out, sizeof out, "FLUSHALL SYNC"))
        give_up("no FLUSHALL");
}

static void fill(enum series_kind kind, int64_t interval_us, int64_t span_us)
{
    struct series_generator generator;
    int64_t now_us = clock_wall_now().us;
    int64_t start = (now_us / DAY_US) * DAY_US - span_us;
    series_generator_init(&generator, kind, interval_us, (struct wall_time){start}, SEED);
    history_append(client, store, series_kind_name(kind), &generator,
                   (size_t)(span_us / interval_us));
}

/* Of the server and of ourselves, in seconds. */
static double used_cpu(void)
{
    struct timespec own;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    return (double)own.tv_sec + (double)own.tv_nsec * 1e-9 +
           cpu_figure("used_cpu_user_main_thread:") + cpu_figure("used_cpu_sys_main_thread:");
}

static void print_size(enum series_kind kind, int64_t interval_us, const char *reach)
{
    double count = (double)(7 * DAY_US / interval_us);
    flush();
    fill(kind, interval_us, 7 * DAY_US);
    double cpu = used_cpu();
    history_tend(client, sealer, series_kind_name(kind));
    cpu = used_cpu() - cpu;
    double bytes = size_of_all_keys() / count;
    printf("%-12s %6s %8.2f %8s %12.2f %20.2f %8s\n", series_kind_name(kind),
           interval_us == SECOND_US ? "1/s" : "1/min", bytes, reach, cpu * 1e6 / count,
           cpu * 1e3 * 100 / count, "5");
    (void)fflush(stdout);
}

static void print_sizes(void)
{
    static const struct {
        enum series_kind kind;
        const char *each_second, *each_minute;
    } rows[] = {{SERIES_CONSTANT, "", ""},        {SERIES_COUNTER, "1.5", "3"},
                {SERIES_TEMPERATURE, "1.0", "3"}, {SERIES_CPU, "2.5", "4"},
                {SERIES_LATENCY, "5", "7"},       {SERIES_RANDOM, "", ""}};
    printf("%-12s %6s %8s %8s %12s %20s %8s\n", "a week of", "rate", "bytes", "reach", "us to tend",
           "% of core at 1,000/s", "reach");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        print_size(rows[i].kind, SECOND_US, rows[i].each_second);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        print_size(rows[i].kind, 60 * SECOND_US, rows[i].each_minute);
}

static int compare_times(const void *left, const void *right)
{
    const int64_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

static void ask(enum series_kind kind, int64_t from_us, int64_t step_us, size_t count)
{
    struct aggregate *points = calloc(count, sizeof *points);
    struct metric_report report;
    struct error err;
    error_init(&err);
    if (!points)
        give_up("no memory");
    for (size_t i = 0; i < count; i++)
        aggregate_init(&points[i], true);
    struct metric_question question = {.type = slice_from_string(series_kind_name(kind)),
                                       .from = {from_us},
                                       .to = WALL_TIME_MAX,
                                       .step_us = step_us};
    if (step_us > 0)
        question.to.us = from_us + step_us * (int64_t)count;
    if (metric_store_series(store, &question, mono_after_ms(clock_mono_now(), PATIENCE_MS), points,
                            count, &report, &err) != ERR_OK)
        give_up(err.cause);
    for (size_t i = 0; i < count; i++)
        aggregate_release(&points[i]);
    free(points);
}

static void print_times(const char *name, int64_t *times_us, const char *reach)
{
    qsort(times_us, ROUNDS, sizeof *times_us, compare_times);
    printf("%-56s %8.2f %8.2f %8s\n", name, (double)times_us[ROUNDS / 2] / 1000.0,
           (double)times_us[ROUNDS - 1] / 1000.0, reach);
    (void)fflush(stdout);
}

static void time_series(const char *name, enum series_kind kind, int64_t from_us, int64_t step_us,
                        size_t count, const char *reach)
{
    int64_t times_us[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        struct mono_time start = clock_mono_now();
        ask(kind, from_us, step_us, count);
        times_us[i] = clock_mono_now().us - start.us;
    }
    print_times(name, times_us, reach);
}

static void time_kept_answer(enum series_kind kind, const char *reach)
{
    struct summary_cache *cache = summary_cache_new(store, client, 300);
    int64_t times_us[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        struct summary_answer answer;
        struct strbuf external;
        struct error err;
        error_init(&err);
        strbuf_init(&external, 4096);
        aggregate_init(&answer.aggregate, true);
        struct mono_time start = clock_mono_now();
        if (summary_cache_get(cache, slice_from_string(series_kind_name(kind)), PERIOD_ALL, 0,
                              mono_after_ms(start, PATIENCE_MS), &answer, &external,
                              &err) != ERR_OK)
            give_up(err.cause);
        times_us[i] = clock_mono_now().us - start.us;
        aggregate_release(&answer.aggregate);
        strbuf_release(&external);
    }
    print_times("    summary, kept answer", times_us, reach);
    summary_cache_free(cache);
}

static int64_t days_ago(int64_t days)
{
    return (clock_wall_now().us / DAY_US - days) * DAY_US;
}

static void print_question_times(void)
{
    printf("%-56s %8s %8s %8s\n", "ms", "median", "worst", "reach");
    for (enum series_kind kind = SERIES_CPU; kind <= SERIES_LATENCY; kind++) {
        flush();
        fill(kind, SECOND_US, 30 * DAY_US);
        history_tend(client, sealer, series_kind_name(kind));
        printf("30 days of %s, one a second\n", series_kind_name(kind));
        time_series("    summary (the first of these makes the rollups)", kind,
                    days_ago(30) + 1234567, 0, 1, "15");
        time_kept_answer(kind, "2");
        time_series("    300 points of 2.4 h", kind, days_ago(30), 8640 * SECOND_US, POINTS, "30");
        time_series("    240 points of 3 h", kind, days_ago(30), 3 * HOUR_US, 240, "30");
        time_series("    288 points of 5 min over a day", kind, days_ago(1), 300 * SECOND_US, 288,
                    "");
    }
    flush();
    fill(SERIES_CPU, 60 * SECOND_US, 365 * DAY_US);
    history_tend(client, sealer, series_kind_name(SERIES_CPU));
    printf("a year of cpu, one a minute\n");
    time_series("    300 points of 29.2 h", SERIES_CPU, days_ago(365), 105120 * SECOND_US, POINTS,
                "30");
    time_series("    365 points of a day", SERIES_CPU, days_ago(365), DAY_US, 365, "30");
    time_series("    730 points of 12 h", SERIES_CPU, days_ago(365), 12 * HOUR_US, 730, "");
    time_series("    summary", SERIES_CPU, days_ago(365) + 1234567, 0, 1, "");
}

int main(int argc, char **argv)
{
    if (argc > 2 || (argc == 2 && strcmp(argv[1], "sizes") != 0 && strcmp(argv[1], "times") != 0)) {
        (void)fprintf(stderr, "usage: history_cost [sizes|times]\n");
        return 2;
    }
    static const char *const options[] = {"--appendonly", "no", "--save", "", NULL};
    static const struct metric_store_options store_options = {.types_max = 100,
                                                              .spans_per_type_max = 100000};
    test_redis_start(&server, options);
    client = test_redis_client(&server);
    struct rate_limiter *limiter = rate_limiter_new(client, 16);
    store = metric_store_new(&store_options, client, limiter);
    sealer = chunk_sealer_new(client);
    if (!limiter || !store || !sealer)
        give_up("no memory");
    if (argc == 1 || strcmp(argv[1], "sizes") == 0)
        print_sizes();
    if (argc == 1 || strcmp(argv[1], "times") == 0)
        print_question_times();
    chunk_sealer_free(sealer);
    metric_store_free(store);
    rate_limiter_free(limiter);
    redis_client_free(client);
    test_redis_stop(&server);
    return 0;
}
