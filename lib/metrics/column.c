#include "column.h"

#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>

#include "packed.h"

enum {
    FORM_PREDICTOR = 3, /* the bits of enum predictor */
    FORM_DEFLATED = 4,
    FORM_MAX = FORM_PREDICTOR | FORM_DEFLATED,
    LOW_BITS_MAX = 57, /* what a load of 8 bytes holds, whichever bit they begin at */
    LOW_BITS_ALL = 64,
    SMOOTHING = 3,
    VARINT_BYTES_MAX = 10,
    HEADER_BYTES_MAX = 2 + 4 * VARINT_BYTES_MAX,
    HIGH_BYTES_MAX = VARINT_BYTES_MAX * CHUNK_RECORDS,
    LOAD_BYTES = 8,
    DEFLATE_LEVEL = 6, /* the highest, 12, takes 3 times as long and makes 1 to 3 % less of it */
    SCOUT_LEVEL = 1,   /* tells which form will be smallest, */
    NEAR = 8           /* unless another one takes an eighth more at most */
};

enum predictor { PREDICT_FIRST, PREDICT_LAST, PREDICT_LINE, PREDICT_LEVEL, PREDICTOR_COUNT };

/* All arithmetic wraps: what overflows on the way there comes back on the way here. */

static uint64_t shift_right(uint64_t x, unsigned bits)
{
    return (uint64_t)((int64_t)x >> bits);
}

static uint64_t zigzag(uint64_t x)
{
    return x << 1 ^ (0 - (x >> 63));
}

static uint64_t unzigzag(uint64_t x)
{
    return x >> 1 ^ (0 - (x & 1));
}

static size_t low_bytes(size_t count, unsigned low_bits)
{
    return (count * low_bits + 7) / 8;
}

static uint64_t low_mask(unsigned low_bits)
{
    return low_bits == LOW_BITS_ALL ? UINT64_MAX : (UINT64_C(1) << low_bits) - 1;
}

/* --- Encoding ----------------------------------------------------------------------- */

struct column_encoder {
    struct libdeflate_compressor *compressor, *scout;
    size_t count;
    uint64_t distances[CHUNK_RECORDS]; /* from the first, in units */
    uint64_t residuals[CHUNK_RECORDS];
    unsigned char high[HIGH_BYTES_MAX];
    unsigned char deflated[HIGH_BYTES_MAX];
};

/* How to write a column down. */
struct plan {
    enum predictor predictor;
    unsigned low_bits;
    uint64_t first, unit, centre;
};

struct column_encoder *column_encoder_new(void)
{
    struct column_encoder *e = malloc(sizeof *e);
    if (!e)
        return NULL;
    e->compressor = libdeflate_alloc_compressor(DEFLATE_LEVEL);
    e->scout = libdeflate_alloc_compressor(SCOUT_LEVEL);
    if (e->compressor && e->scout)
        return e;
    column_encoder_free(e);
    return NULL;
}

void column_encoder_free(struct column_encoder *e)
{
    if (!e)
        return;
    libdeflate_free_compressor(e->compressor);
    libdeflate_free_compressor(e->scout);
    free(e);
}

static unsigned char *put_varint(unsigned char *p, uint64_t x)
{
    for (; x >= 0x80; x >>= 7)
        *p++ = (unsigned char)(x | 0x80);
    *p++ = (unsigned char)x;
    return p;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static uint64_t magnitude(uint64_t x)
{
    return x >> 63 ? 0 - x : x;
}

/* The greatest unit of which all distances from the first are multiples. */
static uint64_t common_unit(const uint64_t *column, size_t count)
{
    uint64_t unit = 0;
    for (size_t i = 1; i < count && unit != 1; i++)
        unit = common_divisor(magnitude(column[i] - column[0]), unit);
    return unit ? unit : 1;
}

static void measure_distances(struct column_encoder *e, const uint64_t *column, uint64_t unit)
{
    for (size_t i = 0; i < e->count; i++) {
        uint64_t distance = column[i] - column[0];
        e->distances[i] = unit == 1 ? distance : (uint64_t)((int64_t)distance / (int64_t)unit);
    }
}

static void subtract_last(uint64_t *x, size_t count)
{
    for (size_t i = count - 1; i > 0; i--)
        x[i] -= x[i - 1];
}

static void subtract_level(uint64_t *x, size_t count)
{
    uint64_t level = 0;
    for (size_t i = 0; i < count; i++) {
        x[i] -= shift_right(level, SMOOTHING);
        level += x[i];
    }
}

static void predict(struct column_encoder *e, enum predictor predictor)
{
    memcpy(e->residuals, e->distances, e->count * sizeof *e->residuals);
    switch (predictor) {
    case PREDICT_LINE:
        subtract_last(e->residuals, e->count);
        subtract_last(e->residuals, e->count);
        break;
    case PREDICT_LAST:
        subtract_last(e->residuals, e->count);
        break;
    case PREDICT_LEVEL:
        subtract_level(e->residuals, e->count);
        break;
    default:
        break;
    }
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static unsigned width(uint64_t x)
{
    return x ? 64 - (unsigned)__builtin_clzll(x) : 0;
}

/*
 * Set centre and low bits, from a sample. Seven eighths of the high parts shall have up to
 * SYMBOL_BITS bits and a sign: few enough for a table of codes to cost little, and enough
 * for it to follow the shape of the noise.
 */
static void survey(const uint64_t *residuals, size_t count, struct plan *plan)
{
    enum { SAMPLE = 255, SYMBOL_BITS = 4 };
    uint64_t sample[SAMPLE] = {0};
    size_t n = count < SAMPLE ? count : SAMPLE;
    for (size_t i = 0; i < n; i++)
        sample[i] = residuals[i * count / n];
    qsort(sample, n, sizeof *sample, compare);
    plan->centre = sample[n / 2];
    uint64_t below = plan->centre - sample[n / 16], above = sample[n - 1 - n / 16] - plan->centre;
    unsigned spread = width(below > above ? below : above);
    plan->low_bits = spread > SYMBOL_BITS ? spread - SYMBOL_BITS : 0;
    if (plan->low_bits > LOW_BITS_MAX)
        plan->low_bits = LOW_BITS_MAX;
}

/* Returns the length; 0 where all are 0. */
static size_t put_high(unsigned char *out, const uint64_t *residuals, size_t count,
                       const struct plan *plan)
{
    unsigned char *p = out;
    uint64_t seen = 0;
    if (plan->low_bits == LOW_BITS_ALL)
        return 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t high = zigzag(shift_right(residuals[i] - plan->centre, plan->low_bits));
        seen |= high;
        p = put_varint(p, high);
    }
    return seen ? (size_t)(p - out) : 0;
}

static void put_low(unsigned char *out, const uint64_t *residuals, size_t count,
                    const struct plan *plan)
{
    unsigned char *p = out;
    uint64_t held = 0; /* up to 63 bits of it are not written yet */
    unsigned held_bits = 0;
    for (size_t i = 0; plan->low_bits > 0 && i < count; i++) {
        uint64_t low = (residuals[i] - plan->centre) & low_mask(plan->low_bits);
        held |= low << held_bits;
        held_bits += plan->low_bits;
        if (held_bits >= 64) {
            packed_put_u64(p, held);
            p += 8;
            held_bits -= 64;
            held = held_bits > 0 ? low >> (plan->low_bits - held_bits) : 0;
        }
    }
    for (; held_bits > 0; held_bits -= held_bits < 8 ? held_bits : 8, held >>= 8)
        *p++ = (unsigned char)held;
}

/* Of e->high; returns `len` where that does not make it smaller. */
static size_t deflate_high(struct column_encoder *e, struct libdeflate_compressor *compressor,
                           size_t len)
{
    size_t deflated = 0;
    if (len > 0)
        deflated = libdeflate_deflate_compress(compressor, e->high, len, e->deflated, len);
    return deflated ? deflated : len;
}

static size_t residual_count(const struct column_encoder *e)
{
    return e->count - 1;
}

/* What e->residuals may take, without the head. */
static size_t estimate(struct column_encoder *e, const struct plan *plan)
{
    size_t count = residual_count(e), len = put_high(e->high, e->residuals + 1, count, plan);
    return deflate_high(e, e->scout, len) + low_bytes(count, plan->low_bits);
}

struct choice {
    struct plan plan;
    size_t bytes;
};

static void keep_if_better(struct column_encoder *e, const struct plan *plan,
                           struct choice best[static 2])
{
    const struct choice one = {*plan, estimate(e, plan)};
    if (one.bytes < best[0].bytes) {
        best[1] = best[0];
        best[0] = one;
    } else if (one.bytes < best[1].bytes) {
        best[1] = one;
    }
}

/* The two best of all predictors, with low bits and without, until nothing is left to write. */
static void choose(struct column_encoder *e, struct plan plan, struct choice best[static 2])
{
    for (int predictor = 0; best[0].bytes > 0 && predictor < PREDICTOR_COUNT; predictor++) {
        plan.predictor = (enum predictor)predictor;
        predict(e, plan.predictor);
        survey(e->residuals + 1, residual_count(e), &plan);
        keep_if_better(e, &plan, best);
        if (plan.low_bits == 0)
            continue;
        plan.low_bits = 0; /* cut, repetitions would not be seen */
        keep_if_better(e, &plan, best);
    }
}

/* If that takes less than `*least`. */
static void put_column(struct column_encoder *e, const struct plan *plan, unsigned char *out,
                       size_t *least)
{
    predict(e, plan->predictor);
    const uint64_t *residuals = e->residuals + 1;
    size_t count = residual_count(e), high_len = put_high(e->high, residuals, count, plan);
    size_t deflated_len = deflate_high(e, e->compressor, high_len);
    bool is_deflated = deflated_len < high_len;
    unsigned char head[HEADER_BYTES_MAX], *p = head;
    *p++ = (unsigned char)(plan->predictor | (is_deflated ? FORM_DEFLATED : 0U));
    *p++ = (unsigned char)plan->low_bits;
    p = put_varint(p, zigzag(plan->first));
    p = put_varint(p, plan->unit);
    p = put_varint(p, zigzag(plan->centre));
    p = put_varint(p, deflated_len);
    size_t head_len = (size_t)(p - head);
    size_t len = head_len + deflated_len + low_bytes(count, plan->low_bits);
    if (len >= *least)
        return;
    *least = len;
    memcpy(out, head, head_len);
    memcpy(out + head_len, is_deflated ? e->deflated : e->high, deflated_len);
    put_low(out + head_len + deflated_len, residuals, count, plan);
}

size_t column_encode(struct column_encoder *e, const uint64_t *column, size_t count,
                     unsigned char *out)
{
    const struct plan raw = {.predictor = PREDICT_FIRST,
                             .low_bits = LOW_BITS_ALL,
                             .first = column[0],
                             .unit = common_unit(column, count)};
    e->count = count;
    measure_distances(e, column, raw.unit);
    struct choice best[2] = {{raw, SIZE_MAX}, {raw, SIZE_MAX}};
    if (count > 1)
        choose(e, raw, best);
    size_t len = COLUMN_BYTES_MAX(count) + 1;
    put_column(e, &best[0].plan, out, &len);
    if (best[1].bytes - best[0].bytes < best[0].bytes / NEAR)
        put_column(e, &best[1].plan, out, &len);
    if (len > COLUMN_BYTES_MAX(count))
        put_column(e, &raw, out, &len);
    return len;
}

/* --- Decoding ----------------------------------------------------------------------- */

struct column_decoder {
    struct libdeflate_decompressor *decompressor;
    char inflated[HIGH_BYTES_MAX];
};

struct column_decoder *column_decoder_new(void)
{
    struct column_decoder *d = malloc(sizeof *d);
    if (!d)
        return NULL;
    d->decompressor = libdeflate_alloc_decompressor();
    if (!d->decompressor) {
        free(d);
        return NULL;
    }
    return d;
}

void column_decoder_free(struct column_decoder *d)
{
    if (!d)
        return;
    libdeflate_free_decompressor(d->decompressor);
    free(d);
}

static bool take(struct slice *in, size_t len, struct slice *part)
{
    if (len > in->len)
        return false;
    *part = slice_of(in->ptr, len);
    *in = slice_of(in->ptr + len, in->len - len);
    return true;
}

static bool take_varint(struct slice *in, uint64_t *x)
{
    struct slice one;
    *x = 0;
    for (unsigned shift = 0; shift < 64 && take(in, 1, &one); shift += 7) {
        uint64_t byte = (unsigned char)one.ptr[0];
        *x |= (byte & 0x7f) << shift;
        if (byte < 0x80)
            return shift < 63 || byte <= 1;
    }
    return false;
}

/* How a column was written down. */
struct form {
    enum predictor predictor;
    bool is_deflated;
    unsigned low_bits;
    uint64_t first, unit, centre, high_len;
};

static bool take_form(struct slice *in, struct form *form)
{
    struct slice head;
    uint64_t first, centre;
    if (!take(in, 2, &head) || !take_varint(in, &first) || !take_varint(in, &form->unit) ||
        !take_varint(in, &centre) || !take_varint(in, &form->high_len))
        return false;
    unsigned bits = (unsigned char)head.ptr[0];
    form->predictor = (enum predictor)(bits & FORM_PREDICTOR);
    form->is_deflated = bits & FORM_DEFLATED;
    form->low_bits = (unsigned char)head.ptr[1];
    form->first = unzigzag(first);
    form->centre = unzigzag(centre);
    return bits <= FORM_MAX && (form->low_bits <= LOW_BITS_MAX || form->low_bits == LOW_BITS_ALL);
}

/* `*in` becomes what it was before. */
static bool inflate_all(struct column_decoder *d, struct slice *in)
{
    size_t read, written;
    bool is_sound =
        libdeflate_deflate_decompress_ex(d->decompressor, in->ptr, in->len, d->inflated,
                                         HIGH_BYTES_MAX, &read, &written) == LIBDEFLATE_SUCCESS &&
        read == in->len;
    *in = is_sound ? slice_of(d->inflated, written) : SLICE("");
    return is_sound;
}

/* Nearly all take one byte. */
static bool take_high(struct slice *in, uint64_t *high)
{
    if (in->len == 0 || (in->ptr[0] & 0x80))
        return take_varint(in, high);
    *high = (uint64_t)in->ptr[0];
    *in = slice_of(in->ptr + 1, in->len - 1);
    return true;
}

/* Residuals without their low bits. */
static bool read_high(struct column_decoder *d, struct slice in, const struct form *form,
                      uint64_t *x, size_t count)
{
    uint64_t high = 0;
    bool is_zero = in.len == 0;
    if (form->is_deflated && !is_zero && !inflate_all(d, &in))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!is_zero && !take_high(&in, &high))
            return false;
        x[i] = form->centre + (unzigzag(high) << form->low_bits % 64);
    }
    return in.len == 0;
}

/* 8 bytes at `at`, of which those beyond the end are 0. */
static uint64_t load_at_end(struct slice in, size_t at)
{
    unsigned char bytes[LOAD_BYTES] = {0};
    memcpy(bytes, in.ptr + at, in.len - at < LOAD_BYTES ? in.len - at : LOAD_BYTES);
    return packed_u64(bytes);
}

static void add_low(struct slice in, unsigned low_bits, uint64_t *x, size_t count)
{
    const unsigned char *bytes = (const unsigned char *)in.ptr;
    uint64_t mask = low_mask(low_bits);
    size_t i = 0, bit = 0;
    if (low_bits == 0)
        return;
    for (; bit / 8 + LOAD_BYTES <= in.len && i < count; i++, bit += low_bits)
        x[i] += packed_u64(bytes + bit / 8) >> bit % 8 & mask;
    for (; i < count; i++, bit += low_bits)
        x[i] += load_at_end(in, bit / 8) >> bit % 8 & mask;
}

static void add_last(uint64_t *x, size_t count)
{
    uint64_t last = 0;
    for (size_t i = 0; i < count; i++) {
        last += x[i];
        x[i] = last;
    }
}

static void add_level(uint64_t *x, size_t count)
{
    uint64_t level = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t residual = x[i];
        x[i] += shift_right(level, SMOOTHING);
        level += residual;
    }
}

/* The way back from predict(). */
static void add_predicted(enum predictor predictor, uint64_t *x, size_t count)
{
    switch (predictor) {
    case PREDICT_LINE:
        add_last(x, count);
        add_last(x, count);
        break;
    case PREDICT_LAST:
        add_last(x, count);
        break;
    case PREDICT_LEVEL:
        add_level(x, count);
        break;
    default:
        break;
    }
}

bool column_decode(struct column_decoder *d, struct slice *in, uint64_t *column, size_t count)
{
    struct form form;
    struct slice high, low;
    if (!take_form(in, &form) || !take(in, form.high_len, &high) ||
        !take(in, low_bytes(count - 1, form.low_bits), &low) ||
        !read_high(d, high, &form, column + 1, count - 1))
        return false;
    add_low(low, form.low_bits, column + 1, count - 1);
    column[0] = 0;
    add_predicted(form.predictor, column, count);
    for (size_t i = 0; i < count; i++)
        column[i] = form.first + column[i] * form.unit;
    return true;
}
