/*
 * load_answer: what the service's answer to a batch means. Pure.
 */
#ifndef LIB_LOAD_LOAD_ANSWER_H
#define LIB_LOAD_LOAD_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "slice.h"
#include "strbuf.h"

enum load_outcome {
    LOAD_STORED,   /* what was not rejected; nothing is left to do */
    LOAD_AGAIN,    /* the same once more, later */
    LOAD_TOO_MUCH, /* nothing is stored: as two halves it may be */
    LOAD_REFUSED   /* nothing is stored, nor will it be by sending it again */
};

struct load_answer {
    long status;
    struct slice body;
    size_t line_count; /* of the request */
    bool is_partial;   /* good lines were to be kept */
};

/* Who is told of rejected lines, by their index in the request. */
struct load_rejections {
    void *context;
    void (*reject)(void *context, size_t index, struct slice reason);
    size_t count; /* filled, also of lines for which no reason is given */
};

/*
 * Judge an answer. `why` gets the status and the service's own words, of all but LOAD_STORED.
 *
 * A success is one that says so: 204, or one that counts what was taken. Outcomes that nobody
 * knows (5xx) and those that pass (408, 409, 425, 429) are LOAD_AGAIN. A
 * refusal that blames lines is, where good lines were to be kept, one of all lines; one that
 * blames the whole body says that it is too much, and of a single line that this one is wrong.
 */
enum load_outcome load_answer_judge(const struct load_answer *answer,
                                    struct load_rejections *rejections, struct strbuf *why);

/* What may help against a refusal with this status, to be read behind `why`; or "". Static. */
const char *load_answer_advice(long status);

#endif
