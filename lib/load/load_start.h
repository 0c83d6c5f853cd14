/*
 * load_start: where a load begins: at the start, where an earlier run ended, or nowhere. Pure.
 */
#ifndef LIB_LOAD_LOAD_START_H
#define LIB_LOAD_LOAD_START_H

#include "load_options.h"
#include "load_state.h"
#include "strbuf.h"

enum load_start {
    LOAD_START_FRESH, /* by a new id, which is not set yet */
    LOAD_START_RESUMED,
    LOAD_START_DONE,   /* all of it is stored already */
    LOAD_START_REFUSED /* `say` has why */
};

/*
 * Decide by the state of an earlier run, `found`, or NULL. `state` gets what this run begins
 * with. The cuts must be those of the earlier run unless it is settled, whatever the options say:
 * then, and when there is something else to know, `say` has a line for it. `now`: Unix seconds.
 */
enum load_start load_start_decide(const struct load_options *options, struct load_file file,
                                  const struct load_state *found, uint64_t now,
                                  struct load_state *state, struct strbuf *say);

#endif
