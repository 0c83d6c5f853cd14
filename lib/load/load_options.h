/*
 * load_options: the command line of analytics-load.
 */
#ifndef LIB_LOAD_LOAD_OPTIONS_H
#define LIB_LOAD_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "load_format.h"
#include "strbuf.h"

struct load_options {
    const char *path; /* "-": standard input */
    const char *url;
    const char *format_name, *precision; /* NULL: not given */
    enum load_format format;             /* LOAD_UNKNOWN: not given */
    int64_t batch, batch_bytes;          /* 0: not given */
    int64_t jobs, timeout_seconds, give_up_seconds;
    const char *token, *state; /* NULL: none */
    bool is_strict, is_quiet;
    bool wants_help, wants_version; /* nothing else counts then */
};

/* Texts are borrowed from `argv` and the environment (API_TOKEN). False: `wrong` has a line for
 * each mistake. */
bool load_options_read(int argc, char **argv, struct load_options *options, struct strbuf *wrong);

void load_options_help(struct strbuf *out);

#endif
