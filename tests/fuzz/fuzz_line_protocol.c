/*
 * fuzz_line_protocol: any bytes before line_protocol_read, in all units. What it hands over is
 * fit to be stored (sink_log.h), and the same as a slow reader has.
 */
#include <stdlib.h>

#include "sink_log.h"
#include "slow_line_protocol.h"

/* What libFuzzer calls. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void compare(struct slice text, enum line_unit unit)
{
    const struct wall_time now = {INT64_C(1700000000123456)};
    struct sink_log fast, slow;
    sink_log_init(&fast);
    sink_log_init(&slow);
    fast.has_places_alone = slow.has_places_alone = true;
    line_protocol_read(text, unit, now, &fast.sink);
    slow_line_protocol_read(text, unit, now, &slow.sink);
    if (!sink_log_equals(&fast, &slow))
        abort();
    sink_log_release(&fast);
    sink_log_release(&slow);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct slice text = slice_of((const char *)bytes, len);
    compare(text, LINE_SECONDS);
    compare(text, LINE_MILLISECONDS);
    compare(text, LINE_MICROSECONDS);
    compare(text, LINE_NANOSECONDS);
    return 0;
}
