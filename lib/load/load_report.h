/*
 * load_report: what a load says on standard error: how far it is, what was rejected, what fails.
 *
 * On a terminal the progress is one line, drawn anew up to four times a second, and what else is
 * said stands above it; elsewhere it is a line every ten seconds.
 */
#ifndef LIB_LOAD_LOAD_REPORT_H
#define LIB_LOAD_LOAD_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "load_progress.h"
#include "slice.h"

enum { LOAD_REJECTIONS_TOLD_MAX = 20, LOAD_REPORT_MS = 250 };

struct load_report {
    const char *path;
    bool is_quiet, is_terminal;
    bool has_line; /* of progress, which is not ended */
    unsigned rejections_told;
    struct mono_time next_progress, next_trouble;
};

void load_report_init(struct load_report *report, const char *path, bool is_quiet,
                      struct mono_time now);

/* Always. */
void load_report_error(struct load_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* FILE:LINE: reason, of the first LOAD_REJECTIONS_TOLD_MAX. Always. */
void load_report_rejection(struct load_report *report, uint64_t line, struct slice reason);

/* Unless quiet. */
void load_report_notice(struct load_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A request failed and will be sent again: told once in ten seconds. */
void load_report_trouble(struct load_report *report, struct slice why, struct mono_time now);
/* When it is time to. */
void load_report_progress(struct load_report *report, const struct load_progress *progress,
                          struct mono_time now);
/* The last word on it. */
void load_report_end(struct load_report *report);

#endif
