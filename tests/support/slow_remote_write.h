/*
 * slow_remote_write: what remote_write_read is compared with. Takes a message apart into lists of
 * fields, whole, before it looks at any; shares no code with it but sample_check_type.
 */
#ifndef TESTS_SUPPORT_SLOW_REMOTE_WRITE_H
#define TESTS_SUPPORT_SLOW_REMOTE_WRITE_H

#include "sink_log.h"

/* Write down the same that a log has as sink of remote_write_read; its result. */
enum err_code slow_remote_write(struct slice message, struct sink_log *log);

#endif
