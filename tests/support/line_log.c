#include "line_log.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iso8601.h"

static void must(bool is_so)
{
    if (!is_so)
        abort();
}

__attribute__((format(printf, 2, 3))) static void add(struct line_log *log, const char *format, ...)
{
    enum { ADDED_MAX = 1024 };
    if (log->room - log->len < ADDED_MAX) {
        log->room = 2 * log->room + ADDED_MAX;
        must((log->text = realloc(log->text, log->room)) != NULL);
    }
    va_list args;
    va_start(args, format);
    int added = vsnprintf(log->text + log->len, ADDED_MAX, format, args);
    va_end(args);
    must(added >= 0 && added < ADDED_MAX);
    log->len += (size_t)added;
}

static bool take(void *context, const struct sample *sample)
{
    struct line_log *log = context;
    must(isfinite(sample->value) && iso8601_has_text(sample->at));
    must(!sample_check_type(sample->type));
    add(log, "%.*s %.17g %" PRId64 "\n", (int)sample->type.len, sample->type.ptr, sample->value,
        sample->at.us);
    return --log->calls_left > 0;
}

static bool refuse(void *context, int64_t index, const struct error *wrong)
{
    struct line_log *log = context;
    must(wrong->code == ERR_VALIDATION && wrong->field_count == 1);
    const struct field_error *field = &wrong->fields[0];
    must(strcmp(field->location, "body") == 0 && field->element == index);
    size_t len = strlen(field->message);
    must(len > 0 && len < sizeof field->message - 1);
    if (log->has_places_alone)
        len = strcspn(field->message, ":");
    add(log, "! %" PRId64 " %.*s\n", index, (int)len, field->message);
    return --log->calls_left > 0;
}

void line_log_init(struct line_log *log)
{
    *log = (struct line_log){.sink = {.context = log, .take = take, .refuse = refuse},
                             .calls_left = SIZE_MAX};
    add(log, "%s", "");
}

void line_log_release(struct line_log *log)
{
    free(log->text);
}

bool line_log_equals(const struct line_log *a, const struct line_log *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0 &&
           a->sink.skipped == b->sink.skipped;
}
