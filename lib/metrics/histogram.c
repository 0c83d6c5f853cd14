#include "histogram.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "log2_bucket.h"
#include "packed.h"

enum {
    PIECE_VALUES = 2048,   /* added at once, in 56 KiB of stack */
    WINDOW_BUCKETS = 4096, /* counted in an array */
    HEADER_BYTES = 8,
    SCALE_OFFSET = 64,
    VARINT_BYTES_MAX = 10,
    INDEX_BYTES_MAX = 3,
};

#define COUNT_MAX ((uint64_t)INT64_MAX)
#define SIGN_BIT  (UINT64_C(1) << 63)

/* 1 / b; b itself is beyond the doubles at the coarsest scale. */
static double inverse_base(int scale)
{
    return exp2(-exp2(-scale));
}

double histogram_error(const struct histogram *h)
{
    double inverse = inverse_base(h->scale);
    return (1.0 - inverse) / (1.0 + inverse);
}

/* 2 b^(index + 1) / (1 + b) = b^index * 2 / (1 + 1 / b), rounded once. */
static double estimate(int32_t index, int scale)
{
    int64_t exponent;
    uint64_t fraction = log2_bucket_fraction(index, scale, &exponent);
    double mantissa =
        double_of_bits((uint64_t)DOUBLE_EXPONENT_BIAS << DOUBLE_FRACTION_BITS | fraction);
    return ldexp(mantissa * (2.0 / (1.0 + inverse_base(scale))), (int)exponent);
}

void histogram_init(struct histogram *h)
{
    *h = (struct histogram){.scale = HISTOGRAM_SCALE};
}

void histogram_release(struct histogram *h)
{
    free(h->positive.buckets);
    free(h->negative.buckets);
    histogram_init(h);
}

void histogram_reset(struct histogram *h)
{
    h->scale = HISTOGRAM_SCALE;
    h->has_failed = false;
    h->zero_count = 0;
    h->positive.count = h->negative.count = 0;
}

bool histogram_failed(const struct histogram *h)
{
    return h->has_failed;
}

static void fail(struct histogram *h)
{
    histogram_release(h);
    h->has_failed = true;
}

static bool reserve(struct histogram_side *side, size_t count)
{
    if (count <= side->capacity)
        return true;
    size_t capacity = count > 2 * side->capacity ? count : 2 * side->capacity;
    struct histogram_bucket *buckets = realloc(side->buckets, capacity * sizeof *buckets);
    if (!buckets)
        return false;
    side->buckets = buckets;
    side->capacity = capacity;
    return true;
}

/* How many of the indices in `more`, shifted, `side` does not have. */
static size_t count_missing(const struct histogram_side *side, const struct histogram_side *more,
                            int shift)
{
    size_t missing = 0, at = 0;
    for (size_t i = 0; i < more->count; i++) {
        int32_t index = more->buckets[i].index >> shift;
        if (i + 1 < more->count && more->buckets[i + 1].index >> shift == index)
            continue;
        while (at < side->count && side->buckets[at].index < index)
            at++;
        missing += at == side->count || side->buckets[at].index != index;
    }
    return missing;
}

/* From the last bucket down, so that it can be done in place. */
static bool merge_side(struct histogram_side *side, const struct histogram_side *more, int shift)
{
    size_t left = side->count, at = left + count_missing(side, more, shift), count = at;
    if (!reserve(side, count))
        return false;
    struct histogram_bucket *buckets = side->buckets;
    for (size_t i = more->count; i > 0;) {
        struct histogram_bucket next = {more->buckets[i - 1].index >> shift,
                                        more->buckets[i - 1].count};
        if (at < count && buckets[at].index == next.index) {
            buckets[at].count += next.count;
            i--;
        } else if (left > 0 && buckets[left - 1].index >= next.index) {
            buckets[--at] = buckets[--left];
        } else {
            buckets[--at] = next;
            i--;
        }
    }
    side->count = count;
    return true;
}

static void coarsen_side(struct histogram_side *side, int shift)
{
    size_t kept = 0;
    for (size_t i = 0; i < side->count; i++) {
        struct histogram_bucket b = side->buckets[i];
        b.index >>= shift;
        if (kept > 0 && side->buckets[kept - 1].index == b.index)
            side->buckets[kept - 1].count += b.count;
        else
            side->buckets[kept++] = b;
    }
    side->count = kept;
}

void histogram_coarsen(struct histogram *h, int scale)
{
    int shift = h->scale - scale;
    if (shift <= 0)
        return;
    coarsen_side(&h->positive, shift);
    coarsen_side(&h->negative, shift);
    h->scale = scale;
}

/* Both together stay below 2^63. */
static bool counts_fit(const struct histogram *h, const struct histogram *other)
{
    uint64_t count = histogram_count(h);
    return count <= COUNT_MAX && histogram_count(other) <= COUNT_MAX - count;
}

void histogram_merge(struct histogram *h, const struct histogram *other)
{
    if (h->has_failed)
        return;
    histogram_coarsen(h, other->scale);
    int shift = other->scale - h->scale;
    if (other->has_failed || !counts_fit(h, other) ||
        !merge_side(&h->positive, &other->positive, shift) ||
        !merge_side(&h->negative, &other->negative, shift)) {
        fail(h);
        return;
    }
    h->zero_count += other->zero_count;
    while (h->positive.count + h->negative.count > HISTOGRAM_BUCKETS_MAX)
        histogram_coarsen(h, h->scale - 1);
}

/* Where values become a histogram of their own, which is then merged. */
struct workshop {
    int32_t positive[PIECE_VALUES], negative[PIECE_VALUES]; /* indices, unordered */
    uint16_t window[WINDOW_BUCKETS];
    struct histogram_bucket buckets[PIECE_VALUES]; /* of both sides */
};

/* Append buckets for indices within [first, first + span). */
static void count_in_window(const int32_t *indices, size_t count, int32_t first, size_t span,
                            uint16_t *window, struct histogram_side *side)
{
    memset(window, 0, span * sizeof *window);
    for (size_t i = 0; i < count; i++)
        window[indices[i] - first]++;
    for (size_t i = 0; i < span; i++) {
        side->buckets[side->count] = (struct histogram_bucket){first + (int32_t)i, window[i]};
        side->count += window[i] > 0;
    }
}

/* Those below `pivot` come first; returns how many. */
static size_t partition(int32_t *indices, size_t count, int32_t pivot)
{
    size_t low = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t index = indices[i];
        indices[i] = indices[low];
        indices[low] = index;
        low += index < pivot;
    }
    return low;
}

/* Append buckets for the indices, which end up in no order. Halves the span until it can
 * be counted in a window, at the cost of a few steps an index: 17 levels at most. */
static void count_indices(int32_t *indices, size_t count, uint16_t *window,
                          struct histogram_side *side)
{
    int32_t min = INT32_MAX, max = INT32_MIN;
    for (size_t i = 0; i < count; i++) {
        min = indices[i] < min ? indices[i] : min;
        max = indices[i] > max ? indices[i] : max;
    }
    size_t span = count > 0 ? (size_t)(max - min) + 1 : 0;
    if (span <= WINDOW_BUCKETS && span <= 16 * count) {
        count_in_window(indices, count, min, span, window, side);
        return;
    }
    size_t low = partition(indices, count, min + (int32_t)(span / 2));
    count_indices(indices, low, window, side);
    count_indices(indices + low, count - low, window, side);
}

/* `part` borrows the workshop. */
static void make_part(const double *values, size_t count, struct workshop *shop,
                      struct histogram *part)
{
    size_t positives = 0, negatives = 0;
    histogram_init(part);
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = double_bits(values[i]), magnitude = bits & ~SIGN_BIT;
        if (magnitude == 0) {
            part->zero_count++;
            continue;
        }
        /* Written to both: signs come in no order that a branch could guess. */
        int32_t index = log2_bucket_finest(magnitude);
        shop->positive[positives] = shop->negative[negatives] = index;
        positives += bits == magnitude;
        negatives += bits != magnitude;
    }
    part->positive.buckets = shop->buckets;
    part->negative.buckets = shop->buckets + positives;
    count_indices(shop->positive, positives, shop->window, &part->positive);
    count_indices(shop->negative, negatives, shop->window, &part->negative);
}

void histogram_add(struct histogram *h, const double *values, size_t count)
{
    struct workshop shop;
    while (count > 0 && !h->has_failed) {
        size_t n = count < PIECE_VALUES ? count : PIECE_VALUES;
        struct histogram part;
        make_part(values, n, &shop, &part);
        histogram_merge(h, &part);
        values += n;
        count -= n;
    }
}

static uint64_t count_side(const struct histogram_side *side)
{
    uint64_t count = 0;
    for (size_t i = 0; i < side->count; i++)
        count += side->buckets[i].count;
    return count;
}

uint64_t histogram_count(const struct histogram *h)
{
    return h->zero_count + count_side(&h->positive) + count_side(&h->negative);
}

/* floor(q * (count - 1) / QUANTILE_ONE), in two parts, as the product may have 90 bits. */
static uint64_t rank_of(uint32_t q, uint64_t count)
{
    uint64_t last = count - 1;
    return last / QUANTILE_ONE * q + last % QUANTILE_ONE * q / QUANTILE_ONE;
}

/* `rank` is below the count. */
static double value_at(const struct histogram *h, uint64_t rank)
{
    const struct histogram_bucket *b;
    for (size_t i = h->negative.count; i > 0; i--) {
        b = &h->negative.buckets[i - 1];
        if (rank < b->count)
            return -estimate(b->index, h->scale);
        rank -= b->count;
    }
    if (rank < h->zero_count)
        return 0.0;
    rank -= h->zero_count;
    for (b = h->positive.buckets; rank >= b->count; b++)
        rank -= b->count;
    return estimate(b->index, h->scale);
}

double histogram_quantile(const struct histogram *h, uint32_t q, double min, double max)
{
    uint64_t count = histogram_count(h);
    if (count == 0)
        return 0.0;
    uint64_t rank = rank_of(q, count);
    if (rank == 0 || rank == count - 1)
        return rank == 0 ? min : max;
    double value = value_at(h, rank);
    return value < min ? min : value > max ? max : value;
}

/* How many magnitudes lie in buckets from `index` on. */
static uint64_t count_from(const struct histogram_side *side, int32_t index)
{
    uint64_t count = 0;
    for (size_t i = side->count; i > 0 && side->buckets[i - 1].index >= index; i--)
        count += side->buckets[i - 1].count;
    return count;
}

void histogram_below(const struct histogram *h, double limit, uint64_t *at_least, uint64_t *at_most)
{
    double before = nextafter(limit, -INFINITY);
    int32_t index = limit == 0.0 ? 0 : log2_bucket_index(fabs(limit), h->scale);
    /* Does the bucket of `limit` hold lesser doubles? */
    bool shares =
        limit != 0.0 && before != 0.0 && log2_bucket_index(fabs(before), h->scale) == index;
    if (limit < 0.0) {
        *at_least = count_from(&h->negative, index + 1);
        *at_most = shares ? count_from(&h->negative, index) : *at_least;
    } else if (limit > 0.0) {
        uint64_t all = histogram_count(h);
        *at_least = all - count_from(&h->positive, index);
        *at_most = shares ? all - count_from(&h->positive, index + 1) : *at_least;
    } else {
        *at_least = *at_most = count_side(&h->negative);
    }
}

static unsigned char *put_varint(unsigned char *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *out++ = (unsigned char)(value | 0x80);
    *out++ = (unsigned char)value;
    return out;
}

static unsigned char *put_side(unsigned char *out, const struct histogram_side *side)
{
    int32_t before = 0;
    out = put_varint(out, side->count);
    for (size_t i = 0; i < side->count; i++) {
        int32_t distance = side->buckets[i].index - before;
        out = put_varint(out, (uint32_t)distance << 1 ^ (distance < 0 ? UINT32_MAX : 0));
        out = put_varint(out, side->buckets[i].count);
        before = side->buckets[i].index;
    }
    return out;
}

_Static_assert(HEADER_BYTES + 3 * VARINT_BYTES_MAX +
                       HISTOGRAM_BUCKETS_MAX * (INDEX_BYTES_MAX + VARINT_BYTES_MAX) <=
                   HISTOGRAM_PACKED_BYTES_MAX,
               "the worst case must fit");

size_t histogram_pack(const struct histogram *h,
                      unsigned char out[static HISTOGRAM_PACKED_BYTES_MAX])
{
    if (h->has_failed)
        return 0;
    unsigned char *end = put_varint(out + HEADER_BYTES, h->zero_count);
    end = put_side(end, &h->positive);
    end = put_side(end, &h->negative);
    size_t len = (size_t)(end - out);
    out[0] = HISTOGRAM_VERSION;
    out[1] = (unsigned char)(h->scale + SCALE_OFFSET);
    packed_put_u16(out + 2, (uint16_t)len);
    packed_seal(out, len);
    return len;
}

/* What is left of a packed form. Bad is bad for good. */
struct reader {
    const unsigned char *at, *end;
    int32_t index_min, index_max; /* of doubles */
    uint64_t count;               /* of values so far */
    bool is_bad, lacks_memory;
};

static uint64_t refuse(struct reader *r)
{
    r->is_bad = true;
    r->at = r->end;
    return 0;
}

/* Shortest form only, so that what is accepted has one form. */
static uint64_t take_varint(struct reader *r)
{
    uint64_t value = 0;
    for (unsigned shift = 0; r->at < r->end; shift += 7) {
        unsigned char byte = *r->at++;
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return byte == 0 && shift > 0 ? refuse(r) : value;
    }
    return refuse(r);
}

static uint64_t take_count(struct reader *r)
{
    uint64_t count = take_varint(r);
    if (count > COUNT_MAX - r->count)
        return refuse(r);
    r->count += count;
    return count;
}

static struct histogram_bucket take_bucket(struct reader *r, int64_t before, int64_t min)
{
    uint64_t zigzag = take_varint(r);
    int64_t distance = (int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1);
    uint64_t count = take_count(r);
    if (zigzag > UINT32_MAX || before + distance < min || before + distance > r->index_max ||
        count == 0)
        return (struct histogram_bucket){0, refuse(r)};
    return (struct histogram_bucket){(int32_t)(before + distance), count};
}

static void take_side(struct reader *r, struct histogram *h, struct histogram_side *side)
{
    enum { BUCKET_BYTES_MIN = 2 };
    uint64_t count = take_varint(r);
    if (count > HISTOGRAM_BUCKETS_MAX - h->positive.count ||
        count > (size_t)(r->end - r->at) / BUCKET_BYTES_MIN) {
        (void)refuse(r);
    } else if (!reserve(side, count)) {
        r->lacks_memory = true;
        (void)refuse(r);
    }
    int32_t before = 0, min = r->index_min;
    while (!r->is_bad && side->count < count) {
        struct histogram_bucket b = take_bucket(r, before, min);
        side->buckets[side->count++] = b;
        before = b.index;
        min = b.index + 1;
    }
}

static bool is_header_sound(struct slice packed)
{
    const unsigned char *in = (const unsigned char *)packed.ptr;
    return packed.len > HEADER_BYTES && in[0] == HISTOGRAM_VERSION &&
           in[1] >= HISTOGRAM_SCALE_MIN + SCALE_OFFSET && in[1] <= HISTOGRAM_SCALE + SCALE_OFFSET &&
           packed_u16(in + 2) == packed.len && packed_is_sound(in, packed.len);
}

bool histogram_unpack(struct slice packed, struct histogram *h)
{
    histogram_reset(h);
    if (!is_header_sound(packed))
        return false;
    const unsigned char *in = (const unsigned char *)packed.ptr;
    h->scale = in[1] - SCALE_OFFSET;
    struct reader r = {.at = in + HEADER_BYTES,
                       .end = in + packed.len,
                       .index_min = log2_bucket_index(DBL_TRUE_MIN, h->scale),
                       .index_max = log2_bucket_index(DBL_MAX, h->scale)};
    h->zero_count = take_count(&r);
    take_side(&r, h, &h->positive);
    take_side(&r, h, &h->negative);
    if (!r.is_bad && r.at == r.end)
        return true;
    if (r.lacks_memory)
        fail(h);
    else
        histogram_reset(h);
    return false;
}
