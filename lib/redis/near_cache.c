#include "near_cache.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "hash.h"
#include "redis_conn.h"
#include "redis_guest.h"
#include "redis_keys.h"

enum {
    WAYS = 4, /* places that an entry may take */
    CHANGE_SLOTS = 1024,
    PING_EVERY_MS = 250,
    SILENT_MAX_MS = 1000,
    DRAIN_PING_BYTES = 8192, /* a read this large may have left more behind */
    BUSY_RETRY_MS = 5,
    PONG_WITHIN_MS = 50, /* that a look-up waits for at most */
};

struct entry {
    uint64_t hash; /* of tag and name; 0: free */
    uint64_t epoch;
    uint64_t changes; /* of its tag's slot, when it was made */
    struct mono_time made;
    struct mono_time end;
    uint32_t tag_bytes, name_bytes, value_bytes;
    char *bytes; /* tag, name, value */
};

struct near_cache {
    pthread_mutex_t mutex; /* guards all below */
    struct redis_conn conn;
    uint64_t pings_sent, pongs_heard;
    struct mono_time ping_sent_at, ping_due;

    /* An entry is true while the epoch (one for each life of the connection) and the count
     * of changes of its tag's slot are what they were. Tags that share a slot make each
     * other's entries stale, which costs a look at Redis and never a wrong answer. */
    uint64_t epoch;
    uint64_t changes[CHANGE_SLOTS];

    size_t entries_max;
    size_t entry_bytes_max;
    struct entry *entries;
};

static uint64_t hash_of_tag(struct slice tag)
{
    return hash_bytes(tag, 0);
}

static uint64_t hash_of_entry(uint64_t tag_hash, struct slice name)
{
    uint64_t hash = hash_bytes(name, tag_hash);
    return hash ? hash : 1;
}

/* --- what Redis says (all under the mutex) ---------------------------------------- */

static bool is_tracking(const struct near_cache *cache, struct mono_time now)
{
    return cache->conn.state == REDIS_CONN_READY &&
           mono_us_between(cache->conn.heard_at, now) < SILENT_MAX_MS * INT64_C(1000);
}

static void apply_message(struct near_cache *cache, const struct redisReply *reply)
{
    struct slice kind;
    if (!redis_reply_bytes_at(reply, 0, &kind))
        return;
    if (slice_equals(kind, SLICE("pong"))) {
        cache->pongs_heard++;
        redis_conn_worked(&cache->conn);
        return;
    }
    if (!slice_equals(kind, SLICE("message")))
        return;
    const struct redisReply *keys = redis_reply_at(reply, 2);
    if (redis_reply_is_nil(keys)) { /* FLUSHALL, FLUSHDB */
        cache->epoch++;
        return;
    }
    for (size_t i = 0; i < redis_reply_count(keys); i++) {
        struct slice key;
        if (!redis_reply_bytes_at(keys, i, &key))
            continue;
        struct slice tag = redis_key_tag(key);
        if (tag.len == 0)
            cache->epoch++; /* `meta:all`: there are too many to name them */
        else
            cache->changes[hash_of_tag(tag) % CHANGE_SLOTS]++;
    }
}

static void apply_messages(struct near_cache *cache, struct mono_time now)
{
    while (cache->conn.state == REDIS_CONN_READY) {
        struct redisReply *reply = redis_conn_next(&cache->conn, now);
        if (!reply)
            return;
        apply_message(cache, reply);
        redis_reply_free(reply);
    }
}

static void send_ping(struct near_cache *cache, struct mono_time now)
{
    static const char ping[] = "PING\r\n";
    redis_conn_queue(&cache->conn, ping, sizeof ping - 1);
    redis_conn_flush(&cache->conn, now);
    /* Of several under way the first counts: nobody waits longer for more of them. */
    if (cache->pongs_heard == cache->pings_sent)
        cache->ping_sent_at = now;
    cache->pings_sent++;
    cache->ping_due = mono_after_ms(now, PING_EVERY_MS);
}

/* Every entry made so far is of an earlier life than the connection to come. */
static void end_epoch_if_lost(struct near_cache *cache, bool was_ready)
{
    if (was_ready && cache->conn.state != REDIS_CONN_READY)
        cache->epoch++;
}

/* Apply what has come. More than a socket holds may have been waiting: a PING tells. */
static void drain(struct near_cache *cache, struct mono_time now)
{
    bool was_ready = cache->conn.state == REDIS_CONN_READY;
    size_t bytes = redis_conn_read(&cache->conn, now);
    apply_messages(cache, now);
    if (bytes > DRAIN_PING_BYTES && cache->conn.state == REDIS_CONN_READY)
        send_ping(cache, now);
    end_epoch_if_lost(cache, was_ready);
}

/*
 * Apply everything that Redis wrote before `now`. While a PING of ours is unanswered that
 * takes its pong: Redis then queued our output for writing when it read the PING, perhaps
 * before a writer's reply of the same turn, and the invalidation waits in that output.
 * False when the pong does not come in time.
 */
static bool catch_up(struct near_cache *cache, struct mono_time now)
{
    drain(cache, now);
    /* Not of the PINGs that draining sends from here on, or a flood would hold us. */
    struct mono_time end = mono_after_ms(cache->ping_sent_at, PONG_WITHIN_MS);
    while (cache->conn.state == REDIS_CONN_READY && cache->pongs_heard < cache->pings_sent) {
        struct mono_time t = clock_mono_now();
        if (!mono_is_before(t, end))
            return false;
        struct pollfd p = {.fd = cache->conn.fd, .events = POLLIN};
        (void)poll(&p, 1, (int)(mono_us_between(t, end) / 1000) + 1);
        drain(cache, clock_mono_now());
    }
    return is_tracking(cache, now);
}

/* --- entries ------------------------------------------------------------------------ */

static bool is_entry(const struct entry *entry, uint64_t hash, struct slice tag, struct slice name)
{
    return entry->hash == hash && entry->tag_bytes == tag.len && entry->name_bytes == name.len &&
           memcmp(entry->bytes, tag.ptr, tag.len) == 0 &&
           memcmp(entry->bytes + tag.len, name.ptr, name.len) == 0;
}

static struct entry *find(struct near_cache *cache, uint64_t hash, struct slice tag,
                          struct slice name)
{
    struct entry *set = &cache->entries[hash % (cache->entries_max / WAYS) * WAYS];
    for (int way = 0; way < WAYS; way++) {
        if (is_entry(&set[way], hash, tag, name))
            return &set[way];
    }
    return NULL;
}

/* Its own old place, a free one, or that of the entry made longest ago. */
static struct entry *find_place(struct near_cache *cache, uint64_t hash, struct slice tag,
                                struct slice name)
{
    struct entry *place = find(cache, hash, tag, name);
    if (place)
        return place;
    struct entry *set = &cache->entries[hash % (cache->entries_max / WAYS) * WAYS];
    place = &set[0];
    for (int way = 0; way < WAYS; way++) {
        if (set[way].hash == 0)
            return &set[way];
        if (mono_is_before(set[way].made, place->made))
            place = &set[way];
    }
    return place;
}

static bool is_true(const struct near_cache *cache, const struct entry *entry, uint64_t changes,
                    struct mono_time now)
{
    return entry->epoch == cache->epoch && entry->changes == changes &&
           mono_is_before(now, entry->end);
}

/* False when `out` has no room. */
static bool append_value(const struct entry *entry, struct strbuf *out)
{
    strbuf_append(out, entry->bytes + entry->tag_bytes + entry->name_bytes, entry->value_bytes);
    return !strbuf_failed(out);
}

bool near_cache_get(struct near_cache *cache, struct slice tag, struct slice name,
                    struct mono_time now, struct strbuf *out, struct near_ticket *ticket)
{
    uint64_t tag_hash = hash_of_tag(tag);
    uint64_t hash = hash_of_entry(tag_hash, name);
    (void)pthread_mutex_lock(&cache->mutex);
    bool tracking = cache->conn.state == REDIS_CONN_READY && catch_up(cache, now);
    uint64_t changes = cache->changes[tag_hash % CHANGE_SLOTS];
    const struct entry *entry = tracking ? find(cache, hash, tag, name) : NULL;
    bool found = entry && is_true(cache, entry, changes, now) && append_value(entry, out);
    *ticket = (struct near_ticket){tracking ? cache->epoch : 0, changes};
    (void)pthread_mutex_unlock(&cache->mutex);
    return found;
}

bool near_cache_get_stale(struct near_cache *cache, struct slice tag, struct slice name,
                          struct mono_time now, struct strbuf *out, int64_t *age_us)
{
    uint64_t hash = hash_of_entry(hash_of_tag(tag), name);
    (void)pthread_mutex_lock(&cache->mutex);
    const struct entry *entry = find(cache, hash, tag, name);
    bool found = entry && append_value(entry, out);
    if (found)
        *age_us = mono_us_between(entry->made, now);
    (void)pthread_mutex_unlock(&cache->mutex);
    return found;
}

void near_cache_put(struct near_cache *cache, const struct near_ticket *ticket, struct slice tag,
                    struct slice name, struct slice bytes, struct mono_time made,
                    struct mono_time end)
{
    size_t total = tag.len + name.len + bytes.len;
    if (total > cache->entry_bytes_max || total == 0)
        return;
    char *copy = malloc(total);
    if (!copy)
        return;
    memcpy(copy, tag.ptr, tag.len);
    memcpy(copy + tag.len, name.ptr, name.len);
    memcpy(copy + tag.len + name.len, bytes.ptr, bytes.len);
    uint64_t tag_hash = hash_of_tag(tag);
    uint64_t hash = hash_of_entry(tag_hash, name);
    (void)pthread_mutex_lock(&cache->mutex);
    struct entry *place = find_place(cache, hash, tag, name);
    /* A slower thread does not replace what a later one made. What is no longer true makes
     * way: `made` is reckoned back by an age, and so may seem to be before its own past. */
    if (is_entry(place, hash, tag, name) && mono_is_before(made, place->made) &&
        is_true(cache, place, cache->changes[tag_hash % CHANGE_SLOTS], clock_mono_now())) {
        free(copy);
    } else {
        free(place->bytes);
        *place = (struct entry){
            .hash = hash,
            .epoch = ticket->epoch,
            .changes = ticket->changes,
            .made = made,
            .end = end,
            .tag_bytes = (uint32_t)tag.len,
            .name_bytes = (uint32_t)name.len,
            .value_bytes = (uint32_t)bytes.len,
            .bytes = copy,
        };
    }
    (void)pthread_mutex_unlock(&cache->mutex);
}

bool near_cache_is_tracking(struct near_cache *cache)
{
    (void)pthread_mutex_lock(&cache->mutex);
    bool tracking = is_tracking(cache, clock_mono_now());
    (void)pthread_mutex_unlock(&cache->mutex);
    return tracking;
}

/* --- the I/O thread -------------------------------------------------------------------
 * It never waits for the mutex: a look-up that holds it may be waiting for a pong, and
 * does all that is to be done meanwhile. */

static void begin(void *context, int wake_fd)
{
    struct near_cache *cache = context;
    (void)pthread_mutex_lock(&cache->mutex);
    cache->conn.wake_fd = wake_fd;
    (void)pthread_mutex_unlock(&cache->mutex);
}

static void end(void *context)
{
    struct near_cache *cache = context;
    (void)pthread_mutex_lock(&cache->mutex);
    redis_conn_release(&cache->conn);
    cache->epoch++;
    (void)pthread_mutex_unlock(&cache->mutex);
}

static void tick(void *context, struct mono_time now)
{
    struct near_cache *cache = context;
    if (pthread_mutex_trylock(&cache->mutex) != 0)
        return;
    bool was_ready = cache->conn.state == REDIS_CONN_READY;
    redis_conn_tick(&cache->conn, now);
    if (was_ready && !is_tracking(cache, now))
        redis_conn_fail(&cache->conn, now, true, "a second of silence");
    else if (was_ready && !mono_is_before(now, cache->ping_due))
        send_ping(cache, now);
    end_epoch_if_lost(cache, was_ready);
    (void)pthread_mutex_unlock(&cache->mutex);
}

static struct mono_time wakeup(void *context)
{
    struct near_cache *cache = context;
    if (pthread_mutex_trylock(&cache->mutex) != 0)
        return mono_after_ms(clock_mono_now(), BUSY_RETRY_MS);
    struct mono_time first =
        cache->conn.state == REDIS_CONN_READY ? cache->ping_due : redis_conn_wakeup(&cache->conn);
    (void)pthread_mutex_unlock(&cache->mutex);
    return first;
}

static int poll_fd(void *context, short *events)
{
    struct near_cache *cache = context;
    *events = 0;
    if (pthread_mutex_trylock(&cache->mutex) != 0)
        return -1;
    int fd = cache->conn.fd;
    *events = redis_conn_events(&cache->conn);
    (void)pthread_mutex_unlock(&cache->mutex);
    return fd;
}

static void handle(void *context, short revents, struct mono_time now)
{
    struct near_cache *cache = context;
    if (revents == 0 || pthread_mutex_trylock(&cache->mutex) != 0)
        return;
    if (cache->conn.state == REDIS_CONN_READY) {
        if (revents & POLLOUT)
            redis_conn_flush(&cache->conn, now);
        drain(cache, now);
    } else {
        (void)redis_conn_handle(&cache->conn, revents, now);
        if (cache->conn.state == REDIS_CONN_READY) {
            cache->pings_sent = cache->pongs_heard = 0;
            send_ping(cache, now);
            apply_messages(cache, now);
        }
    }
    (void)pthread_mutex_unlock(&cache->mutex);
}

/* --- life ---------------------------------------------------------------------------- */

struct near_cache *near_cache_new(struct redis_client *client, size_t entries_max,
                                  size_t entry_bytes_max)
{
    struct near_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    cache->entries_max = (entries_max + WAYS - 1) / WAYS * WAYS;
    cache->entry_bytes_max = entry_bytes_max;
    cache->entries = calloc(cache->entries_max, sizeof *cache->entries);
    if (!cache->entries)
        goto err0;
    if (pthread_mutex_init(&cache->mutex, NULL) != 0)
        goto err1;
    cache->epoch = 1;
    redis_conn_init(&cache->conn, REDIS_ROLE_TRACKING, redis_client_options(client), NULL, -1);
    const struct redis_guest guest = {cache, begin, end, tick, wakeup, poll_fd, handle};
    redis_client_host(client, &guest);
    return cache;

err1:
    free(cache->entries);
err0:
    free(cache);
    return NULL;
}

void near_cache_free(struct near_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < cache->entries_max; i++)
        free(cache->entries[i].bytes);
    redis_conn_release(&cache->conn);
    (void)pthread_mutex_destroy(&cache->mutex);
    free(cache->entries);
    free(cache);
}
