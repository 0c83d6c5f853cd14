#include "tending.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#include "damage_log.h"

enum { NAP_MS = 10 };

static bool has_room(struct arguments *a)
{
    a->is_overfull = a->is_overfull || a->count == TENDING_ARGS_MAX;
    return !a->is_overfull;
}

void arguments_add_bytes(struct arguments *a, struct slice bytes)
{
    if (has_room(a))
        a->args[a->count++] = bytes;
}

void arguments_add_integer(struct arguments *a, int64_t value)
{
    if (!has_room(a))
        return;
    char *text = a->texts[a->count];
    int len = snprintf(text, INTEGER_BYTES, "%" PRId64, value);
    a->args[a->count++] = slice_of(text, (size_t)len);
}

void arguments_add_span(struct arguments *a, struct span span)
{
    if (!has_room(a))
        return;
    struct slice name = span_name(span, a->texts[a->count]);
    a->args[a->count++] = name;
}

enum err_code tending_say_unexpected(struct error *err, const char *script)
{
    enum err_code code = error_set(err, ERR_INTERNAL, "Internal error");
    error_set_cause(err, "%s does not answer as it should", script);
    return code;
}

void tending_say_damaged(const struct tending *t, struct span span, int64_t chunk)
{
    damage_log_say(t->type, span, chunk, clock_mono_now());
}

static enum err_code say_overfull(struct error *err)
{
    enum err_code code = error_set(err, ERR_INTERNAL, "Internal error");
    error_set_cause(err, "more than %d arguments of a script", TENDING_ARGS_MAX);
    return code;
}

void tending_begin(struct tending *t, struct slice type)
{
    t->type = type;
    t->is_behind = false;
    t->turn_since = t->burst_since = clock_mono_now();
    redis_key_metric_stem(&t->stem, redis_client_key_prefix(t->client), type);
    redis_key_meta(&t->meta, redis_client_key_prefix(t->client), type);
}

static bool has_lasted(struct mono_time since, int64_t ms)
{
    return !mono_is_before(clock_mono_now(), mono_after_ms(since, ms));
}

bool tending_must_yield(struct tending *t)
{
    if (!t->is_stopping || !has_lasted(t->turn_since, TENDING_TURN_MS))
        return false;
    t->is_behind = true;
    return true;
}

void tending_rest(struct tending *t)
{
    if (!t->is_stopping || !has_lasted(t->burst_since, TENDING_BURST_MS))
        return;
    for (int left = TENDING_REST_MS; left > 0 && !atomic_load(t->is_stopping); left -= NAP_MS)
        (void)poll(NULL, 0, NAP_MS);
    t->burst_since = clock_mono_now();
}

enum err_code tending_run(struct tending *t, enum redis_lane lane, enum redis_script script,
                          const struct arguments *a, struct redisReply **reply, struct error *err)
{
    *reply = NULL;
    if (t->is_stopping && atomic_load(t->is_stopping))
        return error_set(err, ERR_STORE_UNAVAILABLE, "Upkeep is being stopped");
    if (a->is_overfull)
        return say_overfull(err);
    const struct slice keys[] = {redis_key_slice(&t->stem), redis_key_slice(&t->meta)};
    return redis_client_eval(t->client, lane, script, keys, 2, a->args, a->count, reply, err);
}

enum err_code tending_change(struct tending *t, enum redis_script script, const struct arguments *a,
                             bool *is_done, struct error *err)
{
    struct redisReply *reply;
    int64_t result = 0;
    tending_rest(t);
    enum err_code code = tending_run(t, REDIS_LANE_WRITE, script, a, &reply, err);
    *is_done = code == ERR_OK && redis_reply_integer(reply, &result) && result == 1;
    if (code == ERR_OK && !*is_done)
        t->is_behind = true;
    redis_reply_free(reply);
    return code;
}

enum err_code tending_look_at(struct tending *t, struct span span, struct tending_target *target,
                              struct redisReply **reply, struct error *err)
{
    struct arguments a = {0};
    arguments_add_span(&a, span);
    enum err_code code = tending_run(t, REDIS_LANE_READ, REDIS_SCRIPT_TEND_TARGET, &a, reply, err);
    struct slice layout;
    if (code != ERR_OK)
        return code;
    if (!redis_reply_bytes_at(*reply, 0, &layout) || layout.len >= sizeof t->layout ||
        !redis_reply_integer_at(*reply, 1, &target->count) ||
        !redis_reply_bytes_at(*reply, 2, &target->last) ||
        !redis_reply_integer_at(*reply, 3, &target->now.us))
        return tending_say_unexpected(err, "tend_target");
    memcpy(t->layout, layout.ptr, layout.len);
    t->layout[layout.len] = '\0';
    return ERR_OK;
}

void tending_begin_gather(const struct tending *t, struct arguments *a, struct slice stamp,
                          struct span target, int64_t had, int64_t keep)
{
    a->count = 0;
    a->is_overfull = false;
    arguments_add_bytes(a, slice_from_string(t->layout));
    arguments_add_bytes(a, stamp);
    arguments_add_integer(a, target.level);
    arguments_add_integer(a, target.number);
    arguments_add_integer(a, had);
    arguments_add_integer(a, keep);
}
