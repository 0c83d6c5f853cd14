/*
 * exactly_once: post samples with Idempotency-Keys, whatever dies meanwhile; then count them.
 *
 *   exactly_once post PORT SEED SAMPLES FOLDER LIFE_MS
 *   exactly_once verify PORT SEED SAMPLES
 *
 * What is posted depends on the seed and on how many SAMPLES there are to be, at least, alone:
 * CONNECTIONS streams of requests of one type or of a thousand (which go to Redis in several
 * parts), in JSON, NDJSON and line protocol, with and without timestamps. A request is sent until
 * it is answered 2xx, each time with the same body and key; only then FOLDER notes it. LIFE_MS: the
 * program kills itself after up to so long, by chance; whoever starts it again has it go on where
 * FOLDER says (0: it lives on). Exit code 0: all was answered. Any answer but 2xx and 5xx is wrong.
 *
 * verify reads count and sum of every type back through the API, and that there are no others.
 */
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http_client.h"
#include "strbuf.h"
#include "test_random.h"

enum {
    CONNECTIONS = 6,
    SERIES = 1000,
    SAMPLES_MIN = 1000, /* of a request */
    SAMPLES_MAX = 4000,
    BODY_BYTES_MAX = 1 << 20,
    START_S = 1700000000,
    HOUR_S = 3600,
    RETRY_MS = 3,
    TIMEOUT_MS = 30000,
    PATIENCE_MS = 30000
};

enum format { FORMAT_ARRAY, FORMAT_NDJSON, FORMAT_LINES, FORMAT_LINES_WITHOUT_TIME, FORMAT_COUNT };

/* A request, as its seed, connection and number make it. */
struct plan {
    size_t connection, number;
    enum format format;
    bool has_series; /* SERIES of them, in turn */
    size_t samples, hours;
};

static uint64_t seed;
static size_t samples_wanted; /* of a connection, at least */

static struct plan plan_of(size_t connection, size_t number)
{
    struct test_random chance = {seed + connection * UINT64_C(1000003) + number + 1};
    for (int i = 0; i < 20; i++) /* seeds that are alike begin alike */
        (void)test_random_u64(&chance);
    return (struct plan){.connection = connection,
                         .number = number,
                         .format = (enum format)test_random_below(&chance, FORMAT_COUNT),
                         .has_series = test_random_below(&chance, 2),
                         .samples = SAMPLES_MIN +
                                    test_random_below(&chance, SAMPLES_MAX - SAMPLES_MIN + 1),
                         .hours = 1 + test_random_below(&chance, 3)};
}

static bool is_json(const struct plan *plan)
{
    return plan->format == FORMAT_ARRAY || plan->format == FORMAT_NDJSON;
}

/* Whole, so that sums are exact; another one for each sample of a request. */
static int64_t value_of(const struct plan *plan, size_t sample)
{
    return (int64_t)(plan->number * 7919 % 1000 * SAMPLES_MAX + sample);
}

/* --- Types ---------------------------------------------------------------------------- */

/* Of JSON, then of lines: one for each connection, then all series. */
enum { TYPES_OF_A_FORMAT = CONNECTIONS + SERIES, TYPES = 2 * TYPES_OF_A_FORMAT };

static size_t type_of(const struct plan *plan, size_t sample)
{
    size_t type = plan->has_series ? CONNECTIONS + sample % SERIES : plan->connection;
    return is_json(plan) ? type : TYPES_OF_A_FORMAT + type;
}

/* As a body has it; of lines the series without its field. */
static void write_type(struct strbuf *text, size_t type)
{
    size_t index = type % TYPES_OF_A_FORMAT;
    const char *separator = type < TYPES_OF_A_FORMAT ? "_" : ",n=";
    bool is_series = index >= CONNECTIONS;
    strbuf_printf(text, "%s%s%zu", is_series ? "many" : "one", separator,
                  is_series ? index - CONNECTIONS : index);
}

/* As a parameter has it. */
static void write_parameter(struct strbuf *text, size_t type)
{
    if (type < TYPES_OF_A_FORMAT) {
        write_type(text, type);
        return;
    }
    size_t index = type - TYPES_OF_A_FORMAT;
    bool is_series = index >= CONNECTIONS;
    strbuf_printf(text, "%s.v%%3Bn%%3D%zu", is_series ? "many" : "one",
                  is_series ? index - CONNECTIONS : index);
}

/* --- Bodies --------------------------------------------------------------------------- */

static void write_sample(struct strbuf *body, const struct plan *plan, size_t sample)
{
    int64_t at_s = START_S + (int64_t)(sample % plan->hours) * HOUR_S + (int64_t)sample / 8;
    if (!is_json(plan)) {
        write_type(body, type_of(plan, sample));
        strbuf_printf(body, " v=%" PRId64 "i", value_of(plan, sample));
        if (plan->format == FORMAT_LINES)
            strbuf_printf(body, " %" PRId64, at_s);
        strbuf_append_char(body, '\n');
        return;
    }
    strbuf_printf(body, "{\"timestamp\":%" PRId64 ",\"value\":%" PRId64 ",\"type\":\"", at_s,
                  value_of(plan, sample));
    write_type(body, type_of(plan, sample));
    strbuf_append_slice(body, SLICE("\"}"));
    strbuf_append_char(body, plan->format == FORMAT_NDJSON ? '\n'
                             : sample + 1 < plan->samples  ? ','
                                                           : ']');
}

static void write_body(struct strbuf *body, const struct plan *plan)
{
    strbuf_reset(body);
    if (plan->format == FORMAT_ARRAY)
        strbuf_append_char(body, '[');
    for (size_t i = 0; i < plan->samples; i++)
        write_sample(body, plan, i);
    if (strbuf_failed(body))
        abort();
}

/* --- Posting -------------------------------------------------------------------------- */

struct poster {
    pthread_t thread;
    size_t id;
    int port;
    const char *folder;
    FILE *place; /* how many requests were answered, a line each */
    size_t sent, refused, broken, wrong;
};

static size_t open_place(struct poster *p)
{
    char path[512];
    size_t place = 0;
    (void)snprintf(path, sizeof path, "%s/%zu", p->folder, p->id);
    p->place = fopen(path, "a+");
    if (!p->place)
        abort();
    rewind(p->place);
    for (int c; (c = fgetc(p->place)) != EOF;)
        place += c == '\n';
    return place;
}

static void note_place(struct poster *p)
{
    if (fputc('\n', p->place) == EOF || fflush(p->place) != 0)
        abort();
}

/* A 2xx has to tell how many it is for, also when it is one of a repetition. */
static bool tells_count(const struct http_client *client, const struct plan *plan)
{
    char text[32] = "";
    if (is_json(plan))
        return http_client_number(client, "accepted", -1) == (double)plan->samples;
    return http_client_header(client, "X-Samples-Accepted", text, sizeof text) &&
           strtoul(text, NULL, 10) == plan->samples;
}

static bool is_wrong(int status, const struct http_client *client, const struct plan *plan)
{
    if (status == (is_json(plan) ? 201 : 204))
        return !tells_count(client, plan);
    return status >= 0 && status < 500;
}

/* False: the answer is one that there may not be. */
static bool post_until_answered(struct poster *p, struct http_client *client,
                                const struct plan *plan, struct slice body)
{
    char headers[256];
    const char *target = is_json(plan) ? "/api/metrics" : "/write?precision=s";
    (void)snprintf(headers, sizeof headers,
                   "Content-Type: %s\r\nIdempotency-Key: %" PRIu64 "-%zu-%zu\r\n",
                   plan->format == FORMAT_NDJSON ? "application/x-ndjson" : "application/json",
                   seed, plan->connection, plan->number);
    for (;;) {
        int status = http_client_send(client, "POST", target, headers, body);
        p->sent++;
        p->refused += status >= 500;
        p->broken += status < 0;
        if (is_wrong(status, client, plan)) {
            (void)printf("# request %zu of connection %zu is answered %d: %.300s\n", plan->number,
                         plan->connection, status, client->body);
            return false;
        }
        if (status >= 200 && status < 300)
            return true;
        (void)poll(NULL, 0, RETRY_MS);
    }
}

static void *post(void *argument)
{
    struct poster *p = argument;
    struct http_client client;
    struct strbuf body;
    http_client_init(&client, "127.0.0.1", p->port, TIMEOUT_MS);
    strbuf_init(&body, BODY_BYTES_MAX);
    size_t place = open_place(p), samples = 0;
    for (size_t number = 0; samples < samples_wanted; number++) {
        const struct plan plan = plan_of(p->id, number);
        samples += plan.samples;
        if (number < place)
            continue;
        write_body(&body, &plan);
        if (!post_until_answered(p, &client, &plan, strbuf_slice(&body))) {
            p->wrong++;
            break;
        }
        note_place(p);
    }
    (void)fclose(p->place);
    strbuf_release(&body);
    http_client_release(&client);
    return NULL;
}

/* Not by the seed: where it dies is for the clock to say anyway. */
static void *die_in_time(void *argument)
{
    const int *left_ms = argument;
    (void)poll(NULL, 0, *left_ms);
    (void)kill(getpid(), SIGKILL);
    return NULL;
}

static int run_post(int port, const char *folder, long life_ms)
{
    struct poster posters[CONNECTIONS], sum = {.id = 0};
    pthread_t death;
    int left_ms = (int)arc4random_uniform((uint32_t)life_ms + 1);
    if (life_ms > 0 && pthread_create(&death, NULL, die_in_time, &left_ms) != 0)
        return 2;
    for (size_t i = 0; i < CONNECTIONS; i++) {
        posters[i] = (struct poster){.id = i, .port = port, .folder = folder};
        if (pthread_create(&posters[i].thread, NULL, post, &posters[i]) != 0)
            return 2;
    }
    for (size_t i = 0; i < CONNECTIONS; i++) {
        (void)pthread_join(posters[i].thread, NULL);
        sum.sent += posters[i].sent;
        sum.refused += posters[i].refused;
        sum.broken += posters[i].broken;
        sum.wrong += posters[i].wrong;
    }
    if (life_ms > 0) { /* whoever is done lives on */
        (void)pthread_cancel(death);
        (void)pthread_join(death, NULL);
    }
    (void)printf("# in its last life: sent=%zu refused=%zu broken=%zu wrong=%zu\n", sum.sent,
                 sum.refused, sum.broken, sum.wrong);
    return sum.wrong > 0 ? 1 : 0;
}

/* --- Counting ------------------------------------------------------------------------- */

struct expected {
    size_t samples, json_requests, types;
    struct {
        size_t count;
        int64_t sum;
    } of[TYPES];
};

static void expect_connection(struct expected *all, size_t connection)
{
    size_t samples = 0;
    for (size_t number = 0; samples < samples_wanted; number++) {
        const struct plan plan = plan_of(connection, number);
        samples += plan.samples;
        all->json_requests += is_json(&plan);
        for (size_t i = 0; i < plan.samples; i++) {
            size_t type = type_of(&plan, i);
            all->types += all->of[type].count == 0;
            all->of[type].count++;
            all->of[type].sum += value_of(&plan, i);
        }
    }
    all->samples += samples;
}

/* A busy machine may keep Redis from answering in time, which is 503. */
static int get(struct http_client *client, const char *target)
{
    int status = 503;
    for (int i = 0; i < PATIENCE_MS / RETRY_MS && (status < 0 || status >= 500); i++) {
        if (i > 0)
            (void)poll(NULL, 0, RETRY_MS);
        status = http_client_request(client, "GET", target, NULL);
    }
    return status;
}

static size_t count_wrong_types(const struct expected *all, struct http_client *client)
{
    size_t wrong = 0;
    struct strbuf target;
    strbuf_init(&target, 256);
    for (size_t type = 0; type < TYPES; type++) {
        if (all->of[type].count == 0)
            continue;
        strbuf_reset(&target);
        strbuf_append_slice(&target, SLICE("/api/metrics/summary?percentiles=&type="));
        write_parameter(&target, type);
        strbuf_append_char(&target, '\0');
        int status = get(client, target.bytes);
        double count = http_client_number(client, "count", -1),
               sum = http_client_number(client, "sum", -1);
        if (status == 200 && count == (double)all->of[type].count &&
            sum == (double)all->of[type].sum)
            continue;
        if (wrong++ < 5)
            (void)printf("# %s: %d, %.0f samples of %zu, sum %.0f of %" PRId64 "\n", target.bytes,
                         status, count, all->of[type].count, sum, all->of[type].sum);
    }
    strbuf_release(&target);
    return wrong;
}

/* All pages of /api/metrics/types: how many there are, and what they say they hold. */
static bool count_types(struct http_client *client, size_t *types, double *samples)
{
    char target[1024] = "/api/metrics/types?limit=500";
    *types = 0;
    *samples = 0;
    for (;;) {
        if (get(client, target) != 200)
            return false;
        for (const char *at = client->body; (at = strstr(at, "\"count\":")); (*types)++) {
            at += 8;
            *samples += strtod(at, NULL);
        }
        const char *next = strstr(client->body, "\"next\":\"");
        if (!next)
            return true;
        next += 8;
        (void)snprintf(target, sizeof target, "/api/metrics/types?limit=500&cursor=%.*s",
                       (int)strcspn(next, "\""), next);
    }
}

/* Of a limit that is told: how many requests it has admitted, as far as it is concerned. */
static double admitted(struct http_client *client)
{
    if (get(client, "/api/rate-limit") != 200)
        return -1;
    return http_client_number(client, "limit", 0) - http_client_number(client, "remaining", 0);
}

static int run_verify(int port)
{
    static struct expected all;
    struct http_client client;
    size_t types;
    double samples;
    for (size_t i = 0; i < CONNECTIONS; i++)
        expect_connection(&all, i);
    http_client_init(&client, "127.0.0.1", port, TIMEOUT_MS);
    size_t wrong = count_wrong_types(&all, &client);
    bool is_read = count_types(&client, &types, &samples);
    double spent = admitted(&client);
    http_client_release(&client);
    (void)printf("samples=%zu types=%zu wrong=%zu listed_samples=%.0f listed_types=%zu "
                 "json_requests=%zu admitted=%.0f\n",
                 all.samples, all.types, wrong, samples, types, all.json_requests, spent);
    bool is_exact = wrong == 0 && is_read && types == all.types && samples == (double)all.samples &&
                    spent == (double)all.json_requests;
    return is_exact ? 0 : 1;
}

int main(int argc, char **argv)
{
    bool is_post = argc == 7 && strcmp(argv[1], "post") == 0;
    if (!is_post && (argc != 5 || strcmp(argv[1], "verify") != 0)) {
        (void)fprintf(stderr, "usage: exactly_once post PORT SEED SAMPLES FOLDER LIFE_MS\n"
                              "       exactly_once verify PORT SEED SAMPLES\n");
        return 2;
    }
    int port = (int)strtol(argv[2], NULL, 10);
    seed = strtoull(argv[3], NULL, 10);
    samples_wanted = strtoul(argv[4], NULL, 10) / CONNECTIONS + 1;
    return is_post ? run_post(port, argv[5], strtol(argv[6], NULL, 10)) : run_verify(port);
}
