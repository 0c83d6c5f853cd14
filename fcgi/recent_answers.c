#include "recent_answers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "accept.h"
#include "hash.h"
#include "number.h"

enum { AGE_SECONDS_MAX = 60, WAYS = 4 };

/* Key, headers and body, one behind the other. */
struct answer {
    struct mono_time asked_at;
    char *bytes;
    size_t key_len, headers_len, body_len;
    const char *content_type, *cache_control; /* static */
    char etag[sizeof((struct response *)0)->etag];
};

struct recent_answers {
    pthread_mutex_t mutex;
    struct answer answers[RECENT_ANSWERS_MAX];
};

struct recent_answers *recent_answers_new(void)
{
    struct recent_answers *recent = calloc(1, sizeof *recent);
    if (recent)
        (void)pthread_mutex_init(&recent->mutex, NULL);
    return recent;
}

void recent_answers_free(struct recent_answers *recent)
{
    if (!recent)
        return;
    for (size_t i = 0; i < RECENT_ANSWERS_MAX; i++)
        free(recent->answers[i].bytes);
    (void)pthread_mutex_destroy(&recent->mutex);
    free(recent);
}

int64_t recent_answers_age_us(struct slice cache_control)
{
    int64_t seconds = 0;
    while (cache_control.len > 0) {
        struct slice value = slice_cut(&cache_control, ',');
        struct slice name = slice_trim(slice_cut(&value, '='));
        if (slice_equals_ignoring_case(name, SLICE("max-age")) &&
            !number_parse_int64(slice_trim(value), 0, AGE_SECONDS_MAX, &seconds))
            return 0;
    }
    return seconds * 1000000;
}

struct slice recent_answers_key(const struct request *req)
{
    bool takes_gzip = accept_takes(req->accept_encoding, SLICE("gzip"));
    const struct slice parts[] = {req->path,
                                  SLICE("?"),
                                  req->query,
                                  SLICE("\n"),
                                  req->accept,
                                  SLICE("\n"),
                                  takes_gzip ? SLICE("gzip") : SLICE("")};
    enum { PARTS = sizeof parts / sizeof *parts };
    size_t len = 0;
    for (size_t i = 0; i < PARTS; i++)
        len += parts[i].len;
    char *bytes = arena_alloc(req->arena, len), *at = bytes;
    for (size_t i = 0; bytes && i < PARTS; i++) {
        if (parts[i].len > 0)
            memcpy(at, parts[i].ptr, parts[i].len);
        at += parts[i].len;
    }
    return slice_of(bytes, bytes ? len : 0);
}

/* With the lock held: the answer to `key`; else the oldest in whose place it may go. */
static struct answer *slot_of(struct recent_answers *recent, struct slice key)
{
    size_t set = hash_bytes(key, 0) % (RECENT_ANSWERS_MAX / WAYS);
    struct answer *first = &recent->answers[set * WAYS], *oldest = first;
    for (struct answer *one = first; one < first + WAYS; one++) {
        if (one->bytes && slice_equals(slice_of(one->bytes, one->key_len), key))
            return one;
        if (mono_is_before(one->asked_at, oldest->asked_at))
            oldest = one;
    }
    return oldest;
}

static void copy_answer(const struct answer *answer, struct response *res)
{
    const char *headers = answer->bytes + answer->key_len;
    res->content_type = answer->content_type;
    res->cache_control = answer->cache_control;
    memcpy(res->etag, answer->etag, sizeof res->etag);
    strbuf_append(&res->headers, headers, answer->headers_len);
    strbuf_append(&res->body, headers + answer->headers_len, answer->body_len);
}

bool recent_answers_find(struct recent_answers *recent, struct slice key, int64_t age_us,
                         struct mono_time now, struct response *res)
{
    (void)pthread_mutex_lock(&recent->mutex);
    const struct answer *answer = slot_of(recent, key);
    int64_t age = mono_us_between(answer->asked_at, now);
    bool is_found = answer->bytes && age <= age_us &&
                    slice_equals(slice_of(answer->bytes, answer->key_len), key);
    if (is_found)
        copy_answer(answer, res);
    (void)pthread_mutex_unlock(&recent->mutex);
    if (is_found)
        response_header(res, "Age", "%lld", (long long)(age / 1000000));
    return is_found;
}

void recent_answers_keep(struct recent_answers *recent, struct slice key, struct mono_time asked_at,
                         const struct response *res)
{
    struct slice headers = strbuf_slice(&res->headers), body = strbuf_slice(&res->body);
    size_t len = key.len + headers.len + body.len;
    bool is_whole = key.len > 0 && !strbuf_failed(&res->headers) && !strbuf_failed(&res->body);
    char *bytes = is_whole && len <= RECENT_ANSWER_BYTES_MAX ? malloc(len) : NULL;
    if (!bytes)
        return;
    memcpy(bytes, key.ptr, key.len);
    memcpy(bytes + key.len, headers.ptr, headers.len);
    memcpy(bytes + key.len + headers.len, body.ptr, body.len);
    (void)pthread_mutex_lock(&recent->mutex);
    struct answer *answer = slot_of(recent, key);
    char *old = answer->bytes;
    *answer = (struct answer){.asked_at = asked_at,
                              .bytes = bytes,
                              .key_len = key.len,
                              .headers_len = headers.len,
                              .body_len = body.len,
                              .content_type = res->content_type,
                              .cache_control = res->cache_control};
    memcpy(answer->etag, res->etag, sizeof answer->etag);
    (void)pthread_mutex_unlock(&recent->mutex);
    free(old);
}
