#!/bin/bash
# Exactness through the whole way: no stale answer, nothing lost, nothing twice.
set -u
. "$(dirname "$0")/lib.sh"

pairs=${PAIRS:-20000}
# Patient with Redis: the last answer in its stead, told as such, is not the point here.
export RATE_LIMIT_REQUESTS=0
service_start first WORKERS=3
first_port=$port first_dir=$dir
result=$("$tools/write_then_read" "$pairs" 8 "$first_port")
code=$?
echo "# $result"
check "of $pairs write-then-read pairs through different workers none is stale" [ "$code" = 0 ]

service_start second REDIS_SOCKET="$first_dir/redis.sock"
result=$("$tools/write_then_read" "$pairs" 8 "$first_port" "$port")
code=$?
echo "# $result"
check "of $pairs pairs between two instances on one Redis none is stale" [ "$code" = 0 ]
service_stop

dir=$first_dir port=$first_port base=http://127.0.0.1:$first_port
# A sample that leaves the last hour in some seconds: asked again and again, an answer that was
# there before it left counts it, and one that was asked for after that does not.
now_ms() { echo $(($(date +%s%N) / 1000000)); }
timestamp=$(($(date +%s) - 3600 + 4))
leaves_ms=$(((timestamp + 3600) * 1000))
hour() { ask GET "/api/metrics/summary?type=edge&period=hourly"; }
ask POST /api/metrics -d "{\"timestamp\":$timestamp,\"value\":7,\"type\":\"edge\"}"
before=0 after=0 hits=0 wrong=''
until [ "$after" -ge 3 ] || [ "$wrong" ]; do
    asked_ms=$(now_ms)
    hour
    answered_ms=$(now_ms)
    if [ "$answered_ms" -lt "$leaves_ms" ]; then
        before=$((before + 1))
        says 'x-cache: HIT' && hits=$((hits + 1))
        has '"count":1,' || wrong="gone $((leaves_ms - answered_ms)) ms too early"
    elif [ "$asked_ms" -gt "$leaves_ms" ]; then
        after=$((after + 1))
        has '"count":0,' || wrong="still there $((asked_ms - leaves_ms)) ms after it left"
    fi
done
echo "# asked $before times before and $after times after it left, $hits from a cache"
check "a sample at the edge of the hour is counted, from a cache" [ "$hits" -gt 0 ]
check "it leaves without a write, in time and not before${wrong:+: $wrong}" [ ! "$wrong" ]
service_stop

service_start fresh WORKERS=2 CACHE_FRESH_MS=50
result=$(FRESH_MS=50 "$tools/write_then_read" "$pairs" 8 "$port")
code=$?
echo "# $result"
check "with CACHE_FRESH_MS=50 no answer is older than that" [ "$code" = 0 ]
service_stop
finish
