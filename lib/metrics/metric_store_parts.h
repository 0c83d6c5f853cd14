/* metric_store_parts: what the files of the store share: metric_{store,types,query,list}.c. */
#ifndef LIB_METRICS_METRIC_STORE_PARTS_H
#define LIB_METRICS_METRIC_STORE_PARTS_H

#include "chunk_sealer.h"
#include "metric_store.h"

struct metric_store {
    struct metric_store_options options;
    struct redis_client *client;
    struct rate_limiter *limiter;
    struct chunk_sealer *sealer;
    struct metric_tender *tender;
};

#endif
