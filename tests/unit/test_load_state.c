#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "heap_slice.h"
#include "load_ledger.h"
#include "load_start.h"
#include "load_state.h"
#include "test_random.h"

enum { NOW = 1796000000 };

static const struct load_state sample = {
    .id = "0123456789abcdef0123456789abcdef",
    .file = {1234, 1795996800123456789, 42},
    .url = "http://localhost:8000",
    .format = LOAD_CSV,
    .precision = "ms",
    .columns = {3, 0, 7},
    .limits = {500, 65536},
    .is_strict = true,
    .ledger = {.stored_to = {1000, 77},
               .stored = {50, 6},
               .range_count = 2,
               .ranges = {{{1001, 78}, {1200, 90}, {12, 0}}, {{1300, 95}, {1400, 99}, {8, 4}}}},
    .sent_to = UINT64_MAX,
    .saved_at = NOW - 86400,
    .part_count = 2,
    .parts = {{1200, 100, 25, {99, 1}}, {1400, 0, 1, {0, 0}}}};

static void write_text(const struct load_state *state, struct strbuf *text)
{
    strbuf_init(text, LOAD_STATE_BYTES_MAX);
    load_state_write(state, text);
    assert_false(strbuf_failed(text));
}

static void assert_same(const struct load_state *a, const struct load_state *b)
{
    struct strbuf first, second;
    write_text(a, &first);
    write_text(b, &second);
    assert_true(slice_equals(strbuf_slice(&first), strbuf_slice(&second)));
    strbuf_release(&first);
    strbuf_release(&second);
}

/* --- As text ------------------------------------------------------------------------ */

static bool reads(struct slice text, struct load_state *state)
{
    struct slice in = heap_slice_new(text.ptr, text.len);
    bool is_read = load_state_read(in, state);
    heap_slice_free(in);
    return is_read;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct load_state read;
    struct strbuf text;
    write_text(&sample, &text);
    assert_true(reads(strbuf_slice(&text), &read));
    assert_same(&read, &sample);
    assert_string_equal(read.id, sample.id);
    assert_int_equal(read.sent_to, UINT64_MAX);
    assert_int_equal(read.ledger.ranges[1].begin.line, 95);
    assert_int_equal(read.parts[0].tally.accepted, 99);
    assert_int_equal(read.file.modified_ns, sample.file.modified_ns);
    assert_int_equal(read.columns.type, 7);
    assert_true(read.is_strict && !read.is_settled && !read.is_done);
    strbuf_release(&text);
}

static void the_longest_state_has_room(void **state)
{
    (void)state;
    struct load_state longest = sample, read;
    struct strbuf text;
    memset(longest.url, 'u', sizeof longest.url - 1);
    longest.ledger.range_count = LOAD_RANGES_MAX;
    longest.part_count = LOAD_JOBS_MAX;
    for (size_t i = 0; i < LOAD_RANGES_MAX; i++) {
        uint64_t at = UINT64_MAX - 3 * (LOAD_RANGES_MAX - i);
        longest.ledger.ranges[i] =
            (struct load_range){{at, UINT64_MAX}, {at + 1, UINT64_MAX}, {UINT64_MAX, UINT64_MAX}};
    }
    for (size_t i = 0; i < LOAD_JOBS_MAX; i++)
        longest.parts[i] = (struct load_part){
            UINT64_MAX, LOAD_SAMPLES_MAX, LOAD_SAMPLES_MAX, {UINT64_MAX, UINT64_MAX}};
    write_text(&longest, &text);
    assert_true(reads(strbuf_slice(&text), &read));
    assert_same(&read, &longest);
    strbuf_release(&text);
}

static void what_is_cut_off_is_refused(void **state)
{
    (void)state;
    struct load_state read;
    struct strbuf text;
    write_text(&sample, &text);
    for (size_t len = 0; len + 1 < text.len; len++)
        assert_false(reads(slice_of(text.bytes, len), &read));
    strbuf_append_slice(&text, SLICE("more\n"));
    assert_false(reads(strbuf_slice(&text), &read));
    strbuf_release(&text);
}

static void any_byte_may_be_another_one(void **state)
{
    (void)state;
    struct load_state read;
    struct strbuf text;
    write_text(&sample, &text);
    for (size_t i = 0; i < text.len; i++) {
        for (int byte = 0; byte < 256; byte++) {
            char was = text.bytes[i];
            text.bytes[i] = (char)byte;
            if (reads(strbuf_slice(&text), &read)) {
                assert_in_range(read.limits.samples_max, 1, LOAD_SAMPLES_MAX);
                assert_in_range(read.limits.body_bytes_max, 1, LOAD_BODY_BYTES_MAX);
                assert_in_range(read.format, LOAD_CSV, LOAD_INFLUX);
                assert_true(read.columns.timestamp >= 0 && read.ledger.stored_to.line > 0);
            }
            text.bytes[i] = was;
        }
    }
    strbuf_release(&text);
}

/* --- As a file ---------------------------------------------------------------------- */

static char folder[200], path[240];

static int make_folder(void **state)
{
    const char *base = getenv("TMPDIR");
    (void)state;
    (void)snprintf(folder, sizeof folder, "%s/ra-state-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof path, "%s/x.load-state", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)remove(path);
    return rmdir(folder);
}

static void put(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void a_file_is_replaced_as_a_whole(void **state)
{
    (void)state;
    struct load_state read, later = sample;
    struct error err;
    error_init(&err);
    assert_int_equal(load_state_load(path, &read, &err), LOAD_STATE_ABSENT);
    assert_int_equal(load_state_save(path, &sample, &err), ERR_OK);
    assert_int_equal(load_state_load(path, &read, &err), LOAD_STATE_FOUND);
    assert_same(&read, &sample);
    later.is_done = true;
    assert_int_equal(load_state_save(path, &later, &err), ERR_OK);
    assert_int_equal(load_state_load(path, &read, &err), LOAD_STATE_FOUND);
    assert_same(&read, &later);
}

static void a_file_that_is_none_is_told(void **state)
{
    (void)state;
    struct load_state read;
    struct error err;
    error_init(&err);
    put("something else\n");
    assert_int_equal(load_state_load(path, &read, &err), LOAD_STATE_BAD);
    assert_non_null(strstr(err.detail, "no state of this program"));
    error_init(&err);
    assert_int_equal(load_state_load(folder, &read, &err), LOAD_STATE_BAD);
}

static void a_folder_that_is_not_there_is_told(void **state)
{
    (void)state;
    struct error err;
    error_init(&err);
    assert_int_equal(load_state_save("/nowhere/x", &sample, &err), ERR_INTERNAL);
    assert_non_null(strstr(err.detail, "/nowhere/x: No such file"));
}

static void two_ids_differ(void **state)
{
    (void)state;
    char first[LOAD_ID_BYTES], second[LOAD_ID_BYTES];
    assert_true(load_state_new_id(first) && load_state_new_id(second));
    assert_int_equal(strlen(first), LOAD_ID_BYTES - 1);
    assert_int_equal(strspn(first, "0123456789abcdef"), LOAD_ID_BYTES - 1);
    assert_string_not_equal(first, second);
}

/* --- Where a load begins ------------------------------------------------------------ */

/* What is said, and "" for nothing; `decided` gets what the run begins with. */
static const char *decide(const struct load_options *options, const struct load_state *found,
                          enum load_start expected, struct load_state *decided)
{
    static char text[1000];
    struct strbuf say;
    strbuf_init(&say, sizeof text - 1);
    assert_int_equal(load_start_decide(options, sample.file, found, NOW, decided, &say), expected);
    memcpy(text, strbuf_slice(&say).ptr, say.len);
    text[say.len] = '\0';
    strbuf_release(&say);
    return text;
}

static void without_a_state_the_options_count(void **state)
{
    (void)state;
    struct load_state decided;
    struct load_options options = {.url = "http://x", .format = LOAD_INFLUX, .is_strict = true};
    assert_string_equal(decide(&options, NULL, LOAD_START_FRESH, &decided), "");
    assert_int_equal(decided.limits.samples_max, LOAD_SAMPLES_DEFAULT);
    assert_int_equal(decided.limits.body_bytes_max, LOAD_BODY_BYTES_DEFAULT);
    assert_int_equal(decided.ledger.stored_to.line, 1);
    assert_string_equal(decided.precision, "ns");
    options =
        (struct load_options){.url = "http://x", .precision = "s", .batch = 7, .batch_bytes = 2000};
    (void)decide(&options, NULL, LOAD_START_FRESH, &decided);
    assert_int_equal(decided.limits.samples_max, 7);
    assert_int_equal(decided.limits.body_bytes_max, 2000);
    assert_string_equal(decided.precision, "s");
}

static void cuts_stay_while_something_is_in_doubt(void **state)
{
    (void)state;
    struct load_state decided;
    const struct load_options options = {.url = sample.url, .batch = 9, .batch_bytes = 500 * 1024};
    const char *said = decide(&options, &sample, LOAD_START_RESUMED, &decided);
    assert_non_null(strstr(said, "--batch stays 500:"));
    assert_non_null(strstr(said, "--batch-bytes stays 65536:"));
    assert_non_null(strstr(said, "with --strict"));
    assert_same(&decided, &sample);
}

static void cuts_may_change_when_all_is_settled(void **state)
{
    (void)state;
    struct load_state found = sample, decided;
    const struct load_options options = {.url = sample.url, .batch = 9};
    found.is_settled = true;
    assert_string_equal(decide(&options, &found, LOAD_START_RESUMED, &decided), "");
    assert_int_equal(decided.limits.samples_max, 9);
    assert_int_equal(decided.limits.body_bytes_max, 65536);
    assert_false(decided.is_strict);
    assert_string_equal(decided.id, sample.id);
}

static void what_one_service_has_another_one_has_not(void **state)
{
    (void)state;
    struct load_state found = sample, decided;
    const struct load_options options = {.url = "http://other", .is_strict = true};
    for (int is_done = 0; is_done < 2; is_done++) {
        found.is_done = is_done;
        assert_string_equal(decide(&options, &found, LOAD_START_REFUSED, &decided),
                            "it was begun at another --url; 70 of its lines are stored");
    }
}

static void what_the_service_may_have_forgotten_is_told(void **state)
{
    (void)state;
    struct load_state found = sample, decided;
    const struct load_options options = {.url = sample.url, .is_strict = true};
    assert_string_equal(decide(&options, &found, LOAD_START_RESUMED, &decided), "");
    found.saved_at -= 3600;
    assert_non_null(strstr(decide(&options, &found, LOAD_START_RESUMED, &decided),
                           "it was left 25 hours ago: "));
    found.is_settled = true;
    assert_string_equal(decide(&options, &found, LOAD_START_RESUMED, &decided), "");
}

static void what_is_done_stays_done(void **state)
{
    (void)state;
    struct load_state found = sample, decided;
    const struct load_options options = {.url = sample.url};
    found.is_done = true;
    (void)decide(&options, &found, LOAD_START_DONE, &decided);
    assert_int_equal(load_ledger_tally(&decided.ledger).accepted, 70);
}

static void another_file_is_refused(void **state)
{
    (void)state;
    struct load_state decided;
    const struct load_options options = {.url = sample.url};
    for (int i = 0; i < 6; i++) {
        struct load_state found = sample;
        found.is_done = i >= 3;
        found.file.bytes += i % 3 == 0;
        found.file.modified_ns += i % 3 == 1;
        found.file.inode += i % 3 == 2;
        assert_string_equal(decide(&options, &found, LOAD_START_REFUSED, &decided),
                            "the file is not what it was; 70 of its lines are stored");
    }
}

static void another_meaning_is_refused(void **state)
{
    (void)state;
    struct load_state decided;
    struct load_options options = {.url = sample.url, .format = LOAD_NDJSON};
    assert_non_null(strstr(decide(&options, &sample, LOAD_START_REFUSED, &decided), "--format"));
    options = (struct load_options){.url = sample.url, .precision = "ns"};
    assert_non_null(strstr(decide(&options, &sample, LOAD_START_REFUSED, &decided), "--precision"));
    options = (struct load_options){.url = sample.url, .format = LOAD_CSV, .precision = "ms"};
    (void)decide(&options, &sample, LOAD_START_RESUMED, &decided);
}

static void a_load_that_stored_nothing_binds_nobody(void **state)
{
    (void)state;
    struct load_state found = sample, decided;
    const struct load_options options = {.url = "http://other", .format = LOAD_NDJSON};
    load_ledger_init(&found.ledger, (struct load_place){0, 1}, (struct load_tally){0});
    found.is_settled = true;
    found.file.bytes++;
    assert_string_equal(decide(&options, &found, LOAD_START_FRESH, &decided), "");
    found.is_settled = false;
    (void)decide(&options, &found, LOAD_START_REFUSED, &decided);
}

/* --- The ledger --------------------------------------------------------------------- */

/* Batches that were begun in order end in any. */
static void a_ledger_knows_what_is_stored(void **state)
{
    (void)state;
    enum { BATCHES = 1000, BYTES = 7, LINES = 2, BEFORE = 10 };
    struct test_random chance = test_random_start();
    static struct load_ledger ledger;
    static bool is_stored[BATCHES + 1];
    struct load_place end;
    uint64_t prefix = 0, count = 0;
    memset(is_stored, 0, sizeof is_stored);
    load_ledger_init(&ledger, (struct load_place){BEFORE, 1}, (struct load_tally){5, 3});
    while (prefix < BATCHES) {
        uint64_t n = prefix + test_random_below(&chance, LOAD_JOBS_MAX);
        if (n >= BATCHES || is_stored[n])
            continue;
        const struct load_range range = {{BEFORE + BYTES * n, 1 + LINES * n},
                                         {BEFORE + BYTES * (n + 1), 1 + LINES * (n + 1)},
                                         {LINES, 0}};
        load_ledger_add(&ledger, &range);
        is_stored[n] = true;
        count++;
        while (is_stored[prefix])
            prefix++;
        assert_int_equal(ledger.stored_to.offset, BEFORE + BYTES * prefix);
        assert_int_equal(ledger.stored_to.line, 1 + LINES * prefix);
        assert_int_equal(ledger.stored.accepted, 5 + LINES * prefix);
        assert_int_equal(load_ledger_tally(&ledger).accepted, 5 + LINES * count);
        assert_int_equal(load_ledger_tally(&ledger).rejected, 3);
        uint64_t at = prefix + test_random_below(&chance, LOAD_JOBS_MAX + 2), behind;
        if (at > BATCHES)
            at = BATCHES;
        for (behind = at; is_stored[behind];)
            behind++;
        const struct load_place place = {BEFORE + BYTES * at, 1 + LINES * at};
        assert_int_equal(load_ledger_covers(&ledger, place, &end), behind > at);
        if (behind > at)
            assert_int_equal(end.offset, BEFORE + BYTES * behind);
        for (behind = at + 1; behind < BATCHES && (!is_stored[behind] || is_stored[behind - 1]);)
            behind++;
        assert_int_equal(load_ledger_border(&ledger, place),
                         behind < BATCHES ? BEFORE + BYTES * behind : UINT64_MAX);
    }
    assert_int_equal(ledger.range_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(the_longest_state_has_room),
        cmocka_unit_test(what_is_cut_off_is_refused),
        cmocka_unit_test(any_byte_may_be_another_one),
        cmocka_unit_test_setup_teardown(a_file_is_replaced_as_a_whole, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_file_that_is_none_is_told, make_folder, remove_folder),
        cmocka_unit_test(a_folder_that_is_not_there_is_told),
        cmocka_unit_test(two_ids_differ),
        cmocka_unit_test(without_a_state_the_options_count),
        cmocka_unit_test(cuts_stay_while_something_is_in_doubt),
        cmocka_unit_test(cuts_may_change_when_all_is_settled),
        cmocka_unit_test(what_one_service_has_another_one_has_not),
        cmocka_unit_test(what_the_service_may_have_forgotten_is_told),
        cmocka_unit_test(what_is_done_stays_done),
        cmocka_unit_test(another_file_is_refused),
        cmocka_unit_test(another_meaning_is_refused),
        cmocka_unit_test(a_load_that_stored_nothing_binds_nobody),
        cmocka_unit_test(a_ledger_knows_what_is_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
