#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap_slice.h"
#include "iso8601.h"
#include "line_protocol.h"
#include "series_name.h"
#include "sink_log.h"
#include "slow_line_protocol.h"
#include "test_random.h"

static const struct wall_time now = {INT64_C(1700000000123456)};

/* What reading these bytes hands over; to be released. */
static struct sink_log *read_bytes(const char *bytes, size_t len, enum line_unit unit)
{
    static struct sink_log log;
    struct slice text = heap_slice_new(bytes, len);
    sink_log_init(&log);
    line_protocol_read(text, unit, now, &log.sink);
    heap_slice_free(text);
    return &log;
}

struct line_row {
    const char *text;
    const char *handed; /* as a sink_log has it */
    uint64_t skipped;
};

static void check_rows(const struct line_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sink_log *log = read_bytes(rows[i].text, strlen(rows[i].text), LINE_NANOSECONDS);
        if (strcmp(sink_log_text(log), rows[i].handed) != 0)
            fail_msg("%s\ngives %snot %s", rows[i].text, sink_log_text(log), rows[i].handed);
        assert_int_equal(log->sink.skipped, rows[i].skipped);
        sink_log_release(log);
    }
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof *(rows))

static void a_field_is_a_sample_of_its_series(void **state)
{
    (void)state;
    static const struct line_row rows[] = {
        {"", "", 0},
        {"cpu value=12.5 1700000000000000000\n", "cpu.value 1700000000000000 12.5\n", 0},
        {"cpu value=12.5 1700000000000000000", "cpu.value 1700000000000000 12.5\n", 0},
        {"cpu value=12.5", "cpu.value 1700000000123456 12.5\n", 0},
        {"cpu,host=a value=1 1000", "cpu.value;host=a 1 1\n", 0},
        {"cpu,b=1,a=2,c=3 value=1 1000", "cpu.value;a=2;b=1;c=3 1 1\n", 0},
        {"cpu,host=a in=1,out=2 1000", "cpu.in;host=a 1 1\ncpu.out;host=a 1 2\n", 0},
        {"cpu v=1,v=2 1000", "cpu.v 1 1\ncpu.v 1 2\n", 0},
        {"a v=1 1000\nb v=2 2000\na v=3 3000\na v=4 4000\n", "a.v 1 1\nb.v 2 2\na.v 3 3\na.v 4 4\n",
         0},
        /* The series of the line before, and what merely begins or ends as it does. */
        {"a v=1 0\na v=2 0\na w=3 0\nab v=4 0\na,x=y v=5 0\na,x=y v=6 0\na,x=yz v=7 0\nx v=8 0",
         "a.v 0 1\na.v 0 2\na.w 0 3\nab.v 0 4\na.v;x=y 0 5\na.v;x=y 0 6\na.v;x=yz 0 7\nx.v 0 8\n",
         0},
        {"a,x=y v=1 0\na,x= v=2 0\na,x=y v=3 0",
         "a.v;x=y 0 1\nrefused 1: line 2, column 5: a tag has no value, must be key=value\na.v;x=y "
         "0 3\n",
         0},
        {"m v%3D=1,v%=2,v%3=3 1000", "m.v%253D 1 1\nm.v% 1 2\nm.v%3 1 3\n", 0},
        {"cpu;0,a;=b;c v;=1 0", "cpu%3B0.v%3B;a%3B=b%3Bc 0 1\n", 0},
        {"\xc3\xbc,k\xc3\xa9y=\xe2\x82\xac \xf0\x9f\x98\x80=1 0",
         "\xc3\xbc.\xf0\x9f\x98\x80;k\xc3\xa9y=\xe2\x82\xac 0 1\n", 0},
    };
    CHECK_ROWS(rows);
}

static void a_backslash_keeps_the_end_of_a_name(void **state)
{
    (void)state;
    static const struct line_row rows[] = {
        {"a\\,b\\ c,d\\,\\=\\ e=f\\,\\=\\ g h\\,\\=\\ i=1 0", "a,b c.h,= i;d,%3D e=f,= g 0 1\n", 0},
        {"a\\,b v=1 0\na\\,b v=2 0", "a,b.v 0 1\na,b.v 0 2\n", 0},
        {"a\\=b v=1 0", "a\\=b.v 0 1\n", 0},
        {"a=b v=1 0", "a=b.v 0 1\n", 0},
        {"a\\b\\\\c,d\\e=f\\g h\\i=1 0", "a\\b\\\\c.h\\i;d\\e=f\\g 0 1\n", 0},
        {"a\\\\,b v=1 0", "a\\,b.v 0 1\n", 0}, /* the second one is before the comma */
        {"a,b\\\\=c=d v=1 0", "a.v;b\\%3Dc=d 0 1\n", 0},
        {"\\a v=1 0", "\\a.v 0 1\n", 0},
        {"\\,a v=1 0", ",a.v 0 1\n", 0},
        {"a\"b,c\"=\"d \"e=1 0", "a\"b.\"e;c\"=\"d 0 1\n", 0},
        {"a\\", "refused 0: line 1, column 3: the fields are missing, must follow a space\n", 0},
        {"a\\\nb v=1 0",
         "refused 0: line 1, column 3: the fields are missing, must follow a space\n"
         "b.v 0 1\n",
         0},
        {"a\\\na\\ v b=1 0\n",
         "refused 0: line 1, column 3: the fields are missing, must follow a space\na v.b 0 1\n",
         0},
        {"a\\\na\\ v b=1 0\n",
         "refused 0: line 1, column 3: the fields are missing, must follow a space\na v.b 0 1\n",
         0},
        {"a\\ v=1 0", "refused 0: line 1, column 9: a field has no value, must be key=value\n", 0},
        {"a,b=c\\ v=1 0",
         "refused 0: line 1, column 9: a tag's value has a = in it, must be written \\=\n", 0},
    };
    CHECK_ROWS(rows);
}

static void blanks_comments_and_ends_of_lines_are_no_samples(void **state)
{
    (void)state;
    static const struct line_row rows[] = {
        {"\n\r\n \t\r\n#\n# a v=1\n  # \"\n#\"\na v=1 0\n#", "a.v 0 1\n", 0},
        {"a v=1 0\r\nb v=2\r\nc v=t\r\nd v=\"\"\r\n\r",
         "a.v 0 1\nb.v 1700000000123456 2\nc.v 1700000000123456 1\n", 1},
        {"  \ta   \t v=1 \t 1000\t  \r\n", "a.v 1 1\n", 0},
        {"a v=1\t1000", "a.v 1 1\n", 0},
        {"a v=1  ", "a.v 1700000000123456 1\n", 0},
        {"a#b v=1 0", "a#b.v 0 1\n", 0},
    };
    CHECK_ROWS(rows);
}

static void values_are_numbers_or_booleans(void **state)
{
    (void)state;
    static const struct line_row rows[] = {
        {"a v=1,v=-1,v=1.5,v=.5,v=-.5,v=5. 0",
         "a.v 0 1\na.v 0 -1\na.v 0 1.5\na.v 0 0.5\na.v 0 -0.5\na.v 0 5\n", 0},
        {"a v=1e3,v=1E3,v=1e+3,v=-1e-3 0", "a.v 0 1000\na.v 0 1000\na.v 0 1000\na.v 0 -0.001\n", 0},
        {"a v=-0,v=-0i,v=0u,v=007i 0", "a.v 0 -0\na.v 0 0\na.v 0 0\na.v 0 7\n", 0},
        {"a v=42i,v=-42i,v=42u 0", "a.v 0 42\na.v 0 -42\na.v 0 42\n", 0},
        {"a v=9223372036854775807i,v=-9223372036854775808i,v=18446744073709551615u 0",
         "a.v 0 9.2233720368547758e+18\na.v 0 -9.2233720368547758e+18\n"
         "a.v 0 1.8446744073709552e+19\n",
         0},
        {"a v=9007199254740993i,v=9007199254740995u 0",
         "a.v 0 9007199254740992\na.v 0 9007199254740996\n", 0},
        {"a v=1.7976931348623157e308,v=1e-400,v=5e-324 0",
         "a.v 0 1.7976931348623157e+308\na.v 0 0\na.v 0 4.9406564584124654e-324\n", 0},
        {"a v=t,v=T,v=true,v=True,v=TRUE 0", "a.v 0 1\na.v 0 1\na.v 0 1\na.v 0 1\na.v 0 1\n", 0},
        {"a v=f,v=F,v=false,v=False,v=FALSE 0", "a.v 0 0\na.v 0 0\na.v 0 0\na.v 0 0\na.v 0 0\n", 0},
    };
    CHECK_ROWS(rows);
}

static void strings_are_skipped(void **state)
{
    (void)state;
    static const struct line_row rows[] = {
        {"a v=\"\" 0", "", 1},
        {"a s=\"x\",v=1,t=\"y\" 0", "a.v 0 1\n", 2},
        {"a s=\"b c=1,d=2 3\",v=1 0", "a.v 0 1\n", 1},
        {"a s=\"\\\"\\\\\\x\\\\\",v=1 0", "a.v 0 1\n", 1},
        {"a s=\"\xff\",v=1 0", "a.v 0 1\n", 1},
        {"a s=\"\n\r\n#\n\",v=1 0\nb v=2 0\n", "a.v 0 1\nb.v 0 2\n", 1},
        {"a s=\"\n\",t=\"\n\" 0\nb v=\n",
         "refused 3: line 4, column 4: a field has no value, must be key=value\n", 2},
        /* Breaks within strings count for where a fault is; a whole line is refused. */
        {"a s=\"\n\n\",v=x 0\nb v=1 0",
         "refused 0: line 3, column 5: a field's value is of no kind, must be a number, true, "
         "false, or "
         "in double quotes\nb.v 0 1\n",
         0},
        {"a,b s=\"\nevil v=1 0\n\" 0\nb v=\n",
         "refused 0: line 1, column 4: a tag has no value, must be key=value\n"
         "refused 3: line 4, column 4: a field has no value, must be key=value\n",
         0},
        {"a v=1,s=\"x\n\"y 0\nb v=1 0",
         "refused 0: line 2, column 2: a string goes on, must have \\\" for quotes within\nb.v 0 "
         "1\n",
         0},
        /* What is not behind = is no quote that opens a string. */
        {"a,b=\"c v=1 0\n\"d,e=\"f v=2 0", "a.v;b=\"c 0 1\n\"d.v;e=\"f 0 2\n", 0},
        {"a,b=\"c v=x\nb v=\"\"",
         "refused 0: line 1, column 10: a field's value is of no kind, must be a number, true, "
         "false, or "
         "in double quotes\n",
         1},
        {"a \\=\"=1,\"=2 0", "a.=\" 0 1\na.\" 0 2\n", 0},
        {"a s=\"\nb v=1 0\n",
         "refused 0: line 1, column 5: a string is not closed, must end with a double quote\nb.v 0 "
         "1\n",
         0},
        {"a s=\"\n\",t=\"\\\"\nb v=1 0\n",
         "refused 0: line 2, column 5: a string is not closed, must end with a double quote\nb.v 0 "
         "1\n",
         0},
        {"a s=\"\\",
         "refused 0: line 1, column 5: a string is not closed, must end with a double quote\n", 0},
    };
    CHECK_ROWS(rows);
}

/* Each as the value of a field, with a good line behind. */
static void check_values_refused(const char *const *values, size_t count, const char *wrong)
{
    for (size_t i = 0; i < count; i++) {
        char text[128], handed[256];
        int len = snprintf(text, sizeof text, "a v=%s,w=1 0\nb v=1 0", values[i]);
        (void)snprintf(handed, sizeof handed,
                       "refused 0: line 1, column 5: a field's value %s\nb.v 0 1\n", wrong);
        struct sink_log *log = read_bytes(text, (size_t)len, LINE_NANOSECONDS);
        if (strcmp(sink_log_text(log), handed) != 0)
            fail_msg("%s\ngives %snot %s", text, sink_log_text(log), handed);
        sink_log_release(log);
    }
}

#define CHECK_VALUES_REFUSED(values, wrong)                                                        \
    check_values_refused(values, sizeof(values) / sizeof *(values), wrong)

static void what_is_no_value_is_refused(void **state)
{
    (void)state;
    static const char *const no_numbers[] = {
        "-",     ".",   "-.",   "1e",   "1e+", "0x10", "1_000", "1.2.3",     "--1",  "1f",
        "1.5ii", "1iu", "-inf", "-nan", "1\"", "1=2",  "1\\,",  "1\xc2\xa0", "1\r2", "-+1"};
    static const char *const of_no_kind[] = {"+1",   "nan",   "NaN",  "inf", "Inf",    "x", "tr",
                                             "tRUE", "truee", "fals", "yes", "'x'",    "i", "u",
                                             "=",    "\xff",  "tt",   "\r1", "true\"", "1"};
    static const char *const too_large[] = {"1e400", "-1e400", "1.8e308", "1e999999999999"};
    static const char *const no_int64[] = {
        "9223372036854775808i", "-9223372036854775809i", "1.5i", "1e3i", "1e400i",
        "99999999999999999999i"};
    static const char *const no_uint64[] = {"18446744073709551616u", "-1u", "-0u", "1.0u", "1e1u",
                                            "99999999999999999999u"};
    CHECK_VALUES_REFUSED(no_numbers, "is no number, must be as 1.5, -2e3, 42i, 42u");
    check_values_refused(of_no_kind, sizeof of_no_kind / sizeof *of_no_kind - 1,
                         "is of no kind, must be a number, true, false, or in double quotes");
    CHECK_VALUES_REFUSED(too_large, "is too large, must be a finite double");
    CHECK_VALUES_REFUSED(no_int64, "is no such integer, must be -9223372036854775808i to "
                                   "9223372036854775807i");
    CHECK_VALUES_REFUSED(no_uint64, "is no such integer, must be 0u to 18446744073709551615u");
}

static void a_line_that_lacks_something_is_refused(void **state)
{
    (void)state;
    static const struct line_row rows[] = {
        {",a=b v=1",
         "refused 0: line 1, column 1: the measurement is missing, must be what a line begins "
         "with\n",
         0},
        {" \t,v=1",
         "refused 0: line 1, column 3: the measurement is missing, must be what a line begins "
         "with\n",
         0},
        {"a", "refused 0: line 1, column 2: the fields are missing, must follow a space\n", 0},
        {"a \r\n", "refused 0: line 1, column 3: the fields are missing, must follow a space\n", 0},
        {"a,b=c", "refused 0: line 1, column 6: the fields are missing, must follow a space\n", 0},
        {"a,b=c  ", "refused 0: line 1, column 8: the fields are missing, must follow a space\n",
         0},
        {"a, v=1", "refused 0: line 1, column 3: a tag has no key, must be key=value\n", 0},
        {"a,=b v=1", "refused 0: line 1, column 3: a tag has no key, must be key=value\n", 0},
        {"a,b=c,,d=e v=1", "refused 0: line 1, column 7: a tag has no key, must be key=value\n", 0},
        {"a,", "refused 0: line 1, column 3: a tag has no key, must be key=value\n", 0},
        {"a,b v=1", "refused 0: line 1, column 4: a tag has no value, must be key=value\n", 0},
        {"a,b", "refused 0: line 1, column 4: a tag has no value, must be key=value\n", 0},
        {"a,b= v=1", "refused 0: line 1, column 5: a tag has no value, must be key=value\n", 0},
        {"a,b=,c=d v=1", "refused 0: line 1, column 5: a tag has no value, must be key=value\n", 0},
        {"a,b==c v=1", "refused 0: line 1, column 5: a tag has no value, must be key=value\n", 0},
        {"a,b=c=d v=1",
         "refused 0: line 1, column 6: a tag's value has a = in it, must be written \\=\n", 0},
        {"a 1700000000", "refused 0: line 1, column 13: a field has no value, must be key=value\n",
         0},
        {"a v 0", "refused 0: line 1, column 4: a field has no value, must be key=value\n", 0},
        {"a v,w=1 0", "refused 0: line 1, column 4: a field has no value, must be key=value\n", 0},
        {"a v= 0", "refused 0: line 1, column 4: a field has no value, must be key=value\n", 0},
        {"a v=,w=1", "refused 0: line 1, column 4: a field has no value, must be key=value\n", 0},
        {"a v=", "refused 0: line 1, column 4: a field has no value, must be key=value\n", 0},
        {"a =1", "refused 0: line 1, column 3: a field has no key, must be key=value\n", 0},
        {"a v=1,=2", "refused 0: line 1, column 7: a field has no key, must be key=value\n", 0},
        {"a v=1,", "refused 0: line 1, column 7: a field has no key, must be key=value\n", 0},
        {"a v=1, 0", "refused 0: line 1, column 7: a field has no key, must be key=value\n", 0},
        {"a v=1 0 0",
         "refused 0: line 1, column 9: a line goes on, must end behind its timestamp\n", 0},
        {"a,b=1,b=2 v=1", "refused 0: line 1, column 1: the series' name must have each tag once\n",
         0},
        {"a,b=1,c=1,b\\=1 v=1",
         "refused 0: line 1, column 15: a tag has no value, must be key=value\n", 0},
        {"a,\\==1,\\==2 v=1",
         "refused 0: line 1, column 1: the series' name must have each tag once\n", 0},
        {"a v=1 0\nb v=x\r\n\nc\nd v=1 0",
         "a.v 0 1\nrefused 1: line 2, column 5: a field's value is of no kind, must be a number, "
         "true, "
         "false, or in double quotes\n"
         "refused 3: line 4, column 2: the fields are missing, must follow a space\nd.v 0 1\n",
         0},
    };
    CHECK_ROWS(rows);
}

static void a_name_is_text_without_control_characters(void **state)
{
    (void)state;
#define NO_CONTROLS "the series' name must not contain control characters\n"
#define NO_UTF8     "the series' name must be valid UTF-8\n"
    static const struct line_row rows[] = {
        {"a\tb v=1", "refused 0: line 1, column 1: " NO_CONTROLS, 0},
        {" a\x7f v=1", "refused 0: line 1, column 2: " NO_CONTROLS, 0},
        {"a\r v=1", "refused 0: line 1, column 1: " NO_CONTROLS, 0},
        {"a,b\x01=c v=1", "refused 0: line 1, column 1: " NO_CONTROLS, 0},
        {"a,b=\xc2\x85 v=1", "refused 0: line 1, column 1: " NO_CONTROLS, 0},
        {"a w=1,v\t=1", "refused 0: line 1, column 7: " NO_CONTROLS, 0},
        {"a v\xc2\x80=1", "refused 0: line 1, column 3: " NO_CONTROLS, 0},
        {"\xff v=1", "refused 0: line 1, column 1: " NO_UTF8, 0},
        {"a,b=\xc3 v=1", "refused 0: line 1, column 1: " NO_UTF8, 0},
        {"a \xc3=1", "refused 0: line 1, column 3: " NO_UTF8, 0},
        /* A field that is refused is not remembered. */
        {"a v\t=1 0\na v\t=1 0\na v=1 0",
         "refused 0: line 1, column 3: " NO_CONTROLS "refused 1: line 2, column 3: " NO_CONTROLS
         "a.v 0 1\n",
         0},
    };
    CHECK_ROWS(rows);
    struct sink_log *log = read_bytes("a\0 v=1", 6, LINE_NANOSECONDS);
    assert_string_equal(sink_log_text(log), "refused 0: line 1, column 1: " NO_CONTROLS);
    sink_log_release(log);
}

static void timestamps_are_rounded_down_and_lie_within_years_1_to_9999(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum line_unit unit;
        int64_t us;
    } rows[] = {
        {"1", LINE_SECONDS, 1000000},
        {"1", LINE_MILLISECONDS, 1000},
        {"1", LINE_MICROSECONDS, 1},
        {"1", LINE_NANOSECONDS, 0},
        {"999", LINE_NANOSECONDS, 0},
        {"-1", LINE_NANOSECONDS, -1},
        {"-1000", LINE_NANOSECONDS, -1},
        {"-1001", LINE_NANOSECONDS, -2},
        {"-0", LINE_NANOSECONDS, 0},
        {"0000000000000000000000001700000000000000999", LINE_NANOSECONDS, 1700000000000000},
        {"9223372036854775807", LINE_NANOSECONDS, 9223372036854775},
        {"-9223372036854775808", LINE_NANOSECONDS, -9223372036854776},
        {"-62135596800", LINE_SECONDS, ISO8601_MIN_US},
        {"253402300799", LINE_SECONDS, ISO8601_MAX_US - 999999},
        {"-62135596800000", LINE_MILLISECONDS, ISO8601_MIN_US},
        {"253402300799999", LINE_MILLISECONDS, ISO8601_MAX_US - 999},
        {"-62135596800000000", LINE_MICROSECONDS, ISO8601_MIN_US},
        {"253402300799999999", LINE_MICROSECONDS, ISO8601_MAX_US},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[128], handed[128];
        int len = snprintf(text, sizeof text, "a v=1 %s", rows[i].text);
        (void)snprintf(handed, sizeof handed, "a.v %" PRId64 " 1\n", rows[i].us);
        struct sink_log *log = read_bytes(text, (size_t)len, rows[i].unit);
        assert_string_equal(sink_log_text(log), handed);
        sink_log_release(log);
    }
}

static void what_is_no_timestamp_is_refused(void **state)
{
    (void)state;
    static const char NO_INTEGER[] =
        "refused 0: line 1, column 7: the timestamp is no integer, must be one of 64 bits\n";
    static const char OUT_OF_RANGE[] =
        "refused 0: line 1, column 7: the timestamp must lie within the years 1 to 9999 (UTC)\n";
    static const struct {
        const char *text;
        enum line_unit unit;
        const char *handed;
    } rows[] = {
        {"x", LINE_SECONDS, NO_INTEGER},
        {"-", LINE_SECONDS, NO_INTEGER},
        {"+1", LINE_SECONDS, NO_INTEGER},
        {"1.5", LINE_SECONDS, NO_INTEGER},
        {"1e3", LINE_SECONDS, NO_INTEGER},
        {"1i", LINE_SECONDS, NO_INTEGER},
        {"--1", LINE_SECONDS, NO_INTEGER},
        {"1,b=1", LINE_SECONDS, NO_INTEGER},
        {"9223372036854775808", LINE_NANOSECONDS, NO_INTEGER},
        {"-9223372036854775809", LINE_NANOSECONDS, NO_INTEGER},
        {"18446744073709551617", LINE_NANOSECONDS, NO_INTEGER},
        {"99999999999999999999", LINE_NANOSECONDS, NO_INTEGER},
        {"-62135596801", LINE_SECONDS, OUT_OF_RANGE},
        {"253402300800", LINE_SECONDS, OUT_OF_RANGE},
        {"9223372036854775807", LINE_SECONDS, OUT_OF_RANGE},
        {"-62135596800001", LINE_MILLISECONDS, OUT_OF_RANGE},
        {"253402300800000", LINE_MILLISECONDS, OUT_OF_RANGE},
        {"-62135596800000001", LINE_MICROSECONDS, OUT_OF_RANGE},
        {"253402300800000000", LINE_MICROSECONDS, OUT_OF_RANGE},
        {"9223372036854775807", LINE_MICROSECONDS, OUT_OF_RANGE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[128];
        int len = snprintf(text, sizeof text, "a v=1 %s", rows[i].text);
        struct sink_log *log = read_bytes(text, (size_t)len, rows[i].unit);
        assert_string_equal(sink_log_text(log), rows[i].handed);
        sink_log_release(log);
    }
}

/* --- Limits ------------------------------------------------------------------------------ */

static char *long_text;
static size_t long_len;

enum { LONG_BYTES = 16 << 20 };

static int begin_long(void **state)
{
    (void)state;
    long_len = 0;
    long_text = malloc(LONG_BYTES);
    return long_text ? 0 : -1;
}

static int end_long(void **state)
{
    (void)state;
    free(long_text);
    return 0;
}

__attribute__((format(printf, 2, 3))) static void put(size_t times, const char *format, ...)
{
    char piece[1024];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    assert_in_range(len, 0, sizeof piece - 1);
    assert_true(long_len + times * (size_t)len <= LONG_BYTES);
    for (; times > 0; times--) {
        memcpy(long_text + long_len, piece, (size_t)len);
        long_len += (size_t)len;
    }
}

/* Read what was put, which is gone then: the first and the last line of the log, and how many. */
static void check_long(const char *first, const char *last, size_t count)
{
    struct sink_log *log = read_bytes(long_text, long_len, LINE_NANOSECONDS);
    const char *line = sink_log_text(log);
    size_t found = 0;
    for (const char *p = sink_log_text(log); (p = strchr(p, '\n')); p++) {
        found++;
        line = p[1] ? p + 1 : line;
    }
    if (first && strncmp(sink_log_text(log), first, strlen(first)) != 0)
        fail_msg("%.200s\nis not %s", sink_log_text(log), first);
    assert_string_equal(line, last);
    assert_int_equal(found, count);
    sink_log_release(log);
    long_len = 0;
}

static void a_line_has_1024_fields_at_most(void **state)
{
    (void)state;
    put(1, "a ");
    put(LINE_FIELDS_MAX / 2 - 1, "s=\"\",v=1,");
    put(1, "s=\"\",v=2 0");
    check_long("a.v 0 1\n", "a.v 0 2\n", LINE_FIELDS_MAX / 2);
    put(1, "a ");
    put(LINE_FIELDS_MAX, "v=1,");
    put(1, "v=2 0\nb v=1 0");
    check_long(
        "refused 0: line 1, column 4099: a line has too many fields, must have at most 1024\n",
        "b.v 0 1\n", 2);
    put(1, "b v=1 0\na ");
    put(LINE_FIELDS_MAX, "s=\"\",");
    put(1, "s=\"\"");
    check_long(
        "b.v 0 1\n",
        "refused 1: line 2, column 5123: a line has too many fields, must have at most 1024\n", 2);
}

static void put_tags(size_t count)
{
    long_text[long_len++] = 'a';
    for (char c = '!'; count > 0; c++) {
        if (strchr(",=;\\", c))
            continue;
        put(1, ",%c=1", c);
        count--;
    }
}

#define TOO_LONG "the series' name must have at most 255 bytes, with its labels\n"

/* Each takes four bytes of the name at least, so that there is not room for 64. */
static void a_line_has_so_many_tags_as_its_name_has_room_for(void **state)
{
    (void)state;
    put_tags(63);
    put(1, " v=1 0\nz v=1 0");
    check_long("a.v;!=1;\"=1;#=1;", "z.v 0 1\n", 2);
    put_tags(SERIES_LABELS_MAX);
    put(1, " v=1 0\nz v=1 0");
    check_long("refused 0: line 1, column 1: " TOO_LONG, "z.v 0 1\n", 2);
    put_tags(SERIES_LABELS_MAX + 1);
    put(1, " v=1 0\nz v=1 0");
    check_long("refused 0: line 1, column 259: a line has too many tags, must have at most 64\n",
               "z.v 0 1\n", 2);
}

/* The name is as long as may be; then it has one more piece. */
static void a_series_name_has_255_bytes_at_most(void **state)
{
    (void)state;
    static const struct {
        const char *before, *piece, *behind;
        size_t pieces, column; /* that the refusal tells */
    } rows[] = {
        {"", "a", " v=1", 253, 256},
        {"", "a", " vvvv=1", 250, 253},
        {"a ", "b", "=1", 253, 3},
        {"a,b=", "c", " v=1", 249, 256},
        {"a,", "b", "=c v=1", 249, 256},
        {"", "\\,", " v=1", 253, 510},
        {"a,b=", "\\ ", " v=1", 249, 506},
        {"a,", "\\=", "=c v=1", 83, 1},
        {"a ", "\\=", "=1", 253, 3},
        {"aa ", ";", "=1", 84, 4},
        {"a,b=ccc", ";", " v=1", 82, 1},
        {"aaa,b=c", "\xc3\xa9", " v=1", 123, 1},
        {"aa ", "\xf0\x9f\x98\x80", "=1", 63, 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t more = 0; more < 2; more++) {
            char refusal[128];
            (void)snprintf(refusal, sizeof refusal, "refused 0: line 1, column %zu: " TOO_LONG,
                           rows[i].column);
            put(1, "%s", rows[i].before);
            put(rows[i].pieces + more, "%s", rows[i].piece);
            put(1, "%s 0\nz v=1 0", rows[i].behind);
            check_long(more ? refusal : NULL, "z.v 0 1\n", 2);
        }
    }
}

/* Each would take minutes if a byte were looked at for each other one. */
static void time_is_linear_in_the_length_of_any_text(void **state)
{
    (void)state;
    static const struct {
        const char *before, *piece, *behind;
        size_t pieces;
    } rows[] = {
        {"", "\\", "", 8 << 20},           {"", "a", " v=1", 8 << 20},
        {"a v=", "1", "", 8 << 20},        {"a v=1 ", "1", "", 8 << 20},
        {"a ", "v=1,", "", 1 << 20},       {"a", ",b=c", " v=1", 1 << 20},
        {"a v=\"", "\\\"", "", 1 << 20},   {"a v=\"", "\n", "\",x", 1 << 20},
        {"a v=\"", "\n", "", 1 << 20},     {"", " ", "", 8 << 20},
        {"#", "\"", "", 8 << 20},          {"a ", "=\"\n\"", "", 1 << 20},
        {"a ", "s=\"\n\",", "x", 1 << 20}, {"a,b v=\"", "\n", "\"", 1 << 20},
        {"a,b ", "=\"\n\"", "", 1 << 20},  {"", "\n", "a", 8 << 20},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put(1, "%s", rows[i].before);
        put(rows[i].pieces, "%s", rows[i].piece);
        put(1, "%s\nz v=1 0", rows[i].behind);
        struct sink_log *log = read_bytes(long_text, long_len, LINE_NANOSECONDS);
        assert_true(log->text.len > 0 || rows[i].before[0] == '#' || rows[i].piece[0] == ' ');
        sink_log_release(log);
        long_len = 0;
    }
    put(1 << 20, "a s=\"\\\n");
    struct sink_log *log = read_bytes(long_text, long_len, LINE_NANOSECONDS);
    assert_true(log->text.len > 0);
    sink_log_release(log);
}

/* --- Beside the slow reader ------------------------------------------------------------------ */

static void compare_with_slow(struct slice text, enum line_unit unit)
{
    struct sink_log fast, slow;
    sink_log_init(&fast);
    sink_log_init(&slow);
    fast.has_places_alone = slow.has_places_alone = true;
    line_protocol_read(text, unit, now, &fast.sink);
    slow_line_protocol_read(text, unit, now, &slow.sink);
    if (!sink_log_equals(&fast, &slow))
        fail_msg("%.*s\ngives %snot %s(skipped: %" PRIu64 " and %" PRIu64 ")", (int)text.len,
                 text.ptr, fast.text, slow.text, fast.sink.skipped, slow.sink.skipped);
    sink_log_release(&fast);
    sink_log_release(&slow);
}

static void a_text_may_be_cut_anywhere(void **state)
{
    (void)state;
    static const char text[] =
        "# A comment\r\n"
        "a\\ b,c\\,=d\\=,e=f v=1.5e3,w=42i,x=\"a\\\"\nb\\\\\",y=true -1001\r\n"
        "\n"
        "  a\\ b,c\\,=d\\=,e=f v=-9223372036854775808i,u=18446744073709551615u"
        "  1700000000000000000\n"
        "m s=\"\",f=FALSE \r\n"
        "m v;\xc3\xbc=.5\n";
    for (size_t len = 0; len <= sizeof text - 1; len++) {
        struct slice cut = heap_slice_new(text, len);
        compare_with_slow(cut, LINE_NANOSECONDS);
        heap_slice_free(cut);
    }
}

static void no_text_holds_nothing(void **state)
{
    (void)state;
    compare_with_slow(slice_of(NULL, 0), LINE_SECONDS);
}

enum { BODY_MAX = 1024 };

struct body {
    char bytes[BODY_MAX];
    size_t len;
};

static void insert(struct body *body, size_t at, const char *text)
{
    size_t len = strlen(text);
    if (body->len + len > BODY_MAX)
        return;
    memmove(body->bytes + at + len, body->bytes + at, body->len - at);
    memcpy(body->bytes + at, text, len);
    body->len += len;
}

static void append(struct body *body, const char *text)
{
    insert(body, body->len, text);
}

#define ANY_OF(random, texts) (texts)[test_random_below((random), sizeof(texts) / sizeof *(texts))]

static void append_line(struct body *body, struct test_random *random)
{
    static const char *const others[] = {"\n", "# x=\"\n", " \t\r\n", "\r\n"};
    static const char *const measurements[] = {"cpu",  "cpu",      "m\\ e\\,m",
                                               "\\a;", "\xc3\xbc", "a\"="};
    static const char *const tags[] = {",host=a", ",host=b", ",a\\=\\ =\\,b", ",z=\"", ",\\\\k=;"};
    static const char *const fields[] = {"value", "value", "v\\ \\=\\,", "\"",
                                         "\\",    "v;=",   "\xc3\xa9"};
    static const char *const values[] = {"1",
                                         "12.5",
                                         "-1e3",
                                         "42i",
                                         "-42i",
                                         "42u",
                                         "t",
                                         "False",
                                         "\"\"",
                                         "\"a b,c=\"",
                                         "0.1",
                                         "1e-400",
                                         ".5",
                                         "-0",
                                         "-0i",
                                         "1e22",
                                         "\"\\\"\"",
                                         "\"\n=\\\\\"",
                                         "9223372036854775807i",
                                         "18446744073709551615u",
                                         "123456789.123456789"};
    static const char *const times[] = {"",
                                        " ",
                                        " 1700000000000000000",
                                        " 1700000000",
                                        " -1",
                                        " -62135596800",
                                        " 253402300799999\t"};
    static const char *const ends[] = {"\n", "\n", "\r\n"};
    if (test_random_below(random, 8) == 0) {
        append(body, ANY_OF(random, others));
        return;
    }
    append(body, ANY_OF(random, measurements));
    for (size_t n = test_random_below(random, 4); n > 0; n--)
        append(body, ANY_OF(random, tags));
    append(body, test_random_below(random, 8) ? " " : " \t ");
    for (size_t n = test_random_below(random, 3);; n--) {
        append(body, ANY_OF(random, fields));
        append(body, "=");
        append(body, ANY_OF(random, values));
        if (n == 0)
            break;
        append(body, ",");
    }
    append(body, ANY_OF(random, times));
    append(body, ANY_OF(random, ends));
}

static void mutate(struct body *body, struct test_random *random)
{
    static const char *const tokens[] = {
        "\\", "\"", ",", "=", " ",    "\n",   "\r", "\t", "#",    "=\"",  ";",    "i",          "u",
        "e",  "-",  ".", "1", "\x7f", "\xff", "t",  "0x", "\\\\", "\\\"", "\r\n", "99999999999"};
    size_t at = test_random_below(random, body->len + 1);
    switch (test_random_below(random, 4)) {
    case 0:
        if (at < body->len)
            body->bytes[at] = (char)test_random_u64(random);
        break;
    case 1:
        if (at < body->len)
            memmove(body->bytes + at, body->bytes + at + 1, --body->len - at);
        break;
    default:
        insert(body, at, ANY_OF(random, tokens));
    }
}

static void random_texts_are_read_as_a_slow_reader_does(void **state)
{
    (void)state;
    enum { TEXTS = 100000 };
    static const enum line_unit units[] = {LINE_SECONDS, LINE_MILLISECONDS, LINE_MICROSECONDS,
                                           LINE_NANOSECONDS};
    struct test_random random = test_random_start();
    for (int i = 0; i < TEXTS; i++) {
        struct body body = {.len = 0};
        for (size_t n = 1 + test_random_below(&random, 5); n > 0; n--)
            append_line(&body, &random);
        for (size_t n = i % 2 ? 1 + test_random_below(&random, 4) : 0; n > 0; n--)
            mutate(&body, &random);
        struct slice text = heap_slice_new(body.bytes, body.len);
        compare_with_slow(text, ANY_OF(&random, units));
        heap_slice_free(text);
    }
}

/* --- Sinks that have enough ----------------------------------------------------------------- */

static void check_stops(size_t calls, const char *handed, uint64_t skipped)
{
    struct sink_log log;
    sink_log_init(&log);
    log.calls_max = calls;
    line_protocol_read(SLICE("a v=1,s=\"\",w=2 0\nb\nc v=1,s=\"\" 0\n"), LINE_SECONDS, now,
                       &log.sink);
    assert_string_equal(sink_log_text(&log), handed);
    assert_int_equal(log.sink.skipped, skipped);
    sink_log_release(&log);
}

static void reading_ends_when_the_sink_says_so(void **state)
{
    (void)state;
#define REFUSAL "refused 1: line 2, column 2: the fields are missing, must follow a space\n"
    check_stops(1, "a.v 0 1\n", 1);
    check_stops(2, "a.v 0 1\na.w 0 2\n", 1);
    check_stops(3, "a.v 0 1\na.w 0 2\n" REFUSAL, 1);
    check_stops(4, "a.v 0 1\na.w 0 2\n" REFUSAL "c.v 0 1\n", 2);
}

int main(void)
{
#define LONG_TEST(name) cmocka_unit_test_setup_teardown(name, begin_long, end_long)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_field_is_a_sample_of_its_series),
        cmocka_unit_test(a_backslash_keeps_the_end_of_a_name),
        cmocka_unit_test(blanks_comments_and_ends_of_lines_are_no_samples),
        cmocka_unit_test(values_are_numbers_or_booleans),
        cmocka_unit_test(strings_are_skipped),
        cmocka_unit_test(what_is_no_value_is_refused),
        cmocka_unit_test(a_line_that_lacks_something_is_refused),
        cmocka_unit_test(a_name_is_text_without_control_characters),
        cmocka_unit_test(timestamps_are_rounded_down_and_lie_within_years_1_to_9999),
        cmocka_unit_test(what_is_no_timestamp_is_refused),
        LONG_TEST(a_line_has_1024_fields_at_most),
        LONG_TEST(a_line_has_so_many_tags_as_its_name_has_room_for),
        LONG_TEST(a_series_name_has_255_bytes_at_most),
        LONG_TEST(time_is_linear_in_the_length_of_any_text),
        cmocka_unit_test(a_text_may_be_cut_anywhere),
        cmocka_unit_test(random_texts_are_read_as_a_slow_reader_does),
        cmocka_unit_test(no_text_holds_nothing),
        cmocka_unit_test(reading_ends_when_the_sink_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
