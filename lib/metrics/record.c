#include "record.h"

#include <math.h>

void records_unpack(const unsigned char *packed, size_t count, struct record *records)
{
    for (size_t i = 0; i < count; i++)
        records[i] = record_unpack(packed + i * RECORD_BYTES);
}

bool records_are_sound(const struct record *records, size_t count, struct wall_time from,
                       struct wall_time to)
{
    for (size_t i = 0; i < count; i++) {
        int64_t us = records[i].at.us;
        if (us < from.us || us >= to.us || !isfinite(records[i].value))
            return false;
    }
    return true;
}

static bool is_sorted(const struct record *records, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (records[i].at.us < records[i - 1].at.us)
            return false;
    }
    return true;
}

/* Two neighbouring runs of `from` become one of `to`; of equals the left goes first. */
static void merge_runs(const struct record *from, size_t left, size_t right, size_t end,
                       struct record *to)
{
    size_t i = left, j = right;
    for (size_t k = left; k < end; k++) {
        bool takes_left = i < right && (j == end || from[i].at.us <= from[j].at.us);
        to[k] = takes_left ? from[i++] : from[j++];
    }
}

void records_sort(struct record *records, size_t count, struct record *spare)
{
    if (is_sorted(records, count))
        return;
    struct record *from = records, *to = spare;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t left = 0; left < count; left += 2 * width) {
            size_t right = left + width < count ? left + width : count;
            size_t end = right + width < count ? right + width : count;
            merge_runs(from, left, right, end, to);
        }
        struct record *sorted = to;
        to = from;
        from = sorted;
    }
    if (from != records)
        memcpy(records, from, count * sizeof *records);
}
