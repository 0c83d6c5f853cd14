/*
 * request_mark: that a request with samples was taken, and which parts of it are stored.
 *
 * A request that brings an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header) leaves a
 * mark of that name with its first part, in the same step; each further part notes itself in
 * it, in the same step as its samples. So whoever sends the request again has stored what is
 * missing, and only that, wherever it was cut off. A batch of several parts without a key has a
 * mark of its own for a minute, by which its parts know that the first one was admitted.
 *
 * In Redis: '1', fingerprint (16 bytes), arrival (int64 microseconds, little endian), then for each
 * part '0' if it is not stored, '1' if it is, and '2' if it is but for some groups. Of these, part
 * p has a byte for each of its groups from place 256 p behind that on: the status with which it was
 * refused, or 0. So the answer is the same again, but that groups whose types were being deleted
 * are tried once more. scripts/lib/part.lua writes it.
 */
#ifndef LIB_METRICS_REQUEST_MARK_H
#define LIB_METRICS_REQUEST_MARK_H

#include <stdbool.h>
#include <stddef.h>

#include "clock.h"
#include "error.h"
#include "redis_client.h"
#include "redis_keys.h"

enum { REQUEST_KEY_BYTES_MAX = 255, REQUEST_FINGERPRINT_BYTES = 16, REQUEST_ARRIVAL_BYTES = 8 };

struct request_mark {
    struct redis_key key; /* empty: the request has no key */
    char fingerprint[REQUEST_FINGERPRINT_BYTES];
    struct wall_time arrival; /* of the first request of the key: samples without a time have it */
    bool is_known;            /* there was a request of this key and fingerprint before */
};

/* Of a request without a key, which arrives now. */
void request_mark_init(struct request_mark *mark);

/*
 * Of a request whose key is `key`, 1 to REQUEST_KEY_BYTES_MAX bytes, and which is the same as
 * another one if all of these texts are. One round trip (read lane), which finds the arrival, too.
 * ERR_KEY_REUSED: the key belongs to another request. Else the store's error.
 */
enum err_code request_mark_find(struct request_mark *mark, struct redis_client *client,
                                struct slice key, const struct slice *texts, size_t count,
                                struct error *err) __attribute__((warn_unused_result));

/* A name of its own for the parts of a request without a key. */
void request_mark_name(struct request_mark *mark, struct slice prefix);

/* Set `err` to that refusal. Returns ERR_KEY_REUSED. */
enum err_code request_mark_refuse(struct error *err);

#endif
