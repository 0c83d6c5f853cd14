/* metric_store_parts: what the files of the store share: metric_{store,types,query,list}.c. */
#ifndef LIB_METRICS_METRIC_STORE_PARTS_H
#define LIB_METRICS_METRIC_STORE_PARTS_H

#include "chunk_sealer.h"
#include "counters.h"
#include "metric_store.h"

struct metric_store {
    struct metric_store_options options;
    struct redis_client *client;
    struct rate_limiter *limiter;
    struct chunk_sealer *sealer;
    struct metric_tender *tender;
};

/* What post and post_many have to say, behind the limiter's share of their replies. */
enum post_status {
    POST_STORED,
    POST_TYPES_FULL,
    POST_SPANS_FULL,
    POST_DELETING,
    /* of post_many alone */
    POST_FOREIGN, /* a key is not as ours are */
    POST_STORED_BEFORE,
    POST_NOT_ADMITTED,
    POST_KEY_REUSED,
    POST_UNDER_WAY, /* another request of this key came first, at another time */
    POST_MUST_COUNT /* whether there is room for all new types: how many are there? */
};
enum { POST_STATUS_AT = 4 };

/* Where samples are counted whose request ended like this. */
enum counter metric_store_counter(enum err_code code);

/* Say why samples of `type` are not stored. */
enum err_code metric_store_refuse(const struct metric_store *store, enum post_status status,
                                  struct slice type, struct error *err);

#endif
