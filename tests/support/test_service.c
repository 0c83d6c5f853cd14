#include "test_service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
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

enum { EXIT_MS = 30000 }; /* that it does not hang, on a busy machine */

void test_service_find_binary(char *path, size_t size)
{
    ssize_t len = readlink("/proc/self/exe", path, size - 1);
    assert_true(len > 0);
    path[len] = '\0';
    for (int i = 0; i < 3; i++) /* build/MODE/tests/integration/test_x */
        *strrchr(path, '/') = '\0';
    assert_true(strlen(path) + sizeof "/analytics.fcgi" <= size);
    memcpy(path + strlen(path), "/analytics.fcgi", sizeof "/analytics.fcgi");
}

static int listen_at(const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 512), 0);
    return fd;
}

void test_service_start_binary(struct test_service *s, const char *binary,
                               const char *const settings[])
{
    (void)snprintf(s->folder, sizeof s->folder, "/tmp/test_service.XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    (void)snprintf(s->socket_path, sizeof s->socket_path, "%s/socket", s->folder);
    (void)snprintf(s->log_path, sizeof s->log_path, "%s/log", s->folder);
    int listening = listen_at(s->socket_path);
    char redis[128];
    (void)snprintf(redis, sizeof redis, "REDIS_SOCKET=%s/no-redis", s->folder);
    pid_t test = getpid();
    s->master = fork();
    if (s->master != 0) {
        assert_true(s->master > 0);
        (void)close(listening);
        return;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    int log = open(s->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (getppid() != test || log < 0 || dup2(listening, 0) < 0 || dup2(log, 2) < 0)
        _exit(126);
    (void)putenv(redis);
    (void)setenv("WORKERS", "2", 1);
    (void)setenv("THREADS", "4", 1);
    for (size_t i = 0; settings && settings[i]; i++)
        (void)putenv((char *)(uintptr_t)settings[i]);
    (void)execl(binary, binary, (char *)NULL);
    _exit(127);
}

void test_service_start(struct test_service *s, const char *const settings[])
{
    char binary[4096];
    test_service_find_binary(binary, sizeof binary);
    test_service_start_binary(s, binary, settings);
}

int test_service_await_exit(struct test_service *s, struct rusage *usage)
{
    int status;
    for (int i = 0; i < EXIT_MS; i++) {
        if (wait4(s->master, &status, WNOHANG, usage) == s->master) {
            s->master = 0;
            return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
        }
        (void)poll(NULL, 0, 1);
    }
    return -1;
}

size_t test_service_count_in_log(const struct test_service *s, const char *text)
{
    static char log[1 << 20];
    int fd = open(s->log_path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, log, sizeof log - 1) : 0;
    if (fd >= 0)
        (void)close(fd);
    log[len > 0 ? len : 0] = '\0';
    size_t count = 0;
    for (const char *at = log; (at = strstr(at, text)); at++)
        count++;
    return count;
}

bool test_service_release(struct test_service *s)
{
    struct rusage usage;
    if (s->stopped > 0)
        (void)kill(s->stopped, SIGCONT);
    if (s->master > 0) {
        (void)kill(s->master, SIGTERM);
        if (test_service_await_exit(s, &usage) < 0) {
            (void)kill(s->master, SIGKILL);
            (void)waitpid(s->master, NULL, 0);
        }
    }
    if (test_service_count_in_log(s, "Sanitizer") > 0) {
        (void)fprintf(stderr, "see %s\n", s->log_path);
        return false;
    }
    (void)unlink(s->socket_path);
    (void)unlink(s->log_path);
    (void)rmdir(s->folder);
    return true;
}

size_t test_service_workers(const struct test_service *s, pid_t *pids)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)s->master,
                   (long)s->master);
    char list[256] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t len = read(fd, list, sizeof list - 1);
        list[len > 0 ? len : 0] = '\0';
        (void)close(fd);
    }
    size_t count = 0;
    char *at = list, *end;
    for (long pid; count < TEST_SERVICE_WORKERS_MAX && (pid = strtol(at, &end, 10)) > 0; at = end)
        pids[count++] = (pid_t)pid;
    return count;
}
