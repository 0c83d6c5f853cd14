#include "newest_samples.h"

#include <stdlib.h>
#include <string.h>

void newest_samples_init(struct newest_samples *newest, struct newest_sample *room, size_t limit)
{
    *newest = (struct newest_samples){.heap = room, .limit = limit};
}

/* Type and timestamp alone. */
static int compare_groups(const struct newest_sample *a, const struct newest_sample *b)
{
    if (a->record.at.us != b->record.at.us)
        return a->record.at.us < b->record.at.us ? -1 : 1;
    return slice_compare(a->type, b->type);
}

static int compare(const void *left, const void *right)
{
    const struct newest_sample *a = left, *b = right;
    int order = compare_groups(a, b);
    return order != 0 ? order : (a->arrival > b->arrival) - (a->arrival < b->arrival);
}

static void swap(struct newest_sample *a, struct newest_sample *b)
{
    struct newest_sample kept = *a;
    *a = *b;
    *b = kept;
}

static void sift_up(struct newest_sample *heap, size_t at)
{
    while (at > 0 && compare(&heap[at], &heap[(at - 1) / 2]) < 0) {
        swap(&heap[at], &heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static void sift_down(struct newest_sample *heap, size_t count)
{
    size_t at = 0;
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            if (compare(&heap[child], &heap[least]) < 0)
                least = child;
        }
        if (least == at)
            return;
        swap(&heap[at], &heap[least]);
        at = least;
    }
}

void newest_samples_show(struct newest_samples *newest, const struct newest_sample *sample)
{
    if (newest->count < newest->limit) {
        newest->heap[newest->count] = *sample;
        sift_up(newest->heap, newest->count++);
        return;
    }
    struct newest_sample dropped = *sample;
    if (compare(sample, &newest->heap[0]) > 0) {
        dropped = newest->heap[0];
        newest->heap[0] = *sample;
        sift_down(newest->heap, newest->count);
    }
    int order = compare_groups(&dropped, &newest->heap[0]);
    if (order == 0)
        newest->dropped_of_least++;
    else if (compare(&dropped, sample) != 0)
        newest->dropped_of_least = 0; /* the least is now of another group, whole so far */
}

bool newest_samples_excludes(const struct newest_samples *newest, struct wall_time at)
{
    return newest->count == newest->limit && at.us < newest->heap[0].record.at.us;
}

void newest_samples_sort(struct newest_samples *newest)
{
    if (newest->count > 0)
        qsort(newest->heap, newest->count, sizeof *newest->heap, compare);
}
