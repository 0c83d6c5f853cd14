/*
 * metric_tender: upkeep of what is stored, whether anybody asks or not (one thread).
 *
 * Once a second one worker of the fleet, whichever gets the lease, is given types that are
 * due (scripts/lib/due.lua); nobody else is given those for a minute. Whatever holds samples
 * is due within a day, within an hour where they expire; at its start a tender looks for types
 * of which nobody knows when they are. Of a type it
 *   - hands chunks that are closed but not sealed to the sealer;
 *   - closes and seals what is open in hours that are over: an hour's chunk of
 *     TENDER_KEEP_RECORDS samples or more stays in its hour, fewer are gathered into their
 *     day when that is over, small days into their month of 32 days (not where samples
 *     expire: what stays of them keeps the resolution of days);
 *   - does so at once in hours that are far ahead, after this day and the next hour: nothing
 *     stays open for more than a day, so that whatever its time is it expires by its arrival;
 *   - drops samples that arrived longer than the retention ago (a chunk's together, which
 *     arrived within a day or so) and keeps their aggregates, folds those into one when they
 *     have expired too, so that `all` stays right. It does so later by an hour, a 32nd of
 *     the retention if that is more, and a day at most;
 *   - goes on with a deletion that was interrupted.
 * Each step is one script that changes nothing if anything is not as it was seen, so a
 * death at any point, or two tenders at once, do no harm. What cannot be read stays where it
 * is; a type that cannot be tended is logged and comes again later, behind the others. All of
 * this also works where Redis is full, and makes room.
 *
 * Measured: a million samples of ten types, sealed and settled, take 0.46 s of this process
 * and 0.1 s of Redis; an hour with nothing to be done for a type, five round trips, however
 * much it holds. When something has expired all is looked through: a year of a chunk an hour
 * takes 190 round trips and 50 ms of Redis, at most once an hour, with 32 days of retention or
 * more once a day.
 */
#ifndef LIB_METRICS_METRIC_TENDER_H
#define LIB_METRICS_METRIC_TENDER_H

#include <stdint.h>

#include "clock.h"
#include "error.h"
#include "redis_client.h"
#include "slice.h"

enum { TENDER_KEEP_RECORDS = 1024, TENDER_GRACE_SECONDS = 60 };

struct chunk_sealer;
struct metric_tender;

/* In microseconds, by arrival; 0: for ever. */
struct metric_retention {
    int64_t samples_us, aggregates_us;
};

/* Starts the thread, with all signals blocked. NULL: no memory or no thread. */
struct metric_tender *metric_tender_new(struct redis_client *client, struct chunk_sealer *sealer,
                                        const struct metric_retention *retention);

/* Waits for the step under way. NULL is fine. */
void metric_tender_free(struct metric_tender *tender);

/*
 * Tend one type now, whether it is due or not; what is over counts as over at once, without
 * the grace of a minute. From another thread than the tender's own. For tests and tools.
 */
enum err_code metric_tender_tend(struct redis_client *client, struct chunk_sealer *sealer,
                                 const struct metric_retention *retention, struct slice type,
                                 struct error *err) __attribute__((warn_unused_result));

/* The same as of `now`, by which hours, days and months are over; what expires does so as of
 * Redis's own clock. */
enum err_code metric_tender_tend_at(struct redis_client *client, struct chunk_sealer *sealer,
                                    const struct metric_retention *retention, struct slice type,
                                    struct wall_time now, struct error *err)
    __attribute__((warn_unused_result));

#endif
