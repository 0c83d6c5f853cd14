/*
 * adapter: FastCGI to struct request and back. With worker.c the only users of
 * libfcgi.
 *
 * One adapter per thread: it owns the memory of the request under way.
 */
#ifndef FCGI_ADAPTER_H
#define FCGI_ADAPTER_H

#include <stdint.h>

#include "app.h"
#include "clock.h"
#include "http.h"

struct FCGX_Request;

struct adapter {
    struct app *app;
    struct arena arena;
    struct response response;
    struct strbuf out;
    uint64_t id_seed; /* of the request ids that this thread makes */
    uint64_t id_count;
};

void adapter_init(struct adapter *adapter, struct app *app);
void adapter_release(struct adapter *adapter);

/* Answer an accepted request, and count it. Leaves it unfinished: FCGX_Finish_r is the caller's. */
void adapter_serve(struct adapter *adapter, struct FCGX_Request *fcgx,
                   struct mono_time accepted_at);

#endif
