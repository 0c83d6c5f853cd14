/*
 * csv: rows of text/csv (RFC 4180) into a strbuf; the writer owns commas and quotes.
 *
 *   struct csv_writer w;
 *   csv_begin(&w, &buf);
 *   csv_text(&w, SLICE("cpu, all"));
 *   csv_number(&w, 85.5);
 *   csv_end_row(&w);
 *
 * A spreadsheet runs a cell that begins with = + - @, a tab or CR as a formula, and what a
 * type is called is up to whoever may POST: such a text gets a ' in front, as OWASP advises
 * ("CSV Injection"). Who reads it back takes that away. Numbers stay as they are.
 *
 * Rows end in LF alone, which every reader takes and cut and awk like better than CR LF.
 * Numbers and instants are as in JSON. Failure is the buffer's: strbuf_failed(), once, at
 * the end.
 */
#ifndef FCGI_CSV_H
#define FCGI_CSV_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "slice.h"
#include "strbuf.h"

#define CSV_CONTENT_TYPE "text/csv; charset=utf-8; header=present"

struct csv_writer {
    struct strbuf *out;
    bool needs_comma;
};

void csv_begin(struct csv_writer *w, struct strbuf *out);

void csv_text(struct csv_writer *w, struct slice text);  /* of others; in quotes where it must be */
void csv_plain(struct csv_writer *w, struct slice text); /* our own, as it is */
void csv_integer(struct csv_writer *w, int64_t value);
void csv_number(struct csv_writer *w, double value);        /* not finite: an empty cell */
void csv_instant(struct csv_writer *w, struct wall_time t); /* as iso8601_format */
void csv_end_row(struct csv_writer *w);

#endif
