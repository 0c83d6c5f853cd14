#include "config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "number.h"
#include "redis_keys.h"

#define AT(field) offsetof(struct config, field)

const struct config_row config_rows[] = {
    {"APP_HOST", CONFIG_TEXT, AT(app_host), "0.0.0.0", 0, 255, "",
     "address that the web server listens on"},
    {"APP_PORT", CONFIG_INTEGER, AT(app_port), "8000", 1, 65535, "",
     "port that the web server listens on"},
    {"LOG_LEVEL", CONFIG_LEVEL, AT(log_level), "INFO", 0, 0, "",
     "least severe level that is logged: DEBUG, INFO, WARNING or ERROR"},
    {"LOG_FORMAT", CONFIG_FORMAT, AT(log_format), "json", 0, 0, "", "log lines as json or as text"},

    {"REDIS_HOST", CONFIG_TEXT, AT(redis_host), "localhost", 1, 255, "",
     "name or address of Redis"},
    {"REDIS_PORT", CONFIG_INTEGER, AT(redis_port), "6379", 1, 65535, "", "port of Redis"},
    {"REDIS_DB", CONFIG_INTEGER, AT(redis_db), "0", 0, 1023, "", "number of the database"},
    {"REDIS_SOCKET", CONFIG_TEXT, AT(redis_socket), "", 0, 107, "",
     "unix socket of Redis; wins over REDIS_HOST and REDIS_PORT"},
    {"REDIS_USERNAME", CONFIG_TEXT, AT(redis_username), "", 0, 255, "",
     "user of Redis; empty: the default user"},
    {"REDIS_PASSWORD", CONFIG_SECRET, AT(redis_password), "", 0, 512, "",
     "password of that user; empty: none"},
    {"REDIS_TIMEOUT_MS", CONFIG_INTEGER, AT(redis_timeout_ms), "100", 1, 60000, "ms",
     "deadline of one read from Redis"},
    {"REDIS_WRITE_TIMEOUT_MS", CONFIG_INTEGER, AT(redis_write_timeout_ms), "1000", 1, 60000, "ms",
     "deadline of one write, which may wait for a disk"},
    {"KEY_PREFIX", CONFIG_PREFIX, AT(key_prefix), "ra:", 1, REDIS_PREFIX_BYTES_MAX, "",
     "beginning of every key in Redis"},

    {"CACHE_TTL_SECONDS", CONFIG_INTEGER, AT(cache_ttl_seconds), "300", 1, 86400, "s",
     "how long summaries and external data are kept"},
    {"CACHE_FRESH_MS", CONFIG_INTEGER, AT(cache_fresh_ms), "0", 0, 3600000, "ms",
     "age up to which a summary may miss the latest samples; 0: exact"},
    {"RATE_LIMIT_REQUESTS", CONFIG_INTEGER, AT(rate_limit_requests), "10", 0, 1e9, "",
     "POSTs that one client may make in a window; 0: no limit"},
    {"INGEST_RATE_LIMIT_REQUESTS", CONFIG_INTEGER, AT(ingest_rate_limit_requests), "0", 0, 1e9, "",
     "requests that one agent (InfluxDB, OTLP, Prometheus) may make in a window; 0: no limit"},
    {"RATE_LIMIT_WINDOW_SECONDS", CONFIG_INTEGER, AT(rate_limit_window_seconds), "60", 1, 86400,
     "s", "length of that window"},
    {"IDEMPOTENCY_TTL_SECONDS", CONFIG_INTEGER, AT(idempotency_ttl_seconds), "86400", 60, 2592000,
     "s", "how long a POST with an Idempotency-Key may be sent again and counts once"},

    {"CIRCUIT_BREAKER_FAILURE_THRESHOLD", CONFIG_INTEGER, AT(breaker_failure_threshold), "5", 1,
     1e6, "", "consecutive failures that open the circuit breaker"},
    {"CIRCUIT_BREAKER_RESET_TIMEOUT", CONFIG_INTEGER, AT(breaker_reset_timeout_seconds), "30", 1,
     86400, "s", "how long it stays open before a probe"},
    {"EXTERNAL_SERVICE_URL", CONFIG_URL, AT(external_url), "", 0, 2048, "",
     "URL of the external service, asked with type=TYPE added; empty: simulated"},
    {"EXTERNAL_SERVICE_FAILURE_RATE", CONFIG_NUMBER, AT(external_failure_rate), "0.1", 0, 1, "",
     "probability that the simulated external service fails"},
    {"EXTERNAL_SERVICE_TIMEOUT", CONFIG_INTEGER, AT(external_timeout_seconds), "5", 1, 300, "s",
     "deadline of a call to the external service"},
    {"EXTERNAL_SERVICE_LATENCY_MIN_MS", CONFIG_INTEGER, AT(external_latency_min_ms), "50", 0,
     600000, "ms", "shortest answer time of the simulated external service"},
    {"EXTERNAL_SERVICE_LATENCY_MAX_MS", CONFIG_INTEGER, AT(external_latency_max_ms), "150", 0,
     600000, "ms", "longest answer time of the simulated external service"},

    {"WORKERS", CONFIG_INTEGER, AT(workers), "", 1, 256, "",
     "worker processes; empty: one for every two cores"},
    {"THREADS", CONFIG_INTEGER, AT(threads), "16", 1, 256, "", "threads of each worker"},
    {"STUCK_SECONDS", CONFIG_INTEGER, AT(stuck_seconds), "30", 5, 3600, "s",
     "a worker with a thread busy for longer is replaced"},
    {"BODY_LIMIT_BYTES", CONFIG_INTEGER, AT(body_limit_bytes), "16384", 64, 1 << 20, "bytes",
     "largest body of a POST of one sample"},
    {"INGEST_BODY_LIMIT_BYTES", CONFIG_INTEGER, AT(ingest_body_limit_bytes), "8388608", 1024,
     32 << 20, "bytes", "largest body of a POST of many, as sent and decompressed"},
    {"MAX_TYPES", CONFIG_INTEGER, AT(max_types), "10000", 1, 1e7, "", "most metric types"},
    {"MAX_BUCKETS", CONFIG_INTEGER, AT(max_buckets), "100000", 1, 1e8, "",
     "most hours, days and months in which the samples of one type may lie"},
    {"RETENTION_DAYS", CONFIG_INTEGER, AT(retention_days), "0", 0, 36500, "days",
     "how long single samples are kept; 0: for ever"},
    {"AGGREGATE_RETENTION_DAYS", CONFIG_INTEGER, AT(aggregate_retention_days), "0", 0, 36500,
     "days", "how long their aggregates are kept; 0: for ever"},
    {"API_TOKEN", CONFIG_TOKEN, AT(api_token), "", 0, 512, "",
     "bearer token that all but health checks and documentation ask for; empty: none"},
    {"ADMIN_TOKEN", CONFIG_TOKEN, AT(admin_token), "", 0, 512, "",
     "bearer token that administration asks for; empty: no administration"},
    {"TRUSTED_PROXIES", CONFIG_NETWORKS, AT(trusted_proxies), "", 0, 4096, "",
     "addresses and CIDR blocks, comma-separated, whose X-Forwarded-For the web server believes"},
};

const size_t config_row_count = sizeof config_rows / sizeof *config_rows;

static const char *const level_names[LOG_LEVEL_COUNT] = {"DEBUG", "INFO", "WARNING", "ERROR"};
static const char *const format_names[] = {"text", "json"};

static bool parse_name(struct slice text, const char *const *names, size_t count, int64_t *out)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equals_ignoring_case(text, slice_from_string(names[i]))) {
            *out = (int64_t)i;
            return true;
        }
    }
    return false;
}

/* One address, or address/bits. */
static bool is_network(struct slice text)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = memchr(text.ptr, '/', text.len);
    size_t len = slash ? (size_t)(slash - text.ptr) : text.len;
    if (len == 0 || len >= sizeof address)
        return false;
    memcpy(address, text.ptr, len);
    address[len] = '\0';

    unsigned char binary[sizeof(struct in6_addr)];
    int64_t bits_max = 32;
    if (inet_pton(AF_INET, address, binary) != 1) {
        bits_max = 128;
        if (inet_pton(AF_INET6, address, binary) != 1)
            return false;
    }
    int64_t bits;
    return !slash ||
           number_parse_int64(slice_of(slash + 1, text.len - len - 1), 0, bits_max, &bits);
}

static bool is_network_list(struct slice text)
{
    while (true) {
        const char *comma = memchr(text.ptr, ',', text.len);
        size_t len = comma ? (size_t)(comma - text.ptr) : text.len;
        if (!is_network(slice_trim(slice_of(text.ptr, len))))
            return false;
        if (!comma)
            return true;
        text = slice_of(comma + 1, text.len - len - 1);
    }
}

/* host, host:port or [address]:port, also after a user's name and password. */
static bool is_authority(struct slice text)
{
    const char *at = memrchr(text.ptr, '@', text.len);
    if (at)
        text = slice_of(at + 1, text.len - (size_t)(at + 1 - text.ptr));
    bool is_bracketed = slice_starts_with(text, SLICE("["));
    const char *end = memchr(text.ptr, is_bracketed ? ']' : ':', text.len);
    if (is_bracketed && !end)
        return false;
    size_t host_len = end ? (size_t)(end - text.ptr) + is_bracketed : text.len;
    struct slice port = slice_of(text.ptr + host_len, text.len - host_len);
    int64_t number;
    return host_len > (is_bracketed ? 2 : 0) &&
           (port.len == 0 ||
            (port.ptr[0] == ':' &&
             number_parse_int64(slice_of(port.ptr + 1, port.len - 1), 1, 65535, &number)));
}

/* A fragment would swallow what is added to the URL. */
static bool is_http_url(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || strchr("\"#<>\\^`{|}", text.ptr[i]))
            return false;
    }
    size_t scheme_len = slice_starts_with(text, SLICE("https://"))  ? 8
                        : slice_starts_with(text, SLICE("http://")) ? 7
                                                                    : 0;
    struct slice rest = slice_of(text.ptr + scheme_len, text.len - scheme_len);
    size_t authority_len = 0;
    while (authority_len < rest.len && !strchr("/?", rest.ptr[authority_len]))
        authority_len++;
    return scheme_len > 0 && is_authority(slice_of(rest.ptr, authority_len));
}

/* No control characters; in a key's prefix also nothing that a tag or a pattern is made of. */
static bool is_clean(struct slice text, const char *refused)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c == 0x7f || strchr(refused, c))
            return false;
    }
    return true;
}

static bool parse_row(const struct config_row *row, const char *string, struct config *config)
{
    struct slice text = slice_from_string(string);
    void *field = (char *)config + row->offset;
    switch (row->kind) {
    case CONFIG_INTEGER:
        return number_parse_int64(text, (int64_t)row->min, (int64_t)row->max, field);
    case CONFIG_NUMBER: {
        double value;
        if (!number_parse_double(text, &value) || value < row->min || value > row->max)
            return false;
        *(double *)field = value;
        return true;
    }
    case CONFIG_LEVEL:
        return parse_name(text, level_names, LOG_LEVEL_COUNT, field);
    case CONFIG_FORMAT:
        return parse_name(text, format_names, 2, field);
    case CONFIG_NETWORKS:
        if (text.len > 0 && !is_network_list(text))
            return false;
        break;
    case CONFIG_URL:
        if (text.len > 0 && !is_http_url(text))
            return false;
        break;
    case CONFIG_PREFIX:
        if (!is_clean(text, " {}*?[]\\"))
            return false;
        break;
    case CONFIG_TOKEN:
        if (!is_clean(text, " "))
            return false;
        break;
    case CONFIG_TEXT:
    case CONFIG_SECRET:
        if (!is_clean(text, ""))
            return false;
        break;
    }
    *(const char **)field = string;
    return text.len >= (size_t)row->min && text.len <= (size_t)row->max;
}

/* What would be right, as a clause. */
static void describe_right(const struct config_row *row, struct strbuf *out)
{
    switch (row->kind) {
    case CONFIG_INTEGER:
        strbuf_printf(out, "an integer from %.0f to %.0f", row->min, row->max);
        break;
    case CONFIG_NUMBER:
        strbuf_printf(out, "a number from %g to %g", row->min, row->max);
        break;
    case CONFIG_LEVEL:
        strbuf_printf(out, "DEBUG, INFO, WARNING or ERROR");
        break;
    case CONFIG_FORMAT:
        strbuf_printf(out, "json or text");
        break;
    case CONFIG_NETWORKS:
        strbuf_printf(out, "addresses or CIDR blocks, separated by commas (10.0.0.0/8, ::1)");
        break;
    case CONFIG_URL:
        strbuf_printf(out,
                      "http://HOST or https://HOST, with a path or a query, without a "
                      "fragment, in %.0f characters at most",
                      row->max);
        break;
    case CONFIG_PREFIX:
        strbuf_printf(out, "%.0f to %.0f characters without blanks or any of {}*?[]\\", row->min,
                      row->max);
        break;
    case CONFIG_TOKEN:
        strbuf_printf(out, "%.0f characters at most, without blanks", row->max);
        break;
    case CONFIG_TEXT:
    case CONFIG_SECRET:
        strbuf_printf(out, "%.0f to %.0f characters without control characters", row->min,
                      row->max);
        break;
    }
}

static void report(const struct config_row *row, const char *value, struct strbuf *mistakes)
{
    bool is_secret =
        row->kind == CONFIG_SECRET || row->kind == CONFIG_TOKEN || row->kind == CONFIG_URL;
    strbuf_printf(mistakes, "%s%s%.200s%s: must be ", row->name, is_secret ? "" : "=\"",
                  is_secret ? "" : value, is_secret ? "" : "\"");
    describe_right(row, mistakes);
    strbuf_append_char(mistakes, '\n');
}

static void cross_check_retention(const struct config *c, struct strbuf *mistakes)
{
    if (c->aggregate_retention_days == 0 ||
        (c->retention_days > 0 && c->aggregate_retention_days >= c->retention_days))
        return;
    strbuf_printf(mistakes,
                  "AGGREGATE_RETENTION_DAYS=\"%lld\": ", (long long)c->aggregate_retention_days);
    if (c->retention_days == 0)
        strbuf_printf(mistakes, "must be 0 while RETENTION_DAYS is 0 (for ever)\n");
    else
        strbuf_printf(mistakes, "must be 0 (for ever) or at least RETENTION_DAYS, which is %lld\n",
                      (long long)c->retention_days);
}

/* Settings that are right one by one and wrong together. */
static void cross_check(const struct config *c, struct strbuf *mistakes)
{
    if (c->external_latency_min_ms > c->external_latency_max_ms) {
        strbuf_printf(mistakes,
                      "EXTERNAL_SERVICE_LATENCY_MIN_MS=\"%lld\": must not be above "
                      "EXTERNAL_SERVICE_LATENCY_MAX_MS, which is %lld\n",
                      (long long)c->external_latency_min_ms, (long long)c->external_latency_max_ms);
    }
    cross_check_retention(c, mistakes);
    if (*c->admin_token != '\0' && strcmp(c->admin_token, c->api_token) == 0) {
        strbuf_printf(mistakes, "ADMIN_TOKEN: must differ from API_TOKEN, or every client would "
                                "be an administrator\n");
    }
    /* What one request may wait for, one after the other. */
    const struct {
        const char *names;
        int64_t ms;
    } waits[] = {{"EXTERNAL_SERVICE_TIMEOUT and twice REDIS_WRITE_TIMEOUT_MS",
                  c->external_timeout_seconds * 1000 + 2 * c->redis_write_timeout_ms},
                 {"3 seconds and REDIS_TIMEOUT_MS", READ_BUDGET_MS + c->redis_timeout_ms}};
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        if (c->stuck_seconds * 1000 <= waits[i].ms) {
            strbuf_printf(mistakes,
                          "STUCK_SECONDS=\"%lld\": must be longer than %s, together %lld ms\n",
                          (long long)c->stuck_seconds, waits[i].names, (long long)waits[i].ms);
        }
    }
}

static int64_t default_workers(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 2 ? 1 : cores / 2;
}

bool config_load(struct config *config, struct strbuf *mistakes)
{
    *config = (struct config){.workers = default_workers()};
    for (size_t i = 0; i < config_row_count; i++) {
        const struct config_row *row = &config_rows[i];
        const char *value = getenv(row->name);
        if (!value || *value == '\0')
            value = row->default_text;
        bool is_worked_out = row->kind == CONFIG_INTEGER && *value == '\0';
        if (!is_worked_out && !parse_row(row, value, config))
            report(row, value, mistakes);
    }
    if (mistakes->len == 0)
        cross_check(config, mistakes);
    return mistakes->len == 0 && !strbuf_failed(mistakes);
}

void config_describe(struct strbuf *out)
{
    for (size_t i = 0; i < config_row_count; i++) {
        const struct config_row *row = &config_rows[i];
        const char *shown = *row->default_text ? row->default_text : "-";
        strbuf_printf(out, "  %-34s %-10s %s", row->name, shown, row->help);
        if (row->kind == CONFIG_INTEGER || row->kind == CONFIG_NUMBER) {
            strbuf_printf(out, " (%.0f to %.0f%s%s)", row->min, row->max, *row->unit ? " " : "",
                          row->unit);
        }
        strbuf_append_char(out, '\n');
    }
}
