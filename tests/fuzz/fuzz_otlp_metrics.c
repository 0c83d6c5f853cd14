/*
 * fuzz_otlp_metrics: any text that is JSON before otlp_metrics_read. Samples are such, names and
 * all, which sink_log sees to; a second reading finds the same.
 */
#include <stdlib.h>

#include "otlp_metrics.h"
#include "sink_log.h"

/* What libFuzzer calls. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const char *reading_of(const struct json_document *document, struct sink_log *log)
{
    struct error err;
    error_init(&err);
    sink_log_reset(log);
    enum err_code code = otlp_metrics_read(json_document_root(document), &log->sink, &err);
    if (code != err.code || (code != ERR_OK && code != ERR_VALIDATION))
        abort();
    return sink_log_end(log, code);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct sink_log first, second;
    if (!first.sink.take) {
        sink_log_init(&first);
        sink_log_init(&second);
    }
    struct error err;
    error_init(&err);
    struct json_document *document =
        json_document_new(slice_of((const char *)bytes, len), "body", &err);
    if (document && strcmp(reading_of(document, &first), reading_of(document, &second)) != 0)
        abort();
    json_document_free(document);
    return 0;
}
