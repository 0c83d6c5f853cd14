#!/bin/bash
# kill -9 of Redis, lighttpd and all workers under load: every acknowledged sample is
# there afterwards, none twice.
set -u
. "$(dirname "$0")/lib.sh"

service_start one RATE_LIMIT_REQUESTS=0 WORKERS=2
"$tools/load_and_verify" load "$port" 12 8 "$work/acknowledged" >"$work/load.log" &
loader=$!

# A pid that is another one than before; whoever was killed may be found for a moment.
has_new() { # has_new PID_OF_WHOM BEFORE
    local now
    now=$($1) && [ "$now" ] && [ "$now" != "$2" ]
}
redis_pid() { pid_of redis; }
lighttpd_pid() { pid_of lighttpd; }
is_back() { # is_back PID_OF_WHOM BEFORE
    await 30 has_new "$1" "$2" && await 30 is_healthy
}

sleep 1 # of load, as between the others
workers=$(worker_pids)
# shellcheck disable=SC2086 # a list of pids
kill -9 $workers
check "after kill -9 of all workers it answers" is_back worker_pids "$workers"
sleep 1
redis=$(redis_pid)
kill -9 "$redis"
check "after kill -9 of Redis it heals" is_back redis_pid "$redis"
sleep 1
lighttpd=$(lighttpd_pid)
kill -9 "$lighttpd"
check "after kill -9 of lighttpd it is back" is_back lighttpd_pid "$lighttpd"
sleep 1
lighttpd=$(lighttpd_pid)
# shellcheck disable=SC2046 # a list of pids
kill -9 $(worker_pids) "$(redis_pid)" "$lighttpd" "$(master_pid)"
check "after kill -9 of all of them at once it is back" is_back lighttpd_pid "$lighttpd"
wait "$loader"
echo "# $(cat "$work/load.log")"
check "samples were acknowledged throughout" grep -q 'stored=[1-9][0-9][0-9]' "$work/load.log"
result=$("$tools/load_and_verify" verify "$port" "$work/acknowledged")
code=$?
echo "# $result"
check "every acknowledged sample is there, none twice, and summaries count them" [ "$code" = 0 ]
service_stop
finish
