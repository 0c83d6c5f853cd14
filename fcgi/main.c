/*
 * main: options, configuration, and then the master.
 *
 * Exit codes (sysexits.h): 0 stopped as asked, 1 could not start, 64 wrong option, 78
 * wrong configuration.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config.h"
#include "log.h"
#include "master.h"

static void print(FILE *stream, const struct strbuf *text)
{
    struct slice s = strbuf_slice(text);
    (void)fwrite(s.ptr, 1, s.len, stream);
}

static int help(struct strbuf *text)
{
    strbuf_printf(text, "analytics.fcgi " ANALYTICS_VERSION
                        ": Resilient Analytics API, a FastCGI service\n\n"
                        "Expects a listening socket as file descriptor 0.\n\n"
                        "  --check-config  check the configuration; exits with 0 or 78\n"
                        "  --help          this text\n"
                        "  --version       the version\n\n"
                        "Environment variables, with their defaults (-: none or worked out):\n\n");
    config_describe(text);
    print(stdout, text);
    return EXIT_SUCCESS;
}

/* The file that this program was started from; on a reload whatever lies there then. */
static const char *own_path(void)
{
    static char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    path[len > 0 ? len : 0] = '\0';
    return path;
}

int main(int argc, char **argv)
{
    enum { TEXT_BYTES_MAX = 64 * 1024 };
    struct strbuf text;
    strbuf_init(&text, TEXT_BYTES_MAX);
    int result = EXIT_SUCCESS;
    const char *option = argc == 2 ? argv[1] : "";

    if (strcmp(option, "--help") == 0) {
        result = help(&text);
        goto done;
    }
    if (strcmp(option, "--version") == 0) {
        (void)puts(ANALYTICS_VERSION);
        goto done;
    }
    if (argc > 1 && strcmp(option, "--check-config") != 0) {
        (void)fprintf(stderr, "analytics.fcgi: unknown option; try --help\n");
        result = EX_USAGE;
        goto done;
    }
    struct config config;
    if (!config_load(&config, &text)) {
        print(stderr, &text);
        result = EX_CONFIG;
        goto done;
    }
    if (argc > 1)
        goto done;
    log_init((enum log_level)config.log_level, (enum log_format)config.log_format);
    result = master_run(&config, own_path());

done:
    strbuf_release(&text);
    return result;
}
