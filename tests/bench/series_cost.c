/*
 * series_cost: what questions about many steps cost, from the request to the whole body.
 *
 * Against a redis-server of its own, with a past that was tended (history.h): sealed chunks,
 * no cached answer. The first asking of each question, which may make rollups, is not
 * counted.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "await.h"
#include "chunk_sealer.h"
#include "dispatch.h"
#include "history.h"
#include "host.h"
#include "metric_store.h"
#include "test_redis.h"

enum { ROUNDS = 15, SEED = 20261125, ARENA_BYTES = 8 << 20 };

#define SECOND_US INT64_C(1000000)
#define DAY_US    (86400 * SECOND_US)

static struct test_redis server;
static struct config config;
static struct app *app;
static struct arena arena;
static struct response res;

static void give_up(const char *what)
{
    (void)fprintf(stderr, "series_cost: %s\n", what);
    exit(1);
}

static void make_app(void)
{
    struct strbuf mistakes;
    strbuf_init(&mistakes, 4096);
    (void)setenv("REDIS_SOCKET", server.socket_path, 1);
    if (!config_load(&config, &mistakes) || !(app = app_new(&config, host_share(&config))) ||
        !test_redis_await_connected(app->redis, true, 5000))
        give_up("no application");
    strbuf_release(&mistakes);
}

static void fill(enum series_kind kind, int64_t interval_us, int64_t days)
{
    struct series_generator generator;
    struct chunk_sealer *sealer = chunk_sealer_new(app->redis);
    int64_t start_us = (clock_wall_now().us / DAY_US - days) * DAY_US;
    if (!sealer)
        give_up("no memory");
    series_generator_init(&generator, kind, interval_us, (struct wall_time){start_us}, SEED);
    history_append(app->redis, app->store, series_kind_name(kind), &generator,
                   (size_t)(days * DAY_US / interval_us));
    history_tend(app->redis, sealer, series_kind_name(kind));
    chunk_sealer_free(sealer);
}

static void ask(const char *path, const char *query)
{
    struct request req = {.method = SLICE("GET"),
                          .path = slice_from_string(path),
                          .query = slice_from_string(query),
                          .remote_address = SLICE("192.0.2.7"),
                          .request_id = SLICE("id"),
                          .if_none_match = SLICE(""),
                          .accept = SLICE(""),
                          .arena = &arena};
    response_reset(&res);
    arena_reset(&arena);
    dispatch(app, &req, &res);
    if (res.status != 200)
        give_up(strbuf_slice(&res.body).ptr);
}

static int compare_times(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void measure(const char *type, const char *path, const char *query, const char *reach)
{
    char whole[256];
    int64_t times_us[ROUNDS];
    (void)snprintf(whole, sizeof whole, "type=%s&to=now/d&%s", type, query);
    ask(path, whole);
    for (int i = 0; i < ROUNDS; i++) {
        struct mono_time start = clock_mono_now();
        ask(path, whole);
        times_us[i] = mono_us_between(start, clock_mono_now());
    }
    qsort(times_us, ROUNDS, sizeof *times_us, compare_times);
    printf("  %-9s %-40s %8.2f %8.2f %8zu %6s\n", strrchr(path, '/') + 1, query,
           (double)times_us[0] / 1e3, (double)times_us[ROUNDS / 2] / 1e3, res.body.len / 1024,
           reach);
    (void)fflush(stdout);
}

static const struct row {
    const char *path, *query, *reach;
} month_rows[] =
    {
        {"/api/metrics/series", "from=now-30d/d", "30"},
        {"/api/metrics/series", "from=now-30d/d&percentiles=", ""},
        {"/api/metrics/series", "from=now-30d/d&step=8640", "30"},
        {"/api/metrics/series", "from=now-30d/d&step=1h", ""},
        {"/api/metrics/series", "from=now-30d/d&step=300", ""},
        {"/api/metrics/series", "from=now-30d/d&step=300&percentiles=", ""},
        {"/api/metrics/series", "from=now-1d/d&step=5m", ""},
        {"/api/metrics/series", "from=now-1d/d&step=8s", ""},
        {"/api/metrics/heatmap", "from=now-30d/d", ""},
        {"/api/metrics/histogram", "from=now-30d/d", ""},
},
  year_rows[] = {
      {"/api/metrics/series", "from=now-365d/d", "30"},
      {"/api/metrics/series", "from=now-365d/d&step=105120", "30"},
      {"/api/metrics/series", "from=now-365d/d&step=1d", "30"},
      {"/api/metrics/series", "from=now-365d/d&step=12h", ""},
      {"/api/metrics/series", "from=now-365d/d&step=1h", ""},
      {"/api/metrics/series", "from=now-365d/d&step=1h&percentiles=", ""},
      {"/api/metrics/heatmap", "from=now-365d/d", ""},
      {"/api/metrics/histogram", "from=now-365d/d", ""},
};

int main(void)
{
    static const char *const options[] = {"--appendonly", "no", NULL};
    test_redis_start(&server, options);
    arena_init(&arena, ARENA_BYTES);
    response_init(&res);
    make_app();
    fill(SERIES_CPU, SECOND_US, 30);
    printf("%-52s %8s %8s %8s %6s\n", "30 days of cpu, one a second", "best", "median", "KiB",
           "reach");
    for (size_t i = 0; i < sizeof month_rows / sizeof *month_rows; i++)
        measure("cpu", month_rows[i].path, month_rows[i].query, month_rows[i].reach);
    fill(SERIES_TEMPERATURE, 60 * SECOND_US, 365);
    printf("a year of temperature, one a minute\n");
    for (size_t i = 0; i < sizeof year_rows / sizeof *year_rows; i++)
        measure("temperature", year_rows[i].path, year_rows[i].query, year_rows[i].reach);
    app_free(app);
    response_release(&res);
    arena_release(&arena);
    test_redis_stop(&server);
    return 0;
}
