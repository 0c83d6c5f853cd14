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
finish
