/*
 * damage_log: what cannot be read, in the log of this process.
 *
 * A chunk that is damaged is met by every request that reads it. The answer says so each time;
 * the log does DAMAGE_LINES times a minute, whatever the type. Thread-safe.
 */
#ifndef LIB_METRICS_DAMAGE_LOG_H
#define LIB_METRICS_DAMAGE_LOG_H

#include <stdint.h>

#include "clock.h"
#include "slice.h"
#include "span.h"

enum { DAMAGE_LINES = 30, DAMAGE_LINES_MS = 60000 };

/* A chunk of a span, or how many it has (-1). The line also tells how many were left out since
 * the one before (`left_out`). */
void damage_log_say(struct slice type, struct span span, int64_t chunk, struct mono_time now);

#endif
