/* What is damaged is logged, but not each time that it is met. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "damage_log.h"

enum { TEXT_BYTES = 64 * 1024 };

static char text[TEXT_BYTES];

/* How many lines stand in the log, which is in `text` then, when that was met so often. */
static int say(int times, struct mono_time at)
{
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO), lines = 0;
    assert_non_null(file);
    assert_true(saved >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    for (int i = 0; i < times; i++)
        damage_log_say(SLICE("cpu"), (struct span){SPAN_DAY, 20000}, 7, at);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
    for (const char *at_line = text; (at_line = strchr(at_line, '\n')); at_line++)
        lines++;
    return lines;
}

static void a_minute_has_so_many_lines(void **state)
{
    (void)state;
    struct mono_time start = clock_mono_now();
    assert_int_equal(say(1, start), 1);
    assert_non_null(strstr(text, "chunk_damaged"));
    assert_non_null(strstr(text, "metric_type=\"cpu\" span=\"d20000\" chunk=7 left_out=0"));
    assert_int_equal(say(1000, mono_after_ms(start, 1)), DAMAGE_LINES - 1);
    assert_int_equal(say(1000, mono_after_ms(start, DAMAGE_LINES_MS - 1)), 0);
    assert_int_equal(say(1, mono_after_ms(start, DAMAGE_LINES_MS)), 1);
    char wanted[64];
    (void)snprintf(wanted, sizeof wanted, "left_out=%d\n", 2000 - (DAMAGE_LINES - 1));
    assert_non_null(strstr(text, wanted));
    assert_int_equal(say(1000, mono_after_ms(start, DAMAGE_LINES_MS + 1)), DAMAGE_LINES - 1);
    assert_null(strstr(text, "left_out=1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_minute_has_so_many_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
