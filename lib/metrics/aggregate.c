#include "aggregate.h"

enum { VALUES_AT_ONCE = 2048 };

void aggregate_init(struct aggregate *a, bool has_histogram)
{
    a->has_histogram = has_histogram;
    moments_init(&a->moments);
    histogram_init(&a->histogram);
}

void aggregate_release(struct aggregate *a)
{
    histogram_release(&a->histogram);
}

void aggregate_reset(struct aggregate *a)
{
    moments_init(&a->moments);
    histogram_reset(&a->histogram);
}

bool aggregate_failed(const struct aggregate *a)
{
    return histogram_failed(&a->histogram);
}

static void add_values(struct histogram *h, const struct record *records, size_t count)
{
    double values[VALUES_AT_ONCE];
    while (count > 0) {
        size_t n = count < VALUES_AT_ONCE ? count : VALUES_AT_ONCE;
        for (size_t i = 0; i < n; i++)
            values[i] = records[i].value;
        histogram_add(h, values, n);
        records += n;
        count -= n;
    }
}

void aggregate_add_run(struct aggregate *a, const struct record *records, size_t count)
{
    moments_add_run(&a->moments, records, count);
    if (a->has_histogram)
        add_values(&a->histogram, records, count);
}

void aggregate_merge(struct aggregate *a, const struct aggregate *later)
{
    moments_merge(&a->moments, &later->moments);
    if (a->has_histogram)
        histogram_merge(&a->histogram, &later->histogram);
}

size_t aggregate_pack(const struct aggregate *a,
                      unsigned char out[static AGGREGATE_PACKED_BYTES_MAX])
{
    size_t follow = histogram_pack(&a->histogram, out + MOMENTS_PACKED_BYTES);
    moments_pack(&a->moments, (uint16_t)follow, out);
    return MOMENTS_PACKED_BYTES + follow;
}

bool aggregate_unpack(struct slice packed, struct aggregate *a)
{
    uint16_t follow;
    aggregate_reset(a);
    struct moments moments;
    if (!moments_unpack(packed, &moments, &follow))
        return false;
    if (a->has_histogram) {
        if (packed.len < (size_t)MOMENTS_PACKED_BYTES + follow ||
            !histogram_unpack(slice_of(packed.ptr + MOMENTS_PACKED_BYTES, follow), &a->histogram))
            return false;
        if (histogram_count(&a->histogram) != moments.count) {
            aggregate_reset(a);
            return false;
        }
    }
    a->moments = moments;
    return true;
}
