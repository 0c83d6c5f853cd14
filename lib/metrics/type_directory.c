#include "type_directory.h"

#include <stdlib.h>

#include "meta.h"
#include "redis_keys.h"
#include "sample.h"

enum { LOOKUP_MAX = 128 /* below REDIS_EVAL_ARGS_MAX */, NAMES_BYTES_MAX = 64 << 20 };

/* One MGET of metas. */
struct lookup {
    size_t count;
    struct slice names[LOOKUP_MAX];
    struct redis_key keys[LOOKUP_MAX];
    struct slice argv[1 + LOOKUP_MAX];
};

struct slice type_directory_name(const struct type_directory *types, const struct type_entry *entry)
{
    return slice_of(types->names.bytes + entry->name_at, entry->name_len);
}

void type_directory_release(struct type_directory *types)
{
    free(types->entries);
    strbuf_release(&types->names);
}

static bool add_entry(struct type_directory *types, struct slice name, struct wall_time newest_at)
{
    if (types->count == types->capacity) {
        size_t capacity = types->capacity ? 2 * types->capacity : LOOKUP_MAX;
        struct type_entry *entries = realloc(types->entries, capacity * sizeof *entries);
        if (!entries)
            return false;
        types->entries = entries;
        types->capacity = capacity;
    }
    types->entries[types->count++] = (struct type_entry){newest_at, types->names.len, name.len};
    strbuf_append_slice(&types->names, name);
    return !strbuf_failed(&types->names);
}

static enum err_code say_no_memory(struct error *err)
{
    return error_set(err, ERR_NO_MEMORY, "Out of memory");
}

/* A meta that is missing or of no use says nothing about how new its type is: such a
 * type counts as the newest, so that it is looked at. */
static enum err_code add_entries(struct type_directory *types, const struct lookup *lookup,
                                 const struct redisReply *metas, struct error *err)
{
    for (size_t i = 0; i < lookup->count; i++) {
        struct slice packed;
        struct meta meta = {.newest.at = WALL_TIME_MAX};
        if (redis_reply_bytes_at(metas, i, &packed))
            (void)meta_unpack(packed, &meta);
        if (!add_entry(types, lookup->names[i], meta.newest.at))
            return say_no_memory(err);
    }
    return ERR_OK;
}

static void lookup_add(struct lookup *lookup, struct slice prefix, struct slice name)
{
    size_t at = lookup->count++;
    lookup->names[at] = name;
    redis_key_meta(&lookup->keys[at], prefix, name);
    lookup->argv[1 + at] = redis_key_slice(&lookup->keys[at]);
}

/* Names that cannot be types' are somebody else's. */
static enum err_code add_names(struct type_directory *types, struct redis_client *client,
                               const struct redisReply *names, struct lookup *lookup,
                               struct error *err)
{
    enum err_code code = ERR_OK;
    for (size_t next = 0, count = redis_reply_count(names); code == ERR_OK && next < count;) {
        lookup->count = 0;
        for (; next < count && lookup->count < LOOKUP_MAX; next++) {
            struct slice name;
            if (redis_reply_bytes_at(names, next, &name) && !sample_check_type(name))
                lookup_add(lookup, redis_client_key_prefix(client), name);
        }
        if (lookup->count == 0)
            break;
        struct redisReply *metas;
        lookup->argv[0] = SLICE("MGET");
        code = redis_client_call(client, REDIS_LANE_READ, lookup->argv, 1 + lookup->count, &metas,
                                 err);
        if (code == ERR_OK)
            code = add_entries(types, lookup, metas, err);
        redis_reply_free(metas);
    }
    return code;
}

static enum err_code scan(struct type_directory *types, struct redis_client *client,
                          struct mono_time deadline, struct lookup *lookup, struct error *err)
{
    struct redis_key key;
    redis_key_global(&key, redis_client_key_prefix(client), "types");
    char cursor[32] = "0";
    do {
        if (!mono_is_before(clock_mono_now(), deadline))
            return error_set(err, ERR_STORE_UNAVAILABLE, "The store could not answer in time");
        const struct slice argv[] = {SLICE("SSCAN"), redis_key_slice(&key),
                                     slice_from_string(cursor), SLICE("COUNT"), SLICE("128")};
        struct redisReply *reply;
        enum err_code code = redis_client_call(client, REDIS_LANE_READ, argv,
                                               sizeof argv / sizeof *argv, &reply, err);
        struct slice next;
        if (code == ERR_OK && (!redis_reply_bytes_at(reply, 0, &next) || next.len >= sizeof cursor))
            code = error_set(err, ERR_INTERNAL, "Internal error");
        if (code == ERR_OK) {
            memcpy(cursor, next.ptr, next.len);
            cursor[next.len] = '\0';
            code = add_names(types, client, redis_reply_at(reply, 1), lookup, err);
        }
        redis_reply_free(reply);
        if (code != ERR_OK)
            return code;
    } while (strcmp(cursor, "0") != 0);
    return ERR_OK;
}

static int compare_names(const void *left, const void *right, void *context)
{
    const struct type_directory *types = context;
    struct slice a = type_directory_name(types, left), b = type_directory_name(types, right);
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_newest(const void *left, const void *right, void *context)
{
    const struct type_entry *a = left, *b = right;
    if (a->newest_at.us != b->newest_at.us)
        return a->newest_at.us > b->newest_at.us ? -1 : 1;
    return compare_names(left, right, context);
}

/* A scan may give a member twice. */
static void drop_repeated(struct type_directory *types)
{
    size_t kept = 0;
    qsort_r(types->entries, types->count, sizeof *types->entries, compare_names, types);
    for (size_t i = 0; i < types->count; i++) {
        if (kept == 0 || compare_names(&types->entries[kept - 1], &types->entries[i], types) != 0)
            types->entries[kept++] = types->entries[i];
    }
    types->count = kept;
}

enum err_code type_directory_read(struct type_directory *types, struct redis_client *client,
                                  struct mono_time deadline, struct error *err)
{
    *types = (struct type_directory){0};
    strbuf_init(&types->names, NAMES_BYTES_MAX);
    struct lookup *lookup = malloc(sizeof *lookup);
    enum err_code code = lookup ? scan(types, client, deadline, lookup, err) : say_no_memory(err);
    free(lookup);
    if (code == ERR_OK && types->count > 0) {
        drop_repeated(types);
        qsort_r(types->entries, types->count, sizeof *types->entries, compare_newest, types);
    }
    return code;
}
