/*
 * load_and_verify: what was acknowledged is there, once.
 *
 *   load_and_verify load PORT SECONDS THREADS FILE     post samples, note every 201 in FILE
 *   load_and_verify verify PORT FILE                   read all of them back
 *
 * While loading, refusals and broken connections are expected (somebody kills servers).
 * Each sample has a timestamp and value of its own; a type takes SAMPLES_PER_TYPE at
 * most, so that `list` shows all of it. Exit code 1: one is missing or there twice, or a
 * summary counts other than its list.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "http_client.h"

enum { SAMPLES_PER_TYPE = 800, THREADS_MAX = 64, LINE_BYTES = 160, LINES_MAX = 1000000 };

struct loader {
    pthread_t thread;
    int id, port;
    struct mono_time end;
    FILE *acknowledged; /* shared; stdio locks */
    long posted, stored, refused, broken;
};

static void *load(void *argument)
{
    struct loader *l = argument;
    struct http_client client;
    http_client_init(&client, "127.0.0.1", l->port, 5000);
    long i = 0;
    while (mono_is_before(clock_mono_now(), l->end)) {
        char type[64], body[256];
        long in_type = i % SAMPLES_PER_TYPE;
        (void)snprintf(type, sizeof type, "load_%ld_%d_%ld", (long)getpid(), l->id,
                       i / SAMPLES_PER_TYPE);
        (void)snprintf(body, sizeof body, "{\"timestamp\":%ld,\"value\":%ld,\"type\":\"%s\"}",
                       1700000000 + in_type * 37, in_type, type);
        int status = http_client_request(&client, "POST", "/api/metrics", body);
        l->posted++;
        if (status == 201) {
            l->stored++;
            (void)fprintf(l->acknowledged, "%s %ld\n", type, in_type);
        } else if (status > 0) {
            l->refused++;
        } else {
            l->broken++;
        }
        if (status != 201)
            (void)usleep(2000);
        i++;
    }
    http_client_release(&client);
    return NULL;
}

static int run_load(int port, int seconds, int count, const char *path)
{
    struct loader loaders[THREADS_MAX];
    FILE *file = fopen(path, "w");
    if (!file || count < 1 || count > THREADS_MAX)
        return 2;
    struct mono_time end = mono_after_ms(clock_mono_now(), seconds * 1000L);
    for (int i = 0; i < count; i++) {
        loaders[i] = (struct loader){.id = i, .port = port, .end = end, .acknowledged = file};
        if (pthread_create(&loaders[i].thread, NULL, load, &loaders[i]) != 0)
            return 2;
    }
    long posted = 0, stored = 0, refused = 0, broken = 0;
    for (int i = 0; i < count; i++) {
        (void)pthread_join(loaders[i].thread, NULL);
        posted += loaders[i].posted;
        stored += loaders[i].stored;
        refused += loaders[i].refused;
        broken += loaders[i].broken;
    }
    (void)fclose(file);
    (void)printf("posted=%ld stored=%ld refused=%ld broken=%ld\n", posted, stored, refused, broken);
    return stored > 0 ? 0 : 1;
}

struct tally {
    unsigned char acknowledged[SAMPLES_PER_TYPE];
    long checked, missing, twice, miscounted, unread;
};

/* Totals are kept beside the samples: one must not survive what kills the other. */
static void check_summary(struct http_client *client, const char *type, long listed,
                          struct tally *tally)
{
    char target[160];
    (void)snprintf(target, sizeof target, "/api/metrics/summary?type=%s", type);
    if (http_client_request(client, "GET", target, NULL) != 200)
        tally->unread++;
    else
        tally->miscounted += http_client_number(client, "count", -1) != (double)listed;
}

/* Count each value of the type in its list. */
static void check_type(struct http_client *client, const char *type, struct tally *tally)
{
    char target[160];
    (void)snprintf(target, sizeof target, "/api/metrics/list?type=%s&limit=1000", type);
    if (http_client_request(client, "GET", target, NULL) != 200) {
        tally->unread++;
        return;
    }
    unsigned char seen[SAMPLES_PER_TYPE] = {0};
    long listed = 0;
    const char *at = client->body;
    while ((at = strstr(at, "\"value\":"))) {
        at += 8;
        listed++;
        long value = (long)strtod(at, NULL);
        if (value >= 0 && value < SAMPLES_PER_TYPE && seen[value] < 255)
            seen[value]++;
    }
    for (int i = 0; i < SAMPLES_PER_TYPE; i++) {
        tally->checked += tally->acknowledged[i];
        tally->missing += tally->acknowledged[i] && !seen[i];
        tally->twice += seen[i] > 1;
    }
    check_summary(client, type, listed, tally);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void check_lines(char **lines, size_t count, int port, struct tally *tally)
{
    struct http_client client;
    http_client_init(&client, "127.0.0.1", port, 5000);
    for (size_t i = 0; i < count;) {
        char type[64];
        (void)snprintf(type, sizeof type, "%.*s", (int)strcspn(lines[i], " "), lines[i]);
        memset(tally->acknowledged, 0, sizeof tally->acknowledged);
        size_t len = strlen(type);
        for (; i < count && strncmp(lines[i], type, len) == 0 && lines[i][len] == ' '; i++) {
            long value = strtol(lines[i] + len, NULL, 10);
            if (value >= 0 && value < SAMPLES_PER_TYPE)
                tally->acknowledged[value] = 1;
        }
        check_type(&client, type, tally);
    }
    http_client_release(&client);
}

static int run_verify(int port, const char *path)
{
    static char *lines[LINES_MAX];
    size_t count = 0;
    char line[LINE_BYTES];
    FILE *file = fopen(path, "r");
    if (!file)
        return 2;
    while (count < LINES_MAX && fgets(line, sizeof line, file))
        lines[count++] = strdup(line);
    (void)fclose(file);
    qsort(lines, count, sizeof *lines, compare_lines);
    struct tally tally = {.checked = 0};
    check_lines(lines, count, port, &tally);
    for (size_t i = 0; i < count; i++)
        free(lines[i]);
    (void)printf("acknowledged=%zu checked=%ld missing=%ld twice=%ld miscounted=%ld unread=%ld\n",
                 count, tally.checked, tally.missing, tally.twice, tally.miscounted, tally.unread);
    bool is_whole = count > 0 && tally.missing == 0 && tally.twice == 0 && tally.miscounted == 0 &&
                    tally.unread == 0;
    return is_whole ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "load") == 0)
        return run_load((int)strtol(argv[2], NULL, 10), (int)strtol(argv[3], NULL, 10),
                        (int)strtol(argv[4], NULL, 10), argv[5]);
    if (argc == 4 && strcmp(argv[1], "verify") == 0)
        return run_verify((int)strtol(argv[2], NULL, 10), argv[3]);
    (void)fprintf(stderr, "usage: load_and_verify load PORT SECONDS THREADS FILE\n"
                          "       load_and_verify verify PORT FILE\n");
    return 2;
}
