/*
 * external_http: the dependency behind a URL, asked with GET. The only user of libcurl.
 *
 * The query parameter type=TYPE is added to the URL. A success is a status of 200 to 299
 * and a body of EXTERNAL_DATA_BYTES_MAX at most that is one JSON object as json_read
 * takes it; the body is the data, without blanks around it. All else is a failure. Up to
 * two redirects are followed. The connection is kept for the next call. Proxies are
 * taken from the environment, as libcurl does (http_proxy, https_proxy, no_proxy).
 *
 * libcurl is loaded when the first caller is made: linked, it would cost the processes
 * that do not need it more memory than all the rest of the program.
 */
#ifndef LIB_UPSTREAM_EXTERNAL_HTTP_H
#define LIB_UPSTREAM_EXTERNAL_HTTP_H

#include "external_caller.h"
#include "external_service.h"

/* Both arguments outlive it. NULL: no memory, or no libcurl, which the log then tells.
 * A call ends within a second of the raised end. */
struct external_caller *external_http_new(const struct external_options *options,
                                          struct external_stop *stop);

#endif
