/*
 * load_state: what is known of a load between runs, in a small file of text.
 *
 * A line each, `name value`. The file is replaced as a whole: written next to it, synced, renamed,
 * the folder synced; so whoever reads it finds one that was complete.
 */
#ifndef LIB_LOAD_LOAD_STATE_H
#define LIB_LOAD_LOAD_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "error.h"
#include "load_csv.h"
#include "load_format.h"
#include "load_ledger.h"
#include "load_target.h"
#include "slice.h"
#include "strbuf.h"

enum { LOAD_ID_BYTES = 33, LOAD_STATE_BYTES_MAX = 32 * 1024 };

/* By which a file is known again. */
struct load_file {
    uint64_t bytes, modified_ns, inode;
};

/* A batch that the service found too much: which of its lines were sent at last, as one request.
 * Those before them are stored or rejected. */
struct load_part {
    uint64_t offset; /* where the batch begins */
    size_t first, count;
    struct load_tally tally; /* of the lines before */
};

struct load_state {
    char id[LOAD_ID_BYTES]; /* 32 hexadecimal digits and NUL: part of every key */
    struct load_file file;
    char url[LOAD_URL_BYTES];
    enum load_format format;
    char precision[3]; /* "ns", "us", "ms", "s" */
    struct load_columns columns;
    struct load_limits limits;
    bool is_strict;
    struct load_ledger ledger;
    uint64_t sent_to; /* nothing of what lies beyond this offset was ever sent */
    /* Of what is not in the ledger nothing is stored, for certain: it may be cut anew. */
    bool is_settled;
    bool is_done;
    uint64_t saved_at; /* Unix seconds */
    size_t part_count;
    struct load_part parts[LOAD_JOBS_MAX];
};

struct load_file load_file_of(const struct stat *status);

/* A load id by chance. False: the system has none. */
bool load_state_new_id(char id[LOAD_ID_BYTES]);

void load_state_write(const struct load_state *state, struct strbuf *out);
/* False: `text` is not as load_state_write writes it. */
bool load_state_read(struct slice text, struct load_state *state);

enum load_found { LOAD_STATE_FOUND, LOAD_STATE_ABSENT, LOAD_STATE_BAD };

/* Of LOAD_STATE_BAD `err` says why. */
enum load_found load_state_load(const char *path, struct load_state *state, struct error *err);

/* Blocks for two syncs. ERR_INTERNAL: it is as it was before; `err` says why. */
enum err_code load_state_save(const char *path, const struct load_state *state, struct error *err)
    __attribute__((warn_unused_result));

#endif
