#include "aggregate.h"

#include <math.h>

#include "packed.h"

/* A mean to twice the digits: deviations of values that differ little stay exact. */
struct mean {
    double high, low;
};

void aggregate_init(struct aggregate *a)
{
    *a = (struct aggregate){0};
}

/* Knuth's two-sum. Infinity is final: adding its opposite would make it a NaN. */
static inline void add_exactly(double *high, double *low, double x)
{
    double sum = *high + x;
    if (!isfinite(sum)) {
        *high = isnan(sum) ? *high : sum;
        *low = 0.0;
        return;
    }
    double x_part = sum - *high;
    double lost = (*high - (sum - x_part)) + (x - x_part);
    *low += isfinite(lost) ? lost : 0.0; /* an intermediate may overflow where the sum does not */
    *high = sum;
}

static struct mean mean_of(const struct aggregate *a)
{
    double n = (double)a->count;
    double high = (a->sum_high + a->sum_low) / n;
    return (struct mean){high, (fma(-high, n, a->sum_high) + a->sum_low) / n};
}

static void note_extremes(struct aggregate *a, const struct aggregate *later)
{
    if (later->min < a->min)
        a->min = later->min;
    if (later->max > a->max)
        a->max = later->max;
    if (later->first.at.us < a->first.at.us)
        a->first = later->first;
    if (later->last.at.us >= a->last.at.us)
        a->last = later->last;
}

void aggregate_merge(struct aggregate *a, const struct aggregate *later)
{
    if (later->count == 0)
        return;
    if (a->count == 0) {
        *a = *later;
        return;
    }
    struct mean mean_a = mean_of(a), mean_later = mean_of(later);
    double delta = (mean_later.high - mean_a.high) + (mean_later.low - mean_a.low);
    double n_a = (double)a->count, n_later = (double)later->count;
    a->m2 += later->m2 + delta * delta * (n_a / (n_a + n_later)) * n_later;
    if (!isfinite(a->m2))
        a->m2 = INFINITY;
    add_exactly(&a->sum_high, &a->sum_low, later->sum_high);
    if (isfinite(a->sum_high))
        a->sum_low += later->sum_low;
    a->count += later->count;
    note_extremes(a, later);
}

void aggregate_add(struct aggregate *a, struct record r)
{
    const struct aggregate one = {
        .count = 1, .sum_high = r.value, .min = r.value, .max = r.value, .first = r, .last = r};
    aggregate_merge(a, &one);
}

static inline bool is_within(struct record r, struct wall_time from, struct wall_time to)
{
    return r.at.us >= from.us && r.at.us <= to.us;
}

/* Everything but M2, which needs the mean of all of them first. */
static void sum_up(struct aggregate *a, const unsigned char *records, size_t count,
                   struct wall_time from, struct wall_time to)
{
    for (size_t i = 0; i < count; i++) {
        struct record r = record_unpack(records + i * RECORD_BYTES);
        if (!is_within(r, from, to))
            continue;
        const struct aggregate one = {.min = r.value, .max = r.value, .first = r, .last = r};
        if (a->count++ == 0) {
            a->min = a->max = a->sum_high = r.value;
            a->first = a->last = r;
            continue;
        }
        add_exactly(&a->sum_high, &a->sum_low, r.value);
        note_extremes(a, &one);
    }
}

static double squared_deviations(struct mean mean, const unsigned char *records, size_t count,
                                 struct wall_time from, struct wall_time to)
{
    double high = 0.0, low = 0.0;
    for (size_t i = 0; i < count; i++) {
        struct record r = record_unpack(records + i * RECORD_BYTES);
        if (!is_within(r, from, to))
            continue;
        double deviation = (r.value - mean.high) - mean.low;
        add_exactly(&high, &low, deviation * deviation);
    }
    return isfinite(high + low) ? high + low : INFINITY;
}

void aggregate_add_records(struct aggregate *a, const unsigned char *records, size_t count,
                           struct wall_time from, struct wall_time to)
{
    while (count > 0) {
        size_t n = count < CHUNK_RECORDS ? count : CHUNK_RECORDS;
        struct aggregate block;
        aggregate_init(&block);
        sum_up(&block, records, n, from, to);
        if (block.count > 0)
            block.m2 = squared_deviations(mean_of(&block), records, n, from, to);
        aggregate_merge(a, &block);
        records += n * RECORD_BYTES;
        count -= n;
    }
}

double aggregate_average(const struct aggregate *a)
{
    return a->count == 0 ? 0.0 : (a->sum_high + a->sum_low) / (double)a->count;
}

void aggregate_pack(const struct aggregate *a, uint64_t covered_bytes,
                    unsigned char out[static AGGREGATE_PACKED_BYTES])
{
    out[0] = AGGREGATE_VERSION;
    out[1] = AGGREGATE_KIND_PLAIN;
    packed_put_u16(out + 2, AGGREGATE_PACKED_BYTES);
    packed_put_u64(out + 8, covered_bytes);
    packed_put_u64(out + 16, a->count);
    packed_put_f64(out + 24, a->sum_high);
    packed_put_f64(out + 32, a->sum_low);
    packed_put_f64(out + 40, a->m2);
    packed_put_f64(out + 48, a->min);
    packed_put_f64(out + 56, a->max);
    record_pack(a->first, out + 64);
    record_pack(a->last, out + 80);
    packed_seal(out, AGGREGATE_PACKED_BYTES);
}

/* Bytes that are not damaged may still have been written by somebody else. */
static bool makes_sense(const struct aggregate *a, uint64_t covered_bytes)
{
    return a->count > 0 && covered_bytes / RECORD_BYTES == a->count &&
           covered_bytes % RECORD_BYTES == 0 && !isnan(a->sum_high) && isfinite(a->sum_low) &&
           a->m2 >= 0.0 && isfinite(a->min) && isfinite(a->max) && a->min <= a->max &&
           a->first.at.us <= a->last.at.us;
}

bool aggregate_unpack(struct slice packed, struct aggregate *a, uint64_t *covered_bytes)
{
    const unsigned char *in = (const unsigned char *)packed.ptr;
    if (packed.len != AGGREGATE_PACKED_BYTES || in[0] != AGGREGATE_VERSION ||
        in[1] != AGGREGATE_KIND_PLAIN || packed_u16(in + 2) != AGGREGATE_PACKED_BYTES ||
        !packed_is_sound(in, AGGREGATE_PACKED_BYTES))
        return false;
    uint64_t covered = packed_u64(in + 8);
    struct aggregate read = {.count = packed_u64(in + 16),
                             .sum_high = packed_f64(in + 24),
                             .sum_low = packed_f64(in + 32),
                             .m2 = packed_f64(in + 40),
                             .min = packed_f64(in + 48),
                             .max = packed_f64(in + 56),
                             .first = record_unpack(in + 64),
                             .last = record_unpack(in + 80)};
    if (!makes_sense(&read, covered))
        return false;
    *a = read;
    *covered_bytes = covered;
    return true;
}
