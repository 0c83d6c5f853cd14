#include "process_memory.h"

#include <stdio.h>
#include <string.h>

#include "number.h"

/* "Rss:   1234 kB" */
static void add_line(struct slice line, struct slice name, uint64_t *bytes)
{
    int64_t kib;
    if (!slice_starts_with(line, name))
        return;
    struct slice rest = slice_trim(slice_of(line.ptr + name.len, line.len - name.len));
    size_t digits = strspn(rest.ptr, "0123456789");
    if (number_parse_int64(slice_of(rest.ptr, digits), 0, INT64_MAX / 1024, &kib))
        *bytes += (uint64_t)kib * 1024;
}

bool process_memory_add(pid_t pid, struct process_memory *memory)
{
    char path[48], line[256];
    (void)snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", (long)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    while (fgets(line, sizeof line, file)) {
        struct slice text = slice_from_string(line);
        add_line(text, SLICE("Rss:"), &memory->resident_bytes);
        add_line(text, SLICE("Pss:"), &memory->proportional_bytes);
    }
    (void)fclose(file);
    return true;
}
