/*
 * sample_json: a sample as a JSON object {"timestamp":…,"value":…,"type":…}. Pure.
 */
#ifndef LIB_FORMATS_SAMPLE_JSON_H
#define LIB_FORMATS_SAMPLE_JSON_H

#include "error.h"
#include "json_read.h"
#include "sample.h"

/*
 * Timestamps are ISO 8601, or Unix seconds as a number or a text; values finite numbers, or
 * texts that hold one; other members are ignored. All that is wrong is told at once,
 * ERR_VALIDATION. The type is borrowed from the document.
 */
enum err_code sample_json_read(const struct json_value *value, struct sample *sample,
                               struct error *err);

#endif
