#include "load_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "number.h"

static const char heading[] = "analytics-load state 2";

struct load_file load_file_of(const struct stat *status)
{
    return (struct load_file){.bytes = (uint64_t)status->st_size,
                              .modified_ns = (uint64_t)status->st_mtim.tv_sec * 1000000000 +
                                             (uint64_t)status->st_mtim.tv_nsec,
                              .inode = status->st_ino};
}

bool load_state_new_id(char id[LOAD_ID_BYTES])
{
    unsigned char bytes[(LOAD_ID_BYTES - 1) / 2];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return false;
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(id + 2 * i, 3, "%02x", bytes[i]);
    return true;
}

/* --- As text ------------------------------------------------------------------------ */

/* Of the last two a line for each follows. */
enum row_kind { ROW_NUMBER, ROW_SIZE, ROW_INDEX, ROW_FLAG, ROW_TEXT, ROW_RANGES, ROW_PARTS };

#define ROW(name_, kind_, field_)                                                                  \
    {                                                                                              \
        .name = (name_), .kind = (kind_), .offset = offsetof(struct load_state, field_),           \
        .bytes = sizeof(((struct load_state *)NULL)->field_)                                       \
    }

/* The format is a row of its own. */
static const struct row {
    const char *name;
    enum row_kind kind;
    size_t offset, bytes;
} rows[] = {
    ROW("id", ROW_TEXT, id),
    ROW("url", ROW_TEXT, url),
    ROW("precision", ROW_TEXT, precision),
    ROW("file-bytes", ROW_NUMBER, file.bytes),
    ROW("file-modified-ns", ROW_NUMBER, file.modified_ns),
    ROW("file-inode", ROW_NUMBER, file.inode),
    ROW("column-timestamp", ROW_INDEX, columns.timestamp),
    ROW("column-value", ROW_INDEX, columns.value),
    ROW("column-type", ROW_INDEX, columns.type),
    ROW("batch", ROW_SIZE, limits.samples_max),
    ROW("batch-bytes", ROW_SIZE, limits.body_bytes_max),
    ROW("strict", ROW_FLAG, is_strict),
    ROW("stored-bytes", ROW_NUMBER, ledger.stored_to.offset),
    ROW("next-line", ROW_NUMBER, ledger.stored_to.line),
    ROW("accepted", ROW_NUMBER, ledger.stored.accepted),
    ROW("rejected", ROW_NUMBER, ledger.stored.rejected),
    ROW("ranges", ROW_RANGES, ledger.range_count),
    ROW("parts", ROW_PARTS, part_count),
    ROW("sent-bytes", ROW_NUMBER, sent_to),
    ROW("saved", ROW_NUMBER, saved_at),
    ROW("settled", ROW_FLAG, is_settled),
    ROW("done", ROW_FLAG, is_done),
};

enum { RANGE_NUMBERS = 6, PART_NUMBERS = 5 };

static void write_numbers(struct strbuf *out, const uint64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        strbuf_printf(out, "%s%" PRIu64, i > 0 ? " " : "", numbers[i]);
    strbuf_append_char(out, '\n');
}

static void write_ranges(const struct load_ledger *ledger, struct strbuf *out)
{
    for (size_t i = 0; i < ledger->range_count; i++) {
        const struct load_range *range = &ledger->ranges[i];
        const uint64_t numbers[RANGE_NUMBERS] = {range->begin.offset,   range->begin.line,
                                                 range->end.offset,     range->end.line,
                                                 range->tally.accepted, range->tally.rejected};
        write_numbers(out, numbers, RANGE_NUMBERS);
    }
}

static void write_parts(const struct load_state *state, struct strbuf *out)
{
    for (size_t i = 0; i < state->part_count; i++) {
        const struct load_part *part = &state->parts[i];
        const uint64_t numbers[PART_NUMBERS] = {part->offset, part->first, part->count,
                                                part->tally.accepted, part->tally.rejected};
        write_numbers(out, numbers, PART_NUMBERS);
    }
}

static void write_row(const struct load_state *state, const struct row *row, struct strbuf *out)
{
    const void *field = (const char *)state + row->offset;
    switch (row->kind) {
    case ROW_NUMBER:
        strbuf_printf(out, "%s %" PRIu64 "\n", row->name, *(const uint64_t *)field);
        break;
    case ROW_SIZE:
        strbuf_printf(out, "%s %zu\n", row->name, *(const size_t *)field);
        break;
    case ROW_INDEX:
        strbuf_printf(out, "%s %d\n", row->name, *(const int *)field);
        break;
    case ROW_FLAG:
        strbuf_printf(out, "%s %d\n", row->name, *(const bool *)field);
        break;
    case ROW_TEXT:
        strbuf_printf(out, "%s %s\n", row->name, (const char *)field);
        break;
    case ROW_RANGES:
        strbuf_printf(out, "%s %zu\n", row->name, state->ledger.range_count);
        write_ranges(&state->ledger, out);
        break;
    case ROW_PARTS:
        strbuf_printf(out, "%s %zu\n", row->name, state->part_count);
        write_parts(state, out);
        break;
    }
}

void load_state_write(const struct load_state *state, struct strbuf *out)
{
    strbuf_printf(out, "%s\nformat %s\n", heading, load_format_name(state->format));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        write_row(state, &rows[i], out);
}

static bool read_number(struct slice text, int64_t max, int64_t *out)
{
    return number_parse_int64(text, 0, max, out);
}

static bool read_numbers(struct slice text, uint64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!number_parse_uint64(slice_cut(&text, ' '), &numbers[i]))
            return false;
    }
    return text.len == 0;
}

/* In order, apart from each other, beyond what comes before. */
static bool read_ranges(struct slice *rest, size_t count, struct load_ledger *ledger)
{
    uint64_t behind = ledger->stored_to.offset, n[RANGE_NUMBERS];
    for (size_t i = 0; i < count; i++) {
        if (!read_numbers(slice_cut(rest, '\n'), n, RANGE_NUMBERS) || n[0] <= behind ||
            n[2] <= n[0] || n[1] == 0 || n[3] < n[1])
            return false;
        behind = n[2];
        ledger->ranges[ledger->range_count++] =
            (struct load_range){{n[0], n[1]}, {n[2], n[3]}, {n[4], n[5]}};
    }
    return true;
}

static bool read_parts(struct slice *rest, size_t count, struct load_state *state)
{
    uint64_t n[PART_NUMBERS];
    for (size_t i = 0; i < count; i++) {
        if (!read_numbers(slice_cut(rest, '\n'), n, PART_NUMBERS) || n[1] > LOAD_SAMPLES_MAX ||
            n[2] == 0 || n[2] > LOAD_SAMPLES_MAX)
            return false;
        state->parts[state->part_count++] =
            (struct load_part){n[0], (size_t)n[1], (size_t)n[2], {n[3], n[4]}};
    }
    return true;
}

/* With the lines that follow it in `rest`, if it is one that has such. */
static bool read_row(struct slice text, struct slice *rest, const struct row *row,
                     struct load_state *state)
{
    void *field = (char *)state + row->offset;
    int64_t number = 0;
    switch (row->kind) {
    case ROW_NUMBER:
        return number_parse_uint64(text, field);
    case ROW_SIZE:
        if (!read_number(text, LOAD_BODY_BYTES_MAX, &number) || number == 0)
            return false;
        *(size_t *)field = (size_t)number;
        return true;
    case ROW_INDEX:
        if (!read_number(text, INT_MAX, &number))
            return false;
        *(int *)field = (int)number;
        return true;
    case ROW_FLAG:
        if (!read_number(text, 1, &number))
            return false;
        *(bool *)field = number;
        return true;
    case ROW_TEXT:
        if (text.len >= row->bytes)
            return false;
        memcpy(field, text.ptr, text.len);
        return true;
    case ROW_RANGES:
        return read_number(text, LOAD_RANGES_MAX, &number) &&
               read_ranges(rest, (size_t)number, &state->ledger);
    case ROW_PARTS:
        return read_number(text, LOAD_JOBS_MAX, &number) && read_parts(rest, (size_t)number, state);
    }
    return false;
}

static struct slice next_line(struct slice *rest, struct slice *name)
{
    struct slice value = slice_cut(rest, '\n');
    *name = slice_cut(&value, ' ');
    return value;
}

bool load_state_read(struct slice text, struct load_state *state)
{
    struct slice name, value;
    *state = (struct load_state){0};
    if (!slice_equals(slice_cut(&text, '\n'), slice_from_string(heading)))
        return false;
    value = next_line(&text, &name);
    state->format = load_format_of_name(value);
    if (!slice_equals(name, SLICE("format")) || state->format == LOAD_UNKNOWN)
        return false;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        value = next_line(&text, &name);
        if (!slice_equals(name, slice_from_string(rows[i].name)) ||
            !read_row(value, &text, &rows[i], state))
            return false;
    }
    return text.len == 0 && strlen(state->id) == LOAD_ID_BYTES - 1 &&
           state->limits.samples_max <= LOAD_SAMPLES_MAX && state->ledger.stored_to.line > 0;
}

/* --- As a file ---------------------------------------------------------------------- */

static enum load_found bad(struct error *err, const char *path, const char *reason)
{
    (void)error_set(err, ERR_INTERNAL, "cannot read %.120s: %s", path, reason);
    return LOAD_STATE_BAD;
}

enum load_found load_state_load(const char *path, struct load_state *state, struct error *err)
{
    char text[LOAD_STATE_BYTES_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? LOAD_STATE_ABSENT : bad(err, path, strerror(errno));
    ssize_t len = read(fd, text, sizeof text);
    int code = errno;
    (void)close(fd);
    if (len < 0)
        return bad(err, path, strerror(code));
    if (!load_state_read(slice_of(text, (size_t)len), state))
        return bad(err, path, "it is no state of this program's");
    return LOAD_STATE_FOUND;
}

static bool write_synced(const char *path, struct slice text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return false;
    bool is_written = write(fd, text.ptr, text.len) == (ssize_t)text.len && fsync(fd) == 0;
    int code = errno;
    is_written = close(fd) == 0 && is_written;
    errno = code;
    return is_written;
}

/* Without it the rename may be undone by a power cut. */
static bool sync_folder_of(const char *path)
{
    char copy[PATH_MAX];
    (void)snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is_synced = fsync(fd) == 0 || errno == EINVAL;
    (void)close(fd);
    return is_synced;
}

enum err_code load_state_save(const char *path, const struct load_state *state, struct error *err)
{
    char next[PATH_MAX];
    if ((size_t)snprintf(next, sizeof next, "%s.new", path) >= sizeof next)
        return error_set(err, ERR_INTERNAL, "the name of the state file is too long");
    struct strbuf text;
    strbuf_init(&text, LOAD_STATE_BYTES_MAX);
    load_state_write(state, &text);
    bool is_saved = !strbuf_failed(&text) && write_synced(next, strbuf_slice(&text)) &&
                    rename(next, path) == 0 && sync_folder_of(path);
    strbuf_release(&text);
    if (!is_saved)
        return error_set(err, ERR_INTERNAL, "cannot write %.120s: %s", path, strerror(errno));
    return ERR_OK;
}
