/*
 * summary_question: what a request for a summary asks for. Pure: `now` is an argument.
 *
 *   type                    of which samples
 *   period, or from and to  all, daily or hourly; or a window (window.h)
 *   percentiles             which (percentiles.h); 50, 90, 95, 99 and 99.9 when absent
 *   compare=previous        with the stretch right before, of equal length
 */
#ifndef FCGI_SUMMARY_QUESTION_H
#define FCGI_SUMMARY_QUESTION_H

#include <stdbool.h>

#include "clock.h"
#include "error.h"
#include "http.h"
#include "percentiles.h"
#include "slice.h"
#include "summary_cache.h"
#include "window.h"

enum { SUMMARY_NAME_BYTES_MAX = 768 };

/* Slices and percentiles live in the arena of the request, or for ever. */
struct summary_question {
    struct slice type;
    enum period period;             /* unless the window is given */
    struct window window;           /* as of `now` */
    struct wall_time previous_from; /* of a window that is compared: with [this, window.from) */
    bool is_compared;
    bool is_moving; /* the clock alone changes the answer in ways that no store foretells */
    const struct percentiles *percentiles;

    /* Of the answer, in a cache: whatever shapes it makes a part of one of the two. */
    struct slice tag;  /* of the type */
    struct slice name; /* up to SUMMARY_NAME_BYTES_MAX */
};

/*
 * Read the query. ERR_BAD_REQUEST: no such period. ERR_VALIDATION names what is missing,
 * wrong, too much, or has nothing before it to compare with. ERR_NO_MEMORY. A request of
 * type and period alone costs little.
 */
enum err_code summary_question_read(const struct request *req, struct wall_time now,
                                    struct summary_question *q, struct error *err)
    __attribute__((warn_unused_result));

/* Move what `req` asked for to a later `now`. ERR_VALIDATION: there it cannot be. */
enum err_code summary_question_move(const struct request *req, struct wall_time now,
                                    struct summary_question *q, struct error *err)
    __attribute__((warn_unused_result));

#endif
