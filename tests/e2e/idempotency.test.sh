#!/bin/bash
# A million samples, each stored once, while clients, workers and Redis are killed with SIGKILL.
# TEST_SEED: what is posted, and which worker dies.
set -u
. "$(dirname "$0")/lib.sh"

seed=${TEST_SEED:-$(date +%s%N)}
echo "# TEST_SEED=$seed"
RANDOM=$((seed % 32768))
case $mode in # lives are long enough for some requests to be answered
release) samples=1000000 life_ms=200 ;;
asan) samples=200000 life_ms=1000 ;;
*) samples=200000 life_ms=2000 ;;
esac
# Each request that is admitted is counted for a day: none may be twice.
service_start one RATE_LIMIT_REQUESTS=100000 RATE_LIMIT_WINDOW_SECONDS=86400 WORKERS=3
place=$work/place
mkdir "$place"
lives=$work/lives.log
client=

# The client, as often as it is killed; its exit code, else.
post_all() {
    local code
    trap '[ "$client" ] && kill -9 "$client"; exit 1' TERM
    while :; do
        "$tools/exactly_once" post "$port" "$seed" "$samples" "$place" "$life_ms" >>"$lives" &
        client=$!
        wait "$client" 2>/dev/null
        code=$?
        echo "life $code" >>"$lives"
        [ "$code" = 137 ] || return "$code"
    done
}
answered() { cat "$place"/* 2>/dev/null | wc -l; }
kill_worker() {
    local workers
    read -ra workers <<<"$(worker_pids)"
    [ "${workers[0]:-none}" = none ] || kill -9 "${workers[RANDOM % ${#workers[@]}]}" 2>/dev/null
}
kill_redis() { kill -9 "$(pid_of redis)"; }
has_answered() { [ "$(answered)" -ge "$1" ] || ! kill -0 "$poster" 2>/dev/null; }

post_all &
poster=$!
trap 'kill "$poster" 2>/dev/null; wait "$poster"; cleanup' EXIT
requests=$((samples / 2500)) # about
for step in {1..39}; do
    await 60 has_answered $((requests * step / 40)) || break
    kill_worker
    case $step in 6 | 14 | 22 | 30) kill_redis ;; esac
done
check "it goes on until the end" [ "$step" = 39 ]
wait "$poster"
check "every request is answered 2xx in the end, telling all of its samples" [ $? = 0 ]
sed -n '/^#/p' "$lives"
client_deaths=$(grep -c 'life 137' "$lives")
worker_deaths=$(grep -c '"event":"worker_died".*"signal":9' "$dir/log/events.log")
redis_deaths=$(grep -c 'redis ended (signal KILL)' "$dir/log/service.log")
echo "# killed: the client $client_deaths times, workers $worker_deaths times, Redis $redis_deaths times"
check "all of them were killed many times meanwhile" \
    [ "$((client_deaths > 3 && worker_deaths > 12 && redis_deaths > 2))" = 1 ]
check "and are back" await 30 is_healthy
"$tools/exactly_once" verify "$port" "$seed" "$samples" >"$work/result"
code=$?
sed 's/^/# /' "$work/result"
check "counts and sums of all types are exact, and no request was admitted twice" [ "$code" = 0 ]
service_stop
finish
