#include "load_progress.h"

#include <inttypes.h>

enum { BAR_CELLS = 24 };

static double share_of(const struct load_progress *progress)
{
    double share = (double)progress->done_bytes / (double)progress->input_bytes;
    return share < 1 ? share : 1;
}

static void append_bar(double share, struct strbuf *out)
{
    int full = (int)(share * BAR_CELLS);
    strbuf_append_char(out, '[');
    for (int i = 0; i < BAR_CELLS; i++)
        strbuf_append_char(out, i < full ? '#' : '.');
    strbuf_append_slice(out, SLICE("] "));
}

static void append_left(const struct load_progress *progress, double bytes_per_second,
                        struct strbuf *out)
{
    if (bytes_per_second < 1 || progress->done_bytes >= progress->input_bytes)
        return;
    double left = (double)(progress->input_bytes - progress->done_bytes) / bytes_per_second;
    uint64_t seconds = (uint64_t)(left + 0.5);
    if (seconds >= 3600)
        strbuf_printf(out, "  %" PRIu64 ":%02u:%02u left", seconds / 3600,
                      (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
    else
        strbuf_printf(out, "  %u:%02u left", (unsigned)(seconds / 60), (unsigned)(seconds % 60));
}

void load_progress_append(const struct load_progress *progress, bool has_bar, struct strbuf *out)
{
    double seconds = progress->seconds > 0.001 ? progress->seconds : 0.001;
    double bytes = (double)(progress->done_bytes - progress->first_bytes) / seconds;
    double samples = (double)(progress->done_samples - progress->first_samples) / seconds;
    bool is_bounded = progress->input_bytes > 0;
    if (is_bounded && has_bar)
        append_bar(share_of(progress), out);
    if (is_bounded)
        strbuf_printf(out, "%3d %%  ", (int)(100 * share_of(progress)));
    strbuf_printf(out, "%" PRIu64 " samples  %.0f/s  %.1f MB/s", progress->done_samples, samples,
                  bytes / 1e6);
    if (is_bounded)
        append_left(progress, bytes, out);
    if (progress->retries > 0)
        strbuf_printf(out, "  %" PRIu64 " retries", progress->retries);
}
