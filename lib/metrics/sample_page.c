#include "sample_page.h"

#include <stdlib.h>

void sample_page_init(struct sample_page *page, struct listed_sample *room, size_t limit,
                      bool is_of_newest)
{
    *page = (struct sample_page){.samples = room, .limit = limit, .is_of_newest = is_of_newest};
}

/* Type and timestamp alone. */
static int compare_groups(const struct listed_sample *a, const struct listed_sample *b)
{
    if (a->record.at.us != b->record.at.us)
        return a->record.at.us < b->record.at.us ? -1 : 1;
    return slice_compare(a->type, b->type);
}

static int compare(const void *left, const void *right)
{
    const struct listed_sample *a = left, *b = right;
    int order = compare_groups(a, b);
    return order != 0 ? order : (a->rank > b->rank) - (a->rank < b->rank);
}

static bool is_farther(const struct sample_page *page, const struct listed_sample *a,
                       const struct listed_sample *b)
{
    int order = compare(a, b);
    return page->is_of_newest ? order < 0 : order > 0;
}

/* Put `sample` at `at`, or higher where it belongs. */
static void sift_up(struct sample_page *page, size_t at, const struct listed_sample *sample)
{
    struct listed_sample *heap = page->samples;
    while (at > 0 && is_farther(page, sample, &heap[(at - 1) / 2])) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = *sample;
}

/* Put `sample` on top, or lower where it belongs. */
static void sift_down(struct sample_page *page, const struct listed_sample *sample)
{
    struct listed_sample *heap = page->samples;
    size_t at = 0;
    for (size_t child = 1; child < page->count; child = 2 * at + 1) {
        if (child + 1 < page->count && is_farther(page, &heap[child + 1], &heap[child]))
            child++;
        if (!is_farther(page, &heap[child], sample))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = *sample;
}

void sample_page_show(struct sample_page *page, const struct listed_sample *sample)
{
    if (page->count < page->limit) {
        sift_up(page, page->count++, sample);
        return;
    }
    bool is_taken = is_farther(page, &page->samples[0], sample);
    struct listed_sample dropped = is_taken ? page->samples[0] : *sample;
    if (is_taken)
        sift_down(page, sample);
    if (!page->is_of_newest)
        return; /* what was dropped comes after the page */
    if (compare_groups(&dropped, &page->samples[0]) == 0)
        page->dropped_ties++;
    else if (is_taken)
        page->dropped_ties = 0; /* the farthest is now of another group, whole so far */
}

struct wall_time sample_page_edge(const struct sample_page *page)
{
    if (page->count < page->limit)
        return page->is_of_newest ? WALL_TIME_MIN : WALL_TIME_MAX;
    return page->samples[0].record.at;
}

bool sample_page_excludes(const struct sample_page *page, struct wall_time at)
{
    struct wall_time edge = sample_page_edge(page);
    return page->is_of_newest ? at.us < edge.us : at.us > edge.us;
}

void sample_page_finish(struct sample_page *page)
{
    struct listed_sample *samples = page->samples;
    if (page->count > 0)
        qsort(samples, page->count, sizeof *samples, compare);
    uint64_t rank = page->dropped_ties;
    for (size_t i = 0; i < page->count; i++) {
        if (i > 0)
            rank = compare_groups(&samples[i - 1], &samples[i]) == 0 ? rank + 1 : 0;
        samples[i].rank = rank;
    }
}
