#include "sample_scan.h"

#include <math.h>

#include "iso8601.h"
#include "number.h"

/* What is left of the text; each take_ function moves on, and what it returns is then of use, only
 * if it succeeds. */
struct cursor {
    const char *at;
    const char *end;
};

static void skip_blanks(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
        c->at++;
}

/* With the blanks before it. */
static bool take_char(struct cursor *c, char wanted)
{
    skip_blanks(c);
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

/* A text without escapes. Whether all of its bytes may be there is left to who reads it. */
static bool take_text(struct cursor *c, struct slice *text)
{
    if (!take_char(c, '"'))
        return false;
    const char *start = c->at;
    while (c->at < c->end && *c->at != '"' && *c->at != '\\')
        c->at++;
    *text = slice_of(start, (size_t)(c->at - start));
    return take_char(c, '"');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Of what number_scan_double takes: no +, no zeros in front, digits on both sides of a point. */
static bool is_json_number(struct slice number)
{
    const char *at = number.ptr, *end = at + number.len;
    at += *at == '-';
    if (!is_digit(*at) || (*at == '0' && end - at > 1 && is_digit(at[1])))
        return false;
    while (at < end && is_digit(*at))
        at++;
    return at == end || *at != '.' || (end - at > 1 && is_digit(at[1]));
}

static bool take_number(struct cursor *c, double *value)
{
    skip_blanks(c);
    struct slice number = slice_of(c->at, (size_t)(c->end - c->at));
    number.len = number_scan_double(number, value);
    c->at += number.len;
    return number.len > 0 && is_json_number(number) && isfinite(*value);
}

static bool take_timestamp(struct cursor *c, struct wall_time *at)
{
    struct slice text;
    double number;
    skip_blanks(c);
    if (c->at < c->end && *c->at == '"')
        return take_text(c, &text) && !iso8601_parse(text, at);
    return take_number(c, &number) && !iso8601_from_number(number, at);
}

static bool take_type(struct cursor *c, struct slice *type)
{
    return take_text(c, type) && !sample_check_short_type(*type);
}

enum member { NO_MEMBER = 0, TIMESTAMP = 1, VALUE = 2, TYPE = 4 };

static enum member take_member(struct cursor *c, struct sample *sample)
{
    struct slice name;
    if (!take_text(c, &name) || !take_char(c, ':'))
        return NO_MEMBER;
    if (slice_equals(name, SLICE("timestamp")))
        return take_timestamp(c, &sample->at) ? TIMESTAMP : NO_MEMBER;
    if (slice_equals(name, SLICE("value")))
        return take_number(c, &sample->value) ? VALUE : NO_MEMBER;
    if (slice_equals(name, SLICE("type")))
        return take_type(c, &sample->type) ? TYPE : NO_MEMBER;
    return NO_MEMBER;
}

size_t sample_scan(struct slice text, struct sample *sample)
{
    if (text.len == 0 || text.ptr[0] != '{')
        return 0;
    struct cursor c = {text.ptr, text.ptr + text.len};
    struct sample found = {0};
    unsigned members = 0;
    for (int i = 0; i < 3; i++) {
        enum member member =
            take_char(&c, i == 0 ? '{' : ',') ? take_member(&c, &found) : NO_MEMBER;
        if (member == NO_MEMBER || (members & member))
            return 0;
        members |= member;
    }
    if (!take_char(&c, '}'))
        return 0;
    *sample = found;
    return (size_t)(c.at - text.ptr);
}
