#include "iso8601.h"

#include <assert.h>
#include <math.h>

#include "number.h"

static const int64_t US_PER_SECOND = 1000000;
static const int64_t SECONDS_PER_DAY = 86400;
static const double MILLISECONDS_ABOVE = 2e10;

static const char OUT_OF_RANGE[] = "must lie within the years 1 to 9999 (UTC)";

/* What is left of the text; each take_ function moves on only when it succeeds. */
struct cursor {
    const char *at;
    const char *end;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool take_digits(struct cursor *c, int count, int *out)
{
    int value = 0;
    if (c->end - c->at < count)
        return false;
    for (int i = 0; i < count; i++) {
        if (!is_digit(c->at[i]))
            return false;
        value = value * 10 + (c->at[i] - '0');
    }
    c->at += count;
    *out = value;
    return true;
}

static bool take_one_of(struct cursor *c, const char *set)
{
    if (c->at == c->end || *c->at == '\0' || !strchr(set, *c->at))
        return false;
    c->at++;
    return true;
}

static int days_in_month(int year, int month)
{
    static const signed char days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

/*
 * Days since 1970-01-01, and back: H. Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms". The year begins in March, so that a leap day is its last, and is
 * counted within eras of 400 years, which all have 146097 days.
 */
static int64_t days_from_civil(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year; /* >= 0 here: year 1 is the first */
    int era = y / 400;
    int year_of_era = y - era * 400;
    int day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (int64_t)era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
    int64_t shifted = days + 719468; /* >= 0 here */
    int era = (int)(shifted / 146097);
    int day_of_era = (int)(shifted % 146097);
    int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int march_month = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * march_month + 2) / 5 + 1;
    *month = march_month < 10 ? march_month + 3 : march_month - 9;
    *year = year_of_era + era * 400 + (*month <= 2);
}

static const char *take_date(struct cursor *c, int64_t *days)
{
    int year;
    int month;
    int day;
    if (!take_digits(c, 4, &year) || !take_one_of(c, "-") || !take_digits(c, 2, &month) ||
        !take_one_of(c, "-") || !take_digits(c, 2, &day))
        return "must begin with a date such as 2026-02-21, or be Unix seconds";
    if (year == 0)
        return "the year must be 0001 to 9999";
    if (month < 1 || month > 12)
        return "the month must be 01 to 12";
    if (day < 1 || day > days_in_month(year, month))
        return "that month has no such day";
    *days = days_from_civil(year, month, day);
    return NULL;
}

static const char *take_fraction(struct cursor *c, int64_t *us)
{
    int digits = 0;
    for (*us = 0; c->at < c->end && is_digit(*c->at); c->at++) {
        if (digits++ < 6)
            *us = *us * 10 + (*c->at - '0');
    }
    if (digits < 1 || digits > 9)
        return "the fraction of a second must have 1 to 9 digits";
    for (; digits < 6; digits++)
        *us *= 10;
    return NULL;
}

static const char *take_time(struct cursor *c, int64_t *us)
{
    int hour;
    int minute;
    int second = 0;
    int64_t fraction = 0;
    if (!take_digits(c, 2, &hour) || !take_one_of(c, ":") || !take_digits(c, 2, &minute))
        return "the time must be hh:mm or hh:mm:ss";
    if (take_one_of(c, ":")) {
        if (!take_digits(c, 2, &second))
            return "the seconds must have two digits";
        const char *wrong = take_one_of(c, ".,") ? take_fraction(c, &fraction) : NULL;
        if (wrong)
            return wrong;
    }
    if (hour > 23)
        return "the hour must be 00 to 23";
    if (minute > 59)
        return "the minute must be 00 to 59";
    if (second > 59)
        return "the second must be 00 to 59 (there is no leap second in Unix time)";
    *us = ((hour * 60 + minute) * 60 + second) * US_PER_SECOND + fraction;
    return NULL;
}

static bool take_minus_sign(struct cursor *c)
{
    struct slice rest = slice_of(c->at, (size_t)(c->end - c->at));
    if (!slice_starts_with(rest, SLICE("\xe2\x88\x92"))) /* U+2212, as ISO 8601 prefers */
        return take_one_of(c, "-");
    c->at += 3;
    return true;
}

static const char *take_offset(struct cursor *c, int64_t *us)
{
    int hours;
    int minutes;
    *us = 0;
    if (c->at == c->end || take_one_of(c, "Zz"))
        return NULL;
    bool negative = take_minus_sign(c);
    if (!negative && !take_one_of(c, "+"))
        return "after the time only Z or an offset such as +02:00 may follow";
    if (!take_digits(c, 2, &hours))
        return "the offset must be +hh:mm or +hhmm";
    (void)take_one_of(c, ":");
    if (!take_digits(c, 2, &minutes))
        return "the offset must be +hh:mm or +hhmm";
    if (hours > 23 || minutes > 59)
        return "the offset must be less than 24 hours";
    *us = ((int64_t)hours * 60 + minutes) * 60 * US_PER_SECOND * (negative ? -1 : 1);
    return NULL;
}

/* [sign] digits [. digits]: what an exponent or a blank is in is no timestamp. */
static bool is_plain_number(struct slice text)
{
    bool has_digit = false;
    bool has_point = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (is_digit(c))
            has_digit = true;
        else if (c == '.' && !has_point)
            has_point = true;
        else if (i > 0 || (c != '+' && c != '-'))
            return false;
    }
    return has_digit;
}

const char *iso8601_parse(struct slice text, struct wall_time *out)
{
    double number;
    if (is_plain_number(text))
        return number_parse_double(text, &number) ? iso8601_from_number(number, out) : OUT_OF_RANGE;
    struct cursor c = {text.ptr, text.ptr + text.len};
    int64_t days;
    int64_t time_us = 0;
    int64_t offset_us = 0;
    const char *wrong = take_date(&c, &days);
    if (!wrong && c.at < c.end) {
        if (!take_one_of(&c, "Tt _"))
            return "between date and time there must be a T";
        wrong = take_time(&c, &time_us);
        if (!wrong)
            wrong = take_offset(&c, &offset_us);
    }
    if (wrong)
        return wrong;
    if (c.at < c.end)
        return "something follows after its end";
    struct wall_time at = {days * SECONDS_PER_DAY * US_PER_SECOND + time_us - offset_us};
    if (!iso8601_has_text(at))
        return OUT_OF_RANGE;
    *out = at;
    return NULL;
}

const char *iso8601_from_number(double value, struct wall_time *out)
{
    if (!isfinite(value))
        return "must be a finite number";
    double unit_us = fabs(value) > MILLISECONDS_ABOVE ? 1e3 : 1e6;
    if (fabs(value) > (double)ISO8601_MAX_US / unit_us)
        return OUT_OF_RANGE;
    /* Taken apart, because the product of the whole would have to round. */
    double whole = floor(value);
    struct wall_time at = {(int64_t)whole * (int64_t)unit_us + llround((value - whole) * unit_us)};
    if (!iso8601_has_text(at))
        return OUT_OF_RANGE;
    *out = at;
    return NULL;
}

static char *put_number(char *p, int value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        p[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return p + width;
}

static char *put_number_then(char *p, int value, int width, char separator)
{
    p = put_number(p, value, width);
    *p++ = separator;
    return p;
}

struct slice iso8601_format(struct wall_time t, char buffer[static ISO8601_BYTES])
{
    assert(iso8601_has_text(t));
    /* Counted from the first instant, so that nothing below is negative. */
    int64_t since_min = t.us - ISO8601_MIN_US;
    int us = (int)(since_min % US_PER_SECOND);
    int second = (int)(since_min / US_PER_SECOND % SECONDS_PER_DAY);
    int64_t days = since_min / US_PER_SECOND / SECONDS_PER_DAY +
                   ISO8601_MIN_US / US_PER_SECOND / SECONDS_PER_DAY;
    int year;
    int month;
    int day;
    civil_from_days(days, &year, &month, &day);
    char *p = put_number_then(buffer, year, 4, '-');
    p = put_number_then(p, month, 2, '-');
    p = put_number_then(p, day, 2, 'T');
    p = put_number_then(p, second / 3600, 2, ':');
    p = put_number_then(p, second / 60 % 60, 2, ':');
    p = put_number(p, second % 60, 2);
    if (us != 0) {
        *p++ = '.';
        p = us % 1000 == 0 ? put_number(p, us / 1000, 3) : put_number(p, us, 6);
    }
    *p++ = 'Z';
    return slice_of(buffer, (size_t)(p - buffer));
}
