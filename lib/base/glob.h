/*
 * glob: patterns in which '*' stands for any run of code points, '?' for one. Pure.
 *
 * Every other byte stands for itself; nothing can be escaped. Pattern and text are
 * valid UTF-8.
 */
#ifndef LIB_BASE_GLOB_H
#define LIB_BASE_GLOB_H

#include <stdbool.h>

#include "slice.h"

/* The whole of `text`. At most (length of pattern) * (length of text) steps: only the last
 * '*' is ever tried again. */
bool glob_matches(struct slice pattern, struct slice text);

/* What everything that matches begins with. Borrowed from `pattern`. */
struct slice glob_prefix(struct slice pattern);

#endif
