/*
 * summary_cache: cache-aside for summaries, exact by version.
 *
 * An answer in Redis (`m:{type}:sum:<period>`) is right while its version equals that
 * of `meta` and the clock of Redis is before the instant at which it stops being true
 * by itself: when its oldest counted sample leaves the window (the window is
 * [now - span, for ever), so a sample dated in the future is inside already). Else it
 * is computed again. A refill computed from an older version never replaces a newer
 * one. Answers of types without samples are not kept, nor those whose report has
 * something to say. Thread-safe.
 */
#ifndef LIB_METRICS_SUMMARY_CACHE_H
#define LIB_METRICS_SUMMARY_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "metric_store.h"
#include "slice.h"
#include "strbuf.h"

enum period { PERIOD_ALL, PERIOD_DAILY, PERIOD_HOURLY, PERIOD_COUNT };

/* "all", "daily", "hourly". */
struct slice period_name(enum period period);
/* How far back it reaches from now; INT64_MAX: for ever. */
int64_t period_span_us(enum period period);
bool period_parse(struct slice name, enum period *period);

struct summary_answer {
    struct aggregate aggregate; /* with its histogram; the caller's to init and release */
    struct metric_report report;
    bool is_hit;             /* kept, not computed for this call */
    int64_t now_us;          /* of Redis: the period ended then */
    int64_t age_us;          /* since it was computed */
    int64_t valid_us;        /* until it stops being true by itself; INT64_MAX: never; 0: it has */
    int64_t external_ttl_us; /* of the external data; meaningless when there is none */
};

struct summary_cache;

struct summary_cache *summary_cache_new(struct metric_store *store, struct redis_client *client,
                                        uint32_t ttl_seconds);
void summary_cache_free(struct summary_cache *cache);

/*
 * The summary of `type` over `period`, as of an instant not before the call; or, with
 * `fresh_us` > 0, one that is no older than that. Appends what `ext:{type}` holds to
 * `external` (nothing when there is nothing). One round trip when cached; else those of
 * metric_store_series as well. That the answer is kept is not waited for; while the type is
 * being written it is tried every 100 ms at most.
 */
enum err_code summary_cache_get(struct summary_cache *cache, struct slice type, enum period period,
                                int64_t fresh_us, struct mono_time deadline,
                                struct summary_answer *answer, struct strbuf *external,
                                struct error *err) __attribute__((warn_unused_result));

/*
 * The same of the window [from, to), which is computed for each call, exact as of an instant
 * not before it, and not kept. It is `valid_us` for ever: until a sample of the type arrives.
 */
enum err_code summary_cache_get_window(struct summary_cache *cache, struct slice type,
                                       struct wall_time from, struct wall_time to,
                                       struct mono_time deadline, struct summary_answer *answer,
                                       struct strbuf *external, struct error *err)
    __attribute__((warn_unused_result));

#endif
