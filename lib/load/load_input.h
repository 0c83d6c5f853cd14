/*
 * load_input: cuts an input into batches. Pure: bytes are fed, batches pulled.
 *
 * Where the cuts are depends on the input, its format and the limits alone, never on how the
 * bytes came: a batch can be made again after a crash, and is the same to the byte. Blank lines,
 * comments of line protocol, the header of CSV and a byte order mark at the start go into no body.
 *
 * Holds one block and one line of at most LOAD_LINE_BYTES_MAX.
 */
#ifndef LIB_LOAD_LOAD_INPUT_H
#define LIB_LOAD_LOAD_INPUT_H

#include "load_batch.h"
#include "load_csv.h"
#include "load_format.h"

enum { LOAD_BLOCK_BYTES = 256 * 1024 };

struct load_input {
    enum load_format format; /* LOAD_UNKNOWN: told from the first line, once it is there */
    struct load_columns columns;
    bool has_columns; /* the header was read */
    bool is_ended;
    struct load_place place; /* of the first byte that is in no batch yet */
    char *bytes;             /* of which begin..end are there */
    size_t begin, end;
    struct load_scan scan;
    struct strbuf scratch;
    char wrong[160]; /* the sticky reason for LOAD_BROKEN */
};

enum load_pull {
    LOAD_HUNGRY, /* feed it, then pull again with the same batch */
    LOAD_READY,
    LOAD_OVER,  /* the input has ended, and there is no line in the batch */
    LOAD_BROKEN /* the input cannot be cut further; see `wrong` */
};

/* False: no memory; then, too, it is to be released. */
bool load_input_init(struct load_input *input, enum load_format format);
void load_input_release(struct load_input *input);

/* Go on from `place`, where a batch ended; the columns are those of then. What was fed and is not
 * in a batch is forgotten: the next bytes are those behind that place. */
void load_input_resume(struct load_input *input, struct load_place place,
                       struct load_columns columns);

/* Where the next bytes go, up to LOAD_BLOCK_BYTES of them, when it is hungry; then how many came.
 * 0: the input has ended. */
char *load_input_room(struct load_input *input);
void load_input_fed(struct load_input *input, size_t count);

/* Fill a batch, which was reset to input->place before the first pull for it. */
enum load_pull load_input_pull(struct load_input *input, struct load_batch *batch);

#endif
