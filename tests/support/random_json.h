/*
 * random_json: samples as JSON, most of them right, some in an odd spelling and some wrong; and
 * small damage to any text.
 */
#ifndef TESTS_SUPPORT_RANDOM_JSON_H
#define TESTS_SUPPORT_RANDOM_JSON_H

#include "strbuf.h"
#include "test_random.h"

/* Append an object; an array of up to `count_max` objects and other things; as many lines. */
void random_json_object(struct test_random *random, struct strbuf *out);
void random_json_array(struct test_random *random, struct strbuf *out, size_t count_max);
void random_json_lines(struct test_random *random, struct strbuf *out, size_t count_max);

/* Once: a byte more, less or another, a word of JSON more, a piece twice, or the end cut off. */
void random_json_damage(struct test_random *random, struct strbuf *text);

#endif
