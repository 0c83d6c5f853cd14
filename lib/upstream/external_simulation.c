#include "external_simulation.h"

#include <stdlib.h>

#include "clock.h"
#include "json_write.h"

struct simulation {
    struct external_caller caller; /* first: the two are one address */
    const struct external_options *options;
    struct external_stop *stop;
    uint64_t random;
};

/* Vigna's splitmix64. */
static uint64_t next_random(struct simulation *simulation)
{
    uint64_t z = (simulation->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void write_data(struct simulation *simulation, struct slice type, struct strbuf *data)
{
    struct json_writer w;
    json_write_begin(&w, data);
    json_write_object(&w);
    json_write_name(&w, "source");
    json_write_string(&w, "external_service");
    json_write_name(&w, "metric_type");
    json_write_text(&w, type);
    json_write_name(&w, "sample_value");
    json_write_number(&w, (double)(5000 + next_random(simulation) % 15001) / 100);
    json_write_name(&w, "timestamp");
    json_write_instant(&w, clock_wall_now());
    json_write_end(&w);
}

static enum breaker_outcome simulation_call(struct external_caller *caller, struct slice type,
                                            struct strbuf *data, struct error *err)
{
    struct simulation *simulation = (struct simulation *)caller;
    const struct external_options *options = simulation->options;
    uint32_t spread = options->latency_max_ms - options->latency_min_ms;
    uint32_t latency_ms =
        options->latency_min_ms + (uint32_t)(next_random(simulation) % ((uint64_t)spread + 1));
    bool is_late = latency_ms > options->timeout_ms;
    bool is_failed = (double)(next_random(simulation) >> 11) * 0x1p-53 < options->failure_rate;
    if (!external_stop_sleep(simulation->stop, is_late ? options->timeout_ms : latency_ms)) {
        (void)error_set(err, ERR_UPSTREAM_FAILED, "the service is shutting down");
        return BREAKER_NEUTRAL;
    }
    if (is_late || is_failed) {
        (void)error_set(err, ERR_UPSTREAM_FAILED, "the external service %s",
                        is_late ? "did not answer in time" : "failed");
        return BREAKER_FAILURE;
    }
    write_data(simulation, type, data);
    return BREAKER_SUCCESS;
}

static void simulation_free(struct external_caller *caller)
{
    free(caller);
}

struct external_caller *external_simulation_new(const struct external_options *options,
                                                struct external_stop *stop)
{
    struct simulation *simulation = calloc(1, sizeof *simulation);
    if (!simulation)
        return NULL;
    *simulation = (struct simulation){
        .caller = {.call = simulation_call, .free = simulation_free},
        .options = options,
        .stop = stop,
        .random = (uint64_t)clock_wall_now().us ^ (uint64_t)(uintptr_t)simulation << 20,
    };
    return &simulation->caller;
}
