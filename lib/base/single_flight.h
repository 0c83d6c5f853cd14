/*
 * single_flight: many ask for the same at once, one works, all get the result.
 *
 * A caller never gets the result of a flight that began before it asked (its own
 * write might be missing there): it waits for the one under way and shares the
 * next. So under a stampede at most two flights serve everybody who waits, and each
 * answer is as new as the question. Thread-safe.
 */
#ifndef LIB_BASE_SINGLE_FLIGHT_H
#define LIB_BASE_SINGLE_FLIGHT_H

#include "error.h"
#include "slice.h"
#include "strbuf.h"

struct single_flight;

/* Up to `keys_max` keys fly at once; more wait. Results up to `result_bytes_max`. */
struct single_flight *single_flight_new(size_t keys_max, size_t result_bytes_max);
void single_flight_free(struct single_flight *flights);

/*
 * Run `work` for `key`, or wait for a run that began after this call. Appends the
 * result to `out`. `work` runs in a calling thread; its code and error are shared too.
 * `*shared` tells whether another thread did the work. Blocks as long as two runs, and
 * as long as all `keys_max` slots are taken. ERR_NO_MEMORY: also a result too large.
 */
enum err_code single_flight_do(struct single_flight *flights, struct slice key,
                               enum err_code (*work)(void *context, struct strbuf *result,
                                                     struct error *err),
                               void *context, struct strbuf *out, bool *shared, struct error *err)
    __attribute__((warn_unused_result));

#endif
