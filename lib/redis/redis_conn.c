#include "redis_conn.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "counters.h"
#include "log.h"
#include "number.h"
#include "redis_keys.h"
#include "redis_schema.h"

enum {
    PAUSE_FIRST_MS = 20,
    PAUSE_MAX_MS = 1000,
    READY_WITHIN_MS = 1000,
    OUT_BYTES_MAX = 64 << 20,
    READ_BYTES = 64 << 10,
    READS_PER_TURN = 16, /* then others get their turn */
};

static const char *const role_names[] = {"write", "read", "tracking"};

void redis_conn_init(struct redis_conn *conn, enum redis_role role,
                     const struct redis_options *options, atomic_int *durability, int wake_fd)
{
    *conn = (struct redis_conn){
        .role = role,
        .options = options,
        .durability = durability,
        .wake_fd = wake_fd,
        .fd = -1,
    };
    strbuf_init(&conn->out, OUT_BYTES_MAX);
}

static void close_socket(struct redis_conn *conn)
{
    if (conn->fd >= 0)
        (void)close(conn->fd);
    conn->fd = -1;
    if (conn->reader)
        redisReaderFree(conn->reader);
    conn->reader = NULL;
    redis_resolver_free(conn->resolver);
    conn->resolver = NULL;
    strbuf_release(&conn->out);
    conn->out_sent = 0;
}

void redis_conn_release(struct redis_conn *conn)
{
    close_socket(conn);
    conn->state = REDIS_CONN_DOWN;
}

static int64_t pause_us(unsigned failures)
{
    int64_t ms = PAUSE_MAX_MS;
    if (failures < 8 && (PAUSE_FIRST_MS << failures) < PAUSE_MAX_MS)
        ms = PAUSE_FIRST_MS << failures;
    int64_t us = ms * 1000;
    return us / 2 + (int64_t)arc4random_uniform((uint32_t)(us / 2));
}

void redis_conn_fail(struct redis_conn *conn, struct mono_time now, bool pause, const char *cause)
{
    if (!conn->was_lost) {
        conn->was_lost = true;
        LOG_EVENT(LOG_WARNING, "redis_lost", LOG_TEXT("connection", role_names[conn->role]),
                  LOG_TEXT("cause", cause));
    } else {
        LOG_EVENT(LOG_DEBUG, "redis_attempt_failed", LOG_TEXT("connection", role_names[conn->role]),
                  LOG_TEXT("cause", cause));
    }
    close_socket(conn);
    conn->state = REDIS_CONN_DOWN;
    conn->has_worked = false;
    conn->retry_at = now;
    /* Another address of the same name is worth trying at once. */
    if (conn->next_address < conn->addresses.count)
        return;
    conn->addresses.count = conn->next_address = 0;
    if (pause) {
        conn->retry_at = mono_after_us(now, pause_us(conn->failures));
        conn->failures++;
    }
}

void redis_conn_queue(struct redis_conn *conn, const char *bytes, size_t len)
{
    strbuf_append(&conn->out, bytes, len);
    conn->queued_bytes += len;
}

/* --- handshake ---------------------------------------------------------------- */

static void say(struct redis_conn *conn, size_t argc, const struct slice *argv)
{
    const char *texts[8];
    size_t lengths[8];
    for (size_t i = 0; i < argc; i++) {
        texts[i] = argv[i].ptr;
        lengths[i] = argv[i].len;
    }
    char *command = NULL;
    int len = redisFormatCommandArgv(&command, (int)argc, texts, lengths);
    if (len <= 0) {
        conn->out.failed = true;
        return;
    }
    redis_conn_queue(conn, command, (size_t)len);
    redisFreeCommand(command);
    conn->expected_replies++;
}

#define SAY(conn, ...)                                                                             \
    say((conn), sizeof((struct slice[]){__VA_ARGS__}) / sizeof(struct slice),                      \
        (struct slice[]){__VA_ARGS__})

static bool is_set(const char *text)
{
    return text && text[0] != '\0';
}

static void say_who_we_are(struct redis_conn *conn)
{
    const struct redis_options *o = conn->options;
    if (is_set(o->password) && is_set(o->username))
        SAY(conn, SLICE("AUTH"), slice_from_string(o->username), slice_from_string(o->password));
    else if (is_set(o->password))
        SAY(conn, SLICE("AUTH"), slice_from_string(o->password));
}

static void begin_handshake(struct redis_conn *conn, struct mono_time now)
{
    conn->state = REDIS_CONN_HANDSHAKE;
    conn->heard_at = now;
    conn->expected_replies = conn->reply_index = 0;
    say_who_we_are(conn);
    if (conn->role == REDIS_ROLE_TRACKING) {
        SAY(conn, SLICE("CLIENT"), SLICE("ID"));
        return;
    }
    if (conn->options->db != 0) {
        char db[16];
        (void)snprintf(db, sizeof db, "%u", conn->options->db);
        SAY(conn, SLICE("SELECT"), slice_from_string(db));
    }
    for (int script = 0; script < REDIS_SCRIPT_COUNT; script++)
        SAY(conn, SLICE("SCRIPT"), SLICE("LOAD"), redis_script_source((enum redis_script)script));
    struct redis_key schema;
    redis_key_global(&schema, slice_from_string(conn->options->key_prefix), "schema");
    if (conn->role == REDIS_ROLE_WRITE) {
        SAY(conn, SLICE("CONFIG"), SLICE("GET"), SLICE("*append*"));
        SAY(conn, SLICE("SETNX"), redis_key_slice(&schema), SLICE(REDIS_SCHEMA_TEXT));
    }
    SAY(conn, SLICE("GET"), redis_key_slice(&schema));
    SAY(conn, SLICE("PING"));
}

/* Second part for tracking, once our own id is known. */
static void begin_tracking(struct redis_conn *conn, int64_t id)
{
    char id_text[24], meta[REDIS_PREFIX_BYTES_MAX + 8], external[REDIS_PREFIX_BYTES_MAX + 8];
    (void)snprintf(id_text, sizeof id_text, "%lld", (long long)id);
    (void)snprintf(meta, sizeof meta, "%smeta:", conn->options->key_prefix);
    (void)snprintf(external, sizeof external, "%sext:", conn->options->key_prefix);
    const char *texts[] = {"CLIENT", "TRACKING", "ON", "REDIRECT", id_text,
                           "BCAST",  "PREFIX",   meta, "PREFIX",   external};
    char *command = NULL;
    int len = redisFormatCommandArgv(&command, (int)(sizeof texts / sizeof *texts), texts, NULL);
    if (len > 0) {
        redis_conn_queue(conn, command, (size_t)len);
        redisFreeCommand(command);
    } else {
        conn->out.failed = true;
    }
    conn->expected_replies++;
    SAY(conn, SLICE("SUBSCRIBE"), SLICE("__redis__:invalidate"));
}

static enum redis_durability durability_of(const redisReply *config)
{
    bool is_on = false, is_paused = false; /* no fsync while a child saves or rewrites */
    enum redis_durability fsync = REDIS_DURABILITY_UNKNOWN;
    for (size_t i = 0; i + 1 < redis_reply_count(config); i += 2) {
        struct slice name, value;
        if (!redis_reply_bytes_at(config, i, &name) || !redis_reply_bytes_at(config, i + 1, &value))
            continue;
        if (slice_equals(name, SLICE("no-appendfsync-on-rewrite")))
            is_paused = slice_equals(value, SLICE("yes"));
        else if (slice_equals(name, SLICE("appendonly")))
            is_on = slice_equals(value, SLICE("yes"));
        else if (slice_equals(name, SLICE("appendfsync")))
            fsync = slice_equals(value, SLICE("always"))     ? REDIS_DURABILITY_ALWAYS
                    : slice_equals(value, SLICE("everysec")) ? REDIS_DURABILITY_EVERYSEC
                                                             : REDIS_DURABILITY_NONE;
    }
    if (fsync == REDIS_DURABILITY_UNKNOWN)
        return fsync;
    return is_on && !is_paused ? fsync : REDIS_DURABILITY_NONE;
}

static void become_ready(struct redis_conn *conn)
{
    conn->state = REDIS_CONN_READY;
    conn->was_lost = false;
    conn->next_address = 0;
    conn->addresses.count = 0;
    counter_add(COUNTER_REDIS_CONNECTS, 1);
    LOG_EVENT(LOG_INFO, "redis_connected", LOG_TEXT("connection", role_names[conn->role]));
}

/* The answers whose place in the pipeline matters are counted from its end. */
static bool accept_facts(struct redis_conn *conn, const redisReply *reply, unsigned from_end,
                         char *cause, size_t cause_bytes)
{
    if (from_end == 4 && conn->durability)
        atomic_store(conn->durability, durability_of(reply));
    struct slice schema;
    int64_t version;
    if (from_end != 2 || !redis_reply_bytes(reply, &schema))
        return true;
    if (number_parse_int64(schema, REDIS_SCHEMA, REDIS_SCHEMA, &version))
        return true;
    (void)snprintf(cause, cause_bytes,
                   "the data's layout is version %.*s; this program knows %d alone",
                   (int)(schema.len < 20 ? schema.len : 20), schema.ptr, REDIS_SCHEMA);
    return false;
}

static void accept_handshake_reply(struct redis_conn *conn, const redisReply *reply,
                                   struct mono_time now)
{
    unsigned from_end = conn->expected_replies - conn->reply_index;
    conn->reply_index++;
    /* CONFIG may be forbidden; SETNX fails on a full or read-only server, which reads all
     * the same. Everything else has to succeed. */
    bool may_fail = conn->role == REDIS_ROLE_WRITE && (from_end == 4 || from_end == 3);
    char cause[160];
    struct slice text;
    if (redis_reply_error(reply, &text) && !may_fail) {
        (void)snprintf(cause, sizeof cause, "%.*s", (int)(text.len < 150 ? text.len : 150),
                       text.ptr);
        redis_conn_fail(conn, now, true, cause);
        return;
    }
    if (conn->role != REDIS_ROLE_TRACKING &&
        !accept_facts(conn, reply, from_end, cause, sizeof cause)) {
        redis_conn_fail(conn, now, true, cause);
        return;
    }
    int64_t id;
    if (conn->role == REDIS_ROLE_TRACKING && redis_reply_integer(reply, &id)) {
        begin_tracking(conn, id);
        redis_conn_flush(conn, now);
    } else if (conn->reply_index == conn->expected_replies) {
        become_ready(conn);
    }
}

/* --- connecting --------------------------------------------------------------- */

static void connected(struct redis_conn *conn, struct mono_time now)
{
    conn->reader = redisReaderCreate();
    if (!conn->reader) {
        redis_conn_fail(conn, now, true, "out of memory");
        return;
    }
    conn->queued_bytes = conn->written_bytes = 0;
    begin_handshake(conn, now);
    redis_conn_flush(conn, now);
}

static void connect_to(struct redis_conn *conn, const struct sockaddr *address, socklen_t len,
                       struct mono_time now)
{
    conn->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0) {
        redis_conn_fail(conn, now, true, strerrordesc_np(errno));
        return;
    }
    if (address->sa_family != AF_UNIX) {
        int on = 1;
        (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    conn->state = REDIS_CONN_CONNECTING;
    if (connect(conn->fd, address, len) == 0)
        connected(conn, now);
    else if (errno != EINPROGRESS)
        redis_conn_fail(conn, now, true, strerrordesc_np(errno));
}

static void connect_next_address(struct redis_conn *conn, struct mono_time now)
{
    if (conn->addresses.count == 0) {
        redis_conn_fail(conn, now, true, "the host name does not resolve");
        return;
    }
    size_t i = conn->next_address++;
    connect_to(conn, (const struct sockaddr *)&conn->addresses.list[i], conn->addresses.lengths[i],
               now);
}

static void start_attempt(struct redis_conn *conn, struct mono_time now)
{
    const struct redis_options *o = conn->options;
    conn->ready_by = mono_after_ms(now, READY_WITHIN_MS);
    if (is_set(o->socket_path)) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", o->socket_path);
        connect_to(conn, (const struct sockaddr *)&address, sizeof address, now);
    } else if (conn->next_address < conn->addresses.count) {
        connect_next_address(conn, now);
    } else {
        conn->resolver = redis_resolver_new(o->host, o->port, conn->wake_fd);
        if (conn->resolver)
            conn->state = REDIS_CONN_RESOLVING;
        else
            redis_conn_fail(conn, now, true, "no thread to resolve the host name");
    }
}

void redis_conn_tick(struct redis_conn *conn, struct mono_time now)
{
    if (conn->state == REDIS_CONN_READY)
        return;
    if (conn->state == REDIS_CONN_DOWN) {
        if (!mono_is_before(now, conn->retry_at))
            start_attempt(conn, now);
        return;
    }
    if (conn->state == REDIS_CONN_RESOLVING &&
        redis_resolver_poll(conn->resolver, &conn->addresses)) {
        redis_resolver_free(conn->resolver);
        conn->resolver = NULL;
        conn->next_address = 0;
        conn->ready_by = mono_after_ms(now, READY_WITHIN_MS);
        connect_next_address(conn, now);
        return;
    }
    if (mono_is_before(now, conn->ready_by))
        return;
    if (conn->state == REDIS_CONN_RESOLVING) {
        /* A resolver may ask a dead server first (5 s): its answer is worth waiting for, but
         * no call waits with us. */
        if (conn->failures++ == 0)
            LOG_EVENT(LOG_WARNING, "redis_name_slow",
                      LOG_TEXT("connection", role_names[conn->role]),
                      LOG_TEXT("host", conn->options->host));
        conn->ready_by = mono_after_ms(now, READY_WITHIN_MS);
    } else {
        redis_conn_fail(conn, now, true, "no answer within a second");
    }
}

struct mono_time redis_conn_wakeup(const struct redis_conn *conn)
{
    if (conn->state == REDIS_CONN_READY)
        return (struct mono_time){INT64_MAX};
    return conn->state == REDIS_CONN_DOWN ? conn->retry_at : conn->ready_by;
}

/* --- bytes ---------------------------------------------------------------------- */

short redis_conn_events(const struct redis_conn *conn)
{
    if (conn->fd < 0)
        return 0;
    if (conn->state == REDIS_CONN_CONNECTING)
        return POLLOUT;
    return (short)(POLLIN | (conn->out.len > conn->out_sent ? POLLOUT : 0));
}

void redis_conn_flush(struct redis_conn *conn, struct mono_time now)
{
    if (conn->fd < 0)
        return;
    if (strbuf_failed(&conn->out)) {
        redis_conn_fail(conn, now, true, "too much to send");
        return;
    }
    while (conn->out_sent < conn->out.len) {
        ssize_t n = send(conn->fd, conn->out.bytes + conn->out_sent, conn->out.len - conn->out_sent,
                         MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (n < 0) {
            redis_conn_fail(conn, now, true, strerrordesc_np(errno));
            return;
        }
        conn->out_sent += (size_t)n;
        conn->written_bytes += (uint64_t)n;
    }
    conn->out_sent = 0;
    strbuf_reset_keeping(&conn->out, READ_BYTES);
}

size_t redis_conn_read(struct redis_conn *conn, struct mono_time now)
{
    char bytes[READ_BYTES];
    size_t total = 0;
    for (int turn = 0; turn < READS_PER_TURN && conn->fd >= 0; turn++) {
        ssize_t n = recv(conn->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (n <= 0) {
            /* What worked a moment ago is tried again at once, without a pause. */
            redis_conn_fail(conn, now, !conn->has_worked,
                            n == 0 ? "closed by Redis" : strerrordesc_np(errno));
            break;
        }
        total += (size_t)n;
        conn->heard_at = now;
        if (redisReaderFeed(conn->reader, bytes, (size_t)n) != REDIS_OK) {
            redis_conn_fail(conn, now, true, "out of memory");
            break;
        }
        if ((size_t)n < sizeof bytes)
            break;
    }
    return total;
}

struct redisReply *redis_conn_next(struct redis_conn *conn, struct mono_time now)
{
    void *reply = NULL;
    if (!conn->reader)
        return NULL;
    if (redisReaderGetReply(conn->reader, &reply) != REDIS_OK) {
        redis_conn_fail(conn, now, true, "an answer that is no RESP");
        return NULL;
    }
    return reply;
}

static void finish_connecting(struct redis_conn *conn, struct mono_time now)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error)
        redis_conn_fail(conn, now, true, strerrordesc_np(error));
    else
        connected(conn, now);
}

size_t redis_conn_handle(struct redis_conn *conn, short revents, struct mono_time now)
{
    size_t total = 0;
    if (revents == 0 || conn->fd < 0)
        return 0;
    if (conn->state == REDIS_CONN_CONNECTING) {
        finish_connecting(conn, now);
        return 0;
    }
    if (revents & POLLOUT)
        redis_conn_flush(conn, now);
    if (conn->fd >= 0 && (revents & (POLLIN | POLLHUP | POLLERR)))
        total = redis_conn_read(conn, now);
    while (conn->state == REDIS_CONN_HANDSHAKE) {
        struct redisReply *reply = redis_conn_next(conn, now);
        if (!reply)
            break;
        accept_handshake_reply(conn, reply, now);
        redis_reply_free(reply);
    }
    return total;
}
