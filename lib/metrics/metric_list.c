#include "arena.h"
#include "integer.h"
#include "metric_scan.h"
#include "metric_store_parts.h"
#include "type_directory.h"

struct listing {
    struct metric_store *store;
    const struct list_question *question;
    struct mono_time deadline;
    struct arena *arena;
    struct metric_report *report;
    struct sample_page page;
    bool was_moved; /* chunks moved during a walk: what was shown is worth nothing */
};

/* A walk over one type. */
struct lister {
    struct listing *listing;
    struct slice type;
    bool has_copy; /* `type` lives as long as the page */
    struct scan_options options;
    uint64_t skipped;    /* of the first instant, walking forward: how many are not shown, */
    uint64_t left;       /* and of all: how many still may be */
    struct moments base; /* of what has expired altogether */
};

/* Whether nothing between these two (last one included) can be of the page. */
static bool is_beyond(const struct lister *lister, struct wall_time first, struct wall_time last)
{
    const struct sample_page *page = &lister->listing->page;
    return last.us < lister->options.from.us || first.us >= lister->options.to.us ||
           sample_page_excludes(page, page->is_of_newest ? last : first);
}

static enum scan_want judge(void *context, const struct moments *m)
{
    const struct lister *lister = context;
    return lister->left == 0 || is_beyond(lister, m->first.at, m->last.at) ? SCAN_NOTHING
                                                                           : SCAN_RECORDS;
}

static void show(struct lister *lister, struct record record, uint64_t arrival)
{
    struct listing *listing = lister->listing;
    if (!lister->has_copy)
        lister->type = arena_copy(listing->arena, lister->type);
    lister->has_copy = true;
    lister->left--;
    sample_page_show(&listing->page, &(struct listed_sample){record, lister->type, arrival});
}

static void take_records(void *context, const struct record *records, size_t count,
                         uint64_t arrival)
{
    struct lister *lister = context;
    for (size_t n = 0; n < count && lister->left > 0; n++) {
        size_t i = lister->options.is_backward ? count - 1 - n : n;
        if (sample_page_excludes(&lister->listing->page, records[i].at))
            return;
        if (lister->skipped > 0 && records[i].at.us == lister->options.from.us)
            lister->skipped--;
        else
            show(lister, records[i], arrival + i);
    }
}

static void note_expired(const struct lister *lister, const struct moments *m)
{
    struct metric_report *report = lister->listing->report;
    int64_t from = greater(m->first.at.us, lister->options.from.us);
    int64_t to = lesser(m->last.at.us + 1, lister->options.to.us);
    report->expired_from.us = report->has_expired ? lesser(from, report->expired_from.us) : from;
    report->expired_to.us = report->has_expired ? greater(to, report->expired_to.us) : to;
    report->has_expired = true;
}

/* Samples that have expired are in no list. Where some are, more are: read many at once. */
static void pass_expired(void *context, const struct aggregate *a, bool is_widened)
{
    (void)is_widened;
    struct lister *lister = context;
    lister->options.fetch_max = SCAN_FETCH_MAX;
    note_expired(lister, &a->moments);
}

/* Whether it is in reach of the page is known when the page is. */
static void keep_base(void *context, const struct aggregate *base)
{
    struct lister *lister = context;
    lister->base = base->moments;
}

static void note_damage(void *context, struct wall_time from, struct wall_time to)
{
    const struct lister *lister = context;
    struct metric_report *report = lister->listing->report;
    bool is_known = from.us == WALL_TIME_MIN.us; /* of the base, which holds no samples */
    for (size_t i = 0; i < report->damage_count; i++)
        is_known |= report->damages[i].from.us == from.us && report->damages[i].to.us == to.us;
    if (is_known || report->damage_count == METRIC_DAMAGES_MAX ||
        is_beyond(lister, from, (struct wall_time){to.us - 1}))
        return;
    report->damages[report->damage_count].from = from;
    report->damages[report->damage_count++].to = to;
}

/* The whole page is made anew, from several walks. */
static bool restart(void *context)
{
    const struct lister *lister = context;
    lister->listing->was_moved = true;
    return false;
}

static bool is_enough(void *context, struct wall_time bound)
{
    const struct lister *lister = context;
    const struct sample_page *page = &lister->listing->page;
    bool is_backward = lister->options.is_backward;
    if (lister->left == 0)
        return true;
    /* What is left is farther, but for a walk to a place, where it is nearer. */
    return is_backward == page->is_of_newest &&
           sample_page_excludes(page, (struct wall_time){is_backward ? bound.us - 1 : bound.us});
}

static enum err_code walk(struct lister *lister, struct error *err)
{
    const struct listing *listing = lister->listing;
    const struct scan_visitor visitor = {.context = lister,
                                         .judge = judge,
                                         .take_aggregate = pass_expired,
                                         .take_records = take_records,
                                         .take_base = keep_base,
                                         .note_damage = note_damage,
                                         .restart = restart,
                                         .is_enough = is_enough};
    if (lister->left == 0 || lister->options.from.us >= lister->options.to.us)
        return ERR_OK;
    /* Most samples come in order: few chunks hold those of a page, the nearest ones. */
    int64_t limit = (int64_t)listing->page.limit;
    lister->options.fetch_max = (size_t)lesser(2 + limit / CHUNK_RECORDS, SCAN_FETCH_MAX);
    lister->options.pieces_max = (size_t)lesser(48 + limit / 64, SCAN_PIECES_MAX);
    enum err_code code = metric_scan_run(listing->store->client, listing->store->sealer,
                                         &lister->options, &visitor, listing->deadline, err);
    if (lister->base.count > 0 && !is_beyond(lister, lister->base.first.at, lister->base.last.at))
        note_expired(lister, &lister->base);
    return code;
}

/*
 * Backward from a place: the samples of its own type and instant. Ranks count arrivals, so
 * this is a walk forward, up to the place.
 */
static enum err_code show_ties(struct listing *listing, struct error *err)
{
    const struct list_question *question = listing->question;
    const struct list_place *place = question->place;
    if (place->at.us < question->from.us || place->at.us >= question->to.us)
        return ERR_OK;
    struct lister lister = {.listing = listing,
                            .type = place->type,
                            .options = {.type = place->type,
                                        .from = place->at,
                                        .to = {place->at.us + 1},
                                        .rollups = SPAN_NONE},
                            .left = place->rank};
    return walk(&lister, err);
}

/* The rest of a type: what of it lies in the window, beyond the place, and is near enough. */
static enum err_code show_type(struct listing *listing, struct slice type, struct error *err)
{
    const struct list_question *question = listing->question;
    const struct list_place *place = question->place;
    int64_t from = question->from.us, to = question->to.us;
    int64_t edge = sample_page_edge(&listing->page).us;
    int order = place ? slice_compare(type, place->type) : 0;
    if (question->is_backward) {
        from = greater(from, edge);
        to = place ? lesser(to, place->at.us + (order < 0)) : to;
    } else {
        from = place ? greater(from, place->at.us + (order < 0)) : from;
        to = edge < to ? edge + 1 : to;
    }
    bool begins_at_place = !question->is_backward && place && order == 0 && from == place->at.us;
    struct lister lister = {.listing = listing,
                            .type = type,
                            .options = {.type = type,
                                        .from = {from},
                                        .to = {to},
                                        .rollups = SPAN_NONE,
                                        .is_backward = question->is_backward},
                            .skipped = begins_at_place ? place->rank : 0,
                            .left = UINT64_MAX};
    return walk(&lister, err);
}

/* Nothing before this instant can be of the page. */
static int64_t page_from(const struct listing *listing)
{
    const struct list_question *question = listing->question;
    int64_t from = question->from.us;
    if (question->is_backward)
        return greater(from, sample_page_edge(&listing->page).us);
    return question->place ? greater(from, question->place->at.us) : from;
}

/* Newest types first, so that the others need not be read once nothing is new enough. */
static enum err_code show_types(struct listing *listing, const struct type_directory *types,
                                struct error *err)
{
    enum err_code code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < types->count; i++) {
        const struct type_entry *entry = &types->entries[i];
        if (listing->was_moved || entry->newest_at.us < page_from(listing))
            break;
        code = show_type(listing, type_directory_name(types, entry), err);
    }
    return code;
}

static enum err_code try_page(struct listing *listing, const struct type_directory *types,
                              struct listed_sample *room, struct error *err)
{
    const struct list_question *question = listing->question;
    enum err_code code = ERR_OK;
    sample_page_init(&listing->page, room, question->limit, question->is_backward);
    *listing->report = (struct metric_report){0};
    listing->was_moved = false;
    if (question->is_backward && question->place)
        code = show_ties(listing, err);
    if (code != ERR_OK || listing->was_moved)
        return code;
    return types ? show_types(listing, types, err) : show_type(listing, question->type, err);
}

/* `types` is NULL when the question is about one. */
static enum err_code make_page(struct listing *listing, const struct type_directory *types,
                               struct listed_sample *room, struct error *err)
{
    int restarts = 0;
    enum err_code code = try_page(listing, types, room, err);
    while (code == ERR_OK && listing->was_moved) {
        code = metric_scan_pause(&restarts, listing->deadline, err);
        if (code == ERR_OK)
            code = try_page(listing, types, room, err);
    }
    return code;
}

/* Forward, the ties before the place were skipped: the page does not know of them. */
static void finish_page(struct listing *listing)
{
    const struct list_place *place = listing->question->place;
    sample_page_finish(&listing->page);
    if (!place || listing->question->is_backward)
        return;
    for (size_t i = 0; i < listing->page.count; i++) {
        struct listed_sample *sample = &listing->page.samples[i];
        if (sample->record.at.us == place->at.us && slice_equals(sample->type, place->type))
            sample->rank += place->rank;
    }
}

enum err_code metric_store_list(struct metric_store *store, const struct list_question *question,
                                struct mono_time deadline, struct arena *arena,
                                struct listed_sample *samples, size_t *count,
                                struct metric_report *report, struct error *err)
{
    struct listing listing = {.store = store,
                              .question = question,
                              .deadline = deadline,
                              .arena = arena,
                              .report = report};
    struct type_directory types = {0};
    bool is_of_all = question->type.len == 0;
    enum err_code code = ERR_OK;
    *count = 0;
    if (is_of_all)
        code = type_directory_read(&types, store->client, deadline, err);
    if (code == ERR_OK)
        code = make_page(&listing, is_of_all ? &types : NULL, samples, err);
    type_directory_release(&types);
    if (code == ERR_OK && arena->failed)
        code = error_set(err, ERR_NO_MEMORY, "Out of memory");
    if (code != ERR_OK)
        return code;
    finish_page(&listing);
    *count = listing.page.count;
    return ERR_OK;
}
