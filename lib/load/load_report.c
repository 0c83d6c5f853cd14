#include "load_report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { SELDOM_MS = 10000, LINE_BYTES_MAX = 4096 };

void load_report_init(struct load_report *report, const char *path, bool is_quiet,
                      struct mono_time now)
{
    *report = (struct load_report){
        .path = path, .is_quiet = is_quiet, .is_terminal = isatty(STDERR_FILENO)};
    report->next_progress = mono_after_ms(now, report->is_terminal ? LOAD_REPORT_MS : SELDOM_MS);
    report->next_trouble = now;
}

static void clear_line(struct load_report *report)
{
    if (report->has_line)
        (void)fputs("\r\033[K", stderr);
    report->has_line = false;
}

static void say(struct load_report *report, const char *format, va_list args)
{
    clear_line(report);
    (void)fputs("analytics-load: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
}

void load_report_error(struct load_report *report, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(report, format, args);
    va_end(args);
}

void load_report_notice(struct load_report *report, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!report->is_quiet)
        say(report, format, args);
    va_end(args);
}

void load_report_rejection(struct load_report *report, uint64_t line, struct slice reason)
{
    if (report->rejections_told >= LOAD_REJECTIONS_TOLD_MAX)
        return;
    report->rejections_told++;
    clear_line(report);
    (void)fprintf(stderr, "%s:%" PRIu64 ": %.*s\n", report->path, line, (int)reason.len,
                  reason.ptr);
}

void load_report_trouble(struct load_report *report, struct slice why, struct mono_time now)
{
    if (mono_is_before(now, report->next_trouble))
        return;
    report->next_trouble = mono_after_ms(now, SELDOM_MS);
    load_report_notice(report, "trying again: %.*s", (int)why.len, why.ptr);
}

void load_report_progress(struct load_report *report, const struct load_progress *progress,
                          struct mono_time now)
{
    if (report->is_quiet || mono_is_before(now, report->next_progress))
        return;
    report->next_progress = mono_after_ms(now, report->is_terminal ? LOAD_REPORT_MS : SELDOM_MS);
    struct strbuf line;
    strbuf_init(&line, LINE_BYTES_MAX);
    load_progress_append(progress, report->is_terminal, &line);
    clear_line(report);
    report->has_line = report->is_terminal;
    (void)fprintf(stderr, report->is_terminal ? "%.*s" : "analytics-load: %.*s\n", (int)line.len,
                  strbuf_slice(&line).ptr);
    (void)fflush(stderr);
    strbuf_release(&line);
}

void load_report_end(struct load_report *report)
{
    clear_line(report);
    (void)fflush(stderr);
}
