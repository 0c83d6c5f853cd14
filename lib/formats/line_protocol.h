/*
 * line_protocol: samples in InfluxDB's line protocol, scanned in place. Pure.
 *
 *   measurement[,tag=value…] field=value[,field=value…] [timestamp]
 *
 * as InfluxDB 1.x and 2.x take it: backslashes before comma, blank and equals sign, double
 * quotes and line breaks within strings, comments, blank lines, CR LF, blanks around. Values
 * are decimals, integers (`i`), unsigned integers (`u`), booleans (1 and 0) and strings, which
 * are no samples: sink->skipped counts them. Each other field is a sample of the series
 * `measurement.field;tag=value…` (series_name.h), tags in order of their names.
 *
 * A line with anything wrong gives nothing but one refusal, whose message begins with "line 7,
 * column 12: ", both from 1, columns in bytes. Its index is the line's number from 0.
 *
 * Cost: about 40 ns for a line of the series of the line before, ... for another one.
 */
#ifndef LIB_FORMATS_LINE_PROTOCOL_H
#define LIB_FORMATS_LINE_PROTOCOL_H

#include "clock.h"
#include "sample_sink.h"
#include "slice.h"

enum { LINE_FIELDS_MAX = 1024 };

/* How many of a timestamp's units make a second. */
enum line_unit {
    LINE_SECONDS = 1,
    LINE_MILLISECONDS = 1000,
    LINE_MICROSECONDS = 1000000,
    LINE_NANOSECONDS = 1000000000
};

/* Hand over all samples of `text`, in order. A line without a timestamp has that of `now`.
 * Timestamps are rounded down to the microsecond and lie in years 1 to 9999. */
void line_protocol_read(struct slice text, enum line_unit unit, struct wall_time now,
                        struct sample_sink *sink);

#endif
