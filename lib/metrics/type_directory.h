/*
 * type_directory: all types and the instant of the newest sample of each.
 *
 * Read in bounded pages, so not as of one instant: a type or sample that was there
 * before the call is in it.
 */
#ifndef LIB_METRICS_TYPE_DIRECTORY_H
#define LIB_METRICS_TYPE_DIRECTORY_H

#include <stddef.h>

#include "clock.h"
#include "error.h"
#include "redis_client.h"
#include "slice.h"
#include "strbuf.h"

struct type_entry {
    struct wall_time newest_at;
    size_t name_at, name_len;
};

struct type_directory {
    struct type_entry *entries; /* newest first */
    size_t count, capacity;
    struct strbuf names;
};

/* Two round trips for every 128 types. Release it also after an error. */
enum err_code type_directory_read(struct type_directory *types, struct redis_client *client,
                                  struct mono_time deadline, struct error *err)
    __attribute__((warn_unused_result));
void type_directory_release(struct type_directory *types);

/* Borrowed from the directory. */
struct slice type_directory_name(const struct type_directory *types,
                                 const struct type_entry *entry);

#endif
