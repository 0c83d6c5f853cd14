#include "http_client.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

void http_client_init(struct http_client *client, const char *host, int port, int timeout_ms)
{
    memset(client, 0, sizeof *client);
    (void)snprintf(client->host, sizeof client->host, "%s", host);
    client->port = port;
    client->timeout_ms = timeout_ms;
    client->fd = -1;
    client->answer = malloc(HTTP_ANSWER_BYTES);
    if (!client->answer)
        abort();
}

static void disconnect(struct http_client *client)
{
    if (client->fd >= 0)
        (void)close(client->fd);
    client->fd = -1;
}

void http_client_release(struct http_client *client)
{
    disconnect(client);
    free(client->answer);
}

static bool connect_now(struct http_client *client)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short)client->port)};
    if (inet_pton(AF_INET, client->host, &address.sin_addr) != 1)
        return false;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0)
        return false;
    const int on = 1;
    const struct timeval limit = {.tv_sec = client->timeout_ms / 1000,
                                  .tv_usec = client->timeout_ms % 1000 * 1000L};
    (void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(client->fd, (struct sockaddr *)&address, sizeof address) == 0)
        return true;
    disconnect(client);
    return false;
}

static bool send_all(int fd, const char *bytes, size_t len, int flags)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL | flags);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static bool read_more(struct http_client *client)
{
    if (client->answer_len + 1 >= HTTP_ANSWER_BYTES)
        return false;
    ssize_t n = recv(client->fd, client->answer + client->answer_len,
                     HTTP_ANSWER_BYTES - 1 - client->answer_len, 0);
    if (n <= 0)
        return false;
    client->answer_len += (size_t)n;
    client->answer[client->answer_len] = '\0';
    return true;
}

static int read_answer(struct http_client *client, bool has_body)
{
    client->answer_len = 0;
    client->answer[0] = '\0';
    char *end;
    while (!(end = strstr(client->answer, "\r\n\r\n"))) {
        if (!read_more(client))
            return -1;
    }
    client->body = end + 4;
    int status = -1;
    if (strncmp(client->answer, "HTTP/1.1 ", 9) == 0)
        status = (int)strtol(client->answer + 9, NULL, 10);
    char length[32];
    client->body_len = 0;
    if (has_body && status != 304 && status != 204 &&
        http_client_header(client, "Content-Length", length, sizeof length))
        client->body_len = strtoul(length, NULL, 10);
    while (client->answer_len < (size_t)(client->body - client->answer) + client->body_len) {
        if (!read_more(client))
            return -1;
    }
    char connection[32];
    if (http_client_header(client, "Connection", connection, sizeof connection) &&
        strcasecmp(connection, "close") == 0)
        disconnect(client);
    return status;
}

/* Head and body may go in one packet. */
static bool send_request(const struct http_client *client, const char *head, size_t head_len,
                         struct slice body)
{
    return send_all(client->fd, head, head_len, body.len > 0 ? MSG_MORE : 0) &&
           send_all(client->fd, body.ptr, body.len, 0);
}

int http_client_send(struct http_client *client, const char *method, const char *target,
                     const char *headers, struct slice body)
{
    char head[4096];
    client->body = client->answer;
    client->body_len = 0;
    int len =
        snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: %zu\r\n\r\n",
                 method, target, client->host, headers, body.len);
    if (len < 0 || (size_t)len >= sizeof head)
        return -1;
    if (client->fd < 0 && !connect_now(client))
        return -1;
    int status = -1;
    if (send_request(client, head, (size_t)len, body))
        status = read_answer(client, strcmp(method, "HEAD") != 0);
    if (status < 0)
        disconnect(client);
    return status;
}

int http_client_request(struct http_client *client, const char *method, const char *target,
                        const char *body)
{
    return http_client_send(client, method, target, "Content-Type: application/json\r\n",
                            slice_from_string(body ? body : ""));
}

bool http_client_header(const struct http_client *client, const char *name, char *out,
                        size_t out_bytes)
{
    size_t name_len = strlen(name);
    const char *line = strstr(client->answer, "\r\n");
    while (line && line + 2 < client->body) {
        line += 2;
        const char *end = strstr(line, "\r\n");
        if (!end || end == line)
            return false;
        if (strncasecmp(line, name, name_len) == 0 && line[name_len] == ':') {
            const char *value = line + name_len + 1;
            while (*value == ' ')
                value++;
            (void)snprintf(out, out_bytes, "%.*s", (int)(end - value), value);
            return true;
        }
        line = end;
    }
    return false;
}

double http_client_number(const struct http_client *client, const char *name, double fallback)
{
    char quoted[64];
    (void)snprintf(quoted, sizeof quoted, "\"%s\":", name);
    const char *at = client->body_len ? strstr(client->body, quoted) : NULL;
    return at ? strtod(at + strlen(quoted), NULL) : fallback;
}
