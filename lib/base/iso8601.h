/*
 * iso8601: instants as text (RFC 3339, and the wider forms of ISO 8601 that the
 * original service's parser takes). Pure; no locale, no TZ.
 */
#ifndef LIB_BASE_ISO8601_H
#define LIB_BASE_ISO8601_H

#include <stdbool.h>

#include "clock.h"
#include "slice.h"

enum { ISO8601_BYTES = 40 };

/* The first and last instant that have a text: years 1 to 9999. */
#define ISO8601_MIN_US INT64_C(-62135596800000000)
#define ISO8601_MAX_US INT64_C(253402300799999999)

static inline bool iso8601_has_text(struct wall_time t)
{
    return t.us >= ISO8601_MIN_US && t.us <= ISO8601_MAX_US;
}

/*
 * Read an instant: date and time with T, t, space or _ between them; seconds, and a
 * fraction (1 to 9 digits after a point or comma, cut to the microsecond), optional;
 * Z, z, +hh:mm, +hhmm or nothing (UTC); a date alone is midnight. Or a number: digits
 * with an optional sign and fraction, read as iso8601_from_number does. Nothing may
 * stand around it. The result lies within years 1 to 9999 also after the offset.
 *
 * Returns NULL and sets `*out`, or a static text that says what is wrong, which
 * reads well after "timestamp: ".
 */
const char *iso8601_parse(struct slice text, struct wall_time *out);

/*
 * Seconds since 1970, milliseconds where the magnitude is above 2e10 (the rule of
 * the original's parser). Rounded to the microsecond. Same result as above.
 */
const char *iso8601_from_number(double value, struct wall_time *out);

/*
 * Write `t` (within years 1 to 9999) with 0, 3 or 6 digits of fraction, as few as
 * it needs, and Z. Returns a slice of `buffer`.
 */
struct slice iso8601_format(struct wall_time t, char buffer[static ISO8601_BYTES]);

#endif
