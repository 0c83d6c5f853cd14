/*
 * redis_scripts: the Lua scripts, embedded at build from the folder scripts.
 *
 * scripts/embed.sh makes the table from the files: `scripts/rate_limit.lua` is
 * REDIS_SCRIPT_RATE_LIMIT. A line `--#include name.lua` takes in scripts/lib/name.lua.
 * The digest by which Redis knows a script is made at build as well (sha1sum).
 */
#ifndef LIB_REDIS_REDIS_SCRIPTS_H
#define LIB_REDIS_REDIS_SCRIPTS_H

#include "redis_scripts_table.h" /* generated: enum redis_script, REDIS_SCRIPT_COUNT */
#include "slice.h"

/* Static. */
struct slice redis_script_source(enum redis_script script);

/* 40 hexadecimal digits, made by the build. Static. */
struct slice redis_script_sha1(enum redis_script script);

#endif
