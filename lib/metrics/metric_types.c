#include "metric_types.h"

#include "glob.h"
#include "metric_store_parts.h"
#include "redis_keys.h"
#include "span.h"
#include "strbuf.h"

#define NAMES_TEXT "1000"
#define OPEN_TEXT  "64"
enum { NAMES = 1000, SIZES = 16, METAS = 64, BOUND_BYTES_MAX = 1 + 4 * TYPE_BYTES_MAX };

/* One page in the making. */
struct listing {
    struct metric_store *store;
    const struct metric_types_question *question;
    struct mono_time deadline;
    struct mono_time last_begin; /* nothing is begun after it: what was, has time to end */
    struct arena *arena;
    struct redis_key *keys; /* of those that are asked about at once */
    struct slice *names;    /* that match, room for question->limit */
    size_t name_count;
    size_t looked_at;
    struct slice last; /* looked at: TYPE_BYTES_MAX bytes of it at most */
    bool has_more;
    bool is_at_end; /* of all names, or of those that begin as the pattern does */
};

static enum err_code say_no_memory(struct error *err)
{
    return error_set(err, ERR_NO_MEMORY, "Out of memory");
}

static bool is_late(const struct listing *listing)
{
    return !mono_is_before(clock_mono_now(), listing->last_begin);
}

/* --- Names ------------------------------------------------------------------------- */

/*
 * Behind `last`. No name of a type is longer than TYPE_BYTES_MAX: what begins with so many
 * bytes, and goes on, is foreign, and all of that is passed over at once.
 */
static void put_low(struct slice last, struct strbuf *low)
{
    size_t len = last.len;
    while (len > 0 && last.ptr[len - 1] == '\xff')
        len--;
    if (last.len < TYPE_BYTES_MAX || len == 0) {
        strbuf_append_char(low, '(');
        strbuf_append_slice(low, last);
        return;
    }
    strbuf_append_char(low, '[');
    strbuf_append_slice(low, slice_of(last.ptr, len - 1));
    strbuf_append_char(low, (char)((unsigned char)last.ptr[len - 1] + 1));
}

/* No byte of a name is above 0xF4: prefix and 0xFF come after all that begin so. */
static void put_bounds(const struct listing *listing, struct strbuf *low, struct strbuf *high)
{
    struct slice prefix = glob_prefix(listing->question->match);
    if (listing->last.len > 0) {
        put_low(listing->last, low);
    } else {
        strbuf_append_char(low, '[');
        strbuf_append_slice(low, prefix);
    }
    strbuf_append_char(high, '(');
    strbuf_append_slice(high, prefix);
    strbuf_append_char(high, '\xff');
}

static enum err_code read_names(struct listing *listing, struct redisReply **reply,
                                struct error *err)
{
    struct redis_client *client = listing->store->client;
    struct redis_key key;
    redis_key_global(&key, redis_client_key_prefix(client), "types");
    struct strbuf low, high;
    strbuf_init(&low, BOUND_BYTES_MAX);
    strbuf_init(&high, BOUND_BYTES_MAX);
    put_bounds(listing, &low, &high);
    const struct slice argv[] = {SLICE("ZRANGEBYLEX"), redis_key_slice(&key), strbuf_slice(&low),
                                 strbuf_slice(&high),  SLICE("LIMIT"),        SLICE("0"),
                                 SLICE(NAMES_TEXT)};
    enum err_code code = strbuf_failed(&low) || strbuf_failed(&high)
                             ? say_no_memory(err)
                             : redis_client_call(client, REDIS_LANE_READ, argv,
                                                 sizeof argv / sizeof *argv, reply, err);
    strbuf_release(&low);
    strbuf_release(&high);
    return code;
}

/* Until one more matches than there is room for, or it was enough. */
static enum err_code take_names(struct listing *listing, const struct redisReply *reply,
                                struct error *err)
{
    struct slice name, last = {NULL, 0};
    size_t i = 0;
    for (; redis_reply_bytes_at(reply, i, &name); i++) {
        bool matches = !sample_check_type(name) && glob_matches(listing->question->match, name);
        listing->has_more = (matches && listing->name_count == listing->question->limit) ||
                            listing->looked_at == METRIC_TYPES_LOOKED;
        if (listing->has_more)
            break;
        listing->looked_at++;
        last = slice_of(name.ptr, name.len < TYPE_BYTES_MAX ? name.len : TYPE_BYTES_MAX);
        if (matches)
            listing->names[listing->name_count++] = arena_copy(listing->arena, name);
    }
    listing->is_at_end = !listing->has_more && i < NAMES;
    if (last.len > 0)
        listing->last = arena_copy(listing->arena, last);
    return listing->arena->failed ? say_no_memory(err) : ERR_OK;
}

static enum err_code find_names(struct listing *listing, struct error *err)
{
    enum err_code code;
    do {
        struct redisReply *reply = NULL;
        code = read_names(listing, &reply, err);
        if (code == ERR_OK)
            code = take_names(listing, reply, err);
        redis_reply_free(reply);
        listing->has_more = listing->has_more || (!listing->is_at_end && is_late(listing));
    } while (code == ERR_OK && !listing->is_at_end && !listing->has_more);
    return code;
}

/* --- What they hold ---------------------------------------------------------------- */

/* A script of which each type has two keys: its meta, and the stem of the others. */
static enum err_code ask(struct listing *listing, enum redis_script script, const struct slice *arg,
                         const struct slice *names, size_t count, struct redisReply **reply,
                         struct error *err)
{
    struct redis_client *client = listing->store->client;
    struct slice prefix = redis_client_key_prefix(client), keys[2 * METAS];
    struct redis_key *texts = listing->keys;
    for (size_t i = 0; i < count; i++) {
        redis_key_meta(&texts[2 * i], prefix, names[i]);
        redis_key_metric_stem(&texts[2 * i + 1], prefix, names[i]);
        keys[2 * i] = redis_key_slice(&texts[2 * i]);
        keys[2 * i + 1] = redis_key_slice(&texts[2 * i + 1]);
    }
    return redis_client_eval(client, REDIS_LANE_READ, script, keys, 2 * count, arg, arg ? 1 : 0,
                             reply, err);
}

/* False: the type is gone. */
static bool read_meta(const struct redisReply *reply, size_t at, struct slice name,
                      struct metric_type *type)
{
    struct slice packed;
    struct meta meta;
    if (!redis_reply_bytes_at(reply, at, &packed) || !meta_unpack(packed, &meta))
        return false;
    *type = (struct metric_type){
        .name = name, .count = meta.count, .first_at = meta.first_at, .newest = meta.newest};
    return true;
}

static bool read_type(const struct redisReply *sizes, size_t index, struct slice name,
                      struct metric_type *type)
{
    int64_t bytes;
    if (!read_meta(sizes, 1 + 2 * index, name, type) ||
        !redis_reply_integer_at(sizes, 2 + 2 * index, &bytes))
        return false;
    type->bytes = bytes > 0 ? (uint64_t)bytes : 0;
    return true;
}

/* Up to METAS of them. `*done` is how many, those included that are gone. */
static enum err_code describe_briefly(struct listing *listing, const struct slice *names,
                                      size_t count, size_t *done, struct metric_type *types,
                                      size_t *type_count, struct error *err)
{
    struct redisReply *reply = NULL;
    *done = count < METAS ? count : METAS;
    enum err_code code = ask(listing, REDIS_SCRIPT_TYPE_META, NULL, names, *done, &reply, err);
    for (size_t i = 0; code == ERR_OK && i < *done; i++)
        *type_count += read_meta(reply, i, names[i], &types[*type_count]);
    redis_reply_free(reply);
    return code;
}

static enum err_code count_hour(struct listing *listing, struct wall_time now,
                                struct metric_type *type, struct error *err)
{
    const struct metric_question question = {
        .type = type->name, .from = {now.us - HOUR_US}, .to = now};
    if (type->newest.at.us < question.from.us)
        return ERR_OK;
    struct metric_report report;
    struct aggregate hour;
    aggregate_init(&hour, false);
    enum err_code code =
        metric_store_series(listing->store, &question, listing->deadline, &hour, 1, &report, err);
    type->hour_count = hour.moments.count;
    aggregate_release(&hour);
    return code;
}

/* Up to SIZES of them, and at least one. `*done` is how many, those included that are gone. */
static enum err_code describe(struct listing *listing, const struct slice *names, size_t count,
                              size_t *done, struct metric_type *types, size_t *type_count,
                              struct error *err)
{
    const struct slice most = SLICE(OPEN_TEXT);
    struct redisReply *reply = NULL;
    int64_t now_us = 0;
    *done = 0;
    count = count < SIZES ? count : SIZES;
    enum err_code code = ask(listing, REDIS_SCRIPT_TYPE_SIZE, &most, names, count, &reply, err);
    if (code == ERR_OK && !redis_reply_integer_at(reply, 0, &now_us)) {
        code = error_set(err, ERR_INTERNAL, "Internal error");
        error_set_cause(err, "type_size does not answer as it should");
    }
    while (code == ERR_OK && *done < count && (*done == 0 || !is_late(listing))) {
        size_t i = (*done)++;
        struct metric_type *type = &types[*type_count];
        if (!read_type(reply, i, names[i], type))
            continue;
        ++*type_count;
        code = count_hour(listing, (struct wall_time){now_us}, type, err);
    }
    redis_reply_free(reply);
    return code;
}

/* What there is no time for is left to the next page. */
static enum err_code describe_all(struct listing *listing, struct metric_type *types, size_t *count,
                                  struct error *err)
{
    enum err_code code = ERR_OK;
    size_t at = 0, done = 0;
    *count = 0;
    enum err_code (*some)(struct listing *, const struct slice *, size_t, size_t *,
                          struct metric_type *, size_t *, struct error *) =
        listing->question->is_brief ? describe_briefly : describe;
    while (code == ERR_OK && at < listing->name_count && (at == 0 || !is_late(listing))) {
        code =
            some(listing, listing->names + at, listing->name_count - at, &done, types, count, err);
        at += done;
    }
    if (code == ERR_OK && at < listing->name_count) {
        listing->has_more = true;
        listing->last = listing->names[at - 1];
    }
    return code;
}

static struct mono_time half_way_to(struct mono_time deadline)
{
    struct mono_time now = clock_mono_now();
    return mono_after_us(now, mono_us_between(now, deadline) / 2);
}

enum err_code metric_types_list(struct metric_store *store,
                                const struct metric_types_question *question,
                                struct mono_time deadline, struct arena *arena,
                                struct metric_type *types, size_t *count, struct slice *next,
                                struct error *err)
{
    struct listing listing = {.store = store,
                              .question = question,
                              .deadline = deadline,
                              .last_begin = half_way_to(deadline),
                              .arena = arena,
                              .last = question->after};
    listing.names = arena_alloc(arena, question->limit * sizeof *listing.names);
    listing.keys = arena_alloc(arena, (size_t)2 * METAS * sizeof *listing.keys);
    enum err_code code =
        listing.names && listing.keys ? find_names(&listing, err) : say_no_memory(err);
    if (code == ERR_OK)
        code = describe_all(&listing, types, count, err);
    *next = listing.has_more ? listing.last : (struct slice){NULL, 0};
    return code;
}
