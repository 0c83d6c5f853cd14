#include "load_batch.h"

#include <assert.h>
#include <stdlib.h>

/* One line alone may be longer than a body, and a byte of CSV becomes six of JSON at most. */
enum { ROW_BYTES_MAX = 6 * LOAD_LINE_BYTES_MAX + 128 };

size_t load_count_breaks(struct slice text)
{
    size_t count = 0;
    while (text.len > 0) {
        const char *next = memchr(text.ptr, '\n', text.len);
        if (!next)
            break;
        count++;
        text = slice_of(next + 1, text.len - (size_t)(next + 1 - text.ptr));
    }
    return count;
}

bool load_batch_init(struct load_batch *batch, struct load_limits limits)
{
    *batch = (struct load_batch){.limits = limits};
    strbuf_init(&batch->body, limits.body_bytes_max + ROW_BYTES_MAX);
    batch->lines = calloc(limits.samples_max, sizeof *batch->lines);
    batch->refusals = calloc(limits.samples_max, sizeof *batch->refusals);
    return batch->lines && batch->refusals;
}

void load_batch_release(struct load_batch *batch)
{
    strbuf_release(&batch->body);
    free(batch->lines);
    free(batch->refusals);
    batch->lines = NULL;
    batch->refusals = NULL;
}

void load_batch_reset(struct load_batch *batch, struct load_place begin, uint64_t border)
{
    strbuf_reset_keeping(&batch->body, 2 * batch->limits.body_bytes_max);
    batch->line_count = batch->refusal_count = batch->body_lines = 0;
    batch->begin = batch->end = begin;
    batch->border = border;
}

static size_t bytes_before(const struct load_batch *batch, size_t line)
{
    return line > 0 ? batch->lines[line - 1].body_end : 0;
}

bool load_batch_take_line(struct load_batch *batch, uint64_t number)
{
    assert(!load_batch_is_full(batch));
    if (batch->line_count > 0 && batch->body.len > batch->limits.body_bytes_max) {
        strbuf_truncate(&batch->body, bytes_before(batch, batch->line_count));
        return false;
    }
    size_t begin = bytes_before(batch, batch->line_count);
    struct slice text = slice_of(batch->body.bytes + begin, batch->body.len - begin);
    batch->lines[batch->line_count++] =
        (struct load_line){number, batch->body_lines, batch->body.len};
    batch->body_lines += load_count_breaks(text);
    return true;
}

void load_batch_refuse_line(struct load_batch *batch, uint64_t number, const char *reason)
{
    assert(!load_batch_is_full(batch));
    batch->refusals[batch->refusal_count++] = (struct load_refusal){number, reason};
}

uint64_t load_batch_number_of(const struct load_batch *batch, size_t first, size_t index)
{
    size_t at = first, end = batch->line_count;
    if (first >= end || index >= batch->body_lines - batch->lines[first].index)
        return 0;
    size_t wanted = batch->lines[first].index + index;
    while (end - at > 1) {
        size_t middle = at + (end - at) / 2;
        if (batch->lines[middle].index <= wanted)
            at = middle;
        else
            end = middle;
    }
    return batch->lines[at].number + (wanted - batch->lines[at].index);
}

struct slice load_batch_body(const struct load_batch *batch, size_t first, size_t count)
{
    size_t begin = bytes_before(batch, first), end = bytes_before(batch, first + count);
    return slice_of(strbuf_slice(&batch->body).ptr + begin, end - begin);
}
