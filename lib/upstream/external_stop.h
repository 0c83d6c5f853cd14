/*
 * external_stop: the end of the service, told to the calls under way. Thread-safe.
 */
#ifndef LIB_UPSTREAM_EXTERNAL_STOP_H
#define LIB_UPSTREAM_EXTERNAL_STOP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct external_stop {
    pthread_mutex_t mutex;
    pthread_cond_t raised;
    bool is_raised;
};

void external_stop_init(struct external_stop *stop);
void external_stop_release(struct external_stop *stop);

/* Once and for good; wakes all that sleep. */
void external_stop_raise(struct external_stop *stop);
bool external_stop_is_raised(struct external_stop *stop);

/* Sleep for `ms`. False, and at once, when the end is raised. */
bool external_stop_sleep(struct external_stop *stop, uint32_t ms);

#endif
