/*
 * accept: what a client would rather have (RFC 9110, 12.5). Pure.
 */
#ifndef FCGI_ACCEPT_H
#define FCGI_ACCEPT_H

#include <stdbool.h>

#include "slice.h"

/*
 * Does the header `accept` give `wanted` ("text/csv") a greater weight than `usual`
 * ("application/json")? Of the ranges that hold a type, the most specific one counts.
 * Empty, absent, or not understood: no.
 */
bool accept_prefers(struct slice accept, struct slice wanted, struct slice usual);

/* Does the header Accept-Encoding name `coding` ("gzip"), with a weight above 0? */
bool accept_takes(struct slice accept_encoding, struct slice coding);

#endif
