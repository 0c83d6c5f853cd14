#include "number.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool number_parse_int64(struct slice text, int64_t min, int64_t max, int64_t *out)
{
    size_t i = 0;
    bool negative = text.len > 0 && text.ptr[0] == '-';
    if (negative)
        i = 1;
    if (i == text.len)
        return false;
    /* Counted downwards: the negative range is the larger one. */
    int64_t value = 0;
    for (; i < text.len; i++) {
        if (!is_digit(text.ptr[i]))
            return false;
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, text.ptr[i] - '0', &value))
            return false;
    }
    if (!negative && __builtin_sub_overflow((int64_t)0, value, &value))
        return false;
    if (value < min || value > max)
        return false;
    *out = value;
    return true;
}

bool number_parse_uint64(struct slice text, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i]) || __builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.ptr[i] - '0'), &value))
            return false;
    }
    *out = value;
    return text.len > 0;
}

/* What was read of a number: `digits` of it make the mantissa, if they are few enough. */
struct scanned {
    bool is_negative;
    uint64_t mantissa;
    int digits; /* significant ones, so without zeros in front */
    int exponent;
};

enum { MANTISSA_DIGITS_MAX = 19, EXPONENT_MAX = 100000 };

static const char *scan_digits(const char *at, const char *end, struct scanned *number)
{
    for (; at < end && is_digit(*at); at++) {
        if (number->digits < MANTISSA_DIGITS_MAX)
            number->mantissa = number->mantissa * 10 + (uint64_t)(*at - '0');
        number->digits += number->digits > 0 || *at != '0';
    }
    return at;
}

/* At an `e`: what follows it, or `at` if that is no exponent. */
static const char *scan_exponent(const char *at, const char *end, struct scanned *number)
{
    const char *digit = at + 1;
    bool is_negative = digit < end && *digit == '-';
    if (digit < end && (*digit == '-' || *digit == '+'))
        digit++;
    if (digit == end || !is_digit(*digit))
        return at;
    int exponent = 0;
    for (; digit < end && is_digit(*digit); digit++) {
        if (exponent < EXPONENT_MAX)
            exponent = exponent * 10 + (*digit - '0');
    }
    number->exponent += is_negative ? -exponent : exponent;
    return digit;
}

/* [sign] digits [. digits] [e [sign] digits], with a digit on one side of the point. */
static size_t scan_number(struct slice text, struct scanned *number)
{
    const char *at = text.ptr, *end = at + text.len;
    *number = (struct scanned){0};
    if (at < end && (*at == '-' || *at == '+'))
        number->is_negative = *at++ == '-';
    const char *whole = at;
    at = scan_digits(at, end, number);
    ptrdiff_t digits = at - whole;
    if (at < end && *at == '.') {
        const char *fraction = ++at;
        at = scan_digits(at, end, number);
        digits += at - fraction;
        number->exponent = at - fraction < EXPONENT_MAX ? -(int)(at - fraction) : -EXPONENT_MAX;
    }
    if (digits == 0)
        return 0;
    if (at < end && (*at == 'e' || *at == 'E'))
        at = scan_exponent(at, end, number);
    return (size_t)(at - text.ptr);
}

/* Both the mantissa and the power are exact, so their product or quotient is rounded once. */
static bool is_exact(const struct scanned *number, double *out)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const int powers_max = (int)(sizeof powers / sizeof *powers) - 1;
    if (number->digits > MANTISSA_DIGITS_MAX || number->mantissa > UINT64_C(1) << 53 ||
        number->exponent < -powers_max || number->exponent > powers_max)
        return false;
    double value = (double)number->mantissa;
    if (number->exponent < 0)
        value /= powers[-number->exponent];
    else
        value *= powers[number->exponent];
    *out = number->is_negative ? -value : value;
    return true;
}

size_t number_scan_double(struct slice text, double *out)
{
    struct scanned number;
    size_t len = scan_number(text, &number);
    if (len == 0 || len > NUMBER_TEXT_MAX)
        return 0;
    if (is_exact(&number, out))
        return len;
    char copy[NUMBER_TEXT_MAX + 1]; /* strtod wants a NUL */
    memcpy(copy, text.ptr, len);
    copy[len] = '\0';
    *out = strtod(copy, NULL);
    return len;
}

bool number_parse_double(struct slice text, double *out)
{
    double value;
    text = slice_trim(text);
    if (text.len == 0 || number_scan_double(text, &value) != text.len || !isfinite(value))
        return false;
    *out = value;
    return true;
}

/* Decimal digits d1 d2 ... dn of |value| = 0.d1d2...dn * 10^point. */
struct decimal {
    char digits[20];
    int count;
    int point;
};

/* `text` is what "%.*e" prints: d.ddde[sign]dd. */
static void take_digits(const char *text, struct decimal *d)
{
    d->count = 0;
    for (; *text != 'e'; text++) {
        if (is_digit(*text))
            d->digits[d->count++] = *text;
    }
    d->point = (int)strtol(text + 1, NULL, 10) + 1;
    while (d->count > 1 && d->digits[d->count - 1] == '0')
        d->count--;
}

/*
 * The neighbours of a power of two are half as far below as above, so the nearest
 * decimal of some length may miss it while the next one up still reads back as it.
 */
static bool next_decimal_up(char *text, double value)
{
    char *last = strchr(text, 'e') - 1;
    if (*last == '9')
        return false; /* a carry would give a shorter decimal, which was tried */
    ++*last;
    return strtod(text, NULL) == value;
}

/* The shortest decimal that reads back as `value` > 0; the nearest among those. */
static void shortest_decimal(double value, struct decimal *d)
{
    char text[NUMBER_BYTES];
    int exponent;
    bool power_of_two = frexp(value, &exponent) == 0.5;
    /* 15 digits recover any decimal of 15 or fewer, except where doubles are sparse. */
    int digits = value < DBL_MIN ? 1 : 15;
    for (; digits < 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*e", digits - 1, value);
        if (strtod(text, NULL) == value || (power_of_two && next_decimal_up(text, value)))
            break;
    }
    if (digits == 17)
        (void)snprintf(text, sizeof text, "%.16e", value);
    take_digits(text, d);
}

static char *put_zeros(char *p, int count)
{
    for (; count > 0; count--)
        *p++ = '0';
    return p;
}

static char *put_digits(char *p, const struct decimal *d, int from, int to)
{
    for (int i = from; i < to; i++)
        *p++ = d->digits[i];
    return p;
}

/* Python's repr: an exponent below 1e-4 and from 1e16 on. */
static char *put_decimal(char *p, const struct decimal *d)
{
    if (d->point < -3 || d->point > 16) {
        *p++ = d->digits[0];
        if (d->count > 1)
            *p++ = '.';
        p = put_digits(p, d, 1, d->count);
        return p + snprintf(p, 8, "e%+03d", d->point - 1);
    }
    if (d->point <= 0) {
        *p++ = '0';
        *p++ = '.';
        p = put_zeros(p, -d->point);
        return put_digits(p, d, 0, d->count);
    }
    int whole = d->count < d->point ? d->count : d->point;
    p = put_digits(p, d, 0, whole);
    p = put_zeros(p, d->point - whole);
    *p++ = '.';
    if (whole == d->count)
        *p++ = '0';
    return put_digits(p, d, whole, d->count);
}

/* Write `scaled` / 10^places, with one zero where there is no fraction. */
static char *put_fixed(char *p, uint64_t scaled, int places)
{
    char reversed[20] = {0};
    int count = 0;
    for (; scaled > 0 || count <= places; scaled /= 10)
        reversed[count++] = (char)('0' + scaled % 10);
    while (count > places)
        *p++ = reversed[--count];
    *p++ = '.';
    if (places == 0)
        *p++ = '0';
    while (count > 0)
        *p++ = reversed[--count];
    return p;
}

/*
 * Most values are integers or have a few decimals. A decimal of at most 15 digits
 * that reads back as `value` is the only one of its length that does, so the first
 * found is the shortest. Both operands of the division are exact, hence so is the test.
 */
static char *put_short(char *p, double value)
{
    static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    if (value >= 1e15 || (value < 1e-4 && value > 0))
        return NULL;
    for (int places = 0; places < (int)(sizeof powers / sizeof *powers); places++) {
        double scaled = value * powers[places];
        if (scaled >= 1e15)
            return NULL;
        uint64_t nearest = (uint64_t)(scaled + 0.5);
        if ((double)nearest / powers[places] == value)
            return put_fixed(p, nearest, places);
    }
    return NULL;
}

struct slice number_format_double(double value, char buffer[static NUMBER_BYTES])
{
    assert(isfinite(value));
    char *start = buffer;
    if (signbit(value))
        *start++ = '-';
    value = fabs(value);
    char *end = put_short(start, value);
    if (!end) {
        struct decimal d = {0};
        shortest_decimal(value, &d);
        end = put_decimal(start, &d);
    }
    return slice_of(buffer, (size_t)(end - buffer));
}
