/*
 * slow_line_protocol: line_protocol.h by the grammar, a character at a time and with copies, to
 * compare it with. Of its refusals only index, line and column are meant to be the same.
 */
#ifndef TESTS_SUPPORT_SLOW_LINE_PROTOCOL_H
#define TESTS_SUPPORT_SLOW_LINE_PROTOCOL_H

#include "line_protocol.h"

void slow_line_protocol_read(struct slice text, enum line_unit unit, struct wall_time now,
                             struct sample_sink *sink);

#endif
