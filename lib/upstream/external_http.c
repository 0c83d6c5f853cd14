#include "external_http.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "json_read.h"
#include "log.h"

#define LIBCURL "libcurl-gnutls.so.4"

enum { URL_BYTES_MAX = 8192, REDIRECTS_MAX = 2, STATUS_MIN = 200, STATUS_MAX = 299 };

static struct {
    __typeof__(curl_global_init) *global_init;
    __typeof__(curl_easy_init) *easy_init;
    __typeof__(curl_easy_setopt) *easy_setopt;
    __typeof__(curl_easy_perform) *easy_perform;
    __typeof__(curl_easy_getinfo) *easy_getinfo;
    __typeof__(curl_easy_strerror) *easy_strerror;
    __typeof__(curl_easy_cleanup) *easy_cleanup;
    bool is_ready;
} libcurl;

static pthread_once_t libcurl_once = PTHREAD_ONCE_INIT;

struct http {
    struct external_caller caller; /* first: the two are one address */
    const struct external_options *options;
    struct external_stop *stop;
    CURL *easy;
    struct strbuf url;
    struct strbuf *data; /* of the call under way */
    char words[CURL_ERROR_SIZE];
};

/* Never unloaded: libraries below it may have left threads or exit handlers. */
static void load_libcurl(void)
{
    static const struct {
        const char *name;
        size_t offset;
    } symbols[] = {
#define SYMBOL(name) {"curl_" #name, offsetof(__typeof__(libcurl), name)}
        SYMBOL(global_init),  SYMBOL(easy_init),     SYMBOL(easy_setopt),  SYMBOL(easy_perform),
        SYMBOL(easy_getinfo), SYMBOL(easy_strerror), SYMBOL(easy_cleanup),
#undef SYMBOL
    };
    void *library = dlopen(LIBCURL, RTLD_LAZY | RTLD_LOCAL);
    bool is_complete = library;
    for (size_t i = 0; is_complete && i < sizeof symbols / sizeof *symbols; i++) {
        void *symbol = dlsym(library, symbols[i].name);
        memcpy((char *)&libcurl + symbols[i].offset, &symbol, sizeof symbol);
        is_complete = symbol;
    }
    libcurl.is_ready = is_complete && libcurl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    if (!libcurl.is_ready) {
        const char *reason = is_complete ? "it does not initialize" : dlerror();
        LOG_EVENT(LOG_ERROR, "libcurl_not_usable", LOG_TEXT("error", reason ? reason : ""));
    }
}

/* More than there is room for ends the call: fewer bytes taken than given. */
static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct http *http = context;
    (void)size; /* always 1 */
    if (count > EXTERNAL_DATA_BYTES_MAX - http->data->len)
        return 0;
    strbuf_append(http->data, bytes, count);
    return strbuf_failed(http->data) ? 0 : count;
}

/* Called at least once a second. Other than 0: end the call. */
static int look_at_stop(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct http *http = context;
    (void)a, (void)b, (void)c, (void)d;
    return external_stop_is_raised(http->stop);
}

static bool set_options(struct http *http)
{
    CURL *easy = http->easy;
    int wrong = 0;
#define SET(option, value) (wrong |= libcurl.easy_setopt(easy, CURLOPT_##option, value) != CURLE_OK)
    SET(NOSIGNAL, 1L);
    SET(TIMEOUT_MS, (long)http->options->timeout_ms);
    /* A resolver that hangs does not hold up the end of a call. */
    SET(QUICK_EXIT, 1L);
    SET(PROTOCOLS_STR, "http,https");
    SET(REDIR_PROTOCOLS_STR, "http,https");
    SET(FOLLOWLOCATION, 1L);
    SET(MAXREDIRS, (long)REDIRECTS_MAX);
    SET(USERAGENT, "resilient-analytics/" ANALYTICS_VERSION);
    SET(WRITEFUNCTION, take_body);
    SET(WRITEDATA, http);
    SET(NOPROGRESS, 0L);
    SET(XFERINFOFUNCTION, look_at_stop);
    SET(XFERINFODATA, http);
    SET(ERRORBUFFER, http->words);
#undef SET
    return !wrong;
}

/* RFC 3986, section 2.1. */
static void append_encoded(struct strbuf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '.' || c == '_' || c == '~')
            strbuf_append_char(out, c);
        else
            strbuf_printf(out, "%%%02X", (unsigned char)c);
    }
}

/* False: no memory. */
static bool aim(struct http *http, struct slice type)
{
    const char *base = http->options->url;
    strbuf_reset(&http->url);
    strbuf_printf(&http->url, "%s%ctype=", base, strchr(base, '?') ? '&' : '?');
    append_encoded(&http->url, type);
    strbuf_append_char(&http->url, '\0');
    return !strbuf_failed(&http->url) &&
           libcurl.easy_setopt(http->easy, CURLOPT_URL, http->url.bytes) == CURLE_OK;
}

static enum breaker_outcome fail(struct error *err)
{
    (void)error_set(err, ERR_UPSTREAM_FAILED, "the external service failed");
    return BREAKER_FAILURE;
}

static enum breaker_outcome say_why(struct http *http, CURLcode result, struct error *err)
{
    switch (result) {
    case CURLE_ABORTED_BY_CALLBACK:
        (void)error_set(err, ERR_UPSTREAM_FAILED, "the service is shutting down");
        return BREAKER_NEUTRAL;
    case CURLE_OPERATION_TIMEDOUT:
        (void)error_set(err, ERR_UPSTREAM_FAILED, "the external service did not answer in time");
        break;
    case CURLE_WRITE_ERROR:
        error_set_cause(err, "the body has more than %d bytes", EXTERNAL_DATA_BYTES_MAX);
        return fail(err);
    default:
        break;
    }
    /* The words may be those of an attempt on a closed connection, made anew since. */
    error_set_cause(err, "%s: %s", libcurl.easy_strerror(result), http->words);
    return fail(err);
}

/* Leave in `data` exactly one object: what surrounds it would not fit into JSON of ours. */
static bool keep_object(struct strbuf *data, struct error *reason)
{
    static const struct slice byte_order_mark = {"\xef\xbb\xbf", 3};
    struct slice text = strbuf_slice(data);
    if (slice_starts_with(text, byte_order_mark))
        text = slice_of(text.ptr + byte_order_mark.len, text.len - byte_order_mark.len);
    text = slice_trim(text);
    if (!slice_starts_with(text, SLICE("{")))
        return false;
    struct json_document *document = json_document_new(text, "external", reason);
    if (!document)
        return false;
    json_document_free(document);
    memmove(data->bytes, text.ptr, text.len);
    strbuf_truncate(data, text.len);
    return true;
}

static enum breaker_outcome judge(struct http *http, struct strbuf *data, struct error *err)
{
    long status = 0;
    (void)libcurl.easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < STATUS_MIN || status > STATUS_MAX) {
        error_set_cause(err, "status %ld", status);
        return fail(err);
    }
    struct error reason;
    error_init(&reason);
    if (!keep_object(data, &reason)) {
        error_set_cause(err, "the body is no JSON object%s%s", reason.field_count ? ": " : "",
                        reason.field_count ? reason.fields[0].message : "");
        return fail(err);
    }
    return BREAKER_SUCCESS;
}

static enum breaker_outcome http_call(struct external_caller *caller, struct slice type,
                                      struct strbuf *data, struct error *err)
{
    struct http *http = (struct http *)caller;
    http->words[0] = '\0';
    http->data = data;
    if (!aim(http, type)) {
        (void)error_set(err, ERR_NO_MEMORY, "no memory for the call");
        return BREAKER_NEUTRAL;
    }
    CURLcode result = libcurl.easy_perform(http->easy);
    return result == CURLE_OK ? judge(http, data, err) : say_why(http, result, err);
}

static void http_free(struct external_caller *caller)
{
    struct http *http = (struct http *)caller;
    if (http->easy)
        libcurl.easy_cleanup(http->easy);
    strbuf_release(&http->url);
    free(http);
}

struct external_caller *external_http_new(const struct external_options *options,
                                          struct external_stop *stop)
{
    (void)pthread_once(&libcurl_once, load_libcurl);
    if (!libcurl.is_ready)
        return NULL;
    struct http *http = calloc(1, sizeof *http);
    if (!http)
        return NULL;
    http->caller = (struct external_caller){.call = http_call, .free = http_free};
    http->options = options;
    http->stop = stop;
    strbuf_init(&http->url, URL_BYTES_MAX);
    http->easy = libcurl.easy_init();
    if (!http->easy || !set_options(http)) {
        http_free(&http->caller);
        return NULL;
    }
    return &http->caller;
}
