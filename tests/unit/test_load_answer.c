#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "heap_slice.h"
#include "load_answer.h"
#include "load_pause.h"
#include "load_progress.h"
#include "load_target.h"

/* --- What an answer means ------------------------------------------------------------ */

static struct strbuf told, why;

static int start(void **state)
{
    (void)state;
    strbuf_init(&told, 10000);
    strbuf_init(&why, 10000);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    strbuf_release(&told);
    strbuf_release(&why);
    return 0;
}

static void tell(void *context, size_t index, struct slice reason)
{
    (void)context;
    strbuf_printf(&told, "%zu:%.*s|", index, (int)reason.len, reason.ptr);
}

/* An answer to three lines. `rejected` and `reasons` are those of the lines. */
static void assert_judged(long status, const char *body, bool is_partial, enum load_outcome outcome,
                          size_t rejected, const char *reasons)
{
    struct load_rejections rejections = {NULL, tell, 99};
    struct slice in = heap_slice_new(body, strlen(body));
    const struct load_answer answer = {status, in, 3, is_partial};
    strbuf_reset(&told);
    strbuf_reset(&why);
    assert_int_equal(load_answer_judge(&answer, &rejections, &why), outcome);
    assert_int_equal(rejections.count, rejected);
    strbuf_append_char(&told, '\0');
    assert_string_equal(told.bytes, reasons);
    heap_slice_free(in);
}

static void assert_why(const char *expected)
{
    strbuf_append_char(&why, '\0');
    assert_string_equal(why.bytes, expected);
}

static void a_success_tells_of_rejected_lines(void **state)
{
    (void)state;
    assert_judged(201, "{\"accepted\":3,\"rejected\":[]}", true, LOAD_STORED, 0, "");
    assert_judged(201, "{\"accepted\":3}", false, LOAD_STORED, 0, "");
    assert_judged(204, "", true, LOAD_STORED, 0, "");
    assert_judged(200,
                  "{\"accepted\":1,\"rejected\":[{\"index\":0,\"errors\":[{\"loc\":[\"body\",0,"
                  "\"type\"],\"msg\":\"a\"},{\"loc\":[\"body\",0,\"value\"],\"msg\":\"b\"}]},"
                  "{\"index\":2,\"errors\":[{\"loc\":[\"body\",2],\"msg\":\"c\"}]}]}",
                  true, LOAD_STORED, 2, "0:type: a; value: b|2:c|");
    assert_judged(200, "{\"accepted\":0,\"rejected_count\":7,\"rejected\":[{\"index\":1}]}", true,
                  LOAD_STORED, 7, "1:|");
    assert_judged(200, "{\"accepted\":0,\"rejected_count\":-7,\"rejected\":[{\"index\":1e300}]}",
                  true, LOAD_STORED, 1, "");
    assert_judged(200, "{\"accepted\":0,\"rejected\":[{},{\"index\":-1},7]}", true, LOAD_STORED, 3,
                  "");
}

static void a_success_of_another_server_is_none(void **state)
{
    (void)state;
    static const char *const bodies[] = {"", "<html>welcome</html>", "{}", "[1]",
                                         "{\"accepted\":\"3\"}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_judged(200, bodies[i], true, LOAD_REFUSED, 0, "");
        assert_why("200 that does not say how many samples it took: this is no such service");
        assert_judged(201, bodies[i], false, LOAD_REFUSED, 0, "");
    }
}

static const char all_wrong[] = "{\"detail\":\"Validation failed\",\"errors\":["
                                "{\"loc\":[\"body\",0,\"type\"],\"msg\":\"a\"},"
                                "{\"loc\":[\"body\",0,\"value\"],\"msg\":\"b\"},"
                                "{\"loc\":[\"body\",1],\"msg\":\"c\"}]}";

static void a_refusal_of_lines_is_one_of_all_of_them(void **state)
{
    (void)state;
    assert_judged(422, all_wrong, true, LOAD_STORED, 3, "0:type: a; value: b|1:c|");
    assert_judged(400, all_wrong, true, LOAD_STORED, 3, "0:type: a; value: b|1:c|");
}

static void who_wants_all_or_nothing_has_nothing(void **state)
{
    (void)state;
    assert_judged(422, all_wrong, false, LOAD_REFUSED, 0, "0:type: a; value: b|1:c|");
    assert_why("422 Validation failed: type: a; value: b; c");
}

static const char too_much[] =
    "{\"detail\":\"Validation failed\",\"errors\":[{\"loc\":[\"body\"],\"msg\":\"too much\"}]}";

static void a_refusal_of_the_whole_body_says_that_it_is_too_much(void **state)
{
    (void)state;
    assert_judged(422, too_much, true, LOAD_TOO_MUCH, 0, "");
    assert_judged(422, too_much, false, LOAD_TOO_MUCH, 0, "");
}

static void of_a_single_line_it_says_that_this_one_is_wrong(void **state)
{
    (void)state;
    struct load_rejections rejections = {NULL, tell, 0};
    const struct load_answer answer = {422, slice_from_string(too_much), 1, true};
    strbuf_reset(&told);
    strbuf_reset(&why);
    assert_int_equal(load_answer_judge(&answer, &rejections, &why), LOAD_STORED);
    assert_int_equal(rejections.count, 1);
    assert_true(slice_equals(strbuf_slice(&told), SLICE("0:422 Validation failed: too much|")));
    const struct load_answer strict = {422, slice_from_string(too_much), 1, false};
    assert_int_equal(load_answer_judge(&strict, &rejections, &why), LOAD_REFUSED);
}

static void what_is_too_long_may_fit_in_halves(void **state)
{
    (void)state;
    struct load_rejections rejections = {NULL, tell, 0};
    const struct load_answer one = {413, SLICE("{\"title\":\"Too long\"}"), 1, true};
    assert_judged(413, "{\"title\":\"Too long\"}", true, LOAD_TOO_MUCH, 0, "");
    strbuf_reset(&why);
    assert_int_equal(load_answer_judge(&one, &rejections, &why), LOAD_REFUSED);
    assert_why("413 Too long");
}

static void other_refusals_are_final(void **state)
{
    (void)state;
    static const long statuses[] = {301, 400, 401, 403, 404, 405, 415, 422};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        assert_judged(statuses[i], "{\"title\":\"No\"}", true, LOAD_REFUSED, 0, "");
    assert_why("422 No");
    assert_judged(422,
                  "{\"detail\":\"x\",\"errors\":[{\"loc\":[\"header\",\"Idempotency-Key\"],"
                  "\"msg\":\"was used\"}]}",
                  true, LOAD_REFUSED, 0, "");
    assert_why("422 x: Idempotency-Key: was used");
    assert_judged(404, "<html>", true, LOAD_REFUSED, 0, "");
    assert_why("404");
}

static void what_passes_is_tried_again(void **state)
{
    (void)state;
    static const long statuses[] = {408, 409, 425, 429, 500, 502, 503, 504, 507};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        assert_judged(statuses[i], all_wrong, true, LOAD_AGAIN, 0, "");
}

/* --- Where requests go ---------------------------------------------------------------- */

static void assert_target(const char *base, enum load_format format, bool is_partial,
                          const char *expected)
{
    struct load_target target;
    load_target_write(&target, base, format, "ms", is_partial);
    assert_string_equal(target.url, expected);
}

static void each_format_has_its_place(void **state)
{
    (void)state;
    assert_target("http://x", LOAD_CSV, true, "http://x/api/metrics?partial=true");
    assert_target("http://x/", LOAD_NDJSON, false, "http://x/api/metrics");
    assert_target("http://x/y//", LOAD_INFLUX, true, "http://x/y/write?precision=ms&partial=true");
    assert_target("http://x", LOAD_INFLUX, false, "http://x/write?precision=ms");
}

static void the_longest_base_fits(void **state)
{
    (void)state;
    struct load_target target;
    char base[LOAD_URL_BYTES];
    memset(base, 'x', sizeof base - 1);
    base[sizeof base - 1] = '\0';
    load_target_write(&target, base, LOAD_INFLUX, "ms", true);
    assert_string_equal(target.url + sizeof base - 1, "/write?precision=ms&partial=true");
}

/* --- Pauses ------------------------------------------------------------------------- */

static void pauses_grow_up_to_a_bound(void **state)
{
    (void)state;
    int64_t expected = 250;
    for (unsigned attempts = 1; attempts < 100; attempts++) {
        assert_int_equal(load_pause_ms(attempts, 503, 0, 0), expected);
        for (uint32_t chance = 0; chance < 20000; chance += 7)
            assert_in_range(load_pause_ms(attempts, 503, 0, chance), expected / 2, expected);
        expected = expected < 7500 ? 2 * expected : 15000;
    }
    assert_in_range(load_pause_ms(1000000, 0, 0, UINT32_MAX), 7500, 15000);
}

static void what_the_service_tells_is_waited_for(void **state)
{
    (void)state;
    for (uint32_t chance = 0; chance < 1000; chance++) {
        assert_in_range(load_pause_ms(1, 503, 2, chance), 2000, 2250);
        assert_in_range(load_pause_ms(1, 503, 61, chance), 60000, 60250);
        assert_in_range(load_pause_ms(1, 429, 61, chance), 61000, 61250);
        assert_in_range(load_pause_ms(1, 429, INT64_MAX, chance), 3600000, 3600250);
        assert_in_range(load_pause_ms(20, 429, 1, chance), 7500, 15000);
    }
}

/* --- Progress ----------------------------------------------------------------------- */

static void assert_progress(struct load_progress progress, bool has_bar, const char *expected)
{
    struct strbuf out;
    strbuf_init(&out, 1000);
    load_progress_append(&progress, has_bar, &out);
    strbuf_append_char(&out, '\0');
    assert_string_equal(out.bytes, expected);
    strbuf_release(&out);
}

static void progress_is_that_of_the_input_at_the_speed_of_the_run(void **state)
{
    (void)state;
    struct load_progress progress = {.input_bytes = 40000000,
                                     .done_bytes = 30000000,
                                     .done_samples = 3000,
                                     .first_bytes = 10000000,
                                     .first_samples = 1000,
                                     .seconds = 4};
    assert_progress(progress, true,
                    "[##################......]  75 %  3000 samples  500/s  5.0 MB/s  0:02 left");
    progress.retries = 3;
    progress.seconds = 10000;
    assert_progress(progress, false, " 75 %  3000 samples  0/s  0.0 MB/s  1:23:20 left  3 retries");
    progress.input_bytes = 0;
    progress.seconds = 4;
    assert_progress(progress, true, "3000 samples  500/s  5.0 MB/s  3 retries");
}

static void a_file_that_grew_is_at_its_end(void **state)
{
    (void)state;
    const struct load_progress progress = {.input_bytes = 1000, .done_bytes = 2000};
    assert_progress(progress, true, "[########################] 100 %  0 samples  0/s  2.0 MB/s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_success_tells_of_rejected_lines),
        cmocka_unit_test(a_success_of_another_server_is_none),
        cmocka_unit_test(a_refusal_of_lines_is_one_of_all_of_them),
        cmocka_unit_test(who_wants_all_or_nothing_has_nothing),
        cmocka_unit_test(a_refusal_of_the_whole_body_says_that_it_is_too_much),
        cmocka_unit_test(of_a_single_line_it_says_that_this_one_is_wrong),
        cmocka_unit_test(what_is_too_long_may_fit_in_halves),
        cmocka_unit_test(other_refusals_are_final),
        cmocka_unit_test(what_passes_is_tried_again),
        cmocka_unit_test(each_format_has_its_place),
        cmocka_unit_test(the_longest_base_fits),
        cmocka_unit_test(pauses_grow_up_to_a_bound),
        cmocka_unit_test(what_the_service_tells_is_waited_for),
        cmocka_unit_test(progress_is_that_of_the_input_at_the_speed_of_the_run),
        cmocka_unit_test(a_file_that_grew_is_at_its_end),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
