/*
 * load_format: the formats that a file of samples may be in, and where a record of each ends.
 * Pure.
 *
 * A record is a row of CSV (RFC 4180: line breaks within quotes are part of it), a line of
 * NDJSON, or a line of InfluxDB's line protocol, as the service's own reader takes it
 * (lib/formats/line_protocol.h): line breaks within a string are part of it, but a string that
 * nothing closes, within LOAD_STRING_BYTES_MAX behind its first line break, ends at that one.
 */
#ifndef LIB_LOAD_LOAD_FORMAT_H
#define LIB_LOAD_LOAD_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include "slice.h"

enum load_format { LOAD_UNKNOWN, LOAD_CSV, LOAD_NDJSON, LOAD_INFLUX, LOAD_FORMAT_COUNT };

/* "csv", "ndjson", "influx"; of LOAD_UNKNOWN "". Static. */
const char *load_format_name(enum load_format format);

/* Each LOAD_UNKNOWN when it cannot be told. The first line is one that is not blank. */
enum load_format load_format_of_name(struct slice name);
enum load_format load_format_of_path(struct slice path);
enum load_format load_format_of_line(struct slice line);

enum { LOAD_STRING_BYTES_MAX = 64 * 1024 };

/* How far the end of a record was looked for; all zero before its first byte. */
struct load_scan {
    size_t seen;
    unsigned char state; /* the format's own */
    size_t first_break;  /* within a string that is open; 0: there is none */
    bool is_given_up;    /* the record ends there, and is none that the service would end there */
};

/*
 * Find the line break that ends the record which `text` begins with, going on where the last
 * call for the same record ended. `is_last`: no more text follows. True: it is at scan->seen.
 * False: all was seen, and there is none.
 */
bool load_format_find_end(enum load_format format, struct load_scan *scan, struct slice text,
                          bool is_last);

#endif
