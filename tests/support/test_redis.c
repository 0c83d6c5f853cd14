#include "test_redis.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONNECT_MS = 20000 }; /* that it does not hang, on a busy machine */

static _Noreturn void give_up(const char *what)
{
    (void)fprintf(stderr, "test_redis: %s\n", what);
    exit(99);
}

static void nap_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

void test_redis_spawn(struct test_redis *redis)
{
    const char *args[48] = {"redis-server",
                            "--port",
                            "0",
                            "--unixsocket",
                            redis->socket_path,
                            "--dir",
                            redis->folder,
                            "--appendonly",
                            "yes",
                            "--save",
                            "",
                            "--logfile",
                            "redis.log",
                            "--appendfsync",
                            "everysec"};
    size_t n = 15;
    for (size_t i = 0; redis->extra_args[i]; i++)
        args[n++] = redis->extra_args[i];
    pid_t parent = getpid();
    redis->pid = fork();
    if (redis->pid < 0)
        give_up("fork failed");
    if (redis->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        (void)execvp(args[0], (char *const *)args);
        _exit(127);
    }
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* Whether `text` holds the whole of a reply (of an array, its first read). */
static bool is_whole(const char *text, size_t len)
{
    const char *end = strstr(text, "\r\n");
    if (!end)
        return false;
    if (text[0] != '$')
        return true;
    long size = strtol(text + 1, NULL, 10);
    return size < 0 || len >= (size_t)(end - text) + 4 + (size_t)size;
}

bool test_redis_command(const struct test_redis *redis, char *out, size_t out_bytes,
                        const char *command)
{
    int fd = connect_to(redis->socket_path);
    if (fd < 0)
        return false;
    struct timeval limit = {.tv_sec = 5};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    char line[4096];
    int len = snprintf(line, sizeof line, "%s\r\n", command);
    bool ok = len > 0 && write(fd, line, (size_t)len) == len;
    size_t used = 0;
    out[0] = '\0';
    while (ok && used + 1 < out_bytes && !is_whole(out, used)) {
        ssize_t n = read(fd, out + used, out_bytes - 1 - used);
        ok = n > 0;
        used += ok ? (size_t)n : 0;
        out[used] = '\0';
    }
    (void)close(fd);
    if (!ok)
        return false;
    bool is_error = out[0] == '-';
    const char *body = out[0] == '$' ? strstr(out, "\r\n") + 2 : out[0] == '*' ? out : out + 1;
    memmove(out, body, strlen(body) + 1);
    for (size_t last = strlen(out); last > 0 && (out[last - 1] == '\n' || out[last - 1] == '\r');)
        out[--last] = '\0';
    return !is_error;
}

static void await_ready(struct test_redis *redis)
{
    char answer[128];
    for (int i = 0; i < 1000; i++) {
        if (test_redis_command(redis, answer, sizeof answer, "PING"))
            return;
        if (waitpid(redis->pid, NULL, WNOHANG) == redis->pid)
            give_up("redis-server ended at start");
        nap_ms(10);
    }
    give_up("redis-server did not answer in 10 s");
}

void test_redis_start(struct test_redis *redis, const char *const extra_args[])
{
    memset(redis, 0, sizeof *redis);
    const char *root = getenv("TMPDIR");
    (void)snprintf(redis->folder, sizeof redis->folder, "%s/ra-redis-XXXXXX",
                   root && strlen(root) < 40 ? root : "/tmp");
    if (!mkdtemp(redis->folder))
        give_up("no temporary folder");
    (void)snprintf(redis->socket_path, sizeof redis->socket_path, "%s/redis.sock", redis->folder);
    for (size_t i = 0; extra_args && extra_args[i]; i++) {
        if (i + 1 >= sizeof redis->extra_args / sizeof *redis->extra_args)
            give_up("too many options");
        redis->extra_args[i] = strdup(extra_args[i]);
    }
    test_redis_spawn(redis);
    await_ready(redis);
}

/* Free a moment ago: the kernel gives the ports that it picks in turn. */
static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        perror("test_redis: no free port");
        exit(99);
    }
    (void)close(fd);
    return ntohs(address.sin_port);
}

uint16_t test_redis_start_tcp(struct test_redis *redis)
{
    char text[8];
    uint16_t port = free_port();
    (void)snprintf(text, sizeof text, "%u", (unsigned)port);
    test_redis_start(redis, (const char *const[]){"--port", text, "--bind", "127.0.0.1", NULL});
    return port;
}

void test_redis_restart(struct test_redis *redis)
{
    test_redis_spawn(redis);
    await_ready(redis);
}

void test_redis_kill(struct test_redis *redis)
{
    if (redis->pid <= 0)
        return;
    (void)kill(redis->pid, SIGKILL);
    (void)waitpid(redis->pid, NULL, 0);
    redis->pid = 0;
}

void test_redis_pause(struct test_redis *redis)
{
    (void)kill(redis->pid, SIGSTOP);
}

void test_redis_resume(struct test_redis *redis)
{
    (void)kill(redis->pid, SIGCONT);
}

static void remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir) {
        (void)unlink(path);
        return;
    }
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char child[512];
        (void)snprintf(child, sizeof child, "%s/%s", path, entry->d_name);
        remove_tree(child);
    }
    (void)closedir(dir);
    (void)rmdir(path);
}

void test_redis_stop(struct test_redis *redis)
{
    test_redis_kill(redis);
    remove_tree(redis->folder);
    for (size_t i = 0; redis->extra_args[i]; i++) {
        free(redis->extra_args[i]);
        redis->extra_args[i] = NULL;
    }
}

struct redis_options test_redis_options(const struct test_redis *redis)
{
    return (struct redis_options){.socket_path = redis->socket_path,
                                  .key_prefix = "ra:",
                                  .read_timeout_ms = 100,
                                  .write_timeout_ms = 1000,
                                  .queue_max = 1024};
}

bool test_redis_await_connected(struct redis_client *client, bool wanted, int timeout_ms)
{
    struct mono_time end = mono_after_ms(clock_mono_now(), timeout_ms);
    while (redis_client_is_connected(client) != wanted) {
        if (!mono_is_before(clock_mono_now(), end))
            return false;
        nap_ms(2);
    }
    return true;
}

struct redis_client *test_redis_client(const struct test_redis *redis)
{
    struct redis_options options = test_redis_options(redis);
    options.read_timeout_ms = 2000; /* a sanitizer on a busy machine is slow */
    options.write_timeout_ms = 5000;
    struct redis_client *client = redis_client_new(&options);
    if (!client || !redis_client_start(client))
        give_up("no client");
    if (!test_redis_await_connected(client, true, CONNECT_MS))
        give_up("the client did not connect");
    return client;
}
