/*
 * post_steady: so many samples a second, evenly, and how long each took.
 *
 *   post_steady PORT RATE SECONDS TYPE [THREADS]
 *
 * Prints "sent failed p50_us p99_us". A request that is due while the one before it is
 * under way is sent late, and its time counts from when it was due.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "http_client.h"

enum { THREADS_MAX = 32, TIMES_MAX = 1000000 };

struct poster {
    pthread_t thread;
    int port, id;
    const char *type;
    struct mono_time start;
    int64_t every_us;
    long count, failed;
    int64_t *times;
};

static void sleep_until(struct mono_time t)
{
    const struct timespec until = {.tv_sec = t.us / 1000000, .tv_nsec = t.us % 1000000 * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
        continue;
}

static void *run(void *argument)
{
    struct poster *p = argument;
    struct http_client client;
    http_client_init(&client, "127.0.0.1", p->port, 10000);
    for (long i = 0; i < p->count; i++) {
        struct mono_time due = mono_after_us(p->start, i * p->every_us);
        sleep_until(due);
        char body[192];
        (void)snprintf(body, sizeof body, "{\"timestamp\":%lld,\"value\":%ld.5,\"type\":\"%s\"}",
                       (long long)(clock_wall_now().us / 1000000), i % 100, p->type);
        p->failed += http_client_request(&client, "POST", "/api/metrics", body) != 201;
        p->times[i] = mono_us_between(due, clock_mono_now());
    }
    http_client_release(&client);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        (void)fprintf(stderr, "usage: post_steady PORT RATE SECONDS TYPE [THREADS]\n");
        return 2;
    }
    long rate = strtol(argv[2], NULL, 10), seconds = strtol(argv[3], NULL, 10);
    int threads = argc > 5 ? (int)strtol(argv[5], NULL, 10) : 4;
    if (threads < 1 || threads > THREADS_MAX || rate < threads || rate * seconds > TIMES_MAX)
        return 2;
    long each = rate * seconds / threads;
    int64_t *times = calloc((size_t)(each * threads), sizeof *times);
    struct poster posters[THREADS_MAX];
    struct mono_time start = mono_after_ms(clock_mono_now(), 10);
    int64_t every_us = 1000000L * threads / rate;
    if (!times)
        return 2;
    for (int i = 0; i < threads; i++) {
        posters[i] = (struct poster){.port = (int)strtol(argv[1], NULL, 10),
                                     .id = i,
                                     .type = argv[4],
                                     .start = mono_after_us(start, i * every_us / threads),
                                     .every_us = every_us,
                                     .count = each,
                                     .times = times + i * each};
        if (pthread_create(&posters[i].thread, NULL, run, &posters[i]) != 0)
            return 2;
    }
    long failed = 0;
    for (int i = 0; i < threads; i++) {
        (void)pthread_join(posters[i].thread, NULL);
        failed += posters[i].failed;
    }
    qsort(times, (size_t)(each * threads), sizeof *times, compare);
    (void)printf("%ld %ld %lld %lld\n", each * threads, failed,
                 (long long)times[each * threads / 2], (long long)times[each * threads * 99 / 100]);
    free(times);
    return 0;
}
