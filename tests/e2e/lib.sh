# lib.sh: what the end-to-end suites share: TAP, services of their own, free ports.
# shellcheck shell=bash
#
# A suite sources this, calls service_start, prints TAP by `check` and ends with
# `finish`. Whatever it started is stopped at its exit, also when it fails.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
mode=${MODE:-release}
# shellcheck disable=SC2034 # used by the suites
tools=$root/build/$mode/tests/e2e
work=$(mktemp -d "${TMPDIR:-/tmp}/ra-e2e-XXXXXX")
export ANALYTICS_WORKER=$root/build/$mode/analytics.fcgi
export ENV_FILE=/dev/null # a .env is the user's, not the tests'
services=()
# Of a suite whose subject they are not: a machine that is busy, or whose disk stalls, is no failure.
patience=(REDIS_TIMEOUT_MS=2000 REDIS_WRITE_TIMEOUT_MS=5000)
. "$root/tests/e2e/tap.sh"

cleanup() {
    local dir
    for dir in "${services[@]}"; do
        RUN_DIR=$dir "$root/conf/service" stop >/dev/null 2>&1
    done
    if [ "$failures" -gt 0 ]; then
        for dir in "${services[@]}"; do
            echo "# --- logs of $dir"
            tail -n 15 "$dir"/log/{events,error}.log 2>/dev/null | sed 's/^/# /'
        done
    fi
    rm -rf "$work"
}
trap cleanup EXIT

# Take over the TAP lines of another script, counted on. Its plan tells whether it went on
# to its end.
include() { # include PREFIX COMMAND...
    local prefix=$1 line seen=0 planned=none
    shift
    while IFS= read -r line; do
        case $line in
        'ok '*) count=$((count + 1)) seen=$((seen + 1)) && echo "ok $count - $prefix: ${line#* - }" ;;
        'not ok '*)
            count=$((count + 1)) failures=$((failures + 1)) seen=$((seen + 1))
            echo "not ok $count - $prefix: ${line#* - }"
            ;;
        '1..'*) planned=${line#1..} ;;
        '#'*) echo "$line" ;;
        esac
    done < <("$@" 2>&1)
    [ "$seen" = "$planned" ] || check "$prefix: all of it ran, $seen of $planned" false
}

# Below the ports that the kernel gives to outgoing connections (from 32768 on).
free_port() {
    local port
    while :; do
        port=$((10000 + RANDOM % 22000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# service_start NAME [VARIABLE=value...]: a service under $work/NAME; sets port, base, dir.
# Somebody may take a port between the look and the start: then another one.
service_start() {
    dir=$work/$1
    shift
    services+=("$dir")
    for _ in 1 2 3 4 5; do
        port=$(free_port)
        base=http://127.0.0.1:$port
        env "${patience[@]}" APP_HOST=127.0.0.1 APP_PORT="$port" RUN_DIR="$dir" "$@" \
            "$root/conf/service" start >"$work/start.log" 2>&1 && return
        grep -q "port $port is taken" "$work/start.log" || break
    done
    sed 's/^/# /' "$work/start.log"
    check "the service starts" false
    finish
}
service_stop() { RUN_DIR=$dir "$root/conf/service" stop >/dev/null 2>&1; }

# await SECONDS COMMAND...: until it succeeds
await() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}
is_healthy() { ask GET /health && has '"status":"healthy"'; }
is_degraded() { ask GET /health && has '"status":"degraded"'; }

# Process ids, as the service itself knows them.
pid_of() { # redis | lighttpd
    local pid
    read -r pid _ <"$dir/$1.pid" && echo "$pid"
}
master_pid() { RUN_DIR=$dir "$root/conf/service" status | sed -n 's/^master *pid \([0-9]*\),.*/\1/p'; }
worker_pids() { RUN_DIR=$dir "$root/conf/service" status | sed -n 's/^master .*workers //p'; }
