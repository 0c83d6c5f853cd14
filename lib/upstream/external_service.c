#include "external_service.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "counters.h"
#include "external_http.h"
#include "external_simulation.h"
#include "log.h"
#include "redis_keys.h"

enum { STACK_BYTES = 512 * 1024, TYPE_BYTES_MAX = 512 };

enum slot_state { SLOT_FREE, SLOT_BUSY, SLOT_DONE };

/* One thread and the call that it makes. The service's mutex guards `state`; the rest
 * belongs to the thread while BUSY, to the caller while DONE. */
struct slot {
    struct external_service *service;
    struct external_caller *caller;
    pthread_t thread;
    pthread_cond_t wake; /* work, or the end */
    pthread_cond_t done;
    enum slot_state state;
    bool is_refresh; /* nobody waits */
    struct strbuf type;
    struct strbuf data;
    enum err_code code;
    struct error err;
};

struct external_service {
    struct external_options options;
    struct redis_client *client;
    struct circuit_breaker *breaker;
    struct external_stop stop;
    pthread_mutex_t mutex;
    unsigned thread_count;
    struct slot slots[EXTERNAL_SLOTS];
};

static uint32_t ms_rounded_up(int64_t us)
{
    return (uint32_t)((us + 999) / 1000);
}

static void run_call(struct slot *slot)
{
    struct breaker_permit permit;
    error_init(&slot->err);
    strbuf_reset(&slot->data);
    slot->code = ERR_OK;
    if (strbuf_failed(&slot->type)) {
        slot->code = error_set(&slot->err, ERR_NO_MEMORY, "no memory for the call");
        return;
    }
    circuit_breaker_allow(slot->service->breaker, &permit);
    if (!permit.is_admitted) {
        slot->code = error_set(&slot->err, ERR_CIRCUIT_OPEN,
                               "the external service is not called while its breaker is open");
        slot->err.retry_after_ms = ms_rounded_up(permit.retry_after_us);
        return;
    }
    struct mono_time began = clock_mono_now();
    enum breaker_outcome outcome =
        slot->caller->call(slot->caller, strbuf_slice(&slot->type), &slot->data, &slot->err);
    distribution_add(DISTRIBUTION_EXTERNAL_CALL,
                     (uint64_t)mono_us_between(began, clock_mono_now()));
    slot->code = slot->err.code;
    circuit_breaker_record(slot->service->breaker, &permit, outcome);
    if (outcome == BREAKER_FAILURE && permit.is_probe)
        slot->code = slot->err.code = ERR_CIRCUIT_OPEN;
    if (outcome == BREAKER_SUCCESS && strbuf_failed(&slot->data))
        slot->code = error_set(&slot->err, ERR_NO_MEMORY, "no memory for the external data");
}

static void keep_data(struct slot *slot)
{
    struct external_service *service = slot->service;
    struct slice prefix = redis_client_key_prefix(service->client);
    struct redis_key meta, key;
    char ttl[16];
    redis_key_meta(&meta, prefix, strbuf_slice(&slot->type));
    redis_key_external(&key, prefix, strbuf_slice(&slot->type));
    (void)snprintf(ttl, sizeof ttl, "%" PRIu32, service->options.cache_ttl_seconds);
    const struct slice keys[] = {redis_key_slice(&meta), redis_key_slice(&key)};
    const struct slice args[] = {strbuf_slice(&slot->data), slice_from_string(ttl)};
    struct redisReply *reply;
    if (redis_client_eval(service->client, REDIS_LANE_WRITE, REDIS_SCRIPT_EXTERNAL_PUT, keys, 2,
                          args, 2, &reply, &slot->err) == ERR_OK)
        redis_reply_free(reply);
    else
        LOG_EVENT(LOG_WARNING, "external_data_not_kept", LOG_TEXT("error", slot->err.detail));
}

/* Nobody waits who could tell of a failure. */
static void end_refresh(struct slot *slot)
{
    if (slot->code == ERR_OK)
        keep_data(slot);
    else if (slot->err.cause[0] != '\0')
        LOG_EVENT(LOG_WARNING, "external_refresh_failed", LOG_TEXT("error", slot->err.detail),
                  LOG_TEXT("cause", slot->err.cause));
}

static void *slot_main(void *argument)
{
    struct slot *slot = argument;
    struct external_service *service = slot->service;
    (void)pthread_mutex_lock(&service->mutex);
    for (;;) {
        while (slot->state != SLOT_BUSY && !external_stop_is_raised(&service->stop))
            (void)pthread_cond_wait(&slot->wake, &service->mutex);
        if (external_stop_is_raised(&service->stop))
            break;
        bool is_refresh = slot->is_refresh;
        (void)pthread_mutex_unlock(&service->mutex);
        run_call(slot);
        if (is_refresh)
            end_refresh(slot);
        (void)pthread_mutex_lock(&service->mutex);
        slot->state = is_refresh ? SLOT_FREE : SLOT_DONE;
        (void)pthread_cond_signal(&slot->done);
    }
    (void)pthread_mutex_unlock(&service->mutex);
    return NULL;
}

/* False: no caller could be made. */
static bool init_slot(struct slot *slot, struct external_service *service)
{
    (void)pthread_cond_init(&slot->wake, NULL);
    (void)pthread_cond_init(&slot->done, NULL);
    strbuf_init(&slot->type, TYPE_BYTES_MAX);
    strbuf_init(&slot->data, EXTERNAL_DATA_BYTES_MAX);
    slot->service = service;
    const struct external_options *options = &service->options;
    slot->caller = options->url && *options->url ? external_http_new(options, &service->stop)
                                                 : external_simulation_new(options, &service->stop);
    return slot->caller;
}

static void release_slot(struct slot *slot)
{
    (void)pthread_cond_destroy(&slot->wake);
    (void)pthread_cond_destroy(&slot->done);
    strbuf_release(&slot->type);
    strbuf_release(&slot->data);
    if (slot->caller)
        slot->caller->free(slot->caller);
}

static bool start_threads(struct external_service *service)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    while (service->thread_count < EXTERNAL_SLOTS) {
        struct slot *slot = &service->slots[service->thread_count];
        if (pthread_create(&slot->thread, &attributes, slot_main, slot) != 0)
            break;
        service->thread_count++;
    }
    (void)pthread_attr_destroy(&attributes);
    return service->thread_count == EXTERNAL_SLOTS;
}

struct external_service *external_service_new(const struct external_options *options,
                                              struct redis_client *client,
                                              struct circuit_breaker *breaker)
{
    struct external_service *service = calloc(1, sizeof *service);
    if (!service)
        return NULL;
    service->options = *options;
    service->client = client;
    service->breaker = breaker;
    external_stop_init(&service->stop);
    (void)pthread_mutex_init(&service->mutex, NULL);
    bool is_ready = true;
    for (unsigned i = 0; i < EXTERNAL_SLOTS; i++)
        is_ready = init_slot(&service->slots[i], service) && is_ready;
    if (!is_ready || !start_threads(service)) {
        external_service_free(service);
        return NULL;
    }
    return service;
}

void external_service_free(struct external_service *service)
{
    if (!service)
        return;
    external_stop_raise(&service->stop);
    /* With the lock: a thread that found the end not raised is asleep by now. */
    (void)pthread_mutex_lock(&service->mutex);
    for (unsigned i = 0; i < EXTERNAL_SLOTS; i++)
        (void)pthread_cond_signal(&service->slots[i].wake);
    (void)pthread_mutex_unlock(&service->mutex);
    for (unsigned i = 0; i < service->thread_count; i++)
        (void)pthread_join(service->slots[i].thread, NULL);
    for (unsigned i = 0; i < EXTERNAL_SLOTS; i++)
        release_slot(&service->slots[i]);
    external_stop_release(&service->stop);
    (void)pthread_mutex_destroy(&service->mutex);
    free(service);
}

/* With the lock held: a free slot gets to work for `type`. NULL: none is free. */
static struct slot *start_call(struct external_service *service, struct slice type, bool is_refresh)
{
    for (unsigned i = 0; i < EXTERNAL_SLOTS; i++) {
        struct slot *slot = &service->slots[i];
        if (slot->state == SLOT_FREE) {
            strbuf_reset(&slot->type);
            strbuf_append_slice(&slot->type, type);
            slot->is_refresh = is_refresh;
            slot->state = SLOT_BUSY;
            (void)pthread_cond_signal(&slot->wake);
            return slot;
        }
    }
    return NULL;
}

enum err_code external_service_call(struct external_service *service, struct slice type,
                                    struct strbuf *data, struct error *err)
{
    (void)pthread_mutex_lock(&service->mutex);
    struct slot *slot = start_call(service, type, false);
    while (slot && slot->state != SLOT_DONE)
        (void)pthread_cond_wait(&slot->done, &service->mutex);
    enum err_code code = slot ? slot->code : ERR_BULKHEAD_FULL;
    if (!slot) {
        err->retry_after_ms = service->options.timeout_ms;
        code =
            error_set(err, code, "%d calls of the external service are under way", EXTERNAL_SLOTS);
    } else {
        if (code == ERR_OK)
            strbuf_append_slice(data, strbuf_slice(&slot->data));
        else
            *err = slot->err;
        slot->state = SLOT_FREE;
    }
    (void)pthread_mutex_unlock(&service->mutex);
    return code;
}

/* With the lock held. */
static bool is_fetching(const struct external_service *service, struct slice type)
{
    for (unsigned i = 0; i < EXTERNAL_SLOTS; i++) {
        const struct slot *slot = &service->slots[i];
        if (slot->state == SLOT_BUSY && slice_equals(strbuf_slice(&slot->type), type))
            return true;
    }
    return false;
}

void external_service_refresh(struct external_service *service, struct slice type)
{
    (void)pthread_mutex_lock(&service->mutex);
    if (!is_fetching(service, type))
        (void)start_call(service, type, true);
    (void)pthread_mutex_unlock(&service->mutex);
}
