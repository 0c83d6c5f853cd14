#include "sink_log.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "iso8601.h"

enum { TEXT_BYTES_MAX = 64 << 20 };

static void must(bool is_so)
{
    if (!is_so)
        abort();
}

static bool goes_on(struct sink_log *log)
{
    must(log->calls < log->calls_max);
    return ++log->calls < log->calls_max;
}

static bool take(void *context, const struct sample *sample)
{
    struct sink_log *log = context;
    sink_log_sample(log, sample->type, sample->at.us, sample->value);
    return goes_on(log);
}

static void write_message(struct sink_log *log, const struct field_error *field)
{
    size_t len = strlen(field->message);
    must(strcmp(field->location, "body") == 0);
    must(len > 0 && len < sizeof field->message - 1);
    if (field->element >= 0 && field->name[0] != '\0')
        strbuf_printf(&log->text, "%s: ", field->name);
    if (log->has_places_alone)
        len = strcspn(field->message, ":");
    strbuf_append(&log->text, field->message, len);
}

static bool refuse(void *context, int64_t index, const struct error *wrong)
{
    struct sink_log *log = context;
    if (wrong->code != ERR_VALIDATION) {
        must(log->may_fail);
        strbuf_printf(&log->text, "failed at %" PRId64 ": %s\n", index, err_name(wrong->code));
        return goes_on(log);
    }
    must(wrong->field_count > 0);
    bool is_of_element = wrong->fields[0].element >= 0;
    strbuf_printf(&log->text, "%s %" PRId64 ": ", is_of_element ? "refused" : "broken at", index);
    for (size_t i = 0; i < wrong->field_count; i++) {
        must(wrong->fields[i].element == (is_of_element ? index : -1));
        strbuf_append_slice(&log->text, i > 0 ? SLICE("; ") : SLICE(""));
        write_message(log, &wrong->fields[i]);
    }
    strbuf_append_char(&log->text, '\n');
    return goes_on(log);
}

void sink_log_init(struct sink_log *log)
{
    *log = (struct sink_log){.has_places_alone = false};
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
    log->calls = 0;
    log->calls_max = SIZE_MAX;
    log->samples = 0;
}

void sink_log_sample(struct sink_log *log, struct slice name, int64_t at_us, double value)
{
    must(isfinite(value) && iso8601_has_text((struct wall_time){at_us}));
    must(!sample_check_type(name));
    strbuf_append_slice(&log->text, name);
    strbuf_printf(&log->text, " %" PRId64 " %.17g\n", at_us, value);
    log->samples++;
}

void sink_log_refusal(struct sink_log *log, int64_t index, const char *field, const char *why)
{
    strbuf_printf(&log->text, "refused %" PRId64 ": %s: %s\n", index, field, why);
}

const char *sink_log_text(struct sink_log *log)
{
    strbuf_append_char(&log->text, '\0');
    must(!strbuf_failed(&log->text));
    strbuf_truncate(&log->text, log->text.len - 1);
    return log->text.bytes;
}

const char *sink_log_end(struct sink_log *log, enum err_code code)
{
    strbuf_printf(&log->text, "skipped %" PRIu64 "\n%s", log->sink.skipped, err_name(code));
    return sink_log_text(log);
}

bool sink_log_equals(const struct sink_log *a, const struct sink_log *b)
{
    must(!strbuf_failed(&a->text) && !strbuf_failed(&b->text));
    return slice_equals(strbuf_slice(&a->text), strbuf_slice(&b->text)) &&
           a->sink.skipped == b->sink.skipped;
}
