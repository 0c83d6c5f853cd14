/*
 * encode_body: what curl cannot make of a text, from standard input to standard output.
 *
 *   encode_body remote_write    words of write_request_of (tests/support/write_request.h)
 *   encode_body snappy          any bytes
 */
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "write_request.h"

enum { BYTES_MAX = 16 << 20 };

static void read_all(struct strbuf *text)
{
    size_t len = 0;
    do {
        strbuf_commit(text, len);
        char *room = strbuf_reserve(text, 1 << 16);
        len = room ? fread(room, 1, 1 << 16, stdin) : 0;
    } while (len > 0);
}

static void put_snappy(struct slice text, struct strbuf *out)
{
    size_t len = snappy_max_compressed_length(text.len);
    char *room = strbuf_reserve(out, len);
    if (room && snappy_compress(text.ptr, text.len, room, &len) == SNAPPY_OK)
        strbuf_commit(out, len);
}

int main(int argc, char **argv)
{
    struct strbuf text, out;
    strbuf_init(&text, BYTES_MAX);
    strbuf_init(&out, 2 * BYTES_MAX);
    read_all(&text);
    if (argc == 2 && strcmp(argv[1], "remote_write") == 0) {
        strbuf_append_char(&text, '\0');
        write_request_of(&out, text.bytes);
    } else if (argc == 2 && strcmp(argv[1], "snappy") == 0) {
        put_snappy(strbuf_slice(&text), &out);
    } else {
        (void)fprintf(stderr, "usage: encode_body remote_write|snappy <BYTES >BYTES\n");
        return 2;
    }
    bool is_done = !strbuf_failed(&text) && !strbuf_failed(&out) &&
                   fwrite(out.bytes, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    strbuf_release(&text);
    strbuf_release(&out);
    return is_done ? 0 : 1;
}
