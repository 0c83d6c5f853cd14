/*
 * fsync_time: what one fdatasync costs here.
 *
 *   fsync_time FOLDER [COUNT]     append 128 bytes and fdatasync, COUNT times (500)
 *
 * Prints "p50_us p99_us".
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    enum { COUNT_MAX = 10000 };
    static int64_t times[COUNT_MAX];
    if (argc < 2)
        return 2;
    int count = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 500;
    if (count < 1 || count > COUNT_MAX)
        return 2;
    char path[4096], bytes[128] = {0};
    (void)snprintf(path, sizeof path, "%s/fsync_time.tmp", argv[1]);
    int fd = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) {
        perror(path);
        return 1;
    }
    for (int i = 0; i < count; i++) {
        struct mono_time start = clock_mono_now();
        if (write(fd, bytes, sizeof bytes) != (ssize_t)sizeof bytes || fdatasync(fd) != 0)
            return 1;
        times[i] = mono_us_between(start, clock_mono_now());
    }
    (void)close(fd);
    (void)unlink(path);
    qsort(times, (size_t)count, sizeof *times, compare);
    (void)printf("%lld %lld\n", (long long)times[count / 2], (long long)times[count * 99 / 100]);
    return 0;
}
