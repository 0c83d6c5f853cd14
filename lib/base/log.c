#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "iso8601.h"
#include "utf8.h"

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
enum { LINE_TAIL = 2, ESCAPE_BYTES = 12 };

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

/* Returns how many of `escaped`'s bytes stand for the character `c`. */
static size_t escape(uint32_t c, char escaped[static ESCAPE_BYTES + 1])
{
    if (c == '"' || c == '\\') {
        escaped[0] = '\\';
        escaped[1] = (char)c;
        return 2;
    }
    if (c >= 0x20 && c < 0x7f) {
        escaped[0] = (char)c;
        return 1;
    }
    if (c < 0x10000)
        return (size_t)snprintf(escaped, ESCAPE_BYTES + 1, "\\u%04x", (unsigned)c & 0xffff);
    unsigned rest = (unsigned)c - 0x10000; /* a pair of surrogates */
    return (size_t)snprintf(escaped, ESCAPE_BYTES + 1, "\\u%04x\\u%04x",
                            0xd800 + (rest >> 10 & 0x3ff), 0xdc00 + (rest & 0x3ff));
}

/* JSON escapes in both formats; whatever is not printable ASCII becomes \uXXXX, so the
 * line stays valid JSON and a terminal stays unharmed. */
static void put_quoted(struct line *line, struct slice text)
{
    put(line, "\"", 1);
    while (text.len > 0) {
        uint32_t c = 0xfffd; /* stands for a byte that is no UTF-8 */
        size_t taken = utf8_decode(text, &c);
        if (taken == 0)
            taken = 1;
        char escaped[ESCAPE_BYTES + 1];
        size_t len = escape(c, escaped);
        if (sizeof line->bytes - LINE_TAIL - line->len < len + 1)
            break; /* room for the closing quote is kept */
        put(line, escaped, len);
        text = slice_of(text.ptr + taken, text.len - taken);
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
    int errno_of_caller = errno; /* a line about a failure must not change it */
    struct line line;
    line.len = 0;
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
    errno = errno_of_caller;
}
