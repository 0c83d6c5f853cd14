/*
 * json_lines: whether every line of standard input is one JSON object in valid UTF-8.
 *
 * Prints the first that is not, with the reason; exit code 1 then, or when there is no line.
 */
#include <stdio.h>
#include <stdlib.h>

#include "json_read.h"

static bool is_object(struct slice line)
{
    struct error err;
    error_init(&err);
    struct json_document *document = json_document_new(line, "line", &err);
    bool is = document && json_value_kind(json_document_root(document)) == JSON_KIND_OBJECT;
    json_document_free(document);
    if (!is)
        (void)printf("# %s: %.*s\n", err.field_count ? err.fields[0].message : "no object",
                     (int)line.len, line.ptr);
    return is;
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    bool all_are = true;
    long lines = 0;
    for (; all_are && (len = getline(&line, &room, stdin)) > 0; lines++)
        all_are = is_object(slice_trim(slice_of(line, (size_t)len)));
    free(line);
    return all_are && lines > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
