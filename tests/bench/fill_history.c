/*
 * fill_history: a past of realistic samples in the Redis of a service, none of it sealed yet.
 *
 *   fill_history SOCKET KIND DAYS
 *
 * One sample of KIND (series_generator.h) a second, of that type, up to the last whole day.
 * The service's tender has it to do at once.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "history.h"
#include "number.h"
#include "rate_limiter.h"

enum { DAYS_MAX = 400, DAY_SECONDS = 86400, PATIENCE_MS = 10000 };

#define SECOND_US INT64_C(1000000)

static void make_due(struct redis_client *client, const char *type)
{
    const struct slice argv[] = {SLICE("ZADD"), SLICE("ra:due"), SLICE("0"),
                                 slice_from_string(type)};
    struct redisReply *reply;
    if (redis_client_call(client, REDIS_LANE_WRITE, argv, sizeof argv / sizeof *argv, &reply,
                          NULL) != ERR_OK)
        exit(1);
    redis_reply_free(reply);
}

int main(int argc, char **argv)
{
    enum series_kind kind;
    int64_t days;
    if (argc != 4 || !series_kind_parse(argv[2], &kind) ||
        !number_parse_int64(slice_from_string(argv[3]), 1, DAYS_MAX, &days)) {
        (void)fprintf(stderr, "usage: fill_history SOCKET KIND DAYS\n");
        return 2;
    }
    const struct redis_options options = {.socket_path = argv[1],
                                          .key_prefix = "ra:",
                                          .read_timeout_ms = PATIENCE_MS,
                                          .write_timeout_ms = PATIENCE_MS,
                                          .queue_max = 16};
    static const struct metric_store_options store_options = {.types_max = 100,
                                                              .spans_per_type_max = 100000};
    struct redis_client *client = redis_client_new(&options);
    struct rate_limiter *limiter = client ? rate_limiter_new(client, 1) : NULL;
    struct metric_store *store = limiter ? metric_store_new(&store_options, client, limiter) : NULL;
    if (!store || !redis_client_start(client))
        return 1;
    for (int ms = 0; !redis_client_is_connected(client) && ms < PATIENCE_MS; ms++)
        (void)poll(NULL, 0, 1);
    struct series_generator generator;
    int64_t end = clock_wall_now().us / SECOND_US / DAY_SECONDS * DAY_SECONDS;
    series_generator_init(&generator, kind, SECOND_US,
                          (struct wall_time){(end - days * DAY_SECONDS) * SECOND_US}, 1);
    history_append(client, store, argv[2], &generator, (size_t)(days * DAY_SECONDS));
    make_due(client, argv[2]);
    metric_store_free(store);
    rate_limiter_free(limiter);
    redis_client_free(client);
    return 0;
}
