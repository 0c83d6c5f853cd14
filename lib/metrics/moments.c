#include "moments.h"

#include <math.h>

#include "packed.h"
#include "span.h"

/* A mean to twice the digits: deviations of values that differ little stay exact. */
struct mean {
    double high, low;
};

void moments_init(struct moments *m)
{
    *m = (struct moments){0};
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

static struct mean mean_of(const struct moments *m)
{
    double n = (double)m->count;
    double high = (m->sum_high + m->sum_low) / n;
    return (struct mean){high, (fma(-high, n, m->sum_high) + m->sum_low) / n};
}

/* -0.0 is less than +0.0, so that extremes are the same in whatever order they are found. */
static inline bool is_less(double a, double b)
{
    return a < b || (a == b && signbit(a) && !signbit(b));
}

static inline void note_value(struct moments *m, double least, double greatest)
{
    if (is_less(least, m->min))
        m->min = least;
    if (is_less(m->max, greatest))
        m->max = greatest;
}

static void note_extremes(struct moments *m, const struct moments *later)
{
    note_value(m, later->min, later->max);
    if (later->first.at.us < m->first.at.us)
        m->first = later->first;
    if (later->last.at.us >= m->last.at.us)
        m->last = later->last;
}

void moments_merge(struct moments *m, const struct moments *later)
{
    if (later->count == 0)
        return;
    if (m->count == 0) {
        *m = *later;
        return;
    }
    struct mean mean_m = mean_of(m), mean_later = mean_of(later);
    double delta = (mean_later.high - mean_m.high) + (mean_later.low - mean_m.low);
    double n_m = (double)m->count, n_later = (double)later->count;
    m->m2 += later->m2 + delta * delta * (n_m / (n_m + n_later)) * n_later;
    if (!isfinite(m->m2))
        m->m2 = INFINITY;
    add_exactly(&m->sum_high, &m->sum_low, later->sum_high);
    if (isfinite(m->sum_high))
        m->sum_low += later->sum_low;
    m->count += later->count;
    note_extremes(m, later);
}

void moments_add(struct moments *m, struct record r)
{
    const struct moments one = {
        .count = 1, .sum_high = r.value, .min = r.value, .max = r.value, .first = r, .last = r};
    moments_merge(m, &one);
}

/* False: something overflows. Else the same as by add_exactly, in half the time. */
static bool sum_up_finite(struct moments *m, const struct record *records, size_t count)
{
    double high = records[0].value, low = 0.0;
    for (size_t i = 1; i < count; i++) {
        double x = records[i].value, sum = high + x, x_part = sum - high;
        low += (high - (sum - x_part)) + (x - x_part);
        high = sum;
    }
    m->sum_high = high;
    m->sum_low = low;
    return isfinite(high) && isfinite(low);
}

static void sum_up(struct moments *m, const struct record *records, size_t count)
{
    m->sum_high = m->sum_low = 0.0;
    for (size_t i = 0; i < count; i++)
        add_exactly(&m->sum_high, &m->sum_low, records[i].value);
}

/* Everything but M2, which needs the mean of all of them first. */
static void measure(struct moments *m, const struct record *records, size_t count)
{
    m->count = count;
    m->first = records[0];
    m->last = records[count - 1];
    m->min = m->max = records[0].value;
    for (size_t i = 1; i < count; i++)
        note_value(m, records[i].value, records[i].value);
    if (!sum_up_finite(m, records, count))
        sum_up(m, records, count);
}

/* In lanes, as they need not wait for each other. */
static double squared_deviations(struct mean mean, const struct record *records, size_t count)
{
    enum { LANES = 4 };
    double sums[LANES] = {0.0};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        for (size_t lane = 0; lane < LANES; lane++) {
            double deviation = (records[i + lane].value - mean.high) - mean.low;
            sums[lane] += deviation * deviation;
        }
    }
    for (; i < count; i++) {
        double deviation = (records[i].value - mean.high) - mean.low;
        sums[0] += deviation * deviation;
    }
    double sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    return isfinite(sum) ? sum : INFINITY;
}

void moments_add_run(struct moments *m, const struct record *records, size_t count)
{
    if (count == 0)
        return;
    struct moments run;
    moments_init(&run);
    measure(&run, records, count);
    run.m2 = squared_deviations(mean_of(&run), records, count);
    moments_merge(m, &run);
}

double moments_sum(const struct moments *m)
{
    return m->sum_high + m->sum_low;
}

double moments_average(const struct moments *m)
{
    if (m->min == m->max)
        return m->max; /* 0 of none */
    double average = moments_sum(m) / (double)m->count;
    return isfinite(average) ? fmin(fmax(average, m->min), m->max) : average;
}

double moments_deviation(const struct moments *m)
{
    return m->min == m->max ? 0.0 : sqrt(m->m2 / (double)m->count);
}

void moments_pack(const struct moments *m, uint16_t follow_bytes,
                  unsigned char out[static MOMENTS_PACKED_BYTES])
{
    out[0] = MOMENTS_VERSION;
    out[1] = 0;
    packed_put_u16(out + 2, follow_bytes);
    packed_put_u64(out + 8, m->count);
    packed_put_f64(out + 16, m->sum_high);
    packed_put_f64(out + 24, m->sum_low);
    packed_put_f64(out + 32, m->m2);
    packed_put_f64(out + 40, m->min);
    packed_put_f64(out + 48, m->max);
    record_pack(m->first, out + 56);
    record_pack(m->last, out + 72);
    packed_seal(out, MOMENTS_PACKED_BYTES);
}

static bool is_between(double value, double min, double max)
{
    return value >= min && value <= max;
}

/* Bytes that are not damaged may still have been written by somebody else. */
static bool makes_sense(const struct moments *m)
{
    return m->count > 0 && !isnan(m->sum_high) && isfinite(m->sum_low) && m->m2 >= 0.0 &&
           isfinite(m->min) && isfinite(m->max) && m->min <= m->max && has_hour(m->first.at) &&
           has_hour(m->last.at) && m->first.at.us <= m->last.at.us &&
           is_between(m->first.value, m->min, m->max) && is_between(m->last.value, m->min, m->max);
}

bool moments_unpack(struct slice packed, struct moments *m, uint16_t *follow_bytes)
{
    const unsigned char *in = (const unsigned char *)packed.ptr;
    if (packed.len < MOMENTS_PACKED_BYTES || in[0] != MOMENTS_VERSION ||
        !packed_is_sound(in, MOMENTS_PACKED_BYTES))
        return false;
    struct moments read = {.count = packed_u64(in + 8),
                           .sum_high = packed_f64(in + 16),
                           .sum_low = packed_f64(in + 24),
                           .m2 = packed_f64(in + 32),
                           .min = packed_f64(in + 40),
                           .max = packed_f64(in + 48),
                           .first = record_unpack(in + 56),
                           .last = record_unpack(in + 72)};
    if (!makes_sense(&read))
        return false;
    *m = read;
    *follow_bytes = packed_u16(in + 2);
    return true;
}
