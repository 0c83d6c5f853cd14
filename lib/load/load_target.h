/*
 * load_target: where requests of a format go. Pure.
 */
#ifndef LIB_LOAD_LOAD_TARGET_H
#define LIB_LOAD_LOAD_TARGET_H

#include <stdbool.h>

#include "load_format.h"

enum { LOAD_URL_BYTES = 2048 };

struct load_target {
    char url[LOAD_URL_BYTES + 64];
    const char *content_type; /* static */
};

/* Below `base`, of LOAD_URL_BYTES at most. `is_partial`: what is good is to be stored, whatever
 * else is in a request. */
void load_target_write(struct load_target *target, const char *base, enum load_format format,
                       const char *precision, bool is_partial);

#endif
