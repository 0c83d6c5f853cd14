/*
 * external_simulation: a dependency that takes a random time and fails with a given
 * probability.
 */
#ifndef LIB_UPSTREAM_EXTERNAL_SIMULATION_H
#define LIB_UPSTREAM_EXTERNAL_SIMULATION_H

#include "external_caller.h"
#include "external_service.h"

/* Both arguments outlive it. NULL: no memory. */
struct external_caller *external_simulation_new(const struct external_options *options,
                                                struct external_stop *stop);

#endif
