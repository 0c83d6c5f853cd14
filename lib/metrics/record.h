/*
 * record: one sample without its name, and how it lies in an open chunk. Pure.
 *
 * 16 bytes, little endian: int64 microseconds since 1970, IEEE 754 double. A chunk
 * is up to CHUNK_RECORDS of them, in order of arrival while it is open.
 */
#ifndef LIB_METRICS_RECORD_H
#define LIB_METRICS_RECORD_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "clock.h"

enum { RECORD_BYTES = 16, CHUNK_RECORDS = 4096, CHUNK_BYTES = RECORD_BYTES * CHUNK_RECORDS };

/* Before and after every sample. */
#define WALL_TIME_MIN ((struct wall_time){INT64_MIN})
#define WALL_TIME_MAX ((struct wall_time){INT64_MAX})

struct record {
    struct wall_time at;
    double value;
};

static inline void record_pack(struct record r, unsigned char out[static RECORD_BYTES])
{
    uint64_t words[2];
    memcpy(&words[1], &r.value, 8);
    words[0] = htole64((uint64_t)r.at.us);
    words[1] = htole64(words[1]);
    memcpy(out, words, RECORD_BYTES);
}

static inline struct record record_unpack(const unsigned char in[static RECORD_BYTES])
{
    uint64_t words[2];
    struct record r;
    memcpy(words, in, RECORD_BYTES);
    words[1] = le64toh(words[1]);
    r.at.us = (int64_t)le64toh(words[0]);
    memcpy(&r.value, &words[1], 8);
    return r;
}

/*
 * Put records into order of time; equal timestamps stay in the order in which they
 * come. `spare` has room for as many. Costs one pass where they are in order already.
 */
void records_sort(struct record *records, size_t count, struct record *spare);

void records_unpack(const unsigned char *packed, size_t count, struct record *records);

/* Whether all are as they may be posted into a span: of finite value, within [from, to). */
bool records_are_sound(const struct record *records, size_t count, struct wall_time from,
                       struct wall_time to);

#endif
