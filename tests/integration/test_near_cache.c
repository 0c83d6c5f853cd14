/* near_cache against a real server: never an entry whose key changed before the look. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "await.h"
#include "cutting_proxy.h"
#include "near_cache.h"
#include "redis_keys.h"
#include "test_command.h"

static struct test_redis server;

struct process {
    struct redis_client *client;
    struct near_cache *near;
};

static bool try_to_open(const char *socket_path, struct process *p)
{
    struct redis_options options = test_redis_options(&server);
    options.socket_path = socket_path;
    options.read_timeout_ms = options.write_timeout_ms = 3000;
    p->client = redis_client_new(&options);
    p->near = near_cache_new(p->client, 256, 4096);
    if (!redis_client_start(p->client))
        return false;
    for (int i = 0; i < 1000 && !near_cache_is_tracking(p->near); i++)
        (void)poll(NULL, 0, 5);
    return near_cache_is_tracking(p->near) && test_redis_await_connected(p->client, true, 5000);
}

static struct process open_process(const char *socket_path)
{
    struct process p;
    assert_true(try_to_open(socket_path, &p));
    return p;
}

static void close_process(struct process *p)
{
    redis_client_free(p->client);
    near_cache_free(p->near);
}

static int start(void **state)
{
    (void)state;
    test_redis_start(&server, NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    test_redis_stop(&server);
    return 0;
}

static bool look_once(struct process *p, const char *tag, struct near_ticket *ticket, char *value,
                      size_t bytes)
{
    struct strbuf out;
    strbuf_init(&out, bytes);
    bool found =
        near_cache_get(p->near, slice_from_string(tag), SLICE("n"), clock_mono_now(), &out, ticket);
    (void)snprintf(value, bytes, "%.*s", (int)out.len, out.len ? out.bytes : "");
    strbuf_release(&out);
    return found;
}

/* As long as Redis is late with its pong, nothing is found. */
static bool look(struct process *p, const char *tag, struct near_ticket *ticket, char *value,
                 size_t bytes)
{
    bool found;
    AWAIT((found = look_once(p, tag, ticket, value, bytes)) || ticket->epoch != 0);
    return found;
}

static void keep(struct process *p, const char *tag, const struct near_ticket *ticket,
                 const char *value)
{
    struct mono_time now = clock_mono_now();
    near_cache_put(p->near, ticket, slice_from_string(tag), SLICE("n"), slice_from_string(value),
                   now, mono_after_ms(now, 60000));
}

static void an_entry_is_found_until_a_tracked_key_of_its_tag_changes(void **state)
{
    (void)state;
    static const char *const changes[] = {"SET ra:meta:{cpu} 1", "APPEND ra:meta:{cpu} x",
                                          "DEL ra:meta:{cpu}", "SET ra:ext:{cpu} 1 PX 60000"};
    struct process p = open_process(server.socket_path);
    struct near_ticket ticket;
    char value[64];
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        assert_false(look(&p, "cpu", &ticket, value, sizeof value));
        keep(&p, "cpu", &ticket, "answer");
        assert_true(look(&p, "cpu", &ticket, value, sizeof value));
        assert_string_equal(value, "answer");
        test_command(&server, "SET ra:meta:{other} 1");
        test_command(&server, "SET untracked:{cpu} 1");
        assert_true(look(&p, "cpu", &ticket, value, sizeof value));
        test_command(&server, changes[i]);
        assert_false(look(&p, "cpu", &ticket, value, sizeof value));
    }
    close_process(&p);
}

static void a_change_of_many_types_makes_every_entry_stale(void **state)
{
    (void)state;
    struct process p = open_process(server.socket_path);
    struct near_ticket ticket;
    char value[64];
    for (int i = 0; i < 2; i++) {
        assert_false(look(&p, "cpu", &ticket, value, sizeof value));
        if (i == 0) /* and one that was under way */
            test_command(&server, "SET ra:meta:all ''");
        keep(&p, "cpu", &ticket, "answer");
        assert_int_equal(look(&p, "cpu", &ticket, value, sizeof value), i == 1);
    }
    test_command(&server, "SET ra:meta:all ''");
    assert_false(look(&p, "cpu", &ticket, value, sizeof value));
    close_process(&p);
}

/* False: it had expired by then. */
static bool keep_before_expiry(struct process *p)
{
    struct near_ticket ticket;
    char value[64];
    test_command(&server, "SET ra:ext:{e} 1 PX 50");
    assert_false(look(p, "e", &ticket, value, sizeof value));
    keep(p, "e", &ticket, "answer");
    return test_command_number(&server, "EXISTS ra:ext:{e}") == 1;
}

static void an_expired_key_makes_its_entry_stale(void **state)
{
    (void)state;
    struct process p = open_process(server.socket_path);
    struct near_ticket ticket;
    char value[64];
    AWAIT(keep_before_expiry(&p));
    AWAIT(!look(&p, "e", &ticket, value, sizeof value));
    close_process(&p);
}

static void a_flush_makes_every_entry_stale(void **state)
{
    (void)state;
    struct process p = open_process(server.socket_path);
    struct near_ticket ticket;
    char value[64];
    assert_false(look(&p, "f", &ticket, value, sizeof value));
    keep(&p, "f", &ticket, "answer");
    assert_true(look(&p, "f", &ticket, value, sizeof value));
    test_command(&server, "FLUSHALL");
    AWAIT(!look(&p, "f", &ticket, value, sizeof value));
    close_process(&p);
}

static void an_entry_made_before_a_change_is_not_kept_as_true(void **state)
{
    (void)state;
    struct process p = open_process(server.socket_path);
    struct near_ticket ticket, later;
    char value[64];
    assert_false(look(&p, "late", &ticket, value, sizeof value));
    test_command(&server, "SET ra:meta:{late} 1");
    assert_false(look(&p, "late", &later, value, sizeof value)); /* takes the message */
    keep(&p, "late", &ticket, "old");
    assert_false(look(&p, "late", &later, value, sizeof value));
    struct strbuf out;
    int64_t age_us = -1;
    strbuf_init(&out, 64);
    assert_true(
        near_cache_get_stale(p.near, SLICE("late"), SLICE("n"), clock_mono_now(), &out, &age_us));
    assert_true(age_us >= 0);
    strbuf_release(&out);
    close_process(&p);
}

static void what_is_no_longer_true_makes_way_whenever_the_next_was_made(void **state)
{
    (void)state;
    struct process p = open_process(server.socket_path);
    struct near_ticket ticket;
    char value[64];
    struct mono_time now = clock_mono_now(), end = mono_after_ms(now, 60000);
    assert_false(look(&p, "way", &ticket, value, sizeof value));
    near_cache_put(p.near, &ticket, SLICE("way"), SLICE("n"), SLICE("first"), now, end);
    struct mono_time before = {now.us - 1};
    near_cache_put(p.near, &ticket, SLICE("way"), SLICE("n"), SLICE("slower"), before, end);
    assert_true(look(&p, "way", &ticket, value, sizeof value));
    assert_string_equal(value, "first");

    test_command(&server, "SET ra:meta:{way} 1");
    assert_false(look(&p, "way", &ticket, value, sizeof value));
    near_cache_put(p.near, &ticket, SLICE("way"), SLICE("n"), SLICE("second"), before, now);
    assert_false(look(&p, "way", &ticket, value, sizeof value)); /* it has ended already */
    struct mono_time earlier = {now.us - 2};
    near_cache_put(p.near, &ticket, SLICE("way"), SLICE("n"), SLICE("third"), earlier, end);
    assert_true(look(&p, "way", &ticket, value, sizeof value));
    assert_string_equal(value, "third");
    close_process(&p);
}

static void an_entry_that_does_not_fit_is_not_found(void **state)
{
    (void)state;
    struct process p = open_process(server.socket_path);
    struct near_ticket ticket;
    char value[4];
    struct strbuf out;
    int64_t age_us;
    strbuf_init(&out, sizeof value);
    assert_false(look(&p, "fit", &ticket, value, sizeof value));
    keep(&p, "fit", &ticket, "answer");
    assert_false(look(&p, "fit", &ticket, value, sizeof value));
    assert_false(
        near_cache_get_stale(p.near, SLICE("fit"), SLICE("n"), clock_mono_now(), &out, &age_us));
    strbuf_release(&out);
    close_process(&p);
}

static void an_entry_ends_at_its_time(void **state)
{
    (void)state;
    struct process p = open_process(server.socket_path);
    struct near_ticket ticket;
    struct strbuf out;
    char value[64];
    strbuf_init(&out, 64);
    assert_false(look(&p, "timed", &ticket, value, sizeof value));
    struct mono_time now = clock_mono_now();
    near_cache_put(p.near, &ticket, SLICE("timed"), SLICE("n"), SLICE("x"), now,
                   mono_after_us(now, 100000));
    AWAIT(near_cache_get(p.near, SLICE("timed"), SLICE("n"), mono_after_us(now, 99999), &out,
                         &ticket));
    assert_false(near_cache_get(p.near, SLICE("timed"), SLICE("n"), mono_after_us(now, 100000),
                                &out, &ticket));
    strbuf_release(&out);
    close_process(&p);
}

static void a_lost_server_makes_everything_stale(void **state)
{
    (void)state;
    struct process p = open_process(server.socket_path);
    struct near_ticket ticket;
    char value[64];
    assert_false(look(&p, "lost", &ticket, value, sizeof value));
    keep(&p, "lost", &ticket, "answer");
    assert_true(look(&p, "lost", &ticket, value, sizeof value));
    test_redis_kill(&server);
    test_redis_restart(&server);
    AWAIT(near_cache_is_tracking(p.near));
    assert_false(look(&p, "lost", &ticket, value, sizeof value));
    close_process(&p);
}

static bool keep_until_found(struct process *p, const char *tag)
{
    struct near_ticket ticket;
    char value[64];
    for (int i = 0; i < 5000; i++) {
        if (look_once(p, tag, &ticket, value, sizeof value))
            return true;
        keep(p, tag, &ticket, "answer");
        if (look_once(p, tag, &ticket, value, sizeof value))
            return true;
        (void)poll(NULL, 0, 1); /* a long stop costs the connection */
    }
    return false;
}

/* How long an entry is believed whose change is swallowed on its way. */
static int64_t time_black_hole(struct cutting_proxy *proxy, const char *path)
{
    struct process p = open_process(path);
    struct near_ticket ticket;
    char value[64];
    assert_true(keep_until_found(&p, "hole"));
    cutting_proxy_swallow(proxy, 1);
    struct mono_time begin = clock_mono_now();
    test_command(&server, "SET ra:meta:{hole} 1");
    AWAIT(!look_once(&p, "hole", &ticket, value, sizeof value));
    int64_t took_ms = ms_since(begin);
    cutting_proxy_swallow(proxy, 0);
    AWAIT(near_cache_is_tracking(p.near));
    assert_false(look_once(&p, "hole", &ticket, value, sizeof value));
    close_process(&p);
    return took_ms;
}

static void a_black_hole_is_noticed_within_a_second(void **state)
{
    (void)state;
    enum { LIMIT_MS = 1100 };
    char path[128];
    (void)snprintf(path, sizeof path, "%s/hole.sock", server.folder);
    struct cutting_proxy *proxy = cutting_proxy_new(path, server.socket_path);
    int64_t fastest_ms = INT64_MAX; /* of several: a busy machine may be late */
    for (int i = 0; i < 5 && fastest_ms > LIMIT_MS; i++) {
        int64_t ms = time_black_hole(proxy, path);
        fastest_ms = ms < fastest_ms ? ms : fastest_ms;
    }
    assert_in_range(fastest_ms, 0, LIMIT_MS);
    cutting_proxy_free(proxy);
}

/* --- write, then look ------------------------------------------------------------------ */

enum { PAIRS = 5000, WRITERS = 4 };

struct writer {
    pthread_t thread;
    struct process *process; /* where it looks */
    int id;
    int stale;
    int found;
};

static int raw_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", server.socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        return -1;
    return fd;
}

/* Write over a socket of its own and, the moment the reply is there, look: an entry that
 * does not know of that write is late. */
static void *write_then_look(void *argument)
{
    struct writer *w = argument;
    int fd = raw_connect();
    char tag[16], text[64], value[64], answer[64];
    (void)snprintf(tag, sizeof tag, "w%d", w->id);
    for (int i = 0; i < PAIRS && fd >= 0; i++) {
        struct near_ticket ticket;
        bool had = look_once(w->process, tag, &ticket, value, sizeof value);
        if (!had) {
            (void)snprintf(value, sizeof value, "%d", i);
            keep(w->process, tag, &ticket, value);
        }
        int len = snprintf(text, sizeof text, "SET ra:meta:{%s} %d\r\n", tag, i);
        if (write(fd, text, (size_t)len) != len || read(fd, answer, sizeof answer) <= 0) {
            w->stale++;
            break;
        }
        w->stale += look_once(w->process, tag, &ticket, value, sizeof value);
        keep(w->process, tag, &ticket, "fresh");
        w->found += look_once(w->process, tag, &ticket, value, sizeof value);
    }
    if (fd < 0)
        w->stale = PAIRS;
    else
        (void)close(fd);
    return NULL;
}

static void a_look_after_a_write_never_finds_the_old(void **state)
{
    (void)state;
    struct process processes[2] = {open_process(server.socket_path),
                                   open_process(server.socket_path)};
    struct writer writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.process = &processes[i % 2], .id = i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_then_look, &writers[i]), 0);
    }
    int stale = 0, found = 0;
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
        stale += writers[i].stale;
        found += writers[i].found;
    }
    assert_int_equal(stale, 0);
    /* And it is a cache: what was kept after the write is found. */
    assert_in_range(found, WRITERS * PAIRS / 2, WRITERS * PAIRS);
    close_process(&processes[0]);
    close_process(&processes[1]);
}

/* Many undrained messages in the socket: the rule of the PING. */
static void a_backlog_of_messages_is_read_to_its_end(void **state)
{
    (void)state;
    struct process p = open_process(server.socket_path);
    int fd = raw_connect();
    assert_true(fd >= 0);
    int late = 0;
    for (int round = 0; round < 30; round++) {
        struct near_ticket ticket;
        char value[64];
        (void)look(&p, "deep", &ticket, value, sizeof value);
        keep(&p, "deep", &ticket, "answer");
        char text[64];
        int replies = 0;
        for (int i = 0; i < 900; i++) {
            int len = snprintf(text, sizeof text, "SET ra:meta:{deep%d} 1\r\n", i);
            assert_int_equal(write(fd, text, (size_t)len), len);
        }
        int len = snprintf(text, sizeof text, "SET ra:meta:{deep} 1\r\n");
        assert_int_equal(write(fd, text, (size_t)len), len);
        char answers[8192];
        while (replies < 901 * 5) {
            ssize_t n = read(fd, answers, sizeof answers);
            assert_true(n > 0);
            replies += (int)n;
        }
        late += look(&p, "deep", &ticket, value, sizeof value);
    }
    assert_int_equal(late, 0);
    (void)close(fd);
    close_process(&p);
}

/* --- A process that was stopped ---------------------------------------------------------- */

enum { ROUNDS = 20, MISSED_WRITES = 1500 };

struct reader {
    pid_t pid;
    int orders, reports;
};

/* The child: for each byte 'k' keeps an entry, for each 'l' looks for it, until the end. */
static _Noreturn void read_as_told(int orders, int reports)
{
    struct process p;
    char order;
    if (!try_to_open(server.socket_path, &p)) /* an assertion would go on with the tests */
        _exit(1);
    while (read(orders, &order, 1) == 1) {
        struct near_ticket ticket;
        char value[64];
        bool found = order == 'k' ? keep_until_found(&p, "deep")
                                  : look_once(&p, "deep", &ticket, value, sizeof value);
        if (write(reports, found ? "y" : "n", 1) != 1)
            break;
    }
    _exit(0);
}

static struct reader start_reader(void)
{
    int orders[2], reports[2];
    assert_int_equal(pipe(orders), 0);
    assert_int_equal(pipe(reports), 0);
    pid_t test = getpid();
    struct reader reader = {fork(), orders[1], reports[0]};
    assert_true(reader.pid >= 0);
    if (reader.pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)close(orders[1]);
        if (getppid() == test)
            read_as_told(orders[0], reports[1]);
        _exit(1);
    }
    (void)close(orders[0]);
    (void)close(reports[1]);
    return reader;
}

static void end_reader(const struct reader *reader)
{
    (void)kill(reader->pid, SIGKILL);
    (void)waitpid(reader->pid, NULL, 0);
    (void)close(reader->orders);
    (void)close(reader->reports);
}

static bool report(const struct reader *reader)
{
    char byte = 0;
    assert_int_equal(read(reader->reports, &byte, 1), 1);
    return byte == 'y';
}

static void write_key(int fd, const char *tag)
{
    char text[64], answer[64];
    int len = snprintf(text, sizeof text, "SET ra:meta:{%s} 1\r\n", tag);
    assert_int_equal(write(fd, text, (size_t)len), len);
    assert_true(read(fd, answer, sizeof answer) > 0);
}

/* More messages than one read takes wait for it, and the last one is about its entry. */
static bool finds_after_a_stop(const struct reader *reader, int fd)
{
    assert_int_equal(write(reader->orders, "k", 1), 1);
    assert_true(report(reader));
    assert_int_equal(kill(reader->pid, SIGSTOP), 0);
    assert_int_equal(waitpid(reader->pid, NULL, WUNTRACED), reader->pid);
    for (int i = 1; i < MISSED_WRITES; i++) {
        char tag[24];
        (void)snprintf(tag, sizeof tag, "other%d", i);
        write_key(fd, tag);
    }
    write_key(fd, "deep");
    assert_int_equal(write(reader->orders, "l", 1), 1);
    assert_int_equal(kill(reader->pid, SIGCONT), 0);
    return report(reader);
}

/* Redis holds back what the socket does not take: the rule of the PING. */
static void a_look_after_a_stop_never_finds_the_old(void **state)
{
    (void)state;
    struct reader reader = start_reader();
    int fd = raw_connect();
    int late = 0;
    for (int round = 0; round < ROUNDS; round++)
        late += finds_after_a_stop(&reader, fd);
    (void)close(fd);
    end_reader(&reader);
    assert_int_equal(late, 0);
}

static void the_number_of_entries_is_bounded(void **state)
{
    (void)state;
    struct process p = open_process(server.socket_path);
    struct near_ticket ticket;
    char value[64], tag[16];
    int found = 0;
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(tag, sizeof tag, "t%d", i);
        (void)look(&p, tag, &ticket, value, sizeof value);
        keep(&p, tag, &ticket, "v");
    }
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(tag, sizeof tag, "t%d", i);
        found += look(&p, tag, &ticket, value, sizeof value);
    }
    assert_in_range(found, 128, 256);
    close_process(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_found_until_a_tracked_key_of_its_tag_changes),
        cmocka_unit_test(a_change_of_many_types_makes_every_entry_stale),
        cmocka_unit_test(an_expired_key_makes_its_entry_stale),
        cmocka_unit_test(a_flush_makes_every_entry_stale),
        cmocka_unit_test(an_entry_made_before_a_change_is_not_kept_as_true),
        cmocka_unit_test(what_is_no_longer_true_makes_way_whenever_the_next_was_made),
        cmocka_unit_test(an_entry_that_does_not_fit_is_not_found),
        cmocka_unit_test(an_entry_ends_at_its_time),
        cmocka_unit_test(a_lost_server_makes_everything_stale),
        cmocka_unit_test(a_black_hole_is_noticed_within_a_second),
        cmocka_unit_test(a_look_after_a_write_never_finds_the_old),
        cmocka_unit_test(a_backlog_of_messages_is_read_to_its_end),
        cmocka_unit_test(a_look_after_a_stop_never_finds_the_old),
        cmocka_unit_test(the_number_of_entries_is_bounded),
    };
    return cmocka_run_group_tests_name("near_cache", tests, start, stop);
}
