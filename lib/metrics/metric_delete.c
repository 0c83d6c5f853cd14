#include "metric_delete.h"

#include "meta.h"
#include "redis_keys.h"

#define STEP_CHUNKS SLICE("256")

static enum err_code begin(struct redis_client *client, struct slice type, bool *is_known,
                           struct error *err)
{
    struct slice prefix = redis_client_key_prefix(client);
    struct redis_key meta, stem, types, due, external;
    redis_key_meta(&meta, prefix, type);
    redis_key_metric_stem(&stem, prefix, type);
    redis_key_global(&types, prefix, "types");
    redis_key_global(&due, prefix, "due");
    redis_key_external(&external, prefix, type);
    const struct slice keys[] = {redis_key_slice(&meta), redis_key_slice(&stem),
                                 redis_key_slice(&types), redis_key_slice(&due),
                                 redis_key_slice(&external)};
    struct redisReply *reply;
    int64_t result = 0;
    enum err_code code = redis_client_eval(client, REDIS_LANE_WRITE, REDIS_SCRIPT_DELETE_BEGIN,
                                           keys, sizeof keys / sizeof *keys, &type, 1, &reply, err);
    *is_known = code == ERR_OK && redis_reply_integer(reply, &result) && result == 1;
    redis_reply_free(reply);
    return code;
}

static enum err_code step(struct redis_client *client, struct slice type, bool *is_done,
                          struct error *err)
{
    struct slice prefix = redis_client_key_prefix(client);
    struct redis_key meta, stem, due;
    redis_key_meta(&meta, prefix, type);
    redis_key_metric_stem(&stem, prefix, type);
    redis_key_global(&due, prefix, "due");
    const struct slice keys[] = {redis_key_slice(&meta), redis_key_slice(&stem),
                                 redis_key_slice(&due)};
    const struct slice args[] = {type, STEP_CHUNKS};
    struct redisReply *reply;
    int64_t result = 0;
    enum err_code code = redis_client_eval(client, REDIS_LANE_WRITE, REDIS_SCRIPT_DELETE_STEP, keys,
                                           sizeof keys / sizeof *keys, args, 2, &reply, err);
    *is_done = code == ERR_OK && redis_reply_integer(reply, &result) && result == 1;
    redis_reply_free(reply);
    return code;
}

enum err_code metric_delete(struct redis_client *client, struct slice type,
                            struct mono_time deadline, bool *is_known, bool *is_done,
                            struct error *err)
{
    *is_done = false;
    enum err_code code = begin(client, type, is_known, err);
    if (code != ERR_OK || !*is_known)
        return code;
    while (!*is_done && mono_is_before(clock_mono_now(), deadline)) {
        if (step(client, type, is_done, NULL) != ERR_OK)
            break;
    }
    return ERR_OK;
}

enum err_code metric_delete_go_on(struct redis_client *client, struct slice type, bool *is_deleting,
                                  bool *is_done, struct error *err)
{
    struct redis_key meta;
    redis_key_meta(&meta, redis_client_key_prefix(client), type);
    const struct slice argv[] = {SLICE("GET"), redis_key_slice(&meta)};
    struct redisReply *reply;
    struct slice packed;
    *is_done = false;
    enum err_code code = redis_client_call(client, REDIS_LANE_READ, argv, 2, &reply, err);
    *is_deleting = code == ERR_OK && redis_reply_bytes(reply, &packed) && meta_is_deleting(packed);
    redis_reply_free(reply);
    return *is_deleting ? step(client, type, is_done, err) : code;
}

enum err_code metric_delete_finish(struct redis_client *client, struct slice type,
                                   struct mono_time deadline, bool *is_done, struct error *err)
{
    enum err_code code = ERR_OK;
    *is_done = false;
    while (code == ERR_OK && !*is_done && mono_is_before(clock_mono_now(), deadline)) {
        bool is_deleting;
        code = metric_delete_go_on(client, type, &is_deleting, is_done, err);
        *is_done = code == ERR_OK && (*is_done || !is_deleting);
    }
    return code;
}
