#!/bin/bash
# The same suites through nginx: conf/nginx.conf, the worker on a socket of spawn-fcgi.
set -u
. "$(dirname "$0")/lib.sh"

service_start lighttpd RATE_LIMIT_REQUESTS=0 WORKERS=1 # for its Redis
socket=$work/analytics.sock
export REDIS_SOCKET=$dir/redis.sock KEY_PREFIX=nginx: RATE_LIMIT_WINDOW_SECONDS=4 WORKERS=2
export ADMIN_TOKEN=admin-of-the-test
spawn-fcgi -n -s "$socket" -M 0660 -b 4096 -- "$ANALYTICS_WORKER" 2>"$work/events.log" &
master=$!
port=$(free_port)
base=http://127.0.0.1:$port
mkdir -p "$work/nginx"
sed -e "s|listen 8000|listen 127.0.0.1:$port|" -e "s|^user www-data;|user $(id -un) $(id -gn);|" \
    -e "s|/run/analytics/worker.sock|$socket|" \
    -e "s|/run/analytics|$work/nginx|" -e "s|/var/log/nginx|$work/nginx|" \
    -e "s|/usr/local/libexec/analytics/www|$root/build/www|" "$root/conf/nginx.conf" >"$work/nginx/nginx.conf"
nginx -p "$work/nginx" -c nginx.conf -g "daemon off;" 2>"$work/nginx/start.log" &
nginx=$!
trap 'kill "$nginx" "$master" 2>/dev/null; wait "$nginx" "$master"; cleanup' EXIT
if ! await 30 is_healthy; then
    sed 's/^/# /' "$work/nginx/start.log" "$work/nginx/"*.error.log "$work/events.log"
    check "the service answers through nginx" false
    finish
fi
include "curl checks" "$root/tests/e2e/curl_checks.sh" "$base"

kill -HUP "$master"
check "it goes on after a reload" await 30 is_healthy
kill -TERM "$master"
wait "$master"
check "the master ends with 0 when told to stop" [ $? = 0 ]

export RATE_LIMIT_REQUESTS=0 KEY_PREFIX=nginx2:
rm -f "$socket"
spawn-fcgi -n -s "$socket" -M 0660 -b 4096 -- "$ANALYTICS_WORKER" 2>>"$work/events.log" &
master=$!
check "it starts again on a new socket" await 30 is_healthy
include "bad input" env BASE_URL="$base" "$root/tests/e2e/bad_input.test.sh"

include "pages" env BASE_URL="$base" "$root/tests/e2e/pages.test.sh"

ask GET "/health?a=$(printf '\xff"')" -A "$(printf 'b\xff"')"
check "every line of the access log is one JSON object" eval \
    '"$tools/json_lines" <"$work/nginx/analytics.access.log"'
finish
