#include "sink_log.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "iso8601.h"

enum { TEXT_BYTES_MAX = 4 << 20 };

static bool goes_on(struct sink_log *log)
{
    return log->wanted < 0 || --log->wanted > 0;
}

static bool take(void *context, const struct sample *sample)
{
    struct sink_log *log = context;
    sink_log_sample(log, sample->type, sample->at.us, sample->value);
    return goes_on(log);
}

static bool refuse(void *context, int64_t index, const struct error *wrong)
{
    struct sink_log *log = context;
    if (wrong->code != ERR_VALIDATION || wrong->field_count == 0)
        abort();
    strbuf_printf(&log->text, "refused %" PRId64 ":", index);
    for (size_t i = 0; i < wrong->field_count; i++)
        strbuf_printf(&log->text, "%s %s: %s", i > 0 ? ";" : "", wrong->fields[i].name,
                      wrong->fields[i].message);
    strbuf_append_char(&log->text, '\n');
    return goes_on(log);
}

void sink_log_init(struct sink_log *log)
{
    strbuf_init(&log->text, TEXT_BYTES_MAX);
    sink_log_reset(log);
}

void sink_log_release(struct sink_log *log)
{
    strbuf_release(&log->text);
}

void sink_log_reset(struct sink_log *log)
{
    strbuf_reset(&log->text);
    log->sink = (struct sample_sink){.context = log, .take = take, .refuse = refuse};
    log->wanted = -1;
    log->samples = 0;
}

void sink_log_sample(struct sink_log *log, struct slice name, int64_t at_us, double value)
{
    if (!isfinite(value) || !iso8601_has_text((struct wall_time){at_us}) || sample_check_type(name))
        abort();
    strbuf_append_slice(&log->text, name);
    strbuf_printf(&log->text, " %" PRId64 " %.17g\n", at_us, value);
    log->samples++;
}

void sink_log_refusal(struct sink_log *log, int64_t index, const char *field, const char *why)
{
    strbuf_printf(&log->text, "refused %" PRId64 ": %s: %s\n", index, field, why);
}

const char *sink_log_end(struct sink_log *log, enum err_code code)
{
    strbuf_printf(&log->text, "skipped %" PRIu64 "\n%s", log->sink.skipped, err_name(code));
    strbuf_append_char(&log->text, '\0');
    if (strbuf_failed(&log->text))
        abort();
    return log->text.bytes;
}
