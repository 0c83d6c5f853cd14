/* Requests as they are counted: by route and status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "request_counters.h"

static int share(void **state)
{
    (void)state;
    if (!counters_share(1, COUNTERS_ALL))
        return -1;
    counters_use_for_process(0);
    return 0;
}

static uint64_t count_of(const struct request_counts *counts, const char *wanted)
{
    const char *status;
    for (size_t i = 0; (status = request_counters_status(i)); i++) {
        if (strcmp(status, wanted) == 0)
            return counts->statuses[i];
    }
    fail_msg("no status %s", wanted);
    return 0;
}

static void each_status_has_one_name(void **state)
{
    (void)state;
    for (size_t i = 0; request_counters_status(i); i++) {
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(request_counters_status(i), request_counters_status(j));
    }
}

static void what_is_unusual_is_another_beside_the_others(void **state)
{
    (void)state;
    struct request_counts counts;
    request_counters_note(&routes[2], 200, 7);
    request_counters_note(&routes[2], 507, 7);
    request_counters_note(&routes[2], 418, 7);
    request_counters_note(&routes[2], 599, -1);
    request_counters_note(NULL, 404, 1);
    assert_int_equal(request_counters_read(2, &counts), 4);
    assert_int_equal(count_of(&counts, "200"), 1);
    assert_int_equal(count_of(&counts, "507"), 1);
    assert_int_equal(count_of(&counts, "other"), 2);
    assert_int_equal(counts.us.sum, 21);
    assert_int_equal(distribution_count(&counts.us), 4);
    assert_int_equal(request_counters_read(route_count, &counts), 1);
    assert_int_equal(count_of(&counts, "404"), 1);
    assert_int_equal(request_counters_read(1, &counts), 0);
    assert_int_equal(distribution_count(&counts.us), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_status_has_one_name, share),
        cmocka_unit_test_setup(what_is_unusual_is_another_beside_the_others, share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
