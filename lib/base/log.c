#include "log.h"

#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "iso8601.h"

static enum log_level least_level = LOG_INFO;
static enum log_format line_format = LOG_FORMAT_TEXT;

static const char *const level_names[LOG_LEVEL_COUNT] = {"DEBUG", "INFO", "WARNING", "ERROR"};

struct line {
    char bytes[LOG_LINE_BYTES];
    size_t len;
};

void log_init(enum log_level least, enum log_format format)
{
    least_level = least;
    line_format = format;
}

bool log_is_enabled(enum log_level level)
{
    return level >= least_level;
}

/* Room for the closing brace and newline is never given to a value. */
enum { LINE_TAIL = 2, ESCAPE_BYTES = 6 };

static void put(struct line *line, const char *text, size_t len)
{
    size_t room = sizeof line->bytes - LINE_TAIL - line->len;
    if (len > room)
        len = room;
    memcpy(line->bytes + line->len, text, len);
    line->len += len;
}

static void put_string(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* JSON escapes in both formats; whatever is not printable ASCII becomes \u00XX, so
 * the line stays valid JSON and a terminal stays unharmed. */
static void put_quoted(struct line *line, struct slice text)
{
    put(line, "\"", 1);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (sizeof line->bytes - LINE_TAIL - line->len < ESCAPE_BYTES + 1)
            break; /* room for the closing quote is kept */
        char escaped[ESCAPE_BYTES + 1];
        if (c == '"' || c == '\\') {
            escaped[0] = '\\';
            escaped[1] = (char)c;
            put(line, escaped, 2);
        } else if (c >= 0x20 && c < 0x7f) {
            put(line, text.ptr + i, 1);
        } else {
            (void)snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)c);
            put(line, escaped, ESCAPE_BYTES);
        }
    }
    put(line, "\"", 1);
}

static void put_field(struct line *line, const struct log_field *field)
{
    if (line_format == LOG_FORMAT_JSON) {
        put_string(line, ",\"");
        put_string(line, field->name);
        put_string(line, "\":");
    } else {
        put_string(line, " ");
        put_string(line, field->name);
        put_string(line, "=");
    }
    if (field->is_integer) {
        char digits[24];
        (void)snprintf(digits, sizeof digits, "%lld", (long long)field->integer);
        put_string(line, digits);
    } else {
        put_quoted(line, field->text);
    }
}

void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t count)
{
    struct line line = {.len = 0};
    char now[ISO8601_BYTES];
    struct slice stamp = iso8601_format(clock_wall_now(), now);
    char head[128];
    bool json = line_format == LOG_FORMAT_JSON;
    (void)snprintf(head, sizeof head,
                   json ? "{\"time\":\"%.*s\",\"level\":\"%s\",\"event\":\"%s\",\"pid\":%ld"
                        : "%.*s %s %s pid=%ld",
                   (int)stamp.len, stamp.ptr, level_names[level], event, (long)getpid());
    put_string(&line, head);
    for (size_t i = 0; i < count; i++) {
        /* A field is written whole up to its value, or not at all. */
        if (sizeof line.bytes - LINE_TAIL - line.len < strlen(fields[i].name) + 32)
            break;
        put_field(&line, &fields[i]);
    }
    if (json)
        line.bytes[line.len++] = '}';
    line.bytes[line.len++] = '\n';
    /* Nothing sensible can be done about a log that cannot be written. */
    ssize_t ignored = write(STDERR_FILENO, line.bytes, line.len);
    (void)ignored;
}
