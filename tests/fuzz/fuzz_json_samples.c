/*
 * fuzz_json_samples: any bytes as samples in JSON: an array, lines, one plain object. What is
 * heard is what the slow way hears, which reads the text whole, and nothing is heard behind a no.
 */
#include <stdint.h>
#include <stdlib.h>

#include "json_samples.h"
#include "slow_json_samples.h"

/* What libFuzzer calls. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool is_so)
{
    if (!is_so)
        abort();
}

/* Stopped at each call, it hears the beginning of what it hears else. */
static void stop_at_each_call(samples_reader *read, struct slice text)
{
    struct sink_log all;
    json_log_read(&all, read, text, SIZE_MAX);
    for (size_t calls = 1; calls <= all.calls && calls <= 8; calls++) {
        struct sink_log some;
        json_log_read(&some, read, text, calls);
        must(some.calls == calls &&
             slice_starts_with(strbuf_slice(&all.text), strbuf_slice(&some.text)));
        sink_log_release(&some);
    }
    sink_log_release(&all);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct slice text = slice_of((const char *)bytes, len);
    if (len > JSON_SAMPLE_BYTES_MAX)
        return 0;
    must(slow_json_agrees_on_plain(text));
    must(slow_json_agrees_on_lines(text));
    stop_at_each_call(json_samples_read_lines, text);
    if (json_samples_is_array(text)) {
        must(slow_json_agrees_on_array(text));
        stop_at_each_call(json_samples_read_array, text);
    }
    return 0;
}
