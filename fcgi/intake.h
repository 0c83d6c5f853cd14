/*
 * intake: the samples of one request, on their way from a reader (lib/formats) to the store.
 *
 *   intake_begin(&in, ...) -> a reader hands samples to in.sink -> intake_store(&in, ...)
 *     -> the endpoint answers in its own words -> intake_release(&in)
 *
 * What every endpoint that takes samples shares: the header Idempotency-Key, the parameter
 * `partial`, what is wrong and where, the limit, and what the store leaves out. All or nothing
 * unless it is partial; then what is good is stored, if anything is.
 */
#ifndef FCGI_INTAKE_H
#define FCGI_INTAKE_H

#include "app.h"
#include "http.h"
#include "json_write.h"
#include "metric_store.h"
#include "sample_sink.h"

enum { INTAKE_REJECTIONS_BYTES_MAX = HTTP_BODY_BYTES_MAX / 2 };

struct intake {
    struct sample_sink sink; /* for the reader */
    bool is_partial;         /* set by intake_begin; the endpoint may set it before it reads */
    bool keeps_known_types;  /* a limit of the store leaves types out, whatever is_partial says */
    struct request_mark mark;
    uint64_t element_count; /* elements that were handed over or refused */
    uint64_t refused_count; /* of these the ones that were not taken, by the reader or the store */
    struct error wrong;     /* what is wrong with the first of them */
    struct batch_receipt receipt;

    struct app *app;
    const struct request *req;
    struct sample_batch *batch;
    struct error *err; /* what the request fails of, whatever its samples are */
    struct json_writer rejections;
    struct strbuf rejections_text;
};

/*
 * Read key and parameter. ERR_BAD_REQUEST, ERR_KEY_REUSED, the store's error, ERR_VALIDATION,
 * ERR_NO_MEMORY. `err` is kept until the release, which is due in any case. One round trip where
 * there is a key, else none.
 */
enum err_code intake_begin(struct intake *in, struct app *app, const struct request *req,
                           struct error *err) __attribute__((warn_unused_result));

/*
 * Store what was read, and add the headers that tell of it: RateLimit, Idempotency-Replayed.
 * ERR_OK also where there was nothing to be stored, or only a part of it was (`refused_count`).
 */
enum err_code intake_store(struct intake *in, struct response *res)
    __attribute__((warn_unused_result));

size_t intake_stored_count(const struct intake *in);

/*
 * "accepted":n into a JSON object; of a partial request also "rejected_count":n, and
 * "rejected":[{"index":3,"errors":[…]},…], as many of them as INTAKE_REJECTIONS_BYTES_MAX hold.
 * Once.
 */
void intake_write_counts(struct intake *in, struct json_writer *w);

/* Where all was refused: set the request's error to what is wrong with the first ones, and return
 * its code. */
enum err_code intake_require_some(struct intake *in);

/* Where something was left out and the endpoint has no other words for it: set the request's error
 * to that, though what was good is stored. Returns its code. */
enum err_code intake_tell_left_out(struct intake *in);

void intake_release(struct intake *in);

#endif
