#!/bin/bash
# kill -9 of Redis, lighttpd and all workers under load: every acknowledged sample is
# there afterwards, none twice.
set -u
. "$(dirname "$0")/lib.sh"

service_start one RATE_LIMIT_REQUESTS=0 WORKERS=2
"$tools/load_and_verify" load "$port" 12 8 "$work/acknowledged" >"$work/load.log" &
loader=$!

sleep 1
# shellcheck disable=SC2046 # a list of pids
kill -9 $(worker_pids)
check "after kill -9 of all workers it answers within 2 s" await 2 is_healthy
sleep 1
kill -9 "$(pid_of redis)"
check "after kill -9 of Redis it heals within 5 s" eval 'sleep 0.3; await 5 is_healthy'
sleep 1
kill -9 "$(pid_of lighttpd)"
check "after kill -9 of lighttpd it is back within 5 s" eval 'sleep 0.3; await 5 is_healthy'
sleep 1
# shellcheck disable=SC2046 # a list of pids
kill -9 $(worker_pids) "$(pid_of redis)" "$(pid_of lighttpd)" "$(master_pid)"
check "after kill -9 of all of them at once it is back within 10 s" eval 'sleep 0.3; await 10 is_healthy'
wait "$loader"
echo "# $(cat "$work/load.log")"
check "samples were acknowledged throughout" grep -q 'stored=[1-9][0-9][0-9]' "$work/load.log"
result=$("$tools/load_and_verify" verify "$port" "$work/acknowledged")
code=$?
echo "# $result"
check "every acknowledged sample is there, none twice, and summaries count them" [ "$code" = 0 ]
service_stop
finish
