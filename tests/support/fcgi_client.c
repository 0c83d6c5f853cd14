#include "fcgi_client.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BEGIN_REQUEST = 1, END_REQUEST = 3, PARAMS = 4, STDIN = 5, STDOUT = 6 };
enum { RECORD_HEAD_BYTES = 8, RECORD_BYTES_MAX = 65535, TIMEOUT_SECONDS = 20 };

int fcgi_connect(const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval timeout = {.tv_sec = TIMEOUT_SECONDS};
    if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) < 0 ||
                    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) < 0 ||
                    connect(fd, (struct sockaddr *)&address, sizeof address) < 0)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void put_record(struct strbuf *out, unsigned char type, struct slice content)
{
    do {
        size_t len = content.len < RECORD_BYTES_MAX ? content.len : RECORD_BYTES_MAX;
        const unsigned char head[RECORD_HEAD_BYTES] = {
            1, type, 0, 1, (unsigned char)(len >> 8), (unsigned char)(len & 255), 0, 0};
        strbuf_append(out, head, sizeof head);
        strbuf_append(out, content.ptr, len);
        content = slice_of(content.ptr + len, content.len - len);
    } while (content.len > 0);
}

static void put_length(struct strbuf *out, size_t len)
{
    if (len < 128) {
        strbuf_append_char(out, (char)len);
        return;
    }
    const unsigned char bytes[4] = {(unsigned char)((len >> 24) | 128), (unsigned char)(len >> 16),
                                    (unsigned char)(len >> 8), (unsigned char)len};
    strbuf_append(out, bytes, sizeof bytes);
}

bool fcgi_send(int fd, const struct fcgi_param *params, size_t count, struct slice body)
{
    struct strbuf out, pairs;
    strbuf_init(&out, 8 << 20);
    strbuf_init(&pairs, RECORD_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct slice name = slice_from_string(params[i].name);
        struct slice value = slice_from_string(params[i].value);
        put_length(&pairs, name.len);
        put_length(&pairs, value.len);
        strbuf_append_slice(&pairs, name);
        strbuf_append_slice(&pairs, value);
    }
    put_record(&out, BEGIN_REQUEST, slice_of("\0\1\0\0\0\0\0\0", 8));
    put_record(&out, PARAMS, strbuf_slice(&pairs));
    put_record(&out, PARAMS, SLICE(""));
    if (body.len > 0)
        put_record(&out, STDIN, body);
    put_record(&out, STDIN, SLICE(""));
    bool ok = !strbuf_failed(&out) && !strbuf_failed(&pairs) &&
              send(fd, out.bytes, out.len, MSG_NOSIGNAL) == (ssize_t)out.len;
    strbuf_release(&out);
    strbuf_release(&pairs);
    return ok;
}

static bool read_exactly(int fd, void *bytes, size_t len)
{
    char *at = bytes;
    while (len > 0) {
        ssize_t got = recv(fd, at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        len -= (size_t)got;
    }
    return true;
}

static void read_head(struct fcgi_answer *answer)
{
    strbuf_append_char(&answer->bytes, '\0'); /* for the searches below; not counted */
    answer->bytes.len--;
    const char *text = answer->bytes.bytes;
    const char *end = strstr(text, "\r\n\r\n");
    if (!end || strncmp(text, "Status: ", 8) != 0)
        return;
    answer->status = (int)strtol(text + 8, NULL, 10);
    answer->body_at = (size_t)(end - text) + 4;
    const char *length = strstr(text, "\r\nContent-Length: ");
    size_t announced = length && length < end ? strtoul(length + 18, NULL, 10) : 0;
    /* A HEAD has none of the body that it announces. */
    size_t body = answer->bytes.len - answer->body_at;
    answer->is_complete = body == announced || body == 0;
}

bool fcgi_receive(int fd, struct fcgi_answer *answer)
{
    *answer = (struct fcgi_answer){.status = 0};
    strbuf_init(&answer->bytes, 16 << 20);
    unsigned char head[RECORD_HEAD_BYTES];
    while (read_exactly(fd, head, sizeof head)) {
        size_t len = (size_t)head[4] << 8 | head[5];
        char *content = strbuf_reserve(&answer->bytes, len + head[6] + 1);
        if (!content || !read_exactly(fd, content, len + head[6]))
            return false;
        if (head[1] == STDOUT)
            strbuf_commit(&answer->bytes, len);
        if (head[1] == END_REQUEST) {
            read_head(answer);
            return answer->is_complete;
        }
    }
    return false;
}

bool fcgi_await_taken(int fd)
{
    for (int i = 0; i < 5000; i++) {
        int unread = 1;
        if (ioctl(fd, SIOCOUTQ, &unread) == 0 && unread == 0)
            return true;
        (void)poll(NULL, 0, 1);
    }
    return false;
}

bool fcgi_request(const char *socket_path, const char *method, const char *target, const char *body,
                  const struct fcgi_param *params, size_t count, struct fcgi_answer *answer)
{
    enum { PARAMS_MAX = 20 };
    struct fcgi_param all[PARAMS_MAX];
    char path[1024], length[24];
    const char *query = strchr(target, '?');
    (void)snprintf(path, sizeof path, "%.*s", query ? (int)(query - target) : 1000, target);
    (void)snprintf(length, sizeof length, "%zu", body ? strlen(body) : 0);

    /* What the test gives comes first: the first of a name counts. */
    size_t n = 0;
    for (; n < count && n < PARAMS_MAX - 6; n++)
        all[n] = params[n];
    all[n++] = (struct fcgi_param){"REQUEST_METHOD", method};
    all[n++] = (struct fcgi_param){"SCRIPT_NAME", ""};
    all[n++] = (struct fcgi_param){"PATH_INFO", path};
    all[n++] = (struct fcgi_param){"QUERY_STRING", query ? query + 1 : ""};
    all[n++] = (struct fcgi_param){"REMOTE_ADDR", "192.0.2.1"};
    all[n++] = (struct fcgi_param){"CONTENT_LENGTH", length};

    *answer = (struct fcgi_answer){.status = 0};
    strbuf_init(&answer->bytes, 1);
    int fd = fcgi_connect(socket_path);
    if (fd < 0)
        return false;
    /* A refused body may be left unread: then the write fails and an answer is there. */
    (void)fcgi_send(fd, all, n, slice_from_string(body));
    bool ok = fcgi_receive(fd, answer);
    (void)close(fd);
    return ok;
}

int fcgi_get_status(const char *socket_path, const char *target)
{
    struct fcgi_answer answer;
    int status =
        fcgi_request(socket_path, "GET", target, NULL, NULL, 0, &answer) ? answer.status : 0;
    fcgi_answer_release(&answer);
    return status;
}

struct slice fcgi_answer_body(const struct fcgi_answer *answer)
{
    struct slice all = strbuf_slice(&answer->bytes);
    return slice_of(all.ptr + answer->body_at, all.len - answer->body_at);
}

bool fcgi_answer_contains(const struct fcgi_answer *answer, const char *text)
{
    struct slice all = strbuf_slice(&answer->bytes);
    return memmem(all.ptr, all.len, text, strlen(text)) != NULL;
}

bool fcgi_answer_has_header(const struct fcgi_answer *answer, const char *line)
{
    char wanted[512];
    (void)snprintf(wanted, sizeof wanted, "\r\n%s\r\n", line);
    struct slice all = strbuf_slice(&answer->bytes);
    const char *found = memmem(all.ptr, all.len, wanted, strlen(wanted));
    return found && (size_t)(found - all.ptr) < answer->body_at;
}

void fcgi_answer_release(struct fcgi_answer *answer)
{
    strbuf_release(&answer->bytes);
}
