/*
 * fuzz_remote_write: any bytes before remote_write_read: it finds what slow_remote_write finds.
 * That samples are such, names and all, sink_log sees to.
 */
#include <stdlib.h>

#include "remote_write.h"
#include "slow_remote_write.h"

/* What libFuzzer calls. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct sink_log found, expected;
    if (!found.sink.take) {
        sink_log_init(&found);
        sink_log_init(&expected);
    }
    struct slice message = slice_of((const char *)bytes, len);
    struct error err;
    error_init(&err);
    sink_log_reset(&found);
    sink_log_reset(&expected);
    const char *log = sink_log_end(&found, remote_write_read(message, &found.sink, &err));
    if (strcmp(log, sink_log_end(&expected, slow_remote_write(message, &expected))) != 0)
        abort();
    return 0;
}
