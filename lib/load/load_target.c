#include "load_target.h"

#include <stdio.h>
#include <string.h>

void load_target_write(struct load_target *target, const char *base, enum load_format format,
                       const char *precision, bool is_partial)
{
    size_t len = strlen(base);
    while (len > 0 && base[len - 1] == '/')
        len--;
    if (format == LOAD_INFLUX) {
        target->content_type = "text/plain; charset=utf-8";
        (void)snprintf(target->url, sizeof target->url, "%.*s/write?precision=%s%s", (int)len, base,
                       precision, is_partial ? "&partial=true" : "");
    } else {
        target->content_type = "application/x-ndjson";
        (void)snprintf(target->url, sizeof target->url, "%.*s/api/metrics%s", (int)len, base,
                       is_partial ? "?partial=true" : "");
    }
}
