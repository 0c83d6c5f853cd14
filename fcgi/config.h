/*
 * config: every setting, from environment variables, through one table.
 *
 * The table also prints `analytics.fcgi --help` and is what .env.example is held
 * against. Strict: a value that cannot be right stops the start, and all mistakes are
 * told at once. An empty variable counts as absent.
 */
#ifndef FCGI_CONFIG_H
#define FCGI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log.h"
#include "strbuf.h"

/* Texts are borrowed from the environment. */
struct config {
    const char *app_host;
    int64_t app_port;
    int64_t log_level;  /* enum log_level */
    int64_t log_format; /* enum log_format */

    const char *redis_host;
    int64_t redis_port;
    int64_t redis_db;
    const char *redis_socket;
    const char *redis_username;
    const char *redis_password;
    int64_t redis_timeout_ms;
    int64_t redis_write_timeout_ms;
    const char *key_prefix;

    int64_t cache_ttl_seconds;
    int64_t cache_fresh_ms;
    int64_t rate_limit_requests;
    int64_t ingest_rate_limit_requests;
    int64_t rate_limit_window_seconds;
    int64_t idempotency_ttl_seconds;

    int64_t breaker_failure_threshold;
    int64_t breaker_reset_timeout_seconds;
    const char *external_url;
    double external_failure_rate;
    int64_t external_timeout_seconds;
    int64_t external_latency_min_ms;
    int64_t external_latency_max_ms;

    int64_t workers;
    int64_t threads;
    int64_t stuck_seconds;
    int64_t body_limit_bytes;
    int64_t ingest_body_limit_bytes;
    int64_t max_types;
    int64_t max_buckets;
    int64_t retention_days;           /* 0: for ever */
    int64_t aggregate_retention_days; /* 0: for ever */
    const char *api_token;
    const char *admin_token;
    const char *trusted_proxies;
};

/* All the reads of one request together; each has REDIS_TIMEOUT_MS. */
enum { READ_BUDGET_MS = 3000 };

enum config_kind {
    CONFIG_INTEGER,
    CONFIG_NUMBER,
    CONFIG_TEXT,
    CONFIG_SECRET, /* text that is never printed */
    CONFIG_TOKEN,  /* the same, without blanks */
    CONFIG_URL,    /* empty, or of http or https; may hold a password: never printed */
    CONFIG_PREFIX, /* text fit for the beginning of a key */
    CONFIG_LEVEL,
    CONFIG_FORMAT,
    CONFIG_NETWORKS /* addresses and CIDR blocks, comma-separated */
};

struct config_row {
    const char *name;
    enum config_kind kind;
    size_t offset;            /* of the field in struct config */
    const char *default_text; /* "": worked out, or nothing */
    double min, max;          /* of integers and numbers; of texts the length */
    const char *unit;
    const char *help;
};

extern const struct config_row config_rows[];
extern const size_t config_row_count;

/*
 * Fill `config` from the environment. On false, `mistakes` holds one line for each
 * wrong variable: its name, its value (never a secret) and what would be right.
 */
bool config_load(struct config *config, struct strbuf *mistakes)
    __attribute__((warn_unused_result));

/* The table as text for people. */
void config_describe(struct strbuf *out);

#endif
