#!/bin/bash
# Redis absent, stopped, killed, restarted, loading, full: statuses and how long they take.
set -u
. "$(dirname "$0")/lib.sh"

post() { # post VALUE
    ask POST /api/metrics -d "{\"timestamp\":\"2026-02-21T12:00:00Z\",\"value\":$1,\"type\":\"cpu\"}" -w '%{http_code} %{time_total}'
    read -r status taken <<<"$status"
}
summary() { # summary TYPE
    ask GET "/api/metrics/summary?type=$1" -w '%{http_code} %{time_total}'
    read -r status taken <<<"$status"
}
within() { awk -v t="$taken" -v limit="$1" 'BEGIN { exit !(t <= limit) }'; }
# Of several: a busy machine may be late.
at_once() { # at_once SECONDS COMMAND...
    local limit=$1
    shift
    for _ in 1 2 3 4 5; do
        "$@"
        within "$limit" && return
    done
    return 1
}
refused_as_unavailable() { is 503 && says 'retry-after: [1-9]' && says 'content-type: application/problem\+json'; }

# A Redis of this suite's own, to be absent, paused and killed.
redis_dir=$work/redis
mkdir -p "$redis_dir"
redis=
redis_up() { # redis_up [OPTION...]
    redis-server --port 0 --unixsocket "$redis_dir/s" --dir "$redis_dir" --appendonly yes \
        --appendfsync always --save '' --logfile "$redis_dir/log" "$@" &
    redis=$!
}
redis_answers() { [ "$(redis-cli -s "$redis_dir/s" ping 2>/dev/null)" = PONG ]; }
redis_down() {
    kill -9 "$redis" 2>/dev/null
    wait "$redis" 2>/dev/null
}
trap 'redis_down; cleanup' EXIT

# --- absent at the start
patience=() # how long it takes is what is tested
service_start one REDIS_SOCKET="$redis_dir/s" RATE_LIMIT_REQUESTS=1000 WORKERS=1
ask GET /health
check "without Redis the service starts, degraded, and says 200" eval 'is 200 && has "\"status\":\"degraded\",\"redis_connected\":false"'
ask GET /livez
check "it is alive" is 200
ask GET /readyz
check "it is not ready" is 503
post 1
check "a POST is 503 with Retry-After" refused_as_unavailable
check "at once" at_once 0.3 post 1
summary cpu
check "a summary never seen is 503" refused_as_unavailable
ask GET "/api/metrics/list"
check "a list is 503" refused_as_unavailable
ask GET /api/rate-limit
check "the caller's standing is 503" refused_as_unavailable
ask GET /api/circuit-breaker/status
check "the breaker tells its local state" eval 'is 200 && has "\"state\":\"CLOSED\"" && has "\"shared\":false"'
ask GET /api/external
check "the external service is asked all the same" eval 'is 200 || { is 503 && has "External service temporarily unavailable"; }'
redis_up
check "it heals when Redis comes" await 20 is_healthy
post 1
check "then a POST is 201" is 201
ask GET /readyz
check "and it is ready, with its durability told" eval 'is 200 && has "always"'

# --- stopped
summary cpu
check "a summary is computed" eval 'is 200 && has "\"count\":1"'
kill -STOP "$redis"
post 2
check "Redis stopped: the first POST is 503 after its deadline" eval 'refused_as_unavailable && ! within 0.9 && within 5'
check "the next is 503 at once" eval 'at_once 0.2 post 3 && refused_as_unavailable'
summary cpu
check "the last answer is given with its age" eval 'is 200 && has "\"count\":1" && says "age: " && says "x-cache: STALE"'
check "at once" at_once 0.5 summary cpu
check "one that was never given is 503" eval 'at_once 0.5 summary nobody_asked && refused_as_unavailable'
kill -CONT "$redis"
check "it heals when Redis goes on" await 20 is_healthy
summary cpu
check "what was refused at once was not stored" eval 'is 200 && [ "$(number count)" -le 2 ]'

# --- killed, restarted: its scripts are gone
before=$(number count)
redis_down
check "Redis killed: it says so" await 20 is_degraded
check "a POST is 503 at once" eval 'at_once 0.2 post 4 && refused_as_unavailable'
redis_up
check "it heals after the restart" await 20 is_healthy
post 5
check "scripts are loaded again: 201" is 201
redis-cli -s "$redis_dir/s" script flush >/dev/null
post 6
check "also when only they were lost" is 201
summary cpu
check "nothing acknowledged was lost" [ "$(number count)" = $((before + 2)) ]

# --- loading
redis-cli -s "$redis_dir/s" debug set-active-expire 1 >/dev/null 2>&1
redis-cli -s "$redis_dir/s" config set key-load-delay 2000 >/dev/null 2>&1
redis-cli -s "$redis_dir/s" eval 'for i = 1, 3000 do redis.call("SET", "filler:" .. i, string.rep("x", 64)) end' 0 >/dev/null
redis-cli -s "$redis_dir/s" bgrewriteaof >/dev/null
await 10 eval 'redis-cli -s "$redis_dir/s" info persistence | grep -q "aof_rewrite_in_progress:0"'
redis_down
redis_up --key-load-delay 1000 --loading-process-events-interval-bytes 1024
await 20 eval 'redis-cli -s "$redis_dir/s" ping 2>&1 | grep -q LOADING'
check "Redis is loading" [ $? = 0 ]
check "Redis loading: a POST is 503 at once" eval 'at_once 0.3 post 7 && refused_as_unavailable'
check "it heals when all is loaded" await 30 is_healthy

# --- full
redis-cli -s "$redis_dir/s" config set maxmemory 1 >/dev/null
post 8
check "Redis full: a POST is 507 with Retry-After" eval 'is 507 && says "retry-after: " && has "\"code\":\"STORE_FULL\""'
ask GET "/api/metrics/list?type=cpu"
check "reading goes on" eval 'is 200 && has "\"value\":6"'
redis-cli -s "$redis_dir/s" config set maxmemory 0 >/dev/null
post 9
check "with room again a POST is 201" is 201
finish
