#include "block.h"

#include <math.h>
#include <stdlib.h>

#include "packed.h"

enum {
    HEADER_BYTES = 8,
    SCALE_MAX = 15,
    SCALE_NONE = 16, /* no decimals: the bits of the double */
    EXCEPTION_BYTES = 2 + 8
};

_Static_assert(HEADER_BYTES + 2 * COLUMN_BYTES_MAX(CHUNK_RECORDS) + 1 < BLOCK_BYTES_MAX,
               "a block holds two columns of any kind");

static const double powers_of_ten[SCALE_MAX + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

/* The bits of a double, such that the integers are in the order of the numbers. */
static uint64_t integer_from_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? bits ^ INT64_MAX : bits;
}

static double bits_from_integer(uint64_t x)
{
    double value;
    x = x >> 63 ? x ^ INT64_MAX : x;
    memcpy(&value, &x, sizeof value);
    return value;
}

/* Up to 2^53 both operands are exact, so the quotient is the double nearest to the decimal. */
static double decimal_from_integer(uint64_t x, double power)
{
    return (double)(int64_t)x / power;
}

/* False: `value` does not come back from any integer at this scale. */
static bool integer_from_value(double value, unsigned scale, uint64_t *x)
{
    if (scale == SCALE_NONE) {
        *x = integer_from_bits(value);
        return true;
    }
    double scaled = value * powers_of_ten[scale];
    if (!(fabs(scaled) <= 0x1p53))
        return false;
    *x = (uint64_t)(int64_t)(scaled + copysign(0.5, scaled));
    double back = decimal_from_integer(*x, powers_of_ten[scale]);
    return memcmp(&back, &value, sizeof back) == 0;
}

/* The fewest decimals that give `value`; SCALE_NONE if none do. */
static unsigned scale_of(double value)
{
    uint64_t x = 0;
    unsigned scale = 0;
    while (!integer_from_value(value, scale, &x))
        scale++;
    return scale;
}

/* What suits nearly all: one more decimal costs every value, an exception itself alone. */
static unsigned common_scale(const struct record *records, size_t count)
{
    enum { EXCEPTION_DIGITS = 24, DOUBLE_DIGITS = 16 };
    size_t with[SCALE_NONE + 1] = {0}, beyond = count, least = count * DOUBLE_DIGITS;
    unsigned best = SCALE_NONE;
    for (size_t i = 0; i < count; i++)
        with[scale_of(records[i].value)]++;
    for (unsigned scale = 0; scale < SCALE_NONE; scale++) {
        beyond -= with[scale];
        size_t digits = count * scale + beyond * EXCEPTION_DIGITS;
        if (digits < least) {
            least = digits;
            best = scale;
        }
    }
    return best;
}

/*
 * Returns the number of exceptions. In the column such a one is as the one before it, and at the
 * front as the first that is none: whatever is far from its neighbours would cost them too.
 */
static size_t fill_column(const struct record *records, size_t count, unsigned scale,
                          uint64_t *column)
{
    size_t exceptions = 0, in_front = 0;
    for (size_t i = 0; i < count; i++) {
        if (integer_from_value(records[i].value, scale, &column[i]))
            continue;
        if (exceptions++ == i)
            in_front = i + 1;
        else
            column[i] = column[i - 1];
    }
    for (size_t i = 0; i < in_front; i++)
        column[i] = column[in_front];
    return exceptions;
}

static size_t put_exceptions(unsigned char *out, const struct record *records, size_t count,
                             unsigned scale)
{
    unsigned char *p = out;
    uint64_t x = 0;
    for (size_t i = 0; i < count; i++) {
        if (integer_from_value(records[i].value, scale, &x))
            continue;
        packed_put_u16(p, (uint16_t)i);
        packed_put_f64(p + 2, records[i].value);
        p += EXCEPTION_BYTES;
    }
    return (size_t)(p - out);
}

static size_t put_times(struct column_encoder *e, const struct record *records, size_t count,
                        unsigned char *out)
{
    uint64_t column[CHUNK_RECORDS];
    for (size_t i = 0; i < count; i++)
        column[i] = (uint64_t)records[i].at.us;
    return column_encode(e, column, count, out);
}

static size_t put_values(struct column_encoder *e, const struct record *records, size_t count,
                         unsigned char *out)
{
    uint64_t column[CHUNK_RECORDS] = {0};
    unsigned char bits[COLUMN_BYTES_MAX(CHUNK_RECORDS)];
    unsigned scale = common_scale(records, count);
    size_t exceptions = fill_column(records, count, scale, column);
    size_t len = column_encode(e, column, count, out + 1);
    out[0] = (unsigned char)scale;
    if (exceptions == 0)
        return 1 + len;
    /* They may cost more than decimals save. */
    (void)fill_column(records, count, SCALE_NONE, column);
    size_t bits_len = column_encode(e, column, count, bits);
    if (len + exceptions * EXCEPTION_BYTES < bits_len)
        return 1 + len + put_exceptions(out + 1 + len, records, count, scale);
    out[0] = SCALE_NONE;
    memcpy(out + 1, bits, bits_len);
    return 1 + bits_len;
}

size_t block_encode(struct column_encoder *encoder, const struct record *records, size_t count,
                    unsigned char out[static BLOCK_BYTES_MAX])
{
    struct column_encoder *e = encoder ? encoder : column_encoder_new();
    if (!e)
        return 0;
    memset(out, 0, HEADER_BYTES);
    out[0] = BLOCK_VERSION;
    packed_put_u16(out + 2, (uint16_t)count);
    size_t len = HEADER_BYTES;
    len += put_times(e, records, count, out + len);
    len += put_values(e, records, count, out + len);
    packed_seal(out, len);
    if (!encoder)
        column_encoder_free(e);
    return len;
}

static bool take_times(struct column_decoder *decoder, struct slice *in, struct record *records,
                       size_t count)
{
    uint64_t column[CHUNK_RECORDS];
    if (!column_decode(decoder, in, column, count))
        return false;
    bool descends = false;
    for (size_t i = 0; i < count; i++) {
        records[i].at.us = (int64_t)column[i];
        descends |= i > 0 && records[i].at.us < records[i - 1].at.us;
    }
    return !descends;
}

static bool take_values(struct column_decoder *decoder, struct slice *in, struct record *records,
                        size_t count)
{
    uint64_t column[CHUNK_RECORDS];
    if (in->len == 0)
        return false;
    unsigned scale = (unsigned char)in->ptr[0];
    *in = slice_of(in->ptr + 1, in->len - 1);
    if (scale > SCALE_NONE || !column_decode(decoder, in, column, count))
        return false;
    bool is_finite = true;
    for (size_t i = 0; i < count && scale == SCALE_NONE; i++) {
        records[i].value = bits_from_integer(column[i]);
        is_finite &= isfinite(records[i].value) != 0;
    }
    for (size_t i = 0; i < count && scale != SCALE_NONE; i++)
        records[i].value = decimal_from_integer(column[i], powers_of_ten[scale]);
    return is_finite;
}

static bool take_exceptions(struct slice in, struct record *records, size_t count)
{
    const unsigned char *bytes = (const unsigned char *)in.ptr;
    size_t exceptions = in.len / EXCEPTION_BYTES;
    for (size_t i = 0; i < exceptions; i++, bytes += EXCEPTION_BYTES) {
        size_t at = packed_u16(bytes);
        double value = packed_f64(bytes + 2);
        if (at >= count || !isfinite(value))
            return false;
        records[at].value = value;
    }
    return in.len % EXCEPTION_BYTES == 0;
}

bool block_decode(struct column_decoder *decoder, struct slice block, struct record *records,
                  size_t *count)
{
    const unsigned char *bytes = (const unsigned char *)block.ptr;
    if (block.len < HEADER_BYTES || block.len > BLOCK_BYTES_MAX || bytes[0] != BLOCK_VERSION ||
        bytes[1] != 0 || !packed_is_sound(bytes, block.len))
        return false;
    *count = packed_u16(bytes + 2);
    if (*count == 0 || *count > CHUNK_RECORDS)
        return false;
    struct slice in = slice_of(block.ptr + HEADER_BYTES, block.len - HEADER_BYTES);
    return take_times(decoder, &in, records, *count) &&
           take_values(decoder, &in, records, *count) && take_exceptions(in, records, *count);
}
