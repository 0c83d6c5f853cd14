#include "column.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

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
    LOW_BYTES_MAX = 8 * CHUNK_RECORDS,
    LOAD_BYTES = 8,
    INFLATE_BYTES_MAX = 48 * 1024,
    INFLATE_ALIGNMENT = 64
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
    z_stream for_noise;   /* Huffman codes alone */
    z_stream for_repeats; /* and what stood there before, if it is long enough */
    size_t count;
    uint64_t distances[CHUNK_RECORDS]; /* from the first, in units */
    uint64_t residuals[CHUNK_RECORDS];
    unsigned char high[HIGH_BYTES_MAX];
    unsigned char deflated[HIGH_BYTES_MAX];
    unsigned char trial[HEADER_BYTES_MAX + HIGH_BYTES_MAX + LOW_BYTES_MAX + LOAD_BYTES];
};

/* How to write a column down. */
struct plan {
    enum predictor predictor;
    unsigned low_bits;
    uint64_t first, unit, centre;
    z_stream *deflater;
};

/* Whatever it returns, deflateEnd may follow. */
static bool deflater_init(z_stream *deflater, int strategy)
{
    enum { MEMORY = 8 };
    *deflater = (z_stream){0};
    return deflateInit2(deflater, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, MEMORY,
                        strategy) == Z_OK;
}

struct column_encoder *column_encoder_new(void)
{
    struct column_encoder *e = malloc(sizeof *e);
    if (!e)
        return NULL;
    bool is_ready = deflater_init(&e->for_noise, Z_HUFFMAN_ONLY);
    if (!deflater_init(&e->for_repeats, Z_FILTERED) || !is_ready) {
        column_encoder_free(e);
        return NULL;
    }
    return e;
}

void column_encoder_free(struct column_encoder *e)
{
    if (!e)
        return;
    (void)deflateEnd(&e->for_noise);
    (void)deflateEnd(&e->for_repeats);
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

/* Writes up to LOAD_BYTES more than it returns. */
static size_t put_low(unsigned char *out, const uint64_t *residuals, size_t count,
                      const struct plan *plan)
{
    size_t bytes = low_bytes(count, plan->low_bits);
    memset(out, 0, bytes + LOAD_BYTES);
    for (size_t i = 0; plan->low_bits > 0 && i < count; i++) {
        size_t bit = i * plan->low_bits;
        uint64_t low = (residuals[i] - plan->centre) & low_mask(plan->low_bits);
        packed_put_u64(out + bit / 8, packed_u64(out + bit / 8) | low << bit % 8);
    }
    return bytes;
}

/* Returns `len` where that does not make it smaller. */
static size_t deflate_high(struct column_encoder *e, size_t len, z_stream *z)
{
    if (len == 0)
        return 0;
    (void)deflateReset(z);
    z->next_in = e->high;
    z->avail_in = (uInt)len;
    z->next_out = e->deflated;
    z->avail_out = (uInt)len;
    return deflate(z, Z_FINISH) == Z_STREAM_END ? len - z->avail_out : len;
}

/* From e->residuals; up to LOAD_BYTES more than it returns. */
static size_t put_column(struct column_encoder *e, const struct plan *plan, unsigned char *out)
{
    const uint64_t *residuals = e->residuals + 1;
    size_t count = e->count - 1, len = put_high(e->high, residuals, count, plan);
    size_t deflated_len = deflate_high(e, len, plan->deflater);
    bool is_deflated = deflated_len < len;
    unsigned char *p = out;
    *p++ = (unsigned char)(plan->predictor | (is_deflated ? FORM_DEFLATED : 0U));
    *p++ = (unsigned char)plan->low_bits;
    p = put_varint(p, zigzag(plan->first));
    p = put_varint(p, plan->unit);
    p = put_varint(p, zigzag(plan->centre));
    p = put_varint(p, deflated_len);
    memcpy(p, is_deflated ? e->deflated : e->high, deflated_len);
    p += deflated_len;
    return (size_t)(p - out) + put_low(p, residuals, count, plan);
}

static void keep_if_smaller(struct column_encoder *e, const struct plan *plan, unsigned char *out,
                            size_t *least)
{
    size_t len = put_column(e, plan, e->trial);
    if (len < *least) {
        memcpy(out, e->trial, len);
        *least = len;
    }
}

size_t column_encode(struct column_encoder *e, const uint64_t *column, size_t count,
                     unsigned char *out)
{
    struct plan plan = {.predictor = PREDICT_FIRST,
                        .low_bits = LOW_BITS_ALL,
                        .first = column[0],
                        .unit = common_unit(column, count),
                        .deflater = &e->for_noise};
    size_t len = COLUMN_BYTES_MAX(count) + 1;
    e->count = count;
    measure_distances(e, column, plan.unit);
    predict(e, plan.predictor);
    keep_if_smaller(e, &plan, out, &len);
    for (int predictor = 0; count > 1 && predictor < PREDICTOR_COUNT; predictor++) {
        plan.predictor = (enum predictor)predictor;
        predict(e, plan.predictor);
        survey(e->residuals + 1, count - 1, &plan);
        plan.deflater = &e->for_noise;
        keep_if_smaller(e, &plan, out, &len);
        plan.deflater = &e->for_repeats;
        plan.low_bits = 0; /* cut, repetitions would not be seen */
        keep_if_smaller(e, &plan, out, &len);
    }
    return len;
}

/* --- Decoding ----------------------------------------------------------------------- */

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

/* Of zlib, which takes 7 KB, 33 more for a stream that is cut off; zlib-ng 42 to 46 KB. */
struct inflate_memory {
    size_t used;
    _Alignas(INFLATE_ALIGNMENT) unsigned char bytes[INFLATE_BYTES_MAX];
};

static bool is_within(const struct inflate_memory *memory, const void *at)
{
    uintptr_t begin = (uintptr_t)memory->bytes, here = (uintptr_t)at;
    return here >= begin && here < begin + sizeof memory->bytes;
}

/* From the heap what does not fit, whatever zlib that is. */
static void *take_memory(void *context, unsigned count, unsigned bytes)
{
    struct inflate_memory *memory = context;
    size_t len = (size_t)count * bytes, at = memory->used;
    if (len > sizeof memory->bytes - at)
        return malloc(len);
    len += INFLATE_ALIGNMENT - 1;
    len -= len % INFLATE_ALIGNMENT;
    memory->used = len < sizeof memory->bytes - at ? at + len : sizeof memory->bytes;
    return memory->bytes + at;
}

static void leave_memory(void *context, void *at)
{
    if (!is_within(context, at))
        free(at);
}

/* `buffer` holds HIGH_BYTES_MAX; *out is what was written. */
static bool inflate_all(struct slice in, char *buffer, struct slice *out)
{
    struct inflate_memory memory;
    memory.used = 0;
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)in.ptr,
                  .avail_in = (uInt)in.len,
                  .next_out = (unsigned char *)buffer,
                  .avail_out = HIGH_BYTES_MAX,
                  .zalloc = take_memory,
                  .zfree = leave_memory,
                  .opaque = &memory};
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
        return false;
    bool is_whole = inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_in == 0;
    *out = slice_of(buffer, HIGH_BYTES_MAX - z.avail_out);
    (void)inflateEnd(&z);
    return is_whole;
}

static bool read_varints(struct slice in, uint64_t *x, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (in.len > 0 && !(in.ptr[0] & 0x80)) { /* nearly all have one byte */
            x[i] = (uint64_t)in.ptr[0];
            in = slice_of(in.ptr + 1, in.len - 1);
        } else if (!take_varint(&in, &x[i])) {
            return false;
        }
    }
    return in.len == 0;
}

static bool read_high(struct slice in, bool is_deflated, uint64_t *x, size_t count)
{
    char buffer[HIGH_BYTES_MAX];
    if (in.len == 0) {
        memset(x, 0, count * sizeof *x);
        return true;
    }
    return (!is_deflated || inflate_all(in, buffer, &in)) && read_varints(in, x, count);
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

bool column_decode(struct slice *in, uint64_t *column, size_t count)
{
    uint64_t first, unit, centre, high_len;
    struct slice head, high, low;
    if (!take(in, 2, &head) || !take_varint(in, &first) || !take_varint(in, &unit) ||
        !take_varint(in, &centre) || !take_varint(in, &high_len) || !take(in, high_len, &high))
        return false;
    unsigned form = (unsigned char)head.ptr[0], low_bits = (unsigned char)head.ptr[1];
    if (form > FORM_MAX || (low_bits > LOW_BITS_MAX && low_bits != LOW_BITS_ALL) ||
        !take(in, low_bytes(count - 1, low_bits), &low))
        return false;
    uint64_t *residuals = column + 1;
    if (!read_high(high, form & FORM_DEFLATED, residuals, count - 1))
        return false;
    centre = unzigzag(centre);
    for (size_t i = 0; i < count - 1; i++)
        residuals[i] = centre + (unzigzag(residuals[i]) << low_bits % 64);
    add_low(low, low_bits, residuals, count - 1);
    column[0] = 0;
    add_predicted(form & FORM_PREDICTOR, column, count);
    for (size_t i = 0; i < count; i++)
        column[i] = unzigzag(first) + column[i] * unit;
    return true;
}
