/*
 * log: one line per event on stderr, text or JSON.
 *
 * An event has a level, a short fixed name and fields. Values are escaped, so that
 * no byte of a client can forge or break a line; lines longer than LOG_LINE_BYTES
 * are cut inside a value. One write(2) a line, so lines of processes never mix.
 * Thread-safe after log_init().
 */
#ifndef LIB_BASE_LOG_H
#define LIB_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

enum { LOG_LINE_BYTES = 2048 };

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_LEVEL_COUNT };

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_field {
    const char *name;
    bool is_integer;
    int64_t integer;
    struct slice text;
};

#define LOG_INT(name_, value_)                                                                     \
    ((struct log_field){.name = (name_), .is_integer = true, .integer = (value_)})
#define LOG_TEXT(name_, string_)                                                                   \
    ((struct log_field){.name = (name_), .text = slice_from_string(string_)})
#define LOG_SLICE(name_, slice_) ((struct log_field){.name = (name_), .text = (slice_)})

/* Before any thread starts. Until then: INFO, text. */
void log_init(enum log_level least, enum log_format format);

bool log_is_enabled(enum log_level level);

/* `event` is a fixed snake_case name. Use the macro. */
void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t count);

#define LOG_EVENT(level_, event_, ...)                                                             \
    do {                                                                                           \
        if (log_is_enabled(level_)) {                                                              \
            const struct log_field log_fields_[] = {__VA_ARGS__};                                  \
            log_write((level_), (event_), log_fields_, sizeof log_fields_ / sizeof *log_fields_);  \
        }                                                                                          \
    } while (0)

#endif
