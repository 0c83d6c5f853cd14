#!/bin/bash
# Exactness through the whole way: no stale answer, nothing lost, nothing twice.
set -u
. "$(dirname "$0")/lib.sh"

pairs=${PAIRS:-20000}
# Patient with Redis: the last answer in its stead, told as such, is not the point here.
export RATE_LIMIT_REQUESTS=0 REDIS_TIMEOUT_MS=2000
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
leaves_at=$(($(date +%s) - 3600 + 3))
ask POST /api/metrics -d "{\"timestamp\":$leaves_at,\"value\":7,\"type\":\"edge\"}"
ask GET "/api/metrics/summary?type=edge&period=hourly"
ask GET "/api/metrics/summary?type=edge&period=hourly"
check "a sample at the edge of the hour is counted" eval 'has "\"count\":1" && says "x-cache: HIT"'
hour_has() { ask GET "/api/metrics/summary?type=edge&period=hourly" && has "\"count\":$1"; }
await 5 hour_has 0
left=$(($(date +%s%N) / 1000000 - leaves_at * 1000 - 3600000))
echo "# noticed $left ms after it left"
check "it leaves without a write, in time and not before" eval '[ "$left" -ge 0 ] && [ "$left" -lt 500 ]'
service_stop

service_start fresh WORKERS=2 CACHE_FRESH_MS=50
result=$(FRESH_MS=50 "$tools/write_then_read" "$pairs" 8 "$port")
code=$?
echo "# $result"
check "with CACHE_FRESH_MS=50 no answer is older than that" [ "$code" = 0 ]
service_stop
finish
