/*
 * generate: a realistic series as text, one sample a line.
 *
 *   generate KIND INTERVAL_SECONDS COUNT [json|csv|influx [SEED [END]]]
 *
 * KIND is constant, counter, temperature, cpu, latency or random (series_generator.h). The
 * series ends before END, in Unix seconds, or with the last whole day. As JSON, a line is what POST
 * /api/metrics takes; as CSV, microseconds since 1970 and the value; influx is its line protocol.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "series_generator.h"

#define SECOND_US INT64_C(1000000)
#define DAY_US    (86400 * SECOND_US)

typedef void print_sample(const char *kind, struct record r, struct slice value);

static void print_json(const char *kind, struct record r, struct slice value)
{
    printf("{\"timestamp\":%" PRId64 ".%06" PRId64 ",\"value\":%.*s,\"type\":\"%s\"}\n",
           r.at.us / SECOND_US, r.at.us % SECOND_US, (int)value.len, value.ptr, kind);
}

static void print_csv(const char *kind, struct record r, struct slice value)
{
    (void)kind;
    printf("%" PRId64 ",%.*s\n", r.at.us, (int)value.len, value.ptr);
}

static void print_influx(const char *kind, struct record r, struct slice value)
{
    printf("%s value=%.*s %" PRId64 "000\n", kind, (int)value.len, value.ptr, r.at.us);
}

static print_sample *format_of(const char *name)
{
    static const struct {
        const char *name;
        print_sample *print;
    } formats[] = {{"json", print_json}, {"csv", print_csv}, {"influx", print_influx}};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (strcmp(name, formats[i].name) == 0)
            return formats[i].print;
    }
    return NULL;
}

static bool parse(const char *text, int64_t max, int64_t *value)
{
    return number_parse_int64(slice_from_string(text), 1, max, value);
}

int main(int argc, char **argv)
{
    enum series_kind kind;
    int64_t seconds, count, seed = 1, end = clock_wall_now().us / DAY_US * (DAY_US / SECOND_US);
    print_sample *print = format_of(argc > 4 ? argv[4] : "json");
    if (argc < 4 || argc > 7 || !series_kind_parse(argv[1], &kind) ||
        !parse(argv[2], 86400, &seconds) || !parse(argv[3], 1000000000, &count) || !print ||
        (argc > 5 && !parse(argv[5], INT64_MAX, &seed)) ||
        (argc > 6 && !parse(argv[6], INT64_C(253402300800), &end))) {
        (void)fprintf(stderr, "usage: generate constant|counter|temperature|cpu|latency|random "
                              "INTERVAL_SECONDS COUNT [json|csv|influx [SEED [END]]]\n");
        return 2;
    }
    struct series_generator generator;
    series_generator_init(&generator, kind, seconds * SECOND_US,
                          (struct wall_time){(end - count * seconds) * SECOND_US}, (uint64_t)seed);
    for (int64_t i = 0; i < count; i++) {
        struct record r;
        char text[NUMBER_BYTES];
        series_generator_next(&generator, &r);
        print(argv[1], r, number_format_double(r.value, text));
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
