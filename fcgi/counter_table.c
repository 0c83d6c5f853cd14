#include "counter_table.h"

#include "request_counters.h"

/* clang-format off */
const struct counter_row counter_table[] = {
    {COUNTER_REQUEST_BYTES, "requests", "bytes_in", "analytics_http_request_bytes_total", "",
     "Bytes of request bodies, as they came"},
    {COUNTER_RESPONSE_BYTES, "requests", "bytes_out", "analytics_http_response_bytes_total", "",
     "Bytes of answers, with the headers of the application"},

    {COUNTER_SAMPLES_ACCEPTED, "samples", "accepted", "analytics_samples_accepted_total", "",
     "Samples that were stored"},
    {COUNTER_SAMPLES_INVALID, "refused", "invalid", "analytics_samples_refused_total",
     "reason=\"invalid\"", "Samples that were not stored"},
    {COUNTER_SAMPLES_OVER_RATE, "refused", "rate_limit", "analytics_samples_refused_total",
     "reason=\"rate_limit\"", NULL},
    {COUNTER_SAMPLES_OVER_LIMIT, "refused", "limit", "analytics_samples_refused_total",
     "reason=\"limit\"", NULL},
    {COUNTER_SAMPLES_NOT_STORED, "refused", "store", "analytics_samples_refused_total",
     "reason=\"store\"", NULL},

    {COUNTER_CACHE_HIT, "cache", "hit", "analytics_cache_answers_total", "result=\"hit\"",
     "Summaries, by how the cache took part"},
    {COUNTER_CACHE_MISS, "cache", "miss", "analytics_cache_answers_total", "result=\"miss\"", NULL},
    {COUNTER_CACHE_STALE, "cache", "stale", "analytics_cache_answers_total", "result=\"stale\"",
     NULL},

    {COUNTER_RATE_ADMITTED, "rate_limiter", "admitted", "analytics_rate_limiter_decisions_total",
     "decision=\"admitted\"", "Requests that a rate limit was asked about"},
    {COUNTER_RATE_REFUSED, "rate_limiter", "refused", "analytics_rate_limiter_decisions_total",
     "decision=\"refused\"", NULL},
    {COUNTER_RATE_REFUSED_LOCALLY, "rate_limiter", "refused_locally",
     "analytics_rate_limiter_refused_locally_total", "",
     "Those refused without asking Redis, of the refused"},

    {COUNTER_BREAKER_ALLOWED, "circuit_breaker", "allowed",
     "analytics_circuit_breaker_decisions_total", "decision=\"allowed\"",
     "Calls of the external service that the circuit breaker was asked about"},
    {COUNTER_BREAKER_REFUSED, "circuit_breaker", "refused",
     "analytics_circuit_breaker_decisions_total", "decision=\"refused\"", NULL},
    {COUNTER_BREAKER_SUCCEEDED, "circuit_breaker", "succeeded",
     "analytics_circuit_breaker_outcomes_total", "outcome=\"success\"",
     "Calls that were allowed, by how they ended"},
    {COUNTER_BREAKER_FAILED, "circuit_breaker", "failed",
     "analytics_circuit_breaker_outcomes_total", "outcome=\"failure\"", NULL},
    {COUNTER_BREAKER_OPENED, "circuit_breaker", "opened",
     "analytics_circuit_breaker_transitions_total", "to=\"open\"",
     "Transitions that this host brought about"},
    {COUNTER_BREAKER_HALF_OPENED, "circuit_breaker", "half_opened",
     "analytics_circuit_breaker_transitions_total", "to=\"half_open\"", NULL},
    {COUNTER_BREAKER_CLOSED, "circuit_breaker", "closed",
     "analytics_circuit_breaker_transitions_total", "to=\"closed\"", NULL},

    {COUNTER_REDIS_COMMANDS, "redis", "commands", "analytics_redis_commands_total", "",
     "Commands that were sent to Redis"},
    {COUNTER_REDIS_ERRORS, "redis", "errors", "analytics_redis_errors_total", "",
     "Commands that failed, for whatever reason"},
    {COUNTER_REDIS_TIMEOUTS, "redis", "timeouts", "analytics_redis_timeouts_total", "",
     "Connections that were given up for want of a reply"},
    {COUNTER_REDIS_CONNECTS, "redis", "connects", "analytics_redis_connects_total", "",
     "Connections that were made to Redis"},

    {COUNTER_SEALED_CHUNKS, "sealing", "chunks", "analytics_sealed_chunks_total", "",
     "Chunks of samples that were compressed"},
    {COUNTER_SEALED_BYTES_BEFORE, "sealing", "bytes_before", "analytics_sealed_bytes_total",
     "form=\"raw\"", "Bytes of those chunks"},
    {COUNTER_SEALED_BYTES_AFTER, "sealing", "bytes_after", "analytics_sealed_bytes_total",
     "form=\"compressed\"", NULL},
};
/* clang-format on */

const size_t counter_table_count = sizeof counter_table / sizeof *counter_table;
