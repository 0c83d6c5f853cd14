#include "redis_client.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "counters.h"
#include "redis_guest.h"
#include "redis_keys.h"
#include "redis_pipeline.h"

enum { RETRY_AFTER_MS = 1000 };

struct redis_client {
    struct redis_options options; /* its texts are ours */
    struct redis_pipeline lanes[REDIS_LANE_COUNT];
    struct redis_guest guest; /* without a context: none */
    atomic_int durability;

    int wake_fd;
    atomic_bool is_sleeping; /* the I/O thread is in poll, or about to be */
    atomic_bool is_stopping;
    bool has_thread;
    pthread_t thread;
};

/* --- life ------------------------------------------------------------------------- */

static char *copy_text(const char *text)
{
    return strdup(text ? text : "");
}

static bool copy_options(struct redis_options *to, const struct redis_options *from)
{
    *to = *from;
    to->socket_path = copy_text(from->socket_path);
    to->host = copy_text(from->host);
    to->username = copy_text(from->username);
    to->password = copy_text(from->password);
    to->key_prefix = copy_text(from->key_prefix);
    return to->socket_path && to->host && to->username && to->password && to->key_prefix &&
           strlen(to->key_prefix) <= REDIS_PREFIX_BYTES_MAX;
}

static void free_options(struct redis_options *options)
{
    free((char *)options->socket_path);
    free((char *)options->host);
    free((char *)options->username);
    free((char *)options->password);
    free((char *)options->key_prefix);
}

struct redis_client *redis_client_new(const struct redis_options *options)
{
    struct redis_client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    client->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (client->wake_fd < 0)
        goto err0;
    if (!copy_options(&client->options, options))
        goto err1;
    if (!redis_pipeline_init(&client->lanes[REDIS_LANE_WRITE], REDIS_ROLE_WRITE, &client->options,
                             &client->durability, client->wake_fd))
        goto err1;
    if (!redis_pipeline_init(&client->lanes[REDIS_LANE_READ], REDIS_ROLE_READ, &client->options,
                             NULL, client->wake_fd))
        goto err2;
    return client;

err2:
    redis_pipeline_release(&client->lanes[REDIS_LANE_WRITE]);
err1:
    free_options(&client->options);
    (void)close(client->wake_fd);
err0:
    free(client);
    return NULL;
}

static void wake(struct redis_client *client)
{
    const uint64_t one = 1;
    ssize_t ignored = write(client->wake_fd, &one, sizeof one);
    (void)ignored;
}

void redis_client_free(struct redis_client *client)
{
    if (!client)
        return;
    atomic_store(&client->is_stopping, true);
    wake(client);
    if (client->has_thread)
        (void)pthread_join(client->thread, NULL);
    for (int lane = 0; lane < REDIS_LANE_COUNT; lane++)
        redis_pipeline_release(&client->lanes[lane]);
    (void)close(client->wake_fd);
    free_options(&client->options);
    free(client);
}

const struct redis_options *redis_client_options(const struct redis_client *client)
{
    return &client->options;
}

void redis_client_host(struct redis_client *client, const struct redis_guest *guest)
{
    client->guest = *guest;
}

/* --- the I/O thread ------------------------------------------------------------------ */

static int timeout_ms(struct redis_client *client, struct mono_time now)
{
    struct mono_time first = {INT64_MAX};
    for (int lane = 0; lane < REDIS_LANE_COUNT; lane++) {
        struct mono_time t = redis_pipeline_wakeup(&client->lanes[lane]);
        first = mono_is_before(t, first) ? t : first;
    }
    if (client->guest.context) {
        struct mono_time t = client->guest.wakeup(client->guest.context);
        first = mono_is_before(t, first) ? t : first;
    }
    int64_t us = mono_us_between(now, first);
    if (first.us == INT64_MAX || us > 60000000)
        return 60000;
    return us <= 0 ? 0 : (int)((us + 999) / 1000);
}

static bool has_work(struct redis_client *client)
{
    for (int lane = 0; lane < REDIS_LANE_COUNT; lane++) {
        if (redis_pipeline_has_queue(&client->lanes[lane]) &&
            client->lanes[lane].conn.state == REDIS_CONN_READY)
            return true;
    }
    return atomic_load(&client->is_stopping);
}

/* One turn: everything queued goes out, then whatever came in is handed over. */
static void turn(struct redis_client *client)
{
    struct mono_time now = clock_mono_now();
    for (int lane = 0; lane < REDIS_LANE_COUNT; lane++)
        redis_pipeline_tick(&client->lanes[lane], now);
    if (client->guest.context)
        client->guest.tick(client->guest.context, now);

    struct pollfd fds[REDIS_LANE_COUNT + 2] = {{.fd = client->wake_fd, .events = POLLIN}};
    for (int lane = 0; lane < REDIS_LANE_COUNT; lane++) {
        fds[1 + lane].fd = client->lanes[lane].conn.fd;
        fds[1 + lane].events = redis_conn_events(&client->lanes[lane].conn);
    }
    struct pollfd *guest_fd = &fds[REDIS_LANE_COUNT + 1];
    guest_fd->fd = -1;
    if (client->guest.context)
        guest_fd->fd = client->guest.fd(client->guest.context, &guest_fd->events);

    /* A caller that queues after this sees the flag and writes to wake_fd. */
    atomic_store(&client->is_sleeping, true);
    int wait = has_work(client) ? 0 : timeout_ms(client, clock_mono_now());
    (void)poll(fds, REDIS_LANE_COUNT + 2, wait);
    atomic_store(&client->is_sleeping, false);

    if (fds[0].revents) {
        uint64_t count;
        ssize_t ignored = read(client->wake_fd, &count, sizeof count);
        (void)ignored;
    }
    now = clock_mono_now();
    for (int lane = 0; lane < REDIS_LANE_COUNT; lane++)
        redis_pipeline_handle(&client->lanes[lane], fds[1 + lane].revents, now);
    if (client->guest.context)
        client->guest.handle(client->guest.context, guest_fd->revents, now);
}

static void *run(void *argument)
{
    struct redis_client *client = argument;
    while (!atomic_load(&client->is_stopping))
        turn(client);
    if (client->guest.context)
        client->guest.end(client->guest.context);
    return NULL;
}

bool redis_client_start(struct redis_client *client)
{
    if (client->guest.context)
        client->guest.begin(client->guest.context, client->wake_fd);
    client->has_thread = pthread_create(&client->thread, NULL, run, client) == 0;
    return client->has_thread;
}

/* --- calls ------------------------------------------------------------------------------ */

bool redis_client_is_connected(const struct redis_client *client)
{
    return atomic_load(&client->lanes[REDIS_LANE_WRITE].is_ready) &&
           atomic_load(&client->lanes[REDIS_LANE_READ].is_ready);
}

enum redis_durability redis_client_durability(const struct redis_client *client)
{
    return (enum redis_durability)atomic_load(&client->durability);
}

struct slice redis_client_key_prefix(const struct redis_client *client)
{
    return slice_from_string(client->options.key_prefix);
}

static enum err_code say_unavailable(struct error *err, const char *cause)
{
    counter_add(COUNTER_REDIS_ERRORS, 1);
    enum err_code code = error_set(err, ERR_STORE_UNAVAILABLE, "The store is unavailable");
    error_set_cause(err, "%s", cause);
    if (err)
        err->retry_after_ms = RETRY_AFTER_MS;
    return code;
}

static enum err_code say_unknown(struct error *err)
{
    counter_add(COUNTER_REDIS_ERRORS, 1);
    enum err_code code = error_set(err, ERR_STORE_UNKNOWN,
                                   "Redis did not answer in time: what was sent may or may "
                                   "not have been stored");
    error_set_cause(err, "sent to Redis, no reply");
    if (err)
        err->retry_after_ms = RETRY_AFTER_MS;
    return code;
}

/* All error replies mean: not executed. */
static enum err_code say_refused(struct error *err, struct slice text)
{
    static const char *const busy[] = {"LOADING",    "READONLY", "BUSY",        "MASTERDOWN",
                                       "NOREPLICAS", "NOAUTH",   "CLUSTERDOWN", "TRYAGAIN"};
    static const char *const full[] = {"OOM", "MISCONF"};
    char cause[ERROR_CAUSE_BYTES];
    (void)snprintf(cause, sizeof cause, "%.*s", (int)(text.len < 150 ? text.len : 150), text.ptr);
    for (size_t i = 0; i < sizeof full / sizeof *full; i++) {
        if (!slice_starts_with(text, slice_from_string(full[i])))
            continue;
        counter_add(COUNTER_REDIS_ERRORS, 1);
        enum err_code code =
            error_set(err, ERR_STORE_FULL, "The store cannot take more data; nothing was stored");
        error_set_cause(err, "%s", cause);
        if (err)
            err->retry_after_ms = 60 * RETRY_AFTER_MS;
        return code;
    }
    for (size_t i = 0; i < sizeof busy / sizeof *busy; i++) {
        if (slice_starts_with(text, slice_from_string(busy[i])))
            return say_unavailable(err, cause);
    }
    counter_add(COUNTER_REDIS_ERRORS, 1);
    enum err_code code = error_set(err, ERR_INTERNAL, "Internal error");
    error_set_cause(err, "%s", cause);
    return code;
}

static struct mono_time deadline_of(const struct redis_client *client, enum redis_lane which)
{
    return mono_after_ms(clock_mono_now(), client->lanes[which].timeout_ms);
}

/* NULL: why is in `*code`. */
static struct redis_job *begin(struct redis_client *client, enum redis_lane which,
                               const struct slice *argv, size_t argc, struct mono_time deadline,
                               enum err_code *code, struct error *err)
{
    struct redis_job *job = redis_job_new(argv, argc, deadline);
    if (!job) {
        *code = error_set(err, ERR_NO_MEMORY, "Out of memory");
        return NULL;
    }
    if (!redis_pipeline_push(&client->lanes[which], job)) {
        redis_job_free(job);
        *code = say_unavailable(err, "not connected, or too many commands waiting");
        return NULL;
    }
    if (atomic_exchange(&client->is_sleeping, false))
        wake(client);
    *code = ERR_OK;
    return job;
}

/* On ERR_OK the reply may be an error reply. */
static enum err_code finish(struct redis_job *job, enum redis_lane which, struct redisReply **reply,
                            struct error *err)
{
    enum err_code code;
    if (redis_pipeline_wait(job, &code)) {
        code = job->code;
        *reply = job->reply;
        job->reply = NULL;
        redis_job_free(job);
    }
    if (code == ERR_STORE_UNAVAILABLE)
        return say_unavailable(err, "never sent: no connection within the deadline");
    /* What only reads has no effect that could be in doubt. */
    if (code == ERR_STORE_UNKNOWN && which == REDIS_LANE_READ)
        return say_unavailable(err, "sent to Redis, no reply");
    return code == ERR_STORE_UNKNOWN ? say_unknown(err) : code;
}

static enum err_code exchange(struct redis_client *client, enum redis_lane which,
                              const struct slice *argv, size_t argc, struct mono_time deadline,
                              struct redisReply **reply, struct error *err)
{
    enum err_code code;
    struct redis_job *job = begin(client, which, argv, argc, deadline, &code, err);
    return job ? finish(job, which, reply, err) : code;
}

static enum err_code check_reply(struct redisReply **reply, struct error *err)
{
    struct slice text;
    if (!redis_reply_error(*reply, &text))
        return ERR_OK;
    enum err_code code = say_refused(err, text);
    redis_reply_free(*reply);
    *reply = NULL;
    return code;
}

enum err_code redis_client_call(struct redis_client *client, enum redis_lane lane,
                                const struct slice *argv, size_t argc, struct redisReply **reply,
                                struct error *err)
{
    *reply = NULL;
    enum err_code code = exchange(client, lane, argv, argc, deadline_of(client, lane), reply, err);
    return code == ERR_OK ? check_reply(reply, err) : code;
}

enum err_code redis_client_begin_read(struct redis_client *client, const struct slice *argv,
                                      size_t argc, struct redis_job **job, struct error *err)
{
    struct mono_time deadline = deadline_of(client, REDIS_LANE_READ);
    enum err_code code;
    *job = begin(client, REDIS_LANE_READ, argv, argc, deadline, &code, err);
    return code;
}

enum err_code redis_client_finish_read(struct redis_job *job, struct redisReply **reply,
                                       struct error *err)
{
    *reply = NULL;
    enum err_code code = finish(job, REDIS_LANE_READ, reply, err);
    return code == ERR_OK ? check_reply(reply, err) : code;
}

void redis_client_abandon_read(struct redis_job *job)
{
    if (job)
        redis_pipeline_abandon(job);
}

static bool is_unknown_script(const struct redisReply *reply)
{
    struct slice text;
    return redis_reply_error(reply, &text) && slice_starts_with(text, SLICE("NOSCRIPT"));
}

/* What waits for it was not executed: an outcome unknown is that of loading alone. */
static enum err_code load_script(struct redis_client *client, enum redis_lane lane,
                                 enum redis_script script, struct mono_time deadline,
                                 struct error *err)
{
    const struct slice argv[] = {SLICE("SCRIPT"), SLICE("LOAD"), redis_script_source(script)};
    struct redisReply *reply = NULL;
    struct error reason;
    error_init(&reason);
    enum err_code code = exchange(client, lane, argv, 3, deadline, &reply, &reason);
    if (code == ERR_OK)
        code = check_reply(&reply, &reason);
    redis_reply_free(reply);
    if (code == ERR_STORE_UNKNOWN)
        return say_unavailable(err, "no reply to SCRIPT LOAD");
    if (code != ERR_OK && err)
        *err = reason;
    return code;
}

/* The words of EVALSHA; their number, or 0 when there are too many. */
struct eval_words {
    struct slice argv[REDIS_WORDS_MAX];
    char key_count[8];
};

static size_t spell_eval(struct eval_words *words, enum redis_script script,
                         const struct slice *keys, size_t key_count, const struct slice *args,
                         size_t arg_count)
{
    if (key_count + arg_count > REDIS_EVAL_ARGS_MAX)
        return 0;
    int digits = snprintf(words->key_count, sizeof words->key_count, "%u", (unsigned)key_count);
    words->argv[0] = SLICE("EVALSHA");
    words->argv[1] = redis_script_sha1(script);
    words->argv[2] = slice_of(words->key_count, (size_t)digits);
    for (size_t i = 0; i < key_count; i++)
        words->argv[3 + i] = keys[i];
    for (size_t i = 0; i < arg_count; i++)
        words->argv[3 + key_count + i] = args[i];
    return 3 + key_count + arg_count;
}

enum err_code redis_client_eval(struct redis_client *client, enum redis_lane lane,
                                enum redis_script script, const struct slice *keys,
                                size_t key_count, const struct slice *args, size_t arg_count,
                                struct redisReply **reply, struct error *err)
{
    struct eval_words words;
    *reply = NULL;
    size_t argc = spell_eval(&words, script, keys, key_count, args, arg_count);
    if (argc == 0)
        return error_set(err, ERR_INTERNAL, "Internal error");
    struct mono_time deadline = deadline_of(client, lane);
    enum err_code code = exchange(client, lane, words.argv, argc, deadline, reply, err);
    if (code == ERR_OK && is_unknown_script(*reply)) {
        redis_reply_free(*reply);
        *reply = NULL;
        code = load_script(client, lane, script, deadline, err);
        if (code == ERR_OK)
            code = exchange(client, lane, words.argv, argc, deadline, reply, err);
    }
    return code == ERR_OK ? check_reply(reply, err) : code;
}

enum err_code redis_client_begin_eval(struct redis_client *client, enum redis_lane lane,
                                      enum redis_script script, const struct slice *keys,
                                      size_t key_count, const struct slice *args, size_t arg_count,
                                      struct redis_job **job, struct error *err)
{
    struct eval_words words;
    *job = NULL;
    size_t argc = spell_eval(&words, script, keys, key_count, args, arg_count);
    if (argc == 0)
        return error_set(err, ERR_INTERNAL, "Internal error");
    enum err_code code;
    *job = begin(client, lane, words.argv, argc, deadline_of(client, lane), &code, err);
    return code;
}

enum err_code redis_client_finish_eval(struct redis_job *job, enum redis_lane lane,
                                       struct redisReply **reply, struct error *err)
{
    *reply = NULL;
    enum err_code code = finish(job, lane, reply, err);
    if (code == ERR_OK && is_unknown_script(*reply)) {
        redis_reply_free(*reply);
        *reply = NULL;
        return ERR_OK;
    }
    return code == ERR_OK ? check_reply(reply, err) : code;
}

void redis_client_eval_detached(struct redis_client *client, enum redis_lane lane,
                                enum redis_script script, const struct slice *keys,
                                size_t key_count, const struct slice *args, size_t arg_count)
{
    struct eval_words words;
    size_t argc = spell_eval(&words, script, keys, key_count, args, arg_count);
    struct redis_pipeline *line = &client->lanes[lane];
    struct redis_job *job =
        argc == 0 ? NULL : redis_job_new(words.argv, argc, deadline_of(client, lane));
    if (!job)
        return;
    job->is_detached = true;
    if (!redis_pipeline_push(line, job))
        redis_job_free(job);
    else if (atomic_exchange(&client->is_sleeping, false))
        wake(client);
}
