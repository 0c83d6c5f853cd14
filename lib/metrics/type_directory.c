#include "type_directory.h"

#include <stdlib.h>

#include "meta.h"
#include "redis_keys.h"
#include "sample.h"

#define PAGE_TEXT "128"
enum { PAGE = 128 /* below REDIS_WORDS_MAX */, NAMES_BYTES_MAX = 64 << 20 };

/* One call of the script type_meta. */
struct lookup {
    size_t count;
    struct slice names[PAGE];
    struct redis_key keys[2 * PAGE];
    struct slice argv[2 * PAGE];
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
        size_t capacity = types->capacity ? 2 * types->capacity : PAGE;
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
 * type counts as the newest, so that it is looked at. One that is being deleted is none. */
static enum err_code add_entries(struct type_directory *types, const struct lookup *lookup,
                                 const struct redisReply *metas, struct error *err)
{
    for (size_t i = 0; i < lookup->count; i++) {
        struct slice packed;
        struct meta meta = {.newest.at = WALL_TIME_MAX};
        if (redis_reply_bytes_at(metas, i, &packed) && !meta_unpack(packed, &meta) &&
            meta_is_deleting(packed))
            continue;
        if (!add_entry(types, lookup->names[i], meta.newest.at))
            return say_no_memory(err);
    }
    return ERR_OK;
}

static void lookup_add(struct lookup *lookup, struct slice prefix, struct slice name)
{
    struct redis_key *keys = &lookup->keys[2 * lookup->count];
    struct slice *argv = &lookup->argv[2 * lookup->count];
    lookup->names[lookup->count++] = name;
    redis_key_meta(&keys[0], prefix, name);
    redis_key_metric_stem(&keys[1], prefix, name);
    argv[0] = redis_key_slice(&keys[0]);
    argv[1] = redis_key_slice(&keys[1]);
}

/* One page. Names that cannot be types' are somebody else's. */
static enum err_code add_names(struct type_directory *types, struct redis_client *client,
                               const struct redisReply *names, struct lookup *lookup,
                               struct error *err)
{
    lookup->count = 0;
    for (size_t i = 0; i < redis_reply_count(names) && lookup->count < PAGE; i++) {
        struct slice name;
        if (redis_reply_bytes_at(names, i, &name) && !sample_check_type(name))
            lookup_add(lookup, redis_client_key_prefix(client), name);
    }
    if (lookup->count == 0)
        return ERR_OK;
    struct redisReply *metas;
    enum err_code code = redis_client_eval(client, REDIS_LANE_READ, REDIS_SCRIPT_TYPE_META,
                                           lookup->argv, 2 * lookup->count, NULL, 0, &metas, err);
    if (code == ERR_OK)
        code = add_entries(types, lookup, metas, err);
    redis_reply_free(metas);
    return code;
}

/* From name to name, a page a time: bounded, and nothing is given twice. */
static enum err_code read_pages(struct type_directory *types, struct redis_client *client,
                                struct mono_time deadline, struct lookup *lookup, struct error *err)
{
    struct redis_key key;
    redis_key_global(&key, redis_client_key_prefix(client), "types");
    struct strbuf after;
    strbuf_init(&after, NAMES_BYTES_MAX);
    strbuf_append_char(&after, '-'); /* before every name */
    enum err_code code = ERR_OK;
    for (bool is_done = false; code == ERR_OK && !is_done;) {
        if (!mono_is_before(clock_mono_now(), deadline)) {
            code = error_set(err, ERR_STORE_UNAVAILABLE, "The store could not answer in time");
            break;
        }
        const struct slice argv[] = {SLICE("ZRANGEBYLEX"), redis_key_slice(&key),
                                     strbuf_slice(&after), SLICE("+"),
                                     SLICE("LIMIT"),       SLICE("0"),
                                     SLICE(PAGE_TEXT)};
        struct redisReply *names;
        code = redis_client_call(client, REDIS_LANE_READ, argv, sizeof argv / sizeof *argv, &names,
                                 err);
        size_t count = redis_reply_count(names);
        is_done = count < PAGE;
        if (code == ERR_OK)
            code = add_names(types, client, names, lookup, err);
        struct slice last;
        if (redis_reply_bytes_at(names, count - 1, &last)) {
            strbuf_reset(&after);
            strbuf_append_char(&after, '('); /* excluded */
            strbuf_append_slice(&after, last);
        }
        redis_reply_free(names);
        if (strbuf_failed(&after))
            code = say_no_memory(err);
    }
    strbuf_release(&after);
    return code;
}

static int compare_newest(const void *left, const void *right)
{
    const struct type_entry *a = left, *b = right;
    return (a->newest_at.us < b->newest_at.us) - (a->newest_at.us > b->newest_at.us);
}

enum err_code type_directory_read(struct type_directory *types, struct redis_client *client,
                                  struct mono_time deadline, struct error *err)
{
    *types = (struct type_directory){0};
    strbuf_init(&types->names, NAMES_BYTES_MAX);
    struct lookup *lookup = malloc(sizeof *lookup);
    enum err_code code =
        lookup ? read_pages(types, client, deadline, lookup, err) : say_no_memory(err);
    free(lookup);
    if (code == ERR_OK && types->count > 0)
        qsort(types->entries, types->count, sizeof *types->entries, compare_newest);
    return code;
}
