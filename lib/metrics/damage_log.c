#include "damage_log.h"

#include <pthread.h>
#include <stdbool.h>

#include "log.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all below */
static struct mono_time until;                           /* so many lines are left until then */
static int lines_left;
static int64_t left_out;

static bool is_admitted(struct mono_time now, int64_t *left_out_before)
{
    (void)pthread_mutex_lock(&lock);
    if (!mono_is_before(now, until)) {
        until = mono_after_ms(now, DAMAGE_LINES_MS);
        lines_left = DAMAGE_LINES;
    }
    bool has_line = lines_left > 0;
    lines_left -= has_line;
    *left_out_before = left_out;
    left_out = has_line ? 0 : left_out + 1;
    (void)pthread_mutex_unlock(&lock);
    return has_line;
}

void damage_log_say(struct slice type, struct span span, int64_t chunk, struct mono_time now)
{
    int64_t before;
    if (!is_admitted(now, &before))
        return;
    char buffer[SPAN_NAME_BYTES];
    struct slice name = span_name(span, buffer);
    LOG_EVENT(LOG_ERROR, "chunk_damaged", LOG_SLICE("metric_type", type), LOG_SLICE("span", name),
              LOG_INT("chunk", chunk), LOG_INT("left_out", before));
}
