/*
 * report_headers: what an answer about samples says of itself, where its body has no room
 * for it: a list, and rows of CSV.
 */
#ifndef FCGI_REPORT_HEADERS_H
#define FCGI_REPORT_HEADERS_H

#include <stddef.h>

#include "http.h"
#include "metric_store.h"

/*
 * Add X-Widened, X-Folded, X-Expired and X-Damaged, as far as one of the reports has
 * something to say: stretches of time as "<from>/<to>", a comma between two, each once and
 * up to 20 of them. Less than 5 KiB.
 */
void report_headers_add(const struct metric_report *reports, size_t count, struct response *res);

#endif
