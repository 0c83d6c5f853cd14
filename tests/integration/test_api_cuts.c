/*
 * Requests of many samples whose connection to Redis is cut, at any byte of what is sent and of
 * what is answered: 503, and the same key completes them, once. And of two at once, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "await.h"
#include "cutting_proxy.h"
#include "test_app.h"
#include "test_random.h"

/* Each shape makes GROUPS groups, which are PARTS parts. */
enum { GROUPS = 900, PARTS = 4, PART_GROUPS = 256, HOURS = 3, LIMIT = 1000000 };
enum { CUT, WHOLE };

struct shape {
    const char *path, *content_type;
    int done; /* status */
    size_t types;
    const char *type;   /* its number stands behind */
    struct strbuf body; /* ends in NUL */
    size_t stored;      /* the requests of it that were */
};

static struct shape shapes[] = {
    {.path = "/api/metrics", .content_type = "", .done = 201, .types = GROUPS / HOURS, .type = "j"},
    {.path = "/api/metrics",
     .content_type = "application/x-ndjson",
     .done = 201,
     .types = GROUPS,
     .type = "n"},
    {.path = "/write", .content_type = "", .done = 204, .types = GROUPS, .type = "m.v;i="},
};

enum { SHAPES = sizeof shapes / sizeof *shapes };

static struct cutting_proxy *proxy;
static struct test_random chance;
static size_t key_count;

/* Samples without a time are grouped by the hour in which their request came first. */
static void write_bodies(void)
{
    struct strbuf *array = &shapes[0].body, *ndjson = &shapes[1].body, *lines = &shapes[2].body;
    for (size_t i = 0; i < SHAPES; i++)
        strbuf_init(&shapes[i].body, 1 << 20);
    for (size_t i = 0; i < GROUPS; i++) {
        strbuf_printf(array, "%c{\"timestamp\":%zu,\"value\":%zu,\"type\":\"j%zu\"}",
                      i > 0 ? ',' : '[', i % HOURS * 3600, i, i / HOURS);
        strbuf_printf(ndjson, "{\"timestamp\":7,\"value\":%zu,\"type\":\"n%zu\"}\n", i, i);
        strbuf_printf(lines, "m,i=%zu v=%zu\n", i, i);
    }
    strbuf_append_char(array, ']');
    for (size_t i = 0; i < SHAPES; i++)
        strbuf_append_char(&shapes[i].body, '\0');
}

static void release_bodies(void)
{
    for (size_t i = 0; i < SHAPES; i++)
        strbuf_release(&shapes[i].body);
}

static int begin(void **state)
{
    static char path[128], limit[16];
    (void)test_app_begin(state);
    (void)snprintf(path, sizeof path, "%s/proxy.sock", test_app.redis.folder);
    (void)snprintf(limit, sizeof limit, "%d", LIMIT);
    proxy = cutting_proxy_new(path, test_app.redis.socket_path);
    const char *const through_proxy[] = {"REDIS_SOCKET", path, "RATE_LIMIT_REQUESTS", limit, NULL};
    const char *const straight[] = {"RATE_LIMIT_REQUESTS", limit, NULL};
    test_app_open(through_proxy);
    test_app_open_second(straight);
    for (size_t i = 0; i < SHAPES; i++)
        shapes[i].stored = 0;
    return 0;
}

static int end(void **state)
{
    int failed = test_app_end(state);
    cutting_proxy_free(proxy);
    return failed;
}

/* Through the proxy. `key` NULL: none. Anything but done is 503, which says when to come again. */
static bool post(const struct shape *shape, const char *key)
{
    test_app_choose(CUT);
    test_app.content_type = shape->content_type;
    test_app.idempotency_key = key;
    int status = test_app_ask("POST", shape->path, "", shape->body.bytes);
    test_app.idempotency_key = NULL;
    if (status == shape->done)
        return true;
    if (status != 503)
        fail_msg("%d: %s", status, test_app.body);
    assert_true(test_app_has_header("Retry-After: "));
    return false;
}

static void await_connected(void)
{
    AWAIT(redis_client_is_connected(test_app.workers[CUT].app->redis));
}

/* --- What is there ------------------------------------------------------------------- */

static size_t count_of(const struct shape *shape, size_t type)
{
    char name[32], query[64];
    (void)snprintf(name, sizeof name, "%s%zu", shape->type, type);
    (void)snprintf(query, sizeof query, "type=%s&percentiles=", name);
    test_app_choose(WHOLE);
    assert_int_equal(test_app_get("/api/metrics/summary", query), 200);
    const char *count = strstr(test_app.body, "\"count\":");
    assert_non_null(count);
    return strtoul(count + 8, NULL, 10);
}

static double sum_of_last(void)
{
    const char *sum = strstr(test_app.body, "\"sum\":");
    assert_non_null(sum);
    return strtod(sum + 6, NULL);
}

static size_t samples_per_type(const struct shape *shape)
{
    return GROUPS / shape->types;
}

/* A type of which groups are in this part alone. */
static size_t type_of_part(const struct shape *shape, size_t part)
{
    return (part * PART_GROUPS + HOURS) / samples_per_type(shape);
}

static void check_parts(const struct shape *shape)
{
    for (size_t part = 0; part < PARTS; part++)
        assert_int_equal(count_of(shape, type_of_part(shape, part)),
                         shape->stored * samples_per_type(shape));
}

/* Each value is another one: nothing stands for what is missing. */
static void check_all(void)
{
    for (size_t i = 0; i < SHAPES; i++) {
        const struct shape *shape = &shapes[i];
        size_t each = samples_per_type(shape);
        for (size_t type = 0; type < shape->types; type++) {
            size_t values = each * type * each + each * (each - 1) / 2;
            assert_int_equal(count_of(shape, type), shape->stored * each);
            assert_true(shape->stored == 0 || sum_of_last() == (double)(shape->stored * values));
        }
    }
}

static void check_admitted(size_t requests)
{
    char left[32];
    (void)snprintf(left, sizeof left, "\"remaining\":%zu,", LIMIT - requests);
    test_app_choose(WHOLE);
    assert_int_equal(test_app_get("/api/rate-limit", ""), 200);
    if (!test_app_body_has(left))
        fail_msg("no %s in %s", left, test_app.body);
}

/* --- With a key ---------------------------------------------------------------------- */

typedef void cutter(struct cutting_proxy *proxy, int64_t bytes);

/* It may have been too late for any. */
static void cut_no_more(void)
{
    cutting_proxy_cut_after(proxy, -1);
    cutting_proxy_cut_after_sent(proxy, -1);
}

/* Returns whether it was cut off. */
static bool cut_and_complete(struct shape *shape, cutter *cut, int64_t bytes)
{
    char key[32];
    (void)snprintf(key, sizeof key, "key-%zu", key_count++);
    await_connected();
    cut(proxy, bytes);
    bool is_done = post(shape, key), was_cut = !is_done;
    while (!is_done) {
        await_connected();
        is_done = post(shape, key);
    }
    cut_no_more();
    shape->stored++;
    await_connected();
    while (!post(shape, key))
        await_connected();
    assert_true(test_app_has_header("Idempotency-Replayed: true\r\n"));
    check_parts(shape);
    return was_cut;
}

static void the_same_key_completes_what_was_cut_off_in_the_answers(void **state)
{
    (void)state;
    enum { ANSWER_BYTES = 300, STEP = 3 };
    size_t cuts = 0, rounds = 0;
    for (int64_t bytes = 0; bytes < ANSWER_BYTES; bytes += STEP, rounds++)
        cuts += cut_and_complete(&shapes[rounds % SHAPES], cutting_proxy_cut_after, bytes);
    assert_in_range(cuts, rounds / 2, rounds);
    check_all();
    check_admitted(shapes[0].stored + shapes[1].stored);
}

static void the_same_key_completes_what_was_cut_off_on_its_way(void **state)
{
    (void)state;
    enum { REQUEST_BYTES = 50000, ROUNDS = 100 };
    size_t cuts = 0;
    for (size_t round = 0; round < ROUNDS; round++) {
        int64_t bytes = (int64_t)test_random_below(&chance, REQUEST_BYTES);
        cuts += cut_and_complete(&shapes[round % SHAPES], cutting_proxy_cut_after_sent, bytes);
    }
    assert_in_range(cuts, ROUNDS / 2, ROUNDS);
    check_all();
    check_admitted(shapes[0].stored + shapes[1].stored);
}

/* --- Without ------------------------------------------------------------------------- */

/* Whether a part is stored, beyond what was stored of it before; which is counted anew. */
static bool has_come(const struct shape *shape, size_t part, size_t before[static PARTS])
{
    size_t each = samples_per_type(shape), now = count_of(shape, type_of_part(shape, part)),
           came = now - before[part];
    assert_true(came == 0 || came == each);
    before[part] = now;
    return came > 0;
}

static void without_a_key_what_is_acknowledged_is_stored_and_a_part_is_whole(void **state)
{
    (void)state;
    enum { REQUEST_BYTES = 50000, ROUNDS = 60 };
    size_t before[SHAPES][PARTS] = {{0}}, cut_midway = 0;
    for (size_t round = 0; round < ROUNDS; round++) {
        struct shape *shape = &shapes[round % SHAPES];
        await_connected();
        int cuts = cutting_proxy_cuts(proxy);
        cutting_proxy_cut_after_sent(proxy, (int64_t)test_random_below(&chance, REQUEST_BYTES));
        bool is_done = post(shape, NULL);
        if (!is_done)
            AWAIT(cutting_proxy_cuts(proxy) > cuts);
        cut_no_more();
        bool is_unknown = test_app_body_has("\"code\":\"STORE_OUTCOME_UNKNOWN\"");
        bool has_first = has_come(shape, 0, before[round % SHAPES]);
        size_t came = has_first;
        for (size_t part = 1; part < PARTS; part++)
            came += has_come(shape, part, before[round % SHAPES]);
        assert_true(has_first || came == 0); /* which decides whether it is admitted */
        assert_true(!is_done || came == PARTS);
        assert_true(is_done || is_unknown || came == 0);
        cut_midway += came > 0 && came < PARTS;
    }
    assert_in_range(cut_midway, 5, ROUNDS);
}

/* --- At once ------------------------------------------------------------------------- */

enum { SENDERS = 4 };

struct sender {
    pthread_t thread;
    pthread_barrier_t *start;
    size_t worker;
    const struct shape *shape;
    int status;
};

static void *send_once(void *argument)
{
    struct sender *sender = argument;
    struct arena arena;
    struct response res;
    arena_init(&arena, 18 << 20);
    response_init(&res);
    (void)pthread_barrier_wait(sender->start);
    sender->status = test_app_post_beside(sender->worker, sender->shape->path,
                                          sender->shape->body.bytes, &arena, &res);
    response_release(&res);
    arena_release(&arena);
    return NULL;
}

/* How many were told that it is done. */
static size_t send_at_once(const struct shape *shape)
{
    pthread_barrier_t start;
    struct sender senders[SENDERS];
    size_t done = 0;
    assert_int_equal(pthread_barrier_init(&start, NULL, SENDERS), 0);
    for (size_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.start = &start, .worker = i % 2, .shape = shape};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_once, &senders[i]), 0);
    }
    for (size_t i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_join(senders[i].thread, NULL), 0);
        done += senders[i].status == shape->done;
        assert_true(senders[i].status == shape->done || senders[i].status == 503);
    }
    (void)pthread_barrier_destroy(&start);
    return done;
}

static void of_the_same_key_at_once_one_is_stored(void **state)
{
    (void)state;
    enum { ROUNDS = 150 };
    size_t refused = 0;
    for (size_t round = 0; round < ROUNDS; round++) {
        char key[32];
        struct shape *shape = &shapes[round % SHAPES];
        (void)snprintf(key, sizeof key, "at-once-%zu", round);
        test_app.content_type = shape->content_type;
        test_app.idempotency_key = key;
        size_t done = send_at_once(shape);
        test_app.idempotency_key = NULL;
        assert_in_range(done, 1, SENDERS);
        refused += SENDERS - done;
        shape->stored++;
        check_parts(shape);
    }
    print_message("# %zu of %d were told to come again\n", refused, ROUNDS * SENDERS);
    check_all();
    check_admitted(shapes[0].stored + shapes[1].stored);
}

#define CUT_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CUT_TEST(the_same_key_completes_what_was_cut_off_in_the_answers),
        CUT_TEST(the_same_key_completes_what_was_cut_off_on_its_way),
        CUT_TEST(without_a_key_what_is_acknowledged_is_stored_and_a_part_is_whole),
        CUT_TEST(of_the_same_key_at_once_one_is_stored),
    };
    chance = test_random_start();
    write_bodies();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    release_bodies();
    return failed;
}
