/* How long a summary gets. What it says is in tests/integration/test_api_summary.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "external_service.h"
#include "iso8601.h"
#include "redis_keys.h"
#include "sample.h"
#include "summary_json.h"
#include "summary_question.h"

/* 24 bytes of text, as long as a double gets. */
static const double long_text = -1.2345678901234567e-300;

enum { ENTRY_HEAD_BYTES = 24 }; /* of api_summary.c */

static const struct wall_time first = {ISO8601_MIN_US + 1}, last = {ISO8601_MAX_US};

/* Whatever has a long form has it. */
static void fill(struct aggregate *a, struct metric_report *report, double scale)
{
    const struct record records[] = {{first, long_text * scale}, {last, long_text * scale / 3}};
    aggregate_init(a, true);
    aggregate_add_run(a, records, 2);
    a->moments.count = INT64_MAX;
    a->moments.sum_high = a->moments.m2 = INFINITY;
    *report = (struct metric_report){
        .is_widened = true, .from = first, .to = last, .damage_count = METRIC_DAMAGES_MAX};
    for (size_t i = 0; i < METRIC_DAMAGES_MAX; i++) {
        report->damages[i].from = first;
        report->damages[i].to = last;
    }
}

static void the_longest_summary_has_room_in_the_caches(void **state)
{
    (void)state;
    static char type[TYPE_BYTES_MAX + 1], external[EXTERNAL_DATA_BYTES_MAX];
    static struct percentiles percentiles = {.count = PERCENTILES_MAX};
    for (size_t i = 0; i < TYPE_BYTES_MAX; i += 4)
        memcpy(type + i, "\xf0\x9f\x93\x88", 5); /* and NUL */
    memset(external, '1', sizeof external);
    for (int i = 0; i < PERCENTILES_MAX; i++) {
        percentiles.entries[i].q = 90000000;
        (void)snprintf(percentiles.entries[i].name, PERCENTILE_NAME_BYTES, "p90.1234%02d", i);
    }
    struct aggregate now, before;
    struct metric_report report;
    fill(&now, &report, 1);
    fill(&before, &report, 1.0000000000234567);
    const struct summary_part previous = {first, last, &before, &report};
    const struct summary_view view = {
        .type = slice_from_string(type),
        .percentiles = &percentiles,
        .current = {first, last, &now, &report},
        .previous = &previous,
        .external = slice_of(external, sizeof external),
    };
    struct strbuf out;
    strbuf_init(&out, 1 << 20);
    summary_json_write(&view, &out);
    assert_false(strbuf_failed(&out));
    size_t kept = ENTRY_HEAD_BYTES + out.len + REDIS_TAG_BYTES + SUMMARY_NAME_BYTES_MAX;
    print_message("a body of %zu bytes, %zu in a cache\n", out.len, kept);
    assert_in_range(kept, SUMMARY_BYTES_MAX / 2, SUMMARY_BYTES_MAX);
    strbuf_release(&out);
    aggregate_release(&now);
    aggregate_release(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_summary_has_room_in_the_caches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
