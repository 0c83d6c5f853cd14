#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct error_row {
    const char *name;
    bool failure;
};

static const struct error_row rows[ERR_CODE_COUNT] = {
#define X(code, name, failure) [code] = {name, failure},
    ERROR_TABLE(X)
#undef X
};

const char *err_name(enum err_code code)
{
    return (unsigned)code < ERR_CODE_COUNT ? rows[code].name : "INTERNAL_ERROR";
}

bool err_counts_as_failure(enum err_code code)
{
    return (unsigned)code < ERR_CODE_COUNT && rows[code].failure;
}

enum err_code error_set(struct error *err, enum err_code code, const char *format, ...)
{
    if (!err)
        return code;
    if (err->code != ERR_OK)
        return err->code;
    err->code = code;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->detail, sizeof err->detail, format, args);
    va_end(args);
    return code;
}

void error_set_cause(struct error *err, const char *format, ...)
{
    if (!err || err->cause[0] != '\0')
        return;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->cause, sizeof err->cause, format, args);
    va_end(args);
}

enum err_code error_add_field(struct error *err, const char *location, const char *name,
                              const char *format, ...)
{
    if (!err)
        return ERR_VALIDATION;
    if (err->code == ERR_OK) {
        err->code = ERR_VALIDATION;
        (void)snprintf(err->detail, sizeof err->detail, "Validation failed");
    }
    if (err->field_count < ERROR_FIELDS_MAX) {
        struct field_error *field = &err->fields[err->field_count++];
        field->location = location;
        field->element = err->element;
        (void)snprintf(field->name, sizeof field->name, "%s", name);
        va_list args;
        va_start(args, format);
        (void)vsnprintf(field->message, sizeof field->message, format, args);
        va_end(args);
    }
    return ERR_VALIDATION;
}

void error_add_fields(struct error *err, const struct error *other)
{
    if (err->code == ERR_OK) {
        err->code = other->code;
        memcpy(err->detail, other->detail, sizeof err->detail);
    }
    for (size_t i = 0; i < other->field_count && err->field_count < ERROR_FIELDS_MAX; i++)
        err->fields[err->field_count++] = other->fields[i];
}
