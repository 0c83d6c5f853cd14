/*
 * ingest_load: post batches over HTTP for some seconds, and say how fast they were taken.
 *
 *   ingest_load PORT PATH lines|series|json SAMPLES CONNECTIONS SECONDS
 *
 *   lines   line protocol, one series, a sample every millisecond
 *   series  line protocol, SAMPLES series, one sample of each in a request, a minute later each
 * time json    an array of samples, one type, a sample every second of one day
 *
 * A thread for each connection. Bodies are made once, but for their timestamps, which move on with
 * each request, whichever connection makes it. Prints samples/s, requests/s, p50 and p99 of a
 * request in milliseconds, answers that are not 2xx, samples that were taken; tab separated.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

enum { CONNECTIONS_MAX = 64, LATENCIES_MAX = 1 << 20, START_S = 1700000000 };

static struct load {
    uint16_t port;
    const char *path, *format;
    size_t samples, connections;
    int seconds;
    struct mono_time end;
    atomic_uint_fast64_t requests;
    atomic_size_t stored, failed, latency_count;
    uint32_t latencies_us[LATENCIES_MAX];
} load;

/* A request as it goes out, and where in its body each sample's timestamp stands. */
enum { TIME_DIGITS = 19, SAMPLE_BYTES = 128, HEAD_BYTES = 512 };
struct request {
    char *bytes, *body;
    size_t len;
    size_t *times;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int put_sample(char *to, size_t i, size_t count, size_t *time_at)
{
    double value = (double)(i * 7919 % 10007) / 100;
    int len;
    if (strcmp(load.format, "json") == 0) {
        len = snprintf(
            to, SAMPLE_BYTES,
            "%s{\"timestamp\":\"2023-11-14T%0*d\",\"value\":%.2f,\"type\":\"bench_json\"}%s",
            i == 0 ? "[" : "", 9, 0, value, i + 1 == count ? "]" : ",");
        *time_at = (size_t)(strstr(to, "T0") + 1 - to);
        return len;
    }
    bool is_series = strcmp(load.format, "series") == 0;
    len = is_series ? snprintf(to, SAMPLE_BYTES, "cpu,host=server-%04zu usage=%.2f ", i, value)
                    : snprintf(to, SAMPLE_BYTES, "bench_lines value=%.2f ", value);
    *time_at = (size_t)len;
    return len + snprintf(to + len, SAMPLE_BYTES, "%0*d\n", TIME_DIGITS, 0);
}

static void make_request(struct request *r)
{
    char *body = malloc(load.samples * SAMPLE_BYTES), head[HEAD_BYTES];
    r->times = calloc(load.samples, sizeof *r->times);
    if (!body || !r->times)
        die("malloc");
    size_t len = 0;
    for (size_t i = 0; i < load.samples; i++) {
        size_t time_at;
        int added = put_sample(body + len, i, load.samples, &time_at);
        r->times[i] = len + time_at;
        len += (size_t)added;
    }
    int head_len = snprintf(
        head, sizeof head,
        "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n"
        "Content-Length: %zu\r\n\r\n",
        load.path, strcmp(load.format, "json") == 0 ? "application/json" : "text/plain", len);
    r->len = (size_t)head_len + len;
    r->bytes = malloc(r->len);
    if (!r->bytes)
        die("malloc");
    memcpy(r->bytes, head, (size_t)head_len);
    memcpy(r->bytes + head_len, body, len);
    r->body = r->bytes + head_len;
    free(body);
}

static void put_digits(char *to, uint64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        to[i] = (char)('0' + value % 10);
}

/* hh:mm:ssZ */
static void put_clock(char *to, uint64_t second)
{
    put_digits(to, second / 3600 % 24, 2);
    put_digits(to + 3, second / 60 % 60, 2);
    put_digits(to + 6, second % 60, 2);
    to[2] = to[5] = ':';
    to[8] = 'Z';
}

static void set_times(struct request *r, uint64_t number)
{
    bool is_json = strcmp(load.format, "json") == 0, is_series = strcmp(load.format, "series") == 0;
    for (size_t i = 0; i < load.samples; i++) {
        uint64_t count = number * load.samples + i, ms = is_series ? number * 60000 : count;
        if (is_json)
            put_clock(r->body + r->times[i], count);
        else
            put_digits(r->body + r->times[i], (START_S * UINT64_C(1000) + ms) * 1000000,
                       TIME_DIGITS);
    }
}

static int open_connection(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(load.port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) != 0)
        die("connect");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* Read one answer, which has a Content-Length, is a 204, or is chunked with nothing behind its
 * end; its status, 0 where the connection is at its end. */
static int read_status(int fd)
{
    char text[8192];
    size_t len = 0;
    for (;;) {
        ssize_t got = read(fd, text + len, sizeof text - 1 - len);
        if (got <= 0)
            return 0;
        len += (size_t)got;
        text[len] = '\0';
        const char *head_end = strstr(text, "\r\n\r\n");
        if (!head_end)
            continue;
        int status = (int)strtol(text + 9, NULL, 10);
        const char *length = strcasestr(text, "content-length:");
        size_t body = length && length < head_end ? (size_t)strtol(length + 15, NULL, 10) : 0;
        if (len >= (size_t)(head_end + 4 - text) + body)
            return status;
    }
}

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        len -= (size_t)sent;
    }
    return true;
}

static void *run_connection(void *argument)
{
    (void)argument;
    struct request r;
    make_request(&r);
    int fd = open_connection();
    while (mono_is_before(clock_mono_now(), load.end)) {
        set_times(&r, atomic_fetch_add(&load.requests, 1));
        struct mono_time start = clock_mono_now();
        int status = send_all(fd, r.bytes, r.len) ? read_status(fd) : 0;
        if (status / 100 == 2)
            atomic_fetch_add(&load.stored, load.samples);
        else
            atomic_fetch_add(&load.failed, 1);
        size_t at = atomic_fetch_add(&load.latency_count, 1);
        if (at < LATENCIES_MAX)
            load.latencies_us[at] = (uint32_t)mono_us_between(start, clock_mono_now());
        if (status == 0) {
            (void)close(fd);
            fd = open_connection();
        }
    }
    (void)close(fd);
    free(r.bytes);
    free(r.times);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void report(double seconds)
{
    size_t count = atomic_load(&load.latency_count), stored = atomic_load(&load.stored);
    count = count < LATENCIES_MAX ? count : LATENCIES_MAX;
    qsort(load.latencies_us, count, sizeof *load.latencies_us, compare);
    (void)printf("%.0f\t%.0f\t%.2f\t%.2f\t%zu\t%zu\n", (double)stored / seconds,
                 (double)count / seconds, count ? load.latencies_us[count / 2] / 1e3 : 0,
                 count ? load.latencies_us[count * 99 / 100] / 1e3 : 0, atomic_load(&load.failed),
                 stored);
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        (void)fputs("usage: ingest_load PORT PATH lines|series|json SAMPLES CONNECTIONS SECONDS\n",
                    stderr);
        return 2;
    }
    load.port = (uint16_t)strtol(argv[1], NULL, 10);
    load.path = argv[2];
    load.format = argv[3];
    load.samples = (size_t)strtol(argv[4], NULL, 10);
    load.connections = (size_t)strtol(argv[5], NULL, 10);
    load.seconds = (int)strtol(argv[6], NULL, 10);
    if (load.samples == 0 || load.connections == 0 || load.connections > CONNECTIONS_MAX)
        return 2;
    pthread_t threads[CONNECTIONS_MAX];
    struct mono_time start = clock_mono_now();
    load.end = mono_after_ms(start, (int64_t)load.seconds * 1000);
    for (size_t i = 0; i < load.connections; i++) {
        if (pthread_create(&threads[i], NULL, run_connection, NULL) != 0)
            die("pthread_create");
    }
    for (size_t i = 0; i < load.connections; i++)
        (void)pthread_join(threads[i], NULL);
    report((double)mono_us_between(start, clock_mono_now()) / 1e6);
    return 0;
}
