/*
 * load_main: analytics-load, from the command line to the exit code, which load_options tells.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "load_run.h"
#include "load_start.h"

enum { EXIT_GAVE_UP = 1, EXIT_WRONG_USAGE = 2, EXIT_SOME_REJECTED = 3, EXIT_OF_SIGNAL = 128 };

static volatile sig_atomic_t signal_caught;

/* A second one ends it at once. */
static void note_signal(int number)
{
    signal_caught = number;
}

static void watch_signals(void)
{
    struct sigaction action = {.sa_handler = note_signal, .sa_flags = (int)SA_RESETHAND};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

struct program {
    struct load_options options;
    struct load_report report;
    struct load_state state;
    struct load_task task;
    char state_path[PATH_MAX];
};

/* --- Where it begins ---------------------------------------------------------------- */

static bool open_input(struct program *program, struct stat *status)
{
    const char *path = program->options.path;
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, status) != 0) {
        load_report_error(&program->report, "cannot open %s: %s", path, strerror(errno));
        return false;
    }
    if (S_ISDIR(status->st_mode)) {
        load_report_error(&program->report, "cannot read %s: it is a directory", path);
        return false;
    }
    program->task.fd = fd;
    return true;
}

static bool is_input(const char *path, const struct stat *input)
{
    struct stat status;
    return stat(path, &status) == 0 && status.st_dev == input->st_dev &&
           status.st_ino == input->st_ino;
}

/* What the state is written to must not be what is read. */
static bool state_is_apart(struct program *program, const struct stat *input)
{
    char next[PATH_MAX + 8];
    (void)snprintf(next, sizeof next, "%s.new", program->state_path);
    if (!is_input(program->state_path, input) && !is_input(next, input))
        return true;
    load_report_error(&program->report,
                      "--state: the input itself would be written over, give another name");
    return false;
}

/* Two at once would make keys of their own each, and store all of it twice. */
static bool is_alone(struct program *program)
{
    if (flock(program->task.fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return true;
    load_report_error(&program->report, "another analytics-load is loading %s",
                      program->options.path);
    return false;
}

/* Of a named file that can be read from the middle. */
static void name_state(struct program *program, const struct stat *status)
{
    const struct load_options *options = &program->options;
    if (!S_ISREG(status->st_mode) || strcmp(options->path, "-") == 0)
        return;
    program->task.input_bytes = (uint64_t)status->st_size;
    (void)snprintf(program->state_path, sizeof program->state_path, "%s%s",
                   options->state ? options->state : options->path,
                   options->state ? "" : ".load-state");
    program->task.state_path = program->state_path;
}

static void repeat_lines(struct program *program, struct strbuf *say)
{
    struct slice rest = strbuf_slice(say);
    while (rest.len > 0) {
        struct slice line = slice_cut(&rest, '\n');
        load_report_notice(&program->report, "%.*s", (int)line.len, line.ptr);
    }
}

static enum load_start find_start(struct program *program, const struct stat *status,
                                  struct strbuf *say)
{
    struct load_state found;
    struct error err;
    error_init(&err);
    const char *path = program->task.state_path;
    enum load_found outcome = path ? load_state_load(path, &found, &err) : LOAD_STATE_ABSENT;
    if (outcome == LOAD_STATE_BAD) {
        strbuf_printf(say, "%s", err.detail);
        return LOAD_START_REFUSED;
    }
    return load_start_decide(&program->options, load_file_of(status),
                             outcome == LOAD_STATE_FOUND ? &found : NULL,
                             (uint64_t)clock_wall_now().us / 1000000, &program->state, say);
}

static bool begin_fresh(struct program *program)
{
    struct load_state *state = &program->state;
    if (state->format == LOAD_UNKNOWN)
        state->format = load_format_of_path(slice_from_string(program->options.path));
    if (!load_state_new_id(state->id)) {
        load_report_error(&program->report, "the system has no random numbers");
        return false;
    }
    return true;
}

static bool go_on_behind(struct program *program)
{
    const struct load_state *state = &program->state;
    load_report_notice(&program->report,
                       "going on at line %" PRIu64 "; %" PRIu64 " lines are stored",
                       state->ledger.stored_to.line, load_ledger_tally(&state->ledger).accepted);
    if (lseek(program->task.fd, (off_t)state->ledger.stored_to.offset, SEEK_SET) < 0) {
        load_report_error(&program->report, "cannot read %s: %s", program->options.path,
                          strerror(errno));
        return false;
    }
    return true;
}

/* --- How it ends -------------------------------------------------------------------- */

static void print_summary(const struct load_summary *summary)
{
    (void)printf("accepted\t%" PRIu64 "\nrejected\t%" PRIu64 "\nrequests\t%" PRIu64
                 "\nretries\t%" PRIu64 "\nseconds\t%.3f\n",
                 summary->tally.accepted, summary->tally.rejected, summary->requests,
                 summary->retries, summary->seconds);
    (void)fflush(stdout);
}

static void say_how_to_go_on(struct program *program, const char *what)
{
    if (program->task.state_path)
        load_report_error(&program->report, "%s; the same command goes on, by %s", what,
                          program->state_path);
    else
        load_report_error(&program->report, "%s; of a pipe, nothing can be gone on with", what);
}

static int run(struct program *program)
{
    struct load_summary summary;
    enum load_end end = load_run(&program->task, &summary);
    uint64_t rejected = summary.tally.rejected;
    if (rejected > LOAD_REJECTIONS_TOLD_MAX)
        load_report_error(&program->report, "%" PRIu64 " lines were rejected in all", rejected);
    print_summary(&summary);
    if (end == LOAD_END_FAILED) {
        say_how_to_go_on(program, "not all is stored");
        return EXIT_GAVE_UP;
    }
    if (end == LOAD_END_INTERRUPTED) {
        say_how_to_go_on(program, "interrupted");
        return EXIT_OF_SIGNAL + signal_caught;
    }
    return rejected > 0 ? EXIT_SOME_REJECTED : EXIT_SUCCESS;
}

static int load(struct program *program, struct strbuf *say)
{
    struct stat status;
    if (!open_input(program, &status))
        return EXIT_GAVE_UP;
    name_state(program, &status);
    if (program->options.state && !program->task.state_path) {
        load_report_error(&program->report, "--state: a pipe has none");
        return EXIT_WRONG_USAGE;
    }
    if (program->task.state_path && !state_is_apart(program, &status))
        return EXIT_WRONG_USAGE;
    if (program->task.state_path && !is_alone(program))
        return EXIT_GAVE_UP;
    switch (find_start(program, &status, say)) {
    case LOAD_START_FRESH:
        return begin_fresh(program) ? run(program) : EXIT_GAVE_UP;
    case LOAD_START_RESUMED:
        repeat_lines(program, say);
        return go_on_behind(program) ? run(program) : EXIT_GAVE_UP;
    case LOAD_START_DONE:
        load_report_error(&program->report,
                          "already loaded at %s, %" PRIu64 " samples; remove %s to load it again",
                          program->state.url, load_ledger_tally(&program->state.ledger).accepted,
                          program->state_path);
        return EXIT_SUCCESS;
    case LOAD_START_REFUSED:
        break;
    }
    load_report_error(&program->report, "%.*s; remove %s to load all of %s", (int)say->len,
                      strbuf_slice(say).ptr, program->state_path, program->options.path);
    return EXIT_GAVE_UP;
}

static void print(FILE *stream, const struct strbuf *text)
{
    struct slice s = strbuf_slice(text);
    (void)fwrite(s.ptr, 1, s.len, stream);
}

int main(int argc, char **argv)
{
    enum { TEXT_BYTES_MAX = 64 * 1024 };
    static struct program program;
    struct strbuf text;
    strbuf_init(&text, TEXT_BYTES_MAX);
    int result = EXIT_SUCCESS;
    if (!load_options_read(argc, argv, &program.options, &text)) {
        print(stderr, &text);
        result = EXIT_WRONG_USAGE;
    } else if (program.options.wants_help) {
        load_options_help(&text);
        print(stdout, &text);
    } else if (program.options.wants_version) {
        (void)puts(ANALYTICS_VERSION);
    } else {
        load_report_init(&program.report, program.options.path, program.options.is_quiet,
                         clock_mono_now());
        program.task = (struct load_task){.options = &program.options,
                                          .signal = &signal_caught,
                                          .report = &program.report,
                                          .state = &program.state};
        watch_signals();
        result = load(&program, &text);
    }
    strbuf_release(&text);
    return result;
}
