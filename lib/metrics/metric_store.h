/*
 * metric_store: samples in Redis.
 *
 * Writing appends a record to the open chunk of its hour and moves `meta`: one script
 * call, O(1), whatever the size of the data, the order or the age of samples. A chunk
 * that is full, or whose hour is over, is closed and sealed (chunk.h): writing does not touch
 * it again. Upkeep does (metric_tender.h): few samples are gathered with others of their hour,
 * their day or their month, what has expired is cut off, and what is left of that is merged.
 * Reading (metric_scan.h) takes the aggregates of closed chunks, rolled up by hour, day and
 * month, and folds in the open ones and the chunks at the edges of its window. Thread-safe.
 */
#ifndef LIB_METRICS_METRIC_STORE_H
#define LIB_METRICS_METRIC_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "aggregate.h"
#include "error.h"
#include "meta.h"
#include "metric_tender.h"
#include "rate_limiter.h"
#include "redis_client.h"
#include "request_mark.h"
#include "sample.h"
#include "sample_batch.h"
#include "sample_page.h"

struct metric_store;

struct metric_store_options {
    size_t types_max; /* MAX_TYPES: a new type beyond is refused */
    struct metric_retention retention;
    /* MAX_BUCKETS: no further hour is opened for a type that lies in so many hours, days and
     * months. The day and the month of an hour may come on top when it is closed. */
    size_t spans_per_type_max;
    uint32_t mark_ttl_seconds; /* IDEMPOTENCY_TTL_SECONDS: of a request's mark */
};

/* Starts two threads, one that seals chunks as they close and one that tends: after the fork. */
struct metric_store *metric_store_new(const struct metric_store_options *options,
                                      struct redis_client *client, struct rate_limiter *limiter);
void metric_store_free(struct metric_store *store);

/*
 * Store one sample if `policy` admits it: one round trip decides and writes, or none
 * while a refusal stands.
 *
 * ERR_OK: stored, and on disk if Redis says so before it answers. ERR_RATE_LIMITED:
 * refused, nothing written. In both `verdict` is complete. ERR_LIMIT_REACHED: a new
 * type or hour beyond the maximum, with the member of the sample that is to blame;
 * nothing written, nothing spent. ERR_STORE_UNAVAILABLE also while the type is being
 * deleted. Else the store's error (redis_client.h).
 */
enum err_code metric_store_add(struct metric_store *store, const struct sample *sample,
                               const struct rate_policy *policy, const struct rate_subject *subject,
                               struct rate_verdict *verdict, struct error *err)
    __attribute__((warn_unused_result));

/* How a batch is to be stored. */
struct batch_terms {
    const struct rate_policy *policy;
    const struct rate_subject *subject;
    bool is_all_or_nothing; /* else what may not be stored is left out, and told */
    /* Of the request; samples without a time have its arrival. Of a request that has no key made
     * by request_mark_init. */
    const struct request_mark *mark;
};

struct batch_receipt {
    struct rate_verdict verdict; /* complete on ERR_OK and ERR_RATE_LIMITED, but for a replay */
    bool is_replay; /* all that could be was stored before, for the same key; nothing spent */
    struct wall_time arrival; /* of the first request of the key */
    size_t left_out;          /* samples: those of groups that have a status now */
};

/*
 * Store a batch if `terms->policy` admits it, as one. One round trip; a batch of more than
 * BATCH_PART_GROUPS types and hours goes in several steps of Redis, one behind the other.
 *
 * Of one part: all or nothing whatever happens. Of several: a failure of Redis midway may leave
 * parts stored; then ERR_STORE_UNKNOWN, and the same request with the same key completes it. What
 * a part behind the first one refuses (MAX_BUCKETS) is left out, all of the part, and told.
 *
 * Where the others are stored, samples of a type that is being deleted follow when that is done,
 * which this helps and waits for, up to a second. What still cannot be stored then is
 * ERR_STORE_UNKNOWN if the request has a key, by which it can be completed; else it is left out,
 * since sent again the others would count twice.
 *
 * Errors are those of metric_store_add, of which the type that is to blame is told in the cause;
 * and ERR_KEY_REUSED.
 */
enum err_code metric_store_add_batch(struct metric_store *store, struct sample_batch *batch,
                                     const struct batch_terms *terms, struct batch_receipt *receipt,
                                     struct error *err) __attribute__((warn_unused_result));

/* Say why a group was left out, as metric_store_add would of a sample of it. Returns the code. */
enum err_code metric_store_explain(const struct metric_store *store,
                                   const struct batch_group *group, struct error *err);

enum { METRIC_DAMAGES_MAX = 8, METRIC_LAYOUT_BYTES = 24 };

/* What an answer over a window has to say about itself. */
struct metric_report {
    bool is_widened; /* samples have expired of whose hour, day or month only a part was asked */
    struct wall_time from, to; /* then: [from, to) is what the answer really holds of those */
    bool is_folded; /* nothing is known of the samples between these two but what they add to
                     * everything: they are not in the answer */
    struct wall_time folded_from, folded_to; /* [from, to) */
    bool has_expired; /* of a list: samples between these two have expired, and are not in it */
    struct wall_time expired_from, expired_to; /* [from, to) */
    size_t damage_count; /* the first METRIC_DAMAGES_MAX stretches that cannot be read */
    struct {
        struct wall_time from, to;
    } damages[METRIC_DAMAGES_MAX];
    bool is_torn;                     /* of a question that had another one `before` */
    char layout[METRIC_LAYOUT_BYTES]; /* changes whenever chunks are moved or expire */
};

struct metric_question {
    struct slice type;
    struct wall_time from; /* WALL_TIME_MIN: from the beginning */
    struct wall_time to;   /* excluded; WALL_TIME_MAX: no upper bound */
    /* Of a series: steps begin at its multiples, counted from 1970, the first one holds
     * `from`, and only what lies in the window counts. 0: one point for all. */
    int64_t step_us;
    /* NULL, or the report of another question, which ended at `from`: that one has told what
     * has expired and lies across it. What expired between the two it has not told wholly:
     * then the report `is_torn`, and both are to be asked again. */
    const struct metric_report *before;
};

/*
 * Aggregate what lies in a window, exact to the microsecond, into `count` points (one for
 * each step), which the caller has made by aggregate_init, all alike: with histograms or
 * without. They are reset first. As of one instant not before the call for each 512 chunks
 * or spans. Unknown type: empty points. A few round trips, bounded by `deadline`; chunks
 * that were not sealed or rolled up yet cost more, once.
 */
enum err_code metric_store_series(struct metric_store *store,
                                  const struct metric_question *question, struct mono_time deadline,
                                  struct aggregate *points, size_t count,
                                  struct metric_report *report, struct error *err)
    __attribute__((warn_unused_result));

/* A place in a list: before the samples of `type` at `at` from `rank` on. */
struct list_place {
    struct wall_time at; /* years 1 to 9999 */
    struct slice type;
    uint64_t rank;
};

struct list_question {
    struct slice type;              /* empty: of all types */
    struct wall_time from, to;      /* as in struct metric_question */
    bool is_backward;               /* what comes before the place; else what comes after it */
    const struct list_place *place; /* NULL: the end of the window, or its beginning */
    size_t limit;                   /* at least 1 */
};

/*
 * The `limit` samples nearest to a place, oldest first; ties by arrival within a type, by
 * name across types. What was there before the call is seen for certain, what comes
 * meanwhile perhaps. So one who goes on from where a page ended, before its first or
 * behind its last sample, meets each sample once, whatever is posted in between. (When
 * samples expire, ranks of the others of the very same timestamp and type go down.)
 *
 * `samples` has room for `limit`, and `*count` says how many there are; `arena` holds
 * their names. Samples that have expired are left out, and `report` says so, of those in reach of
 * the page, as it does of damages; it has nothing else.
 *
 * A few round trips for one type, and a chunk read for every 4,096 samples of the page or
 * of the instant where it begins or ends. Of all types, two for each that can have samples
 * there, which forward, or far back, may be most of them; bounded by `deadline`.
 */
struct arena;
enum err_code metric_store_list(struct metric_store *store, const struct list_question *question,
                                struct mono_time deadline, struct arena *arena,
                                struct listed_sample *samples, size_t *count,
                                struct metric_report *report, struct error *err)
    __attribute__((warn_unused_result));

#endif
