#include "load_options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load_batch.h"
#include "load_state.h"
#include "number.h"

enum option_kind { OPTION_TEXT, OPTION_INTEGER, OPTION_FLAG };

enum { SECONDS_MAX = 31536000 };

#define AT(field) offsetof(struct load_options, field)

static const struct option_row {
    const char *name, *argument;
    enum option_kind kind;
    size_t offset;
    int64_t min, max;
    const char *help;
} rows[] = {
    {"url", "URL", OPTION_TEXT, AT(url), 0, 0, "the service; http://localhost:8000 by default"},
    {"format", "csv|ndjson|influx", OPTION_TEXT, AT(format_name), 0, 0,
     "told from the name or the first line by default"},
    {"precision", "ns|us|ms|s", OPTION_TEXT, AT(precision), 0, 0,
     "of the timestamps of line protocol; ns by default"},
    {"batch", "N", OPTION_INTEGER, AT(batch), 1, LOAD_SAMPLES_MAX,
     "lines a request, up to 10000; 1000 by default"},
    {"batch-bytes", "N", OPTION_INTEGER, AT(batch_bytes), LOAD_BODY_BYTES_MIN, LOAD_BODY_BYTES_MAX,
     "bytes a request, 1024 to 4194304; 262144 by default"},
    {"jobs", "N", OPTION_INTEGER, AT(jobs), 1, LOAD_JOBS_MAX,
     "requests under way at once, 1 to 64; 4 by default"},
    {"token", "TEXT", OPTION_TEXT, AT(token), 0, 0,
     "of the service; better in the environment, API_TOKEN, for ps shows this"},
    {"timeout", "SECONDS", OPTION_INTEGER, AT(timeout_seconds), 1, SECONDS_MAX,
     "of a request; 30 by default"},
    {"give-up", "SECONDS", OPTION_INTEGER, AT(give_up_seconds), 1, SECONDS_MAX,
     "after so many without any progress; 300 by default"},
    {"state", "FILE", OPTION_TEXT, AT(state), 0, 0,
     "where it notes what is stored; the name and .load-state by default"},
    {"strict", NULL, OPTION_FLAG, AT(is_strict), 0, 0,
     "stop at the first line that is rejected, instead of going on without it; one "
     "request at a time"},
    {"quiet", NULL, OPTION_FLAG, AT(is_quiet), 0, 0, "say nothing but errors and the result"},
    {"help", NULL, OPTION_FLAG, AT(wants_help), 0, 0, "this text"},
    {"version", NULL, OPTION_FLAG, AT(wants_version), 0, 0, "the version"},
};
enum { ROW_COUNT = sizeof rows / sizeof *rows };

/* --- One option --------------------------------------------------------------------- */

static const struct option_row *find_row(struct slice name)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (slice_equals(name, slice_from_string(rows[i].name)))
            return &rows[i];
    }
    return NULL;
}

static void take_value(struct load_options *options, const struct option_row *row,
                       const char *value, struct strbuf *wrong)
{
    void *field = (char *)options + row->offset;
    if (row->kind == OPTION_TEXT)
        *(const char **)field = value;
    else if (!number_parse_int64(slice_from_string(value), row->min, row->max, field))
        strbuf_printf(wrong, "--%s=%.100s: must be an integer from %lld to %lld\n", row->name,
                      value, (long long)row->min, (long long)row->max);
}

/* --name=value or --name value; moves on behind what it takes. */
static void take_option(char ***next, struct load_options *options, struct strbuf *wrong)
{
    const char *text = *(*next)++ + 2;
    const char *equals = strchr(text, '=');
    struct slice name = slice_of(text, equals ? (size_t)(equals - text) : strlen(text));
    const struct option_row *row = find_row(name);
    if (!row) {
        strbuf_printf(wrong, "--%.*s: there is no such option; try --help\n", (int)name.len,
                      name.ptr);
    } else if (row->kind == OPTION_FLAG) {
        *(bool *)((char *)options + row->offset) = true;
        if (equals)
            strbuf_printf(wrong, "--%s: takes no value\n", row->name);
    } else if (equals) {
        take_value(options, row, equals + 1, wrong);
    } else if (**next) {
        take_value(options, row, *(*next)++, wrong);
    } else {
        strbuf_printf(wrong, "--%s: needs a value, --%s=%s\n", row->name, row->name, row->argument);
    }
}

/* --- All of them -------------------------------------------------------------------- */

static void take_path(struct load_options *options, const char *path, struct strbuf *wrong)
{
    if (options->path)
        strbuf_printf(wrong, "%.100s: one file at a time\n", path);
    else
        options->path = path;
}

static void take_arguments(char **next, struct load_options *options, struct strbuf *wrong)
{
    while (*next) {
        if (strcmp(*next, "--") == 0) {
            for (next++; *next; next++)
                take_path(options, *next, wrong);
        } else if (strncmp(*next, "--", 2) == 0) {
            take_option(&next, options, wrong);
        } else if (**next == '-' && strcmp(*next, "-") != 0) {
            strbuf_printf(wrong, "%.100s: there is no such option; try --help\n", *next++);
        } else {
            take_path(options, *next++, wrong);
        }
    }
}

static bool is_precision(const char *text)
{
    static const char *const precisions[] = {"ns", "us", "ms", "s"};
    for (size_t i = 0; i < sizeof precisions / sizeof *precisions; i++) {
        if (strcmp(text, precisions[i]) == 0)
            return true;
    }
    return false;
}

/* Of visible ASCII, so that it makes one line of a header or a file. */
static bool is_visible(const char *text)
{
    for (; *text; text++) {
        if (*text <= ' ' || *text > '~')
            return false;
    }
    return true;
}

static bool is_url(const char *url)
{
    bool has_scheme = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
    return has_scheme && is_visible(url) && !strpbrk(url, "?#") && strlen(url) < LOAD_URL_BYTES;
}

static void check(struct load_options *options, struct strbuf *wrong)
{
    if (!options->path)
        strbuf_printf(wrong, "a file is needed, or - for standard input; try --help\n");
    if (!is_url(options->url))
        strbuf_printf(wrong, "--url: must be http://HOST:PORT or https://HOST:PORT, perhaps with "
                             "a path, without a query\n");
    if (options->format_name) {
        options->format = load_format_of_name(slice_from_string(options->format_name));
        if (options->format == LOAD_UNKNOWN)
            strbuf_printf(wrong, "--format: must be csv, ndjson or influx\n");
    }
    if (options->precision && !is_precision(options->precision))
        strbuf_printf(wrong, "--precision: must be ns, us, ms or s\n");
    if (options->token && (!is_visible(options->token) || strlen(options->token) > 512))
        strbuf_printf(wrong, "the token: must be 512 characters at most, without blanks\n");
    if (options->state && *options->state == '\0')
        strbuf_printf(wrong, "--state: must name a file\n");
}

bool load_options_read(int argc, char **argv, struct load_options *options, struct strbuf *wrong)
{
    const char *token = getenv("API_TOKEN");
    *options = (struct load_options){.url = "http://localhost:8000",
                                     .jobs = 4,
                                     .timeout_seconds = 30,
                                     .give_up_seconds = 300,
                                     .token = token};
    take_arguments(argv + (argc > 0), options, wrong);
    if (options->token && *options->token == '\0')
        options->token = NULL;
    if (options->wants_help || options->wants_version)
        return true;
    check(options, wrong);
    return wrong->len == 0;
}

void load_options_help(struct strbuf *out)
{
    strbuf_printf(out,
                  "analytics-load " ANALYTICS_VERSION ": stores the samples of a file, or of a "
                  "pipe, by the service\n\n"
                  "    analytics-load [OPTION...] FILE|-\n\n");
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char synopsis[40];
        (void)snprintf(synopsis, sizeof synopsis, "--%s%s%s", rows[i].name,
                       rows[i].argument ? "=" : "", rows[i].argument ? rows[i].argument : "");
        strbuf_printf(out, "  %-26s %s\n", synopsis, rows[i].help);
    }
    strbuf_printf(
        out,
        "\n"
        "CSV has a first line that names its columns: timestamp, value and type, in any order;\n"
        "others are ignored. NDJSON is as the service takes it; influx is InfluxDB's line "
        "protocol.\n"
        "\n"
        "Started again on the same file it goes on where it was. What it sends twice, because it\n"
        "was killed or an answer was lost, is stored once, if that is within the day for which\n"
        "the service knows it (IDEMPOTENCY_TTL_SECONDS). A pipe cannot be gone on with.\n"
        "\n"
        "On standard output, at the end, name, tab, number: accepted and rejected lines of the\n"
        "whole input, then requests, retries and seconds of this run.\n"
        "\n"
        "Exit codes: 0 all is stored; 1 it gave up, was refused, or could not read; 2 wrong "
        "usage;\n"
        "3 stored, but some lines were rejected; 130 and 143 interrupted by SIGINT or SIGTERM.\n");
}
