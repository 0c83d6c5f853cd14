#include "external_stop.h"

#include <time.h>

#include "clock.h"

void external_stop_init(struct external_stop *stop)
{
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&stop->raised, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_mutex_init(&stop->mutex, NULL);
    stop->is_raised = false;
}

void external_stop_release(struct external_stop *stop)
{
    (void)pthread_cond_destroy(&stop->raised);
    (void)pthread_mutex_destroy(&stop->mutex);
}

void external_stop_raise(struct external_stop *stop)
{
    (void)pthread_mutex_lock(&stop->mutex);
    stop->is_raised = true;
    (void)pthread_cond_broadcast(&stop->raised);
    (void)pthread_mutex_unlock(&stop->mutex);
}

bool external_stop_is_raised(struct external_stop *stop)
{
    (void)pthread_mutex_lock(&stop->mutex);
    bool is_raised = stop->is_raised;
    (void)pthread_mutex_unlock(&stop->mutex);
    return is_raised;
}

bool external_stop_sleep(struct external_stop *stop, uint32_t ms)
{
    int64_t end_us = mono_after_ms(clock_mono_now(), ms).us;
    const struct timespec end = {.tv_sec = end_us / 1000000, .tv_nsec = end_us % 1000000 * 1000};
    (void)pthread_mutex_lock(&stop->mutex);
    while (!stop->is_raised && clock_mono_now().us < end_us)
        (void)pthread_cond_timedwait(&stop->raised, &stop->mutex, &end);
    bool is_slept = !stop->is_raised;
    (void)pthread_mutex_unlock(&stop->mutex);
    return is_slept;
}
