/*
 * error: what can go wrong, in one table, and a struct that carries it.
 *
 * The struct never allocates and the first error wins, so that it also works when
 * memory has run out. `detail` may reach a client; `cause` (errno, the words of
 * Redis) goes to the log alone.
 */
#ifndef LIB_BASE_ERROR_H
#define LIB_BASE_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* code, name, is it a dependency's failure */
#define ERROR_TABLE(X)                                                                             \
    X(ERR_OK, "OK", false)                                                                         \
    X(ERR_VALIDATION, "VALIDATION_ERROR", false)                                                   \
    X(ERR_BAD_REQUEST, "BAD_REQUEST", false)                                                       \
    X(ERR_UNAUTHORIZED, "UNAUTHORIZED", false)                                                     \
    X(ERR_NOT_FOUND, "NOT_FOUND", false)                                                           \
    X(ERR_METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", false)                                         \
    X(ERR_PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", false)                                           \
    X(ERR_UNSUPPORTED_CODING, "UNSUPPORTED_CONTENT_CODING", false)                                 \
    X(ERR_UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", false)                                 \
    X(ERR_CONFIRMATION_REQUIRED, "CONFIRMATION_REQUIRED", false)                                   \
    X(ERR_KEY_REUSED, "IDEMPOTENCY_KEY_REUSED", false)                                             \
    X(ERR_RATE_LIMITED, "RATE_LIMIT_EXCEEDED", false)                                              \
    X(ERR_LIMIT_REACHED, "LIMIT_REACHED", false)                                                   \
    X(ERR_CIRCUIT_OPEN, "CIRCUIT_BREAKER_OPEN", false)                                             \
    X(ERR_BULKHEAD_FULL, "BULKHEAD_FULL", false)                                                   \
    X(ERR_UPSTREAM_FAILED, "EXTERNAL_SERVICE_UNAVAILABLE", true)                                   \
    X(ERR_STORE_UNAVAILABLE, "STORE_UNAVAILABLE", true)                                            \
    X(ERR_STORE_UNKNOWN, "STORE_OUTCOME_UNKNOWN", true)                                            \
    X(ERR_STORE_FULL, "STORE_FULL", false)                                                         \
    X(ERR_NO_MEMORY, "OUT_OF_MEMORY", false)                                                       \
    X(ERR_INTERNAL, "INTERNAL_ERROR", false)

enum err_code {
#define X(code, name, failure) code,
    ERROR_TABLE(X)
#undef X
        ERR_CODE_COUNT
};

const char *err_name(enum err_code code);
bool err_counts_as_failure(enum err_code code);

enum {
    ERROR_DETAIL_BYTES = 200,
    ERROR_CAUSE_BYTES = 160,
    ERROR_FIELDS_MAX = 8, /* parameters of the endpoint that has most of them */
};

/* One bad input: where it was ("body", "query"), which member, what would be right. */
struct field_error {
    const char *location; /* static text */
    int64_t element;      /* of an array, from 0; -1: there is none */
    char name[32];        /* empty: the whole of it */
    char message[160];
};

struct error {
    enum err_code code;
    uint32_t retry_after_ms; /* 0: nothing known */
    char detail[ERROR_DETAIL_BYTES];
    char cause[ERROR_CAUSE_BYTES];
    int64_t element; /* that the fields to come are of; -1: of none */
    size_t field_count;
    struct field_error fields[ERROR_FIELDS_MAX];
};

static inline void error_init(struct error *err)
{
    err->code = ERR_OK;
    err->retry_after_ms = 0;
    err->detail[0] = err->cause[0] = '\0';
    err->field_count = 0;
    err->element = -1;
}

/*
 * Record `code` with a text for the client, unless an error is there already.
 * Truncates silently. Returns the code that `err` holds afterwards; `err` may be
 * NULL, then `code` is returned.
 */
enum err_code error_set(struct error *err, enum err_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Add the cause for the log, unless one is there. */
void error_set_cause(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Add one bad field to an ERR_VALIDATION (which it becomes if it was ERR_OK).
 * Fields beyond ERROR_FIELDS_MAX are dropped: the first ones are told.
 * Returns ERR_VALIDATION.
 */
enum err_code error_add_field(struct error *err, const char *location, const char *name,
                              const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Add the bad fields of another ERR_VALIDATION, as many as there is room for. */
void error_add_fields(struct error *err, const struct error *other);

#endif
