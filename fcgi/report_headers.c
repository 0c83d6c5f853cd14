#include "report_headers.h"

#include <stdbool.h>

#include "iso8601.h"

enum { STRETCHES_MAX = 20 };

struct stretches {
    size_t count;
    struct {
        struct wall_time from, to;
    } entries[STRETCHES_MAX];
};

static void note(struct stretches *all, struct wall_time from, struct wall_time to)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->entries[i].from.us == from.us && all->entries[i].to.us == to.us)
            return;
    }
    if (all->count == STRETCHES_MAX)
        return;
    all->entries[all->count].from = from;
    all->entries[all->count++].to = to;
}

static void append_instant(struct strbuf *out, struct wall_time at)
{
    char text[ISO8601_BYTES];
    if (at.us < ISO8601_MIN_US)
        at.us = ISO8601_MIN_US;
    if (at.us > ISO8601_MAX_US)
        at.us = ISO8601_MAX_US;
    strbuf_append_slice(out, iso8601_format(at, text));
}

static void write(const char *name, const struct stretches *all, struct strbuf *out)
{
    for (size_t i = 0; i < all->count; i++) {
        strbuf_append_slice(out, slice_from_string(i == 0 ? name : ", "));
        append_instant(out, all->entries[i].from);
        strbuf_append_char(out, '/');
        append_instant(out, all->entries[i].to);
    }
    if (all->count > 0)
        strbuf_append_slice(out, SLICE("\r\n"));
}

void report_headers_add(const struct metric_report *reports, size_t count, struct response *res)
{
    struct stretches widened = {0}, folded = {0}, expired = {0}, damaged = {0};
    for (size_t i = 0; i < count; i++) {
        const struct metric_report *report = &reports[i];
        if (report->is_widened)
            note(&widened, report->from, report->to);
        if (report->is_folded)
            note(&folded, report->folded_from, report->folded_to);
        if (report->has_expired)
            note(&expired, report->expired_from, report->expired_to);
        for (size_t n = 0; n < report->damage_count; n++)
            note(&damaged, report->damages[n].from, report->damages[n].to);
    }
    write("X-Widened: ", &widened, &res->headers);
    write("X-Folded: ", &folded, &res->headers);
    write("X-Expired: ", &expired, &res->headers);
    write("X-Damaged: ", &damaged, &res->headers);
}
