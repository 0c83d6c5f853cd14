#include "single_flight.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "hash.h"

/*
 * One call of `work` and who shares it. Everybody joins the run that comes next, so
 * nobody gets a result of a run that had begun before; the first of them who finds
 * none under way starts it. Once done it never changes, so it is copied unlocked.
 */
struct run {
    unsigned users;
    bool done;
    enum err_code code;
    struct error err;
    struct strbuf result;
    pthread_cond_t changed; /* done, or free to start */
};

/* A key that somebody is asking for. */
struct flight {
    char *key; /* NULL: the slot is free */
    size_t key_len;
    uint64_t key_hash;
    unsigned users;      /* threads in here for this key */
    struct run *current; /* under way */
    struct run *next;    /* not begun, still to be joined */
};

struct single_flight {
    pthread_mutex_t lock;
    pthread_cond_t slot_freed;
    size_t result_bytes_max;
    size_t keys_max;
    struct flight flights[];
};

struct single_flight *single_flight_new(size_t keys_max, size_t result_bytes_max)
{
    assert(keys_max >= 1);
    struct single_flight *flights =
        calloc(1, sizeof *flights + keys_max * sizeof flights->flights[0]);
    if (!flights)
        return NULL;
    flights->keys_max = keys_max;
    flights->result_bytes_max = result_bytes_max;
    (void)pthread_mutex_init(&flights->lock, NULL);
    (void)pthread_cond_init(&flights->slot_freed, NULL);
    return flights;
}

void single_flight_free(struct single_flight *flights)
{
    if (!flights)
        return;
    for (size_t i = 0; i < flights->keys_max; i++)
        assert(!flights->flights[i].key);
    (void)pthread_cond_destroy(&flights->slot_freed);
    (void)pthread_mutex_destroy(&flights->lock);
    free(flights);
}

static bool has_key(const struct flight *flight, struct slice key, uint64_t hash)
{
    return flight->key && flight->key_hash == hash &&
           slice_equals(slice_of(flight->key, flight->key_len), key);
}

/* The slot of `key`, else a free one, else NULL. */
static struct flight *find_slot(struct single_flight *flights, struct slice key, uint64_t hash)
{
    struct flight *free_slot = NULL;
    for (size_t i = 0; i < flights->keys_max; i++) {
        struct flight *flight = &flights->flights[i];
        if (has_key(flight, key, hash))
            return flight;
        if (!flight->key)
            free_slot = flight;
    }
    return free_slot;
}

static struct flight *enter_flight(struct single_flight *flights, struct slice key)
{
    uint64_t hash = hash_bytes(key, 0);
    struct flight *flight = find_slot(flights, key, hash);
    while (!flight) {
        (void)pthread_cond_wait(&flights->slot_freed, &flights->lock);
        flight = find_slot(flights, key, hash);
    }
    if (!flight->key) {
        char *copy = malloc(key.len + 1);
        if (!copy)
            return NULL;
        if (key.len > 0)
            memcpy(copy, key.ptr, key.len);
        *flight = (struct flight){.key = copy, .key_len = key.len, .key_hash = hash};
    }
    flight->users++;
    return flight;
}

static void leave_flight(struct single_flight *flights, struct flight *flight)
{
    if (--flight->users > 0)
        return;
    free(flight->key);
    flight->key = NULL;
    /* All who wait, not one: several may want the same key, and share the slot. */
    (void)pthread_cond_broadcast(&flights->slot_freed);
}

static struct run *join_next_run(struct flight *flight, size_t result_bytes_max)
{
    if (!flight->next) {
        struct run *run = calloc(1, sizeof *run);
        if (!run)
            return NULL;
        error_init(&run->err);
        strbuf_init(&run->result, result_bytes_max);
        (void)pthread_cond_init(&run->changed, NULL);
        flight->next = run;
    }
    flight->next->users++;
    return flight->next;
}

static void leave_run(struct run *run)
{
    if (--run->users > 0)
        return;
    (void)pthread_cond_destroy(&run->changed);
    strbuf_release(&run->result);
    free(run);
}

static void begin_run(struct flight *flight, struct run *run)
{
    assert(!flight->current && flight->next == run);
    flight->current = run;
    flight->next = NULL;
}

static void end_run(struct flight *flight, struct run *run)
{
    run->done = true;
    flight->current = NULL;
    (void)pthread_cond_broadcast(&run->changed);
    if (flight->next)
        (void)pthread_cond_signal(&flight->next->changed);
}

static enum err_code take_result(const struct run *run, struct strbuf *out, struct error *err)
{
    if (run->code == ERR_OK)
        strbuf_append_slice(out, strbuf_slice(&run->result));
    else if (err && err->code == ERR_OK)
        *err = run->err;
    return run->code;
}

/* Call `work` for `run`, which nobody else can join any more. Unlocks meanwhile. */
static void fly(struct single_flight *flights, struct flight *flight, struct run *run,
                enum err_code (*work)(void *context, struct strbuf *result, struct error *err),
                void *context)
{
    begin_run(flight, run);
    (void)pthread_mutex_unlock(&flights->lock);
    run->code = work(context, &run->result, &run->err);
    if (run->code == ERR_OK && strbuf_failed(&run->result))
        run->code = error_set(&run->err, ERR_NO_MEMORY, "The result is too large");
    (void)pthread_mutex_lock(&flights->lock);
    end_run(flight, run);
}

enum err_code single_flight_do(struct single_flight *flights, struct slice key,
                               enum err_code (*work)(void *context, struct strbuf *result,
                                                     struct error *err),
                               void *context, struct strbuf *out, bool *shared, struct error *err)
{
    *shared = false;
    (void)pthread_mutex_lock(&flights->lock);
    struct flight *flight = enter_flight(flights, key);
    struct run *run = flight ? join_next_run(flight, flights->result_bytes_max) : NULL;
    if (!run) {
        if (flight)
            leave_flight(flights, flight);
        (void)pthread_mutex_unlock(&flights->lock);
        return error_set(err, ERR_NO_MEMORY, "Out of memory");
    }
    while (flight->current && !run->done)
        (void)pthread_cond_wait(&run->changed, &flights->lock);
    *shared = run->done;
    if (!run->done)
        fly(flights, flight, run, work, context);
    (void)pthread_mutex_unlock(&flights->lock);
    enum err_code code = take_result(run, out, err);
    (void)pthread_mutex_lock(&flights->lock);
    leave_run(run);
    leave_flight(flights, flight);
    (void)pthread_mutex_unlock(&flights->lock);
    return code;
}
