/*
 * redis_schema: version of the layout of our data in Redis (redis_keys.h and the
 * packed formats). Stored in `<p>schema`; a program refuses data of any other.
 */
#ifndef LIB_REDIS_REDIS_SCHEMA_H
#define LIB_REDIS_REDIS_SCHEMA_H

#define REDIS_SCHEMA      4
#define REDIS_SCHEMA_TEXT "4"

#endif
