#include "load_post.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "strbuf.h"

enum { CONNECT_SECONDS_MAX = 10, KEPT_ANSWER_BYTES = 64 * 1024, HEADER_BYTES = 1024 };

struct post_job {
    CURL *easy;
    struct curl_slist *headers;
    struct strbuf answer;
    char words[CURL_ERROR_SIZE];
};

struct load_post {
    CURLM *multi;
    struct load_post_options options;
    const struct load_target *target;
    struct post_job *jobs;
};

/* More than there is room for ends the request: fewer bytes taken than given. */
static size_t take_answer(char *bytes, size_t size, size_t count, void *context)
{
    struct strbuf *answer = context;
    (void)size; /* always 1 */
    strbuf_append(answer, bytes, count);
    return strbuf_failed(answer) ? 0 : count;
}

static bool set_options(const struct load_post *post, struct post_job *job, size_t number)
{
    CURL *easy = job->easy;
    long timeout = (long)post->options.timeout_seconds;
    int wrong = 0;
#define SET(option, value) (wrong |= curl_easy_setopt(easy, CURLOPT_##option, value) != CURLE_OK)
    SET(NOSIGNAL, 1L);
    SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(PROTOCOLS_STR, "http,https");
    SET(POST, 1L);
    SET(TIMEOUT, timeout);
    SET(CONNECTTIMEOUT, timeout < CONNECT_SECONDS_MAX ? timeout : (long)CONNECT_SECONDS_MAX);
    SET(USERAGENT, "analytics-load/" ANALYTICS_VERSION);
    SET(WRITEFUNCTION, take_answer);
    SET(WRITEDATA, &job->answer);
    SET(ERRORBUFFER, job->words);
    SET(PRIVATE, (void *)(uintptr_t)number);
#undef SET
    return !wrong;
}

static bool add_jobs(struct load_post *post)
{
    post->jobs = calloc(post->options.jobs, sizeof *post->jobs);
    if (!post->jobs)
        return false;
    for (size_t i = 0; i < post->options.jobs; i++)
        strbuf_init(&post->jobs[i].answer, LOAD_ANSWER_BYTES_MAX);
    for (size_t i = 0; i < post->options.jobs; i++) {
        post->jobs[i].easy = curl_easy_init();
        if (!post->jobs[i].easy || !set_options(post, &post->jobs[i], i))
            return false;
    }
    return true;
}

struct load_post *load_post_new(const struct load_post_options *options)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return NULL;
    struct load_post *post = calloc(1, sizeof *post);
    if (!post)
        return NULL;
    post->options = *options;
    post->multi = curl_multi_init();
    if (!post->multi || !add_jobs(post)) {
        load_post_free(post);
        return NULL;
    }
    return post;
}

void load_post_free(struct load_post *post)
{
    if (!post)
        return;
    for (size_t i = 0; post->jobs && i < post->options.jobs; i++) {
        struct post_job *job = &post->jobs[i];
        if (job->easy) {
            (void)curl_multi_remove_handle(post->multi, job->easy);
            curl_easy_cleanup(job->easy);
        }
        curl_slist_free_all(job->headers);
        strbuf_release(&job->answer);
    }
    free(post->jobs);
    (void)curl_multi_cleanup(post->multi);
    free(post);
    curl_global_cleanup();
}

bool load_post_aim(struct load_post *post, const struct load_target *target)
{
    post->target = target;
    for (size_t i = 0; i < post->options.jobs; i++) {
        if (curl_easy_setopt(post->jobs[i].easy, CURLOPT_URL, target->url) != CURLE_OK)
            return false;
    }
    return true;
}

/* --- One request -------------------------------------------------------------------- */

static bool add_header(struct post_job *job, const char *name, const char *value)
{
    char line[HEADER_BYTES];
    if ((size_t)snprintf(line, sizeof line, "%s%s", name, value) >= sizeof line)
        return false;
    struct curl_slist *longer = curl_slist_append(job->headers, line);
    if (longer)
        job->headers = longer;
    return longer;
}

static bool set_headers(struct load_post *post, struct post_job *job, const char *key)
{
    curl_slist_free_all(job->headers);
    job->headers = NULL;
    /* Without a name's value libcurl leaves the header out: no waiting for 100 Continue. */
    return add_header(job, "Expect:", "") &&
           add_header(job, "Content-Type: ", post->target->content_type) &&
           add_header(job, "Idempotency-Key: ", key) &&
           (!post->options.token ||
            add_header(job, "Authorization: Bearer ", post->options.token)) &&
           curl_easy_setopt(job->easy, CURLOPT_HTTPHEADER, job->headers) == CURLE_OK;
}

bool load_post_send(struct load_post *post, size_t number, struct slice body, const char *key)
{
    struct post_job *job = &post->jobs[number];
    strbuf_reset_keeping(&job->answer, KEPT_ANSWER_BYTES);
    job->words[0] = '\0';
    return set_headers(post, job, key) &&
           curl_easy_setopt(job->easy, CURLOPT_POSTFIELDS, body.ptr) == CURLE_OK &&
           curl_easy_setopt(job->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len) ==
               CURLE_OK &&
           curl_multi_add_handle(post->multi, job->easy) == CURLM_OK;
}

/* --- What became of it -------------------------------------------------------------- */

/* The request cannot have left before the connection was there. */
static bool may_have_left(CURLcode code)
{
    return code != CURLE_COULDNT_CONNECT && code != CURLE_COULDNT_RESOLVE_HOST &&
           code != CURLE_COULDNT_RESOLVE_PROXY && code != CURLE_SSL_CONNECT_ERROR &&
           code != CURLE_PEER_FAILED_VERIFICATION;
}

static bool may_pass(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_WEIRD_SERVER_REPLY:
        return true;
    default:
        return false;
    }
}

static void describe(struct load_post *post, CURL *easy, CURLcode code,
                     struct load_post_result *result)
{
    char *number = NULL;
    curl_off_t retry_after = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &number);
    struct post_job *job = &post->jobs[(uintptr_t)number];
    *result = (struct load_post_result){.job = (uintptr_t)number,
                                        .was_sent = may_have_left(code),
                                        .body = strbuf_slice(&job->answer)};
    if (code == CURLE_OK) {
        (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &result->status);
        (void)curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after);
        result->retry_after_seconds = retry_after;
        return;
    }
    result->passes = may_pass(code);
    result->failure = job->words[0] ? job->words : curl_easy_strerror(code);
}

bool load_post_next(struct load_post *post, struct load_post_result *result)
{
    int left, running;
    (void)curl_multi_perform(post->multi, &running);
    const CURLMsg *message;
    while ((message = curl_multi_info_read(post->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        (void)curl_multi_remove_handle(post->multi, easy);
        describe(post, easy, code, result);
        return true;
    }
    return false;
}

void load_post_wait(struct load_post *post, int fd, int64_t timeout_ms)
{
    struct curl_waitfd input = {.fd = fd, .events = CURL_WAIT_POLLIN};
    (void)curl_multi_poll(post->multi, &input, fd >= 0, (int)timeout_ms, NULL);
}
