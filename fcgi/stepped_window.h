/*
 * stepped_window: the window that a request asks for step by step. Where it leaves a side
 * open, the extent of the data bounds it.
 */
#ifndef FCGI_STEPPED_WINDOW_H
#define FCGI_STEPPED_WINDOW_H

#include <stddef.h>

#include "clock.h"
#include "error.h"
#include "http.h"
#include "metric_steps.h"
#include "steps.h"
#include "window.h"

struct stepped_window {
    struct window window;
    struct steps steps; /* none while the window is open */
    struct step_limits limits;
};

/* Read `from`, `to`, `step` and `points`: window_read and steps_read, which say what is wrong. */
enum err_code stepped_window_read(const struct request *req, const struct step_limits *limits,
                                  struct stepped_window *stepped, struct error *err)
    __attribute__((warn_unused_result));

/*
 * Bound a window that is open by what is stored of these types, and read its steps. Without
 * any sample it stays open, and has none. One that is bounded costs nothing. Else as
 * metric_steps_bound, and ERR_VALIDATION where that makes too many steps.
 */
enum err_code stepped_window_bound(const struct request *req, struct metric_store *store,
                                   const struct slice *types, size_t type_count,
                                   struct mono_time deadline, struct stepped_window *stepped,
                                   struct error *err) __attribute__((warn_unused_result));

#endif
