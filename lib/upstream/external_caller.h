/*
 * external_caller: how one thread of external_service reaches the dependency.
 *
 * Made by external_simulation_new or external_http_new, one for each thread, and used
 * by that thread alone. It knows neither of the breaker nor of the other threads.
 */
#ifndef LIB_UPSTREAM_EXTERNAL_CALLER_H
#define LIB_UPSTREAM_EXTERNAL_CALLER_H

#include "circuit_breaker.h"
#include "error.h"
#include "external_stop.h"
#include "slice.h"
#include "strbuf.h"

struct external_caller {
    /*
     * Make the call for `type` and put its data, a JSON object, into `data`, which is
     * empty. Takes timeout_ms at most, less when the end is raised. On BREAKER_FAILURE
     * `err` is ERR_UPSTREAM_FAILED, a real dependency also gives its cause; when the end
     * cut the call short, BREAKER_NEUTRAL. `data` means something on success alone.
     */
    enum breaker_outcome (*call)(struct external_caller *caller, struct slice type,
                                 struct strbuf *data, struct error *err);
    void (*free)(struct external_caller *caller);
};

#endif
