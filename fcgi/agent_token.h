/*
 * agent_token: the secret that a request brings, in the forms in which agents send one. Pure.
 *
 *   Authorization: Bearer SECRET               Prometheus, OpenTelemetry, curl
 *   Authorization: Token SECRET | USER:SECRET  clients of InfluxDB 2.x, of 1.8 with those
 *   Authorization: Basic base64(USER:SECRET)   clients of InfluxDB 1.x, Prometheus
 *   ?u=USER&p=SECRET                           clients of InfluxDB 1.x
 *
 * The user's name means nothing. The header counts, where there is one.
 */
#ifndef FCGI_AGENT_TOKEN_H
#define FCGI_AGENT_TOKEN_H

#include "http.h"

/* Empty: there is none. Lives as long as the request. */
struct slice agent_token_find(const struct request *req);

/* What follows "Bearer " in a header; empty: it is of another form. */
struct slice agent_token_bearer(struct slice authorization);

#endif
