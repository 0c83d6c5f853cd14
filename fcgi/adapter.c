#include "adapter.h"

#include <fcgiapp.h>
#include <stdio.h>
#include <sys/random.h>

#include "dispatch.h"
#include "hash.h"
#include "request_counters.h"

enum { ARENA_BYTES = 1 << 20, REQUEST_ID_BYTES_MAX = 64 };

/* What is left to say when there is no memory even for a problem. */
static const char last_words[] = "Status: 503\r\nContent-Type: text/plain\r\nRetry-After: 1\r\n"
                                 "Content-Length: 14\r\n\r\nOut of memory\n";

void adapter_init(struct adapter *adapter, struct app *app)
{
    *adapter = (struct adapter){.app = app};
    /* A body twice: as sent and decompressed. */
    arena_init(&adapter->arena, ARENA_BYTES + 2 * (size_t)app->config->ingest_body_limit_bytes);
    response_init(&adapter->response);
    strbuf_init(&adapter->out, HTTP_HEADER_BYTES_MAX + HTTP_BODY_BYTES_MAX + 1024);
    if (getrandom(&adapter->id_seed, sizeof adapter->id_seed, 0) < 0)
        adapter->id_seed = (uint64_t)clock_wall_now().us ^ (uintptr_t)adapter;
}

void adapter_release(struct adapter *adapter)
{
    strbuf_release(&adapter->out);
    response_release(&adapter->response);
    arena_release(&adapter->arena);
}

static void reset(struct adapter *adapter)
{
    arena_reset(&adapter->arena);
    response_reset(&adapter->response);
    strbuf_reset_keeping(&adapter->out, HTTP_KEPT_BYTES_MAX);
}

/* The variables that we look at, each found in one pass. */
struct variables {
    struct slice method, script_name, path_info, request_uri, query, remote_address;
    struct slice content_length, content_type, content_encoding;
    struct slice accept_encoding, cache_control;
    struct slice authorization, if_none_match, accept, confirm, request_id, idempotency_key;
};

static void read_variables(char *const *envp, struct variables *v)
{
    const struct {
        struct slice name;
        struct slice *value;
    } wanted[] = {
        {SLICE("REQUEST_METHOD"), &v->method},
        {SLICE("SCRIPT_NAME"), &v->script_name},
        {SLICE("PATH_INFO"), &v->path_info},
        {SLICE("REQUEST_URI"), &v->request_uri},
        {SLICE("QUERY_STRING"), &v->query},
        {SLICE("REMOTE_ADDR"), &v->remote_address},
        {SLICE("CONTENT_LENGTH"), &v->content_length},
        {SLICE("HTTP_AUTHORIZATION"), &v->authorization},
        {SLICE("HTTP_IF_NONE_MATCH"), &v->if_none_match},
        {SLICE("HTTP_ACCEPT"), &v->accept},
        {SLICE("HTTP_ACCEPT_ENCODING"), &v->accept_encoding},
        {SLICE("HTTP_CACHE_CONTROL"), &v->cache_control},
        {SLICE("HTTP_X_CONFIRM_DELETE"), &v->confirm},
        {SLICE("CONTENT_TYPE"), &v->content_type},
        {SLICE("HTTP_CONTENT_ENCODING"), &v->content_encoding},
        {SLICE("HTTP_X_REQUEST_ID"), &v->request_id},
        {SLICE("HTTP_IDEMPOTENCY_KEY"), &v->idempotency_key},
    };
    for (; *envp; envp++) {
        const char *equals = strchr(*envp, '=');
        if (!equals)
            continue;
        struct slice name = slice_of(*envp, (size_t)(equals - *envp));
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
            /* Of a repeated variable the first counts, as FCGX_GetParam has it. */
            if (!wanted[i].value->ptr && slice_equals(name, wanted[i].name)) {
                *wanted[i].value = slice_from_string(equals + 1);
                break;
            }
        }
    }
}

/* Servers differ in which part holds the path; some give neither (Apache's ProxyPass). */
static struct slice join_path(struct arena *arena, const struct variables *v)
{
    if (v->script_name.len == 0 && v->path_info.len == 0) {
        size_t len = 0;
        while (len < v->request_uri.len && v->request_uri.ptr[len] != '?')
            len++;
        return slice_of(v->request_uri.ptr, len);
    }
    if (v->script_name.len == 0)
        return v->path_info;
    size_t len = v->script_name.len + v->path_info.len;
    char *path = arena_alloc(arena, len);
    if (!path)
        return (struct slice){NULL, 0};
    memcpy(path, v->script_name.ptr, v->script_name.len);
    if (v->path_info.len > 0)
        memcpy(path + v->script_name.len, v->path_info.ptr, v->path_info.len);
    return slice_of(path, len);
}

static bool is_sane_id(struct slice id)
{
    if (id.len == 0 || id.len > REQUEST_ID_BYTES_MAX)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!is_letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

static struct slice make_id(struct adapter *adapter, char buffer[static 17])
{
    uint64_t count = adapter->id_count++;
    uint64_t id = hash_bytes(slice_of((const char *)&count, sizeof count), adapter->id_seed);
    (void)snprintf(buffer, 17, "%016llx", (unsigned long long)id);
    return slice_of(buffer, 16);
}

static int read_stdin(void *context, char *bytes, size_t room)
{
    FCGX_Stream *in = context;
    int len = FCGX_GetStr(bytes, (int)room, in);
    counter_add(COUNTER_REQUEST_BYTES, (uint64_t)len);
    return FCGX_GetError(in) != 0 ? -1 : len;
}

void adapter_serve(struct adapter *adapter, struct FCGX_Request *fcgx, struct mono_time accepted_at)
{
    struct variables v = {0};
    read_variables(fcgx->envp, &v);
    char id[17];
    struct request req = {
        .method = v.method,
        .path = join_path(&adapter->arena, &v),
        .query = v.query,
        .remote_address = v.remote_address,
        .request_id = is_sane_id(v.request_id) ? v.request_id : make_id(adapter, id),
        .authorization = v.authorization,
        .if_none_match = v.if_none_match,
        .accept = v.accept,
        .accept_encoding = v.accept_encoding,
        .cache_control = v.cache_control,
        .confirm = v.confirm,
        .idempotency_key = v.idempotency_key,
        .content_type = v.content_type,
        .content_encoding = v.content_encoding,
        .content_length = v.content_length,
        .source = {fcgx->in, read_stdin},
        .arena = &adapter->arena,
    };
    dispatch(adapter->app, &req, &adapter->response);

    bool is_head = slice_equals(req.method, SLICE("HEAD"));
    response_serialize(&adapter->response, req.request_id, is_head, &adapter->out);
    struct slice out = strbuf_slice(&adapter->out);
    if (strbuf_failed(&adapter->response.body) || strbuf_failed(&adapter->response.headers) ||
        strbuf_failed(&adapter->out))
        out = slice_of(last_words, sizeof last_words - 1);
    /* A peer that has gone is nothing to us; Finish_r sees the same error. */
    (void)FCGX_PutStr(out.ptr, (int)out.len, fcgx->out);
    counter_add(COUNTER_RESPONSE_BYTES, out.len);
    request_counters_note(req.route, adapter->response.status,
                          mono_us_between(accepted_at, clock_mono_now()));
    reset(adapter); /* now: the next one may be long in coming */
}
