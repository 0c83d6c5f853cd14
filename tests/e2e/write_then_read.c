/*
 * write_then_read: no answer without a write that completed before the question.
 *
 *   write_then_read PAIRS THREADS WRITE_PORT [READ_PORT]
 *
 * Each thread posts a sample of now, of a type of its own, and, the moment the 201 is there,
 * asks for the summary over another connection, without a pause; the periods take turns.
 * Every count has to include the sample, unless the answer says that it is the last one known while
 * Redis is slow. With READ_PORT the question goes to another instance. With FRESH_MS in the
 * environment an answer may lack what was written less than so long ago, and one at least has to.
 * On a busy machine Redis may be too slow for some: one request in a hundred may be 503.
 * Prints what it found; exit code 1 when one answer was older than it may be.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "http_client.h"

enum { PERIODS = 3, PATIENCE_MS = 20000 };
static const char *const periods[PERIODS] = {"all", "daily", "hourly"};

struct pair_thread {
    pthread_t thread;
    int id, pairs, write_port, read_port;
    int64_t fresh_us;
    struct mono_time *stored_at; /* of each sample, by our clock */
    int stored;
    int stale, labelled, allowed, refused, failed, hits[PERIODS];
    int64_t slowest_us;
};

/* How many samples an answer to a question of `now` has to know of. */
static int least_count(const struct pair_thread *t, struct mono_time now)
{
    int count = t->stored;
    while (count > 0 && mono_us_between(t->stored_at[count - 1], now) < t->fresh_us)
        count--;
    return count;
}

static bool has_status(struct pair_thread *t, int status, int wanted)
{
    t->refused += status == 503;
    t->failed += status != 503 && status != wanted;
    return status == wanted;
}

/* Also asks again: the second answer comes from the cache. */
static void ask(struct pair_thread *t, struct http_client *reader, const char *type, int period)
{
    char target[160];
    (void)snprintf(target, sizeof target, "/api/metrics/summary?type=%s&period=%s", type,
                   periods[period]);
    for (int again = 0; again < 2; again++) {
        int wanted = least_count(t, clock_mono_now());
        if (!has_status(t, http_client_request(reader, "GET", target, NULL), 200))
            continue;
        char cache[16] = "";
        (void)http_client_header(reader, "X-Cache", cache, sizeof cache);
        t->hits[period] += strcmp(cache, "HIT") == 0;
        double count = http_client_number(reader, "count", -1);
        t->allowed += count < t->stored;
        /* The last answer while Redis is slow is told as such, with its age. */
        t->labelled += count < wanted && strcmp(cache, "STALE") == 0;
        t->stale += count < wanted && strcmp(cache, "STALE") != 0;
    }
}

static void *run(void *argument)
{
    struct pair_thread *t = argument;
    struct http_client writer, reader;
    http_client_init(&writer, "127.0.0.1", t->write_port, PATIENCE_MS);
    http_client_init(&reader, "127.0.0.1", t->read_port, PATIENCE_MS);
    char type[64], body[160];
    (void)snprintf(type, sizeof type, "pair_%ld_%d", (long)getpid(), t->id);
    t->stored_at = calloc((size_t)t->pairs + 1, sizeof *t->stored_at);
    if (!t->stored_at)
        abort();
    for (int i = 0; i < t->pairs; i++) {
        (void)snprintf(body, sizeof body, "{\"timestamp\":%lld,\"value\":%d,\"type\":\"%s\"}",
                       (long long)(clock_wall_now().us / 1000000), i, type);
        struct mono_time start = clock_mono_now();
        if (!has_status(t, http_client_request(&writer, "POST", "/api/metrics", body), 201))
            continue;
        t->stored_at[t->stored++] = clock_mono_now();
        ask(t, &reader, type, i % PERIODS);
        int64_t us = mono_us_between(start, clock_mono_now());
        t->slowest_us = us > t->slowest_us ? us : t->slowest_us;
    }
    free(t->stored_at);
    http_client_release(&writer);
    http_client_release(&reader);
    return NULL;
}

int main(int argc, char **argv)
{
    enum { THREADS_MAX = 64 };
    struct pair_thread threads[THREADS_MAX];
    if (argc < 4 || argc > 5) {
        (void)fprintf(stderr, "usage: write_then_read PAIRS THREADS WRITE_PORT [READ_PORT]\n");
        return 2;
    }
    int pairs = (int)strtol(argv[1], NULL, 10);
    int count = (int)strtol(argv[2], NULL, 10);
    int write_port = (int)strtol(argv[3], NULL, 10);
    int read_port = argc > 4 ? (int)strtol(argv[4], NULL, 10) : write_port;
    const char *fresh_ms = getenv("FRESH_MS");
    int64_t fresh_us = fresh_ms ? strtol(fresh_ms, NULL, 10) * 1000L : 0;
    if (count < 1 || count > THREADS_MAX)
        return 2;
    for (int i = 0; i < count; i++) {
        threads[i] = (struct pair_thread){.id = i,
                                          .pairs = pairs / count,
                                          .write_port = write_port,
                                          .read_port = read_port,
                                          .fresh_us = fresh_us};
        if (pthread_create(&threads[i].thread, NULL, run, &threads[i]) != 0)
            return 2;
    }
    int stale = 0, labelled = 0, allowed = 0, refused = 0, failed = 0, hits[PERIODS] = {0};
    int64_t slowest_us = 0;
    for (int i = 0; i < count; i++) {
        (void)pthread_join(threads[i].thread, NULL);
        stale += threads[i].stale;
        labelled += threads[i].labelled;
        allowed += threads[i].allowed;
        refused += threads[i].refused;
        failed += threads[i].failed;
        for (int p = 0; p < PERIODS; p++)
            hits[p] += threads[i].hits[p];
        slowest_us = threads[i].slowest_us > slowest_us ? threads[i].slowest_us : slowest_us;
    }
    (void)printf("pairs=%d stale=%d told_stale=%d older=%d refused=%d failed=%d hits=%d,%d,%d "
                 "slowest_ms=%lld\n",
                 pairs / count * count, stale, labelled, allowed, refused, failed, hits[0], hits[1],
                 hits[2], (long long)(slowest_us / 1000));
    /* A test in which nothing came from a cache, or nothing was old that may be, would
     * have shown nothing. */
    bool has_shown = hits[0] > 0 && hits[1] > 0 && hits[2] > 0 && (fresh_us == 0 || allowed > 0) &&
                     refused <= pairs / 100;
    return stale == 0 && failed == 0 && has_shown ? 0 : 1;
}
