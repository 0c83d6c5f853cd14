/*
 * clock: two kinds of time that the compiler tells apart.
 *
 * mono_time never goes back and means nothing outside this process: deadlines
 * and durations. wall_time is microseconds since 1970-01-01T00:00:00Z: what a
 * person or a sample means by time. Leaf modules take `now` as an argument;
 * whoever does I/O reads the clock again after it.
 */
#ifndef LIB_BASE_CLOCK_H
#define LIB_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct mono_time {
    int64_t us;
};

struct wall_time {
    int64_t us;
};

static inline struct mono_time clock_mono_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (struct mono_time){(int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000};
}

static inline struct wall_time clock_wall_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (struct wall_time){(int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000};
}

static inline struct mono_time mono_after_us(struct mono_time t, int64_t us)
{
    return (struct mono_time){t.us + us};
}

static inline struct mono_time mono_after_ms(struct mono_time t, int64_t ms)
{
    return (struct mono_time){t.us + ms * 1000};
}

static inline bool mono_is_before(struct mono_time a, struct mono_time b)
{
    return a.us < b.us;
}

/* Microseconds from `from` to `to`; negative when `to` is earlier. */
static inline int64_t mono_us_between(struct mono_time from, struct mono_time to)
{
    return to.us - from.us;
}

#endif
