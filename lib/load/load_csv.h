/*
 * load_csv: rows of CSV (RFC 4180) as samples in JSON. Pure.
 *
 * A quote that does not begin a cell stands for itself; one that does needs its end, and a comma
 * or the row's end behind that. Blanks around cells belong to them.
 */
#ifndef LIB_LOAD_LOAD_CSV_H
#define LIB_LOAD_LOAD_CSV_H

#include "slice.h"
#include "strbuf.h"

/* Between two bytes of a row. */
enum load_csv_state { LOAD_CSV_CELL, LOAD_CSV_PLAIN, LOAD_CSV_QUOTED, LOAD_CSV_UNQUOTED };

/* The state behind the byte `c`. Not for the line break that ends a row. */
enum load_csv_state load_csv_step(enum load_csv_state state, char c);

/* Which cell of a row, from 0, is what. */
struct load_columns {
    int timestamp, value, type;
};

/*
 * The first row, whose cells must name the three columns, each once, whatever the case; further
 * ones are ignored. NULL, or a static text: what is missing.
 */
const char *load_csv_read_header(struct slice row, struct load_columns *columns);

/*
 * Append a row as {"timestamp":"…","value":…,"type":"…"} and a line break; a cell that the row
 * does not have is left out. A value that is no plain number, such as 1e3, is a text, too: the
 * service takes both, and the number faster. The apostrophe that the service's export puts before a
 * type which a spreadsheet would take for a formula is taken away. NULL, or a static text: why the
 * row can be no sample; then nothing is appended. `scratch` is overwritten.
 */
const char *load_csv_append_json(struct slice row, const struct load_columns *columns,
                                 struct strbuf *scratch, struct strbuf *out);

#endif
