#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "heap_slice.h"
#include "remote_write.h"
#include "series_name.h"
#include "slow_remote_write.h"
#include "write_request.h"

static struct strbuf request;
static struct sink_log found, expected;

static int fresh(void **state)
{
    (void)state;
    strbuf_init(&request, 1 << 20);
    sink_log_init(&found);
    sink_log_init(&expected);
    return 0;
}

static int done(void **state)
{
    (void)state;
    strbuf_release(&request);
    sink_log_release(&found);
    sink_log_release(&expected);
    return 0;
}

/* From memory that ends where the message does. */
static enum err_code read_bytes(struct slice message)
{
    struct slice exact = heap_slice_new(message.ptr, message.len);
    struct error err;
    error_init(&err);
    enum err_code code = remote_write_read(exact, &found.sink, &err);
    heap_slice_free(exact);
    assert_int_equal(code, err.code);
    return code;
}

static const char *reading_of(struct slice message)
{
    sink_log_reset(&found);
    return sink_log_end(&found, read_bytes(message));
}

struct row {
    const char *fact, *words, *log;
};

#define TWICE      "labels: a label is there twice\n"
#define LETTERS_50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define LETTERS_241                                                                                \
    LETTERS_50 LETTERS_50 LETTERS_50 LETTERS_50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* Words are those of write_request_of. */
static const struct row rows[] = {
    {"a series has its samples", "__name__=cpu job=a 1.5@1000 -2@2000",
     "cpu;job=a 1000000 1.5\ncpu;job=a 2000000 -2\nskipped 0\nOK"},
    {"series come one after the other", "__name__=a 1@1 | __name__=b 2@2",
     "a 1000 1\nb 2000 2\nskipped 0\nOK"},
    {"labels need not be sorted, nor stand in front", "z=1 1@1 b=2 __name__=a 2@2 a=3",
     "a;a=3;b=2;z=1 1000 1\na;a=3;b=2;z=1 2000 2\nskipped 0\nOK"},
    {"an empty label is none", "__name__=a b= c=1 1@1", "a;c=1 1000 1\nskipped 0\nOK"},
    {"a series without samples is none", "__name__=a | b=c __name__=d", "skipped 0\nOK"},
    {"times before 1970 are times", "__name__=a 1@-1500", "a -1500000 1\nskipped 0\nOK"},
    {"a stale marker is not even skipped", "__name__=a stale@1 1@2", "a 2000 1\nskipped 0\nOK"},
    {"what is not finite is skipped", "__name__=a nan@1 inf@2 -inf@3 -nan@4 1@5",
     "a 5000 1\nskipped 4\nOK"},
    {"exemplars and histograms are skipped", "histogram __name__=a exemplar 1@1 exemplar",
     "a 1000 1\nskipped 3\nOK"},
    {"of a refused series nothing is skipped", "histogram job=a nan@1",
     "refused 0: labels: there is no __name__\nskipped 0\nOK"},
    {"without a name it is refused", "__name__=a 1@1 | job=b 2@2 | __name__=c 3@3",
     "a 1000 1\nrefused 1: labels: there is no __name__\nc 3000 3\nskipped 0\nOK"},
    {"an empty name is none", "__name__= 1@1",
     "refused 0: labels: there is no __name__\nskipped 0\nOK"},
    {"a label twice is refused", "__name__=a b=1 c=2 b=1 1@1", "refused 0: " TWICE "skipped 0\nOK"},
    {"an empty label twice is refused", "__name__=a b= b= 1@1",
     "refused 0: " TWICE "skipped 0\nOK"},
    {"the name twice is refused", "__name__=a 1@1 __name__=a", "refused 0: " TWICE "skipped 0\nOK"},
    {"the empty name twice is refused", "__name__= __name__=a",
     "refused 0: " TWICE "skipped 0\nOK"},
    {"a label without a name is refused", "__name__=a =b 1@1",
     "refused 0: labels: a label has an empty name\nskipped 0\nOK"},
    {"a control character is refused", "__name__=a b=\t 1@1",
     "refused 0: name: must not contain control characters\nskipped 0\nOK"},
    {"what is no UTF-8 is refused", "__name__=a b=\xff 1@1",
     "refused 0: name: must be valid UTF-8\nskipped 0\nOK"},
    {"a name has 255 bytes", "__name__=" LETTERS_241 " job=123456789 1@1",
     LETTERS_241 ";job=123456789 1000 1\nskipped 0\nOK"},
    {"and no 256", "__name__=" LETTERS_241 " job=1234567890 1@1",
     "refused 0: name: must have at most 255 bytes, with its labels\nskipped 0\nOK"},
    {"years 1 to 9999 are times", "__name__=a 1@-62135596800000 2@253402300799999",
     "a -62135596800000000 1\na 253402300799999000 2\nskipped 0\nOK"},
    {"others are refused, each alone",
     "| __name__=a 1@-62135596800001 2@1 3@253402300800000 4@9223372036854775807",
     "refused 0: labels: there is no __name__\n"
     "refused 1: timestamp: must lie within years 1 to 9999\na 1000 2\n"
     "refused 1: timestamp: must lie within years 1 to 9999\n"
     "refused 1: timestamp: must lie within years 1 to 9999\nskipped 0\nOK"},
};

enum { ROW_COUNT = sizeof rows / sizeof *rows };

static void is_read_as_its_row_says(void **state)
{
    const struct row *row = *state;
    (void)fresh(NULL);
    write_request_of(&request, row->words);
    assert_string_equal(reading_of(strbuf_slice(&request)), row->log);
    (void)done(NULL);
}

/* As protoc writes it, of the descriptions in Prometheus's prompb/remote.proto and types.proto. */
static void bytes_of_another_encoder_are_read(void **state)
{
    (void)state;
    static const char bytes[] =
        "\x0a\x81\x01\x0a\x0e\x0a\x08__name__\x12\x02up\x0a\x12\x0a\x08instance\x12\x06"
        "a:9100\x12\x10\x09\x00\x00\x00\x00\x00\x00\xf0\x3f\x10\xfb\xd0\x95\xff\xbc"
        "1\x12\x14\x09\x00\x00\x00\x00\x00\x00\xe0\xbf\x10\xff\xff\xff\xff\xff\xff"
        "\xff\xff\xff\x01\x12\x0b\x09\x00\x00\x00\x00\x00\x00\xf8\x7f\x10\x05\x1a\x14"
        "\x0a\x07\x0a\x02id\x12\x01x\x11\x00\x00\x00\x00\x00\x00\x00@\x18\x03\x22\x10"
        "\x08\x03\x19\x00\x00\x00\x00\x00\x00\x12@ \x01x\xe8\x07\x0a\x14\x0a\x10\x0a"
        "\x08__name__\x12\x04zero\x12\x00\x1a\x09\x08\x02\x12\x02up\x22\x01h";
    assert_string_equal(reading_of(slice_of(bytes, sizeof bytes - 1)),
                        "up;instance=a:9100 1700000000123000 1\nup;instance=a:9100 -1000 -0.5\n"
                        "zero 0 0\nskipped 3\nOK");
}

struct bytes_row {
    struct slice bytes;
    const char *log;
};

#define BYTES(text)                                                                                \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
#define BROKEN "skipped 0\nBAD_REQUEST"

static void bytes_are_read_as_their_rows_say(void **state)
{
    (void)state;
    static const struct bytes_row wire[] = {
        {BYTES(""), "skipped 0\nOK"},
        /* Unknown fields of each type, metadata, the greatest number. */
        {BYTES("\x28\x01"), "skipped 0\nOK"},
        {BYTES("\x29"
               "12345678"),
         "skipped 0\nOK"},
        {BYTES("\x2d"
               "1234"),
         "skipped 0\nOK"},
        {BYTES("\x1a\x02"
               "md"),
         "skipped 0\nOK"},
        {BYTES("\xf8\xff\xff\xff\x0f\x01"), "skipped 0\nOK"},
        /* Cut off. */
        {BYTES("\x0a"), BROKEN},
        {BYTES("\x0a\x01"), BROKEN},
        {BYTES("\x80"), BROKEN},
        {BYTES("\x28"), BROKEN},
        {BYTES("\x28\x80"), BROKEN},
        {BYTES("\x29"
               "1234567"),
         BROKEN},
        {BYTES("\x2d"
               "123"),
         BROKEN},
        {BYTES("\x2a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), BROKEN},
        /* Varints: 64 bits, in ten bytes at most. */
        {BYTES("\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "skipped 0\nOK"},
        {BYTES("\x28\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), "skipped 0\nOK"},
        {BYTES("\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), BROKEN},
        {BYTES("\x28\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), BROKEN},
        /* Field 0, field 2^29, groups, types that do not exist. */
        {BYTES("\x00\x01"), BROKEN},
        {BYTES("\x80\x80\x80\x80\x10\x01"), BROKEN},
        {BYTES("\x2b\x2c"), BROKEN},
        {BYTES("\x2c"), BROKEN},
        {BYTES("\x2e\x01"), BROKEN},
        {BYTES("\x2f\x01"), BROKEN},
        /* A field that is known, of another type: series, label, exemplar, name, value, time. */
        {BYTES("\x08\x01"), BROKEN},
        {BYTES("\x0a\x02\x08\x01"), BROKEN},
        {BYTES("\x0a\x02\x18\x01"), BROKEN},
        {BYTES("\x0a\x04\x0a\x02\x08\x01"), BROKEN},
        {BYTES("\x0a\x0c\x0a\x06\x0a\x01"
               "a\x12\x01"
               "b\x12\x02\x08\x01"),
         "refused 0: labels: there is no __name__\nskipped 0\nOK"},
        {BYTES("\x0a\x13\x0a\x0d\x0a\x08__name__\x12\x01"
               "a\x12\x02\x08\x01"),
         BROKEN},
        {BYTES("\x0a\x16\x0a\x0d\x0a\x08__name__\x12\x01"
               "a\x12\x05\x15"
               "1234"),
         BROKEN},
        /* No value, no time, neither; of those that are there twice the last one counts. */
        {BYTES("\x0a\x13\x0a\x0d\x0a\x08__name__\x12\x01"
               "a\x12\x02\x10\x01"),
         "a 1000 0\nskipped 0\nOK"},
        {BYTES("\x0a\x11\x0a\x0d\x0a\x08__name__\x12\x01"
               "a\x12\x00"),
         "a 0 0\nskipped 0\nOK"},
        {BYTES("\x0a\x15\x0a\x0d\x0a\x08__name__\x12\x01"
               "a\x12\x04\x10\x01\x10\x02"),
         "a 2000 0\nskipped 0\nOK"},
        {BYTES("\x0a\x14\x0a\x10\x0a\x08__name__\x12\x01"
               "a\x12\x01"
               "b\x12\x00"),
         "b 0 0\nskipped 0\nOK"},
    };
    for (size_t i = 0; i < sizeof wire / sizeof *wire; i++) {
        if (strcmp(reading_of(wire[i].bytes), wire[i].log) != 0)
            fail_msg("row %zu: %s", i, found.text.bytes);
    }
}

static void there_may_be_so_many_labels(void **state)
{
    (void)state;
    for (size_t labels = SERIES_LABELS_MAX; labels <= SERIES_LABELS_MAX + 1; labels++) {
        struct strbuf words;
        strbuf_init(&words, 1 << 12);
        for (size_t i = 0; i < labels; i++)
            strbuf_printf(&words, "%c%c= ", (char)('a' + i / 26), (char)('a' + i % 26));
        strbuf_append_slice(&words, SLICE("__name__=m 1@1\0"));
        strbuf_reset(&request);
        write_request_of(&request, words.bytes);
        assert_string_equal(reading_of(strbuf_slice(&request)),
                            labels == SERIES_LABELS_MAX
                                ? "m 1000 1\nskipped 0\nOK"
                                : "refused 0: labels: a series may have 64 at most\nskipped 0\nOK");
        strbuf_release(&words);
    }
}

static void a_message_that_is_cut_off_gives_no_more_than_it_did(void **state)
{
    (void)state;
    write_request_of(&request,
                     "__name__=a job=b 1@1 2@2 exemplar | c=d | __name__=e f=g 3@3 nan@4");
    protobuf_put_fixed32(&request, 3000, 7);
    (void)reading_of(strbuf_slice(&request));
    struct slice whole = slice_of(request.bytes, request.len);
    uint64_t all = found.samples;
    int complete = 0;
    for (size_t len = 0; len < whole.len; len++) {
        sink_log_reset(&found);
        complete += read_bytes(slice_of(whole.ptr, len)) == ERR_OK;
        assert_true(found.samples <= all);
    }
    assert_int_equal(all, 3);
    assert_int_equal(complete, 4); /* between the fields */
}

static void it_stops_when_the_sink_has_enough(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "a 1000 1\n", "a 2000 2\n", "refused 1: labels: there is no __name__\n",
        "refused 2: timestamp: must lie within years 1 to 9999\n", "c 3000 3\n"};
    char log[256] = "";
    write_request_of(&request, "__name__=a 1@1 2@2 | b=c | __name__=c 1@-99999999999999 3@3");
    strbuf_append_char(&request, '\0'); /* broken, if it is read */
    for (size_t wanted = 1; wanted <= 5; wanted++) {
        (void)strncat(log, lines[wanted - 1], sizeof log - strlen(log) - 1);
        sink_log_reset(&found);
        found.calls_max = wanted;
        assert_int_equal(read_bytes(strbuf_slice(&request)), ERR_OK);
        assert_true(slice_equals(strbuf_slice(&found.text), slice_from_string(log)));
    }
}

/* Bytes are changed, cut out, doubled, or cut off. */
static void mutate(struct strbuf *message, struct test_random *chance)
{
    size_t len = message->len;
    if (len < 2)
        return;
    size_t at = test_random_below(chance, len), run = 1 + test_random_below(chance, len - at);
    switch (test_random_below(chance, 5)) {
    case 0:
        strbuf_truncate(message, at);
        break;
    case 1:
        memmove(message->bytes + at, message->bytes + at + run, len - at - run);
        strbuf_truncate(message, len - run);
        break;
    case 2:
        if (strbuf_reserve(message, run))
            memmove(message->bytes + at + run, message->bytes + at, len - at);
        strbuf_commit(message, run);
        break;
    case 3:
        message->bytes[at] = (char)test_random_u64(chance);
        break;
    default:
        message->bytes[at] = (char)(message->bytes[at] ^ 1 << test_random_below(chance, 8));
        break;
    }
}

static void a_slow_decoder_finds_the_same(void **state)
{
    (void)state;
    enum { MESSAGES = 120000 };
    struct test_random chance = test_random_start();
    uint64_t samples = 0, good = 0;
    for (int i = 0; i < MESSAGES; i++) {
        strbuf_reset(&request);
        write_request_random(&request, &chance);
        for (size_t times = i % 2 ? 1 + test_random_below(&chance, 3) : 0; times > 0; times--)
            mutate(&request, &chance);
        const char *log = reading_of(strbuf_slice(&request));
        sink_log_reset(&expected);
        enum err_code code = slow_remote_write(strbuf_slice(&request), &expected);
        if (strcmp(log, sink_log_end(&expected, code)) != 0)
            fail_msg("message %d: found\n%s\nexpected\n%s", i, log, expected.text.bytes);
        samples += found.samples;
        good += code == ERR_OK;
        if (i % 2 == 0)
            assert_int_equal(code, ERR_OK);
    }
    (void)fprintf(stderr, "# %llu of %d messages are whole, with %llu samples\n",
                  (unsigned long long)good, MESSAGES, (unsigned long long)samples);
    assert_true(good < MESSAGES && samples > MESSAGES);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    struct CMUnitTest tests[ROW_COUNT + 6] = {
        TEST(bytes_of_another_encoder_are_read),
        TEST(bytes_are_read_as_their_rows_say),
        TEST(there_may_be_so_many_labels),
        TEST(a_message_that_is_cut_off_gives_no_more_than_it_did),
        TEST(it_stops_when_the_sink_has_enough),
        TEST(a_slow_decoder_finds_the_same),
    };
    for (size_t i = 0; i < ROW_COUNT; i++) {
        tests[6 + i] = (struct CMUnitTest){.name = rows[i].fact,
                                           .test_func = is_read_as_its_row_says,
                                           .initial_state = (void *)(uintptr_t)&rows[i]};
    }
    return _cmocka_run_group_tests("remote_write", tests, sizeof tests / sizeof *tests, NULL, NULL);
}
