#include "load_start.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { KEYS_KNOWN_SECONDS = 86400 }; /* unless the service is told otherwise */

static void start_fresh(const struct load_options *options, struct load_file file,
                        struct load_state *state)
{
    *state = (struct load_state){
        .file = file,
        .format = options->format,
        .limits = {.samples_max = LOAD_SAMPLES_DEFAULT, .body_bytes_max = LOAD_BODY_BYTES_DEFAULT},
        .is_strict = options->is_strict};
    load_ledger_init(&state->ledger, (struct load_place){.offset = 0, .line = 1},
                     (struct load_tally){0});
    (void)snprintf(state->url, sizeof state->url, "%s", options->url);
    (void)snprintf(state->precision, sizeof state->precision, "%s",
                   options->precision ? options->precision : "ns");
    if (options->batch > 0)
        state->limits.samples_max = (size_t)options->batch;
    if (options->batch_bytes > 0)
        state->limits.body_bytes_max = (size_t)options->batch_bytes;
}

static bool is_same_file(struct load_file a, struct load_file b)
{
    return a.bytes == b.bytes && a.modified_ns == b.modified_ns && a.inode == b.inode;
}

/* What would give the rest of the file another meaning. NULL: nothing. */
static const char *find_conflict(const struct load_options *options, struct load_file file,
                                 const struct load_state *found)
{
    if (!is_same_file(file, found->file))
        return "the file is not what it was";
    if (strcmp(found->url, options->url) != 0)
        return "it was begun at another --url";
    if (options->format != LOAD_UNKNOWN && options->format != found->format)
        return "it was begun with another --format";
    if (options->precision && strcmp(options->precision, found->precision) != 0)
        return "it was begun with another --precision";
    return NULL;
}

static void choose_number(size_t *effective, int64_t wanted, bool may_change, const char *name,
                          struct strbuf *say)
{
    if (wanted == 0 || (size_t)wanted == *effective)
        return;
    if (may_change)
        *effective = (size_t)wanted;
    else
        strbuf_printf(say,
                      "--%s stays %zu: what was sent and not answered must be sent as it was\n",
                      name, *effective);
}

static void choose_cuts(const struct load_options *options, struct load_state *state,
                        struct strbuf *say)
{
    bool may_change = state->is_settled;
    choose_number(&state->limits.samples_max, options->batch, may_change, "batch", say);
    choose_number(&state->limits.body_bytes_max, options->batch_bytes, may_change, "batch-bytes",
                  say);
    if (may_change)
        state->is_strict = options->is_strict;
    else if (state->is_strict != options->is_strict)
        strbuf_printf(say, "it goes on %s --strict, as what was sent and not answered\n",
                      state->is_strict ? "with" : "without");
}

enum load_start load_start_decide(const struct load_options *options, struct load_file file,
                                  const struct load_state *found, uint64_t now,
                                  struct load_state *state, struct strbuf *say)
{
    if (!found || (found->is_settled && found->ledger.stored_to.offset == 0 &&
                   found->ledger.range_count == 0)) {
        start_fresh(options, file, state);
        return LOAD_START_FRESH;
    }
    *state = *found;
    const char *conflict = find_conflict(options, file, found);
    if (conflict) {
        strbuf_printf(say, "%s; %" PRIu64 " of its lines are stored", conflict,
                      load_ledger_tally(&found->ledger).accepted);
        return LOAD_START_REFUSED;
    }
    if (found->is_done)
        return LOAD_START_DONE;
    choose_cuts(options, state, say);
    if (!found->is_settled && now > found->saved_at + KEYS_KNOWN_SECONDS)
        strbuf_printf(say,
                      "it was left %" PRIu64 " hours ago: what was sent then and not answered is "
                      "stored twice, unless the service's IDEMPOTENCY_TTL_SECONDS is longer\n",
                      (now - found->saved_at) / 3600);
    return LOAD_START_RESUMED;
}
