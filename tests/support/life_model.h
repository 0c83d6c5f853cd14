/*
 * life_model: the model of a store (sample_model.h, test_store.h) whose samples expire.
 *
 * Beside each sample of test_store.model it keeps when it arrived and whether it has
 * expired. That is learnt from what is left in Redis after each upkeep, and judged: nothing
 * expires before its time or comes back, nothing is there that was not posted, and what is
 * known of in any way is as many as were posted.
 */
#ifndef TESTS_SUPPORT_LIFE_MODEL_H
#define TESTS_SUPPORT_LIFE_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "metric_tender.h"
#include "record.h"

/* Store it, if there is room: a type over the most spans is refused new hours. */
void life_model_post(const char *type, int64_t at_us, double value);

/* So many within an hour. */
void life_model_post_hour(const char *type, int64_t hour, int count);

/* It was stored otherwise, just now. */
void life_model_note(const char *type, struct record record);

/* What was posted of a type until now counts as having arrived so much earlier. */
void life_model_age(const char *type, int64_t by_us);

/* The type has been deleted. */
void life_model_forget(const char *type);
void life_model_release(void);

size_t life_model_count(const char *type);

/* Read what is there (store_content.h) after an upkeep that kept samples for so long. */
void life_model_learn(const char *type, const struct metric_retention *retention);

/*
 * Ask the store and compare. An answer that says it is neither widened nor folded is exact,
 * as in sample_model.h. Otherwise it counts what is left in the window, all expired chunks that
 * reach into it, and nothing outside of [from, to) and what the report says; points of a
 * series that the report does not touch are exact.
 */
void life_model_check_window(const char *type, struct wall_time from, struct wall_time to);
void life_model_check_series(const char *type, struct wall_time from, int64_t step_us,
                             size_t count);

/* Everything, which is exact whatever has expired; and lists, without what has, but saying so. */
void life_model_check_all(const char *type);
void life_model_check_list(const char *type, size_t limit);

/* After an upkeep that keeps all for ever: nothing is lost, and all is found. */
void life_model_check(const char *type);

#endif
