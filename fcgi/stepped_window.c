#include "stepped_window.h"

enum err_code stepped_window_read(const struct request *req, const struct step_limits *limits,
                                  struct stepped_window *stepped, struct error *err)
{
    stepped->limits = *limits;
    enum err_code code = window_read(req, clock_wall_now(), &stepped->window, err);
    enum err_code steps_code = steps_read(req, &stepped->window, limits, &stepped->steps, err);
    return code == ERR_OK ? steps_code : code;
}

enum err_code stepped_window_bound(const struct request *req, struct metric_store *store,
                                   const struct slice *types, size_t type_count,
                                   struct mono_time deadline, struct stepped_window *stepped,
                                   struct error *err)
{
    struct window *window = &stepped->window;
    if (window_is_bounded(window))
        return ERR_OK;
    enum err_code code =
        metric_steps_bound(store, types, type_count, deadline, &window->from, &window->to, err);
    return code != ERR_OK ? code : steps_read(req, window, &stepped->limits, &stepped->steps, err);
}
