/*
 * percentiles: which percentiles a request asks for, and what they are called. Pure.
 */
#ifndef FCGI_PERCENTILES_H
#define FCGI_PERCENTILES_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "http.h"

enum { PERCENTILES_MAX = 20, PERCENTILE_NAME_BYTES = 24 };

/* In the order of the request, each once. */
struct percentiles {
    size_t count;
    struct {
        uint32_t q; /* millionths of a percent, which is a quantile of histogram.h */
        /* "p50", "p9.9", "p0.5", "p100"; from 99 on without the point: "p999" is 99.9 */
        char name[PERCENTILE_NAME_BYTES];
    } entries[PERCENTILES_MAX];
};

/*
 * Read `percentiles`, numbers from 0 to 100 with at most six decimals and commas between
 * them ("50,99.9"); empty: none. Absent: `fallback`, a list of the same form.
 *
 * ERR_VALIDATION: no such number, one given twice, more than PERCENTILES_MAX.
 * ERR_NO_MEMORY.
 */
enum err_code percentiles_read(const struct request *req, const char *fallback,
                               struct percentiles *percentiles, struct error *err)
    __attribute__((warn_unused_result));

#endif
