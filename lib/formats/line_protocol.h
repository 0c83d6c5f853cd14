/*
 * line_protocol: samples in InfluxDB's line protocol, scanned in place. Pure.
 *
 *   measurement[,tag=value…] field=value[,field=value…] [timestamp]
 *
 * as InfluxDB 1.x and 2.x take it. A backslash before comma, space and (but in a measurement)
 * equals sign makes that part of a name; elsewhere it is itself. Values are decimals, integers
 * (`i`), unsigned integers (`u`), booleans (1 and 0), and strings in double quotes (\" and \\
 * within), which are no samples: sink->skipped counts them. Each other field is a sample of the
 * series `measurement.field;tag=value…` (series_name.h), tags in order of their names. Lines may
 * end in CR LF, be blank or comments (#), and have blanks around their sections.
 *
 * A line ends at the first line break that is not within a string; a string that nothing closes
 * goes to the next break. A line with anything wrong gives nothing but one refusal, whose message
 * begins with "line 7, column 12: ", the place of the first fault, both from 1, columns in bytes;
 * its index is the number, from 0, of the text's line that it begins with. Wrong are also: a tag
 * twice, more than SERIES_LABELS_MAX tags or LINE_FIELDS_MAX fields, a name that is none for a
 * series, integers beyond 64 bits, decimals that are not finite or begin with a plus sign.
 *
 * Cost: 36 ns for a line of one field of the series of the line before, 225 ns for one of another
 * series with three tags, 45 ns for each further field, 140 ns for a line that is refused (a Xeon).
 * Linear in the text, whatever it is.
 */
#ifndef LIB_FORMATS_LINE_PROTOCOL_H
#define LIB_FORMATS_LINE_PROTOCOL_H

#include "clock.h"
#include "sample_sink.h"
#include "slice.h"

enum { LINE_FIELDS_MAX = 1024 }; /* strings among them */

/* How many of a timestamp's units make a second. */
enum line_unit {
    LINE_SECONDS = 1,
    LINE_MILLISECONDS = 1000,
    LINE_MICROSECONDS = 1000000,
    LINE_NANOSECONDS = 1000000000
};

/*
 * Hand over all samples of `text`, in order, those of a line when all of it was found right. A line
 * without a timestamp has that of `now`. Timestamps are rounded down to the microsecond; those out
 * of years 1 to 9999 are refused. Takes 30 KB of stack.
 */
void line_protocol_read(struct slice text, enum line_unit unit, struct wall_time now,
                        struct sample_sink *sink);

#endif
